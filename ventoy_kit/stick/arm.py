"""Arm and disarm: look at a stick, plan, apply. Effects through `ports.StickFiles` alone.

Every moment is safe: what the armed ventoy.json names is written and flushed before it, the toolbox's goes back before
anything that it does not name is removed. Whatever an interrupted run left is found by the description in its folder.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from ventoy_kit.payload.model import Manifest
from ventoy_kit.ports import StickFiles
from ventoy_kit.report import Place, Report
from ventoy_kit.stick import arm_codes as codes
from ventoy_kit.stick.apply import read_manifest
from ventoy_kit.stick.armed import (
    DESCRIPTION,
    FORMAT,
    TOOLBOX,
    Arming,
    Delivery,
    armed_config,
    is_id,
    referred_to,
    sha256,
)
from ventoy_kit.stick.reconcile import manifest_path
from ventoy_kit.stick.ventoy_config import merge_config
from ventoy_kit.stick.ventoy_text import CONFIG_PATH, Obj, dump_config

HISTORY = "armings.json"
_FOLDER = re.compile(r"ventoy/([a-z][a-z0-9-]*)/armed-([^/]+)/" + re.escape(DESCRIPTION))


@dataclass(frozen=True, slots=True)
class Last:
    """What a node was last armed with: id of the arming, generation, image, ISO from the stick's root, checklists' tag."""

    id: str
    generation: str
    image: str
    iso: str
    checklist: str = ""


@dataclass(frozen=True, slots=True)
class History:
    """A fleet's armings on one stick, past ones included.

    Attributes:
        last: the greatest id; empty if there was none.
        nodes: by node, what it was last armed with; its files are held on the stick until they are let go.
    """

    last: str = ""
    nodes: Mapping[str, Last] = field(default_factory=dict)

    def to_json(self) -> bytes:
        """As it lies on the stick."""
        nodes = {name: asdict(last) for name, last in sorted(self.nodes.items())}
        return (json.dumps({"format": FORMAT, "last": self.last, "nodes": nodes}, indent=1) + "\n").encode()

    @staticmethod
    def from_json(data: bytes) -> History:
        """Read a history. Raises ValueError."""
        try:
            document = json.loads(data)
            if document["format"] != FORMAT:
                raise ValueError("another format")
            nodes = {str(name): Last(**_texts(entry)) for name, entry in document["nodes"].items()}
            return History(str(document["last"]), nodes)
        except (KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError(f"this is no history of armings: {error!r}") from error

    def with_arming(self, arming: Arming, iso: str) -> History:
        """With one more arming."""
        last = Last(arming.id, arming.generation, arming.image, iso, arming.checklist)
        return History(max(self.last, arming.id), {**self.nodes, arming.node: last})

    def without(self, nodes: Iterable[str]) -> History:
        """With the files of some nodes let go; the ids stay known."""
        gone = set(nodes)
        return replace(self, nodes={k: v for k, v in self.nodes.items() if k not in gone})


def _texts(entry: Any) -> dict[str, str]:
    return {str(k): str(v) for k, v in entry.items()}


def history_path(fleet: str) -> str:
    """Where a fleet's history lies."""
    return f"ventoy/{fleet}/{HISTORY}"


@dataclass(frozen=True, slots=True)
class State:
    """What a stick says of arming.

    Attributes:
        config: bytes of ventoy.json, None if there is none.
        arming: the arming that ventoy.json starts, None in the toolbox state. What its description does not tell is
            empty.
        toolbox: what ventoy.json shall be when nothing is armed; None if there is none, or if it is lost.
        lost: the stick is armed and the toolbox's file is gone or has other bytes.
        edited: the stick is armed and somebody changed ventoy.json since.
        folders: files of armings on the stick, by folder, the description last.
        ids: ids of all armings that left a trace, of all fleets.
        histories: by fleet.
    """

    config: bytes | None
    arming: Arming | None
    toolbox: bytes | None
    lost: bool
    edited: bool
    folders: Mapping[str, tuple[str, ...]]
    ids: frozenset[str]
    histories: Mapping[str, History]

    def history(self, fleet: str) -> History:
        """The history of a fleet."""
        return self.histories.get(fleet, History())


