#!/bin/sh
# A network card's driver, name and settings.
set -eu
# shellcheck source=/dev/null  # given by the runner
. "$VK_LIB"

NET=/sys/class/net
LINKS=/etc/systemd/network
UNIT=ventoy-kit-nic.service
MODPROBE=/etc/modprobe.d/ventoy-kit-nic.conf
MAC=$VK_PARAM_MAC

# The interface with a card's own address: bridges, bonds and VLANs copy it, but no device stands behind them.
card() { # MAC
    for path in "$NET"/*; do
        [ -e "$path/device" ] || continue
        own=$(ethtool -P "${path##*/}" 2>/dev/null | sed -n 's/^Permanent address: *//p' | tr A-F a-f)
        case $own in [0-9a-f]*:*) ;; *) own=$(cat "$path/address") ;; esac
        case $own in "$1")
            printf '%s\n' "${path##*/}"
            return 0
            ;;
        esac
    done
    return 1
}
pins() { # "MAC NAME" lines
    [ -z "$VK_PARAM_NAME" ] || printf '%s %s\n' "$MAC" "$VK_PARAM_NAME"
    [ -z "$VK_PARAM_ALSO_PIN" ] || printf '%s\n' "$VK_PARAM_ALSO_PIN" | tr '=' ' '
}
pinned_name() { [ -z "$VK_PARAM_NAME" ] && printf '%s' "$NOW" || printf '%s' "$VK_PARAM_NAME"; }
pci_id() { printf '%s:%s' "$(sed 's/^0x//' "$NET/$NOW/device/vendor")" "$(sed 's/^0x//' "$NET/$NOW/device/device")"; }
driver_of() { [ ! -e "$NET/$1/device/driver" ] || basename "$(readlink "$NET/$1/device/driver")"; }

# --- the driver --------------------------------------------------------------------------------------------

# Realtek's drivers in Debian's non-free, by the ids that they claim.
vendor_module() {
    case $(pci_id) in
    10ec:8125 | 10ec:3000 | 10ec:8162) echo r8125 ;;
    10ec:8168 | 10ec:8161) echo r8168 ;;
    esac
}
has_secure_boot() {
    for file in /sys/firmware/efi/efivars/SecureBoot-*; do
        [ -e "$file" ] || continue
        [ "$(od -A n -t u1 -j 4 -N 1 "$file" | tr -d ' ')" != 1 ] || return 0
    done
    return 1
}

vendor_driver() {
    module=$(vendor_module)
    [ -n "$module" ] || vk_fail "there is no vendor driver for $(pci_id); use driver: in-kernel"
    if has_secure_boot; then vk_fail "Secure Boot is on: the kernel would refuse a driver built here; use driver: in-kernel"; fi
    kernel=$(uname -r)
    if [ ! -e "/lib/modules/$kernel/build/Makefile" ]; then
        case $kernel in
        *-pve) vk_install --no-install-recommends "proxmox-headers-$kernel" ;;
        *) vk_install --no-install-recommends "linux-headers-$kernel" ;;
        esac
        [ -e "/lib/modules/$kernel/build/Makefile" ] || vk_fail "no headers for the running kernel $kernel"
    fi
    vk_install --no-install-recommends "$module-dkms"
    if ! has_module "$module"; then
        dkms autoinstall -k "$kernel" || true # what a broken-off installation left
        has_module "$module" || vk_fail "$module could not be built for $kernel; see /var/lib/dkms/$module"
    fi
    # Both drivers claim the card. The one in the kernel stays for other cards, it only comes later.
    printf '# Written by ventoy-kit (hook nic).\nsoftdep r8169 pre: %s\n' "$module" | vk_early "$MODPROBE" 644
}
has_module() { modinfo -k "$(uname -r)" -F filename "$1" >/dev/null 2>&1; }

kernel_driver() {
    module=$(vendor_module)
    vk_early_gone "$MODPROBE"
    # Removed with its configuration: what r8168-dkms leaves in modprobe.d keeps r8169 away.
    if [ -n "$module" ] && dpkg-query -W "$module-dkms" >/dev/null 2>&1; then
        vk_apt purge -- "$module-dkms" || vk_fail "apt could not remove $module-dkms: $(vk_apt_said)"
        vk_owe initramfs
        vk_changed "removed $module-dkms"
    fi
    # Proxmox VE has all firmware in pve-firmware.
    case $(pci_id):$VK_FAMILY in 10ec:*:debian)
        if ! vk_is_installed firmware-realtek; then
            vk_owe initramfs
            vk_install --no-install-recommends firmware-realtek
        fi
        ;;
    esac
}

