#!/bin/sh
# Boot settings without Ventoy's parameters, EFI entries without the dead, the installed system first.
set -eu
# shellcheck source=/dev/null  # given by the runner
. "$VK_LIB"

# --- kernel parameters ------------------------------------------------------------------------------------

# What Ventoy itself puts on a kernel's command line (INSTALL/grub/grub.cfg, IMG/cpio/ventoy/ventoy_chain.sh).
LEAK='(rdinit=/vtoy/|vtinit=)'
# Lines that are comments do not count. A parameter stands at the start of a line, after a blank, a quote or "=".
leaks() { sed '/^[[:space:]]*#/d' "$1" | grep -Eq "(^|[[:space:]\"'=])$LEAK"; }
strip() {
    sed -E "/^[[:space:]]*#/!{
        s#[[:space:]]+${LEAK}[^[:space:]\"']*##g
        s#(^|[\"'=])${LEAK}[^[:space:]\"']*[[:space:]]*#\\1#g
    }"
}
settings() { # each settings file that holds a parameter, one a line
    for file in /etc/default/grub /etc/default/grub.d/*.cfg /etc/kernel/cmdline; do
        if [ -f "$file" ] && leaks "$file"; then printf '%s\n' "$file"; fi
    done
}
is_stale() { [ -f /boot/grub/grub.cfg ] && leaks /boot/grub/grub.cfg; }

clean_parameters() {
    if [ -n "$(settings)" ] || is_stale; then vk_owe loader; fi
    settings | while IFS= read -r file; do vk_edit "$file" strip; done
    vk_settle_boot
}

# --- EFI boot entries ---------------------------------------------------------------------------------------

is_uefi() { [ -d /sys/firmware/efi ]; }

# "NUMBER PARTUUID LABEL" of the entries that name a GPT partition; for others a "-". efibootmgr 17 (Debian 12)
# and 18 print the partition's GUID alike: HD(number,GPT,GUID,...). The label ends at a tab.
entries() {
    efibootmgr -v | awk '
        match($0, /^Boot[0-9A-Fa-f][0-9A-Fa-f][0-9A-Fa-f][0-9A-Fa-f]/) {
            number = substr($0, 5, 4)
            label = substr($0, 11)
            sub(/\t.*/, "", label)
            guid = "-"
            if (match($0, /HD\([0-9]+,GPT,[0-9A-Fa-f-]+/)) { guid = substr($0, RSTART, RLENGTH); sub(/.*,/, "", guid) }
            print number, tolower(guid), label
        }'
}
partitions() { lsblk -r -n -o PARTUUID | sed '/^$/d' | tr A-F a-f | sort -u; }
# Without one partition seen there is nothing to compare with.
stale_entries() {
    partitions >"$VK_WORK/partitions"
    [ -s "$VK_WORK/partitions" ] || return 0
    entries | while read -r number guid label; do
        [ "$guid" = - ] || grep -qxF "$guid" "$VK_WORK/partitions" || printf '%s %s\n' "$number" "$label"
    done
}

# The EFI partitions of this system as "PARTUUID DEVICE", as proxmox-boot-tool knows them or mounted.
own_partitions() {
    {
        [ ! -s /etc/kernel/proxmox-boot-uuids ] || while read -r uuid; do blkid -U "$uuid" || true; done </etc/kernel/proxmox-boot-uuids
        findmnt -n -o SOURCE -t vfat -T /boot/efi 2>/dev/null || true
    } | sort -u | while read -r device; do
        printf '%s %s\n' "$(lsblk -d -n -o PARTUUID "$device" | tr A-F a-f)" "$device"
    done
}
order_now() { efibootmgr | sed -n 's/^BootOrder: //p' | tr ',' '\n'; }
booted() { efibootmgr | sed -n 's/^BootCurrent: //p'; }
# The boot order as it should be: this system's entries first, the one that it was booted by before the others.
own_entries() {
    own_partitions >"$VK_WORK/own"
    entries >"$VK_WORK/entries"
    { booted && order_now && cut -d ' ' -f 1 "$VK_WORK/entries"; } | awk '!seen[$0]++' | while read -r number; do
        guid=$(awk -v number="$number" '$1 == number { print $2 }' "$VK_WORK/entries")
        if [ -n "$guid" ] && grep -q "^$guid " "$VK_WORK/own"; then printf '%s\n' "$number"; fi
    done
}
order_wanted() { { own_entries && order_now; } | awk '!seen[$0]++'; }

