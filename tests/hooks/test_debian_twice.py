"""The hooks `repos`, `cluster` and `zfs` twice in a Debian 12 and 13: the second run changes no file.

The other hooks have such a test beside their own. Here /dev is a folder of the test, with disks that are only names;
`zpool` and `zfs` are stubs, and what the real ones do is tried in test_zfs_guest.py.
"""

from __future__ import annotations

import pytest

from tests.hooks.debian_root import TOOLS, DebianRoot, twice
from tests.hooks.scratch_root import shipped
from ventoy_kit.fleet.hook_facts import Table
from ventoy_kit.payload.runner import RunnerHook

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_tool(*TOOLS)]

NODES = (
    "name\tfqdn\taddress\n"
    "falcon\tfalcon.alliance.example\t10.66.0.11\n"
    "corvette\tcorvette.alliance.example\t10.66.0.12\n"
)
OWN_DEV = """
mount -t tmpfs -o mode=755 tmpfs /dev
mknod -m 666 /dev/null c 1 3
mknod -m 666 /dev/urandom c 1 9
mkdir -p /dev/disk/by-id
for name in vdx vdy; do : >/dev/$name; ln -s ../../$name /dev/disk/by-id/virtio-$name; done
"""
ZPOOL = """
case "$1 $*" in
list*health*) [ -e /srv/pool ] && echo ONLINE ;;
list*-v*) [ -e /srv/pool ] && printf 'tank\\n\\tmirror-0\\n\\t/dev/vdx\\n\\t/dev/vdy\\n' ;;
list*) if [ -e /srv/pool ]; then echo tank; fi ;;
create*) : >/srv/pool; echo lz4 >/srv/compression ;;
esac
"""
ZFS = "case $1 in get) cat /srv/compression ;; esac"


def with_facts(hook: RunnerHook, **facts: str) -> RunnerHook:
    tables: dict[Table, str] = {table: facts[table] for table in sorted(hook.spec.facts)}
    return RunnerHook(hook.spec, hook.params, tables)


def test_repos(debian: DebianRoot) -> None:
    debian.write("etc/apt/sources.list", f"deb http://mirror.example/debian {debian.suite} main\n")
    changes = twice(debian, shipped("repos", debian_components=["main", "contrib"]))
    assert changes == ["/etc/apt/sources.list"]
    assert debian.read("etc/apt/sources.list").endswith(f"{debian.suite} main contrib\n")


def test_cluster(debian: DebianRoot) -> None:
    debian.proxmox()
    debian.write("etc/hosts", "127.0.0.1 localhost\n10.66.0.11 falcon.alliance.example falcon\n")
    debian.stub("hostname", "echo falcon")
    debian.stub("timedatectl", "echo yes")
    debian.stub("ss", "echo LISTEN")
    debian.stub("ip", "echo '2: vmbr0 inet 10.66.0.11/24'")
    hook = with_facts(
        shipped("cluster"),
        nodes=NODES,
        networks="name\tcidr\nlan\t10.66.0.0/24\n",
        cluster="name\tlinks\nalliance\tlan\n",
    )
    assert twice(debian, hook) == ["/etc/hosts"]
    assert "10.66.0.12 corvette.alliance.example corvette\n" in debian.read("etc/hosts")


def test_zfs(debian: DebianRoot) -> None:
    debian.around = OWN_DEV
    for disk in ("vdx", "vdy"):
        debian.write(f"sys/block/{disk}/serial", f"S-{disk}")
        debian.write(f"sys/block/{disk}/device/vendor", "0x1af4\n")
    debian.write("sys/module/zfs/parameters/zfs_arc_max", "0\n")
    debian.write("srv/.keep", "")
    debian.stub("zpool", ZPOOL)
    debian.stub("zfs", ZFS)
    for tool, body in (("zdb", "exit 2"), ("wipefs", ""), ("blkid", "exit 2"), ("modprobe", "")):
        debian.stub(tool, body)
    for unit in ("zfs-import-cache.service", "zfs-import.target", "zfs-mount.service", "zfs.target"):
        debian.write(f"usr/lib/systemd/system/{unit}", "[Install]\nWantedBy=multi-user.target\n")
    hook = with_facts(
        shipped("zfs", mail=False, scrub=False, trim=False, storage=False),
        disks="name\tuse\tserial\twwn\tpool\none\tdata\tS-vdx\t-\ttank\ntwo\tdata\tS-vdy\t-\ttank\n",
        pools="name\traid\ntank\traid1\n",
        system="name\temail\nfalcon\tops@alliance.example\n",
    )
    changes = twice(debian, hook)
    assert "pool tank created: mirror /dev/disk/by-id/virtio-vdx /dev/disk/by-id/virtio-vdy" in changes
    assert "zfs-import-cache.service" in changes
