"""The hook `zfs` with the real thing: Debian 13 in QEMU, its own kernel, OpenZFS built for that kernel, real disks.

The module is built natively in the root, by dkms, and kept in the cache of the tests; that takes several minutes, so the
test is one of `make soak`.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import PATH
from tests.hooks.scratch_root import HOOKS
from tests.support import guest as machines
from tests.support.guest import Guest, guest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.needs_root,
    pytest.mark.needs_tool(*machines.TOOLS),
    pytest.mark.timeout(5400),
    pytest.mark.skipif(not os.environ.get("VENTOY_KIT_SOAK"), reason="`make soak` builds the module of ZFS"),
]

PACKAGES = (*machines.MINIMUM, "linux-headers-cloud-amd64", "zfsutils-linux")
BUILD = "DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends zfs-dkms"
UNUSED = "apt-get purge -y --autoremove zfs-dkms dkms linux-headers-cloud-amd64"
RELEASE = "trixie"


def image() -> Path:
    """A disk image of Debian with ZFS for its kernel, without the compiler that made it."""
    return machines._cached(f"zfs-{RELEASE}-{machines._key((*PACKAGES, BUILD))}.img", _make)


def _make(place: Path) -> None:
    root = place.with_name(place.name + ".root")
    try:
        subprocess.run(
            [
                *("debootstrap", "--variant=minbase", "--components=main,contrib"),
                *(f"--include={','.join(PACKAGES)}", RELEASE, str(root), *_mirror()),
            ],
            check=True,
            capture_output=True,
            env={**os.environ, "PATH": PATH},
        )
        for command in (BUILD, f"cp -a /lib/modules/*/updates /root/; {UNUSED}", _KEEP):
            subprocess.run(
                ["unshare", "--mount", "sh", "-c", _IN_ROOT, "sh", str(root), command],
                check=True,
                capture_output=True,
            )
        shutil.rmtree(root / "var/cache/apt/archives")
        machines._prepare(root)
        with place.open("wb") as file:
            file.truncate(machines.SIZE)
        machines._checked("mkfs.ext4", "-q", "-F", "-d", str(root), str(place))
    finally:
        shutil.rmtree(root, ignore_errors=True)


_IN_ROOT = 'mount --make-rprivate / && mount -t proc proc "$1/proc" && chroot "$1" sh -c "$2"'
_KEEP = "cd /lib/modules/* && rm -rf updates && mv /root/updates . && depmod ${PWD##*/}"


def _mirror() -> list[str]:
    asked = ("apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages", "Label: Debian")
    return subprocess.run(asked, capture_output=True, text=True).stdout.split()[:1]


def disks(folder: Path) -> list[str]:
    """Arguments for three disks that outlive a machine; their serials are D1, D2, D3."""
    words = []
    for number in (1, 2, 3):
        file = folder / f"d{number}.img"
        if not file.exists():
            with file.open("wb") as new:
                new.truncate(256 << 20)
        words += ["-drive", f"file={file},if=none,id=d{number},format=raw,cache=unsafe"]
        # Behind the machine's own disk, which stays /dev/vda.
        words += ["-device", f"virtio-blk-pci,drive=d{number},serial=D{number},addr={0x10 + number:#x}"]
    return words


def prepare(vm: Guest, host_id: str) -> None:
    """Boot a machine with a host id of its own, and put the hook into it."""
    vm.boot(timeout=1200)
    vm.ask(f"zgenhostid -f {host_id} && udevadm settle")
    vm.put("/root/lib.sh", (HOOKS / "_runner/library.sh").read_text())
    vm.put("/root/hook.sh", (HOOKS / "zfs/hook.sh").read_text(), 0o755)


def run(vm: Guest, verb: str, pools: str = "tank\traid1") -> tuple[int, list[str]]:
    """Run the hook as the runner does."""
    facts = {
        "VK_FACT_DISKS": "name\tuse\tserial\twwn\tpool\n"
        "one\tdata\tD1\t-\ttank\ntwo\tdata\tD2\t-\ttank\nthree\tdata\tD3\t-\t"
        + ("vault" if "vault" in pools else "-"),
        "VK_FACT_POOLS": f"name\traid\n{pools}",
        "VK_FACT_SYSTEM": "name\temail\nfalcon\tops@alliance.example",
        "VK_PARAM_ASHIFT": "12",
        "VK_PARAM_COMPRESSION": "lz4",
        "VK_PARAM_PROPERTIES": "atime=off",
        "VK_PARAM_ARC_MAX": str(128 << 20),
        "VK_PARAM_SCRUB": "true",
        "VK_PARAM_TRIM": "true",
        "VK_PARAM_MAIL": "false",
        "VK_PARAM_STORAGE": "true",
        "VK_NODE": "falcon",
        "VK_LIB": "/root/lib.sh",
        "VK_STATE": "/root/state",
        "VK_WORK": "/root/work",
        "VK_RESULT": "/root/result",
        "VK_GRANTS": "/root/grants",
    }
    env = " ".join(f"{key}={shlex.quote(value)}" for key, value in facts.items())
    vm.ask("rm -rf /root/work; mkdir -p /root/work /root/state; : >/root/result")
    code, out = vm.run(f"{env} /root/hook.sh {verb}", timeout=600)
    result = vm.ask("cat /root/result").splitlines()
    assert code == 0 or any(line.startswith("failed ") for line in result), out
    return code, result


def test_a_mirror_outlives_a_new_installation_file_by_file(tmp_path: Path) -> None:
    base, extra = image(), disks(tmp_path)
    with guest(tmp_path / "first", base, extra=extra, memory=1024) as vm:
        prepare(vm, "aaaa0001")
        code, result = run(vm, "apply")
        assert code == 0, result
        created = next(line for line in result if "created" in line)
        assert re.search(r"mirror /dev/disk/by-id/\S*D1 /dev/disk/by-id/\S*D2$", created)
        assert run(vm, "apply") == (0, [])
        assert run(vm, "verify") == (0, [])
        assert vm.ask("zpool list -H -o health,ashift tank").split() == ["ONLINE", "12"]
        assert int(vm.ask("cat /sys/module/zfs/parameters/zfs_arc_max")) == 128 << 20
        vm.ask(
            "cd /tank && for n in $(seq 40); do head -c $((n * 30000)) /dev/urandom >file-$n; done; "
            "zfs create tank/sub && cp file-4* sub/ && ln -s file-1 link && zpool sync"
        )
        digests = vm.ask("cd /tank && find . -type f -exec sha256sum {} + | sort", timeout=300)
        assert digests.count("\n") == 42
        vm.kill()  # nothing is exported: the pool still belongs to this host id
    machines._checked("mkfs.ext4", "-q", "-F", str(tmp_path / "d3.img"))
    with guest(tmp_path / "second", base, extra=extra, memory=1024) as vm:
        prepare(vm, "bbbb0002")
        code, result = run(vm, "apply")
        assert code == 0, result
        assert any(line.startswith("changed pool tank imported") for line in result)
        assert vm.ask("cd /tank && find . -type f -exec sha256sum {} + | sort", timeout=300) == digests
        assert vm.ask("readlink /tank/link").strip() == "file-1"
        assert run(vm, "apply") == (0, [])
        assert run(vm, "verify") == (0, [])
        code, result = run(vm, "apply", "tank\traid1\nvault\traid0")
        assert code == 1
        assert "pool vault: three (/dev/" in result[-1]
        assert "ext4" in result[-1]
        assert "ext4" in vm.ask("blkid -p /dev/disk/by-id/virtio-D3")
        vm.ask("zpool offline tank /dev/disk/by-id/virtio-D2")
        code, result = run(vm, "verify")
        assert code == 1
        assert any("tank is DEGRADED" in line for line in result)
        # An arming that permits it: everything on exactly its two disks goes, and the pool is made anew.
        vm.ask("mkdir -p /root/grants/ID && : >/root/grants/ID/tank")
        code, result = run(vm, "apply")
        assert code == 0, result
        assert any(line.startswith("changed pool tank destroyed as arming ID permits") for line in result)
        assert vm.ask("ls -A /tank /root/grants/ID").split() == ["/root/grants/ID:", "/tank:"]
        assert run(vm, "apply") == (0, [])
        assert run(vm, "verify") == (0, [])
        assert "ext4" in vm.ask("blkid -p /dev/disk/by-id/virtio-D3")
