# shellcheck shell=sh
# Shared by every script of the boot overlay: log, refusals, the overlay's own data, the ticket.
#
# Runs in the busybox ash of Ventoy (1.31), of the Proxmox initramfs and of the Debian installer. The last one
# has no lsblk, stat, xargs, tee, timeout, od or perl, and its tr knows no character classes.
#
# A function that can refuse sets VK_CODE and VK_DETAIL through vk_fail and returns 1; its caller shows that
# and hands nothing over. Functions whose body is in ( ) only print: they run in a subshell, so their
# variables stay their own. They are for what a person reads.
#
# What is done for every disk and card starts no process: such a function leaves its answer in VK_REPLY, and the shell
# itself takes texts apart. Programs do that only for texts with bytes that are not printable ASCII. `read` drops zero
# bytes, so no text holds one.
# shellcheck disable=SC2034  # VK_* variables are read by the scripts that source this file

# vk_use_root FOLDER: where the machine is. Empty, so `/`, in an installer; `ventoy-kit answer simulate` puts a
# machine made of recorded facts there, and runs these same functions.
vk_use_root() {
    VK_ROOT=$1
    VK="${VK_ROOT}/ventoy-kit"
    VK_TICKET="${VK_ROOT}/ventoy/autoinstall"
    VK_RUN="${VK}/run"
}
vk_use_root ''
VK_TAB=$(printf '\t')
VK_NEWLINE='
'
VK_CODE=''
VK_DETAIL=''

# vk_log TEXT...: into the overlay's log and, where there is one, the kernel's.
vk_log() {
    printf '%s\n' "$*" >>"${VK}/log"
    if [ -c "${VK_ROOT}/dev/kmsg" ]; then
        printf '<6>ventoy-kit: %s\n' "$*" >"${VK_ROOT}/dev/kmsg"
    fi
    return 0
} 2>/dev/null

# vk_fail CODE DETAIL: note a refusal; always returns 1, so that callers can end with it.
vk_fail() {
    VK_CODE=$1
    VK_DETAIL=$2
    vk_log "refused ${VK_CODE}: ${VK_DETAIL}"
    return 1
}

# vk_sentence CODE FIELD: the sentence of a code; FIELD is `what` (happened) or `remedy`.
vk_sentence() (
    while IFS="${VK_TAB}" read -r code what remedy; do
        [ "${code}" = "$1" ] || continue
        if [ "$2" = what ]; then
            printf '%s\n' "${what}"
        else
            printf '%s\n' "${remedy}"
        fi
        exit 0
    done <"${VK}/codes"
    printf '%s\n' "The overlay has no sentence for $1."
)

# vk_refusal_text: the refusal in VK_CODE and VK_DETAIL as a person reads it.
vk_refusal_text() (
    printf '%s\n\n' "ventoy-kit hands nothing to the installer. ${VK_HARM:-Nothing was wiped.} (${VK_CODE})"
    vk_sentence "${VK_CODE}" what
    [ -z "${VK_DETAIL}" ] || printf '%s\n' "${VK_DETAIL}"
    printf '\n%s\n' "What to do: $(vk_sentence "${VK_CODE}" remedy)"
)

# vk_name_ok VALUE: a name of a fleet, image, node or disk. It may become part of a path, so no slash, no
# leading dot and no two dots in a row.
vk_name_ok() {
    case "$1" in
        '' | .* | -* | *..* | *[!A-Za-z0-9._-]*) return 1 ;;
        *) [ "${#1}" -le 64 ] ;;
    esac
}

# vk_generation_ok VALUE: eight lower-case hexadecimal digits.
vk_generation_ok() {
    case "$1" in
        *[!0-9a-f]*) return 1 ;;
        *) [ "${#1}" -eq 8 ] ;;
    esac
}

# vk_number_ok VALUE: a positive decimal number that the shell can multiply by ten.
vk_number_ok() {
    case "$1" in
        '' | 0* | *[!0-9]*) return 1 ;;
        *) [ "${#1}" -le 17 ] ;;
    esac
}

