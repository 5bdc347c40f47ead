# shellcheck shell=sh
# Which of the machine's disks are the node's? Needs lib.sh. Everything comes from sysfs, nothing is guessed.
#
# A declared disk is a device only if every identifier that is declared for it (serial, WWN) equals what the
# device reports; model and size only cross-check. VK_RUN/devices holds one line per whole disk:
#   name<TAB>serial<TAB>wwn<TAB>bytes<TAB>model       with - for what the device does not report
# VK_RUN/matches holds one line per declared disk and device that it matches:
#   use<TAB>name of the disk<TAB>device<TAB>declared bytes<TAB>declared model
# shellcheck disable=SC2034,SC2154  # VK_* variables come from lib.sh and are read by the family's script

# vk_wwn TEXT: VK_REPLY becomes the one form in which WWNs are compared: lower case, no blanks, without the prefix that
# says which register the number comes from (naa., eui., t10., nvme., uuid., 0x). Empty for all zeros.
vk_wwn() {
    vk_squeeze "$1"
    vk_lower "${VK_REPLY}"
    case "${VK_REPLY}" in
        naa.* | eui.* | t10.*) VK_REPLY=${VK_REPLY#????} ;;
        nvme.* | uuid.*) VK_REPLY=${VK_REPLY#?????} ;;
        0x*) VK_REPLY=${VK_REPLY#??} ;;
        *) ;;
    esac
    vk_drop_placeholder
}

# vk_disk_serial FOLDER: VK_REPLY becomes the serial number, or empty. virtio reports `serial`; NVMe and eMMC
# `device/serial`; SATA, SAS and USB the SCSI page 0x80, whose first four bytes are a header.
vk_disk_serial() {
    for vk_file in "$1/serial" "$1/device/serial"; do
        vk_read_attribute "${vk_file}"
        vk_drop_placeholder
        [ -z "${VK_REPLY}" ] || return 0
    done
    [ -r "$1/device/vpd_pg80" ] || return 0
    VK_REPLY=$(dd if="$1/device/vpd_pg80" bs=1 skip=4 2>/dev/null)
    vk_squeeze "${VK_REPLY}"
    vk_drop_placeholder
}

# vk_disk_wwn FOLDER: VK_REPLY becomes the WWN, or empty.
vk_disk_wwn() {
    for vk_file in "$1/wwid" "$1/device/wwid"; do
        vk_read_attribute "${vk_file}"
        vk_wwn "${VK_REPLY}"
        [ -z "${VK_REPLY}" ] || return 0
    done
}

# vk_disk_model FOLDER: VK_REPLY becomes the model, printable, with single blanks; empty if there is none.
vk_disk_model() {
    VK_REPLY=''
    for vk_file in "$1/device/model" "$1/device/name"; do
        [ -r "${vk_file}" ] || continue
        vk_content "${vk_file}"
        case "${VK_REPLY}" in *[!' '-~]*) VK_REPLY=$(printf '%s' "${VK_REPLY}" | tr -c '!-~' ' ') ;; *) ;; esac
        vk_rejoin ' ' ' ' "${VK_REPLY}"
        return 0
    done
}

# vk_is_whole_disk FOLDER: a disk of the machine, not a part, a view or a collection of disks. Every such disk
# has a `device` link; the virtual ones (loop, ram, zram, dm, md, zd) have none. nvme0c0n1 is one path to a
# namespace that exists as nvme0n1 too.
vk_is_whole_disk() {
    [ -e "$1/device" ] || return 1
    [ ! -e "$1/partition" ] || return 1
    case "${1##*/}" in
        *[!a-z0-9]*) return 1 ;;
        loop* | ram* | zram* | dm* | md* | sr* | scd* | fd* | nbd* | zd*) return 1 ;;
        mmcblk*boot* | mmcblk*rpmb* | nvme*c*n*) return 1 ;;
        *) ;;
    esac
    vk_read_attribute "$1/hidden"
    [ "${VK_REPLY:-0}" = 0 ] || return 1
    vk_read_attribute "$1/size"
    vk_number_ok "${VK_REPLY}"
}

