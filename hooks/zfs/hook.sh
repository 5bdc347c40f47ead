#!/bin/sh
# Pools of data disks: imported if they exist on exactly these disks, created if the disks are blank, else refused.
# Destroyed only with the permission of the arming with which this machine was installed.
set -eu
# shellcheck source=/dev/null  # given by the runner
. "$VK_LIB"

BY_ID=/dev/disk/by-id
MODULE=/sys/module/zfs
MODPROBE=/etc/modprobe.d/zfs.conf
ZED=/etc/zfs/zed.d/zed.rc
CRON=/etc/cron.d/zfsutils-linux # Debian's and Proxmox VE's package
STORAGE=/etc/pve/storage.cfg
GIB=1073741824

# --- disks ------------------------------------------------------------------------------------------------

squeeze() { printf '%s' "$1" | tr -cd '!-~'; }
attribute() { if [ -r "$1" ]; then squeeze "$(tr -d '\0' <"$1" 2>/dev/null)"; fi; }

# A WWN in the one form in which they are compared: lower case, without the prefix that says where it comes from.
plain_wwn() { squeeze "$1" | tr '[:upper:]' '[:lower:]' | sed -E 's/^(naa\.|eui\.|t10\.|nvme\.|uuid\.|0x)//'; }

# virtio reports `serial`; NVMe and eMMC `device/serial`; SATA, SAS and USB the SCSI page 0x80 behind four bytes.
serial_of() {
    for file in "$1/serial" "$1/device/serial"; do
        found=$(attribute "$file")
        if [ -n "$found" ]; then
            printf '%s' "$found"
            return 0
        fi
    done
    if [ -r "$1/device/vpd_pg80" ]; then tail -c +5 "$1/device/vpd_pg80" 2>/dev/null | tr -cd '!-~'; fi
}
wwn_of() {
    for file in "$1/wwid" "$1/device/wwid"; do
        found=$(attribute "$file")
        if [ -n "$found" ]; then
            plain_wwn "$found"
            return 0
        fi
    done
}

# devices SERIAL WWN: names of the whole disks that report every identifier that is declared.
devices() {
    for folder in /sys/block/*; do
        [ -e "$folder/device" ] || continue # loop, md, dm, zd have none
        case ${folder##*/} in mmcblk*boot* | mmcblk*rpmb* | nvme*c*n*) continue ;; esac
        [ "$1" = - ] || [ "$(serial_of "$folder")" = "$(squeeze "$1")" ] || continue
        [ "$2" = - ] || [ "$(wwn_of "$folder")" = "$(plain_wwn "$2")" ] || continue
        printf '%s\n' "${folder##*/}"
    done
}

# stable NAME: the disk's link in by-id; the ones that name the disk itself come before those that name a path.
stable() {
    for prefix in wwn- nvme-eui. nvme- ata- scsi- virtio- ''; do
        for link in "$BY_ID/$prefix"*; do
            case $link in *-part[0-9]* | */dm-* | */lvm-* | */md-*) continue ;; esac
            [ "$(readlink -f -- "$link")" = "/dev/$1" ] || continue
            printf '%s' "$link"
            return 0
        done
    done
    return 1
}

# whole PATH-OR-NAME: the name of the whole disk that a device of a pool is, or lies on. Nothing if there is none.
whole() {
    case $1 in
    /*) path=$1 ;;
    *) path=$BY_ID/$1 ;;
    esac
    name=$(readlink -f -- "$path" || true)
    name=${name##*/}
    [ -n "$name" ] || return 0
    for folder in /sys/block/*; do
        if [ "${folder##*/}" = "$name" ] || [ -e "$folder/$name/partition" ]; then printf '%s\n' "${folder##*/}"; fi
    done
}

