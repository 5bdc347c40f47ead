# shellcheck shell=sh
# Which of the machine's disks are the node's? Needs lib.sh. Everything comes from sysfs, nothing is guessed.
#
# A declared disk is a device only if every identifier that is declared for it (serial, WWN) equals what the
# device reports; model and size only cross-check. VK_RUN/devices holds one line per whole disk:
#   name<TAB>serial<TAB>wwn<TAB>bytes<TAB>model       with - for what the device does not report
# VK_RUN/matches holds one line per declared disk and device that it matches:
#   use<TAB>name of the disk<TAB>device<TAB>declared bytes<TAB>declared model
# shellcheck disable=SC2034,SC2154  # VK_* variables come from lib.sh and are read by the family's script

# vk_wwn TEXT: the one form in which WWNs are compared: lower case, no blanks, without the prefix that says
# which register the number comes from (naa., eui., t10., nvme., uuid., 0x). Nothing for all zeros.
vk_wwn() (
    case "$1" in
        *[!!-~]* | *[A-Z]*) wwn=$(vk_squeeze "$1" | vk_lower) ;;
        *) wwn=$1 ;;
    esac
    case "${wwn}" in
        naa.* | eui.* | t10.*) wwn=${wwn#????} ;;
        nvme.* | uuid.*) wwn=${wwn#?????} ;;
        0x*) wwn=${wwn#??} ;;
        *) ;;
    esac
    vk_placeholder "${wwn}" || printf '%s' "${wwn}"
)

# vk_disk_serial FOLDER: virtio reports `serial`; NVMe and eMMC `device/serial`; SATA, SAS and USB the SCSI page
# 0x80, whose first four bytes are a header.
vk_disk_serial() (
    for file in "$1/serial" "$1/device/serial"; do
        serial=$(vk_attribute "${file}")
        vk_placeholder "${serial}" || {
            printf '%s' "${serial}"
            exit 0
        }
    done
    [ -r "$1/device/vpd_pg80" ] || exit 0
    serial=$(dd if="$1/device/vpd_pg80" bs=1 skip=4 2>/dev/null | tr -cd '!-~')
    vk_placeholder "${serial}" || printf '%s' "${serial}"
)

# vk_disk_wwn FOLDER
vk_disk_wwn() (
    for file in "$1/wwid" "$1/device/wwid"; do
        wwn=$(vk_attribute "${file}")
        wwn=$(vk_wwn "${wwn}")
        [ -z "${wwn}" ] || {
            printf '%s' "${wwn}"
            exit 0
        }
    done
)

# vk_disk_model FOLDER: printable, single blanks.
vk_disk_model() (
    for file in "$1/device/model" "$1/device/name"; do
        [ -r "${file}" ] || continue
        tr -c '!-~' ' ' 2>/dev/null <"${file}" | tr -s ' ' | sed 's/^ //; s/ $//'
        exit 0
    done
)

# vk_is_whole_disk FOLDER: a disk of the machine, not a part, a view or a collection of disks. Every such disk
# has a `device` link; the virtual ones (loop, ram, zram, dm, md, zd) have none. nvme0c0n1 is one path to a
# namespace that exists as nvme0n1 too.
vk_is_whole_disk() (
    [ -e "$1/device" ] || exit 1
    [ ! -e "$1/partition" ] || exit 1
    case "${1##*/}" in
        *[!a-z0-9]*) exit 1 ;;
        loop* | ram* | zram* | dm* | md* | sr* | scd* | fd* | nbd* | zd*) exit 1 ;;
        mmcblk*boot* | mmcblk*rpmb* | nvme*c*n*) exit 1 ;;
        *) ;;
    esac
    hidden=$(vk_attribute "$1/hidden")
    [ "${hidden:-0}" = 0 ] || exit 1
    sectors=$(vk_attribute "$1/size")
    vk_number_ok "${sectors}"
)

