#!/bin/sh
# Runs in the Debian installer as `d-i partman/early_command string /ventoy-kit/debian.sh`: once, before the
# partitioner looks for disks. No answer that partitions is set before this script has set it.
#
# The installer goes on after a command that failed, so a refusal does not return: its dialog comes back until
# the machine is switched off. Everything is checked here again, as Ventoy's grub2 mode does not run the hook.
#
# Descriptors 0 and 3 carry the debconf protocol: nothing here may read the one or write to the other, and no
# db_ command may stand in a loop whose input is redirected.
PATH=/sbin:/bin:/usr/sbin:/usr/bin:/ventoy/busybox
export PATH

# May start this script again under a frontend, so it comes first.
# shellcheck source=/dev/null
. /usr/share/debconf/confmodule
set -u

# shellcheck source=lib.sh
. /ventoy-kit/lib.sh
# shellcheck source=identity.sh
. /ventoy-kit/identity.sh
# shellcheck source=disks.sh
. /ventoy-kit/disks.sh
# shellcheck source=wipe.sh
. /ventoy-kit/wipe.sh
# shellcheck source=arming.sh
. /ventoy-kit/arming.sh
# shellcheck source=guard.sh
. /ventoy-kit/guard.sh

PLACEHOLDER='@VENTOY_KIT_DISKS@'
VK_HARM=''
DIALOGS=0
RET=''

# template_text: standard input as the extended description of a debconf template. A second blank keeps a line
# by itself; `$` and `\` mean something to debconf.
template_text() (
    # shellcheck disable=SC1003  # two characters, $ and a backslash
    tr '$\\' '??' | cut -c 1-200 | while IFS= read -r line; do
        case "${line}" in
            '') printf '%s\n' ' .' ;;
            *) printf '  %s\n' "${line}" ;;
        esac
    done
)

# dialog TYPE TITLE TEXT: shows one dialog of a debconf type (error, string) and waits; the answer is in RET.
# Each has a template of its own, as debconf keeps what it has loaded once. False if it could not be shown.
dialog() {
    DIALOGS=$((DIALOGS + 1))
    question="ventoy-kit/dialog${DIALOGS}"
    mkdir -p "${VK_RUN}"
    {
        printf 'Template: %s\nType: %s\nDescription: %s\n' "${question}" "$1" "$2"
        printf '%s\n' "$3" | template_text
    } >"${VK_RUN}/dialog.templates"
    db_x_loadtemplatefile "${VK_RUN}/dialog.templates" ventoy-kit || return 1
    db_fset "${question}" seen false || return 1
    db_input critical "${question}" || return 1
    db_go || return 1
    db_get "${question}"
}

# count_down SECONDS TITLE TEXT: a progress bar that needs no key. False if it was cancelled or could not be shown.
count_down() {
    [ "${DEBIAN_FRONTEND:-}" != noninteractive ] || return 1
    DIALOGS=$((DIALOGS + 1))
    question="ventoy-kit/dialog${DIALOGS}"
    # A progress bar shows one paragraph, the first line of a template; `$` and `\` mean something to debconf.
    text=$(printf '%s\n' "$3" | sed 's/^ *//; /^$/d; s/$/ |/' | tr '$\\\n' '?? ' | cut -c 1-900)
    {
        printf 'Template: %s-title\nType: text\nDescription: %s\n\n' "${question}" "$2"
        printf 'Template: %s-text\nType: text\nDescription: %s\n' "${question}" "${text}"
    } >"${VK_RUN}/dialog.templates"
    db_x_loadtemplatefile "${VK_RUN}/dialog.templates" ventoy-kit || return 1
    db_capb backup align progresscancel
    gone=0
    db_progress START 0 "$1" "${question}-title" && db_progress INFO "${question}-text"
    stopped=$?
    while [ "${stopped}" = 0 ] && [ "${gone}" -lt "$1" ]; do
        sleep 1
        gone=$((gone + 1))
        db_progress SET "${gone}"
        stopped=$?
    done
    db_progress STOP
    # As partman has it.
    db_capb backup align
    return "${stopped}"
}

