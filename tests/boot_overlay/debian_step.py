"""Runs the early command of the Debian installer, with a debconf that writes down what it is told."""

from __future__ import annotations

from tests.boot_overlay.scratch import Scratch

CONFMODULE = """\
# What a person would see is appended to /screen, what is typed comes line by line from /typed. A refusal never
# returns, so the second dialog of type error ends the shell as a power switch would.
db_x_loadtemplatefile() { cat "$1" >/template; return 0; }
db_fset() { return 0; }
db_input() { echo "INPUT $1 $2" >>/screen; cat /template >>/screen; echo >>/screen; return 0; }
db_go() {
    if grep -q '^Type: error' /template; then
        echo x >>/errors
        [ "$(grep -c x /errors)" -lt 2 ] || kill -9 $$
        return 0
    fi
    [ -s /typed ] || return 30
}
# A progress bar: what it shows goes to /screen too; it is cancelled when it comes to the number in /cancel.
db_capb() { echo "CAPB $*" >>/screen; }
db_progress() {
    echo "PROGRESS $*" >>/screen
    case "$1" in
        START) cat /template >>/screen ;;
        SET) [ "$2" != "$(cat /cancel 2>/dev/null)" ] || return 30 ;;
    esac
    return 0
}
db_get() {
    RET=''
    case "$1" in
        ventoy-kit/*)
            RET=$(head -n 1 /typed)
            sed -i 1d /typed
            ;;
        *) RET=$(sed -n "s#^d-i $1 string ##p" /selections 2>/dev/null) ;;
    esac
    return 0
}
"""
PARTMAN = """\
d-i partman-auto/disk string @VENTOY_KIT_DISKS@
d-i partman-auto/method string regular
d-i grub-installer/bootdev string @VENTOY_KIT_DISKS@
d-i passwd/root-password-crypted password $6$a/b$c&d
"""


def prepare(root: Scratch) -> None:
    """A machine in the Debian installer that everything agrees with."""
    root.usual()
    root.write("ventoy-kit/nodes/falcon/partman.cfg", PARTMAN)
    root.write("usr/share/debconf/confmodule", CONFMODULE)
    # The devices of a scratch root do not exist; what is written to a disk is tested in test_wipe.py.
    root.append("ventoy-kit/wipe.sh", 'vk_zero() { echo "$*" >>/zeroed; }\n')
    selections = '#!/bin/sh\ncat "$1" >/selections\nls -l "$1" >/modes\n'
    root.write("bin/debconf-set-selections", selections, 0o755)
    names = ("nvme0n1", "nvme0n10", "sda", "sdb", "sdz")
    disks = "".join(f"/dev/{n}\\t500\\tmodel\\tgpt\\n" for n in names)
    root.write("bin/parted_devices", f"#!/bin/sh\nprintf '{disks}'\n", 0o755)
    listing = '#!/bin/sh\n[ "$1" = disk ] && printf \'/dev/sdz\\n/dev/nvme0n1\\n\'\n[ "$1" = cd ] && echo /dev/sr0\ntrue\n'
    root.write("bin/list-devices", listing, 0o755)


def run(root: Scratch, typed: str = "falcon\n") -> tuple[int, str]:
    """Exit code (-9: it was switched off at a refusal) and the screen."""
    root.write("typed", typed)
    done = root.shell("/ventoy-kit/debian.sh", timeout=30)
    screen = root.read("screen") if (root.path / "screen").exists() else ""
    return done.returncode, screen


def refused(root: Scratch, typed: str = "falcon\n") -> str:
    """The screen of a run that must refuse: the dialog comes again and again, no answer is set, nothing is hidden."""
    code, screen = run(root, typed)
    assert code == -9
    assert root.read("errors") == "x\n" * 2
    assert not (root.path / "selections").exists()
    return screen