# vk_scan_disks: writes VK_RUN/devices. sysfs counts sizes in units of 512 bytes whatever the sector size.
vk_scan_disks() {
    : >"${VK_RUN}/devices"
    for vk_folder in "${VK_ROOT}"/sys/block/*; do
        vk_is_whole_disk "${vk_folder}" || continue
        vk_serial=$(vk_disk_serial "${vk_folder}")
        vk_wwn=$(vk_disk_wwn "${vk_folder}")
        vk_sectors=$(vk_attribute "${vk_folder}/size")
        vk_model=$(vk_disk_model "${vk_folder}")
        printf '%s\t%s\t%s\t%s\t%s\n' "${vk_folder##*/}" "${vk_serial:--}" "${vk_wwn:--}" \
            "$((vk_sectors * 512))" "${vk_model:--}" >>"${VK_RUN}/devices"
    done
    while IFS= read -r vk_line; do
        vk_log "disk: ${vk_line}"
    done <"${VK_RUN}/devices"
}

# vk_device_field DEVICE FIELD: one field of a device; FIELD is serial, wwn, bytes or model.
vk_device_field() (
    while IFS="${VK_TAB}" read -r name serial wwn bytes model; do
        [ "${name}" = "$1" ] || continue
        case "$2" in
            serial) printf '%s' "${serial}" ;;
            wwn) printf '%s' "${wwn}" ;;
            bytes) printf '%s' "${bytes}" ;;
            *) printf '%s' "${model}" ;;
        esac
    done <"${VK_RUN}/devices"
)

# vk_size_text BYTES: as disks are labelled, in powers of ten.
vk_size_text() (
    if [ "$1" -ge 1000000000000 ]; then
        printf '%s.%s TB' "$(($1 / 1000000000000))" "$(($1 % 1000000000000 / 100000000000))"
    elif [ "$1" -ge 1000000000 ]; then
        printf '%s GB' "$(($1 / 1000000000))"
    else
        printf '%s MB' "$(($1 / 1000000))"
    fi
)

# vk_device_text DEVICE: one line for a person.
vk_device_text() (
    serial=$(vk_device_field "$1" serial)
    model=$(vk_device_field "$1" model)
    size=$(vk_device_field "$1" bytes)
    size=$(vk_size_text "${size}")
    printf '%s' "/dev/$1: ${model}, ${size}, serial ${serial}"
)

# vk_devices_text: all disks of the machine with what identifies them, one a line.
vk_devices_text() (
    printf '%s' 'Disks of this machine:'
    while IFS="${VK_TAB}" read -r name rest; do
        text=$(vk_device_text "${name}")
        wwn=$(vk_device_field "${name}" wwn)
        printf '\n  %s' "${text}, WWN ${wwn}"
    done <"${VK_RUN}/devices"
)

# vk_vtoydump OPTION: what Ventoy's own tool prints of the medium that was booted from.
vk_vtoydump() {
    /ventoy/tool/vtoydump "$1" /ventoy/ventoy_os_param 2>/dev/null </dev/null
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
        vk_line=$(vk_vtoydump "${vk_option}")
        vk_line=${vk_line%%#*}
        case "${vk_line}" in
            /dev/*) vk_name=${vk_line#/dev/} ;;
            *) continue ;;
        esac
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
        vk_details=$(vk_devices_text)
        vk_fail VK-B20 "${vk_details}"
        return 1
    fi
}

# vk_stack FOLDER: `name major:minor` of a disk, its partitions and whatever stands on them (device mapper, md).
vk_stack() (
    number=$(vk_attribute "$1/dev")
    printf '%s %s\n' "${1##*/}" "${number}"
    for part in "$1"/*; do
        [ ! -e "${part}/partition" ] || vk_stack "${part}"
    done
    for holder in "$1"/holders/*; do
        [ ! -e "${holder}" ] || vk_stack "${VK_ROOT}/sys/block/${holder##*/}"
    done
)