# refuse: never returns.
refuse() {
    trap - EXIT
    text=$(vk_refusal_text)
    text="${text}${VK_NEWLINE}${VK_NEWLINE}Nothing is installed. Switch the machine off or restart it; this message comes back."
    while :; do
        if ! dialog error "ventoy-kit: nothing is installed (${VK_CODE})" "${text}"; then
            vk_log "the dialog was not shown or was left: ${VK_CODE}"
        fi
        sleep 1
    done
}

# on_exit: an end that was not planned is a refusal, since the installer would go on.
# shellcheck disable=SC2317  # called by the trap
on_exit() {
    vk_fail VK-B99 'debian.sh ended early.' || refuse
}

# refuse_auto: the ticket `auto` holds no node's names, and they have been used by now. So it refuses even if
# exactly one node matches, and names that node's ticket.
refuse_auto() {
    if vk_identify; then
        vk_fail VK-B13 "This machine is node ${VK_NODE}: choose its ticket."
    fi
    refuse
}

# leave: the arming is over. Never returns.
leave() {
    trap - EXIT
    vk_prepare_leaving
    text=$(vk_refusal_text)
    case "${VK_LEAVE}" in
        restart)
            count_down "${VK_BEFORE_RESTART}" 'ventoy-kit: the machine restarts into its installed system' \
                "${text}${VK_NEWLINE}Boot entry ${VK_ENTRY}."
            vk_power reboot
            ;;
        off)
            count_down "${VK_BEFORE_OFF}" 'ventoy-kit: the machine is switched off' "${text}"
            vk_power poweroff
            ;;
        *) ;;
    esac
    refuse
}

# consent: may the disks be wiped? Armed, the countdown is the answer unless it is cancelled.
consent() {
    note=''
    case "${VK_ARMING}" in
        valid)
            code=$(vk_arming_code)
            plan=$(vk_plan_text "${VK_NODE}")
            if count_down "${VK_COUNTDOWN}" "ventoy-kit: disks are wiped in ${VK_COUNTDOWN} seconds (code ${code})" \
                "Press Enter to stop.${VK_NEWLINE}${plan}"; then
                return 0
            fi
            ;;
        ask) note_why_asked ;;
        *) ;;
    esac
    ask_name
}

# note_why_asked: an armed stick asks for the name; the next dialog says why.
note_why_asked() {
    what=$(vk_sentence "${VK_CODE}" what)
    note="${what} ${VK_DETAIL} (${VK_CODE})${VK_NEWLINE}${VK_NEWLINE}"
}

# record_arming: the last thing before the hand-over. If it cannot be recorded, a person has to agree after all.
record_arming() {
    [ "${VK_ARMING}" = valid ] || return 0
    if vk_fire; then return 0; fi
    note_why_asked
    note="${note}Once the installer has finished, unplug the stick: it could install again.${VK_NEWLINE}${VK_NEWLINE}"
    ask_name
}

# ask_name: three tries; the first shows what is in note, too.
ask_name() {
    plan=$(vk_plan_text "${VK_NODE}")
    tries=0
    while [ "${tries}" -lt 3 ]; do
        tries=$((tries + 1))
        if dialog string "Type ${VK_NODE} to wipe these disks and install:" "${note}${plan}" &&
            vk_name_is_typed "${VK_NODE}" "${RET}"; then
            return 0
        fi
        note="That was not ${VK_NODE} (try ${tries} of 3).${VK_NEWLINE}${VK_NEWLINE}"
    done
    vk_fail VK-B31 "The node is ${VK_NODE}."
}

# wrap PROGRAM CONDITION: from now on PROGRAM prints only the lines of the node's disks, if CONDITION holds.
# The program itself keeps its name with .ventoy-kit at its end.
wrap() {
    if ! [ -x "$1.ventoy-kit" ]; then
        [ -x "$1" ] && cp -p "$1" "$1.ventoy-kit.new" && mv "$1.ventoy-kit.new" "$1.ventoy-kit" || return 1
    fi
    patterns=''
    for disk in ${VK_DISKS}; do
        patterns="${patterns}${patterns:+ | }${disk}"
    done
    {
        printf '%s\n' '#!/bin/sh' '# Written by ventoy-kit: hides every disk that is not to be wiped.'
        printf '%s\n' "if ! { $2; }; then exec '$1.ventoy-kit' \"\$@\"; fi"
        printf '%s\n' "'$1.ventoy-kit' \"\$@\" | while IFS= read -r line; do"
        printf '%s\n' "    case \"\${line%%\"\$(printf '\\t')\"*}\" in ${patterns}) printf '%s\\n' \"\${line}\" ;; *) ;; esac"
        printf '%s\n' 'done'
    } >"$1.ventoy-kit.new" || return 1
    chmod 0755 "$1.ventoy-kit.new" && mv -f "$1.ventoy-kit.new" "$1"
}

