#!/ventoy/busybox/busybox sh
# Stands for Ventoy's own init in a rehearsal by direct boot. The kernel has unpacked the ISO's RAM disk, and over it
# what Ventoy would bring along; the ISO's own init waits at /ventoy/init. The order of events is Ventoy's (normal
# mode: IMG/cpio/ventoy/init_chain and ventoy_chain.sh): the injection archive over the root, the hook for the family,
# the LiveInjection hook, /proc unmounted, the ISO's own init.
before=$PATH
box=/ventoy/busybox/busybox
"${box}" --install -s /ventoy/busybox
# shellcheck disable=SC2123  # here are no other programs
PATH=/ventoy/busybox
export PATH

say() {
    echo "rehearsal: $1"
    echo "rehearsal: $1" >>/ventoy/log
}

mkdir -p /proc
mount -t proc proc /proc
# The machine's console belongs to the installer; the kernel's notes would come between its lines.
echo 3 >/proc/sys/kernel/printk
mv -f /ventoy/init /init
chmod 0755 /init

if [ -e /ventoy/ventoy_injection ]; then
    if ! tar -xjf /ventoy/ventoy_injection -C /; then say 'the injection archive could not be unpacked'; fi
    rm -f /ventoy/ventoy_injection
fi

# What Ventoy's hook for Debian does with a template: the installer reads it and takes the rest from its answers.
if [ "$(cat /ventoy/family)" = debian ] && [ -e /ventoy/autoinstall ]; then
    sed -i "/^mount \/proc\$/a export file=/ventoy/autoinstall; export auto='true'; export priority='critical'" /init
    if ! grep -qF 'file=/ventoy/autoinstall' /init; then say 'the init of the ISO takes no answers'; fi
fi

hook=/live_injection_7ed136ec_7a61_4b54_adc3_ae494d5106ea/hook.sh
if [ -f "${hook}" ]; then
    "${box}" sh "${hook}" debian >>/ventoy/log 2>&1
    echo "rehearsal: the hook ran"
    cat /ventoy/log
    ticket=$(grep -F ventoy-kit-ticket /ventoy/autoinstall)
    say "ticket ${ticket#*ticket }"
fi

# Answers on the command line (`owner/question=value`) are in the environment that the kernel gave. Ventoy's shell hands
# them on; others drop names that no variable of theirs can have.
tr '\000' '\n' </proc/1/environ >/ventoy/environ
set --
while IFS= read -r given; do
    case "${given%%=*}" in *[!A-Za-z0-9_]*) set -- "$@" "${given}" ;; esac
done </ventoy/environ
umount /proc
PATH=${before}
export PATH
cd /
exec "${box}" env "$@" /init
