"""The power goes while a stick is staged: a real exFAT file system, whatever was not flushed lost or reordered."""

import json
import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.stick.staging import FLEET, Wanted, make_wanted, plan_of, sources
from tests.stick.test_apply import check_final, check_menu, json_of
from tests.support.block_log import (
    PATH,
    Event,
    Flush,
    MountError,
    Write,
    after_cut,
    events,
    mounted,
    new_exfat,
)
from tests.support.fakes import Silent
from ventoy_kit.edge.stick_files import StickFolder
from ventoy_kit.errors import StorageError
from ventoy_kit.payload.model import Manifest
from ventoy_kit.stick.apply import apply_plan, read_manifest, survey
from ventoy_kit.stick.menu import read_menu
from ventoy_kit.stick.reconcile import TEMPORARY, manifest_path
from ventoy_kit.stick.unstage import apply_unstage, plan_unstage, salvaged
from ventoy_kit.stick.ventoy_text import CONFIG_PATH, parse_config

CUTS = 1000 if os.environ.get("VENTOY_KIT_SOAK") else 60
FOREIGN = {"photos/cat.jpg": b"cat" * 5000, "iso/mine.iso": b"mine" * 2000}
USER = b'{ "theme": {"file": "/ventoy/theme/theme.txt"} }\n'
OLD = make_wanted({"a.iso": b"one" * 40_000, "b.iso": b"two" * 30_000, "c.iso": b"gone" * 9000}, ("n1",))
# One ISO stays, one gets new bytes under its name, one goes, one comes.
NEW = make_wanted({"a.iso": b"one" * 40_000, "b.iso": b"new" * 30_000, "d.iso": b"four" * 9000}, ("n1", "n2"))


def contents(root: Path) -> dict[str, bytes]:
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def stage_folder(root: Path, wanted: Wanted) -> None:
    files = StickFolder(root, TEMPORARY)
    plan, found, report = plan_of(files, wanted)
    if plan is None:
        raise RefusedError([f.message for f in report])
    apply_plan(plan, found, files, sources(wanted), Silent())


def follow_the_remedy(root: Path) -> None:
    """What a refused stage tells the user: VK-Z05 to unstage, VK-Z01 to rename the ISO; then stage again."""
    files, nothing = StickFolder(root, TEMPORARY), Manifest(FLEET, "", (), {})
    try:
        read_manifest(files, manifest_path(FLEET))
    except ValueError:
        found = survey(
            files, nothing, filesystem=None, recheck=False, progress=Silent(), ignore_manifest=True
        )
        found = salvaged(found, FLEET, files.listing())
        menu, _ = read_menu(found.config, None, found.before, FLEET)
        assert menu is not None
        plan, _ = plan_unstage(found, menu, FLEET, {manifest_path(FLEET): 1})
        apply_unstage(plan, files)
    for _ in NEW.data:
        try:
            stage_folder(root, NEW)
        except RefusedError as error:
            for message in error.args[0]:
                path, _, why = message.partition(" ")
                assert why.startswith("is there already"), message
                (root / path).rename(root / f"{path}.old")
        else:
            return
    pytest.fail("it was refused again and again")


class RefusedError(Exception):
    """A stage that ended with findings."""


def checked(image: Path) -> None:
    """What a user does after a power cut, and what the desktop does by itself: check the file system."""
    subprocess.run(
        ["fsck.exfat", "-y", image], capture_output=True, env={**os.environ, "PATH": PATH}, timeout=60
    )


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """A stick with the old set, and everything that the driver does while the new one is staged onto it."""
    folder = tmp_path_factory.mktemp("cut")
    base, log = folder / "base.img", folder / "log"
    new_exfat(base)
    with mounted(base, folder / "point") as root:
        for path, data in (FOREIGN | {CONFIG_PATH: USER}).items():
            (root / path).parent.mkdir(exist_ok=True)
            (root / path).write_bytes(data)
        stage_folder(root, OLD)
        old_menu = (root / CONFIG_PATH).read_bytes()
    image = folder / "new.img"
    shutil.copyfile(base, image)
    with mounted(image, folder / "point", log) as root:
        stage_folder(root, NEW)
        files = contents(root)
        check_final(files, NEW, FOREIGN)
    yield base, events(log), old_menu, files[CONFIG_PATH]
    shutil.rmtree(folder)


