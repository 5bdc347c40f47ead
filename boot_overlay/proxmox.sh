#!/bin/sh
# The step that the hook adds to the Proxmox VE installer's init, directly before `exec switch_root`:
# `proxmox.sh <console>`. The ISO is mounted on /mnt and bound to /mnt/.installer-mp/cdrom, a tmpfs is on
# /mnt/.workdir, the drivers are loaded.
#
# When a person has typed the node's name, or the stick is armed and nobody stopped the countdown, an overlay of the
# ISO takes the place of the bind mount; it holds what an ISO prepared by the vendor's tool would hold. Otherwise the
# installer finds no mode file and stops at its own prompt. Always ends with 0, so that init goes on. Does not return
# if the arming is over: the machine restarts, goes off, or keeps showing why.
set -u
PATH=/sbin:/bin:/usr/sbin:/usr/bin:/ventoy/busybox
export PATH

MEDIUM=/mnt
CDROM=/mnt/.installer-mp/cdrom
WORKDIR=/mnt/.workdir
LAYER="${WORKDIR}/ventoy-kit"
PLACEHOLDER='@VENTOY_KIT_DISKS@'
MODE_FILE=auto-installer-mode.toml
STATE=nothing

# shellcheck source=lib.sh
. /ventoy-kit/lib.sh
# shellcheck source=identity.sh
. /ventoy-kit/identity.sh
# shellcheck source=disks.sh
. /ventoy-kit/disks.sh
# shellcheck source=arming.sh
. /ventoy-kit/arming.sh
# shellcheck source=guard.sh
. /ventoy-kit/guard.sh

# say TEXT: to the console and the log.
say() {
    printf '%s\n' "$1" >&4
    vk_log "$1"
} 2>/dev/null

# open_console NAME: file descriptor 4 becomes the console that init uses, for reading and writing.
open_console() {
    case "$1" in
        tty*[!A-Za-z0-9]* | [!t]* | '') device=/dev/console ;;
        *) device="/dev/$1" ;;
    esac
    [ -c "${device}" ] || device=/dev/console
    # Tried in a subshell: a redirection of exec that fails ends the shell.
    if [ -c "${device}" ] && (: <>"${device}") 2>/dev/null; then
        exec 4<>"${device}"
    else
        exec 4<>/dev/null
        vk_fail VK-B30 "Console: $(vk_show "$1")."
    fi
}

# refuse: show the refusal, give a person time to read it, and let init go on without an answer.
refuse() {
    trap - EXIT
    text=$(vk_refusal_text)
    say ''
    say "${text}"
    say ''
    say 'The installer will find no answer and stop at its own prompt. Press Enter to go on (60 seconds).'
    # shellcheck disable=SC3045,SC2034  # every busybox read has -t; what is typed does not matter
    read -r -t 60 line <&4
    exit 0
}

# refuse_for_ever: where going on would install by another answer.
refuse_for_ever() {
    trap - EXIT
    text=$(vk_refusal_text)
    while :; do
        say "${text}"
        sleep 300
    done
}

# on_exit: an end that was not planned must not leave half of a hand-over behind.
# shellcheck disable=SC2317  # called by the trap
on_exit() {
    if [ "${STATE}" = changing ]; then restore_medium; fi
    [ "${STATE}" = finished ] || vk_log 'ended without a hand-over'
    exit 0
}

# earlier_refusal: did the hook refuse already?
earlier_refusal() {
    [ -e "${VK}/refused" ] || return 1
    # Codes are shown as they are looked up, so only the known form passes.
    {
        IFS= read -r code
        IFS= read -r detail
    } <"${VK}/refused"
    case "${code}" in
        VK-B[0-9][0-9]) ;;
        *) code='VK-B99' ;;
    esac
    vk_fail "${code}" "$(vk_show "${detail}")"
    return 0
}

