#!/bin/sh
# Stands for Ventoy's tool of this name in a rehearsal by direct boot: it names the stick, which is known by its serial
# number here, since Ventoy's own mark is left in memory by Ventoy's boot loader.
for disk in /sys/block/sd*; do
    case "$(readlink -f "${disk}")" in
        */usb*) ;;
        *) continue ;;
    esac
    node="${disk}"
    while [ "${node}" != /sys ] && [ -n "${node}" ]; do
        node=$(readlink -f "${node}/..")
        if [ -r "${node}/serial" ]; then
            if [ "$(cat "${node}/serial")" = VKSTICK ]; then echo "/dev/${disk##*/}#exfat#/rehearsal.iso"; fi
            break
        fi
    done
done
