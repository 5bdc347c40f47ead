#!/bin/sh
# Ventoy's LiveInjection hook: runs as `busybox sh hook.sh <os>` after Ventoy's own hooks and before the ISO's
# /init, with /proc mounted, without /sys and /dev. Its output goes to /ventoy/log.
#
# proxmox: adds one line to /init, directly before `exec switch_root`, that runs /ventoy-kit/proxmox.sh.
# debian:  replaces the ticket `auto` by the ticket of the node that this machine is.
# Without a ticket, and whenever anything is not as expected, everything stays as it is.
set -u
PATH=/ventoy/busybox:/ventoy/tool:/sbin:/bin:/usr/sbin:/usr/bin
export PATH

if ! { [ -r /ventoy-kit/lib.sh ] && [ -r /ventoy-kit/identity.sh ] && [ -r /ventoy-kit/arming.sh ]; }; then
    echo 'ventoy-kit: the overlay is incomplete'
    exit 0
fi
# shellcheck source=lib.sh
. /ventoy-kit/lib.sh
# shellcheck source=identity.sh
. /ventoy-kit/identity.sh
# shellcheck source=arming.sh
. /ventoy-kit/arming.sh

# shellcheck disable=SC2016  # init expands it
STEP='sh /ventoy-kit/proxmox.sh "${console:-}" || true'
COPY=/init.ventoy-kit

# say TEXT: a line for both logs.
say() {
    printf '%s\n' "ventoy-kit: $1"
    vk_log "$1"
}

# record_refusal: so that the later step shows it.
record_refusal() {
    say "refused ${VK_CODE}: ${VK_DETAIL}"
    printf '%s\n%s\n' "${VK_CODE}" "${VK_DETAIL}" >"${VK}/refused"
}

# show_refusal_now: for a refusal that no later step can show. There is no /dev yet; c 5 1 is the console.
show_refusal_now() {
    device=/dev/console
    if ! [ -c "${device}" ]; then
        device="${VK}/console"
        [ -c "${device}" ] || mknod "${device}" c 5 1 || return 0
    fi
    # In a subshell, since a console that cannot be opened must not end this script.
    (
        vk_refusal_text >"${device}"
        printf '\n%s\n' 'Going on in 15 seconds, or press Enter.' >"${device}"
        # shellcheck disable=SC3045,SC2034  # every busybox read has -t; what is typed does not matter
        read -r -t 15 line <"${device}"
    ) 2>/dev/null
    return 0
}

# lines_of PATTERN FILE: numbers of the lines that match and are not comments, one a line.
lines_of() (
    grep -nE -e "$1" "$2" | grep -vE '^[0-9]+:[[:blank:]]*#' | cut -d : -f 1
)

# expected_init FILE: is it the init of a Proxmox installer as the step needs it? LINE becomes the number of
# its switch_root line. Every pattern must be there exactly once and in this order.
expected_init() {
    why=''
    tail_word='([[:blank:];/]|$)'
    workdir=$(lines_of "mount[[:blank:]].*tmpfs.*[[:blank:]]/mnt/\\.workdir${tail_word}" "$1")
    bind=$(lines_of "mount[[:blank:]]+(--bind|-o[[:blank:]]*bind)[[:blank:]]+/mnt[[:blank:]]+/mnt/\\.installer-mp/cdrom${tail_word}" "$1")
    any=$(lines_of 'switch_root.*/mnt/\.installer-mp' "$1")
    LINE=$(lines_of '^[[:blank:]]*(if[[:blank:]]+![[:blank:]]+)?exec[[:blank:]]+(/sbin/)?switch_root[[:blank:]]+([^#]*[[:blank:]])?/mnt/\.installer-mp([[:blank:]]|$)' "$1")
    is_one_number "${workdir}" || why='its tmpfs on /mnt/.workdir was not found once'
    is_one_number "${bind}" || why='its bind mount of the medium was not found once'
    is_one_number "${any}" || why='a line that leaves for the installer was not found once'
    is_one_number "${LINE}" || why='its switch_root line was not found once'
    if [ -z "${why}" ] && ! { [ "${workdir}" -lt "${bind}" ] && [ "${bind}" -lt "${LINE}" ]; }; then
        why='its lines are in another order'
    fi
    # A line that goes on in the next one would swallow the step.
    if [ -z "${why}" ] && sed -n "$((LINE - 1))p" "$1" | grep -qE '(\\|&&|\|)[[:blank:]]*$'; then
        why='the line before switch_root goes on'
    fi
    [ -z "${why}" ] || vk_fail VK-B08 "In /init ${why}."
}

is_one_number() {
    case "$1" in
        '' | *[!0-9]*) return 1 ;;
        *) return 0 ;;
    esac
}

