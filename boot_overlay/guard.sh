# shellcheck shell=sh
# The guard: one EFI variable that says which arming was the last to be used on this machine. Needs lib.sh and
# arming.sh. Never deleted; 55 bytes of text after the attributes:
#   VK1 <id of the last arming that installed> <id of the last one that was led to the installed system>
# Both ids only grow. A variable that reads otherwise is not written to.
#
# efivarfs: a file is four bytes of attributes and the value, and takes both in one write. A file that is there is
# immutable unless the kernel knows that it may go (BootNext may); one that is being made is not. The Debian installer
# has no chattr, but Ventoy's busybox has.
# shellcheck disable=SC2034,SC2154  # VK_* variables come from lib.sh and are read by the family's script

VK_EFI=/sys/firmware/efi
VK_VARIABLES="${VK_EFI}/efivars"
VK_GLOBAL=8be4df61-93ca-11d2-aa0d-00e098032b8c
VK_GUARD_NAME=VentoyKitArming-ef1015db-9a82-45d2-bd7c-0fe82060dd56
VK_NEVER=00000000T000000Z-00000000

# vk_efivarfs_is_mounted
vk_efivarfs_is_mounted() {
    cut -d ' ' -f 2,3 /proc/mounts | grep -qxF -e "${VK_VARIABLES} efivarfs"
}

# vk_open_variables: the firmware's variables are there to be read.
vk_open_variables() {
    if ! [ -d "${VK_EFI}" ]; then
        vk_fail VK-B63 'The machine was not started by UEFI.'
        return 1
    fi
    if ! vk_efivarfs_is_mounted; then
        modprobe efivarfs 2>>"${VK}/log"
        mount -t efivarfs efivarfs "${VK_VARIABLES}" 2>>"${VK}/log"
        if ! vk_efivarfs_is_mounted; then
            vk_fail VK-B63 'The installer has no access to the UEFI variables.'
            return 1
        fi
    fi
    # Every UEFI machine that has started something has this one; without it nothing here can be believed.
    if ! [ -e "${VK_VARIABLES}/BootCurrent-${VK_GLOBAL}" ]; then
        vk_fail VK-B63 'The firmware does not say what it started (BootCurrent).'
    fi
}

# vk_variable_read NAME FILE: one read, as a variable can be changed between two.
vk_variable_read() {
    rm -f "$2"
    dd if="${VK_VARIABLES}/$1" of="$2" bs=4096 count=1 2>>"${VK}/log" && [ -s "$2" ]
}

# vk_variable_lock FLAG FILE: set (+i) or clear (-i) the immutable flag, as far as there is a chattr.
vk_variable_lock() {
    chattr "$1" "$2" || /ventoy/busybox/busybox chattr "$1" "$2"
} 2>>"${VK}/log"

# vk_variable_write NAME FILE: FILE holds attributes and value. One write, then what the firmware holds is compared.
vk_variable_write() {
    vk_variable="${VK_VARIABLES}/$1"
    # If this fails, so does the write.
    [ ! -e "${vk_variable}" ] || vk_variable_lock -i "${vk_variable}"
    # Without notrunc the file would be emptied first, which newer kernels take for a deletion.
    dd if="$2" of="${vk_variable}" bs=4096 count=1 conv=notrunc 2>>"${VK}/log"
    vk_result=$?
    vk_variable_lock +i "${vk_variable}"
    [ "${vk_result}" = 0 ] && vk_variable_read "$1" "${VK_RUN}/written" && cmp -s "$2" "${VK_RUN}/written"
}

# vk_guard_form FIRED LEFT: the guard's bytes. Attributes: kept, readable by the firmware and by systems.
vk_guard_form() {
    printf '\007\000\000\000VK1 %s %s' "$1" "$2"
}

# vk_guard_id_ok ID
vk_guard_id_ok() {
    [ "$1" = "${VK_NEVER}" ] || vk_id_ok "$1"
}