# vk_rejoin CHARACTERS GLUE TEXT: VK_REPLY becomes the text, cut at these characters and put together with GLUE (at most
# one character) in their place; nothing takes the place of the last one of the text.
vk_rejoin() {
    vk_glue=$2
    vk_ifs=${IFS}
    IFS=$1
    set -f
    # shellcheck disable=SC2086  # the shell cuts it
    set -- $3
    set +f
    IFS=${vk_glue}
    VK_REPLY="$*"
    IFS=${vk_ifs}
}

# vk_lower TEXT: VK_REPLY becomes the text with its ASCII letters in lower case.
vk_lower() {
    VK_REPLY=$1
    case "$1" in *[ABCDEFGHIJKLMNOPQRSTUVWXYZ]*) ;; *) return 0 ;; esac
    VK_REPLY="$1."
    for vk_pair in Aa Bb Cc Dd Ee Ff Gg Hh Ii Jj Kk Ll Mm Nn Oo Pp Qq Rr Ss Tt Uu Vv Ww Xx Yy Zz; do
        vk_rejoin "${vk_pair%?}" "${vk_pair#?}" "${VK_REPLY}"
    done
    VK_REPLY=${VK_REPLY%.}
}

# vk_squeeze TEXT: VK_REPLY becomes the text without blanks and whatever cannot be printed. Identifiers are compared in
# this form, since firmware pads them with blanks or zero bytes.
vk_squeeze() {
    case "$1" in
        *[!!-~]*) vk_rejoin ' ' '' "$1" ;;
        *) VK_REPLY=$1 ;;
    esac
    case "${VK_REPLY}" in *[!!-~]*) VK_REPLY=$(printf '%s' "${VK_REPLY}" | tr -cd '!-~') ;; *) ;; esac
}

# vk_plain TEXT: VK_REPLY becomes the text's ASCII letters and digits, in lower case.
vk_plain() {
    vk_rejoin " !\"#\$%&'()*+,-./:;<=>?@[\\]^_\`{|}~" '' "$1"
    case "${VK_REPLY}" in *[!A-Za-z0-9]*) VK_REPLY=$(printf '%s' "${VK_REPLY}" | tr -cd 'A-Za-z0-9') ;; *) ;; esac
    vk_lower "${VK_REPLY}"
}

# vk_content FILE: VK_REPLY becomes the content of a file with blanks for its line ends; empty if it cannot be read.
vk_content() {
    VK_REPLY=''
    [ -r "$1" ] || return 0
    while IFS= read -r vk_content_line || [ -n "${vk_content_line}" ]; do
        VK_REPLY="${VK_REPLY}${VK_REPLY:+ }${vk_content_line}"
    done 2>/dev/null <"$1"
    return 0
}

# vk_read_attribute FILE: VK_REPLY becomes the squeezed content of a sysfs file; empty if it cannot be read.
vk_read_attribute() {
    vk_content "$1"
    vk_squeeze "${VK_REPLY}"
}

# vk_attribute FILE: prints it.
vk_attribute() (
    vk_read_attribute "$1"
    printf '%s' "${VK_REPLY}"
)

# vk_placeholder VALUE: true for what firmware and cheap bridges report when nobody filled the field in.
# Only letters and digits count, in any case. Placeholders never identify anything. The same list is in
# ventoy_kit/fleet/placeholders.py. Changes VK_REPLY.
vk_placeholder() {
    # Letters beyond hexadecimal ones and a digit stand together in no placeholder.
    case "$1" in *[0-9]*) case "$1" in *[G-Zg-z]*) return 1 ;; *) ;; esac ;; *) ;; esac
    vk_plain "$1"
    case "${VK_REPLY}" in
        '') return 0 ;;
        defaultstring | tobefilledbyoem | oem) return 0 ;;
        systemserialnumber | serialnumber | chassisserialnumber | baseboardserialnumber) return 0 ;;
        notspecified | notapplicable | notavailable | none | null | na | unknown | invalid | empty) return 0 ;;
        0123456789 | 123456789 | 1234567890 | 0123456789abcdef) return 0 ;;
        # UUIDs shared by whole series of boards.
        03000200040005000006000700080009 | 00020003000400050006000700080009) return 0 ;;
        123456781234567890abcddeefaabbcc | fefefefefefefefefefefefefefefefe) return 0 ;;
        *) ;;
    esac
    # All the same character: zeros, Fs, Xs.
    vk_first=${VK_REPLY%"${VK_REPLY#?}"}
    [ "${VK_REPLY#*[!"${vk_first}"]}" = "${VK_REPLY}" ]
}

