"""The hook `time` with the real chrony and systemd-timesyncd of Debian's archive."""

from __future__ import annotations

import pytest

from tests.hooks.debian_root import TOOLS, DebianRoot, twice
from tests.hooks.scratch_root import shipped
from ventoy_kit.fleet.hooks import check_params

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_tool(*TOOLS)]

SERVERS = ["10.66.0.1", "ntp.alliance.example"]


def test_chrony_with_servers_and_back_to_the_pool(archive: DebianRoot) -> None:
    twice(archive, shipped("time", servers=SERVERS))
    assert archive.read("etc/chrony/sources.d/ventoy-kit.sources") == (
        "server 10.66.0.1 iburst\nserver ntp.alliance.example iburst\n"
    )
    muted = archive.read("etc/chrony/chrony.conf")
    assert "\n#ventoy-kit# pool 2.debian.pool.ntp.org iburst\n" in muted
    check = archive.execute("chronyd", "-p", "-f", "/etc/chrony/chrony.conf")
    assert check.returncode == 0, check.stdout
    assert b"pool" not in check.stdout
    twice(archive, shipped("time"))
    assert "\npool 2.debian.pool.ntp.org iburst\n" in archive.read("etc/chrony/chrony.conf")
    assert not archive.exists("etc/chrony/sources.d/ventoy-kit.sources")
    archive.write("etc/chrony/sources.d/other.sources", "server 192.0.2.1\n")
    assert archive.run(shipped("time", servers=SERVERS))["status"] == "failed"
    assert "192.0.2.1" in str(archive.report()["reason"])


def test_timesyncd_asks_no_one_else(archive: DebianRoot) -> None:
    twice(archive, shipped("time", service="timesyncd", servers=SERVERS))
    text = archive.read("etc/systemd/timesyncd.conf.d/50-ventoy-kit.conf")
    assert text == "[Time]\nNTP=\nNTP=10.66.0.1 ntp.alliance.example\nFallbackNTP=\n"
    archive.write("etc/systemd/timesyncd.conf.d/99-other.conf", "[Time]\nNTP=192.0.2.1\n")
    code, said = archive.verify()
    assert code == 1
    assert "192.0.2.1" in said


@pytest.mark.parametrize("server", ["a b", "$(id)", "x\niburst", "-x", "pool x", "", "x;y", "x" * 300])
def test_what_is_no_server_does_not_travel(server: str) -> None:
    _, report = check_params(shipped("time").spec, {"servers": [server]}, ())
    assert report.has_errors