def survey_arming(files: StickFiles) -> State:
    """Look at a stick. Raises StorageError: it cannot be read."""
    config = files.read(CONFIG_PATH)
    found: dict[str, Arming | None] = {}
    for path in files.leftovers(DESCRIPTION, ("ventoy",)):
        match = _FOLDER.fullmatch(path)
        if match and is_id(match[2]):
            found[path.rpartition("/")[0]] = _description(_small(files, path) or b"", match[1], match[2])
    arming = None
    reference = referred_to(config)
    if reference is not None:
        fleet, arming_id, node = reference
        bare = Arming(arming_id, "", fleet, "", node, node, "", ())
        arming = found.get(bare.folder) or bare
        found[bare.folder] = arming
    toolbox, lost = config, False
    # After a power cut ventoy.json may be gone (exFAT has no journal): then the newest copy of it is the best one.
    newest = max((a for a in found.values() if a), key=lambda a: a.id, default=None)
    owner = arming or (newest if config is None else None)
    if owner is not None:
        toolbox = files.read(f"{owner.folder}/{TOOLBOX}")
        if toolbox is None or sha256(toolbox) != owner.toolbox_sha256:
            toolbox, lost = None, arming is not None
    histories = dict(_histories(files))
    ids = {folder.rpartition("/armed-")[2] for folder in found} | {h.last for h in histories.values()}
    return State(
        config=config,
        arming=arming,
        toolbox=toolbox,
        lost=lost,
        edited=arming is not None and not lost and sha256(config or b"") != arming.config_sha256,
        folders={folder: _files_of(folder, one, files) for folder, one in sorted(found.items())},
        ids=frozenset(i for i in ids if is_id(i)),
        histories=histories,
    )


def _description(data: bytes, fleet: str, arming_id: str) -> Arming | None:
    try:
        arming = Arming.from_json(data)
    except ValueError:
        return None
    named = re.fullmatch(r"[a-z0-9-]+", arming.node) is not None
    return arming if (arming.fleet, arming.id) == (fleet, arming_id) and named else None


def _files_of(folder: str, arming: Arming | None, files: StickFiles) -> tuple[str, ...]:
    """The files of an arming that are there, the description last, so that the rest is found until it is gone."""
    names = [*([arming.node] if arming else []), TOOLBOX, DESCRIPTION]
    return tuple(f"{folder}/{n}" for n in names if files.size(f"{folder}/{n}") is not None)


def _histories(files: StickFiles) -> Iterable[tuple[str, History]]:
    for path in files.leftovers(HISTORY, ("ventoy",)):
        parts = path.split("/")
        if len(parts) == 3 and parts[2] == HISTORY:
            try:
                yield parts[1], History.from_json(_small(files, path) or b"")
            except ValueError:  # it only says what is held; nothing depends on it for safety
                continue


@dataclass(frozen=True, slots=True)
class Change:
    """What arming or disarming writes, in this order, and then removes.

    Attributes:
        before: files that are written before ventoy.json.
        config: new bytes of ventoy.json, None if it stays.
        remove: files that go when ventoy.json is in its place.
    """

    before: tuple[tuple[str, bytes], ...] = ()
    config: bytes | None = None
    remove: tuple[str, ...] = ()

    @property
    def changes_nothing(self) -> bool:
        """Whether the stick is already as it should be."""
        return not self.before and self.config is None and not self.remove


def plan_disarm(state: State, manifest: Manifest | None) -> tuple[Change, Report]:
    """Back to the toolbox, and what interrupted runs left goes.

    Args:
        state: the stick.
        manifest: the armed fleet's, from the stick; needed where the user's settings are lost.
    """
    before, report = _rescue(state)
    wanted = toolbox_of(state, manifest)
    return Change(before, None if wanted in (None, state.config) else wanted, _remains(state)), report


