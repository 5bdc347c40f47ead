#!/bin/sh
# Install the programs that tests use, where this is a Debian or Ubuntu machine and the user is root.
# Elsewhere say what is missing and go on: the tests that need it are skipped, and counted.
set -eu

tools='busybox:busybox-static shellcheck:shellcheck xorriso:xorriso grub-mkrescue:grub-common mformat:mtools strace:strace fincore:util-linux-extra
mkfs.exfat:exfatprogs mount.exfat-fuse:exfat-fuse mkfs.fat:dosfstools sfdisk:fdisk sgdisk:gdisk partx:util-linux
qemu-system-x86_64:qemu-system-x86 setpriv:util-linux gpgv:gpgv sqv:sqv curl:curl
nginx:nginx-light cpio:cpio mkfs.ext4:e2fsprogs debootstrap:debootstrap
chromium:chromium pdftotext:poppler-utils'
PATH=$PATH:/usr/sbin:/sbin

missing=
for pair in $tools; do
    command -v "${pair%%:*}" >/dev/null 2>&1 || missing="$missing ${pair#*:}"
done
[ -d /usr/lib/grub/i386-pc ] || missing="$missing grub-pc-bin"
[ -d /usr/lib/grub/x86_64-efi ] || missing="$missing grub-efi-amd64-bin"
[ -e /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf ] || missing="$missing fonts-dejavu-core"
ldconfig -p | grep -q libpangoft2-1 || missing="$missing libpangoft2-1.0-0"
ldconfig -p | grep -q libharfbuzz-subset || missing="$missing libharfbuzz-subset0"
[ -d /usr/share/OVMF ] || missing="$missing ovmf"
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "installing$missing"
    # shellcheck disable=SC2086 # a list of words
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing; } \
        >/dev/null || echo "apt-get could not install all of$missing; tests that need them are skipped"
else
    echo "not installed:$missing (as root on Debian or Ubuntu this would install them); tests that need them are skipped"
fi
