# shellcheck shell=sh
# Removes what old installations left on the system disks: LVM, RAID, ZFS, btrfs and other signatures. Needs lib.sh and
# disks.sh. Only disks in VK_DISKS are written to, and only once nothing stands on them any more.
#
# The installer has neither wipefs nor sgdisk, and removes LVM and RAID of its own kind only. Signatures lie at the
# beginning and the end of a disk or partition: partition table, LVM, MD 1.1 and 1.2, two of the ZFS labels and btrfs
# in the first MiB; MD 0.90 and 1.0, the other ZFS labels and the copy of a GPT in the last one; a copy of btrfs's
# superblock at 64 MiB. A partition that is made later at the same place would show them again.
# shellcheck disable=SC2034,SC2154  # VK_* variables come from lib.sh and are read by the family's script

VK_MIB=2048 # sectors of 512 bytes, the unit of sysfs

# vk_zero DEVICE SECTOR COUNT: zeros instead of that many sectors.
vk_zero() {
    dd if=/dev/zero of="/dev/$1" bs=512 seek="$2" count="$3" conv=notrunc 2>/dev/null
}

# vk_zero_range DEVICE FIRST SECTORS: the places of signatures in a disk or partition.
vk_zero_range() {
    if [ "$3" -le "$((4 * VK_MIB))" ]; then
        vk_zero "$1" "$2" "$3"
        return
    fi
    vk_zero "$1" "$2" "${VK_MIB}" && vk_zero "$1" "$(($2 + $3 - VK_MIB))" "${VK_MIB}" || return 1
    [ "$3" -le "$((66 * VK_MIB))" ] || vk_zero "$1" "$(($2 + 64 * VK_MIB))" 128
}

# vk_holders FOLDER: names of what stands on a disk or its partitions, the lowest first, each perhaps several times.
vk_holders() (
    for entry in "$1"/*/holders/* "$1"/holders/*; do
        [ -e "${entry}" ] || continue
        printf '%s\n' "${entry##*/}"
        vk_holders "/sys/block/${entry##*/}"
    done
)

# vk_disks_below NAME: the whole disks that a device stands on.
vk_disks_below() (
    found=''
    for slave in "/sys/block/$1"/slaves/*; do
        [ -e "${slave}" ] || continue
        found=yes
        vk_disks_below "${slave##*/}"
    done
    [ -z "${found}" ] || exit 0
    for disk in /sys/block/*; do
        if [ "${disk##*/}" = "$1" ] || [ -d "${disk}/$1" ]; then
            printf '%s\n' "${disk##*/}"
        fi
    done
)

# vk_stop NAME: stop an array, or remove a device-mapper device.
vk_stop() {
    case "$1" in
        md*)
            if [ -w "/sys/block/$1/md/array_state" ]; then
                printf 'clear\n' >"/sys/block/$1/md/array_state" && return 0
            fi
            mdadm --stop "/dev/$1" >/dev/null 2>&1
            ;;
        dm-*)
            vk_label=$(vk_attribute "/sys/block/$1/dm/name")
            dmsetup remove "${vk_label}" >/dev/null 2>&1
            ;;
        *) return 1 ;;
    esac
}

# vk_stop_holders: stop arrays and volume groups on the system disks, the topmost first. Refuses, before anything is
# stopped, if one of them stands on another disk, too.
vk_stop_holders() {
    vk_stack_names=''
    for vk_disk in ${VK_DISKS}; do
        for vk_name in $(vk_holders "/sys/block/${vk_disk#/dev/}"); do
            # What is found later stands higher; it goes first, and each name once.
            case " ${vk_stack_names} " in *" ${vk_name} "*) ;; *) vk_stack_names="${vk_name} ${vk_stack_names}" ;; esac
        done
    done
    for vk_name in ${vk_stack_names}; do
        for vk_below in $(vk_disks_below "${vk_name}"); do
            case " ${VK_DISKS} " in
                *" /dev/${vk_below} "*) ;;
                *)
                    vk_text=$(vk_device_text "${vk_below}")
                    vk_fail VK-B52 "${vk_name} stands on a system disk and on ${vk_text}."
                    return 1
                    ;;
            esac
        done
    done
    # A name may be found below another one's holder only later, so go round until nothing is left or nothing helps.
    vk_rounds=0
    while [ -n "${vk_stack_names}" ] && [ "${vk_rounds}" -lt 8 ]; do
        vk_rounds=$((vk_rounds + 1))
        vk_left=''
        for vk_name in ${vk_stack_names}; do
            if [ -e "/sys/block/${vk_name}" ] && ! vk_stop "${vk_name}"; then
                vk_left="${vk_left}${vk_left:+ }${vk_name}"
            else
                vk_log "stopped: ${vk_name}"
            fi
        done
        vk_stack_names=${vk_left}
    done
    [ -z "${vk_stack_names}" ] || vk_fail VK-B53 "Still running: ${vk_stack_names}."
}

# vk_clear_disks: remove all signatures from the system disks.
vk_clear_disks() {
    vk_stop_holders || return 1
    for vk_disk in ${VK_DISKS}; do
        vk_folder="/sys/block/${vk_disk#/dev/}"
        vk_sectors=$(vk_attribute "${vk_folder}/size")
        if ! vk_number_ok "${vk_sectors}" || ! vk_clear_disk "${vk_disk#/dev/}" "${vk_sectors}"; then
            VK_HARM='Its system disks may have been cleared already.'
            vk_fail VK-B54 "Writing to ${vk_disk} failed."
            return 1
        fi
        vk_log "cleared: ${vk_disk}"
    done
    VK_HARM='Its system disks have been cleared already.'
}

# vk_clear_disk NAME SECTORS: its partitions first, so that after a failure the table still names them.
vk_clear_disk() {
    for vk_part in "/sys/block/$1"/*; do
        [ -e "${vk_part}/partition" ] || continue
        vk_first=$(vk_attribute "${vk_part}/start")
        vk_size=$(vk_attribute "${vk_part}/size")
        { vk_number_ok "${vk_first}" && vk_number_ok "${vk_size}"; } || return 1
        vk_zero_range "$1" "${vk_first}" "${vk_size}" || return 1
    done
    vk_zero_range "$1" 0 "$2" || return 1
    sync
    blockdev --flushbufs "/dev/$1" >/dev/null 2>&1
    # The kernel forgets the old partitions; a disk without any is fine, too.
    blockdev --rereadpt "/dev/$1" >/dev/null 2>&1
    udevadm settle >/dev/null 2>&1
    return 0
}