# vk_scan_disks: writes VK_RUN/devices. sysfs counts sizes in units of 512 bytes whatever the sector size.
vk_scan_disks() {
    : >"${VK_RUN}/devices"
    for vk_folder in "${VK_ROOT}"/sys/block/*; do
        vk_is_whole_disk "${vk_folder}" || continue
        vk_disk_serial "${vk_folder}"
        vk_serial=${VK_REPLY}
        vk_disk_wwn "${vk_folder}"
        vk_wwn=${VK_REPLY}
        vk_disk_model "${vk_folder}"
        vk_model=${VK_REPLY}
        vk_read_attribute "${vk_folder}/size"
        printf '%s\t%s\t%s\t%s\t%s\n' "${vk_folder##*/}" "${vk_serial:--}" "${vk_wwn:--}" \
            "$((VK_REPLY * 512))" "${vk_model:--}" >>"${VK_RUN}/devices"
    done
    while IFS= read -r vk_line; do
        vk_log "disk: ${vk_line}"
    done <"${VK_RUN}/devices"
}

# vk_read_device DEVICE: its line of VK_RUN/devices into VK_ITS_NAME, _SERIAL, _WWN, _BYTES and _MODEL.
vk_read_device() {
    while IFS="${VK_TAB}" read -r VK_ITS_NAME VK_ITS_SERIAL VK_ITS_WWN VK_ITS_BYTES VK_ITS_MODEL; do
        [ "${VK_ITS_NAME}" != "$1" ] || return 0
    done <"${VK_RUN}/devices"
    return 1
}

# vk_size_text BYTES: VK_REPLY becomes the size as disks are labelled, in powers of ten.
vk_size_text() {
    if [ "$1" -ge 1000000000000 ]; then
        VK_REPLY="$(($1 / 1000000000000)).$(($1 % 1000000000000 / 100000000000)) TB"
    elif [ "$1" -ge 1000000000 ]; then
        VK_REPLY="$(($1 / 1000000000)) GB"
    else
        VK_REPLY="$(($1 / 1000000)) MB"
    fi
}

# vk_its_text: VK_REPLY becomes one line for a person about the device that was read.
vk_its_text() {
    vk_size_text "${VK_ITS_BYTES}"
    VK_REPLY="/dev/${VK_ITS_NAME}: ${VK_ITS_MODEL}, ${VK_REPLY}, serial ${VK_ITS_SERIAL}"
}

# vk_describe_device DEVICE: VK_REPLY becomes that line about this device.
vk_describe_device() {
    vk_read_device "$1"
    vk_its_text
}

# vk_device_text DEVICE: prints it.
vk_device_text() (
    vk_describe_device "$1"
    printf '%s' "${VK_REPLY}"
)

# vk_devices_text: VK_REPLY becomes all disks of the machine with what identifies them, one a line.
vk_devices_text() {
    vk_lines='Disks of this machine:'
    while IFS="${VK_TAB}" read -r VK_ITS_NAME VK_ITS_SERIAL VK_ITS_WWN VK_ITS_BYTES VK_ITS_MODEL; do
        vk_its_text
        vk_lines="${vk_lines}${VK_NEWLINE}  ${VK_REPLY}, WWN ${VK_ITS_WWN}"
    done <"${VK_RUN}/devices"
    VK_REPLY=${vk_lines}
}

# vk_vtoydump OPTION: VK_REPLY becomes what Ventoy's own tool prints of the medium that was booted from.
vk_vtoydump() {
    VK_REPLY=$(/ventoy/tool/vtoydump "$1" /ventoy/ventoy_os_param 2>/dev/null </dev/null)
}

# vk_is_device_node FILE
vk_is_device_node() {
    [ -b "$1" ]
}

# vk_find_stick: the names of the disk(s) that Ventoy booted from, into VK_STICK (blanks around each).
# Ventoy's own tool finds it by the identifiers that the boot loader left in memory; -t is for the case that
# the ISO lies on another disk than the stick (vlnk).
vk_find_stick() {
    VK_STICK=' '
    for vk_option in -f -t; do
        vk_vtoydump "${vk_option}"
        case "${VK_REPLY}" in
            /dev/*) vk_name=${VK_REPLY#/dev/} ;;
            *) continue ;;
        esac
        vk_name=${vk_name%%#*}
        case "${vk_name}" in
            '' | *[!a-z0-9]*) continue ;;
            *) ;;
        esac
        [ -d "${VK_ROOT}/sys/block/${vk_name}" ] || continue
        VK_STICK="${VK_STICK}${vk_name} "
    done
    while IFS="${VK_TAB}" read -r vk_name vk_rest; do
        if vk_is_ventoy_mapped "${vk_name}"; then
            VK_STICK="${VK_STICK}${vk_name} "
        fi
    done <"${VK_RUN}/devices"
    vk_log "stick:${VK_STICK}"
    if [ "${VK_STICK}" = ' ' ]; then
        vk_devices_text
        vk_fail VK-B20 "${VK_REPLY}"
        return 1
    fi
}

# vk_stack DEVICE: VK_STACK becomes a line `name major:minor` for a disk, each of its partitions and whatever stands on
# them (device mapper, md).
vk_stack() {
    VK_STACK=''
    vk_stack_add "${VK_ROOT}/sys/block/$1"
}

# vk_stack_add FOLDER: calls itself for what is below; a loop goes over names that were read before it began.
vk_stack_add() {
    vk_read_attribute "$1/dev"
    VK_STACK="${VK_STACK}${VK_STACK:+${VK_NEWLINE}}${1##*/} ${VK_REPLY}"
    for vk_below in "$1"/*; do
        [ ! -e "${vk_below}/partition" ] || vk_stack_add "${vk_below}"
    done
    for vk_below in "$1"/holders/*; do
        [ ! -e "${vk_below}" ] || vk_stack_add "${VK_ROOT}/sys/block/${vk_below##*/}"
    done
}

