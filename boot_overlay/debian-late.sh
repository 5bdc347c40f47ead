#!/bin/sh
# Runs in the Debian installer as `d-i preseed/late_command string /ventoy-kit/debian-late.sh`, when the system lies
# in /target: root's SSH keys, the first-boot runner, and the overlay's log go there, and Ventoy's kernel parameter leaves it.
#
# A failure is not hidden: the installer shows "Failed to run preseeded command" with this script's exit code, since
# a node without its keys or hooks is not what the fleet file says.
PATH=/sbin:/bin:/usr/sbin:/usr/bin:/ventoy/busybox
export PATH
set -u

# shellcheck source=lib.sh
. /ventoy-kit/lib.sh

TARGET=/target
FIRST_BOOT=/var/lib/ventoy-kit/first-boot.new

# give_keys: root's authorized keys, once, beside those that are there.
give_keys() {
    keys="${VK}/nodes/${node}/authorized_keys"
    [ -s "${keys}" ] || return 0
    home="${TARGET}/root/.ssh"
    (umask 077 && mkdir -p "${home}" && : >>"${home}/authorized_keys") || return 1
    while IFS= read -r key; do
        grep -qxF -e "${key}" "${home}/authorized_keys" || printf '%s\n' "${key}" >>"${home}/authorized_keys" || return 1
    done <"${keys}"
    chmod 0700 "${home}" && chmod 0600 "${home}/authorized_keys"
}

# give_runner: the first-boot runner installs and enables its own unit.
give_runner() {
    runner="${VK}/nodes/${node}/first-boot"
    [ -s "${runner}" ] || return 0
    mkdir -p "${TARGET}${FIRST_BOOT%/*}" || return 1
    (umask 077 && cp "${runner}" "${TARGET}${FIRST_BOOT}") || return 1
    in-target sh "${FIRST_BOOT}" install || return 1
    rm -f "${TARGET}${FIRST_BOOT}"
}

# clean_parameters: in grub2 mode Ventoy starts the kernel with rdinit=/vtoy/vtoy, which the installer copies into the
# new system; that one would look for an initramfs program that it does not have, and not boot at all.
clean_parameters() {
    leak='rdinit=/vtoy/[^[:blank:]"'\'']*'
    leaked=0
    for file in "${TARGET}"/etc/default/grub "${TARGET}"/etc/default/grub.d/*.cfg "${TARGET}/etc/kernel/cmdline"; do
        if ! { [ -f "${file}" ] && grep -q -e "${leak}" "${file}"; }; then continue; fi
        leaked=1
        sed -i -e "s#[[:blank:]]*${leak}##g" "${file}" || return 1
        vk_log "a parameter of Ventoy was taken out of ${file}"
    done
    if [ -f "${TARGET}/boot/grub/grub.cfg" ] && grep -q -e "${leak}" "${TARGET}/boot/grub/grub.cfg"; then leaked=1; fi
    [ "${leaked}" = 1 ] || return 0
    in-target update-grub || return 1
    ! grep -q -e "${leak}" "${TARGET}/boot/grub/grub.cfg"
}

# keep_log: for whoever wonders later what was decided at boot.
keep_log() {
    [ -s "${VK}/log" ] || return 0
    mkdir -p "${TARGET}/var/log/ventoy-kit" && cp "${VK}/log" "${TARGET}/var/log/ventoy-kit/overlay.log"
}

node=''
[ -r "${VK_RUN}/node" ] && IFS= read -r node <"${VK_RUN}/node"
if ! vk_name_ok "${node}" || ! [ -d "${VK}/nodes/${node}" ]; then
    vk_log 'debian-late.sh: no node was handed over'
    exit 1
fi
failed=0
# lost WHAT: goes on, since the other things are worth having, and ends as a failure.
lost() {
    vk_log "debian-late.sh: $1 of ${node} did not get into the system"
    failed=1
}
give_keys || lost 'the SSH keys'
clean_parameters || lost 'a clean kernel command line'
give_runner || lost 'the first-boot runner'
keep_log || lost 'the log'
exit "${failed}"