# find_members POOL: writes $VK_WORK/members, a line per disk: its name in the fleet file, device, by-id path.
find_members() {
    : >"$VK_WORK/members"
    vk_rows disks name use serial wwn pool >"$VK_WORK/disks"
    while IFS="$VK_TAB" read -r disk use serial wwn of; do
        if [ "$of" != "$1" ] || [ "$use" != data ]; then continue; fi
        { [ "$serial" != - ] || [ "$wwn" != - ]; } || why "the disk $disk has neither serial nor WWN" || return 1
        devices "$serial" "$wwn" >"$VK_WORK/found"
        case $(wc -l <"$VK_WORK/found") in
        0) why "the disk $disk (serial $serial, WWN $wwn) is not there" || return 1 ;;
        1) ;;
        *) why "several disks are $disk: $(paste -s -d ' ' "$VK_WORK/found")" || return 1 ;;
        esac
        device=$(cat "$VK_WORK/found")
        link=$(stable "$device") || why "/dev/$device ($disk) has no name in $BY_ID" || return 1
        printf '%s\t%s\t%s\n' "$disk" "$device" "$link" >>"$VK_WORK/members"
    done <"$VK_WORK/disks"
    [ -s "$VK_WORK/members" ] || why "no data disk belongs to it" || return 1
    [ -z "$(cut -f 2 "$VK_WORK/members" | sort | uniq -d)" ] || why "two of its disks are the same device"
}
wanted_devices() { cut -f 2 "$VK_WORK/members" | sort; }

# why TEXT: remembers why a pool cannot be had, and fails.
why() {
    WHY=$1
    return 1
}

# --- what a disk carries ----------------------------------------------------------------------------------

# carries DEVICE: everything that is recognised on a disk, nothing if it is blank.
carries() {
    for part in "/sys/block/$1/$1"*; do
        [ ! -e "$part/partition" ] || printf 'a partition table with %s\n' "${part##*/}"
    done
    for holder in "/sys/block/$1/holders/"*; do
        [ ! -e "$holder" ] || printf 'used by %s\n' "${holder##*/}"
    done
    wipefs --no-act --noheadings --output TYPE -- "/dev/$1" | sed 's/^/a signature of /'
    # 2: nothing found. Anything else, an ambivalent finding (8) included, is something.
    code=0
    blkid --probe -- "/dev/$1" >"$VK_WORK/blkid" || code=$?
    [ "$code" -eq 2 ] || printf 'what blkid sees: %s\n' "$(sed 's/^[^:]*: //' "$VK_WORK/blkid" | tr -d '\n')"
    # Also the two labels at the end of a disk, which survive what clears its beginning.
    if zdb -l "/dev/$1" 2>/dev/null | grep -Eq '^ *(pool_guid|txg|guid):'; then
        printf 'a label of the ZFS pool %s\n' "$(zdb -l "/dev/$1" 2>/dev/null | sed -n "s/^ *name: '\(.*\)'/\1/p" | head -n 1)"
    fi
}

# blank: are all members blank? WHY names the disks that are not.
blank() {
    foreign=
    while IFS="$VK_TAB" read -r disk device _; do
        what=$(carries "$device" | paste -s -d ';')
        [ -z "$what" ] || foreign="$foreign${foreign:+, }$disk (/dev/$device) carries $what"
    done <"$VK_WORK/members"
    [ -z "$foreign" ] || why "$foreign; nothing was touched"
}

# --- pools ------------------------------------------------------------------------------------------------

is_imported() { zpool list -H -o name 2>/dev/null | grep -Fxq -e "$1"; }

# Whole disks of an imported pool, sorted; -L resolves links and -P prints whole paths.
devices_of() {
    zpool list -v -H -L -P -o name "$1" | cut -f 2 | grep '^/' >"$VK_WORK/leaves" || true
    while IFS= read -r leaf; do whole "$leaf"; done <"$VK_WORK/leaves" | sort -u
}