# vk_guard_read: the ids into VK_GUARD_FIRED and VK_GUARD_LEFT. False if no guard can be kept on this machine.
vk_guard_read() {
    VK_GUARD_FIRED=${VK_NEVER}
    VK_GUARD_LEFT=${VK_NEVER}
    vk_open_variables || return 1
    [ -e "${VK_VARIABLES}/${VK_GUARD_NAME}" ] || return 0
    if ! vk_variable_read "${VK_GUARD_NAME}" "${VK_RUN}/guard"; then
        vk_fail VK-B64 "${VK_GUARD_NAME} cannot be read."
        return 1
    fi
    # Whatever is not a guard is found by the comparison below.
    vk_value=$(dd if="${VK_RUN}/guard" bs=4 skip=1 2>/dev/null | tr -cd '!-~ ')
    IFS=' ' read -r vk_format VK_GUARD_FIRED VK_GUARD_LEFT <<END
${vk_value}
END
    if ! { vk_guard_id_ok "${VK_GUARD_FIRED}" && vk_guard_id_ok "${VK_GUARD_LEFT}" &&
        vk_guard_form "${VK_GUARD_FIRED}" "${VK_GUARD_LEFT}" | cmp -s - "${VK_RUN}/guard"; }; then
        vk_fail VK-B64 "${VK_GUARD_NAME} reads: $(vk_show "${vk_value}")"
    fi
}

# vk_guard_write FIRED LEFT
vk_guard_write() {
    if ! vk_guard_form "$1" "$2" >"${VK_RUN}/guard.new" || ! vk_variable_write "${VK_GUARD_NAME}" "${VK_RUN}/guard.new"; then
        vk_fail VK-B65 "${VK_GUARD_NAME} could not be written, or does not read as it was written."
        return 1
    fi
    VK_GUARD_FIRED=$1
    VK_GUARD_LEFT=$2
    vk_log "guard: fired $1, led to the installed system $2"
}

# vk_entry_bytes NUMBER: a boot entry's four hexadecimal digits as the two bytes, low one first, of BootOrder.
vk_entry_bytes() (
    low=$(printf '%03o' "0x${1#??}")
    high=$(printf '%03o' "0x${1%??}")
    # shellcheck disable=SC2059  # octal escapes
    printf "\\${low}\\${high}"
)

# vk_entry_of FILE: the number of the boot entry that the two bytes in FILE name, if the machine has it.
vk_entry_of() (
    for file in "${VK_VARIABLES}"/Boot[0-9A-F][0-9A-F][0-9A-F][0-9A-F]-"${VK_GLOBAL}"; do
        number=${file##*/Boot}
        number=${number%%-*}
        if [ -e "${file}" ] && vk_entry_bytes "${number}" | cmp -s - "$1"; then
            printf '%s' "${number}"
            exit 0
        fi
    done
)

# vk_hex FILE: its bytes, each as a blank and two hexadecimal digits. The Debian installer has no hexdump, Ventoy has.
vk_hex() {
    hexdump -v -e '1/1 " %02x"' "$1" || /ventoy/busybox/busybox hexdump -v -e '1/1 " %02x"' "$1"
} 2>>"${VK}/log"

# vk_entry_starts NUMBER: is the entry active, neither hidden nor one of the firmware's own programs? UEFI 2.10, 3.1.3.
vk_entry_starts() (
    vk_variable_read "Boot$1-${VK_GLOBAL}" "${VK_RUN}/option" || exit 1
    dd if="${VK_RUN}/option" of="${VK_RUN}/attributes" bs=2 skip=2 count=1 2>/dev/null
    printf '\001\000' | cmp -s - "${VK_RUN}/attributes" || printf '\003\000' | cmp -s - "${VK_RUN}/attributes"
)

# vk_entry_is_own KIND: does the entry in VK_RUN/option start a system disk of the node? UEFI 2.10, 10.3: a hard drive's
# node begins with 04 01 2A 00; behind number, start and size of the partition stand its GUID and 02 02.
#   named  the entry names a partition that stands in the partition table of a system disk
#   whole  it names a disk and no partition, as firmwares do that look for disks by themselves: SCSI, SATA or NVMe
vk_entry_is_own() (
    path=$(vk_hex "${VK_RUN}/option")
    case "$1:${path}" in
        named:*' 04 01 2a 00'*)
            part=$(printf '%s' "${path#*' 04 01 2a 00'}" | cut -c 61-114)
            guid=${part%' 02 02'}
            # Not one of another form (a disk without GUIDs), and not the zeros of a table's empty lines.
            case "${guid}" in "${part}") exit 1 ;; *[!' 0']*) ;; *) exit 1 ;; esac
            vk_hex "${VK_RUN}/tables" | grep -qF -e "${guid}"
            ;;
        whole:*' 04 01 2a 00'* | whole:*' 03 05 06 00'*) exit 1 ;;
        whole:*' 03 02 08 00'* | whole:*' 03 12 0a 00'* | whole:*' 03 17 10 00'*) ;;
        *) exit 1 ;;
    esac
)

