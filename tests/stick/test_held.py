"""What is kept of older generations."""

from dataclasses import replace

from tests.stick.staging import make_wanted, plan_of, sources, stage
from tests.support.fakes import MemoryStick, Silent
from ventoy_kit.payload.model import Entry
from ventoy_kit.stick import arm_codes as codes
from ventoy_kit.stick.apply import apply_plan, survey
from ventoy_kit.stick.arm import History, Last
from ventoy_kit.stick.held import damaged, held_paths

OLD = make_wanted({"a.iso": b"one", "b.iso": b"two"}, ("n1",))
NEW = make_wanted({"b.iso": b"two", "c.iso": b"three"}, ("n1",))
OTHER = make_wanted({"a.iso": b"changed"}, ("n1",))
HISTORY = History("x", {"n1": Last("x", OLD.manifest.generation, "a", "iso/a.iso")})
OF_A = {p for p in OLD.data if p == "iso/a.iso" or f"/{OLD.manifest.generation}/a/" in p}
SUM = "iso/a.iso.sha256"


def found_on(stick, wanted):
    return survey(stick, wanted.manifest, filesystem=None, recheck=False, progress=Silent())


def hold(stick, wanted):
    """Stage beside what is held for n1; what was held."""
    held = held_paths(wanted.manifest.generation, found_on(stick, wanted).manifest, HISTORY)
    plan, found, report = plan_of(stick, wanted, held=tuple(held))
    assert not report.has_errors
    apply_plan(plan, found, stick, sources(wanted), Silent())
    return held


def test_image_and_answers_of_the_node_are_held_and_nothing_else():
    assert held_paths(NEW.manifest.generation, OLD.manifest, HISTORY) == OF_A


def test_the_checklists_of_the_node_are_held():
    base, tag = "ventoy/fleet/checklists", "0a1b2c3d"
    names = (f"n1.{tag}.txt", f"n1.{tag}.armed.txt", "n1.99999999.txt", f"n10.{tag}.txt")
    sheets = [Entry(f"{base}/{n}", 1, "0" * 64, "checklist") for n in names]
    before = replace(OLD.manifest, entries=(*OLD.manifest.entries, *sheets))
    last = replace(HISTORY.nodes["n1"], checklist=tag)
    held = held_paths(NEW.manifest.generation, before, History("x", {"n1": last}))
    assert {f"{base}/{n}" for n in names[:2]} == {p for p in held if base in p}
    assert held_paths(NEW.manifest.generation, before, HISTORY) == OF_A  # a history that does not tell


def test_nothing_is_held_without_a_history_a_manifest_or_another_generation():
    current = History("x", {"n1": Last("x", NEW.manifest.generation, "b", "iso/b.iso")})
    for before, history in ((None, HISTORY), (OLD.manifest, History()), (OLD.manifest, current)):
        assert held_paths(NEW.manifest.generation, before, history) == frozenset()


def test_a_stage_keeps_it_and_letting_go_removes_it():
    stick = MemoryStick()
    stage(stick, OLD)
    assert hold(stick, NEW) == {*OF_A, SUM}
    assert stick.files.keys() >= {*OF_A, SUM}
    assert not [p for p in stick.files if f"/{OLD.manifest.generation}/b/" in p]
    held = held_paths(NEW.manifest.generation, found_on(stick, NEW).manifest, HISTORY)
    assert plan_of(stick, NEW, held=tuple(held))[0].changes_nothing
    stage(stick, NEW)
    assert not {*OF_A, SUM} & stick.files.keys()


def test_an_iso_of_the_same_name_gets_a_place_of_its_own_beside_it():
    stick = MemoryStick()
    stage(stick, OLD)
    hold(stick, OTHER)
    assert stick.files["iso/a.iso"] == b"one"
    digest = next(e.sha256 for e in OTHER.manifest.entries if e.path == "iso/a.iso")
    assert stick.files[f"iso/a.{digest[:8]}.iso"] == b"changed"
    assert f'"/iso/a.{digest[:8]}.iso"'.encode() in stick.files["ventoy/ventoy.json"]


def test_what_is_damaged_is_not_held_any_more():
    stick = MemoryStick()
    stage(stick, OLD)
    gone, changed = sorted(p for p in OF_A if p.startswith("ventoy/"))[:2]
    del stick.files[gone]
    stick.files[changed] += b"?"
    held = held_paths(NEW.manifest.generation, OLD.manifest, HISTORY)
    report = damaged(held, found_on(stick, NEW))
    assert [f.rule for f in report] == [codes.HELD_DAMAGED] * 2
    assert [f.message.partition(" ")[0] for f in report] == [gone, changed]
    hold(stick, NEW)
    assert stick.files.keys() & {*OF_A} == {*OF_A} - {gone, changed}


def test_an_adopted_iso_stays_adopted_and_its_origin_does_not_grow():
    stick = MemoryStick({"iso/a.iso": b"one"})
    stage(stick, OLD)
    for _ in range(2):
        hold(stick, NEW)
        manifest = found_on(stick, NEW).manifest
        assert next(e.origin for e in manifest.entries if e.path == "iso/a.iso") == "adopted: test"