# uptime: whole seconds since the machine started; clocks may jump.
uptime() (
    IFS=' .' read -r seconds rest </proc/uptime
    printf '%s' "${seconds}"
)

# count_down SECONDS WHAT KEY: shows `WHAT n s. KEY`. False as soon as a key is pressed, or if the console is at its
# end, so that nobody could press one.
count_down() {
    start=$(uptime)
    ticks=0
    while :; do
        gone=$(($(uptime) - start))
        [ "${gone}" -lt "$1" ] || break
        # Without a key each turn takes a second.
        [ "${ticks}" -le "$((gone + 2))" ] || return 1
        printf '\r%s ' "$2 $(($1 - gone)) s. $3" >&4
        ticks=$((ticks + 1))
        # shellcheck disable=SC3045  # every busybox read has -n and -t
        if read -r -n 1 -t 1 key <&4; then
            # Whatever was typed with it is no answer to the next question.
            # shellcheck disable=SC3045,SC2034
            [ -z "${key}" ] || read -r -t 1 key <&4
            return 1
        fi
    done
    say ''
}

# leave: the arming is over. Never returns.
leave() {
    trap - EXIT
    vk_prepare_leaving
    text=$(vk_refusal_text)
    say ''
    say "${text}"
    case "${VK_LEAVE}" in
        restart)
            say "The machine restarts into its installed system (boot entry ${VK_ENTRY})."
            say ''
            count_down "${VK_BEFORE_RESTART}" 'Restart in' 'Press Enter to restart now.' || say ''
            vk_power reboot
            ;;
        off)
            say 'The machine is switched off.'
            say ''
            count_down "${VK_BEFORE_OFF}" 'Off in' 'Press Enter to switch off now.' || say ''
            vk_power poweroff
            ;;
        *) ;;
    esac
    text="${text}${VK_NEWLINE}${VK_NEWLINE}Switch the machine off, or press Ctrl-Alt-Del to restart it."
    while :; do
        say "${text}"
        sleep 300
    done
}

# consent: may the disks be wiped? Armed, the countdown is the answer unless a key is pressed.
consent() {
    case "${VK_ARMING}" in
        valid)
            code=$(vk_arming_code)
            say ''
            say "The stick is armed for ${VK_NODE}, code ${code}."
            if count_down "${VK_COUNTDOWN}" 'These disks are wiped in' 'Press Enter to stop.'; then return 0; fi
            say ''
            say 'Stopped. Nothing was wiped.'
            ;;
        ask) say_why_asked ;;
        *) ;;
    esac
    ask_name
}

# say_why_asked: an armed stick asks for the name.
say_why_asked() {
    text=$(vk_sentence "${VK_CODE}" what)
    say ''
    say "${text} ${VK_DETAIL} (${VK_CODE})"
}

# record_arming: the last thing before the hand-over. If it cannot be recorded, a person has to agree after all.
record_arming() {
    [ "${VK_ARMING}" = valid ] || return 0
    if vk_fire; then return 0; fi
    say_why_asked
    say 'Once the installer has finished, unplug the stick: it could install again.'
    ask_name
}

# ask_name: three tries; empty lines do not count, but there is an end to them as well.
ask_name() {
    tries=0
    asked=0
    while [ "${tries}" -lt 3 ] && [ "${asked}" -lt 20 ]; do
        asked=$((asked + 1))
        printf '\n%s' "Type the node's name (${VK_NODE}) and press Enter to wipe these disks and install: " >&4
        # shellcheck disable=SC3045  # every busybox read has -t
        if ! read -r -t 600 typed <&4; then
            vk_fail VK-B32 ''
            return 1
        fi
        if vk_name_is_typed "${VK_NODE}" "${typed}"; then return 0; fi
        vk_squeeze "${typed}"
        [ -z "${VK_REPLY}" ] || {
            tries=$((tries + 1))
            say "That is not ${VK_NODE}."
        }
    done
    vk_fail VK-B31 "The node is ${VK_NODE}."
}

