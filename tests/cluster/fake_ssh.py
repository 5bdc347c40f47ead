"""A program `ssh` that leads into a simulated cluster, for runs of the real command line.

The command that it is given runs for real in a mount namespace of its own, with /etc/pve of the node laid over the
host's, and with `pvecm`, `pvesh`, `hostname`, `ip` that answer from the simulation, which is kept in a file.
"""

from __future__ import annotations

import os
import pickle
import shlex
import subprocess
import sys
from pathlib import Path

PLACE = Path(os.environ.get("VK_SIMULATION", "/nonexistent"))

_ENTER = """
set -eu
mount --make-rprivate /
mkdir -p "$1/etc/pve" "$1/upper" "$1/work"
mount -t tmpfs none /mnt
mkdir /mnt/upper /mnt/work
mount -t overlay overlay -o lowerdir=/etc,upperdir=/mnt/upper,workdir=/mnt/work /etc
mkdir -p /etc/pve
mount --bind "$1/etc/pve" /etc/pve
export PATH="$2:$PATH"
exec sh -c "$3"
"""


def main() -> int:
    argv = ["ssh", *sys.argv[1:]]
    with (PLACE / "argv").open("a") as log:
        log.write("\0".join(argv) + "\n")
    sim = pickle.loads((PLACE / "sim").read_bytes())
    name = next(n for n, node in sim.nodes.items() if argv[-2] == f"root@{node.address}")
    node = sim.nodes[name]
    if not (node.up and node.heard):
        print("ssh: connect: Connection timed out", file=sys.stderr)
        return 255
    if shlex.split(argv[-1]) != ["sh", "-s"]:
        code, out, err = sim.run(argv, timeout=1, input=sys.stdin.read())
        (PLACE / "sim").write_bytes(pickle.dumps(sim))
        print(out)
        print(err, file=sys.stderr)
        return int(code)
    own = PLACE / name
    (own / "etc/pve").mkdir(parents=True, exist_ok=True)
    conf = own / "etc/pve/corosync.conf"
    conf.unlink(missing_ok=True)
    answers = {
        "hostname": name,
        "pveversion": "pve-manager/9.1.1/abc",
        "ip": f"2: vmbr0    inet {node.address}/24 brd x",
    }
    if node.conf is not None:
        conf.write_text(sim.text(name))
        answers |= {"pvecm": sim.status(name), "pvesh": sim.join_info(name)}
    bin_ = own / "bin"
    bin_.mkdir(exist_ok=True)
    for tool in ("pvecm", "pvesh", "hostname", "pveversion", "ip"):
        text = answers.get(tool)
        body = "exit 2" if text is None else f"cat <<'VK_END'\n{text}\nVK_END"
        (bin_ / tool).write_text(f"#!/bin/sh\n{body}\n")
        (bin_ / tool).chmod(0o755)
    return subprocess.run(
        ["unshare", "--mount", "sh", "-c", _ENTER, "sh", str(own), str(bin_), argv[-1]]
    ).returncode


if __name__ == "__main__":
    sys.exit(main())
