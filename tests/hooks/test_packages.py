"""The hook `packages` with the real apt: Debian's archive, and a small repository for what can go wrong."""

from __future__ import annotations

import pytest

from tests.hooks.debian_root import TOOLS, DebianRoot, twice
from tests.hooks.scratch_root import shipped
from ventoy_kit.fleet.hooks import check_params

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_tool(*TOOLS)]


def stocked(root: DebianRoot) -> DebianRoot:
    root.repository(("demo", "1", {"opt/demo": "demo\n"}), ("other", "1", {"opt/other": "other\n"}))
    return root


def test_a_package_of_the_archive_twice(archive: DebianRoot) -> None:
    assert twice(archive, shipped("packages", install=["hello"])) == ["package hello"]
    assert archive.execute("/usr/bin/hello", "-g", "there").stdout == b"there\n"


def test_install_and_remove(debian: DebianRoot) -> None:
    stocked(debian)
    assert twice(debian, shipped("packages", install=["demo", "other"])) == ["package demo", "package other"]
    assert twice(debian, shipped("packages", install=["demo"], remove=["other"])) == ["removed other"]
    assert debian.read("opt/demo") == "demo\n"
    assert not debian.exists("opt/other")


def test_a_removal_that_takes_more_along_is_refused(trixie: DebianRoot) -> None:
    result = trixie.run(shipped("packages", remove=["udev"]))
    assert result["status"] == "failed"
    assert "would also remove: initramfs-tools" in str(result["reason"])


# struct flock of x86-64: type (1 is a write lock), whence, start, length, process.
HOLD_LOCK = """
perl -MFcntl -e 'open my $f, ">", "/var/lib/dpkg/lock-frontend" or die; my $l = pack "ssx4qqlx4", 1, 0, 0, 0, 0;
fcntl $f, F_SETLK, $l or die; sleep shift' %d &
sleep 1
"""


def test_a_lock_is_waited_for(trixie: DebianRoot) -> None:
    result = stocked(trixie).run(shipped("packages", install=["demo"]), around=HOLD_LOCK % 5)
    assert result["status"] == "changed", trixie.output


def test_a_lock_that_is_never_released_is_the_reason(trixie: DebianRoot) -> None:
    hook = shipped("packages", install=["demo"])
    script = hook.spec.script.replace('. "$VK_LIB"\n', '. "$VK_LIB"\nVK_LOCK_WAIT=2\n')
    assert script != hook.spec.script
    quick = type(hook)(hook.spec.model_copy(update={"script": script}), hook.params)
    result = stocked(trixie).run(quick, around=HOLD_LOCK % 120)
    assert result["status"] == "failed"
    assert "lock-frontend" in str(result["reason"])
    assert trixie.go_on(2)["status"] == "changed"


def test_a_package_that_nobody_offers(trixie: DebianRoot) -> None:
    stocked(trixie)
    result = trixie.run(shipped("packages", install=["demo", "no-such-package"]))
    assert result["status"] == "failed"
    assert "cannot be installed: demo no-such-package: Unable to locate package no-such-package" in str(
        result["reason"]
    )
    assert not trixie.exists("opt/demo")


def test_without_a_network_the_reason_says_so_and_the_next_boot_mends_it(trixie: DebianRoot) -> None:
    stocked(trixie)
    result = trixie.run(shipped("packages", install=["demo"]), net=False)
    assert (result["status"], result["reason"]) == ("failed", "no default route; the hook needs the network")
    assert trixie.go_on(2)["status"] == "changed"


def test_a_mirror_that_does_not_answer_is_in_the_reason(trixie: DebianRoot) -> None:
    trixie.write("etc/apt/sources.list", "deb http://127.0.0.1:9/debian trixie main\n")
    result = trixie.run(shipped("packages", install=["demo"]))
    assert result["status"] == "failed"
    assert "the package lists are not fresh" in str(result["reason"])
    stocked(trixie)
    assert trixie.go_on(2)["status"] == "changed"


def test_a_full_disk_is_reported_and_the_next_boot_mends_it(trixie: DebianRoot) -> None:
    trixie.repository(("demo", "1", {f"opt/demo{n}": "x" * 400_000 for n in range(20)}))
    hook = shipped("packages", install=["demo"])
    result = trixie.run(hook, around="mount -t tmpfs -o size=1m tmpfs /opt")
    assert result["status"] == "failed"
    assert "installation of demo broke off" in str(result["reason"])
    assert "No space left on device" in trixie.output
    assert trixie.go_on(2)["status"] == "changed", trixie.output


def test_what_dpkg_left_half_done_is_finished_first(trixie: DebianRoot) -> None:
    stocked(trixie)
    trixie.execute("sh", "-c", "dpkg --unpack /srv/repo/other_1.deb")
    assert trixie.run(shipped("packages", install=["demo"]))["status"] == "changed"
    code, said = trixie.verify()
    assert code == 0, said


@pytest.mark.parametrize(
    "name", ["$(id)", "a b", "demo;id", "-o", "--purge", "", "Demo", "a\nb", "x" * 65536]
)
def test_what_is_no_package_name_does_not_travel(name: str) -> None:
    for parameter in ("install", "remove"):
        _, report = check_params(shipped("packages").spec, {parameter: [name]}, ())
        assert report.has_errors