# vk_is_ventoy_mapped DEVICE: does a device-mapper table of Ventoy stand on it? Ventoy names them `ventoy` (the
# ISO), `vtoy_persistent`, and `VentoyPart` or the partition's own name (the data partition).
vk_is_ventoy_mapped() (
    vk_stack "${VK_ROOT}/sys/block/$1" | {
        while IFS=' ' read -r name number; do
            label=$(vk_attribute "${VK_ROOT}/sys/block/${name}/dm/name")
            case "${label}" in
                '') ;;
                ventoy* | vtoy* | Ventoy*) exit 0 ;;
                *) [ ! -d "${VK_ROOT}/sys/block/$1/${label}" ] || exit 0 ;;
            esac
        done
        exit 1
    }
)

# vk_is_in_use DEVICE: is it, one of its partitions or something that stands on them mounted or used as swap?
# True also if that cannot be told.
vk_is_in_use() (
    mounts="${VK_ROOT}/proc/self/mountinfo"
    swaps="${VK_ROOT}/proc/swaps"
    { [ -r "${mounts}" ] && [ -d "${VK_ROOT}/sys/block/$1" ]; } || exit 0
    vk_stack "${VK_ROOT}/sys/block/$1" | {
        while IFS=' ' read -r name number; do
            if [ -z "${number}" ] || cut -d ' ' -f 3 "${mounts}" | grep -qxF -e "${number}"; then
                exit 0
            fi
            if [ -r "${swaps}" ] && cut -f 1 "${swaps}" | cut -d ' ' -f 1 | grep -qxF -e "/dev/${name}"; then
                exit 0
            fi
        done
        exit 1
    }
)

# vk_matching_devices SERIAL WWN: names of the devices that report every identifier that is declared.
vk_matching_devices() (
    serial=$1
    wwn=$2
    [ "${serial}" = - ] || serial=$(vk_squeeze "${serial}")
    if [ "${wwn}" != - ]; then
        wwn=$(vk_wwn "${wwn}")
        [ -n "${wwn}" ] || exit 0
    fi
    { [ "${serial}" != - ] || [ "${wwn}" != - ]; } || exit 0
    while IFS="${VK_TAB}" read -r name its_serial its_wwn rest; do
        [ "${serial}" = - ] || [ "${serial}" = "${its_serial}" ] || continue
        [ "${wwn}" = - ] || [ "${wwn}" = "${its_wwn}" ] || continue
        printf '%s\n' "${name}"
    done <"${VK_RUN}/devices"
)

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
        vk_devices=$(vk_matching_devices "${vk_serial}" "${vk_wwn}")
        vk_count=0
        for vk_device in ${vk_devices}; do
            vk_count=$((vk_count + 1))
            printf '%s\t%s\t%s\t%s\t%s\n' "${vk_use}" "${vk_name}" "${vk_device}" "${vk_bytes}" "${vk_model}" \
                >>"${VK_RUN}/matches"
        done
        if [ "${vk_use}" = system ]; then
            vk_system_disks=$((vk_system_disks + 1))
            vk_details="System disk ${vk_name} has serial ${vk_serial}, WWN ${vk_wwn}."
            vk_details="${vk_details}${VK_NEWLINE}$(vk_devices_text)"
            case "${vk_count}" in
                0) vk_fail VK-B21 "${vk_details}" ;;
                1) ;;
                *) vk_fail VK-B22 "${vk_details}" ;;
            esac || return 1
        elif [ "${vk_count}" -ne 1 ]; then
            printf '%s\n' "The ${vk_use} disk ${vk_name} was found ${vk_count} times." >>"${VK_RUN}/notes"
        fi
    done <"${VK}/nodes/$1/disks"
    if [ "${vk_system_disks}" -eq 0 ]; then
        vk_fail VK-B06 "Node $1 declares no system disk."
        return 1
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
    case "${vk_uses}" in
        system) ;;
        *keep* | *data*) vk_fail VK-B24 "Declared disks ${vk_names} are all $(vk_device_text "$1")." ;;
        *) vk_fail VK-B23 "Declared disks ${vk_names} are all $(vk_device_text "$1")." ;;
    esac
}

