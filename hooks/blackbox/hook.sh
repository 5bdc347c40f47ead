#!/bin/sh
# Evidence of a crash or freeze: on the disk, on a peer, in the firmware.
# Facts: Linux Documentation/networking/netconsole.rst, admin-guide/{ramoops,lockup-watchdogs}.rst; systemd's manuals.
set -eu
# shellcheck source=/dev/null  # given by the runner
. "$VK_LIB"

JOURNALD=/etc/systemd/journald.conf.d/50-ventoy-kit.conf
UPLOAD=/etc/systemd/journal-upload.conf.d/50-ventoy-kit.conf
UPLOAD_UNIT=/etc/systemd/system/systemd-journal-upload.service.d/50-ventoy-kit.conf
REMOTE_UNIT=/etc/systemd/system/systemd-journal-remote.service.d/50-ventoy-kit.conf
SYSCTL=/etc/sysctl.d/90-ventoy-kit-blackbox.conf
MANAGER=/etc/systemd/system.conf.d/50-ventoy-kit.conf
MODULES=/etc/modules-load.d/ventoy-kit-blackbox.conf
HA=/etc/default/pve-ha-manager
SENDER=/usr/local/sbin/ventoy-kit-netconsole
RECEIVER=/usr/local/sbin/ventoy-kit-netconsole-receiver
SENDER_UNIT=ventoy-kit-netconsole.service
RECEIVER_UNIT=ventoy-kit-netconsole-receiver.service
TARGET=/sys/kernel/config/netconsole/ventoy-kit

PEER=${VK_PARAM_NETCONSOLE_PEER%:*}
case $VK_PARAM_NETCONSOLE_PEER in *:*) PORT=${VK_PARAM_NETCONSOLE_PEER##*:} ;; *) PORT=6666 ;; esac

gone() { # FILE
    [ -e "$1" ] || return 0
    rm -f -- "$1" || vk_fail "$1 cannot be removed"
    vk_changed "$1 removed"
}
unit_gone() { # UNIT
    [ -e "/etc/systemd/system/$1" ] || return 0
    systemctl disable "$1"
    ! vk_booted || systemctl stop "$1"
    gone "/etc/systemd/system/$1"
}

# --- the journal -----------------------------------------------------------------------------------------

journal() {
    vk_put "$JOURNALD" 644 <<TEXT
# Written by ventoy-kit (hook blackbox).
[Journal]
Storage=persistent
SystemMaxUse=$VK_PARAM_JOURNAL_SIZE
SyncIntervalSec=30s
TEXT
    [ -d /var/log/journal ] || { mkdir -p /var/log/journal && vk_changed /var/log/journal; }
    if [ -n "$VK_PARAM_JOURNAL_PEER" ]; then
        vk_install --no-install-recommends systemd-journal-remote
        printf '# Written by ventoy-kit (hook blackbox).\n[Upload]\nURL=%s\n' "$VK_PARAM_JOURNAL_PEER" | vk_put "$UPLOAD" 644
        # A peer that is down for an hour must not end the sending for ever.
        printf '# Written by ventoy-kit (hook blackbox).\n[Unit]\nStartLimitIntervalSec=0\n[Service]\nRestart=always\nRestartSec=15\n' |
            vk_put "$UPLOAD_UNIT" 644
        start_at_boot systemd-journal-upload.service
    elif [ -e "$UPLOAD" ]; then
        systemctl disable systemd-journal-upload.service
        gone "$UPLOAD"
        gone "$UPLOAD_UNIT"
    fi
}
# The reboot that follows a change starts it.
start_at_boot() { # UNIT
    [ "$(systemctl is-enabled "$1" 2>/dev/null)" != enabled ] || return 0
    systemctl enable "$1" || vk_fail "$1 could not be enabled"
    vk_changed "$1 enabled"
}
# Where programs like log2ram put /var/log into memory the journal dies with the host.
journal_in_memory() {
    case $(findmnt -n -o FSTYPE -T /var/log/journal 2>/dev/null) in tmpfs | ramfs | zram) return 0 ;; *) return 1 ;; esac
}

# --- kernel messages over the network -----------------------------------------------------------------------

