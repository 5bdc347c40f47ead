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
    while IFS= read -r key; do
        put_key "${TARGET}/root" "${key}" || return 1
    done <"${keys}"
}

# put_key HOME KEY: into the authorized keys below the target, once.
put_key() {
    (umask 077 && mkdir -p "$1/.ssh" && : >>"$1/.ssh/authorized_keys") || return 1
    grep -qxF -e "$2" "$1/.ssh/authorized_keys" || printf '%s\n' "$2" >>"$1/.ssh/authorized_keys" || return 1
    chmod 0700 "$1/.ssh" && chmod 0600 "$1/.ssh/authorized_keys"
}

# make_user NAME SUDO HASH TITLE: an account with its own group and a home. The hash goes through a file, as arguments
# are for all to see.
make_user() {
    if ! grep -q "^$1:" "${TARGET}/etc/passwd"; then
        in-target useradd --create-home --shell /bin/bash --comment "$4" "$1" || return 1
    fi
    (umask 077 && printf '%s:%s\n' "$1" "$3" >"${TARGET}/root/ventoy-kit.passwords") || return 1
    in-target sh -c 'chpasswd --encrypted </root/ventoy-kit.passwords'
    made=$?
    rm -f "${TARGET}/root/ventoy-kit.passwords"
    [ "${made}" = 0 ] || return 1
    [ "$2" = sudo ] || return 0
    in-target usermod --append --groups sudo "$1" || return 1
    # Without a password sudo could not ask for one.
    [ "$3" = '*' ] || return 0
    mkdir -p "${TARGET}/etc/sudoers.d" || return 1
    printf '%s ALL=(ALL:ALL) NOPASSWD: ALL\n' "$1" >"${TARGET}/etc/sudoers.d/ventoy-kit-$1" &&
        chmod 0440 "${TARGET}/etc/sudoers.d/ventoy-kit-$1"
}

# give_users: accounts and their keys, in the order of the file; it goes on after a failure.
give_users() {
    users="${VK}/nodes/${node}/users"
    [ -s "${users}" ] || return 0
    good=0
    while IFS="${VK_TAB}" read -r kind name first second title; do
        case "${kind}" in
            user) make_user "${name}" "${first}" "${second}" "${title}" </dev/null || good=1 ;;
            key)
                put_key "${TARGET}/home/${name}" "${first}" &&
                    in-target chown -R "${name}:${name}" "/home/${name}/.ssh" </dev/null || good=1
                ;;
            *) good=1 ;;
        esac
    done <"${users}"
    return "${good}"
}

# mirror_esp: with two system disks the second one gets the same EFI partition as the first. The installer mounts and
# fills one only. A hook of apt repeats that whenever packages were changed, and the firmware gets an entry for it.
mirror_esp() {
    [ -s "${VK}/nodes/${node}/esp" ] && [ -d "${TARGET}/boot/efi/EFI" ] || return 0
    mkdir -p "${TARGET}/usr/local/sbin" "${TARGET}/etc/apt/apt.conf.d" || return 1
    cp "${VK}/esp-sync.sh" "${TARGET}/usr/local/sbin/ventoy-kit-esp-sync" || return 1
    chmod 0755 "${TARGET}/usr/local/sbin/ventoy-kit-esp-sync" || return 1
    printf '%s\n' 'DPkg::Post-Invoke { "/usr/local/sbin/ventoy-kit-esp-sync || true"; };' \
        >"${TARGET}/etc/apt/apt.conf.d/90ventoy-kit-esp" || return 1
    in-target /usr/local/sbin/ventoy-kit-esp-sync --new
}

# give_runner: the first-boot runner installs and enables its own unit.
give_runner() {
    runner="${VK}/nodes/${node}/first-boot"
    # Neither of both: the node has no hooks.
    [ -e "${runner}" ] || [ -e "${runner}.rest" ] || return 0
    mkdir -p "${TARGET}${FIRST_BOOT%/*}" || return 1
    (umask 077 && : >"${TARGET}${FIRST_BOOT}") || return 1
    vk_put_runner "${node}" "${TARGET}${FIRST_BOOT}" || return 1
    vk_put_grant "${TARGET}${FIRST_BOOT}" || return 1
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
give_users || lost 'an account'
mirror_esp || lost 'the second EFI partition'
clean_parameters || lost 'a clean kernel command line'
give_runner || lost 'the first-boot runner'
keep_log || lost 'the log'
exit "${failed}"