def toolbox_of(state: State, manifest: Manifest | None) -> bytes | None:
    """The ventoy.json of the toolbox, None if there is none; where it is lost, the kit's own entries alone."""
    if not state.lost:
        return state.toolbox
    merged, _ = merge_config(Obj(), manifest.config if manifest else {}, {}, CONFIG_PATH)
    return dump_config(merged or Obj())


def plan_arm(
    state: State, toolbox: tuple[bytes, Obj], arming: Arming, delivery: Delivery, ticket: bytes
) -> tuple[Change, Arming, Report]:
    """Arm, in the place of whatever was armed before.

    Args:
        state: the stick.
        toolbox: its ventoy.json in the toolbox state, as bytes and read.
        arming: without its digests.
        delivery: the node's, from the manifest on the stick.
        ticket: the armed ticket.

    Returns:
        The change, the arming with its digests, and findings.
    """
    data, root = toolbox
    config = dump_config(armed_config(root, delivery, arming))
    whole = replace(arming, config_sha256=sha256(config), toolbox_sha256=sha256(data))
    rescued, report = _rescue(state)
    before = (
        *rescued,
        (f"{arming.folder}/{DESCRIPTION}", whole.to_json()),
        (f"{arming.folder}/{TOOLBOX}", data),
        (arming.ticket, ticket),
        (
            history_path(arming.fleet),
            state.history(arming.fleet).with_arming(arming, delivery.iso).to_json(),
        ),
    )
    return Change(before, config, _remains(state)), whole, report


def _rescue(state: State) -> tuple[tuple[tuple[str, bytes], ...], Report]:
    """What the user changed while the stick was armed, in a file beside; and what cannot be saved."""
    report, arming = Report(), state.arming
    if arming is None:
        return (), report
    if state.lost:
        report.add(
            codes.SETTINGS_LOST.finding(
                f"{arming.folder}/{TOOLBOX} is gone or damaged, so settings of your own are lost",
                "Enter them in ventoy.json again.",
                place=Place(CONFIG_PATH),
            )
        )
    if not state.edited or state.config is None:
        return (), report
    saved = f"ventoy/{arming.fleet}/edited-{arming.id}.json"
    report.add(
        codes.EDITED.finding(
            f"{CONFIG_PATH} was changed while the stick was armed for {arming.node}",
            f"Your version is kept as {saved}: take from it what you need.",
            place=Place(CONFIG_PATH),
        )
    )
    return ((saved, state.config),), report


def _remains(state: State) -> tuple[str, ...]:
    """Files of all armings that are there; temporary ones are left to `stage`, which resumes or removes them."""
    return tuple(path for paths in state.folders.values() for path in paths)


def apply_change(change: Change, files: StickFiles) -> None:
    """Carry a change out.

    Raises:
        StorageError: writing or reading back failed; the stick is as it was, or as it shall be.
    """
    if change.changes_nothing:
        return
    for path, data in change.before:
        _put(files, path, data)
    if change.config is not None:
        files.flush()
        _put(files, CONFIG_PATH, change.config)
        files.flush()
    for path in change.remove:
        files.remove(path)
    files.flush()


def _put(files: StickFiles, path: str, data: bytes) -> None:
    digest = hashlib.sha256(data).hexdigest()
    files.write(path, [data], sha256=digest, private=path != CONFIG_PATH)


LIMIT = 1024 * 1024
"""Bytes; what arming writes is far smaller."""


def _small(files: StickFiles, path: str) -> bytes | None:
    """A file of ours, None if there is none or it is larger than ours are."""
    size = files.size(path)
    return None if size is None or size > LIMIT else files.read(path)


def manifest_of(files: StickFiles, fleet: str) -> Manifest | None:
    """A fleet's manifest on the stick, None if there is none that can be used."""
    try:
        return read_manifest(files, manifest_path(fleet))
    except ValueError:
        return None