# Kept outside of the folder of hooks, since it runs at each boot. The peer's hardware address is asked each time.
sender_text() {
    cat <<TEXT
#!/bin/bash
# Written by ventoy-kit (hook blackbox): has the kernel send its messages to a peer.
set -euo pipefail
peer=$PEER port=$PORT target=$TARGET
TEXT
    cat <<'TEXT'
fail() {
    echo "$1" >&2
    exit 1
}
route=" $(ip -4 route get "$peer" | head -n 1) "
[[ $route =~ \ dev\ ([^ ]+)\  ]] || fail "there is no route to $peer"
nic=${BASH_REMATCH[1]}
[[ $route =~ \ src\ ([^ ]+)\  ]] || fail "no address of this host leads to $peer"
from=${BASH_REMATCH[1]}
next=$peer
[[ ! $route =~ \ via\ ([^ ]+)\  ]] || next=${BASH_REMATCH[1]}
mac=
for _ in {1..20}; do
    echo >"/dev/udp/$next/9" || true # has the kernel ask for the address
    mac=$(ip -4 neigh show "$next" dev "$nic" | sed -n 's/.* lladdr \([0-9a-f:]*\).*/\1/p')
    [[ -z $mac ]] || break
    sleep 1
done
[[ -n $mac ]] || fail "$next does not answer on $nic"
modprobe configfs
mountpoint -q /sys/kernel/config || mount -t configfs configfs /sys/kernel/config
modprobe netconsole
mkdir -p "$target"
if [[ $(<"$target/enabled") == 1 ]]; then echo 0 >"$target/enabled"; fi
echo "$nic" >"$target/dev_name"
echo "$from" >"$target/local_ip"
echo "$peer" >"$target/remote_ip"
echo "$port" >"$target/remote_port"
echo "$mac" >"$target/remote_mac"
echo 1 >"$target/enabled" || fail "$nic cannot send kernel messages: a port of a bridge or bond, or a driver without netpoll"
echo "<5>ventoy-kit: $(uname -n) sends its kernel messages to $peer:$port through $nic" >/dev/kmsg
TEXT
}
sender_unit() {
    cat <<TEXT
# Written by ventoy-kit (hook blackbox).
[Unit]
Description=Kernel messages to $PEER
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=0

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=$SENDER
Restart=on-failure
RestartSec=30

[Install]
WantedBy=multi-user.target
TEXT
}
netconsole() {
    if [ -z "$PEER" ]; then
        unit_gone "$SENDER_UNIT"
        gone "$SENDER"
        return 0
    fi
    sender_text | vk_put "$SENDER" 755
    sender_unit | vk_put "/etc/systemd/system/$SENDER_UNIT" 644
    start_at_boot "$SENDER_UNIT"
}

# --- being the peer ----------------------------------------------------------------------------------------

receiver_text() {
    cat <<'TEXT'
#!/usr/bin/perl
# Written by ventoy-kit (hook blackbox): prints what others' kernels send, each line with its sender's address.
use strict;
use warnings;
use IO::Socket::INET;
$| = 1;
my $socket = IO::Socket::INET->new(Proto => 'udp', LocalPort => 6666) or die "UDP port 6666: $!\n";
while (1) {
    my $from = $socket->recv(my $text, 65535) or next;
    my (undef, $address) = sockaddr_in($from);
    $text =~ tr/\x20-\x7e\n/?/c;
    print inet_ntoa($address), " $_\n" for split /\n/, $text;
}
TEXT
}
receiver_unit() {
    cat <<TEXT
# Written by ventoy-kit (hook blackbox).
[Unit]
Description=Kernel messages of other hosts

[Service]
ExecStart=$RECEIVER
SyslogIdentifier=netconsole
DynamicUser=yes
Restart=always
RestartSec=5

[Install]
WantedBy=multi-user.target
TEXT
}
receive() {
    if [ "$VK_PARAM_RECEIVE" = false ]; then
        unit_gone "$RECEIVER_UNIT"
        gone "$RECEIVER"
        if [ -e "$REMOTE_UNIT" ]; then
            systemctl disable systemd-journal-remote.socket
            gone "$REMOTE_UNIT"
        fi
        return 0
    fi
    vk_install --no-install-recommends systemd-journal-remote
    # Plain HTTP: the unit of the package wants certificates, which no stick carries.
    printf '# Written by ventoy-kit (hook blackbox).\n[Service]\nExecStart=\nExecStart=/lib/systemd/systemd-journal-remote --listen-http=-3 --output=/var/log/journal/remote/\n' |
        vk_put "$REMOTE_UNIT" 644
    start_at_boot systemd-journal-remote.socket
    receiver_text | vk_put "$RECEIVER" 755
    receiver_unit | vk_put "/etc/systemd/system/$RECEIVER_UNIT" 644
    start_at_boot "$RECEIVER_UNIT"
}

