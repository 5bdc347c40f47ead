"""What an arming permits to destroy: taken once from the script, used up before use, void when the runner is through."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hooks.scratch_root import NODE, ScratchRoot, hook

pytestmark = [
    pytest.mark.needs_root,
    pytest.mark.needs_tool("unshare", "chroot", "dash", "flock", "timeout", "mawk", "iconv"),
]

ARMING = "20261123T110000Z-0000aaaa"
USE = """
case $1 in
apply)
    for pool in tank vault; do
        if vk_permission "$pool"; then
            vk_use_permission
            vk_changed "used $pool of $vk_arming"
        fi
    done
    if vk_permission tank; then vk_changed "used tank twice"; fi ;;
esac
"""
LATER = 'case $1 in apply) [ -e /etc/now ] || vk_fail "not yet" ;; esac\n'


@pytest.fixture
def scratch(tmp_path: Path) -> ScratchRoot:
    return ScratchRoot(tmp_path / "root")


def grant(scratch: ScratchRoot, pools: str = "tank", node: str = "", generation: str = "") -> None:
    """As the boot hook writes it, behind the first line."""
    first, _, rest = scratch.read("first-boot").partition("\n")
    words = f"{ARMING} {node or NODE.name} {generation or NODE.generation} {pools}"
    scratch.write("first-boot", f"{first}\nexport VK_GRANT='{words}'\n{rest}", 0o700)


def permissions(scratch: ScratchRoot) -> list[str]:
    return sorted(
        str(p.relative_to(scratch.root)) for p in scratch.root.glob("var/lib/ventoy-kit/grants/*/*")
    )


def report(scratch: ScratchRoot) -> str:
    return scratch.read("var/lib/ventoy-kit/report.json")


def test_each_pool_once_and_never_again(scratch: ScratchRoot) -> None:
    scratch.place([hook("use", USE)])
    grant(scratch, "tank,vault")
    scratch.run("install")
    assert permissions(scratch) == [f"var/lib/ventoy-kit/grants/{ARMING}/{p}" for p in ("tank", "vault")]
    scratch.run("run")
    assert f'["used tank of {ARMING}", "used vault of {ARMING}"]' in report(scratch)
    assert permissions(scratch) == []
    # The script that holds it is still there, and may be installed again.
    assert scratch.run("install").returncode == 0
    scratch.run("run", "use")
    assert permissions(scratch) == []
    assert '"changes": []' in report(scratch)


@pytest.mark.parametrize(
    "other", [{"node": "corvette"}, {"generation": "ffffffff"}, {"pools": "tank vault"}, {"pools": ""}]
)
def test_a_permission_for_another_node_or_build_is_none(scratch: ScratchRoot, other: dict[str, str]) -> None:
    scratch.place([hook("use", USE)])
    grant(scratch, **other)
    assert scratch.run("install").returncode == 0
    assert permissions(scratch) == []


def test_what_was_not_used_is_void_when_the_runner_is_through(scratch: ScratchRoot) -> None:
    scratch.place([hook("later", LATER)])
    grant(scratch)
    scratch.run("install")
    scratch.run("run")
    assert permissions(scratch) != []  # another boot tries again
    scratch.write("etc/now", "")
    scratch.reboot(2)
    scratch.run("run")
    assert '"state": "done"' in report(scratch)
    assert permissions(scratch) == []
