"""ventoy.json as Ventoy's own reader takes it, and our entries in and out of it."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ventoy_kit.stick import config_codes as codes
from ventoy_kit.stick.ventoy_config import MODES, merge_config
from ventoy_kit.stick.ventoy_text import Obj, dump_config, parse_config

FILE = "ventoy/ventoy.json"


def parsed(text: str) -> Obj:
    root, report = parse_config(text.encode(), FILE)
    assert [f.message for f in report] == []
    assert root is not None
    return root


def refused(text: str | bytes):
    root, report = parse_config(text if isinstance(text, bytes) else text.encode(), FILE)
    assert root is None
    (finding,) = report
    assert finding.rule is codes.BROKEN
    assert finding.place is not None
    return finding


# What Ventoy's own ventoy_json.c, compiled on a host, makes of these texts.


@pytest.mark.parametrize(
    ("text", "members"),
    [
        ("{}", ()),
        ('{"a":1} // what follows the root is ignored', (("a", 1),)),
        ("\ufeff{}", ()),
        ('é {\x01"a"\u00a0: "b"\x7fé}', None),
        ('\u2028{ "a"\u00e9:\x1f[\u00e91 , true,false ,null]}', (("a", [1, True, False, None]),)),
        ('{"a":"x\\"y"}', (("a", 'x\\"y'),)),
        ('{"a":"\\u00e9\\/"}', (("a", "\\u00e9\\/"),)),
        ('{"a":"two\nlines"}', (("a", "two\nlines"),)),
        ('{"a":007}', (("a", 7),)),
        ('{"a":18446744073709551615}', (("a", 2**64 - 1),)),
        ('{"a":1,"a":2}', (("a", 1), ("a", 2))),
        ('{"a":{"b":[]}}\0{', (("a", Obj((("b", []),))),)),
    ],
)
def test_what_ventoy_reads(text, members):
    if members is None:
        assert refused(text)  # DEL is no blank
    else:
        assert parsed(text).members == members


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        "{",
        '{"a"}',
        '{"a":}',
        '{"a":1,}',
        '{"a":[1 ,]}',
        '{"a":-1}',
        '{"a":1.5}',
        '{"a":1e3}',
        '{"a":0x10}',
        '{"a":18446744073709551616}',
        '{"a":' + "9" * 5000 + "}",
        '{"a":[1]}',  # GRUB's strtoul takes `]` for a digit
        '{"a":1_}',
        '{"a":"ends in a backslash\\"}',
        "{'a':1}",
        "{a:1}",
        '{"a":nul}',
        '{"a":1 // comment\n}',
        '{"a":"x\0"}',
        '{"a":' + "[" * 5000 + "]" * 5000 + "}",
    ],
)
def test_what_ventoy_refuses(text):
    refused(text)


def test_texts_in_other_encodings_are_refused():
    refused('{"a":1}'.encode("utf-16"))
    refused(b'{\n"a":"\xe9"}')


def test_the_mistake_is_pointed_at():
    finding = refused('{\n  "control": [\n    {"VTOY_X": "1"},\n  ]\x0b\n}\n')
    assert (finding.place.line, finding.place.column) == (4, 3)
    assert finding.place.excerpt[-1] == (4, "  ]\x0b")


TEXTS = st.text(alphabet=st.sampled_from("ab é/\n{}[],:0"), max_size=6) | st.sampled_from(['q\\"w', "\\\\x"])
KEYS = st.sampled_from(["a", "b", "", 'x\\"y', "é"])
VALUES = st.recursive(
    TEXTS | st.integers(0, 2**64 - 1) | st.booleans() | st.none(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(st.tuples(KEYS, inner), max_size=3).map(lambda m: Obj(tuple(m)))
    ),
    max_leaves=12,
)
ROOTS = st.lists(st.tuples(KEYS, VALUES), max_size=4).map(lambda m: Obj(tuple(m)))


@given(ROOTS)
def test_what_is_written_is_read_again_as_it_was(root):
    assert parsed(dump_config(root).decode()) == root


@given(st.text(alphabet=st.sampled_from('{}[]:,"\\ 01a\né'), max_size=40))
def test_no_text_breaks_the_reader(text):
    root, report = parse_config(text.encode(), FILE)
    assert (root is None) == report.has_errors
    if root is not None:
        assert parsed(dump_config(root).decode()) == root


@given(st.binary(max_size=60))
def test_no_bytes_break_the_reader(data):
    root, report = parse_config(data, FILE)
    assert (root is None) == report.has_errors


# Merging. A model of what Ventoy makes of the file (ventoy_plugin.c): for each plugin and boot mode the first member
# with the mode's suffix counts, else the first plain one; a member of the wrong type means nothing.

PLUGINS = ("auto_install", "injection", "conf_replace", "menu_alias", "menu_tip")
IMAGE = "/iso/debian.iso"


def ours(generation: str, images=(IMAGE,)) -> dict[str, list[object]]:
    folder = f"/ventoy/fleet/{generation}/debian"
    return {
        "auto_install": [
            {"image": i, "template": [f"{folder}/auto", f"{folder}/node1"], "autosel": 0, "timeout": 0}
            for i in images
        ],
        "injection": [{"image": i, "archive": f"{folder}/overlay.tar.bz2"} for i in images],
        "conf_replace": [
            {"iso": i, "org": "/boot/grub/grub.cfg", "new": f"{folder}/grub.cfg"} for i in images
        ],
        "menu_alias": [{"image": i, "alias": "Debian - fleet"} for i in images],
        "menu_tip": [{"image": i, "tip1": "one", "tip2": "two"} for i in images],
    }


def meaning(root: Obj) -> dict[tuple[str, str], list[Any]]:
    """What Ventoy takes from a file, by mode and plugin; an absent plugin, an ignored one and an empty list are one."""
    out = {}
    for mode in MODES:
        for plugin in (*PLUGINS, "control", "image_list"):
            name = f"{plugin}_{mode}" if root.count(f"{plugin}_{mode}") else plugin
            value = root.get(name)
            if plugin == "menu_tip":
                lists = [v for k, v in value.members if k == "tips"] if isinstance(value, Obj) else []
                value = next((v for v in lists if isinstance(v, list)), None)
            out[mode, plugin] = value if isinstance(value, list) else []
    return out


ENTRY = st.sampled_from(
    [
        Obj((("image", "/iso/mine.iso"), ("template", "/mine.cfg"))),
        Obj((("image", "/iso/mine.iso"), ("alias", "Mine"))),
        Obj((("dir", "/iso"), ("alias", "All"))),
        Obj((("image", IMAGE), ("alias", "Debian - fleet"))),  # exactly like ours
        Obj((("iso", "/iso/mine.iso"), ("org", "/a"), ("new", "/b"))),
        "no object",
        5,
    ]
)
LISTS = st.lists(ENTRY, max_size=3)
TIPS = st.builds(
    lambda place, tips: Obj((*place, *tips)),
    st.sampled_from([(), (("left", "1%"),), (("left", "10%"), ("top", "81%"), ("color", "red"))]),
    st.sampled_from([()]) | LISTS.map(lambda tips: (("tips", tips),)),
)


@st.composite
def users(draw, *, duplicates=True):
    """The configuration of a user: plugins plain and suffixed, doubled, empty, in any order."""
    members = []
    names = [
        *(f"{p}{s}" for p in PLUGINS for s in ("", "_uefi", "_legacy")),
        "control",
        "theme",
        "image_list",
    ]
    chosen = draw(st.lists(st.sampled_from(names), max_size=6, unique=not duplicates))
    for name in chosen:
        if name.startswith("menu_tip"):
            value = draw(TIPS)
        elif name == "theme":
            value = Obj((("file", "/theme.txt"),))
        elif name == "image_list":
            value = draw(st.sampled_from([[IMAGE], ["/iso/mine.iso"], []]))
        elif name == "control":
            value = draw(st.sampled_from([[], [Obj((("VTOY_MENU_TIMEOUT", "5"),))], 5, "x", Obj()]))
        else:
            value = draw(LISTS)
        members.append((name, value))
    return Obj(tuple(members))


def merged(user, new, before):
    root, report = merge_config(user, new, before, FILE)
    assert root is not None, [f.message for f in report]
    return root


@given(users())
def test_taken_out_again_the_file_means_what_it_meant(user):
    with_ours = merged(user, ours("11111111"), {})
    assert meaning(merged(with_ours, {}, ours("11111111"))) == meaning(user)


@given(users())
def test_the_users_members_keep_their_order(user):
    back = merged(merged(user, ours("11111111"), {}), {}, ours("11111111"))
    kept = [k for k, _ in back.members]
    assert kept == [k for k, _ in user.members if k in kept]


@given(users())
def test_a_second_merge_changes_nothing_and_a_new_generation_replaces_the_old(user):
    once = merged(user, ours("11111111"), {})
    assert dump_config(merged(once, ours("11111111"), ours("11111111"))) == dump_config(once)
    moved = merged(once, ours("22222222"), ours("11111111"))
    assert b"11111111" not in dump_config(moved)
    assert dump_config(moved) == dump_config(merged(user, ours("22222222"), {}))


@given(users())
def test_in_every_boot_mode_our_entry_is_the_last(user):
    found = meaning(parsed(dump_config(merged(user, ours("11111111"), {})).decode()))
    for mode in MODES:
        for plugin in PLUGINS:
            (mine,) = ours("11111111")[plugin]
            assert dict(found[mode, plugin][-1].members) == mine


@given(users())
def test_an_interrupted_stage_is_taken_out_whichever_half_was_written(user):
    """The intent records the entries of the old set and of the new one; the file holds one of them."""
    both = {
        p: [*ours("11111111")[p], *(e for e in ours("22222222")[p] if e not in ours("11111111")[p])]
        for p in PLUGINS
    }
    for written in ("11111111", "22222222"):
        assert meaning(merged(merged(user, ours(written), {}), {}, both)) == meaning(user)


def test_a_user_setting_that_the_reader_ignores_is_no_reason_to_fail():
    for value in ("5", '"x"', "{}", "null"):
        root = parsed(f'{{"control": {value}}}')
        assert merged(root, ours("11111111"), {}).get("control") == root.get("control")


@pytest.mark.parametrize(
    "text",
    [
        '{"auto_install": 5}',
        '{"auto_install": null}',
        '{"auto_install_uefi": {}}',
        '{"menu_tip": []}',
        '{"menu_tip": {"tips": "x"}}',
        '{"menu_tip": {"tips": "x", "tips": []}}',
    ],
)
def test_a_plugin_of_the_wrong_shape_is_a_finding(text):
    root, report = merge_config(parsed(text), ours("11111111"), {}, FILE)
    assert root is None
    assert [f.rule for f in report] == [codes.SHAPE]


def findings(text: str):
    root, report = merge_config(parsed(text), ours("11111111"), {}, FILE)
    return root, [f.rule for f in report]


def test_an_entry_of_the_user_for_our_image_is_a_warning_and_ours_counts():
    root, rules = findings(f'{{"auto_install": [{{"image": "{IMAGE}", "template": "/x"}}]}}')
    assert rules == [codes.SHADOWED]
    assert root.get("auto_install")[-1].get("autosel") == 0


def test_the_third_replaced_file_of_an_image_is_refused():
    entry = f'{{"iso": "{IMAGE}", "org": "/a", "new": "/b"}}'
    assert findings(f'{{"conf_replace": [{entry}]}}')[1] == [codes.SHADOWED]
    root, rules = findings(f'{{"conf_replace_uefi": [{entry}, {entry}]}}')
    assert root is None
    assert rules == [codes.FULL]


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ('{"image_list": ["/iso/mine.iso"]}', True),
        (f'{{"image_list": ["{IMAGE}"]}}', False),
        (f'{{"image_blacklist": ["{IMAGE}"]}}', True),
        ('{"image_blacklist_uefi": ["/iso/mine.iso"]}', False),
        ('{"control": [{"VTOY_DEFAULT_SEARCH_ROOT": "/other"}]}', True),
        ('{"control": [{"VTOY_DEFAULT_SEARCH_ROOT": "/iso"}, {"VTOY_MAX_SEARCH_LEVEL": "0"}]}', False),
        ('{"control_uefi": [{"VTOY_MAX_SEARCH_LEVEL": "0"}]}', True),
        ('{"control": [{"VTOY_MENU_TIMEOUT": "5", "VTOY_MAX_SEARCH_LEVEL": "0"}]}', False),  # one per object
    ],
)
def test_settings_that_hide_our_images_are_warned_about(text, hidden):
    root, rules = findings(text)
    assert root is not None
    assert rules == ([codes.HIDDEN] if hidden else [])


@given(users())
def test_the_output_obeys_ventoys_reader_and_every_other_json_reader(user):
    text = dump_config(merged(user, ours("11111111"), {})).decode()
    document = json.loads(text)
    for plugin in PLUGINS:
        for name in (plugin, f"{plugin}_uefi", f"{plugin}_legacy"):
            value = document.get(name, [])
            for entry in value.get("tips", []) if isinstance(value, dict) else value:
                if isinstance(entry, dict) and "11111111" in json.dumps(entry):
                    assert not re.search(r"[\\\x00-\x1f]", json.dumps(entry, ensure_ascii=False))
                    assert all(type(entry[k]) is int for k in ("autosel", "timeout") if k in entry)
    assert not re.search(r"[0-9][\]\[_^`\\]", re.sub(r'"(\\.|[^"\\])*"', '""', text))
