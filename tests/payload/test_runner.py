"""Rendering of the first-boot script; tests/hooks runs it."""

from __future__ import annotations

import random
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.hooks.scratch_root import NODE, hook, shipped, texts
from ventoy_kit.payload.runner import LIMIT, RunnerHook, RunnerNode, RunnerTooLargeError, render_runner

ANY = {"text": {"type": "string", "description": "any"}, "many": {"type": "list", "description": "any"}}
VALUES = st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]))


def test_the_same_inputs_give_the_same_bytes():
    first = render_runner(texts(), NODE, [shipped("repos", debian_components=["main"], channel="enterprise")])
    again = render_runner(texts(), NODE, [shipped("repos", channel="enterprise", debian_components=["main"])])
    assert first == again


def test_the_runner_text_stands_unchanged_at_the_end():
    script = render_runner(texts(), NODE, [shipped("ssh")]).whole.decode()
    assert script.startswith("#!/bin/sh\n")
    assert script.endswith(texts().runner.split("\n", 1)[1])
    assert script.endswith('\nmain "$@"\n')


def test_a_digest_is_of_script_and_parameters():
    digests = {
        shipped("repos").digest,
        shipped("repos", channel="enterprise").digest,
        hook("repos", "true\n").digest,
        hook("repos", "true\n", {"text": "a"}, parameters=ANY).digest,
        hook("repos", "true\n", {"text": "b"}, parameters=ANY).digest,
    }
    assert len(digests) == 5
    assert shipped("repos").digest == shipped("repos").digest


def test_too_large_is_an_error_that_names_node_and_size():
    noise = random.Random(1).randbytes(LIMIT).hex()  # packs to half its size at best
    big = hook("big", "#" + noise + noise[::-1] + "\n")
    with pytest.raises(RunnerTooLargeError, match=r"falcon has [0-9]+ bytes") as caught:
        render_runner(texts(), NODE, [big])
    assert caught.value.size > LIMIT


def test_a_hook_twice_is_refused():
    with pytest.raises(ValueError, match="twice"):
        render_runner(texts(), NODE, [shipped("repos"), shipped("repos")])


def data_section(hook: RunnerHook, title: str = "Falcon") -> str:
    """What stands before the runner's own text."""
    script = render_runner(texts(), RunnerNode("falcon", "alliance", title, "0a"), [hook]).whole.decode()
    return script.removesuffix(texts().runner.split("\n", 1)[1])


# dash 0.5.12 loses a byte that is not ASCII where a line begins as the mark of a here-document does.
MARKS = [
    "VK_END\n",
    "V\x80",
    "VK_END\x80",
    "a\nVK_ä\nVK_END\nVK_END ",
    "|\n||",
    "\n\n",
    "V\u0081\nVK\U0001f680",
]


@pytest.mark.needs_tool("dash", "bash")
@pytest.mark.parametrize("shell", ["dash", "bash"])
@pytest.mark.parametrize("text", MARKS)
def test_lines_that_look_like_the_end_of_a_document_lose_nothing(text, shell, tmp_path):
    echo = hook("echo", "# x\n", {"text": text, "many": text.split("\n")}, parameters=ANY)
    file = tmp_path / "data.sh"
    file.write_text(
        data_section(echo) + 'put_files "$1"; . "$1/hooks/echo/parameters"\n'
        'printf "%s\\0" "$VK_PARAM_TEXT" "$VK_PARAM_MANY"\n',
        newline="",
    )
    done = subprocess.run(
        [shell, str(file), str(tmp_path)], capture_output=True, env={"PATH": "/usr/bin:/bin"}
    )
    assert done.stderr == b""
    assert done.stdout == (text.encode() + b"\0") * 2


