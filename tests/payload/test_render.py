"""The payload: the same inputs give the same bytes, wherever and in whatever order they are written down."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.fleets import BASE, as_yaml, base_fleet, check, library, node, payload_of, plan_of
from tests.test_cases import unpacked
from ventoy_kit.fleet.marks import read_marked
from ventoy_kit.payload.model import Payload, checklist_tag, digest_of
from ventoy_kit.payload.overlay import RUNNERS, runner_in
from ventoy_kit.payload.render import NO_GENERATION, render_payload
from ventoy_kit.rehearse.initramfs import unpack_archive

MIXED = sorted(BASE.parent.glob("built-*/fleet.yaml"))


def plain(data: bytes):
    marked, _ = read_marked(data, "f")
    assert marked is not None
    return json.loads(json.dumps(marked.value))


def shuffled(value, order: random.Random):
    """The same data with the keys of every map in another order; lists keep theirs."""
    if isinstance(value, dict):
        keys = list(value)
        order.shuffle(keys)
        return {key: shuffled(value[key], order) for key in keys}
    return [shuffled(item, order) for item in value] if isinstance(value, list) else value


def everything(payload: Payload):
    return (
        payload.generation,
        {f.path: f.data for f in payload.files},
        payload.isos,
        json.dumps(payload.config),
    )


@pytest.mark.parametrize("file", [BASE, *MIXED], ids=lambda p: p.parent.name)
def test_rendering_twice_gives_the_same_bytes(file):
    assert everything(payload_of(file.read_bytes())) == everything(payload_of(file.read_bytes()))


@pytest.mark.parametrize("file", MIXED, ids=lambda p: p.parent.name)
@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_the_order_of_keys_changes_nothing(file, seed):
    data = file.read_bytes()
    value = shuffled(plain(data), random.Random(seed))
    assert everything(payload_of(as_yaml(value).encode())) == everything(payload_of(data))


@pytest.mark.slow
def test_language_time_zone_and_hash_seed_change_nothing(tmp_path):
    script = (
        "import pathlib, hashlib; from tests.support.fleets import payload_of;"
        f"p = payload_of(pathlib.Path({str(MIXED[0])!r}).read_bytes());"
        "print(p.generation, hashlib.sha256(b''.join(f.path.encode() + f.data for f in p.files)).hexdigest())"
    )
    said = set()
    for variables in (
        {"LC_ALL": "C", "TZ": "UTC", "PYTHONHASHSEED": "0", "HOME": "/"},
        {
            "LC_ALL": "tr_TR.UTF-8",
            "TZ": "Asia/Kathmandu",
            "PYTHONHASHSEED": "12345",
            "PYTHONUTF8": "1",
            "USER": "x",
        },
    ):
        environment = {"PATH": os.environ["PATH"], **variables}
        done = subprocess.run(
            [sys.executable, "-c", script],
            env=environment,
            cwd=BASE.parents[2],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        said.add(done.stdout)
    assert len(said) == 1


def test_the_generation_is_the_digest_of_what_it_names():
    plan = plan_of(BASE.read_bytes())
    payload, _ = render_payload(plan, library())
    assert payload is not None
    draft = {f.path.replace(payload.generation, NO_GENERATION): f for f in payload.files}
    beside = ("ventoy/demo/checklists/", "ventoy/demo/probe/")
    assert all(path.startswith((f"ventoy/demo/{NO_GENERATION}/", *beside)) for path in draft)
    assert len(payload.generation) == 8
    assert digest_of(payload.files, payload.isos, payload.config)[:8] != payload.generation


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("title: First", "title: Erste"),
        ("S7ALPHA0001", "S7ALPHA0002"),
        ("10.0.0.11/24", "10.0.0.13/24"),
        ("debian_mirror: http://mirror", "debian_mirror: http://ftp"),
        ("identity: {serial: ALPHA01}", "identity: {serial: ALPHA02}"),
    ],
)
def test_any_change_gives_another_generation(old, new):
    text = BASE.read_text()
    assert text.count(old) == 1
    assert payload_of(text.encode()).generation != payload_of(text.replace(old, new).encode()).generation


def test_comments_change_nothing():
    text = BASE.read_text()
    other = text.replace("version: 1\n", "# a comment\nversion: 1\n")
    assert everything(payload_of(text.encode())) == everything(payload_of(other.encode()))


def test_what_runs_on_a_node_changes_checklists_alone():
    text = BASE.read_text()
    other = text.replace(
        "    title: First\n", "    title: First\n    guests: {vm: {kind: vm, memory: 4 GiB}}\n"
    )

    def files(payload: Payload) -> dict[str, bytes]:
        """By path, without the generation, and without the archives, which hold it in compressed form."""
        own = payload.generation
        return {
            f.path.replace(own, ""): f.data.replace(own.encode(), b"")
            for f in payload.files
            if not f.path.endswith(".bz2")
        }

    before, after = files(payload_of(text.encode())), files(payload_of(other.encode()))
    old, new = (
        {re.sub(r"\.[0-9a-f]{8}\.", ".TAG.", p): d for p, d in one.items()} for one in (before, after)
    )
    assert old.keys() == new.keys()
    assert {path.rpartition("/")[2] for path in old if old[path] != new[path]} == {
        "alpha.TAG.txt",
        "alpha.TAG.html",
        "alpha.TAG.armed.txt",
    }


def test_a_document_keeps_its_path_for_as_long_as_its_bytes_and_no_longer():
    """So that a changed answer writes the sheets of one node, and the old ones stay whole beside them."""
    text = BASE.read_text()
    before = payload_of(text.encode())
    after = payload_of(text.replace("10.0.0.11/24", "10.0.0.13/24").encode())
    old, new = (
        {f.path: f.data for f in p.files if not f.path.startswith(f"{p.folder}/{p.generation}/")}
        for p in (before, after)
    )
    assert len(old) == len(new) == 7
    assert all(old[path] == new[path] for path in old.keys() & new.keys())
    assert {path.rpartition("/")[2].partition(".")[0] for path in old.keys() & new.keys()} == {
        "beta",
        "hardware",
    }
    for path, data in new.items():
        tag = path.split(".")[1]
        assert path.endswith(".py") or f"checklist {tag}".encode() in data
        assert after.generation.encode() not in data
    assert {f"{before.folder}/checklists/beta.{checklist_tag(after.manifest(), 'beta')}.txt"} <= new.keys()
    assert checklist_tag(after.manifest(), "bet") == ""


def test_one_changed_answer_among_three_nodes_is_less_than_200_kb_to_write():
    """All that a stage writes then: the files that are new, the menu, and the manifest three times."""
    text = (BASE.parents[2] / "examples/alliance/fleet.yaml").read_text()
    assert text.count("10.66.0.11/24") == 1
    before, after = (payload_of(t.encode()) for t in (text, text.replace("10.66.0.11/24", "10.66.0.21/24")))
    there = {f.path for f in before.files}
    written = sum(len(f.data) for f in after.files if f.path not in there)
    written += len(json.dumps(after.config, indent=4)) + 3 * len(after.manifest().to_json())
    assert 50_000 < written < 200_000


def test_every_ticket_names_generation_and_node_and_nothing_else_of_the_node():
    payload = payload_of(BASE.read_bytes())
    tickets = [f for f in payload.files if f.origin == "ticket"]
    assert {f.path.rpartition("/")[2] for f in tickets} == {"auto", "alpha", "beta"}
    for ticket in tickets:
        text = ticket.data.decode()
        name = ticket.path.rpartition("/")[2]
        assert text.count("ventoy-kit-ticket") == 1
        assert f" generation={payload.generation} " in text
        assert f" node={name} " in text
        assert "$" not in text
        assert "S7" not in text
        assert "ALPHA01" not in text


def test_archives_hold_what_the_tickets_promise():
    payload = payload_of(BASE.read_bytes())
    for file in (f for f in payload.files if f.path.endswith(".tar.bz2")):
        members = unpacked(file.data)
        assert f"generation={payload.generation}\n" in members["ventoy-kit/overlay.conf"]
        for line in members["MEMBERS"].splitlines():
            mode, name = line.split(" ", 1)
            if name.rpartition("/")[2] in ("answer.toml", "partman.cfg", "preseed.cfg"):
                assert mode == "0600"


def test_an_archive_holds_once_what_the_runners_of_its_nodes_share():
    hooks = {"falcon": ["ssh"], "xwing": ["ssh"], "ywing": ["ssh", "repos"], "plain": []}
    nodes = {
        name: node(number, hooks=[{"name": hook} for hook in chosen])
        for number, (name, chosen) in enumerate(hooks.items(), start=2)
    }
    payload = payload_of(as_yaml(base_fleet(nodes)).encode())
    (archive,) = (f.data for f in payload.files if f.path.endswith("proxmox-ve/overlay.tar.bz2"))
    files = unpack_archive(archive)
    assert len([path for path in files if path.startswith(f"{RUNNERS}/")]) == 3
    for name, chosen in hooks.items():
        runner = runner_in(files, name) or b""
        assert f"\nVK_NODE={name}\n".encode() in runner
        assert f"\nVK_GENERATION={payload.generation}\n".encode() in runner
        assert f"\nVK_HOOKS='{' '.join(sorted(chosen))}'\n".encode() in runner.replace(b"=ssh\n", b"='ssh'\n")
        assert runner.endswith(b'\nmain "$@"\n')
        assert files[f"ventoy-kit/nodes/{name}/first-boot"][1] == 0o600
    assert runner_in(files, "nobody") is None


NODES = st.lists(st.integers(2, 60_000), min_size=1, max_size=5, unique=True)
SHAPES = st.sampled_from(
    [
        {},
        {"install": {"image": "debian", "filesystem": "btrfs", "swap": "2 GB"}},
        {"install": {"image": "debian", "filesystem": "ext4", "layout": "lvm", "packages": ["g++"]}},
        {"install": {"filesystem": "zfs", "raid": "raid0", "zfs": {"ashift": 13}}},
        {"install": {"filesystem": "btrfs", "raid": "raid0"}, "role": "x", "hooks": [{"name": "ssh"}]},
        {"install": {"filesystem": "xfs", "lvm": {"maxroot": "50 GiB"}}, "hooks": [{"name": "repos"}]},
    ]
)


@settings(max_examples=25, deadline=None)
@given(NODES, st.lists(SHAPES, min_size=5, max_size=5))
def test_fleets_built_right_have_no_findings_and_render(numbers, shapes):
    nodes = {f"n{n}": node(n, **shape) for n, shape in zip(numbers, shapes, strict=False)}
    data = as_yaml(base_fleet(nodes)).encode()
    _, report = check(data)
    assert not list(report)
    payload = payload_of(data)
    named = {f.path.rpartition("/")[2] for f in payload.files if f.origin == "ticket"}
    assert named - {"auto"} == set(nodes)
    sheets = [f.path.rpartition("/")[2] for f in payload.files if f.origin == "checklist"]
    assert sorted(re.sub(r"\.[0-9a-f]{8}\.", ".", sheet) for sheet in sheets) == sorted(
        f"{n}.{ending}" for n in nodes for ending in ("txt", "html", "armed.txt")
    )