# vk_is_ventoy_mapped DEVICE: does a device-mapper table of Ventoy stand on it? Ventoy names them `ventoy` (the
# ISO), `vtoy_persistent`, and `VentoyPart` or the partition's own name (the data partition).
vk_is_ventoy_mapped() {
    vk_stack "$1"
    while IFS=' ' read -r vk_layer vk_number; do
        vk_read_attribute "${VK_ROOT}/sys/block/${vk_layer}/dm/name"
        case "${VK_REPLY}" in
            '') ;;
            ventoy* | vtoy* | Ventoy*) return 0 ;;
            *) [ ! -d "${VK_ROOT}/sys/block/$1/${VK_REPLY}" ] || return 0 ;;
        esac
    done <<END
${VK_STACK}
END
    return 1
}

# vk_read_use: VK_MOUNTED becomes the numbers of the devices that are mounted, VK_SWAPS the files that are swapped to,
# with blanks around each. False if it cannot be told what is mounted.
vk_read_use() {
    VK_MOUNTED=' '
    VK_SWAPS=' '
    [ -r "${VK_ROOT}/proc/self/mountinfo" ] || return 1
    while IFS=' ' read -r vk_id vk_parent vk_number vk_rest || [ -n "${vk_number}" ]; do
        VK_MOUNTED="${VK_MOUNTED}${vk_number} "
    done <"${VK_ROOT}/proc/self/mountinfo" || return 1
    [ -r "${VK_ROOT}/proc/swaps" ] || return 0
    while IFS=" ${VK_TAB}" read -r vk_file vk_rest || [ -n "${vk_file}" ]; do
        VK_SWAPS="${VK_SWAPS}${vk_file} "
    done <"${VK_ROOT}/proc/swaps" || return 1
}

# vk_is_in_use DEVICE: is it, one of its partitions or something that stands on them mounted or used as swap?
# True also if that cannot be told.
vk_is_in_use() {
    { vk_read_use && [ -d "${VK_ROOT}/sys/block/$1" ]; } || return 0
    vk_stack "$1"
    while IFS=' ' read -r vk_layer vk_number; do
        [ -n "${vk_number}" ] || return 0
        case "${VK_MOUNTED}" in *" ${vk_number} "*) return 0 ;; *) ;; esac
        case "${VK_SWAPS}" in *" /dev/${vk_layer} "*) return 0 ;; *) ;; esac
    done <<END
${VK_STACK}
END
    return 1
}

# vk_matching_devices SERIAL WWN: VK_REPLY becomes the names of the devices that report every identifier that is
# declared, with blanks between them.
vk_matching_devices() {
    vk_squeeze "$1"
    vk_wanted_serial=${VK_REPLY}
    vk_wanted_wwn=-
    if [ "$2" != - ]; then
        vk_wwn "$2"
        vk_wanted_wwn=${VK_REPLY}
    fi
    VK_REPLY=''
    [ -n "${vk_wanted_wwn}" ] || return 0
    { [ "${vk_wanted_serial}" != - ] || [ "${vk_wanted_wwn}" != - ]; } || return 0
    while IFS="${VK_TAB}" read -r VK_ITS_NAME VK_ITS_SERIAL VK_ITS_WWN VK_ITS_BYTES VK_ITS_MODEL; do
        [ "${vk_wanted_serial}" = - ] || [ "${vk_wanted_serial}" = "${VK_ITS_SERIAL}" ] || continue
        [ "${vk_wanted_wwn}" = - ] || [ "${vk_wanted_wwn}" = "${VK_ITS_WWN}" ] || continue
        VK_REPLY="${VK_REPLY}${VK_REPLY:+ }${VK_ITS_NAME}"
    done <"${VK_RUN}/devices"
}

