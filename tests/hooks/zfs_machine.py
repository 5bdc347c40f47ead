"""A machine whose disks and ZFS are stubs: the hook's own programs run in a scratch root, the hardware is a JSON file.

`zpool`, `zfs`, `zdb`, `wipefs`, `blkid` answer from one state and in the form of the real programs; what the real ones
do is tried in test_zfs_guest.py.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.hooks.scratch_root import HOOKS, ScratchRoot, shipped

_PROGRAM = r"""#!/usr/bin/python3
import json, os, sys
PATH = "/calls/zfs.json"
state = json.load(open(PATH))
name, args = os.path.basename(sys.argv[0]), sys.argv[1:]
with open("/calls/log", "a") as log:
    log.write(" ".join([name, *args]) + "\n")
def save():
    json.dump(state, open(PATH, "w"))
def fail(text, code=1):
    sys.stderr.write(text + "\n")
    sys.exit(code)
def disk(path):
    return os.path.basename(os.path.realpath(path))
def label(dev):
    for pool in state["pools"]:
        if dev in pool["disks"]:
            return pool
def by_id(dev):
    for link in sorted(os.listdir("/dev/disk/by-id")):
        if disk("/dev/disk/by-id/" + link) == dev:
            return link
    return "1234567890123"
if name == "wipefs" and "--all" in args:
    dev = disk(args[-1])
    state["foreign"].pop(dev, None)
    for pool in [p for p in state["pools"] if dev.rstrip("1") in p["disks"]]: state["pools"].remove(pool)
    save()
elif name == "wipefs":
    dev = disk(args[-1])
    if label(dev): print("zfs_member")
    if dev in state["foreign"]: print(state["foreign"][dev])
elif name == "blkid":
    dev = disk(args[-1])
    kind = state["foreign"].get(dev) or ("zfs_member" if label(dev) else None)
    if kind is None: sys.exit(2)
    print(kind if "--output" in args else "%s: TYPE=\"%s\"" % (args[-1], kind))
elif name == "zdb":
    pool = label(disk(args[-1]))
    if pool is None or state.get("no_labels"): fail("failed to unpack label 0", 2)
    print("------\n    version: 5000\n    name: '%s'\n    txg: 4\n    pool_guid: %s" % (pool["name"], pool["id"]))
elif name == "zfs":
    pool = next(p for p in state["pools"] if p["imported"] and p["name"] == args[-1])
    if args[0] == "get":
        print(pool["properties"].get(args[4], "-"))
    else:
        key, value = args[1].split("=", 1)
        if value == "refused": fail("cannot set property for '%s': bad value" % args[-1])
        pool["properties"][key] = value
        save()
elif args[0] == "labelclear":
    if not label(disk(args[-1]).rstrip("1")): fail("failed to read label", 1)
elif args[0] == "destroy":
    state["pools"] = [p for p in state["pools"] if p["name"] != args[1]]
    save()
elif args[0] == "list":
    pools = [p for p in state["pools"] if p["imported"] and args[-1] in ("name", p["name"])]
    for pool in pools:
        if "health" in args: print(pool["state"])
        else: print(pool["name"])
        if "-v" in args:
            print("\tmirror-0")
            for dev in pool["disks"]: print("\t/dev/" + dev + "1")
elif args[0] == "import" and len(args) == 3:
    for pool in state["pools"]:
        if pool["imported"]: continue
        print("   pool: %s\n     id: %s\n  state: %s" % (pool["name"], pool["id"], pool["state"]))
        print(" action: The pool can be imported using its name or numeric identifier and\n\tthe '-f' flag.")
        print(" config:\n\n\t%s  %s\n\t  mirror-0  %s" % (pool["name"], pool["state"], pool["state"]))
        for dev in pool["disks"]: print("\t    %s  ONLINE" % by_id(dev))
elif args[0] == "import":
    pool = next(p for p in state["pools"] if str(p["id"]) == args[-1])
    if pool["host"] != "mine" and "-f" not in args:
        fail("cannot import '%s': pool was previously in use from another system.\nThe pool can be imported, use 'zpool import -f' to import the pool." % pool["name"])
    if state.get("import_fails"): fail("cannot import: I/O error")
    pool["imported"], pool["host"] = True, "mine"
    save()