# offers: one line per pool that could be imported: id, name, state, then its devices as by-id names, tab-separated.
offers() {
    zpool import -d "$BY_ID" 2>/dev/null | awk '
        function flush() { if (id != "") printf "%s\t%s\t%s%s\n", id, name, state, leaves; id = ""; leaves = "" }
        /^ *pool: / { flush(); name = $2; config = 0 }
        /^ *id: / { id = $2 }
        /^ *state: / { state = $2 }
        /^ *config:/ { config = 1; next }
        config && /^\t/ {
            if ($1 == name && !seen[id]++) next
            if ($1 ~ /^(mirror|raidz[123]?|draid[0-9a-z:]*|replacing|spare|special|dedup|logs|cache|spares|indirect)(-[0-9]+)?$/) next
            leaves = leaves "\t" $1
        }
        END { flush() }'
}

# offered POOL: finds the one pool of that name on exactly the members; sets OFFER to its id, empty if no member
# belongs to any pool and no pool has that name.
offered() {
    OFFER=
    offers >"$VK_WORK/offers"
    wanted_devices >"$VK_WORK/wanted"
    while IFS="$VK_TAB" read -r id name state leaves; do
        for leaf in $leaves; do
            found=$(whole "$leaf")
            printf '%s\n' "${found:-missing:$leaf}"
        done | sort -u >"$VK_WORK/has"
        if [ "$name" != "$1" ]; then
            shared=$(comm -12 "$VK_WORK/wanted" "$VK_WORK/has" | paste -s -d ' ')
            [ -z "$shared" ] || why "$shared belongs to another pool: $name (id $id); nothing was touched" || return 1
            continue
        fi
        cmp -s "$VK_WORK/wanted" "$VK_WORK/has" ||
            why "a pool of that name (id $id) lies on $(paste -s -d ' ' "$VK_WORK/has"), not on $(paste -s -d ' ' "$VK_WORK/wanted")" || return 1
        [ "$state" = ONLINE ] || why "it exists (id $id) and is $state; import it by hand" || return 1
        [ -z "$OFFER" ] || why "two pools of that name lie on its disks ($OFFER and $id)" || return 1
        OFFER=$id
    done <"$VK_WORK/offers"
}

# The host id is another one after every installation, so a pool that was not exported asks for -f. It is given only
# here, where name and every member are known to be right.
import_pool() {
    zpool import -d "$BY_ID" "$OFFER" 2>"$VK_WORK/said" || {
        grep -q -e '-f' "$VK_WORK/said" && zpool import -f -d "$BY_ID" "$OFFER" 2>"$VK_WORK/said"
    } || why "it cannot be imported: $(tail -n 3 "$VK_WORK/said" | paste -s -d ' ')" || return 1
    vk_changed "pool $1 imported (id $OFFER)"
}

# --- what an arming permits to destroy ----------------------------------------------------------------------

# parts DEVICE: the device nodes of its partitions.
parts() {
    for part in "/sys/block/$1/$1"*; do
        if [ -e "$part/partition" ]; then printf '/dev/%s\n' "${part##*/}"; fi
    done
}

# free POOL: may everything on the members go? Not while something uses them, nor if a pool reaches beyond them.
free() {
    if is_imported "$1"; then matches "$1" || return 1; fi
    wanted_devices >"$VK_WORK/wanted"
    offers >"$VK_WORK/offers"
    while IFS="$VK_TAB" read -r id name _ leaves; do
        for leaf in $leaves; do
            found=$(whole "$leaf")
            printf '%s\n' "${found:-missing:$leaf}"
        done | sort -u >"$VK_WORK/has"
        [ -n "$(comm -12 "$VK_WORK/wanted" "$VK_WORK/has")" ] || continue
        beyond=$(comm -13 "$VK_WORK/wanted" "$VK_WORK/has" | grep -v '^missing:' | paste -s -d ' ')
        [ -z "$beyond" ] || why "the pool $name (id $id) on its disks lies on $beyond too; nothing was destroyed" || return 1
    done <"$VK_WORK/offers"
    while IFS="$VK_TAB" read -r disk device _; do
        for holder in "/sys/block/$device/holders/"* "/sys/block/$device/$device"*/holders/*; do
            [ ! -e "$holder" ] || why "$disk (/dev/$device) is used by ${holder##*/}; nothing was destroyed" || return 1
        done
        lsblk --noheadings --output MOUNTPOINTS -- "/dev/$device" >"$VK_WORK/mounts" || why "lsblk does not know /dev/$device" || return 1
        used=$(grep . "$VK_WORK/mounts" | head -n 1 || true)
        [ -z "$used" ] || why "$disk (/dev/$device) is mounted on $used; nothing was destroyed" || return 1
    done <"$VK_WORK/members"
}

