# shellcheck shell=sh
# The armed ticket: is its arming still good on this machine, now? Needs lib.sh and guard.sh.
#
# An arming is `<id>-<expiry>`: the id is the time when the stick was armed and eight random hexadecimal digits, the
# expiry a time. All times are UTC, written YYYYMMDDTHHMMSSZ. Ids are ordered by time, then by the digits.
# shellcheck disable=SC2034,SC2153,SC2154  # VK_* variables come from lib.sh and are read by the family's script

# How long a person has to stop an armed installation, and how long the last message before a restart and before
# switching off stays, in seconds.
VK_COUNTDOWN=30
VK_BEFORE_RESTART=15
VK_BEFORE_OFF=60
# By how many minutes the machine's clock may be behind the clock of the computer that armed the stick.
VK_SKEW=10

# vk_stamp_ok STAMP: a time as YYYYMMDDTHHMMSSZ.
vk_stamp_ok() {
    case "$1" in
        [0-9][0-9][0-9][0-9]0[1-9][0-3][0-9]T[0-2][0-9][0-5][0-9][0-5][0-9]Z) ;;
        [0-9][0-9][0-9][0-9]1[0-2][0-3][0-9]T[0-2][0-9][0-5][0-9][0-5][0-9]Z) ;;
        *) return 1 ;;
    esac
    case "$1" in
        ??????00T* | ??????3[2-9]T* | ????????T2[4-9]*) return 1 ;;
        *) return 0 ;;
    esac
}

# vk_id_ok ID: YYYYMMDDTHHMMSSZ-hhhhhhhh
vk_id_ok() {
    vk_stamp_ok "${1%-*}" && vk_generation_ok "${1##*-}"
}

# vk_read_arming TEXT: an arming into VK_ARMING_ID and VK_ARMING_EXPIRY.
vk_read_arming() {
    VK_ARMING_ID=${1%-*}
    VK_ARMING_EXPIRY=${1##*-}
    vk_id_ok "${VK_ARMING_ID}" && vk_stamp_ok "${VK_ARMING_EXPIRY}" &&
        vk_newer "${VK_ARMING_EXPIRY}-00000000" "${VK_ARMING_ID%-*}-00000000"
}

# vk_id_part ID PART: a part of an id as a number; the 1 before its digits keeps zeros from meaning octal.
vk_id_part() (
    random=${1##*-}
    time=${1#*T}
    case "$2" in
        date) printf '%s' "$((1${1%%T*}))" ;;
        time) printf '%s' "$((1${time%%Z*}))" ;;
        high) printf '%s' "$((0x1${random%????}))" ;;
        *) printf '%s' "$((0x1${random#????}))" ;;
    esac
)

# vk_newer ID OTHER: is the id greater than the other? False for anything that is no id.
vk_newer() (
    for part in date time high low; do
        one=$(vk_id_part "$1" "${part}") || exit 1
        other=$(vk_id_part "$2" "${part}") || exit 1
        [ "${one}" -le "${other}" ] || exit 0
        [ "${one}" -eq "${other}" ] || exit 1
    done
    exit 1
) 2>/dev/null