# vk_drop_placeholder: VK_REPLY becomes empty if it is a placeholder.
vk_drop_placeholder() {
    vk_dropped=${VK_REPLY}
    if vk_placeholder "${vk_dropped}"; then VK_REPLY=''; else VK_REPLY=${vk_dropped}; fi
}

# vk_command_line_has WORD: is it a word of the kernel's command line?
vk_command_line_has() {
    tr ' ' '\n' <"${VK_ROOT}/proc/cmdline" 2>/dev/null | grep -qxF -e "$1"
}

# vk_read_conf: the overlay's own description into VK_FLEET, VK_GENERATION, VK_IMAGE, VK_FAMILY and VK_ARMS (`none`:
# it takes no armed ticket; 1: the form of an arming that arming.sh reads).
vk_read_conf() {
    VK_FLEET=''
    VK_GENERATION=''
    VK_IMAGE=''
    VK_FAMILY=''
    VK_ARMS=none
    vk_seen=' '
    if ! [ -r "${VK}/overlay.conf" ]; then
        vk_fail VK-B06 'overlay.conf is missing.'
        return 1
    fi
    while IFS= read -r vk_line || [ -n "${vk_line}" ]; do
        vk_key=${vk_line%%=*}
        vk_value=${vk_line#*=}
        vk_good=no
        case "${vk_key}" in
            format) if [ "${vk_value}" = 1 ]; then vk_good=yes; fi ;;
            fleet) if vk_name_ok "${vk_value}"; then VK_FLEET=${vk_value} vk_good=yes; fi ;;
            generation) if vk_generation_ok "${vk_value}"; then VK_GENERATION=${vk_value} vk_good=yes; fi ;;
            image) if vk_name_ok "${vk_value}"; then VK_IMAGE=${vk_value} vk_good=yes; fi ;;
            family) case "${vk_value}" in proxmox | debian) VK_FAMILY=${vk_value} vk_good=yes ;; *) ;; esac ;;
            arming) case "${vk_value}" in none | 1) VK_ARMS=${vk_value} vk_good=yes ;; *) ;; esac ;;
            *) ;;
        esac
        case "${vk_seen}" in *" ${vk_key} "*) vk_good=no ;; *) ;; esac
        vk_seen="${vk_seen}${vk_key} "
        if [ "${vk_good}" = no ]; then
            vk_fail VK-B06 "overlay.conf has a line that is not understood: $(vk_show "${vk_line}")"
            return 1
        fi
    done <"${VK}/overlay.conf"
    for vk_key in format fleet generation image family arming; do
        case "${vk_seen}" in
            *" ${vk_key} "*) ;;
            *)
                vk_fail VK-B06 "overlay.conf does not say its ${vk_key}."
                return 1
                ;;
        esac
    done
}

# vk_show TEXT: foreign text made safe for a screen: printable, one line, not endless.
vk_show() (
    case "$1" in
        *[!' '-~]*) ;;
        *) if [ "${#1}" -le 120 ]; then
            printf '%s' "$1"
            exit 0
        fi ;;
    esac
    printf '%s' "$1" | tr -c ' -~' '?' | cut -c 1-120
)

# vk_pools_ok LIST: names of pools, separated by commas.
vk_pools_ok() (
    case "$1" in '' | ,* | *, | *,,* | *[!A-Za-z0-9._,-]*) exit 1 ;; *) ;; esac
    for pool in $(printf '%s' "$1" | tr ',' ' '); do vk_name_ok "${pool}" || exit 1; done
)