# clear_disk DEVICE: no label, table or signature is left. ZFS keeps two labels in the last half MiB, RAID and GPT keep
# theirs there too.
clear_disk() {
    parts "$1" >"$VK_WORK/nodes"
    printf '/dev/%s\n' "$1" >>"$VK_WORK/nodes"
    while IFS= read -r node; do
        zpool labelclear -f "$node" 2>/dev/null || true # fails where there is none
        wipefs --all --force --quiet -- "$node" || return 1
        size=$(blockdev --getsz "$node") || return 1 # in units of 512 bytes
        most=8192
        [ "$size" -ge "$most" ] || most=$size
        for start in 0 $((size - most)); do
            dd if=/dev/zero of="$node" bs=512 seek="$start" count="$most" conv=notrunc,fsync status=none || return 1
        done
    done <"$VK_WORK/nodes"
    blockdev --rereadpt "/dev/$1" || return 1
    udevadm settle
}

# destroy POOL: with the permission of this installation's arming, everything on exactly its members.
destroy() {
    free "$1" || return 1
    vk_use_permission
    # shellcheck disable=SC2154  # set by vk_use_permission
    by="arming $vk_arming"
    if ! is_imported "$1" && blank; then
        vk_note "the permission to destroy the pool $1 ($by) was not needed: its disks are blank"
        return 0
    fi
    if is_imported "$1"; then
        zpool destroy "$1" 2>"$VK_WORK/said" || why "it cannot be destroyed: $(tail -n 1 "$VK_WORK/said")" || return 1
    fi
    cut -f 2 "$VK_WORK/members" >"$VK_WORK/doomed"
    while IFS= read -r device; do
        clear_disk "$device" || why "/dev/$device cannot be cleared" || return 1
    done <"$VK_WORK/doomed"
    vk_changed "pool $1 destroyed as $by permits, on $(awk -F '\t' '{ print $1 " (/dev/" $2 ")" }' "$VK_WORK/members" | paste -s -d ',' | sed 's/,/, /g')"
}

# topology POOL: the words behind the name in `zpool create`.
topology() {
    raid=$(vk_fact pools "$1" raid || echo -)
    count=$(wc -l <"$VK_WORK/members")
    links=$(cut -f 3 "$VK_WORK/members" | paste -s -d ' ')
    case $raid in
    raid1) least=2 ;;
    raid10) least=4 ;;
    raidz-1) least=3 ;;
    raidz-2) least=4 ;;
    raidz-3) least=5 ;;
    *) least=1 ;;
    esac
    [ "$count" -ge "$least" ] || why "$raid needs $least disks and has $count" || return 1
    case $raid in
    raid0) ;;
    raid1) links="mirror $links" ;;
    raid10)
        [ $((count % 2)) -eq 0 ] || why "raid10 needs an even number of disks and has $count" || return 1
        links=$(cut -f 3 "$VK_WORK/members" | paste -d ' ' - - | sed 's/^/mirror /' | paste -s -d ' ')
        ;;
    raidz-[123]) links="raidz${raid#raidz-} $links" ;;
    -) [ "$count" -eq 1 ] || why "it has $count disks and the fleet file does not say how they are joined (pools: $1: raid)" || return 1 ;;
    *) why "$raid is not known here" || return 1 ;;
    esac
    TOPOLOGY=$links
}