# --- the names -----------------------------------------------------------------------------------------------

link_text() { # MAC NAME
    printf '# Written by ventoy-kit (hook nic).\n[Match]\nPermanentMACAddress=%s\n\n[Link]\nName=%s\n' "$1" "$2"
}

# rename_in_files OLD NEW: in the files of ifupdown, the whole word, also as OLD.VLAN and OLD:ALIAS; comments stay.
rename_words() {
    awk -v old="$1" -v new="$2" '
        /^[ \t]*#/ { print; next }
        {
            out = ""
            rest = $0
            while (match(rest, /[^ \t]+/)) {
                word = substr(rest, RSTART, RLENGTH)
                if (word == old || index(word, old ".") == 1 || index(word, old ":") == 1) word = new substr(word, length(old) + 1)
                out = out substr(rest, 1, RSTART - 1) word
                rest = substr(rest, RSTART + RLENGTH)
            }
            print out rest
        }'
}
interface_files() {
    for file in /etc/network/interfaces /etc/network/interfaces.d/*; do
        if [ -f "$file" ]; then printf '%s\n' "$file"; fi
    done
}
names_in_files() { interface_files | while IFS= read -r file; do sed '/^[[:space:]]*#/d' "$file"; done | tr -s ' \t.:' '\n' | sort -u; }

# The names in use must not be those that others are to get, now or on the way.
check_names() {
    pins | cut -d ' ' -f 2 | sort | uniq -d | grep . && vk_fail "two cards are to have the same name"
    pins | while read -r mac name; do
        [ ! -e "$NET/$name" ] || [ "$(card "$mac")" = "$name" ] ||
            vk_fail "the name $name belongs to another interface now; choose another"
    done
}

pin_names() {
    check_names
    pins >"$VK_WORK/pins"
    # Pins of earlier runs with other names go.
    for file in "$LINKS"/10-ventoy-kit-*.link; do
        [ -e "$file" ] || continue
        name=${file##*/10-ventoy-kit-}
        grep -q " ${name%.link}\$" "$VK_WORK/pins" || vk_early_gone "$file"
    done
    while read -r mac name; do
        old=$(card "$mac") || vk_fail "this machine has no network card $mac"
        link_text "$mac" "$name" | vk_early "$LINKS/10-ventoy-kit-$name.link" 644
        # Another file of an earlier name would win; the old name in the configuration must go on until it is sure.
        vk_booted && udevadm control --reload
        chosen=$(udevadm test-builtin net_setup_link "$NET/$old" 2>/dev/null | sed -n 's/^ID_NET_LINK_FILE=//p' | tail -n 1)
        case ${chosen:-unknown} in
        unknown | "$LINKS/10-ventoy-kit-$name.link") ;;
        *) vk_fail "$chosen names $mac before this hook does; remove it" ;;
        esac
        [ "$old" != "$name" ] || continue
        interface_files >"$VK_WORK/files"
        while IFS= read -r file; do
            # Takes effect at the reboot, together with the name.
            vk_edit "$file" rename_words "$old" "$name"
        done <"$VK_WORK/files"
    done <"$VK_WORK/pins"
}

# --- settings that last only until the next boot, hence a unit ---------------------------------------------

