"""Fixtures and markers for all tests. A test that cannot run here is skipped with its reason, and counted."""

from __future__ import annotations

import functools
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

# Started in the background, a shell's child ignores Ctrl-C, and so would everything that tests start and stop by it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A change is judged by the same examples each time, so that it never fails for another one's fault; `make soak` sets
# the variable, and looks for new ones: the same tests, many more examples.
settings.register_profile("test", deadline=None, derandomize=True)
settings.register_profile("soak", deadline=None, max_examples=2000)
settings.load_profile("soak" if os.environ.get("VENTOY_KIT_SOAK") else "test")

CACHE = Path(os.environ.get("VENTOY_KIT_TEST_CACHE") or Path(__file__).parent.parent / ".test-cache")
"""Debian packages that tests look into are kept here between runs."""

PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("needs_root") and os.geteuid() != 0:
        pytest.skip("needs root")
    for mark in item.iter_markers("needs_tool"):
        missing = [tool for tool in mark.args if shutil.which(tool, path=PATH) is None]
        if missing:
            pytest.skip(f"needs the programs {', '.join(missing)}")
    for mark in item.iter_markers("needs_package"):
        for name in mark.args:
            if _package(name) is None:
                pytest.skip(f"needs the Debian package {name}, which apt cannot give here")


@functools.cache
def _package(name: str) -> Path | None:
    """The unpacked files of a Debian package: the system's own if it is installed, else fetched by apt."""
    if shutil.which("dpkg-deb") is None or shutil.which("apt-get") is None:
        return None
    installed = subprocess.run(["dpkg-query", "-W", "-f", "${Status}", name], capture_output=True, text=True)
    if installed.stdout == "install ok installed":
        return Path("/")
    CACHE.mkdir(exist_ok=True)
    root = CACHE / name
    if not root.exists():
        scratch = CACHE / f"{name}.{os.getpid()}"
        scratch.mkdir()
        try:
            got = subprocess.run(["apt-get", "download", name], cwd=scratch, capture_output=True, text=True)
            debs = list(scratch.glob("*.deb"))
            if got.returncode or not debs:
                return None
            subprocess.run(["dpkg-deb", "-x", str(debs[0]), str(scratch / "root")], check=True)
            try:
                (scratch / "root").rename(root)
            except OSError:  # another worker was faster
                assert root.exists()
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    return root


@pytest.fixture(scope="session")
def package_root() -> Callable[[str], Path]:
    """Gives the root folder of an unpacked Debian package; for tests marked needs_package."""

    def root(name: str) -> Path:
        found = _package(name)
        assert found is not None, f"mark the test with needs_package({name!r})"
        return found

    return root


@pytest.fixture(scope="session")
def netboot_package(package_root: Callable[[str], Path]) -> Path:
    """The real Debian 12 installer's kernel and initrd."""
    return package_root("debian-installer-12-netboot-amd64")


@pytest.fixture(scope="session")
def kernel_package() -> Path:
    """A Debian kernel for virtual machines with its modules, of the release that apt names at the moment."""
    named = subprocess.run(
        ["apt-cache", "depends", "linux-image-cloud-amd64"], capture_output=True, text=True
    )
    names = re.findall(r"Depends: (linux-image-\S+-cloud-amd64)$", named.stdout, re.MULTILINE)
    found = _package(names[0]) if names else None
    if found is None:
        pytest.skip("needs the Debian package linux-image-cloud-amd64, which apt cannot give here")
    return found


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests see no fleet, secret or colour setting of whoever runs them."""
    for name in list(os.environ):
        if name.startswith(("VENTOY_KIT_FLEET", "ALLIANCE_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("NO_COLOR", "1")