# No -f: zpool looks for itself once more, and refuses what it finds.
create_pool() {
    topology "$1" || return 1
    # shellcheck disable=SC2086  # paths without blanks, made above
    zpool create -o "ashift=$VK_PARAM_ASHIFT" -O "compression=$VK_PARAM_COMPRESSION" "$1" $TOPOLOGY 2>"$VK_WORK/said" ||
        why "it cannot be created: $(tail -n 3 "$VK_WORK/said" | paste -s -d ' ')" || return 1
    vk_changed "pool $1 created: $TOPOLOGY"
}

# matches POOL: is the imported pool on exactly its members?
matches() {
    has=$(devices_of "$1" | paste -s -d ' ')
    wanted=$(wanted_devices | paste -s -d ' ')
    [ "$has" = "$wanted" ] || why "the pool of that name lies on $has, not on $wanted"
}

wanted_properties() {
    printf 'compression=%s\n' "$VK_PARAM_COMPRESSION"
    [ -z "$VK_PARAM_PROPERTIES" ] || printf '%s\n' "$VK_PARAM_PROPERTIES"
}

set_properties() {
    wanted_properties >"$VK_WORK/properties"
    while IFS='=' read -r key value; do
        [ "$(zfs get -H -o value "$key" "$1" 2>/dev/null)" != "$value" ] || continue
        zfs set "$key=$value" "$1" 2>"$VK_WORK/said" ||
            why "$key=$value is refused: $(tail -n 1 "$VK_WORK/said")" || return 1
        vk_changed "$1: $key=$value"
    done <"$VK_WORK/properties"
}

# have_pool POOL: imported, created, or already there; else WHY.
have_pool() {
    case $1 in
    [!a-z]* | mirror* | raidz* | draid* | spare* | log) why "ZFS does not take this name" || return 1 ;;
    esac
    find_members "$1" || return 1
    if vk_permission "$1"; then destroy "$1" || return 1; fi
    if is_imported "$1"; then
        matches "$1" || return 1
    else
        offered "$1" || return 1
        if [ -n "$OFFER" ]; then import_pool "$1" || return 1; else
            blank || return 1
            create_pool "$1" || return 1
        fi
    fi
    set_properties "$1"
}

# --- cache ------------------------------------------------------------------------------------------------

memory() { echo $(($(sed -n 's/^MemTotal: *\([0-9]*\) kB/\1/p' /proc/meminfo) * 1024)); }
configured_arc() { [ ! -f "$MODPROBE" ] || sed -nE 's/^options zfs (.* )?zfs_arc_max=([0-9]+).*/\2/p' "$MODPROBE" | tail -n 1; }

# The wish, at most the memory without a GiB for everything else; else what is set; else as Proxmox's installer does.
wanted_arc() {
    all=$(memory)
    if [ -n "$VK_PARAM_ARC_MAX" ]; then
        most=$((all - GIB))
        [ "$most" -ge $((all / 2)) ] || most=$((all / 2))
        if [ "$VK_PARAM_ARC_MAX" -le "$most" ]; then echo "$VK_PARAM_ARC_MAX"; else echo "$most"; fi
        return 0
    fi
    set_before=$(configured_arc)
    if [ -n "$set_before" ]; then
        echo "$set_before"
        return 0
    fi
    tenth=$((all / 10))
    [ "$tenth" -ge 67108864 ] || tenth=67108864
    [ "$tenth" -le $((16 * GIB)) ] || tenth=$((16 * GIB))
    echo "$tenth"
}