# vk_check_system_disk DEVICE NAME BYTES MODEL: may this device be wiped as that declared disk?
vk_check_system_disk() {
    vk_check_lines_of "$1" || return 1
    vk_text=$(vk_device_text "$1")
    vk_text="System disk $2 is ${vk_text}."
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
    vk_flag=$(vk_attribute "${VK_ROOT}/sys/block/$1/ro")
    if [ "${vk_flag}" != 0 ]; then
        vk_fail VK-B27 "${vk_text}"
        return 1
    fi
    vk_is=$(vk_device_field "$1" bytes)
    if [ "$3" != - ] && vk_sizes_differ "$3" "${vk_is}"; then
        vk_fail VK-B28 "${vk_text}${VK_NEWLINE}Declared are $3 bytes, the device has ${vk_is}."
        return 1
    fi
    vk_is=$(vk_device_field "$1" model)
    if vk_models_differ "$4" "${vk_is}"; then
        printf '%s\n' "System disk $2 (/dev/$1) is declared as $4, the device says ${vk_is}." >>"${VK_RUN}/notes"
    fi
}

# vk_sizes_differ DECLARED FOUND: by more than a tenth of what is declared?
vk_sizes_differ() (
    difference=$(($1 - $2))
    [ "${difference}" -ge 0 ] || difference=$((0 - difference))
    [ "$((difference * 10))" -gt "$1" ]
)

# vk_models_differ DECLARED FOUND: unless one contains the other; SCSI cuts models after 16 characters.
vk_models_differ() (
    declared=$(printf '%s' "$1" | tr -cd 'A-Za-z0-9' | vk_lower)
    found=$(printf '%s' "$2" | tr -cd 'A-Za-z0-9' | vk_lower)
    { [ -n "${declared}" ] && [ -n "${found}" ]; } || exit 1
    case "${declared}" in *"${found}"*) exit 1 ;; *) ;; esac
    case "${found}" in *"${declared}"*) exit 1 ;; *) ;; esac
    exit 0
)

# vk_resolve_disks NODE: VK_DISKS becomes the device paths of the node's system disks, in declared order.
vk_resolve_disks() {
    VK_DISKS=''
    vk_scan_disks
    vk_match_disks "$1" || return 1
    vk_find_stick || return 1
    # Read into variables first: the checks below read VK_RUN/matches themselves.
    vk_lines=$(grep "^system${VK_TAB}" "${VK_RUN}/matches")
    while IFS="${VK_TAB}" read -r vk_use vk_disk_name vk_disk vk_disk_bytes vk_disk_model; do
        vk_check_system_disk "${vk_disk}" "${vk_disk_name}" "${vk_disk_bytes}" "${vk_disk_model}" || return 1
        VK_DISKS="${VK_DISKS}${VK_DISKS:+ }/dev/${vk_disk}"
    done <<END
${vk_lines}
END
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
        text=$(vk_device_text "${disk#/dev/}")
        printf '  %s\n' "${text}"
    done
    [ -z "${VK_DESTROY:-}" ] || printf '%s\n' 'These lose everything after the installation, with their pool:'
    while IFS="${VK_TAB}" read -r name rest; do
        pool=$(vk_pool_lost "$1" "${name}")
        [ -n "${pool}" ] || continue
        text=$(vk_device_text "${name}")
        printf '  %s (pool %s)\n' "${text}" "${pool}"
    done <"${VK_RUN}/devices"
    printf '%s\n' 'These disks stay as they are:'
    while IFS="${VK_TAB}" read -r name rest; do
        case " ${VK_DISKS} " in *" /dev/${name} "*) continue ;; *) ;; esac
        pool=$(vk_pool_lost "$1" "${name}")
        [ -z "${pool}" ] || continue
        text=$(vk_device_text "${name}")
        why=$(vk_why_it_stays "${name}")
        printf '  %s (%s)\n' "${text}" "${why}"
    done <"${VK_RUN}/devices"
    while IFS= read -r note; do
        printf 'Note: %s\n' "${note}"
    done <"${VK_RUN}/notes"
    [ -z "${VK_MISSING_MACS:-}" ] || printf 'Note: %s\n' "Declared network addresses not found: ${VK_MISSING_MACS}."
)
