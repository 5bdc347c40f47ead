#!/bin/sh
# The init of a rehearsal whose Proxmox image is a stand-in, which holds no installer: written for ventoy-kit, in the
# order of the Proxmox VE installer's init (proc, sysfs, EFI variables, drivers, medium, layers, switch_root). Behind
# switch_root it says what the installer would find, and switches the machine off.
# shellcheck disable=SC2123  # here are no other programs
PATH=/ventoy/busybox
export PATH
PRODUCT=PVE
# shellcheck disable=SC2034  # the step of the boot hook reads it
console=ttyS0
mount -nt proc proc /proc
mount -nt sysfs sysfs /sys
mount -nt devtmpfs devtmpfs /dev
while read -r module; do insmod "/modules/${module}" 2>/dev/null; done </modules/order
[ ! -d /sys/firmware/efi ] || mount -nt efivarfs efivarfs /sys/firmware/efi/efivars
# Disks on USB come late.
sleep 3
echo "stand-in: ${PRODUCT} looks for its medium"
for i in /sys/block/dm* /sys/block/hd* /sys/block/sr* /sys/block/sd* /sys/block/nvme*; do
    [ -e "${i}" ] || continue
    mount -t iso9660 -o ro "/dev/${i##*/}" /mnt 2>/dev/null || continue
    if cmp -s /.pve-cd-id.txt /mnt/.pve-cd-id.txt; then break; fi
    umount /mnt
done
if [ -f /mnt/pve-installer.squashfs ]; then
    # A tmpfs over the medium's mount point would hide it, so the folders are made on a layer of their own.
    mount -t tmpfs tmpfs /medium
    mkdir /medium/upper /medium/work
    mount -t overlay -o lowerdir=/mnt,upperdir=/medium/upper,workdir=/medium/work medium /mnt
    mkdir /mnt/.workdir /mnt/.installer-mp
    if ! mount -t tmpfs tmpfs /mnt/.workdir; then
        echo 'stand-in: no workdir'
    fi
    mount -t tmpfs installer /mnt/.installer-mp
    mkdir -p /mnt/.installer-mp/cdrom /mnt/.installer-mp/bin
    cp /ventoy/busybox/busybox /mnt/.installer-mp/bin/busybox
    if ! mount --bind /mnt /mnt/.installer-mp/cdrom; then
        echo 'stand-in: no cdrom'
    fi
    cp /stand-in-installer /mnt/.installer-mp/bin/installer
    mount --move /dev /mnt/.installer-mp/cdrom/dev 2>/dev/null
    if ! exec switch_root -c /dev/console /mnt/.installer-mp /bin/busybox sh /bin/installer; then
        echo 'stand-in: no switch'
    fi
else
    echo 'stand-in: no medium was found'
fi
sleep 5
poweroff -f