# A limit that is not above the minimum (1/32 of the memory) is ignored unless the minimum is lowered too.
arc_lines() {
    [ ! -f "$MODPROBE" ] || sed -E '/^options zfs /{s/ zfs_arc_(max|min)=[0-9]+//g;/^options zfs *$/d}' "$MODPROBE"
    if [ "$ARC" -le $(($(memory) / 32)) ]; then
        printf 'options zfs zfs_arc_max=%s zfs_arc_min=%s\n' "$ARC" "$((ARC - 1))"
    else
        printf 'options zfs zfs_arc_max=%s\n' "$ARC"
    fi
}

root_is_zfs() { [ "$(findmnt -n -o FSTYPE / 2>/dev/null)" = zfs ]; }

limit_cache() {
    ARC=$(wanted_arc)
    if [ "$(configured_arc)" != "$ARC" ]; then
        if root_is_zfs; then vk_owe initramfs; fi # the module is loaded from there
        arc_lines >"$VK_WORK/zfs.conf"
        vk_put "$MODPROBE" 644 <"$VK_WORK/zfs.conf"
    fi
    for name in min max; do # a minimum above the limit would make it void
        value=$(sed -nE "s/^options zfs (.* )?zfs_arc_$name=([0-9]+).*/\2/p" "$MODPROBE" | tail -n 1)
        file=$MODULE/parameters/zfs_arc_$name
        if [ -z "$value" ] || [ ! -w "$file" ] || [ "$(cat "$file")" = "$value" ]; then continue; fi
        printf '%s\n' "$value" >"$file" || vk_fail "$file does not take $value"
        vk_changed "zfs_arc_$name is $value now"
    done
    vk_owes initramfs || return 0
    update-initramfs -u -k all || vk_fail "update-initramfs failed"
    vk_paid initramfs
}

# --- upkeep -----------------------------------------------------------------------------------------------

# is_scheduled scrub|trim POOL: by the package's own table for cron, where cron runs, or by a timer.
is_scheduled() {
    if [ -f "$CRON" ] && grep -v '^#' "$CRON" | grep -q "zfs-linux/$1" && [ -x /usr/sbin/cron ]; then return 0; fi
    for every in weekly monthly; do
        if systemctl is-enabled --quiet "zfs-$1-$every@$2.timer" 2>/dev/null; then return 0; fi
    done
    return 1
}

wants() { if [ "$1" = scrub ]; then [ "$VK_PARAM_SCRUB" = true ]; else [ "$VK_PARAM_TRIM" = true ]; fi; }

schedule() {
    for work in scrub trim; do
        if ! wants "$work" || is_scheduled "$work" "$1"; then continue; fi
        systemctl enable "zfs-$work-monthly@$1.timer" || why "nothing runs zpool $work on it" || return 1
        systemctl start --no-block "zfs-$work-monthly@$1.timer" || why "the timer for zpool $work does not start" || return 1
        vk_changed "zfs-$work-monthly@$1.timer"
    done
}

# zfs-import-cache imports at every boot what the cache file names, and Proxmox's guests start after that.
enable_units() {
    for unit in zfs-import-cache.service zfs-import.target zfs-mount.service zfs.target; do
        if systemctl is-enabled --quiet "$unit" 2>/dev/null; then continue; fi
        systemctl enable "$unit" || vk_fail "$unit cannot be enabled"
        vk_changed "$unit"
    done
}

zed_line() {
    sed -E '/^#? ?ZED_EMAIL_ADDR=/d'
    printf 'ZED_EMAIL_ADDR="%s"\n' "$EMAIL"
}
contact() { vk_rows system email | head -n 1; }

# has_mail: can events be sent? PROBLEM says what is missing.
has_mail() {
    PROBLEM=
    if [ ! -f "$ZED" ]; then PROBLEM="the event daemon zfs-zed is not installed"; fi
    if ! command -v mail >/dev/null; then PROBLEM="${PROBLEM:+$PROBLEM, and }no program \`mail\` is installed"; fi
    [ -z "$PROBLEM" ]
}

