"""What is kept of older generations."""

from dataclasses import replace

from tests.stick.staging import make_wanted, plan_of, stage
from tests.support.fakes import MemoryStick, Silent
from ventoy_kit.payload.model import Entry
from ventoy_kit.stick import arm_codes as codes
from ventoy_kit.stick.apply import survey
from ventoy_kit.stick.arm import History, Last
from ventoy_kit.stick.held import with_held, without_damaged

OLD = make_wanted({"a.iso": b"one", "b.iso": b"two"}, ("n1",))
NEW = make_wanted({"b.iso": b"two", "c.iso": b"three"}, ("n1",))
HISTORY = History("x", {"n1": Last("x", OLD.manifest.generation, "a", "iso/a.iso")})
OF_A = {p for p in OLD.data if p == "iso/a.iso" or f"/{OLD.manifest.generation}/a/" in p}


def test_image_and_answers_of_the_node_stay_and_nothing_else():
    whole, report = with_held(NEW.manifest, OLD.manifest, HISTORY)
    assert len(report) == 0
    assert {e.path for e in whole.entries} == {*NEW.data, *OF_A}
    assert [e.path for e in whole.entries] == sorted(e.path for e in whole.entries)


def test_the_checklists_of_the_node_stay():
    base = f"ventoy/fleet/{OLD.manifest.generation}/checklists"
    sheets = [Entry(f"{base}/{n}", 1, "0" * 64, "checklist") for n in ("n1.txt", "n1.armed.txt", "n10.txt")]
    before = replace(OLD.manifest, entries=(*OLD.manifest.entries, *sheets))
    whole, _ = with_held(NEW.manifest, before, HISTORY)
    assert {f"{base}/n1.txt", f"{base}/n1.armed.txt"} == {e.path for e in whole.entries if base in e.path}


def test_nothing_is_held_without_a_history_a_manifest_or_another_generation():
    current = History("x", {"n1": Last("x", NEW.manifest.generation, "b", "iso/b.iso")})
    for before, history in ((None, HISTORY), (OLD.manifest, History()), (OLD.manifest, current)):
        assert with_held(NEW.manifest, before, history)[0] == NEW.manifest


def test_an_iso_that_would_get_other_bytes_is_refused_until_it_is_let_go():
    other = make_wanted({"a.iso": b"changed"}, ("n1",))
    _, report = with_held(other.manifest, OLD.manifest, HISTORY)
    (finding,) = report
    assert finding.rule is codes.HELD
    assert "--let-go n1" in finding.remedy
    assert len(with_held(other.manifest, OLD.manifest, HISTORY.without(["n1"]))[1]) == 0


def test_a_stage_keeps_it_and_letting_go_removes_it():
    stick = MemoryStick()
    stage(stick, OLD)
    whole, _ = with_held(NEW.manifest, OLD.manifest, HISTORY)
    stage(stick, replace(NEW, manifest=whole, data=NEW.data))
    assert stick.files.keys() >= OF_A
    assert not [p for p in stick.files if f"/{OLD.manifest.generation}/b/" in p]
    again, _ = with_held(NEW.manifest, whole, HISTORY)
    assert again == whole
    plan, _, _ = plan_of(stick, replace(NEW, manifest=again))
    assert plan.changes_nothing
    stage(stick, NEW)
    assert not OF_A & stick.files.keys()


def test_what_is_damaged_is_not_held_any_more():
    stick = MemoryStick()
    stage(stick, OLD)
    gone, changed = sorted(p for p in OF_A if p.startswith("ventoy/"))[:2]
    del stick.files[gone]
    stick.files[changed] = b"?" * len(stick.files[changed])
    whole, _ = with_held(NEW.manifest, OLD.manifest, HISTORY)
    found = survey(stick, whole, filesystem=None, recheck=False, progress=Silent())
    kept, report = without_damaged(whole, NEW.manifest, found)
    assert [f.rule for f in report] == [codes.HELD_DAMAGED] * 2
    assert {e.path for e in kept.entries} == {*NEW.data, *OF_A} - {gone, changed}


def test_an_adopted_iso_stays_adopted_and_its_origin_does_not_grow():
    adopted = tuple(
        replace(e, origin=f"adopted: {e.origin}") if e.path == "iso/a.iso" else e
        for e in OLD.manifest.entries
    )
    whole, _ = with_held(NEW.manifest, replace(OLD.manifest, entries=adopted), HISTORY)
    assert next(e.origin for e in whole.entries if e.path == "iso/a.iso") == "test"
