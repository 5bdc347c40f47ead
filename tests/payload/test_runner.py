"""Rendering of the first-boot script; tests/hooks runs it."""

from __future__ import annotations

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
    script = render_runner(texts(), NODE, [shipped("ssh")]).decode()
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
    big = hook("big", "#" + "x" * LIMIT + "\n")
    with pytest.raises(RunnerTooLargeError, match=r"falcon has 10[0-9]+ bytes") as caught:
        render_runner(texts(), NODE, [big])
    assert caught.value.size > LIMIT


def test_a_hook_twice_is_refused():
    with pytest.raises(ValueError, match="twice"):
        render_runner(texts(), NODE, [shipped("repos"), shipped("repos")])


@pytest.mark.needs_tool("dash", "bash")
@settings(max_examples=25, deadline=None)
@given(title=VALUES, text=VALUES, many=st.lists(VALUES.map(lambda t: t.replace("\n", ""))))
def test_any_text_passes_through_data_section_and_here_document(title, text, many, tmp_path_factory):
    """The data section alone, without the runner, in two shells: writes the files and reads them back."""
    node = RunnerNode("falcon", "alliance", title, "0a")
    echo = hook(
        "echo",
        "# " + text.replace("\n", "\n# ").replace("\r", "") + "\n",
        {"text": text, "many": many},
        parameters=ANY,
    )
    script = render_runner(texts(), node, [echo]).decode()
    data = script.removesuffix(texts().runner.split("\n", 1)[1])
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
    assert b"VK_HOOKS=''" in render_runner(texts(), NODE, [])
    assert b"clean-boot) HOOK_DIGEST=" in render_runner(
        texts(), NODE, [RunnerHook(shipped("clean-boot").spec, {})]
    )
