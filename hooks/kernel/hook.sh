#!/bin/sh
# A kernel series, installed and booted.
set -eu
# shellcheck source=/dev/null  # given by the runner
. "$VK_LIB"

SERIES=$VK_PARAM_SERIES
PREFERENCE=/etc/apt/preferences.d/ventoy-kit-kernel.pref
PIN=/etc/kernel/proxmox-boot-pin # kept by proxmox-boot-tool, on GRUB and systemd-boot alike

# Installed kernels, oldest first. A folder of modules may outlive its kernel, so the image counts.
kernels() {
    for image in /boot/vmlinuz-*; do
        [ ! -e "$image" ] || printf '%s\n' "${image#/boot/vmlinuz-}"
    done | sort -V
}
of_series() { kernels | grep -E "^$(printf '%s' "$SERIES" | sed 's/\./\\./')\\.|^$(printf '%s' "$SERIES" | sed 's/\./\\./')[+-]" | tail -n 1; }

# --- Proxmox VE

apply_proxmox() {
    if [ "$VK_PARAM_HEADERS" = true ]; then
        vk_install --no-install-recommends "proxmox-kernel-$SERIES" "proxmox-headers-$SERIES"
    else
        vk_install --no-install-recommends "proxmox-kernel-$SERIES"
    fi
    newest=$(of_series)
    [ -n "$newest" ] || vk_fail "proxmox-kernel-$SERIES is installed, but /boot holds no kernel $SERIES"
    # An older one of the series that is pinned stays: it may have been chosen by hand.
    case $(pinned) in "$SERIES".*) ;; *)
        proxmox-boot-tool kernel pin "$newest" || vk_fail "proxmox-boot-tool could not pin $newest"
        vk_changed "pinned $newest"
        ;;
    esac
    reboot_if_other
}
pinned() { [ ! -s "$PIN" ] || head -n 1 "$PIN"; }

# --- Debian

META=linux-image-$VK_PARAM_FLAVOUR
HEADERS=linux-headers-$VK_PARAM_FLAVOUR

offered() { apt-cache madison "$META" | awk -F '|' '{ gsub(/ /, "", $2); print $2 }' | sort -uV; }

apply_debian() {
    if ! is_offered; then
        vk_apt -o APT::Update::Error-Mode=any update || vk_later "the package lists are not fresh: $(vk_apt_said)"
        is_offered || vk_fail "no repository offers $META $SERIES, but $(offered | paste -s -d ' ')"
    fi
    newest=$(kernels | tail -n 1)
    if [ -n "$newest" ] && [ "$newest" != "$(printf '%s\n%s\n' "$newest" "$SERIES.99999" | sort -V | head -n 1)" ]; then
        vk_fail "kernel $newest is newer than $SERIES and would be booted; remove its package first"
    fi
    # Above 990 apt would go back to an older version by itself; backports alone have 100.
    vk_put "$PREFERENCE" 644 <<TEXT
# Written by ventoy-kit (hook kernel).
Package: $META $HEADERS
Pin: version $SERIES.*
Pin-Priority: 990
TEXT
    set -- "$META"
    [ "$VK_PARAM_HEADERS" = false ] || set -- "$META" "$HEADERS"
    for package in "$@"; do
        case $(installed_version "$package") in
        "$SERIES".*) ;;
        *)
            # Named without a version: the preference chooses.
            vk_apt --download-only install --no-install-recommends -- "$package" ||
                vk_later "cannot be fetched: $package: $(vk_apt_said)"
            vk_apt install --no-install-recommends -- "$package" ||
                vk_fail "installation of $package broke off: $(vk_apt_said)"
            vk_changed "installed $package $(installed_version "$package")"
            ;;
        esac
    done
    [ -n "$(of_series)" ] || vk_fail "$META is installed, but /boot holds no kernel $SERIES"
    reboot_if_other
}
is_offered() { offered | grep -q "^$(printf '%s' "$SERIES" | sed 's/\./\\./')\\."; }
# shellcheck disable=SC2016  # dpkg-query expands it
installed_version() { if vk_is_installed "$1"; then dpkg-query -W -f '${Version}' -- "$1"; fi; }

# The runner reboots after a change; a machine whose files are right may still run another kernel.
reboot_if_other() { is_running || vk_changed "kernel $SERIES, from the next boot on"; }
is_running() {
    case $(uname -r) in "$SERIES" | "$SERIES".* | "$SERIES"[+-]*) return 0 ;; *) return 1 ;; esac
}

verify() {
    is_running || vk_drift "the running kernel is $(uname -r), not $SERIES"
    if [ "$VK_FAMILY" = proxmox-ve ]; then
        vk_is_installed "proxmox-kernel-$SERIES" || vk_drift "proxmox-kernel-$SERIES is not installed"
        [ "$VK_PARAM_HEADERS" = false ] || vk_is_installed "proxmox-headers-$SERIES" ||
            vk_drift "proxmox-headers-$SERIES is not installed"
        case $(pinned) in "$SERIES".*) ;; *) vk_drift "no kernel $SERIES is pinned" ;; esac
    else
        set -- "$META"
        [ "$VK_PARAM_HEADERS" = false ] || set -- "$META" "$HEADERS"
        for package in "$@"; do
            case $(installed_version "$package") in
            "$SERIES".*) ;;
            *) vk_drift "$package $SERIES is not installed" ;;
            esac
        done
        grep -qsF "Pin: version $SERIES.*" "$PREFERENCE" || vk_drift "$PREFERENCE does not prefer $SERIES"
    fi
    vk_verdict
}

case ${1:-} in
apply) if [ "$VK_FAMILY" = proxmox-ve ]; then apply_proxmox; else apply_debian; fi ;;
verify) verify ;;
*) vk_fail "verbs: apply, verify" ;;
esac