# vk_match_disks NODE: writes VK_RUN/matches. A system disk must match one device; a disk that stays and is
# absent or there twice is only worth a line, as nothing is done to it.
vk_match_disks() {
    : >"${VK_RUN}/matches"
    : >"${VK_RUN}/notes"
    vk_system_disks=0
    if ! [ -r "${VK}/nodes/$1/disks" ]; then
        vk_fail VK-B06 "Node $1 has no list of disks."
        return 1
    fi
    while IFS="${VK_TAB}" read -r vk_use vk_name vk_serial vk_wwn vk_bytes vk_model vk_rest; do
        case "${vk_use}" in system | keep | data) ;; *) vk_rest=bad ;; esac
        [ "${vk_bytes}" = - ] || vk_number_ok "${vk_bytes}" || vk_rest=bad
        if ! vk_name_ok "${vk_name}" || [ -z "${vk_model}" ] || [ -n "${vk_rest}" ]; then
            vk_fail VK-B06 "The list of disks of node $1 has a line that is not understood."
            return 1
        fi
        vk_matching_devices "${vk_serial}" "${vk_wwn}"
        vk_count=0
        for vk_device in ${VK_REPLY}; do
            vk_count=$((vk_count + 1))
            printf '%s\t%s\t%s\t%s\t%s\n' "${vk_use}" "${vk_name}" "${vk_device}" "${vk_bytes}" "${vk_model}" \
                >>"${VK_RUN}/matches"
        done
        if [ "${vk_use}" = system ]; then
            vk_system_disks=$((vk_system_disks + 1))
            [ "${vk_count}" = 1 ] || {
                vk_fail_count "${vk_count}" "System disk ${vk_name} has serial ${vk_serial}, WWN ${vk_wwn}."
                return 1
            }
        elif [ "${vk_count}" -ne 1 ]; then
            printf '%s\n' "The ${vk_use} disk ${vk_name} was found ${vk_count} times." >>"${VK_RUN}/notes"
        fi
    done <"${VK}/nodes/$1/disks"
    if [ "${vk_system_disks}" -eq 0 ]; then
        vk_fail VK-B06 "Node $1 declares no system disk."
        return 1
    fi
}

# vk_fail_count COUNT TEXT: a system disk was not found once.
vk_fail_count() {
    vk_devices_text
    vk_details="$2${VK_NEWLINE}${VK_REPLY}"
    if [ "$1" = 0 ]; then
        vk_fail VK-B21 "${vk_details}"
    else
        vk_fail VK-B22 "${vk_details}"
    fi
}

# vk_check_lines_of DEVICE: only one declared disk may be this device.
vk_check_lines_of() {
    vk_uses=''
    vk_names=''
    while IFS="${VK_TAB}" read -r vk_use vk_name vk_device vk_rest; do
        [ "${vk_device}" = "$1" ] || continue
        vk_uses="${vk_uses}${vk_uses:+ }${vk_use}"
        vk_names="${vk_names}${vk_names:+, }${vk_name}"
    done <"${VK_RUN}/matches"
    [ "${vk_uses}" != system ] || return 0
    vk_describe_device "$1"
    case "${vk_uses}" in
        *keep* | *data*) vk_fail VK-B24 "Declared disks ${vk_names} are all ${VK_REPLY}." ;;
        *) vk_fail VK-B23 "Declared disks ${vk_names} are all ${VK_REPLY}." ;;
    esac
}

# vk_check_system_disk DEVICE NAME BYTES MODEL: may this device be wiped as that declared disk?
vk_check_system_disk() {
    vk_check_lines_of "$1" || return 1
    vk_describe_device "$1"
    vk_text="System disk $2 is ${VK_REPLY}."
    case "${VK_STICK}" in
        *" $1 "*)
            vk_fail VK-B25 "${vk_text}"
            return 1
            ;;
        *) ;;
    esac
    if ! vk_is_device_node "/dev/$1"; then
        vk_fail VK-B29 "${vk_text}"
        return 1
    fi
    if vk_is_in_use "$1"; then
        vk_fail VK-B26 "${vk_text}"
        return 1
    fi
    vk_read_attribute "${VK_ROOT}/sys/block/$1/ro"
    if [ "${VK_REPLY}" != 0 ]; then
        vk_fail VK-B27 "${vk_text}"
        return 1
    fi
    vk_read_device "$1"
    if [ "$3" != - ] && vk_sizes_differ "$3" "${VK_ITS_BYTES}"; then
        vk_fail VK-B28 "${vk_text}${VK_NEWLINE}Declared are $3 bytes, the device has ${VK_ITS_BYTES}."
        return 1
    fi
    if vk_models_differ "$4" "${VK_ITS_MODEL}"; then
        printf '%s\n' "System disk $2 (/dev/$1) is declared as $4, the device says ${VK_ITS_MODEL}." >>"${VK_RUN}/notes"
    fi
}

