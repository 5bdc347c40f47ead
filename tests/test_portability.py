"""What needs no device runs wherever Python does: the modules and calls that only Unix has are taken away, and the
same bytes come out."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.app.workspaces import contents, environment, make_starter

ELSEWHERE = """
import sys
MISSING = {"fcntl", "pwd", "grp", "termios", "resource", "pyudev", "pty", "tty", "syslog", "crypt", "spwd", "curses"}

class Gone:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in MISSING:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

for name in [n for n in sys.modules if n.partition(".")[0] in MISSING]:
    del sys.modules[name]
sys.meta_path.insert(0, Gone())

import os
for name in ("geteuid", "getuid", "getegid", "getgid", "fork", "posix_fadvise", "posix_fallocate", "sync", "uname",
             "setsid", "killpg", "O_CLOEXEC", "O_DIRECTORY", "O_NOFOLLOW", "mkfifo", "getgroups"):
    if hasattr(os, name):
        delattr(os, name)
import sysconfig, urllib.request, zoneinfo  # before the platform changes: Python's own files for another one are not here
import signal
for name in ("SIGKILL", "SIGHUP", "SIGUSR1", "SIGALRM", "pthread_sigmask", "sigwait", "setitimer"):
    if hasattr(signal, name):
        delattr(signal, name)
sys.platform = "darwin"  # not Linux; the libraries would load parts of Windows itself under its name

from ventoy_kit.cli import run
sys.exit(run(sys.argv[1:]))
"""


def elsewhere(cwd: Path, *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", ELSEWHERE, *args],
        cwd=cwd,
        env=environment(VENTOY_KIT_CACHE=str(cwd / "cache")),
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """The same fleet twice: here, and for elsewhere."""
    return make_starter(tmp_path_factory.mktemp("here")).parent, make_starter(
        tmp_path_factory.mktemp("elsewhere")
    ).parent


def test_the_modules_are_really_gone(tmp_path):
    code = ELSEWHERE.replace("from ventoy_kit.cli import run\nsys.exit(run(sys.argv[1:]))", "import fcntl")
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert "No module named 'fcntl'" in done.stderr


@pytest.mark.parametrize(
    "args",
    [
        ["--help"],
        ["init", "new"],
        ["check"],
        ["checklist"],
        ["schema"],
        ["doctor"],
        ["hooks", "list"],
        ["demo", "demo"],
        ["image", "inspect", "iso/STAND-IN-proxmox-ve_9.1-1.iso"],
        ["image", "list"],
        ["image", "verify"],
        ["fetch", "--offline"],
    ],
)
def test_a_command_that_needs_no_device(folders, args):
    done = elsewhere(folders[1], *args)
    assert done.returncode == 0, done.stderr


def test_build_and_stage_give_the_same_bytes(folders):
    results = []
    for folder, run in zip(folders, (here, elsewhere), strict=True):
        (folder / "stick").mkdir()
        built = run(folder, "build", "--json")
        assert built.returncode == 0, built.stderr
        staged = run(folder, "stage", "stick", "--yes", "--json")
        assert staged.returncode == 0, staged.stderr + staged.stdout
        again = run(folder, "stage", "stick", "--yes", "--json")
        assert json.loads(again.stdout)["result"]["steps"] == []
        steps = json.loads(staged.stdout)["result"]["steps"]  # the target's name differs
        results.append((json.loads(built.stdout)["result"], steps))
    assert results[0] == results[1]
    assert contents(folders[0] / "stick") == contents(folders[1] / "stick")


def here(cwd: Path, *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ventoy_kit", *args],
        cwd=cwd,
        env=environment(),
        capture_output=True,
        text=True,
    )


def test_a_target_that_only_linux_can_open_is_refused_with_a_sentence(folders, tmp_path):
    done = elsewhere(folders[1], "stage", "/dev/null", "--yes")
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
