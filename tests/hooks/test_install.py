"""`vk_install` of the hooks' library, with stand-ins for apt-get and dpkg that fail as the real ones do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.hooks.scratch_root import ScratchRoot, hook

INSTALL = """
VK_LOCK_WAIT=0
case $1 in
apply) vk_install --no-install-recommends left right ;;
esac
"""
# What is installed stands in /calls/installed, one name a line.
DPKG_QUERY = """
for name in "$@"; do :; done
grep -qx -- "$name" /calls/installed 2>/dev/null || exit 1
printf installed
"""
APT = """
case " $* " in
*" update "*) %(update)s ;;
*" --simulate "*) %(simulate)s ;;
*" --download-only "*) %(download)s ;;
*) %(install)s ;;
esac
"""
GOOD = {
    "update": "",
    "simulate": "",
    "download": "",
    "install": "printf 'left\\nright\\n' >>/calls/installed",
}
LOCKED = "echo 'E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 7 (unattended-upgr)'; exit 100"
OFFLINE = "echo 'E: Failed to fetch http://mirror.example/debian Temporary failure resolving'; exit 100"
UNKNOWN = "echo 'E: Unable to locate package left'; exit 100"
FULL = "echo 'E: You do not have enough free space in /var/cache/apt/archives/.'; exit 100"


@pytest.fixture
def scratch(tmp_path: Path) -> ScratchRoot:
    made = ScratchRoot(tmp_path / "root")
    made.stub("dpkg-query", DPKG_QUERY)
    made.stub("dpkg", "")
    made.place([hook("tools", INSTALL)])
    return made


def result(scratch: ScratchRoot, **how: str) -> dict[str, Any]:
    scratch.stub("apt-get", APT % {name: text or ":" for name, text in {**GOOD, **how}.items()})
    scratch.run("install")
    scratch.run("run")
    found: dict[str, Any] = json.loads(scratch.read("var/lib/ventoy-kit/report.json"))["hooks"][0]
    return found


@pytest.mark.needs_root
@pytest.mark.needs_tool("unshare", "chroot", "dash", "flock", "timeout", "mawk", "iconv")
class TestInstall:
    def test_installs_what_is_missing_and_nothing_twice(self, scratch):
        assert result(scratch)["changes"] == ["package left", "package right"]
        calls = [c for c in scratch.calls() if c.startswith("apt-get")]
        assert calls[-1].endswith(" install --no-install-recommends -- left right")
        scratch.run("run", "tools")
        assert [c for c in scratch.calls() if c.startswith("apt-get")] == calls

    @pytest.mark.parametrize(
        ("how", "reason", "tries"),
        [
            ({"update": LOCKED}, "Could not get lock", 4),
            ({"update": OFFLINE, "simulate": UNKNOWN}, "the package lists are not fresh: Failed to fetch", 4),
            ({"download": OFFLINE}, "cannot be fetched: left right: Failed to fetch", 4),
            ({"simulate": UNKNOWN}, "cannot be installed: left right: Unable to locate package left", 1),
            ({"download": FULL}, "the disk is full: You do not have enough free space", 1),
            ({"install": "echo 'E: Sub-process dpkg'; exit 100"}, "installation of left right broke off", 1),
            ({"install": ":"}, "left is not installed, though apt says so", 1),
        ],
    )
    def test_failures_are_told_and_tried_again_where_that_helps(self, scratch, how, reason, tries):
        found = result(scratch, **how)
        assert found["status"] == "failed"
        assert reason in found["reason"]
        assert len([c for c in scratch.calls() if c.endswith(" update")]) == tries

    def test_what_an_earlier_attempt_left_half_done_is_finished_first(self, scratch):
        scratch.stub("dpkg", '[ "$1" != --audit ] || echo "left is half configured"')
        assert result(scratch)["status"] == "changed"
        calls = scratch.calls()
        configure = next(n for n, c in enumerate(calls) if c.startswith("dpkg ") and "--configure -a" in c)
        assert configure < next(n for n, c in enumerate(calls) if c.startswith("apt-get"))
