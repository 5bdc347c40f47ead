# shellcheck shell=sh
# Which node is this machine? Needs lib.sh.
#
# Serial number and UUID decide: a node that declares them matches only a machine that reports exactly these.
# Hardware addresses decide only for a node that declares neither; otherwise a missing one is a warning, since
# network cards are changed more often than machines.
# shellcheck disable=SC2034,SC2154  # VK_* variables come from lib.sh and are read by the family's script

# vk_read_machine: into VK_SERIAL, VK_UUID (empty: absent or a placeholder) and VK_MACS (blanks around each).
vk_read_machine() {
    vk_read_attribute "${VK_ROOT}/sys/class/dmi/id/product_serial"
    VK_SERIAL_REPORTED=${VK_REPLY}
    vk_drop_placeholder
    VK_SERIAL=${VK_REPLY}
    vk_read_attribute "${VK_ROOT}/sys/class/dmi/id/product_uuid"
    vk_lower "${VK_REPLY}"
    VK_UUID_REPORTED=${VK_REPLY}
    vk_drop_placeholder
    VK_UUID=${VK_REPLY}
    VK_MACS=' '
    for vk_nic in "${VK_ROOT}"/sys/class/net/*; do
        vk_nic_address "${vk_nic}"
        VK_MACS="${VK_MACS}${VK_REPLY}${VK_REPLY:+ }"
    done
    vk_log "machine: serial '${VK_SERIAL_REPORTED}' uuid '${VK_UUID_REPORTED}' addresses${VK_MACS}"
}

# vk_nic_address FOLDER: VK_REPLY becomes the permanent address of a real network card in lower case, else empty.
# sysfs shows the address in use; addr_assign_type 0 says that it is the permanent one.
vk_nic_address() {
    VK_REPLY=''
    [ -e "$1/device" ] || return 0
    vk_read_attribute "$1/addr_assign_type"
    case "${VK_REPLY}" in
        '' | 0) ;;
        *)
            VK_REPLY=''
            return 0
            ;;
    esac
    vk_read_attribute "$1/address"
    vk_lower "${VK_REPLY}"
    case "${VK_REPLY}" in
        00:00:00:00:00:00 | *[!0-9a-f:]*) VK_REPLY='' ;;
        ??:??:??:??:??:??) ;;
        *) VK_REPLY='' ;;
    esac
}

# vk_machine_text: what the machine says of itself, for messages.
vk_machine_text() (
    serial=$(vk_show "${VK_SERIAL_REPORTED}")
    uuid=$(vk_show "${VK_UUID_REPORTED}")
    [ -n "${VK_SERIAL}" ] || serial="${serial:-nothing} (no identity)"
    [ -n "${VK_UUID}" ] || uuid="${uuid:-nothing} (no identity)"
    printf '%s' "This machine reports serial ${serial}, UUID ${uuid}, network addresses${VK_MACS% }."
)

# vk_identity_ok: every line of the identity file has a known form.
vk_identity_ok() {
    while IFS="${VK_TAB}" read -r vk_node vk_kind vk_value vk_rest; do
        if ! vk_name_ok "${vk_node}" || [ -z "${vk_value}" ] || [ -n "${vk_rest}" ]; then
            vk_kind=bad
        fi
        case "${vk_kind}" in
            serial | uuid | mac) ;;
            *)
                vk_fail VK-B06 'The file identity has a line that is not understood.'
                return 1
                ;;
        esac
    done <"${VK}/identity"
}

# vk_node_matches NODE: is this machine that node? VK_WHY says what contradicts, VK_MISSING_MACS only warns.
vk_node_matches() {
    VK_WHY=''
    VK_MISSING_MACS=''
    vk_strong=no
    vk_mac_seen=no
    while IFS="${VK_TAB}" read -r vk_node vk_kind vk_value; do
        [ "${vk_node}" = "$1" ] || continue
        vk_squeeze "${vk_value}"
        vk_value=${VK_REPLY}
        case "${vk_kind}" in
            serial)
                vk_strong=yes
                if [ -z "${VK_SERIAL}" ] || [ "${vk_value}" != "${VK_SERIAL}" ]; then
                    VK_WHY="${VK_WHY}${VK_WHY:+, }serial ${vk_value}"
                fi
                ;;
            uuid)
                vk_strong=yes
                vk_lower "${vk_value}"
                vk_value=${VK_REPLY}
                if [ -z "${VK_UUID}" ] || [ "${vk_value}" != "${VK_UUID}" ]; then
                    VK_WHY="${VK_WHY}${VK_WHY:+, }UUID ${vk_value}"
                fi
                ;;
            mac)
                vk_lower "${vk_value}"
                vk_value=${VK_REPLY}
                case "${VK_MACS}" in
                    *" ${vk_value} "*) vk_mac_seen=yes ;;
                    *) VK_MISSING_MACS="${VK_MISSING_MACS}${VK_MISSING_MACS:+, }${vk_value}" ;;
                esac
                ;;
            *) VK_WHY="${VK_WHY}${VK_WHY:+, }an unknown identifier" ;;
        esac
    done <"${VK}/identity"
    [ -z "${VK_WHY}" ] || return 1
    if [ "${vk_strong}" = no ] && [ "${vk_mac_seen}" = no ]; then
        VK_WHY="one of the network addresses ${VK_MISSING_MACS:-(none declared)}"
        return 1
    fi
}

# vk_find_node: the one node of the fleet that this machine is, into VK_NODE.
vk_find_node() {
    vk_found=''
    for vk_folder in "${VK}"/nodes/*; do
        vk_candidate=${vk_folder##*/}
        if vk_node_matches "${vk_candidate}"; then
            vk_found="${vk_found}${vk_found:+ }${vk_candidate}"
        else
            vk_log "node ${vk_candidate} does not match: ${VK_WHY}"
        fi
    done
    case "${vk_found}" in
        '')
            vk_fail VK-B11 "$(vk_machine_text)"
            return 1
            ;;
        *' '*)
            vk_fail VK-B12 "Nodes that match: ${vk_found}.${VK_NEWLINE}$(vk_machine_text)"
            return 1
            ;;
        *)
            VK_NODE=${vk_found}
            ;;
    esac
}

# vk_identify: VK_NODE becomes the node that the ticket names, or for `auto` the one that matches. The identity
# is checked in both cases, and VK_MISSING_MACS is that of VK_NODE afterwards.
vk_identify() {
    if ! [ -r "${VK}/identity" ]; then
        vk_fail VK-B06 'The file identity is missing.'
        return 1
    fi
    vk_identity_ok || return 1
    vk_read_machine
    if [ "${VK_TICKET_NODE}" = auto ]; then
        vk_find_node || return 1
    else
        VK_NODE=${VK_TICKET_NODE}
    fi
    if ! vk_node_matches "${VK_NODE}"; then
        vk_fail VK-B10 "Node ${VK_NODE} has ${VK_WHY}.${VK_NEWLINE}$(vk_machine_text)"
        return 1
    fi
    vk_log "this machine is node ${VK_NODE}"
}