# vk_sizes_differ DECLARED FOUND: by more than a tenth of what is declared?
vk_sizes_differ() {
    vk_difference=$(($1 - $2))
    [ "${vk_difference}" -ge 0 ] || vk_difference=$((0 - vk_difference))
    [ "$((vk_difference * 10))" -gt "$1" ]
}

# vk_models_differ DECLARED FOUND: unless one contains the other; SCSI cuts models after 16 characters.
vk_models_differ() {
    vk_plain "$1"
    vk_declared=${VK_REPLY}
    vk_plain "$2"
    { [ -n "${vk_declared}" ] && [ -n "${VK_REPLY}" ]; } || return 1
    case "${vk_declared}" in *"${VK_REPLY}"*) return 1 ;; *) ;; esac
    case "${VK_REPLY}" in *"${vk_declared}"*) return 1 ;; *) return 0 ;; esac
}

# vk_resolve_disks NODE: VK_DISKS becomes the device paths of the node's system disks, in declared order.
vk_resolve_disks() {
    VK_DISKS=''
    vk_scan_disks
    vk_match_disks "$1" || return 1
    vk_find_stick || return 1
    while IFS="${VK_TAB}" read -r vk_disk_use vk_disk_name vk_disk vk_disk_bytes vk_disk_model; do
        [ "${vk_disk_use}" = system ] || continue
        vk_check_system_disk "${vk_disk}" "${vk_disk_name}" "${vk_disk_bytes}" "${vk_disk_model}" || return 1
        VK_DISKS="${VK_DISKS}${VK_DISKS:+ }/dev/${vk_disk}"
    done <"${VK_RUN}/matches"
    vk_log "system disks of $1: ${VK_DISKS}"
    [ -n "${VK_DISKS}" ] || vk_fail VK-B99 'No system disk was resolved.'
}

# vk_why_it_stays DEVICE: what a disk that is not wiped is, for a person.
vk_why_it_stays() (
    case "${VK_STICK}" in
        *" $1 "*)
            printf '%s' 'the Ventoy stick'
            exit 0
            ;;
        *) ;;
    esac
    while IFS="${VK_TAB}" read -r use name device rest; do
        [ "${device}" = "$1" ] || continue
        printf '%s' "declared as ${name}, ${use}"
        exit 0
    done <"${VK_RUN}/matches"
    printf '%s' 'not declared'
)

# vk_plan_text NODE: what would happen to each disk of the machine.
vk_plan_text() (
    title=''
    [ ! -r "${VK}/nodes/$1/title" ] || IFS= read -r title <"${VK}/nodes/$1/title"
    printf '%s\n\n' "Fleet ${VK_FLEET}, node $1: $(vk_show "${title}")"
    printf '%s\n' 'These disks will be WIPED:'
    for disk in ${VK_DISKS}; do
        vk_describe_device "${disk#/dev/}"
        printf '  %s\n' "${VK_REPLY}"
    done
    [ -z "${VK_DESTROY:-}" ] || printf '%s\n' 'These lose everything after the installation, with their pool:'
    while IFS="${VK_TAB}" read -r name rest; do
        pool=$(vk_pool_lost "$1" "${name}")
        [ -n "${pool}" ] || continue
        vk_describe_device "${name}"
        printf '  %s (pool %s)\n' "${VK_REPLY}" "${pool}"
    done <"${VK_RUN}/devices"
    printf '%s\n' 'These disks stay as they are:'
    while IFS="${VK_TAB}" read -r name rest; do
        case " ${VK_DISKS} " in *" /dev/${name} "*) continue ;; *) ;; esac
        pool=$(vk_pool_lost "$1" "${name}")
        [ -z "${pool}" ] || continue
        vk_describe_device "${name}"
        why=$(vk_why_it_stays "${name}")
        printf '  %s (%s)\n' "${VK_REPLY}" "${why}"
    done <"${VK_RUN}/devices"
    while IFS= read -r note; do
        printf 'Note: %s\n' "${note}"
    done <"${VK_RUN}/notes"
    [ -z "${VK_MISSING_MACS:-}" ] || printf 'Note: %s\n' "Declared network addresses not found: ${VK_MISSING_MACS}."
)