elif args[0] == "create":
    at = next(i for i in range(1, len(args)) if args[i][0] != "-" and args[i - 1] not in ("-o", "-O"))
    options = dict(args[i + 1].split("=") for i in range(1, at) if args[i] == "-O")
    devices = [disk(a) for a in args[at + 1:] if a.startswith("/")]
    if state.get("create_fails"): fail("cannot create '%s': no such device" % args[at])
    for dev in devices: open("/sys/block/%s/%s1/partition" % (dev, dev), "w").write("1\n")
    state["pools"].append({"name": args[at], "id": 77, "disks": devices, "imported": True, "state": "ONLINE",
                           "host": "mine", "properties": options})
    save()
else:
    fail("stub: " + " ".join(args))
"""

_MOUNTS = """
set -eu
root=$1; shift
mount --make-rprivate /
mount --bind /usr "$root/usr"
mount -o remount,bind,ro "$root/usr"
mount --bind "$root/.local" "$root/usr/local"
mount -t proc proc "$root/proc"
for node in null zero urandom; do : >"$root/dev/$node"; mount --bind "/dev/$node" "$root/dev/$node"; done
exec chroot "$root" "$@"
"""


@dataclass
class ZfsMachine:
    """A node with data disks sdb, sdc, ...; serial `S-sdb` and so on."""

    scratch: ScratchRoot
    params: dict[str, Any] = field(default_factory=dict)
    disks: dict[str, tuple[str, str]] = field(default_factory=dict)
    raid: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        write = self.scratch.write
        for tool in ("zpool", "zfs", "zdb", "wipefs", "blkid"):
            write(f".local/sbin/{tool}", _PROGRAM, 0o755)
        self.scratch.stub("systemctl", _SYSTEMCTL)
        for tool in ("modprobe", "update-initramfs", "mail", "lsblk", "udevadm"):
            self.scratch.stub(tool)
        self.scratch.stub("blockdev", _BLOCKDEV)
        self.scratch.stub("findmnt", "echo ext4")
        write("sys/module/zfs/parameters/zfs_arc_max", "0\n")
        write("sys/module/zfs/parameters/zfs_arc_min", "0\n")
        write("etc/zfs/zed.d/zed.rc", '# settings\nZED_EMAIL_ADDR="root"\nZED_NOTIFY_INTERVAL_SECS=3600\n')
        write("etc/modprobe.d/zfs.conf", "options zfs zfs_arc_max=111 zfs_dirty_data_max=5\n")
        write("calls/enabled", "")
        for number in range(4):
            self.plug(f"sd{chr(ord('b') + number)}")
        self.declare(sdb="tank", sdc="tank")
        self.raid = {"tank": "raid1"}
        self.state = {"pools": [], "foreign": {}}

    def plug(self, name: str, serial: str | None = None) -> None:
        write = self.scratch.write
        write(f"sys/block/{name}/device/serial", f"{serial or 'S-' + name}\n")
        write(f"sys/block/{name}/size", "2097152\n")
        (self.scratch.root / f"sys/block/{name}/{name}1").mkdir(exist_ok=True)
        write(f"dev/{name}", "")
        write(f"dev/{name}1", "")
        links = self.scratch.root / "dev/disk/by-id"
        links.mkdir(parents=True, exist_ok=True)
        for link, target in (
            (f"scsi-S-{name}", name),
            (f"wwn-0x{name}", name),
            (f"wwn-0x{name}-part1", f"{name}1"),
        ):
            (links / link).symlink_to(f"../../{target}")

    def unplug(self, name: str) -> None:
        (self.scratch.root / f"sys/block/{name}/device/serial").unlink()

    def declare(self, use: str = "data", **pools: str) -> None:
        self.disks |= {name: (use, pool) for name, pool in pools.items()}

    @property
    def state(self) -> dict[str, Any]:
        state: dict[str, Any] = json.loads(self.scratch.read("calls/zfs.json"))
        return state

    @state.setter
    def state(self, value: dict[str, Any]) -> None:
        self.scratch.write("calls/zfs.json", json.dumps(value))

    def has_pool(self, name: str, *disks: str, **more: Any) -> None:
        """A pool of an earlier life on these disks, each with a partition for it."""
        for disk in disks:
            self.scratch.write(f"sys/block/{disk}/{disk}1/partition", "1\n")
        pool = {
            "name": name,
            "id": 42,
            "disks": disks,
            "imported": False,
            "state": "ONLINE",
            "host": "before",
        }
        state = self.state
        state["pools"].append({**pool, "properties": {"compression": "lz4"}, **more})
        self.state = state

    def carries(self, disk: str, kind: str) -> None:
        state = self.state
        state["foreign"][disk] = kind
        self.state = state

    def permit(self, arming: str, pool: str) -> None:
        """What the runner has taken from the boot hook."""
        self.scratch.write(f"hook/grants/{arming}/{pool}", "")

    def permissions(self) -> list[str]:
        """Those that were not used."""
        folder = self.scratch.root / "hook/grants"
        return sorted(str(p.relative_to(folder)) for p in folder.glob("*/*"))

    def run(self, verb: str) -> tuple[int, list[str]]:
        """Run the hook as the runner does; its exit code and the lines of its result."""
        root = self.scratch.root
        for folder in ("hook/state", "hook/work"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        for left in (root / "hook/work").iterdir():
            left.unlink()
        self.scratch.write("hook/result", "")
        self.scratch.write("hook/lib.sh", (HOOKS / "_runner/library.sh").read_text())
        self.scratch.write("hook/hook.sh", (HOOKS / "zfs/hook.sh").read_text(), 0o700)
        rows = [f"{n}\t{use}\tS-{n}\t-\t{pool or '-'}\t-\t-" for n, (use, pool) in self.disks.items()]
        pools = [f"{name}\t{raid}" for name, raid in self.raid.items()]
        env = {
            "PATH": "/usr/local/sbin:/usr/sbin:/usr/bin",
            "LC_ALL": "C.UTF-8",
            "VK_NODE": "falcon",
            "VK_LIB": "/hook/lib.sh",
            "VK_STATE": "/hook/state",
            "VK_WORK": "/hook/work",
            "VK_RESULT": "/hook/result",
            "VK_GRANTS": "/hook/grants",
            "VK_FACT_DISKS": "\n".join(["name\tuse\tserial\twwn\tpool\tsize\tmodel", *rows]),
            "VK_FACT_POOLS": "\n".join(["name\traid", *pools]),
            "VK_FACT_SYSTEM": "name\tmemory\temail\nfalcon\t1\tops@alliance.example",
        }
        for name, value in shipped("zfs", **self.params).params.items():
            text = "\n".join(value) if isinstance(value, tuple) else str(value)
            env[f"VK_PARAM_{name.upper()}"] = text.lower() if isinstance(value, bool) else text
        command = [
            "unshare",
            "--mount",
            "--pid",
            "--fork",
            "sh",
            "-c",
            _MOUNTS,
            "sh",
            str(root),
            "/hook/hook.sh",
            verb,
        ]
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)
        result = self.scratch.read("hook/result").splitlines()
        assert done.returncode == 0 or any(line.startswith("failed ") for line in result), done.stderr
        assert "not found" not in done.stderr, done.stderr
        return done.returncode, result

    def tree(self) -> dict[str, object]:
        return {k: v for k, v in self.scratch.tree().items() if not k.startswith("hook/")} | {
            "zfs": self.state
        }


# A table that was cleared has no partitions when it is read again.
_BLOCKDEV = """
case $1 in
--getsz) echo 2048 ;;
--rereadpt) rm -f "/sys/block/${2##*/}/${2##*/}1/partition" ;;
esac
"""
_SYSTEMCTL = """
case $1 in
is-enabled) shift; [ "$1" != --quiet ] || shift; grep -Fxq -e "$1" /calls/enabled ;;
enable) [ ! -e /calls/no-timers ] || exit 1; printf '%s\\n' "$2" >>/calls/enabled ;;
esac
"""


def zfs_machine(folder: Path) -> ZfsMachine:
    return ZfsMachine(ScratchRoot(folder / "root"))