# disk_list: the device paths as members of a TOML array.
disk_list() (
    separator=''
    for disk in ${VK_DISKS}; do
        printf '%s"%s"' "${separator}" "${disk}"
        separator=', '
    done
)

# write_answer SOURCE TARGET: the answer with the device paths in the one place for them, which is the member of
# the array disk-list (on one line with it or on a line of its own).
write_answer() {
    list=$(disk_list)
    previous=''
    found=0
    while IFS= read -r line || [ -n "${line}" ]; do
        case "${line}" in
            *"${PLACEHOLDER}"*)
                before=${line%%"\"${PLACEHOLDER}\""*}
                after=${line#*"\"${PLACEHOLDER}\""}
                vk_squeeze "${before}"
                [ -n "${VK_REPLY}" ] || vk_squeeze "${previous}"
                key=${VK_REPLY}
                vk_squeeze "${after}"
                case "${key}${VK_REPLY}" in
                    'disk-list=[' | 'disk-list=[]' | 'disk-list=[,') found=$((found + 1)) ;;
                    *) found=9 ;;
                esac
                printf '%s\n' "${before}${list}${after}"
                ;;
            *) printf '%s\n' "${line}" ;;
        esac
        previous=${line}
    done <"$1" >"$2"
    # What surrounds the place must have come through unchanged.
    grep -vF -e "${PLACEHOLDER}" "$1" >"${VK_RUN}/around"
    if [ "${found}" != 1 ] || grep -qF -e "${PLACEHOLDER}" "$2" ||
        ! grep -vF -e "${list}" "$2" | cmp -s - "${VK_RUN}/around"; then
        vk_fail VK-B40 "The answer is that of node ${VK_NODE}."
    fi
}

# mounts_on FOLDER: how many file systems are mounted there.
mounts_on() (
    cut -d ' ' -f 2 /proc/mounts | grep -cxF -e "$1"
)

# check_mounts: the folders as init left them.
check_mounts() {
    on_cdrom=$(mounts_on "${CDROM}")
    on_workdir=$(cut -d ' ' -f 2,3 /proc/mounts | grep -cxF -e "${WORKDIR} tmpfs")
    if [ "${on_cdrom}" != 1 ] || [ "${on_workdir}" != 1 ]; then
        vk_fail VK-B41 "Mounted on ${CDROM}: ${on_cdrom}; tmpfs on ${WORKDIR}: ${on_workdir}."
        return 1
    fi
    if ! ls "${MEDIUM}"/*-installer.squashfs >/dev/null 2>&1; then
        vk_fail VK-B41 "No installer is in ${MEDIUM}."
        return 1
    fi
    for name in answer.toml proxmox-first-boot; do
        if [ -e "${MEDIUM}/${name}" ]; then
            vk_fail VK-B41 "${MEDIUM}/${name} is there already."
            return 1
        fi
    done
}

# check_leak: an installer that sees Ventoy's kernel parameter copies it into the new system, which then cannot boot.
# Ventoy hides it by a line in the installer's first program; without that line nothing is handed over.
check_leak() {
    if ! grep -qE '(^|[[:blank:]])rdinit=/vtoy/' /proc/cmdline; then return 0; fi
    first=/mnt/.installer-mp/sbin/unconfigured.sh
    if grep -qF 'rdinit=/vtoy/' "${first}" && grep -qE 'mount.*/proc/cmdline' "${first}"; then return 0; fi
    vk_fail VK-B48 'The command line holds rdinit=/vtoy/vtoy.'
}