send_mail() {
    EMAIL=$(contact)
    if [ ! -f "$ZED" ] || grep -Fxq -e "ZED_EMAIL_ADDR=\"$EMAIL\"" "$ZED"; then return 0; fi
    vk_owe zed
    vk_edit "$ZED" zed_line
}
restart_zed() {
    vk_owes zed || return 0
    ! systemctl is-active --quiet zfs-zed.service || systemctl restart zfs-zed.service || vk_fail "zfs-zed cannot be restarted"
    vk_paid zed
}

# --- Proxmox VE -------------------------------------------------------------------------------------------

is_proxmox() { command -v pvesm >/dev/null && [ -d /etc/pve ]; }

# of_storage POOL KEY: a value of the zfspool storage of that name; fails if there is no such storage.
of_storage() {
    [ -f "$STORAGE" ] && awk -v name="$1" -v key="$2" '
        /^[a-z]+:/ { inside = ($1 == "zfspool:" && $2 == name); if (inside) there = 1; next }
        inside && $1 == key { print $2 }
        END { exit !there }' "$STORAGE"
}

# has_storage POOL: on this node? A storage without `nodes` is everywhere.
has_storage() {
    [ "$(of_storage "$1" pool)" = "$1" ] || return 1
    nodes=$(of_storage "$1" nodes)
    case ,$nodes, in ,, | *,"$VK_NODE",*) ;; *) return 1 ;; esac
}

add_storage() {
    if has_storage "$1"; then return 0; fi
    if nodes=$(of_storage "$1" nodes); then
        [ "$(of_storage "$1" pool)" = "$1" ] || why "the storage $1 is another pool's" || return 1
        pvesm set "$1" --nodes "$nodes,$VK_NODE" 2>"$VK_WORK/said" ||
            why "pvesm: $(tail -n 1 "$VK_WORK/said")" || return 1
    else
        pvesm add zfspool "$1" --pool "$1" --content images,rootdir --sparse 1 --nodes "$VK_NODE" 2>"$VK_WORK/said" ||
            why "pvesm: $(tail -n 1 "$VK_WORK/said")" || return 1
    fi
    vk_changed "storage $1"
}

# --- ghosts -----------------------------------------------------------------------------------------------

# ghosts: what earlier installations left, a line each: `wiped TEXT` on disks of the system, `kept TEXT` on others.
ghosts() {
    vk_rows disks name use serial wwn >"$VK_WORK/disks"
    offers >"$VK_WORK/offers"
    while IFS="$VK_TAB" read -r disk use serial wwn; do
        { [ "$serial" != - ] || [ "$wwn" != - ]; } || continue
        device=$(devices "$serial" "$wwn" | head -n 1)
        [ -n "$device" ] || continue
        where=kept
        [ "$use" != system ] || where=wiped
        while IFS="$VK_TAB" read -r id name _ leaves; do
            for leaf in $leaves; do
                [ "$(whole "$leaf")" != "$device" ] ||
                    printf '%s the %s disk %s (/dev/%s) shows the pool %s (id %s), which is not in use\n' "$where" "$use" "$disk" "$device" "$name" "$id"
            done
        done <"$VK_WORK/offers"
        [ "$use" = keep ] || continue
        for node in "/dev/$device" "/sys/block/$device/$device"*; do
            [ "$node" = "/dev/$device" ] || [ -e "$node/partition" ] || continue
            type=$(blkid --probe --output value --match-tag TYPE -- "/dev/${node##*/}" 2>/dev/null) || continue
            case $type in
            LVM2_member) printf 'kept the keep disk %s carries a volume group on /dev/%s\n' "$disk" "${node##*/}" ;;
            linux_raid_member) printf 'kept the keep disk %s carries a RAID superblock on /dev/%s\n' "$disk" "${node##*/}" ;;
            vfat) printf 'kept the keep disk %s carries a FAT file system on /dev/%s, perhaps with a boot loader\n' "$disk" "${node##*/}" ;;
            esac
        done
    done <"$VK_WORK/disks"
}