# vk_minutes STAMP: minutes since the beginning of 1970, by the day number of the Gregorian calendar.
vk_minutes() (
    year=$((1${1%????T*} - 10000))
    rest=${1#????}
    month=$((1${rest%??T*} - 100))
    rest=${rest#??}
    day=$((1${rest%%T*} - 100))
    rest=${rest#??T}
    hour=$((1${rest%????Z} - 100))
    rest=${rest#??}
    minute=$((1${rest%??Z} - 100))
    offset=$(((14 - month) / 12))
    years=$((year + 4800 - offset))
    months=$((month + 12 * offset - 3))
    days=$((day + (153 * months + 2) / 5 + 365 * years + years / 4 - years / 100 + years / 400 - 2472633))
    printf '%s' "$(((days * 24 + hour) * 60 + minute))"
)

# vk_arming_code: what the person who armed the stick was told, too.
vk_arming_code() (
    printf '%s' "${VK_ARMING_ID#"${VK_ARMING_ID%????}"}" | tr 'a-f' 'A-F'
)

# vk_arming_text: the arming for a message.
vk_arming_text() (
    code=$(vk_arming_code)
    printf '%s' "The stick was armed for node ${VK_NODE} at ${VK_ARMING_ID%-*} (code ${code}) until ${VK_ARMING_EXPIRY}."
)

# vk_clock_ok: does the machine's clock lie within the arming's lifetime?
vk_clock_ok() {
    vk_now=$(date -u '+%Y%m%dT%H%M%SZ')
    vk_clock="$(vk_arming_text)${VK_NEWLINE}The machine's clock says $(vk_show "${vk_now}")."
    if ! vk_stamp_ok "${vk_now}"; then
        vk_fail VK-B62 "${vk_clock}"
        return 1
    fi
    vk_is=$(vk_minutes "${vk_now}")
    vk_made=$(vk_minutes "${VK_ARMING_ID%-*}")
    if [ "$((vk_is + VK_SKEW))" -lt "${vk_made}" ]; then
        vk_fail VK-B62 "${vk_clock}"
    elif vk_newer "${vk_now}-00000000" "${VK_ARMING_EXPIRY}-00000000"; then
        vk_fail VK-B61 "${vk_clock}"
    fi
}

# vk_judge_arming: VK_ARMING becomes one of
#   none   the ticket is not armed
#   valid  it may install without a key, once the guard is written
#   ask    it cannot be recorded that it was used, so a person has to type the node's name
#   over   spent or expired: nothing is installed
# For ask and over, VK_CODE and VK_DETAIL say why. VK_DESTROY becomes the pools that may be destroyed: only an arming
# that can be recorded as used permits that.
vk_judge_arming() {
    VK_ARMING=none
    VK_DESTROY=''
    [ "${VK_TICKET_ARMING}" != none ] || return 0
    VK_ARMING=over
    VK_GUARD=unusable
    if vk_guard_read; then VK_GUARD=usable; fi
    vk_code=${VK_CODE}
    vk_detail=${VK_DETAIL}
    if [ "${VK_GUARD}" = usable ] && ! vk_newer "${VK_ARMING_ID}" "${VK_GUARD_FIRED}"; then
        vk_fail VK-B60 "$(vk_arming_text)${VK_NEWLINE}The last arming that was used on this machine is ${VK_GUARD_FIRED}."
    elif ! vk_clock_ok; then
        :
    elif [ "${VK_GUARD}" = usable ]; then
        VK_ARMING=valid
        VK_DESTROY=${VK_TICKET_DESTROY}
    else
        VK_ARMING=ask
        VK_CODE=${vk_code}
        VK_DETAIL=${vk_detail}
        vk_keep_pools
    fi
    vk_log "arming ${VK_TICKET_ARMING}: ${VK_ARMING}, guard ${VK_GUARD}"
    return 0
}

# vk_keep_pools: what cannot be recorded as used permits no pool to be destroyed.
vk_keep_pools() {
    VK_DESTROY=''
    [ -z "${VK_TICKET_DESTROY}" ] || VK_DETAIL="${VK_DETAIL}${VK_NEWLINE}These pools stay: ${VK_TICKET_DESTROY}."
}

# vk_fire: record that this arming is used. True only if the machine's firmware holds the record. From then on, and
# in this installation alone, the first-boot runner may destroy the pools; vk_put_grant gives it this note.
vk_fire() {
    if ! vk_guard_write "${VK_ARMING_ID}" "${VK_GUARD_LEFT}"; then
        vk_keep_pools
        return 1
    fi
    [ -n "${VK_DESTROY}" ] || return 0
    # The line stands in a shell script; node and pools hold letters, digits, dots, dashes, underlines and commas.
    if ! printf "export VK_GRANT='%s %s %s %s'\n" "${VK_ARMING_ID}" "${VK_NODE}" "${VK_GENERATION}" "${VK_DESTROY}" \
        >"${VK_RUN}/grant"; then
        vk_log 'the permission to destroy pools cannot be written'
        rm -f "${VK_RUN}/grant"
    fi
    return 0
}

# vk_prepare_leaving: for an arming that is over. VK_LEAVE becomes what is to be done now; VK_CODE and VK_DETAIL stay
# or become the reason that is shown.
#   restart  the firmware will start the installed system, VK_ENTRY, once
#   off      this arming was already led there once, and the stick was started again
#   stop     the installed system cannot be started from here
vk_prepare_leaving() {
    VK_LEAVE=stop
    [ "${VK_GUARD}" = usable ] || return 0
    if ! vk_newer "${VK_ARMING_ID}" "${VK_GUARD_LEFT}"; then
        VK_LEAVE=off
        VK_DETAIL="${VK_DETAIL}${VK_NEWLINE}$(vk_sentence VK-B67 what)"
        return 0
    fi
    vk_code=${VK_CODE}
    vk_detail=${VK_DETAIL}
    # Recorded first: a restart that is not recorded could go on for ever.
    if vk_choose_entry && vk_guard_write "${VK_GUARD_FIRED}" "${VK_ARMING_ID}" && vk_boot_next; then
        VK_LEAVE=restart
    else
        vk_detail="${vk_detail}${VK_NEWLINE}$(vk_sentence "${VK_CODE}" what) ${VK_DETAIL} (${VK_CODE})"
    fi
    VK_CODE=${vk_code}
    VK_DETAIL=${vk_detail}
}