# write_layer: the files of the hand-over, on the tmpfs. The answer holds the root password's hash.
write_layer() {
    node="${VK}/nodes/${VK_NODE}"
    rm -rf "${LAYER}"
    if ! mkdir "${LAYER}" "${LAYER}/upper" "${LAYER}/work"; then
        vk_fail VK-B42 "${LAYER} cannot be made."
        return 1
    fi
    if ! [ -s "${node}/answer.toml" ]; then
        vk_fail VK-B06 "Node ${VK_NODE} has no answer."
        return 1
    fi
    (umask 077 && : >"${LAYER}/upper/answer.toml")
    write_answer "${node}/answer.toml" "${LAYER}/upper/answer.toml" || return 1
    vk_put_runner "${VK_NODE}" "${LAYER}/upper/proxmox-first-boot" || return 1
    if ! chmod 0755 "${LAYER}/upper" "${LAYER}/upper/proxmox-first-boot"; then
        vk_fail VK-B42 'The first-boot runner cannot be written.'
        return 1
    fi
    # Last, since the installer looks for this file first.
    if ! printf '%s\n' 'mode = "iso"' >"${LAYER}/upper/${MODE_FILE}"; then
        vk_fail VK-B42 'The mode file cannot be written.'
        return 1
    fi
}

# grant: what the arming permits besides goes into the first-boot runner.
grant() {
    vk_put_grant "${LAYER}/upper/proxmox-first-boot" || vk_fail VK-B42 'The first-boot runner cannot be written.'
}

# lay_over: the overlay in the place of the bind mount.
lay_over() {
    STATE=changing
    if ! umount "${CDROM}" || [ "$(mounts_on "${CDROM}")" != 0 ]; then
        vk_fail VK-B42 "${CDROM} cannot be unmounted."
        return 1
    fi
    if ! mount -t overlay -o "lowerdir=${MEDIUM},upperdir=${LAYER}/upper,workdir=${LAYER}/work" ventoy-kit "${CDROM}"; then
        vk_fail VK-B42 'The overlay cannot be mounted.'
        return 1
    fi
    for name in "${MODE_FILE}" answer.toml proxmox-first-boot; do
        if ! cmp -s "${LAYER}/upper/${name}" "${CDROM}/${name}"; then
            vk_fail VK-B42 "${CDROM} does not show ${name}."
            return 1
        fi
    done
    for file in "${MEDIUM}"/*-installer.squashfs; do
        if ! [ -e "${CDROM}/${file##*/}" ]; then
            vk_fail VK-B42 "${CDROM} does not show the medium."
            return 1
        fi
    done
    STATE=finished
} 2>>"${VK}/log"

# restore_medium: as init left it, without any of the files.
restore_medium() {
    STATE=nothing
    rm -f "${LAYER}/upper/${MODE_FILE}" "${LAYER}/upper/answer.toml"
    while [ "$(mounts_on "${CDROM}")" != 0 ] && umount "${CDROM}"; do
        :
    done
    if [ "$(mounts_on "${CDROM}")" = 0 ] && ! mount -o bind "${MEDIUM}" "${CDROM}"; then
        VK_DETAIL="${VK_DETAIL} The medium could not be shown again."
        vk_log 'the medium could not be shown again'
    fi
    rm -rf "${LAYER}"
} 2>>"${VK}/log"

vk_command_line_has proxmox-start-auto-installer || exit 0
trap on_exit EXIT
vk_log "step before switch_root, console '${1:-}'"
open_console "${1:-}" || refuse
if [ -e "${MEDIUM}/${MODE_FILE}" ]; then
    vk_fail VK-B43 "${MODE_FILE} is on the medium." || refuse_for_ever
fi
if earlier_refusal; then refuse; fi
vk_load proxmox || refuse
vk_identify || refuse
vk_judge_arming
[ "${VK_ARMING}" != over ] || leave
vk_resolve_disks "${VK_NODE}" || refuse
check_mounts || refuse
check_leak || refuse
plan=$(vk_plan_text "${VK_NODE}")
say ''
say "${plan}"
consent || refuse
{ write_layer && record_arming && grant; } || {
    rm -rf "${LAYER}"
    refuse
}
lay_over || {
    restore_medium
    refuse
}
say "Node ${VK_NODE} is handed to the installer."
exit 0