# --- panics, pstore and watchdog ------------------------------------------------------------------------------

flag() { [ "$1" = true ] && echo 1 || echo 0; }
sysctls() { # "key value" lines
    printf 'kernel.panic %s\n' "$VK_PARAM_PANIC_REBOOT"
    printf 'kernel.panic_on_oops %s\n' "$(flag "$VK_PARAM_PANIC_ON_OOPS")"
    printf 'kernel.nmi_watchdog %s\n' "$(flag "$VK_PARAM_PANIC_ON_HARDLOCKUP")"
    printf 'kernel.hardlockup_panic %s\n' "$(flag "$VK_PARAM_PANIC_ON_HARDLOCKUP")"
    printf 'kernel.softlockup_panic %s\n' "$(flag "$VK_PARAM_PANIC_ON_SOFTLOCKUP")"
    # netconsole sends what a console would show; "quiet" hides warnings and notes.
    [ -z "$PEER" ] || printf 'kernel.printk 7 4 1 7\n'
}

is_intel() { grep -q '^vendor_id.*GenuineIntel' /proc/cpuinfo; }
watchdog_module() {
    if [ -n "$VK_PARAM_WATCHDOG_MODULE" ]; then
        printf '%s\n' "$VK_PARAM_WATCHDOG_MODULE"
    elif is_intel; then
        echo iTCO_wdt
    else
        echo sp5100_tco
    fi
}
set_ha() { # reads the file of Proxmox VE's watchdog-mux, which owns the device there
    awk -v line="WATCHDOG_MODULE=$(watchdog_module)" '
        /^[ \t#]*WATCHDOG_MODULE=/ { if (!done) print line; done = 1; next }
        { print }
        END { if (!done) print line }'
}
watchdog() {
    [ "$VK_PARAM_WATCHDOG" -gt 0 ] || { gone "$MANAGER" && return 0; }
    modinfo "$(watchdog_module)" >/dev/null 2>&1 || vk_fail "this kernel has no watchdog driver $(watchdog_module); choose watchdog_module, or watchdog: 0"
    if [ "$VK_FAMILY" = proxmox-ve ]; then
        [ -f "$HA" ] || : | vk_put "$HA" 644
        vk_edit "$HA" set_ha
        return 0
    fi
    printf '# Written by ventoy-kit (hook blackbox).\n[Manager]\nRuntimeWatchdogSec=%s\nRebootWatchdogSec=10min\n' "$VK_PARAM_WATCHDOG" |
        vk_put "$MANAGER" 644
}

pstore_backend() {
    case $VK_PARAM_PSTORE in
    auto) [ ! -d /sys/firmware/efi ] || echo efi_pstore ;;
    ramoops) echo ramoops ;;
    esac
}
pstore_words() {
    # The kernel finds a place in memory itself and, with luck, the same one after a reset.
    [ "$VK_PARAM_PSTORE" != ramoops ] || echo 'reserve_mem=2M:4096:oops ramoops.mem_name=oops ramoops.ecc=1'
}
modules() {
    echo '# Written by ventoy-kit (hook blackbox).'
    pstore_backend
    # Proxmox VE's watchdog-mux loads the driver itself; systemd takes what is there.
    if [ "$VK_PARAM_WATCHDOG" -gt 0 ] && [ "$VK_FAMILY" != proxmox-ve ]; then watchdog_module; fi
}