# --- verbs ------------------------------------------------------------------------------------------------

pools() { vk_rows disks use pool | awk -F '\t' '$1 == "data" && $2 != "-" && !seen[$2]++ { print $2 }'; }

need_zfs() {
    for tool in zpool zfs zdb wipefs blkid; do
        command -v "$tool" >/dev/null || vk_fail "$tool is not installed (package zfsutils-linux or util-linux)"
    done
    [ -d "$MODULE" ] || modprobe zfs 2>/dev/null || vk_fail \
        "the kernel $(uname -r) has no module zfs; on Debian install zfs-dkms (contrib) with the headers of this kernel"
}

apply() {
    need_zfs
    failures=
    limit_cache
    enable_units
    if [ "$VK_PARAM_MAIL" = true ]; then send_mail; fi
    pools >"$VK_WORK/pools"
    while IFS= read -r pool; do # one pool's failure does not keep the others
        if have_pool "$pool" && schedule "$pool" && { [ "$VK_PARAM_STORAGE" = false ] || ! is_proxmox || add_storage "$pool"; }; then
            continue
        fi
        failures="$failures${failures:+; }pool $pool: $WHY"
    done <"$VK_WORK/pools"
    restart_zed
    ghosts >"$VK_WORK/ghosts"
    while read -r _ text; do vk_note "$text"; done <"$VK_WORK/ghosts"
    if [ "$VK_PARAM_MAIL" = true ] && ! has_mail; then failures="$failures${failures:+; }events cannot be mailed: $PROBLEM"; fi
    [ -z "$failures" ] || vk_fail "$failures"
}

verify_pool() {
    find_members "$1" || vk_drift "pool $1: $WHY"
    if ! is_imported "$1"; then
        vk_drift "pool $1 is not imported"
        return 0
    fi
    matches "$1" || vk_drift "pool $1: $WHY"
    health=$(zpool list -H -o health "$1")
    [ "$health" = ONLINE ] || vk_drift "pool $1 is $health"
    wanted_properties >"$VK_WORK/properties"
    while IFS='=' read -r key value; do
        is=$(zfs get -H -o value "$key" "$1")
        [ "$is" = "$value" ] || vk_drift "$1: $key is $is"
    done <"$VK_WORK/properties"
    for work in scrub trim; do
        if wants "$work" && ! is_scheduled "$work" "$1"; then vk_drift "nothing runs zpool $work on $1"; fi
    done
    if [ "$VK_PARAM_STORAGE" = true ] && is_proxmox && ! has_storage "$1"; then vk_drift "no storage $1 on this node"; fi
}

verify() {
    need_zfs
    pools >"$VK_WORK/pools"
    while IFS= read -r pool; do verify_pool "$pool"; done <"$VK_WORK/pools"
    ARC=$(wanted_arc)
    is=$(cat "$MODULE/parameters/zfs_arc_max" 2>/dev/null || echo unknown)
    [ "$is" = "$ARC" ] || vk_drift "zfs_arc_max is $is, not $ARC"
    if vk_owes initramfs; then vk_drift "the initramfs was not renewed"; fi
    if [ "$VK_PARAM_MAIL" = true ]; then
        has_mail || vk_drift "events cannot be mailed: $PROBLEM"
        [ ! -f "$ZED" ] || grep -Fxq -e "ZED_EMAIL_ADDR=\"$(contact)\"" "$ZED" || vk_drift "events are not mailed to $(contact)"
    fi
    ghosts >"$VK_WORK/ghosts"
    while read -r where text; do
        [ "$where" = kept ] || vk_drift "$text"
    done <"$VK_WORK/ghosts"
    vk_verdict
}

case ${1:-} in
apply) apply ;;
verify) verify ;;
*) vk_fail "verbs: apply, verify" ;;
esac