# vk_read_ticket FILE: exactly one line of exactly this form, into VK_TICKET_FLEET, _GENERATION, _IMAGE, _NODE,
# _ARMING and _DESTROY. Needs the overlay's own description. An armed ticket names its node, and may permit that
# pools are destroyed.
#   # ventoy-kit-ticket format=1 fleet=F generation=G image=I node=N arming=none
#   # ventoy-kit-ticket format=1 fleet=F generation=G image=I node=N arming=<id>-<expiry> [destroy=POOL,...]
vk_read_ticket() {
    VK_TICKET_NODE=''
    VK_TICKET_ARMING=''
    VK_TICKET_DESTROY=''
    vk_count=0
    if [ -r "$1" ]; then
        while IFS= read -r vk_one || [ -n "${vk_one}" ]; do
            case "${vk_one}" in *ventoy-kit-ticket*) vk_count=$((vk_count + 1)) vk_line=${vk_one} ;; *) ;; esac
        done <"$1"
    fi
    if [ "${vk_count}" != 1 ]; then
        vk_fail VK-B01 "It holds ${vk_count} ticket lines instead of one."
        return 1
    fi
    IFS=' ' read -r vk_hash vk_tag vk_format vk_fleet vk_generation vk_image vk_node vk_arming vk_rest <<END