# is_patched: is the step already there, directly before the switch_root line?
is_patched() {
    at=$(grep -nF '/ventoy-kit/' "$1" | cut -d : -f 1)
    [ "${at}" = "$((LINE - 1))" ] && sed -n "${at}p" "$1" | grep -qF -e "${STEP}"
}

# patch_init: work on a copy, compare it, then rename. The copy is made with cp -p, so that it keeps the mode.
patch_init() {
    if ! { [ -f /init ] && [ ! -L /init ] && [ -x /init ]; }; then
        vk_fail VK-B08 '/init is no ordinary program.'
        return 1
    fi
    if ! grep -qiE "^PRODUCT=['\"]?(pve|pbs|pmg)['\"]?[[:blank:]]*\$" /.cd-info; then
        vk_fail VK-B08 'The medium does not say that it is a Proxmox installer.'
        return 1
    fi
    expected_init /init || return 1
    if grep -qF '/ventoy-kit/' /init; then
        if is_patched /init; then
            say 'init has the step already'
            return 0
        fi
        vk_fail VK-B08 '/init mentions the overlay in another place.'
        return 1
    fi
    rm -f "${COPY}"
    if write_copy && check_copy && mv -f "${COPY}" /init; then
        say "init runs the step before line ${LINE}"
        return 0
    fi
    rm -f "${COPY}"
    vk_fail VK-B08 'A changed copy of /init did not pass its checks.'
}

write_copy() {
    cp -p /init "${COPY}" &&
        awk -v at="${LINE}" -v step="${STEP}" 'NR == at { print "        " step } { print }' /init >"${COPY}"
}

# check_copy: without the inserted line it is the original, byte for byte, and the shell can still read it.
check_copy() {
    awk -v at="${LINE}" 'NR != at { print }' "${COPY}" | cmp -s - /init || return 1
    [ "$(sed -n "${LINE}p" "${COPY}")" = "        ${STEP}" ] || return 1
    [ -x "${COPY}" ] || return 1
    if sh -n /init; then sh -n "${COPY}"; fi
}

# find_node_by_dmi: VK_NODE by serial number or UUID; there are no network devices yet.
find_node_by_dmi() {
    mounted=no
    if ! [ -d /sys/class ]; then
        mkdir -p /sys && mount -t sysfs sysfs /sys && mounted=yes
    fi
    vk_identify
    result=$?
    [ "${mounted}" = no ] || umount /sys
    return "${result}"
}

# resolve_auto_ticket: the node's own ticket takes the place of `auto`. If that is not possible the ticket stays
# as it is; its early command refuses on the screen.
resolve_auto_ticket() {
    if ! find_node_by_dmi; then
        say "the ticket stays auto: ${VK_CODE} ${VK_DETAIL}"
        return 0
    fi
    own="${VK}/nodes/${VK_NODE}/preseed.cfg"
    if ! { vk_read_ticket "${own}" && vk_check_ticket && [ "${VK_TICKET_NODE}" = "${VK_NODE}" ]; }; then
        say "the ticket stays auto: ${own} is no ticket of ${VK_NODE}"
        return 0
    fi
    if cp "${own}" "${VK_TICKET}.new" && cmp -s "${own}" "${VK_TICKET}.new" && mv -f "${VK_TICKET}.new" "${VK_TICKET}"; then
        say "the ticket auto became that of node ${VK_NODE}"
    else
        rm -f "${VK_TICKET}.new"
        say 'the ticket stays auto: it could not be replaced'
    fi
}

hook_proxmox() {
    if ! vk_load proxmox; then
        record_refusal
    elif [ "${VK_TICKET_ARMING}" != none ] && ! vk_command_line_has proxmox-start-auto-installer; then
        say 'the ticket is armed, but the automated installation was not started: nothing to do'
        return 0
    fi
    if ! patch_init; then
        record_refusal
        # Whoever chose another entry of the ISO's menu installs by hand and needs no message.
        if vk_command_line_has proxmox-start-auto-installer; then show_refusal_now; fi
    fi
}

hook_debian() {
    if ! vk_load debian; then
        record_refusal
        # Only a ticket runs the step that would show the refusal.
        if [ "${VK_CODE}" = VK-B01 ]; then show_refusal_now; fi
    elif [ "${VK_TICKET_NODE}" = auto ]; then
        resolve_auto_ticket
    fi
}

rm -f "${VK}/refused"
if ! [ -e "${VK_TICKET}" ]; then
    say 'no ticket was chosen, nothing to do'
    exit 0
fi
vk_read_conf
case "${VK_FAMILY}" in
    proxmox) hook_proxmox ;;
    debian) hook_debian ;;
    *)
        record_refusal
        show_refusal_now
        ;;
esac
exit 0