unit_text() {
    name=$(pinned_name)
    cat <<TEXT
# Written by ventoy-kit (hook nic).
[Unit]
Description=Settings of the network card $name
BindsTo=sys-subsystem-net-devices-$name.device
After=sys-subsystem-net-devices-$name.device

[Service]
Type=oneshot
RemainAfterExit=yes
TEXT
    [ "$VK_PARAM_EEE" = keep ] || echo "ExecStart=/usr/sbin/ethtool --set-eee $name eee $VK_PARAM_EEE"
    [ -z "$VK_PARAM_OFFLOADS_OFF" ] || printf '%s\n' "$VK_PARAM_OFFLOADS_OFF" | sed "s#.*#ExecStart=/usr/sbin/ethtool -K $name & off#"
    printf '\n[Install]\nWantedBy=multi-user.target\n'
}
wants_settings() { [ "$VK_PARAM_EEE" != keep ] || [ -n "$VK_PARAM_OFFLOADS_OFF" ]; }
settings() {
    if wants_settings; then
        unit_text | vk_put "/etc/systemd/system/$UNIT" 644
        if [ "$(systemctl is-enabled "$UNIT" 2>/dev/null)" != enabled ]; then
            systemctl enable "$UNIT" || vk_fail "$UNIT could not be enabled"
            vk_changed "$UNIT enabled"
        fi
    elif [ -e "/etc/systemd/system/$UNIT" ]; then
        systemctl disable "$UNIT"
        rm -f "/etc/systemd/system/$UNIT"
        vk_changed "$UNIT removed"
    fi
}

apply() {
    command -v ethtool >/dev/null || vk_install --no-install-recommends ethtool
    NOW=$(card "$MAC") || vk_fail "this machine has no network card $MAC; is it plugged in?"
    if [ "$VK_PARAM_DRIVER" = vendor ]; then vendor_driver; else kernel_driver; fi
    pin_names
    settings
    vk_settle_boot
}

check_card() {
    driver=$(driver_of "$NOW")
    vk_note "$MAC $(pci_id 2>/dev/null || true): $NOW, driver ${driver:-none}"
    if [ "$VK_PARAM_DRIVER" = vendor ]; then
        [ "$driver" = "$(vendor_module)" ] || vk_drift "$NOW is driven by ${driver:-nothing}, not by $(vendor_module)"
    else
        [ -n "$driver" ] || vk_drift "$NOW has no driver"
        case $driver in r8125 | r8168) vk_drift "$NOW is driven by $driver, not by the kernel's own" ;; esac
    fi
    if [ "$VK_PARAM_SPEED" -gt 0 ]; then
        speed=$(cat "$NET/$NOW/speed" 2>/dev/null) || speed=unknown
        case $speed in
        '' | *[!0-9]*) vk_drift "the speed of $NOW is unknown; is the cable plugged in?" ;;
        *) [ "$speed" -ge "$VK_PARAM_SPEED" ] || vk_drift "$NOW has $speed Mb/s, less than $VK_PARAM_SPEED" ;;
        esac
    fi
    case $VK_PARAM_EEE in on | off)
        eee=$(ethtool --show-eee "$NOW" 2>/dev/null | sed -n 's/^[[:space:]]*EEE status: *//p')
        case $VK_PARAM_EEE:$eee in
        on:enabled* | off:disabled* | off:not\ supported* | off:) ;;
        *) vk_drift "energy-efficient Ethernet of $NOW: ${eee:-unknown}, not $VK_PARAM_EEE" ;;
        esac
        ;;
    esac
    [ -n "$VK_PARAM_OFFLOADS_OFF" ] || return 0
    printf '%s\n' "$VK_PARAM_OFFLOADS_OFF" >"$VK_WORK/offloads"
    [ "$(systemctl is-failed "$UNIT" 2>/dev/null)" != failed ] || vk_drift "$UNIT failed: $NOW refuses one of its settings"
}

verify() {
    NOW=$(card "$MAC") || vk_fail "this machine has no network card $MAC"
    check_card
    pins >"$VK_WORK/pins"
    while read -r mac name; do
        now=$(card "$mac") || now=
        [ "$now" = "$name" ] || vk_drift "$mac is named ${now:-nothing}, not $name"
        [ -f "$LINKS/10-ventoy-kit-$name.link" ] || vk_drift "$name is not pinned"
    done <"$VK_WORK/pins"
    # A configured name without an interface means a bridge without its card.
    names_in_files >"$VK_WORK/words"
    if [ -n "$VK_PARAM_NAME" ] && ! grep -qxF "$VK_PARAM_NAME" "$VK_WORK/words" && [ -f /etc/network/interfaces ]; then
        vk_note "$VK_PARAM_NAME stands in no file of /etc/network"
    elif [ "$(cat "$NET/$NOW/operstate")" = down ]; then
        vk_drift "$NOW is configured, but has no link"
    fi
    vk_check_boot ''
    vk_verdict
}

case ${1:-} in
apply) apply ;;
verify) verify ;;
*) vk_fail "verbs: apply, verify" ;;
esac
