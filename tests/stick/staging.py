"""A stage without an app around it: survey, merge, reconcile and apply on a fake stick; and random things to stage."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from tests.support.fakes import MemoryStick, Silent
from ventoy_kit.payload.model import Entry, Manifest, document_path
from ventoy_kit.ports import StickFiles
from ventoy_kit.report import Report
from ventoy_kit.stick.apply import Source, apply_plan, survey
from ventoy_kit.stick.menu import read_menu
from ventoy_kit.stick.reconcile import Found, StagePlan, reconcile

FLEET = "fleet"
MANIFEST = f"ventoy/{FLEET}/manifest.json"


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@dataclass(frozen=True)
class Wanted:
    """What a build gives to a stage."""

    manifest: Manifest
    data: Mapping[str, bytes]


def make_wanted(isos: Mapping[str, bytes], nodes: tuple[str, ...], fleet: str = FLEET) -> Wanted:
    """A build of some ISOs with tickets, an archive and a menu for each."""
    generation = digest(repr((sorted(isos.items()), nodes)).encode())[:8]
    data = {f"iso/{name}": content for name, content in isos.items()}
    # What is for people lies beside the generations; builds that differ elsewhere share it.
    for node in nodes:
        sheet = f"{node} of {min(len(isos), 2)}".encode()
        data[document_path(fleet, "checklists", node, digest(sheet)[:8], "txt")] = sheet
    config: dict[str, list[object]] = {
        "auto_install": [],
        "injection": [],
        "conf_replace": [],
        "menu_alias": [],
        "menu_tip": [],
    }
    for name in sorted(isos):
        folder = f"ventoy/{fleet}/{generation}/{name.partition('.')[0]}"
        image = f"/iso/{name}"
        files = {f"{folder}/{n}": f"ticket {generation} {n}".encode() for n in ("auto", *nodes)}
        data |= files | {f"{folder}/overlay": b"archive " + isos[name], f"{folder}/grub.cfg": b"menu"}
        template = [f"/{path}" for path in sorted(files)]
        config["auto_install"].append({"image": image, "template": template, "autosel": 0, "timeout": 0})
        config["injection"].append({"image": image, "archive": f"/{folder}/overlay"})
        config["conf_replace"].append(
            {"iso": image, "org": "/boot/grub/grub.cfg", "new": f"/{folder}/grub.cfg"}
        )
        config["menu_alias"].append({"image": image, "alias": f"Install {name}"})
        config["menu_tip"].append({"image": image, "tip1": "one", "tip2": "two"})
    entries = tuple(Entry(p, len(d), digest(d), "test") for p, d in sorted(data.items()))
    return Wanted(Manifest(fleet, generation, entries, config), data)


def plan_of(
    stick: StickFiles,
    wanted: Wanted,
    filesystem: str | None = None,
    *,
    recheck: bool = False,
    held: tuple[str, ...] = (),
) -> tuple[Any, Found, Report]:
    """Survey, merge and reconcile: the plan (None if refused), what was found, and the findings."""
    found = survey(stick, wanted.manifest, filesystem=filesystem, recheck=recheck, progress=Silent())
    menu, problems = read_menu(
        found.config, found.manifest.config if found.manifest else None, found.before, wanted.manifest.fleet
    )
    assert menu is not None, list(problems)
    plan, report = reconcile(wanted.manifest, found, menu, held)
    return plan, found, report


def sources(wanted: Wanted) -> dict[str, Source]:
    return {p: functools.partial(list, [d]) for p, d in wanted.data.items()}


def stage(stick: MemoryStick, wanted: Wanted) -> StagePlan:
    """A whole stage."""
    plan, found, report = plan_of(stick, wanted)
    assert isinstance(plan, StagePlan), [f.message for f in report]
    apply_plan(plan, found, stick, sources(wanted), Silent())
    return plan


ISOS = st.dictionaries(
    st.sampled_from(["a.iso", "b.iso", "c.iso"]), st.sampled_from([b"one", b"two", b"three"]), max_size=3
)
NODES = st.lists(st.sampled_from(["n1", "n2", "n3"]), max_size=2, unique=True).map(tuple)
WANTED = st.builds(make_wanted, ISOS, NODES)
FOREIGN = st.dictionaries(
    st.sampled_from(
        [
            "iso/mine.iso",
            "photos/cat.jpg",
            "ventoy/theme/theme.txt",
            "iso/.vk-notes.txt",
            "ventoy/ventoy_grub.cfg",
        ]
    ),
    st.binary(max_size=4),
    max_size=3,
)
USER_CONFIG = st.sampled_from(
    [
        None,
        b'{"theme": {"file": "/ventoy/theme/theme.txt"}}',
        b'{"auto_install_uefi": [], "menu_alias": [{"image": "/iso/mine.iso", "alias": "Mine"}]}',
        b'\xef\xbb\xbf{ "menu_tip":{"left":"1%"} , "injection":[]} trailing',
    ]
)
