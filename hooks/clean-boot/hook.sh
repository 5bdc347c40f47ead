#!/bin/sh
# Removes rdinit=/vtoy/... from the boot settings of the installed system.
set -eu
# shellcheck source=/dev/null  # given by the runner
. "$VK_LIB"

# Lines that are comments do not count. A parameter stands at the start of a line, after a blank, a quote or "=".
leaks() { sed '/^[[:space:]]*#/d' "$1" | grep -Eq "(^|[[:space:]\"'=])rdinit=/vtoy/"; }
strip() {
    sed -E "/^[[:space:]]*#/!{
        s#[[:space:]]+rdinit=/vtoy/[^[:space:]\"']*##g
        s#(^|[\"'=])rdinit=/vtoy/[^[:space:]\"']*[[:space:]]*#\\1#g
    }"
}
settings() { # each settings file that holds the parameter, one a line
    for file in /etc/default/grub /etc/default/grub.d/*.cfg /etc/kernel/cmdline; do
        if [ -f "$file" ] && leaks "$file"; then printf '%s\n' "$file"; fi
    done
}
is_stale() { [ -f /boot/grub/grub.cfg ] && leaks /boot/grub/grub.cfg; }

# proxmox-boot-tool keeps the ids of its EFI partitions in this file and does nothing without it; with it, its
# refresh serves GRUB and systemd-boot alike. The mere existence of settings files tells nothing: on ZFS the
# Proxmox installer writes those of both loaders.
refresh() {
    if [ -s /etc/kernel/proxmox-boot-uuids ]; then
        proxmox-boot-tool refresh
    elif [ -f /boot/grub/grub.cfg ]; then
        update-grub
    elif bootctl is-installed --quiet; then
        for image in /boot/vmlinuz-*; do kernel-install add "${image#/boot/vmlinuz-}" "$image"; done
    else
        vk_fail "no boot loader known to this hook is in use"
    fi
}

apply() {
    if [ -n "$(settings)" ] || is_stale; then vk_owe refresh; fi
    settings | while IFS= read -r file; do vk_edit "$file" strip; done
    vk_owes refresh || return 0
    refresh || vk_fail "the boot loader could not be refreshed"
    vk_paid refresh
    vk_changed "boot loader refreshed"
}

verify() {
    settings >"$VK_WORK/left"
    while IFS= read -r file; do vk_drift "$file still holds rdinit=/vtoy/"; done <"$VK_WORK/left"
    if is_stale; then vk_drift "/boot/grub/grub.cfg still holds rdinit=/vtoy/"; fi
    if vk_owes refresh; then vk_drift "the boot loader was not refreshed"; fi
    if leaks /proc/cmdline; then vk_drift "this boot's command line holds rdinit=/vtoy/"; fi
    vk_verdict
}

case ${1:-} in
apply) apply ;;
verify) verify ;;
*) vk_fail "verbs: apply, verify" ;;
esac
