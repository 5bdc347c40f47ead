# What follows switch_root in a rehearsal with a stand-in: it says what the Proxmox installer would find on its medium,
# writes a mark to the disks that the answer names, and switches the machine off. The answer holds the root password's
# hash, so only lines without secrets are shown.
box=/bin/busybox
${box} --install -s /bin
PATH=/bin
export PATH
mkdir -p /proc /sys /dev
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
if ! [ -f /cdrom/auto-installer-mode.toml ]; then
    echo 'stand-in: no answer was handed over, the installer would stop at its own prompt'
    poweroff -f
fi
echo "stand-in: mode $(cat /cdrom/auto-installer-mode.toml)"
echo "stand-in: fqdn $(grep -E '^fqdn *=' /cdrom/answer.toml)"
echo "stand-in: runner $(sha256sum </cdrom/proxmox-first-boot)"
echo "stand-in: answer $(sha256sum </cdrom/answer.toml)"
list=$(sed -n '/disk-list/,/\]/p' /cdrom/answer.toml | tr -d ' \n' | sed 's/.*\[\(.*\)\].*/\1/')
echo "stand-in: list ${list}"
for disk in $(echo "${list}" | tr -d '"' | tr ',' ' '); do
    if echo "stand-in installation" | dd of="${disk}" bs=4096 conv=fsync,notrunc 2>/dev/null; then
        echo "stand-in: wrote ${disk}"
    fi
done
echo 'stand-in: the installer has everything that it needs'
poweroff -f