# vk_read_table DEVICE BLOCK: the partition table of a disk with blocks of so many bytes (UEFI 2.10, 5.3).
vk_read_table() {
    dd if="/dev/$1" bs="$2" count=34 2>>"${VK}/log"
}

# vk_own_tables: the partition tables of the node's system disks into VK_RUN/tables. VK_KINDS becomes what an entry may
# be: one that names no partition counts only where nothing but these disks and the stick can be meant.
vk_own_tables() {
    VK_KINDS='named whole'
    vk_scan_disks
    vk_match_disks "${VK_NODE}" || return 1
    vk_find_stick || VK_KINDS=named
    vk_own=' '
    while IFS="${VK_TAB}" read -r vk_use vk_name vk_device vk_rest; do
        [ "${vk_use}" = system ] || continue
        vk_own="${vk_own}${vk_device} "
        vk_read_attribute "/sys/block/${vk_device}/queue/logical_block_size"
        vk_read_table "${vk_device}" "${VK_REPLY:-512}"
    done <"${VK_RUN}/matches" >"${VK_RUN}/tables"
    while IFS="${VK_TAB}" read -r vk_device vk_rest; do
        case "${vk_own}${VK_STICK}" in *" ${vk_device} "*) ;; *) VK_KINDS=named ;; esac
    done <"${VK_RUN}/devices"
    for vk_device in /sys/block/sr*; do
        [ ! -e "${vk_device}" ] || VK_KINDS=named
    done
}

# vk_choose_entry: VK_ENTRY becomes the first entry of BootOrder that starts a system disk of this node and is not the
# one which the stick was started by; its bytes are in VK_RUN/entry. What may be somebody else's is never chosen.
vk_choose_entry() {
    VK_ENTRY=''
    if ! { vk_variable_read "BootCurrent-${VK_GLOBAL}" "${VK_RUN}/variable" &&
        dd if="${VK_RUN}/variable" of="${VK_RUN}/current" bs=2 skip=2 count=1 2>/dev/null &&
        vk_variable_read "BootOrder-${VK_GLOBAL}" "${VK_RUN}/order"; }; then
        vk_fail VK-B66 'BootCurrent or BootOrder cannot be read.'
        return 1
    fi
    vk_own_tables || return 1
    vk_size=$(wc -c <"${VK_RUN}/order")
    for vk_kind in ${VK_KINDS}; do
        vk_at=2
        while [ "$((vk_at * 2))" -lt "${vk_size}" ]; do
            dd if="${VK_RUN}/order" of="${VK_RUN}/entry" bs=2 skip="${vk_at}" count=1 2>/dev/null
            vk_at=$((vk_at + 1))
            if cmp -s "${VK_RUN}/entry" "${VK_RUN}/current"; then continue; fi
            VK_ENTRY=$(vk_entry_of "${VK_RUN}/entry")
            [ -n "${VK_ENTRY}" ] || continue
            if vk_entry_starts "${VK_ENTRY}" && vk_entry_is_own "${vk_kind}"; then return 0; fi
        done
    done
    VK_ENTRY=''
    vk_fail VK-B66 'No other active boot entry is one of a system disk of this node.'
}

# vk_boot_next: the firmware's next start is the chosen entry, once.
vk_boot_next() {
    if ! { { printf '\007\000\000\000' && cat "${VK_RUN}/entry"; } >"${VK_RUN}/next" &&
        vk_variable_write "BootNext-${VK_GLOBAL}" "${VK_RUN}/next"; }; then
        vk_fail VK-B66 'BootNext could not be written.'
    fi
}

# vk_power PROGRAM: `reboot` or `poweroff`, at once. Returns only if that failed.
vk_power() {
    vk_log "$1"
    sync
    "$1" -f || /ventoy/busybox/busybox "$1" -f
    sleep 10
} 2>>"${VK}/log"
