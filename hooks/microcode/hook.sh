#!/bin/sh
# Microcode for this machine's processor.
set -eu
# shellcheck source=/dev/null  # given by the runner
. "$VK_LIB"

case $(sed -n 's/^vendor_id[[:space:]]*: //p' /proc/cpuinfo | head -n 1) in
GenuineIntel) PACKAGE=intel-microcode PART=kernel/x86/microcode/GenuineIntel.bin ;;
AuthenticAMD) PACKAGE=amd64-microcode PART=kernel/x86/microcode/AuthenticAMD.bin ;;
*) PACKAGE='' PART='' ;;
esac

# The early part of an initramfs is a plain cpio archive at its beginning, so the name stands there as text.
holds_microcode() { head -c 4096 "$1" | tr '\0' '\n' | grep -qF "$PART"; }
# Intel's package takes in what is newer than the processor's own; there may be nothing.
is_wanted() { [ "$PACKAGE" != intel-microcode ] || iucode_tool -q -l -S /lib/firmware/intel-ucode 2>/dev/null | grep -q .; }
stale() {
    is_wanted || return 0
    for image in /boot/initrd.img-*; do
        if [ -f "$image" ] && ! holds_microcode "$image"; then printf '%s\n' "$image"; fi
    done
}

apply() {
    [ -n "$PACKAGE" ] || vk_skip "no microcode packages exist for this processor"
    if grep -qw hypervisor /proc/cpuinfo; then vk_skip "a virtual machine; its host loads the microcode"; fi
    vk_install --no-install-recommends "$PACKAGE"
    # Its own installation makes the initramfs anew; that may have broken off.
    if [ -n "$(stale)" ]; then vk_owe initramfs; fi
    vk_settle_boot
}

verify() {
    vk_is_installed "$PACKAGE" || vk_drift "$PACKAGE is not installed"
    stale >"$VK_WORK/stale"
    while IFS= read -r image; do vk_drift "$image holds no microcode"; done <"$VK_WORK/stale"
    if vk_owes initramfs; then vk_drift "the initramfs was not made anew"; fi
    vk_note "revision in use: $(sed -n 's/^microcode[[:space:]]*: //p' /proc/cpuinfo | sort -u | paste -s -d ' ')"
    vk_verdict
}

case ${1:-} in
apply) apply ;;
verify) verify ;;
*) vk_fail "verbs: apply, verify" ;;
esac