${vk_line}
END
    VK_TICKET_FLEET=${vk_fleet#fleet=}
    VK_TICKET_GENERATION=${vk_generation#generation=}
    VK_TICKET_IMAGE=${vk_image#image=}
    VK_TICKET_NODE=${vk_node#node=}
    VK_TICKET_ARMING=${vk_arming#arming=}
    # Written again from what was read, it must be the same line: no blank, tab or field too many.
    vk_again="# ventoy-kit-ticket format=1 fleet=${VK_TICKET_FLEET} generation=${VK_TICKET_GENERATION}"
    vk_again="${vk_again} image=${VK_TICKET_IMAGE} node=${VK_TICKET_NODE} arming=${VK_TICKET_ARMING}"
    case "${vk_rest}" in
        destroy=*)
            VK_TICKET_DESTROY=${vk_rest#destroy=}
            vk_again="${vk_again} ${vk_rest}"
            vk_rest=''
            { vk_pools_ok "${VK_TICKET_DESTROY}" && [ "${VK_TICKET_ARMING}" != none ]; } || vk_rest=bad
            ;;
        *) ;;
    esac
    if [ "${vk_hash} ${vk_tag} ${vk_format}${vk_rest}" != '# ventoy-kit-ticket format=1' ] ||
        [ "${vk_again}" != "${vk_line}" ] || ! vk_name_ok "${VK_TICKET_FLEET}" ||
        ! vk_generation_ok "${VK_TICKET_GENERATION}" || ! vk_name_ok "${VK_TICKET_IMAGE}" ||
        ! vk_name_ok "${VK_TICKET_NODE}" || ! vk_name_ok "${VK_TICKET_ARMING}"; then
        vk_fail VK-B01 "Its line reads: $(vk_show "${vk_line}")"
        return 1
    fi
    [ "${VK_TICKET_ARMING}" != none ] || return 0
    if [ "${VK_ARMS}" = none ]; then
        vk_fail VK-B05 "The ticket says $(vk_show "${vk_arming}")."
    elif [ "${VK_TICKET_NODE}" = auto ] || ! vk_read_arming "${VK_TICKET_ARMING}"; then
        vk_fail VK-B01 "Its line reads: $(vk_show "${vk_line}")"
    fi
}

# vk_check_ticket: the ticket that was read and the overlay must be of one making.
vk_check_ticket() {
    if [ "${VK_TICKET_FLEET}" != "${VK_FLEET}" ]; then
        vk_fail VK-B02 "The ticket is of fleet ${VK_TICKET_FLEET}, the overlay of fleet ${VK_FLEET}."
    elif [ "${VK_TICKET_GENERATION}" != "${VK_GENERATION}" ]; then
        vk_fail VK-B03 "The ticket is of generation ${VK_TICKET_GENERATION}, the overlay of ${VK_GENERATION}."
    elif [ "${VK_TICKET_IMAGE}" != "${VK_IMAGE}" ]; then
        vk_fail VK-B04 "The ticket is for ${VK_TICKET_IMAGE}, this is ${VK_IMAGE}."
    elif [ "${VK_TICKET_NODE}" != auto ] && ! [ -d "${VK}/nodes/${VK_TICKET_NODE}" ]; then
        vk_fail VK-B07 "The ticket names node ${VK_TICKET_NODE}."
    else
        vk_check_pools
    fi
}

# vk_check_pools: pools that may be destroyed are pools of the node.
vk_check_pools() {
    [ -n "${VK_TICKET_DESTROY}" ] || return 0
    for vk_pool in $(printf '%s' "${VK_TICKET_DESTROY}" | tr ',' ' '); do
        if ! cut -f 2 "${VK}/nodes/${VK_TICKET_NODE}/pools" 2>/dev/null | grep -qxF -e "${vk_pool}"; then
            vk_fail VK-B01 "Node ${VK_TICKET_NODE} has no pool ${vk_pool}."
            return 1
        fi
    done
}

# vk_pool_lost NODE DEVICE: the pool that this data disk loses, if the arming permits that; see arming.sh.
vk_pool_lost() (
    [ -n "${VK_DESTROY:-}" ] || exit 0
    while IFS="${VK_TAB}" read -r use name device rest; do
        [ "${use} ${device}" = "data $2" ] || continue
        while IFS="${VK_TAB}" read -r disk pool; do
            [ "${disk}" = "${name}" ] || continue
            case ",${VK_DESTROY}," in *",${pool},"*) printf '%s' "${pool}" ;; *) ;; esac
        done <"${VK}/nodes/$1/pools"
    done <"${VK_RUN}/matches"
)

# vk_put_runner NODE FILE: into the file, the node's whole first-boot runner: the node's own part, then the one that nodes
# with the same hooks share. `first-boot.rest` names that one and says what digest both together have.
vk_put_runner() {
    vk_own="${VK}/nodes/$1/first-boot"
    vk_rest=''
    vk_sum=''
    if [ -r "${vk_own}.rest" ]; then IFS=' ' read -r vk_rest vk_sum <"${vk_own}.rest"; fi
    if vk_name_ok "${vk_rest}" && vk_rest="${VK}/runners/${vk_rest}" && [ -s "${vk_own}" ] && [ -s "${vk_rest}" ] &&
        [ "$(cat "${vk_own}" "${vk_rest}" | sha256sum)" = "${vk_sum}  -" ]; then
        { cat "${vk_own}" "${vk_rest}" >"$2" && [ "$(sha256sum <"$2")" = "${vk_sum}  -" ]; } ||
            vk_fail VK-B42 'The first-boot runner cannot be written.'
    else
        vk_fail VK-B06 "The first-boot runner of node $1 is missing or damaged."
    fi
}

# vk_put_grant FILE: into the first-boot runner, behind its first line, what the arming permits; see arming.sh.
vk_put_grant() {
    [ -s "${VK_RUN}/grant" ] || return 0
    (umask 077 && { sed 1q "$1" && cat "${VK_RUN}/grant" && sed 1d "$1"; } >"$1.grant") &&
        cat "$1.grant" >"$1" && rm -f "$1.grant"
}

# vk_load FAMILY: whatever must agree before the machine is looked at, then a fresh folder for results.
vk_load() {
    vk_read_conf || return 1
    if [ "${VK_FAMILY}" != "$1" ]; then
        vk_fail VK-B06 "The overlay is for family ${VK_FAMILY}, this step is for $1."
        return 1
    fi
    vk_read_ticket "${VK_TICKET}" || return 1
    vk_check_ticket || return 1
    vk_make_run || vk_fail VK-B99 "The folder ${VK_RUN} cannot be made."
}

# vk_make_run: the folder for results, empty.
vk_make_run() {
    rm -rf "${VK_RUN}"
    mkdir "${VK_RUN}"
}

# vk_name_is_typed NODE LINE: did a person type exactly this node's name (blanks around it do not count)?
vk_name_is_typed() {
    vk_squeeze "$2"
    [ "${VK_REPLY}" = "$1" ]
}
