#!/bin/sh
# Gives PCI devices to guests: vfio-pci before the host's drivers, boot parameters, Proxmox VE's resource mapping.
# Facts: pve-docs qm-pci-passthrough.adoc; Linux Documentation/driver-api/vfio.rst and ABI/testing/sysfs-bus-pci.
set -eu
# shellcheck source=/dev/null  # given by the runner
. "$VK_LIB"

PCI=/sys/bus/pci/devices
MODPROBE=/etc/modprobe.d/ventoy-kit-vfio.conf
MODULES=/etc/modules-load.d/ventoy-kit-vfio.conf
EARLY_MODULES=/etc/initramfs-tools/modules
EARLY_SCRIPT=/etc/initramfs-tools/scripts/init-top/ventoy-kit-vfio

hex() { sed 's/^0x//' "$1"; }
id_of() { printf '%s:%s' "$(hex "$PCI/$1/vendor")" "$(hex "$PCI/$1/device")"; }
class_of() { hex "$PCI/$1/class" | cut -c 1-4; }
name_of() { [ ! -e "$PCI/$1/$2" ] || basename "$(readlink "$PCI/$1/$2")"; } # ADDRESS LINK

# The functions of the chosen slots, one address a line, without bridges. A slot is an address without function.
functions() {
    slots | sort -u | while IFS= read -r slot; do
        for path in "$PCI/$slot".*; do
            [ "$(class_of "${path##*/}")" = 0604 ] || printf '%s\n' "${path##*/}"
        done
    done
}
slots() {
    printf '%s\n' "$VK_PARAM_DEVICES" | while IFS= read -r wanted; do
        found=no
        for path in "$PCI"/*; do
            address=${path##*/}
            slot=${address%.*}
            case $wanted in
            "$(id_of "$address")" | "$slot" | "$address" | "${slot#0000:}" | "${address#0000:}")
                printf '%s\n' "$slot"
                found=yes
                ;;
            esac
        done
        [ "$found" = yes ] || printf '%s\n' "$wanted" >>"$VK_WORK/missing"
    done
}

gather() {
    : >"$VK_WORK/missing"
    functions >"$VK_WORK/functions"
    [ ! -s "$VK_WORK/missing" ] ||
        vk_fail "this machine has no PCI device $(paste -s -d ' ' "$VK_WORK/missing"); is it plugged in, and not hidden by the firmware?"
    IDS=$(while read -r address; do id_of "$address" && echo; done <"$VK_WORK/functions" | sort -u | paste -s -d ,)
}

# ids= takes every device of an id; another card of the same kind, or a driver inside the kernel that no
# softdep can hold back, needs the address.
needs_address() {
    for path in "$PCI"/*; do
        address=${path##*/}
        if grep -qxF "$address" "$VK_WORK/functions"; then
            driver=$(name_of "$address" driver)
            # Drivers inside the kernel have a folder in /sys/module too; only modules have an initstate.
            case $driver in '' | vfio-pci) ;; *) [ -e "$PCI/$address/driver/module/initstate" ] || return 0 ;; esac
        else
            case ",$IDS," in *",$(id_of "$address"),"*) return 0 ;; esac
        fi
    done
    [ -e "$EARLY_SCRIPT" ] # once chosen it stays: bound to vfio-pci the reason no longer shows
}

# Modules that would take the functions: those that the kernel names for them, and for NVIDIA's cards its own too.
drivers() {
    {
        while read -r address; do
            modprobe --resolve-alias "$(cat "$PCI/$address/modalias")" 2>/dev/null || true
            case $(hex "$PCI/$address/vendor"):$(class_of "$address") in 10de:03*) printf '%s\n' nouveau nvidia nvidia_drm nvidiafb ;; esac
        done <"$VK_WORK/functions"
    } | tr - _ | grep -vx vfio_pci | sort -u
}