apply() {
    if [ -n "$PEER" ] && ip -4 -o addr show 2>/dev/null | grep -qF " $PEER/"; then
        vk_fail "$PEER is this host itself; the peer must be another one"
    fi
    if [ "$VK_PARAM_PSTORE" = ramoops ] && [ "$(printf '6.12\n%s\n' "$(uname -r)" | sort -V | head -n 1)" != 6.12 ]; then
        vk_fail "pstore: ramoops needs Linux 6.12 or newer, this is $(uname -r)"
    fi
    watchdog
    journal
    netconsole
    receive
    { echo '# Written by ventoy-kit (hook blackbox). A setting that this kernel lacks is passed over.'
        sysctls | sed 's/^\([^ ]*\) /-\1 = /'; } | vk_put "$SYSCTL" 644
    modules | vk_put "$MODULES" 644
    vk_boot_words blackbox "$(pstore_words)"
    vk_settle_boot
}

# --- verify: what is in effect -----------------------------------------------------------------------------

check_files() {
    [ "$(systemd-analyze cat-config systemd/journald.conf | sed -n 's/^Storage=//p' | tail -n 1)" = persistent ] ||
        vk_drift "the journal is not set to stay on the disk"
    [ -d /var/log/journal ] || vk_drift "/var/log/journal is missing"
    if journal_in_memory; then vk_drift "/var/log is kept in memory (log2ram?); a frozen host loses its journal"; fi
    if [ "$VK_FAMILY" = proxmox-ve ] && [ "$VK_PARAM_WATCHDOG" -gt 0 ]; then
        grep -qx "WATCHDOG_MODULE=$(watchdog_module)" "$HA" || vk_drift "$HA does not name $(watchdog_module)"
    fi
    for unit in $(wanted_units); do
        [ "$(systemctl is-enabled "$unit" 2>/dev/null)" = enabled ] || vk_drift "$unit is not enabled"
    done
}
wanted_units() {
    [ -z "$VK_PARAM_JOURNAL_PEER" ] || echo systemd-journal-upload.service
    [ -z "$PEER" ] || echo "$SENDER_UNIT"
    [ "$VK_PARAM_RECEIVE" = false ] || printf '%s\n' systemd-journal-remote.socket "$RECEIVER_UNIT"
}
check_live() {
    for unit in $(wanted_units); do
        # An upload that the peer refuses is started again and again.
        left=20
        until systemctl is-active --quiet "$unit"; do
            if [ "$left" -le 0 ]; then
                vk_drift "$unit does not run: $(systemctl show -p Result --value "$unit"); see journalctl -u $unit"
                break
            fi
            left=$((left - 1))
            sleep 1
        done
    done
    if [ -n "$PEER" ] && [ "$(cat "$TARGET/enabled" 2>/dev/null)" != 1 ]; then vk_drift "netconsole is not on"; fi
    sysctls >"$VK_WORK/sysctls"
    while read -r key value; do
        file=/proc/sys/$(printf '%s' "$key" | tr . /)
        if [ ! -e "$file" ]; then
            printf '%s: not in this kernel\n' "$key"
        elif [ "$(tr -s '\t ' ' ' <"$file")" != "$value" ]; then
            # Without the processor's counters (a virtual machine) the kernel refuses to watch for hard lockups.
            if [ "$key" = kernel.nmi_watchdog ] && grep -qw hypervisor /proc/cpuinfo; then continue; fi
            vk_drift "$key is $(tr -s '\t ' ' ' <"$file"), not $value"
        fi
    done <"$VK_WORK/sysctls"
    backend=$(pstore_backend)
    if [ -n "$backend" ]; then
        now=$(cat /sys/module/pstore/parameters/backend 2>/dev/null) || now=none
        # Linux before 6.3 calls the firmware's variables "efi".
        case $now in "$backend" | "${backend%_pstore}") ;; *) vk_drift "pstore uses $now, not $backend" ;; esac
    fi
    [ "$VK_PARAM_WATCHDOG" -gt 0 ] || return 0
    if [ "$VK_FAMILY" = proxmox-ve ]; then
        [ -d "/sys/module/$(watchdog_module)" ] || vk_drift "$(watchdog_module) is not loaded"
    else
        [ "$(cat /sys/class/watchdog/watchdog0/state 2>/dev/null)" = active ] || vk_drift "no hardware watchdog is running"
    fi
}

verify() {
    check_files
    vk_check_boot "$(pstore_words)"
    if vk_booted; then check_live; fi
    vk_verdict
}

case ${1:-} in
apply) apply ;;
verify) verify ;;
*) vk_fail "verbs: apply, verify" ;;
esac