@pytest.mark.slow
@pytest.mark.timeout(3600)  # a thousand cuts in the long run
@pytest.mark.needs_root
@pytest.mark.needs_tool("mkfs.exfat", "fsck.exfat", "mount.exfat-fuse", "strace", "losetup")
def test_whatever_a_power_cut_loses_the_menu_is_old_new_or_absent_and_the_next_stage_repairs_or_refuses(
    recorded, tmp_path
):
    base, history, old_menu, new_menu = recorded
    # For each of the ISOs, for the generation, and around each switch of ventoy.json and the manifest.
    assert sum(isinstance(e, Flush) for e in history) > 12
    menus = {b"": 0, old_menu: 0, new_menu: 0}
    ends = {"finished": 0, "finished as the refusal said": 0, "failed": 0, "no mount": 0}
    image, point = tmp_path / "cut.img", tmp_path / "point"
    for seed in range(CUTS):
        chance = random.Random(seed)
        at = chance.randrange(len(history) + 1)
        after_cut(base, history, at, chance, image)
        checked(image)
        try:
            with mounted(image, point) as root:
                files = contents(root)
                menu = files.get(CONFIG_PATH, b"")
                assert menu in menus, f"seed {seed}"
                menus[menu] += 1
                if menu:
                    parsed, _ = parse_config(menu, CONFIG_PATH)
                    assert parsed is not None
                    check_menu(json.loads(json_of(parsed)), files, [OLD, NEW])
                assert {p: files.get(p) for p in FOREIGN} == FOREIGN, f"seed {seed}"
                try:
                    stage_folder(root, NEW)
                except StorageError:
                    ends["failed"] += 1
                    continue
                except (RefusedError, ValueError):
                    follow_the_remedy(root)
                    ends["finished as the refusal said"] += 1
                else:
                    ends["finished"] += 1
                files = contents(root)
                assert files.keys() >= FOREIGN.keys()
                check_healed(files)
        except MountError:
            ends["no mount"] += 1
    print(
        f"{CUTS} cuts: menu absent {menus[b'']}, old {menus[old_menu]}, new {menus[new_menu]}; next stage {ends}"
    )
    assert menus[old_menu]
    assert menus[new_menu]
    assert ends["finished"] >= CUTS * 0.9
    assert ends["failed"] + ends["no mount"] <= CUTS * 0.01
    image.unlink()


def check_healed(files: dict[str, bytes]) -> None:
    """The new set, whole, and the menu that goes with it; what a lost manifest leaves behind may lie beside it."""
    for path, data in NEW.data.items():
        if not path.startswith("iso/"):
            assert files[path] == data
        else:
            assert data in files.values()
    parsed, _ = parse_config(files[CONFIG_PATH], CONFIG_PATH)
    assert parsed is not None
    menu = json.loads(json_of(parsed))
    check_menu(menu, files, [NEW])
    assert len(menu["injection"]) == 3


def test_the_model_of_a_cut_loses_and_keeps(tmp_path):
    """The tool itself: what was flushed is there for ever, what was not is there sometimes."""
    base, image = tmp_path / "base", tmp_path / "image"
    base.write_bytes(bytes(4096))
    history: list[Event] = [Write(0, b"a" * 512), Flush(), Write(512, b"b" * 512), Write(1024, b"c" * 1024)]
    seen = set()
    for seed in range(60):
        after_cut(base, history, 4, random.Random(seed), image)
        data = image.read_bytes()
        assert data[:512] == b"a" * 512
        seen.add(bytes(data[i] for i in (512, 1024, 1536)))
    assert {b"bcc", b"\0\0\0", b"b\0\0"} <= seen