@pytest.mark.needs_tool("dash", "bash")
@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_what_is_too_long_is_packed_and_unpacks_itself(shell, tmp_path):
    big = hook("big", "".join(f"# line {n} of a long script\n" for n in range(40_000)))
    runner = render_runner(texts(), NODE, [big])
    script = runner.whole
    assert len(script) < LIMIT < len(big.spec.script)
    assert render_runner(texts(), NODE, [big]) == runner
    # The runner itself wants root and a machine: look at what is unpacked, in a folder of the test.
    text = script.decode().replace("/run/ventoy-kit", f"{tmp_path}/ventoy-kit").replace("exec /bin/sh", "cat")
    file = tmp_path / "packed"
    for part in (text, text[: len(text) // 2]):
        file.write_text(part.removesuffix(' "$@"\n'))
        done = subprocess.run([shell, str(file)], capture_output=True)
        if part is text:
            assert big.spec.script.splitlines()[-1].encode() in done.stdout
            assert done.stdout.decode().endswith('\nmain "$@"\n')
        else:
            assert done.stdout == b""


def test_facts_are_part_of_the_digest_and_arrive_as_variables():
    spec = hook("nics", "true\n", facts=["nics"]).spec
    one = RunnerHook(spec, {}, {"nics": "name\tmac\nlan0\t02:00:00:00:00:01"})
    other = RunnerHook(spec, {}, {"nics": "name\tmac\nlan0\t02:00:00:00:00:02"})
    assert one.digest != other.digest
    assert "|VK_FACT_NICS='name\tmac\n|lan0\t02:00:00:00:00:01'\n" in data_section(one)


@pytest.mark.needs_tool("dash", "bash")
@settings(max_examples=25, deadline=None)
@given(title=VALUES, text=VALUES, many=st.lists(VALUES.map(lambda t: t.replace("\n", ""))))
def test_any_text_passes_through_data_section_and_here_document(title, text, many, tmp_path_factory):
    """The data section alone, without the runner, in two shells: writes the files and reads them back."""
    echo = hook(
        "echo",
        "# " + text.replace("\n", "\n# ").replace("\r", "") + "\n",
        {"text": text, "many": many},
        parameters=ANY,
    )
    data = data_section(echo, title)
    folder = tmp_path_factory.mktemp("data")
    (folder / "data.sh").write_text(
        data + 'put_files "$1"; . "$1/hooks/echo/parameters"\n'
        'printf "%s\\0" "$VK_TITLE" "$VK_PARAM_TEXT" "$VK_PARAM_MANY"\n',
        newline="",
    )
    for shell in ("dash", "bash"):
        done = subprocess.run(
            [shell, str(folder / "data.sh"), str(folder)], capture_output=True, env={"PATH": "/usr/bin:/bin"}
        )
        assert done.stderr == b""
        assert done.stdout.split(b"\0")[:3] == [t.encode() for t in (title, text, "\n".join(many))]
        assert (folder / "hooks/echo/hook.sh").read_bytes() == echo.spec.script.encode()
        assert (folder / "library.sh").read_text() == texts().library


def test_hooks_without_parameters_and_no_hooks_at_all():
    assert b"VK_HOOKS=''" in render_runner(texts(), NODE, []).own
    assert (
        b"clean-boot) HOOK_DIGEST="
        in render_runner(texts(), NODE, [RunnerHook(shipped("clean-boot").spec, {})]).own
    )


def test_nodes_with_the_same_hooks_share_all_but_a_short_part():
    other = RunnerNode("xwing", "rebels", "T-65", "0b")
    one = render_runner(texts(), NODE, [shipped("ssh"), shipped("repos", channel="enterprise")])
    same = render_runner(texts(), other, [shipped("ssh"), shipped("repos")])
    fewer = render_runner(texts(), NODE, [shipped("ssh")])
    assert one.shared == same.shared != fewer.shared
    assert one.own != same.own
    assert len(one.own) < 2_000 < 30_000 < len(one.shared)
    big = hook("big", "".join(f"# line {n} of a long script\n" for n in range(40_000)))
    packed = [render_runner(texts(), node, [big]) for node in (NODE, other)]
    assert packed[0].shared == packed[1].shared


@pytest.mark.needs_tool("dash", "bash")
@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_one_part_alone_starts_nothing(shell, tmp_path):
    big = hook("big", "".join(f"# line {n} of a long script\n" for n in range(40_000)))
    for chosen in ([shipped("ssh")], [big]):
        file = tmp_path / "own"
        file.write_bytes(render_runner(texts(), NODE, chosen).own)
        done = subprocess.run([shell, str(file), "install"], capture_output=True)
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
