"""Ends a command with SIGKILL, which nothing can catch, at a chosen moment of its writing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.app.workspaces import environment

_DRIVER = """
import os, signal, sys
moment, target, count = int(sys.argv[1]), os.path.realpath(sys.argv[2]), 0

def hook(event, arguments):
    global count
    if event in {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir"} and isinstance(arguments[0], str):
        if arguments[0].startswith(target):
            if count == moment:
                os.kill(os.getpid(), signal.SIGKILL)
            count += 1

sys.addaudithook(hook)
from ventoy_kit.cli import run
code = run(sys.argv[3:])
print(count, file=sys.stderr)
sys.exit(code)
"""


def killed_at(moment: int, fleet: Path, stick: Path, *args: str) -> subprocess.CompletedProcess[str]:
    """Run a command until it opens, renames or removes something below the target for the n-th time.

    Without end if `moment` is -1; the number of such moments is the last line on stderr then.
    """
    argv = [sys.executable, "-c", _DRIVER, str(moment), str(stick), *args, "--quiet"]
    return subprocess.run(argv, cwd=fleet, env=environment(), capture_output=True, text=True)