make_entry() {
    read -r _ device <"$VK_WORK/own" || vk_fail "the EFI partition of this system was not found; is /boot/efi mounted?"
    mounted=$(findmnt -n -o TARGET -S "$device" | head -n 1)
    if [ -z "$mounted" ]; then
        mounted=$VK_WORK/efi
        mkdir -p "$mounted"
        mount -o ro "$device" "$mounted" || vk_fail "$device cannot be mounted"
    fi
    loader=
    for candidate in EFI/proxmox/shimx64.efi EFI/proxmox/grubx64.efi EFI/debian/shimx64.efi EFI/debian/grubx64.efi \
        EFI/systemd/systemd-bootx64.efi EFI/BOOT/BOOTX64.EFI; do
        [ -n "$loader" ] || [ ! -f "$mounted/$candidate" ] || loader=$candidate
    done
    [ "$mounted" != "$VK_WORK/efi" ] || umount "$mounted"
    [ -n "$loader" ] || vk_fail "$device holds no boot loader known to this hook"
    disk=/dev/$(lsblk -d -n -o PKNAME "$device")
    number=$(cat "/sys/class/block/${device##*/}/partition")
    efibootmgr -q -c -d "$disk" -p "$number" -L "$VK_FAMILY" -l "\\$(printf '%s' "$loader" | sed 's#/#\\#g')" ||
        vk_fail "the firmware took no new boot entry"
    vk_changed "boot entry for $loader"
}

clean_entries() {
    command -v efibootmgr >/dev/null || vk_fail "efibootmgr is not installed; the boot entries were not looked at"
    if [ "$VK_PARAM_STALE_ENTRIES" = remove ]; then
        stale_entries >"$VK_WORK/stale"
        while read -r number label; do
            efibootmgr -q -b "$number" -B || vk_fail "the firmware did not remove boot entry $number ($label)"
            vk_changed "boot entry $number ($label) removed"
        done <"$VK_WORK/stale"
    fi
    [ "$VK_PARAM_DISK_FIRST" = true ] || return 0
    if [ -z "$(own_entries)" ]; then make_entry; fi
    wanted=$(order_wanted | paste -s -d ,)
    if [ "$wanted" != "$(order_now | paste -s -d ,)" ]; then
        efibootmgr -q -o "$wanted" || vk_fail "the firmware did not take the boot order $wanted"
        vk_changed "boot order $wanted"
    fi
}

apply() {
    clean_parameters
    if is_uefi; then clean_entries; fi
}

check_entries() {
    command -v efibootmgr >/dev/null || vk_fail "efibootmgr is not installed"
    stale_entries >"$VK_WORK/stale"
    while read -r number label; do
        printf 'boot entry %s (%s): its partition is on no disk of this machine\n' "$number" "$label"
        [ "$VK_PARAM_STALE_ENTRIES" = report ] || vk_drift "boot entry $number ($label) is stale"
    done <"$VK_WORK/stale"
    [ "$VK_PARAM_DISK_FIRST" = true ] || return 0
    if [ -z "$(own_entries)" ]; then
        vk_drift "no boot entry leads to this system"
    elif [ "$(order_wanted)" != "$(order_now)" ]; then
        vk_drift "the boot order is $(order_now | paste -s -d ,), this system is not first"
    fi
}

verify() {
    settings >"$VK_WORK/left"
    while IFS= read -r file; do vk_drift "$file still holds a parameter of Ventoy"; done <"$VK_WORK/left"
    if is_stale; then vk_drift "/boot/grub/grub.cfg still holds a parameter of Ventoy"; fi
    if leaks /proc/cmdline; then vk_drift "this boot's command line holds a parameter of Ventoy"; fi
    vk_check_boot ''
    if is_uefi; then check_entries; fi
    vk_verdict
}

case ${1:-} in
apply) apply ;;
verify) verify ;;
*) vk_fail "verbs: apply, verify" ;;
esac
