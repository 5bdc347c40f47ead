"""`ventoy-kit hooks verify` against a machine: a scratch root behind a stand-in for ssh."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from tests.app.workspaces import Cli
from tests.hooks.scratch_root import _MOUNTS, ScratchRoot

HOOK = """\
summary: A word in a file
systems: {debian: ["12"]}
timeout: 5
facts: [nics]
parameters:
  word: {type: string, default: one, description: The word.}
verifies: The file holds the word.
"""
SCRIPT = """\
#!/bin/sh
set -eu
. "$VK_LIB"
case $1 in
apply) printf '%s' "$VK_PARAM_WORD" | vk_put /etc/word 644 ;;
verify)
    vk_note "the first NIC is $(vk_rows nics mac | head -n 1)"
    [ ! -e /etc/slow ] || sleep 30
    [ "$(cat /etc/word)" = "$VK_PARAM_WORD" ] || vk_fail "/etc/word holds $(cat /etc/word)" ;;
esac
"""


@pytest.fixture
def node(fleet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ScratchRoot:
    """The machine that the stand-in for ssh logs in to, and a fleet whose node has the hook."""
    scratch = ScratchRoot(tmp_path / "root")
    folder = tmp_path / "bin"
    folder.mkdir()
    inside = shlex.join(
        ["unshare", "--mount", "--pid", "--fork", "sh", "-c", _MOUNTS, "sh", str(scratch.root)]
    )
    (folder / "ssh").write_text(
        f"""#!/bin/sh
printf '%s\\n' "$@" >{tmp_path}/arguments
[ -z "$FAIL" ] || {{ echo "$FAIL" >&2; exit 255; }}
while [ "$1" != -- ]; do shift; done
shift 2
[ "$1" != sudo ] || shift 2
echo "Welcome to the machine"
exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin {inside} /bin/dash "${{@:2}}"
""".replace("#!/bin/sh", "#!/bin/bash")
    )
    (folder / "ssh").chmod(0o755)
    monkeypatch.setenv("FAIL", "")
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    hook = fleet / "hooks/word"
    hook.mkdir(parents=True)
    (hook / "hook.yaml").write_text(HOOK)
    (hook / "hook.sh").write_text(SCRIPT)
    use(fleet, "one")
    return scratch


def use(fleet: Path, word: str) -> None:
    file = fleet / "fleet.yaml"
    lines = file.read_text().splitlines(keepends=True)
    ours = f"    - {{name: word, params: {{word: {word}}}}}\n"
    file.write_text(
        "".join(ours if "name: repos" in line or "name: word" in line else line for line in lines)
    )


def states(ran: object) -> dict[str, tuple[str, list[str], str]]:
    found = ran.envelope["result"]["nodes"]["node1"]  # type: ignore[attr-defined]
    return {h["hook"]: (h["state"], h["evidence"], h["stamp"]) for h in found}


@pytest.mark.needs_root
@pytest.mark.needs_tool("unshare", "chroot", "dash", "flock", "timeout", "mawk", "iconv")
class TestVerify:
    def test_right_and_drifted_and_changed_nothing(self, fleet, cli: Cli, node: ScratchRoot, tmp_path: Path):
        node.write("etc/word", "one")
        before = node.tree()
        ran = cli("hooks", "verify", "--json")
        assert ran.code == 0, ran.out
        state, evidence, stamp = states(ran)["word"]
        assert (state, stamp) == ("ok", "none")
        assert evidence[0].startswith("the first NIC is ")
        assert node.tree() == before
        arguments = (tmp_path / "arguments").read_text().splitlines()
        assert "BatchMode=yes" in arguments
        assert "StrictHostKeyChecking=yes" in arguments
        node.write("etc/word", "two\033[2J")
        ran = cli("hooks", "verify", "node1", "--json")
        assert ran.code == 1
        assert states(ran)["word"][:1] == ("drift",)
        assert [f["rule"] for f in ran.envelope["findings"] if f["severity"] == "error"] == ["VK-U31"]
        assert "\033" not in cli("hooks", "verify", "--ssh", "admin@box", "--sudo", "node1").err

    def test_a_verify_that_hangs_is_unknown(self, fleet, cli: Cli, node: ScratchRoot):
        node.write("etc/slow", "")
        ran = cli("hooks", "verify", "--json")
        assert ran.code == 1
        assert states(ran)["word"][:2] == (
            "unknown",
            ["verify took longer than 5 s", *states(ran)["word"][1][1:]],
        )

    def test_no_connection_is_3(self, fleet, cli: Cli, node: ScratchRoot, monkeypatch):
        monkeypatch.setenv("FAIL", "ssh: connect to host box port 22: No route to host")
        ran = cli("hooks", "verify")
        assert ran.code == 3
        assert "No route to host" in ran.err


def test_ssh_names_one_machine_so_one_node(fleet, cli: Cli):
    assert cli("hooks", "verify", "--ssh", "root@box").code == 2


def test_a_hook_is_shown_with_what_it_takes_and_needs(fleet, cli: Cli):
    shown = cli("hooks", "show", "ssh").out
    assert "authorized_keys" in shown
    assert "in phase access (200), at most 60 s" in shown