# hide_disks: partman lists disks with parted_devices, the boot loader's step with `list-devices disk`. What
# partman will see is compared with what was resolved.
hide_disks() {
    if ! wrap /bin/parted_devices true; then
        vk_fail VK-B50 '/bin/parted_devices cannot be replaced.'
        return 1
    fi
    # shellcheck disable=SC2016  # expanded by the wrapper
    if [ -x /bin/list-devices ] && ! wrap /bin/list-devices '[ "${1:-}" = disk ]'; then
        vk_fail VK-B50 '/bin/list-devices cannot be replaced.'
        return 1
    fi
    seen=$(parted_devices </dev/null 2>/dev/null | cut -f 1 | sort)
    wanted=$(printf '%s\n' "${VK_DISKS}" | tr ' ' '\n' | sort)
    if [ "${seen}" != "${wanted}" ]; then
        vk_fail VK-B50 "The partitioner would see: $(vk_show "${seen:-no disk}"). Meant are: ${VK_DISKS}."
    fi
}

# partitions_text: a sed script that puts the partitions of one number of all disks, joined by #, in the places of
# @VENTOY_KIT_PARTITION_n@; a disk whose name ends in a digit has a p before the number (libparted).
partitions_text() (
    for number in 1 2 3 4 5 6 7 8 9; do
        joined=''
        for disk in ${VK_DISKS}; do
            case "${disk}" in
                *[0-9]) joined="${joined}${joined:+#}${disk}p${number}" ;;
                *) joined="${joined}${joined:+#}${disk}${number}" ;;
            esac
        done
        printf 's|@VENTOY_KIT_PARTITION_%s@|%s|g\n' "${number}" "${joined}"
    done
)

# set_answers: the node's answers with the device paths in their places, then a look at what debconf holds.
set_answers() {
    source="${VK}/nodes/${VK_NODE}/partman.cfg"
    answers="${VK_RUN}/partman.cfg"
    if ! grep -qE "^d-i[[:blank:]]+partman-auto/disk[[:blank:]]+string[[:blank:]]+${PLACEHOLDER}\$" "${source}"; then
        vk_fail VK-B40 "The answers are those of node ${VK_NODE}."
        return 1
    fi
    # Device paths hold letters, digits and slashes only, so they are safe in the replacement.
    # They hold a password's hash, so the copy is for root alone and does not stay.
    if ! (umask 077 && {
        printf 's|%s|%s|g\n' "${PLACEHOLDER}" "${VK_DISKS}"
        partitions_text
    } | sed -f - "${source}" >"${answers}") || grep -qF -e '@VENTOY_KIT_' "${answers}"; then
        vk_fail VK-B40 "The answers are those of node ${VK_NODE}."
        return 1
    fi
    if ! debconf-set-selections "${answers}"; then
        vk_fail VK-B51 'debconf-set-selections failed.'
        return 1
    fi
    rm -f "${answers}"
    if ! db_get partman-auto/disk || [ "${RET}" != "${VK_DISKS}" ]; then
        vk_fail VK-B51 "partman-auto/disk is '$(vk_show "${RET}")', it should be '${VK_DISKS}'."
    fi
}

trap on_exit EXIT
vk_load debian || refuse
[ "${VK_TICKET_NODE}" != auto ] || refuse_auto
vk_identify || refuse
vk_judge_arming
[ "${VK_ARMING}" != over ] || leave
vk_resolve_disks "${VK_NODE}" || refuse
consent || refuse
hide_disks || refuse
record_arming || refuse
vk_clear_disks || refuse
set_answers || refuse
# For debian-late.sh, which runs when the system is installed.
printf '%s\n' "${VK_NODE}" >"${VK_RUN}/node" || { vk_fail VK-B51 'The node cannot be noted.' || refuse; }
vk_log "node ${VK_NODE} is handed to the partitioner: ${VK_DISKS}"
trap - EXIT
exit 0