has_iommu_firmware() { [ -e /sys/firmware/acpi/tables/DMAR ] || [ -e /sys/firmware/acpi/tables/IVRS ]; }
is_boot_display() {
    while read -r address; do
        [ "$(cat "$PCI/$address/boot_vga" 2>/dev/null)" != 1 ] || return 0
    done <"$VK_WORK/functions"
    return 1
}
boot_words() {
    # On by default since Linux 6.8; Debian's kernels leave out integrated GPUs. AMD's needs no word.
    if grep -q '^vendor_id.*GenuineIntel' /proc/cpuinfo || [ -e /sys/firmware/acpi/tables/DMAR ]; then printf ' intel_iommu=on'; fi
    [ "$VK_PARAM_IOMMU_PT" = false ] || printf ' iommu=pt'
    # Bound to vfio-pci it still is the boot display, so the answer does not change with the binding.
    if [ "$VK_PARAM_FRAMEBUFFER" = release ] || { [ "$VK_PARAM_FRAMEBUFFER" = auto ] && is_boot_display; }; then
        printf ' initcall_blacklist=sysfb_init'
    fi
}
words() { boot_words | sed 's/^ //'; }

modprobe_text() {
    echo '# Written by ventoy-kit (hook vfio).'
    options=disable_vga=1
    [ "$VK_PARAM_DISABLE_IDLE_D3" = false ] || options="$options disable_idle_d3=1"
    if needs_address; then echo "options vfio-pci $options"; else echo "options vfio-pci ids=$IDS $options"; fi
    drivers | sed 's/.*/softdep & pre: vfio-pci/'
}

# Runs in the initramfs before udev loads drivers. A device that is not the expected one is left alone.
script_text() {
    cat <<'TEXT'
#!/bin/sh
# Written by ventoy-kit (hook vfio): these PCI addresses are for guests.
[ "$1" != prereqs ] || exit 0
modprobe vfio-pci
take() { # ADDRESS VENDOR DEVICE
    device=/sys/bus/pci/devices/$1
    [ -e "$device" ] || return 0
    read -r vendor <"$device/vendor"
    read -r model <"$device/device"
    [ "$vendor $model" = "$2 $3" ] || return 0
    echo vfio-pci >"$device/driver_override"
    if [ -e "$device/driver" ]; then echo "$1" >"$device/driver/unbind"; fi
    echo "$1" >/sys/bus/pci/drivers_probe
}
TEXT
    while read -r address; do
        printf 'take %s %s %s\n' "$address" "$(cat "$PCI/$address/vendor")" "$(cat "$PCI/$address/device")"
    done <"$VK_WORK/functions"
}

add_modules() {
    cat "$EARLY_MODULES"
    for module in vfio vfio_iommu_type1 vfio_pci; do grep -qx "$module" "$EARLY_MODULES" || printf '%s\n' "$module"; done
}

# --- the resource mapping of Proxmox VE: one for the cluster, with entries per node ----------------------

# One entry per slot or function: without the function all of them together are one device. The facts in it are
# compared by Proxmox VE when the guest starts.
mapping_entries() {
    sed 's/\.[0-7]$//' "$VK_WORK/functions" | sort -u | while IFS= read -r slot; do
        first=$(grep -F "$slot." "$VK_WORK/functions" | head -n 1)
        group=$(name_of "$first" iommu_group)
        printf 'node=%s,path=%s,id=%s,subsystem-id=%s:%s,iommugroup=%s\n' "$(uname -n | cut -d . -f 1)" "$slot" \
            "$(id_of "$first")" "$(hex "$PCI/$first/subsystem_vendor")" "$(hex "$PCI/$first/subsystem_device")" "$group"
    done
}
mapping_now() { # entries of the mapping, one a line, their fields in order; fails if there is none
    pvesh get "/cluster/mapping/pci/$VK_PARAM_MAPPING" --output-format json 2>/dev/null >"$VK_WORK/mapping" || return 1
    perl -MJSON::PP -0777 -ne 'my $m = decode_json($_)->{map} // []; print "$_\n" for ref $m ? @$m : $m' "$VK_WORK/mapping"
}
in_order() { while IFS= read -r entry; do printf '%s\n' "$entry" | tr ',' '\n' | sort | paste -s -d ,; done | sort; }
is_mapped() {
    mapping_now >"$VK_WORK/now" || return 1
    grep -E "(^|,)node=$(uname -n | cut -d . -f 1)(,|\$)" "$VK_WORK/now" | in_order >"$VK_WORK/mine" || true
    mapping_entries | in_order | cmp -s - "$VK_WORK/mine"
}
make_mapping() {
    if is_mapped; then return 0; fi
    if mapping_now >"$VK_WORK/now"; then
        grep -vE "(^|,)node=$(uname -n | cut -d . -f 1)(,|\$)" "$VK_WORK/now" >"$VK_WORK/entries" || true
        set -- set "/cluster/mapping/pci/$VK_PARAM_MAPPING"
    else
        : >"$VK_WORK/entries"
        set -- create /cluster/mapping/pci --id "$VK_PARAM_MAPPING"
    fi
    mapping_entries >>"$VK_WORK/entries"
    while IFS= read -r entry; do set -- "$@" --map "$entry"; done <"$VK_WORK/entries"
    pvesh "$@" || vk_fail "Proxmox VE did not take the resource mapping $VK_PARAM_MAPPING"
    vk_changed "resource mapping $VK_PARAM_MAPPING"
}
wants_mapping() { [ "$VK_FAMILY" = proxmox-ve ] && [ -n "$VK_PARAM_MAPPING" ]; }
has_groups() {
    while read -r address; do [ -e "$PCI/$address/iommu_group" ] || return 1; done <"$VK_WORK/functions"
}

