#!/bin/sh
# Runs in the installed system: copies the EFI partition that is mounted on /boot/efi to the one of the other disk of
# the mirror. With --new that one's file system is taken as empty and the firmware gets a boot entry for it.
set -eu

fail() {
    printf 'ventoy-kit-esp-sync: %s\n' "$1" >&2
    exit 1
}

esp_type=c12a7328-f81f-11d2-ba4b-00a0c93ec93b
first=$(findmnt --noheadings --output SOURCE /boot/efi) || fail 'nothing is mounted on /boot/efi'
# The disks of the mirror are those that the root file system stands on.
root=$(findmnt --noheadings --nofsroot --output SOURCE /)
disks=$(lsblk --noheadings --list --inverse --output PATH,TYPE "${root}" | awk '$2 == "disk" { print $1 }' | sort -u)
second=''
for disk in ${disks}; do
    for part in $(lsblk --noheadings --list --output PATH,TYPE "${disk}" | awk '$2 == "part" { print $1 }'); do
        # lsblk knows a partition's type from udev alone.
        type=$(blkid --probe --match-tag PART_ENTRY_TYPE --output value "${part}") || type=''
        [ "${type}" != "${esp_type}" ] || [ "${part}" = "${first}" ] || second=${part}
    done
done
[ -n "${second}" ] || fail 'there is no second EFI partition on the disks of the mirror'

folder=$(mktemp -d)
trap 'umount "${folder}" 2>/dev/null || true; rmdir "${folder}"' EXIT
blkid -t TYPE=vfat "${second}" >/dev/null || mkfs.vfat -F 32 -n ESP2 "${second}" >/dev/null
mount -t vfat -o umask=0077 "${second}" "${folder}"
# vfat keeps neither owners nor modes.
cp -r /boot/efi/EFI "${folder}/"
sync

[ "${1:-}" = --new ] || exit 0
disk=/dev/$(lsblk --noheadings --output PKNAME "${second}")
number=$(cat "/sys/class/block/${second#/dev/}/partition")
loader='\EFI\debian\shimx64.efi'
[ -e "${folder}/EFI/debian/shimx64.efi" ] || loader='\EFI\debian\grubx64.efi'
if command -v efibootmgr >/dev/null && [ -d /sys/firmware/efi ]; then
    efibootmgr --quiet --create-only --disk "${disk}" --part "${number}" --label 'debian (second disk)' --loader "${loader}" ||
        fail 'the firmware took no boot entry for the second disk; its file EFI/BOOT/BOOTX64.EFI still starts'
fi