apply() {
    gather
    has_iommu_firmware ||
        vk_fail "the firmware offers no IOMMU (no ACPI table DMAR or IVRS); switch on VT-d or AMD-Vi in its setup"
    check_sharing
    printf '# Written by ventoy-kit (hook vfio).\nvfio\nvfio_iommu_type1\nvfio_pci\n' | vk_put "$MODULES" 644
    modprobe_text | vk_early "$MODPROBE" 644
    add_modules >"$VK_WORK/modules"
    vk_early "$EARLY_MODULES" 644 <"$VK_WORK/modules"
    if needs_address; then script_text | vk_early "$EARLY_SCRIPT" 755; else vk_early_gone "$EARLY_SCRIPT"; fi
    vk_boot_words vfio "$(words)"
    vk_settle_boot
    # Without groups (the IOMMU was off in this boot) the next attempt makes the mapping.
    if wants_mapping && has_groups; then make_mapping; fi
}

# Devices of the host in the groups of ours: neither ours nor bridges.
# shellcheck disable=SC2094  # grep and id_of only read
strangers() {
    while read -r address; do
        for path in "$PCI/$address"/iommu_group/devices/*; do
            other=${path##*/}
            [ -e "$PCI/$other" ] || continue
            case $(class_of "$other") in 0600 | 0604) continue ;; esac
            grep -qxF "$other" "$VK_WORK/functions" || printf '%s (%s) in group %s\n' "$other" "$(id_of "$other")" "$(name_of "$address" iommu_group)"
        done
    done <"$VK_WORK/functions" | sort -u
}
check_sharing() {
    shared=$(strangers | paste -s -d ';')
    [ -n "$shared" ] || return 0
    [ "$VK_PARAM_SHARED_GROUP" = report ] ||
        vk_fail "the IOMMU group is shared with $shared; use another PCI slot, or choose these devices too"
    vk_note "the IOMMU group is shared with $shared"
}

verify() {
    gather
    while read -r address; do
        driver=$(name_of "$address" driver)
        group=$(name_of "$address" iommu_group)
        resets=$(cat "$PCI/$address/reset_method" 2>/dev/null) || resets=
        vk_note "$address $(id_of "$address"): driver ${driver:-none}, group ${group:-none}, reset methods: ${resets:-none}"
        [ "$driver" = vfio-pci ] || vk_drift "$address is bound to ${driver:-no driver}, not to vfio-pci"
        [ -n "$group" ] || vk_drift "$address has no IOMMU group; is the IOMMU on?"
    done <"$VK_WORK/functions"
    shared=$(strangers | paste -s -d ';')
    if [ -n "$shared" ]; then
        vk_note "the IOMMU group is shared with $shared"
        [ "$VK_PARAM_SHARED_GROUP" = report ] || vk_drift "the IOMMU group is shared with $shared"
    fi
    vk_check_boot "$(words)"
    if wants_mapping; then is_mapped || vk_drift "the resource mapping $VK_PARAM_MAPPING lacks these devices; run the hook again"; fi
    vk_verdict
}

case ${1:-} in
apply) apply ;;
verify) verify ;;
*) vk_fail "verbs: apply, verify" ;;
esac
