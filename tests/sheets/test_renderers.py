"""Text, Markdown, HTML, boxes and SVG without a browser: what they say, what they escape, where lines break."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.sheets.large import ALLIANCE, drawing, thirty
from ventoy_kit.sheets.boxes import as_boxes
from ventoy_kit.sheets.html import as_html
from ventoy_kit.sheets.markdown import as_markdown
from ventoy_kit.sheets.measure import ELLIPSIS, cell_width, shortened, text_width, wrap
from ventoy_kit.sheets.model import Booklet, Item, Mark, Section, Sheet
from ventoy_kit.sheets.page import css_string
from ventoy_kit.sheets.svg import as_svg, best_columns
from ventoy_kit.sheets.text import as_text

NASTY = "a <b>&\"'</style></script> *x* _y_ [z](u) `code <i>` | # \x1b"
ITEMS = (
    Item(NASTY),
    Item("right", Mark.RIGHT, "seen there"),
    Item("wrong", Mark.WRONG, "seen here"),
    Item("unseen", Mark.UNSEEN, "no driver"),
    Item("fact", Mark.FACT),
)


def booklet(*names: str) -> Booklet:
    sections = (Section("First", ITEMS, NASTY), Section("Second", ITEMS, steps=True, danger=True))
    sheets = tuple(Sheet(name, f"Checklist for {name} - {NASTY}", sections) for name in names)
    return Booklet("All", sheets, (Section("Codes", (Item("VK-B01: x", Mark.FACT),)),), (f"fleet {NASTY}",))


class Tags(HTMLParser):
    """Counts tags, and checks that what opens closes."""

    VOID = frozenset({"meta"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.ids: list[str] = []
        self.words = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.ids += [v or "" for k, v in attrs if k == "id"]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] != "style":
            self.words += data


def parsed(page: str) -> Tags:
    tags = Tags()
    tags.feed(page)
    tags.close()
    assert tags.open == []
    return tags


def test_html_is_well_formed_and_nothing_of_the_fleet_becomes_markup():
    page = as_html(booklet("a", "b"), "a4")
    tags = parsed(page)
    assert not {"b", "i", "script"} & set(tags.seen)
    assert tags.seen.count("style") == 1
    assert len(set(tags.ids)) == len(tags.ids)
    assert NASTY.replace("`", "").replace("\x1b", "\ufffd") in tags.words
    assert '<html lang="en">' in page
    assert not re.search(r"https?://|url\(|@import|src=|href=", page)


def test_marks_are_words_and_not_looks_alone():
    page = as_html(booklet("a"), "a4")
    for told in ("to tick", "checked", "wrong", "not seen"):
        assert f'aria-label="{told}"' in page
    for words in ("Checked: seen there", "WRONG: seen here", "Not seen: no driver"):
        assert words in page
        assert words in as_text(booklet("a"))
        assert words in as_markdown(booklet("a"))
    colours = set(re.findall(r"#[0-9a-f]{3,6}\b", page.split("</style>")[0]))
    assert colours <= {"#000", "#222", "#333", "#fff"}


@pytest.mark.parametrize("paper", ["a4", "letter"])
def test_paper_is_named(paper):
    page = as_html(booklet("a"), paper)
    assert f"size: {'A4' if paper == 'a4' else 'letter'};" in page


def test_a_css_string_cannot_end_early():
    text = css_string(NASTY + "\n\\")
    assert text[0] == text[-1] == '"'
    assert not set('"\n<') & set(text[1:-1])
    assert re.sub(r"\\([0-9a-f]+) ", lambda m: chr(int(m[1], 16)), text[1:-1]) == NASTY + "\n\\"


def test_text_has_boxes_numbers_and_a_legend():
    text = as_text(booklet("a", "b"))
    for line in ("[x] right", "[!] wrong", "[?] unseen", "  - fact", "[x] 2. right", "  - 5. fact"):
        assert f"\n{line}\n" in text
    assert text.count("[x] checked by machine") == 2
    first, second = text.split("\f")
    assert "Codes" not in first
    assert "Codes" in second


def test_markdown_shows_what_stands_there():
    page = as_markdown(booklet("a"))
    assert "- [x] right **Checked: seen there**" in page
    assert r"\<b\>" in page
    assert "`code <i>`" in page
    assert r"\*x\* \_y\_ \[z\](u)" in page


class TestMeasure:
    @given(
        st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"])),
        st.floats(30, 400),
        st.integers(1, 5),
    )
    def test_lines_fit_and_lose_nothing_but_what_the_ellipsis_says(self, text, room, most):
        def width(part: str) -> float:
            return text_width(part, 13)

        lines = wrap(text, room, width, most)
        assert 1 <= len(lines) <= most
        assert all(width(line) <= room for line in lines)
        squeezed = "".join("".join(lines).split())
        whole = "".join(text.split())
        if squeezed != whole:
            assert squeezed.endswith(ELLIPSIS)
            assert whole.startswith(squeezed.removesuffix(ELLIPSIS))

    @given(st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"])), st.integers(4, 40))
    def test_cells_fit(self, text, room):
        assert all(cell_width(line) <= room for line in wrap(text, room, cell_width))

    def test_a_short_text_stays(self):
        assert shortened("abc", 3, len) == "abc"
        assert shortened("abcd", 3, len) == f"ab{ELLIPSIS}"

    def test_accents_do_not_widen(self):
        for text in ("\N{LATIN SMALL LETTER E WITH ACUTE}", "e\N{COMBINING ACUTE ACCENT}"):
            assert text_width(text, 10) == text_width("e", 10)
            assert cell_width(text) == 1


class TestBoxes:
    @pytest.mark.parametrize("width", [1, 40, 79, 80, 81, 100, 133, 200, 400])
    @pytest.mark.parametrize("data", [ALLIANCE, thirty()], ids=["3", "30"])
    def test_no_line_is_too_long_and_walls_stand_straight(self, data, width):
        text = as_boxes(drawing(data), width)
        lines = text.splitlines()
        assert max(map(cell_width, lines)) <= max(width, 40)
        walls = [line for line in lines if line[:1] in "┌├└│"]
        row: list[str] = []
        for line in walls:
            if line[0] == "┌":
                row = [line]
            assert cell_width(line) == cell_width(row[0])

    def test_three_nodes_stand_side_by_side_in_80_columns(self):
        lines = as_boxes(drawing(ALLIANCE), 80).splitlines()
        (names,) = (line for line in lines if re.match(r"│ falcon +│ corvette +│ gozanti +│", line))
        assert len(names) <= 80
        assert sum(line.startswith("┌") for line in lines) == 1


def test_the_alliance_is_drawn_as_in_the_article():
    text = as_boxes(drawing(ALLIANCE), 200)
    for said in (
        "Quorum: 2 of 3 votes; any 1 may be lost", "Millennium Falcon", "CR90 Corvette", "Gozanti Cruiser",
        "64 GiB memory, ECC", "RTX 4000 Ada 20GB, passed through", "System: 2 x 4 TB (zfs raid1)", "Pool tank: 1 TB",
        "2.5GbE NIC mod", "tantive-iii (vm, GPU)", "· Ollama LLM", "· PostgreSQL*", "· AdGuard DNS ", "dark: inference",
        "NETWORK AND SECURITY",
    ):  # fmt: skip
        assert said in text, said


class TestSvg:
    def test_it_is_xml_with_a_title_and_nothing_from_elsewhere(self):
        for data in (ALLIANCE, thirty()):
            text = as_svg(drawing(data))
            root = ET.fromstring(text)
            assert root.tag == "{http://www.w3.org/2000/svg}svg"
            assert root[0].tag.endswith("title")
            assert root[1].tag.endswith("desc")
            used = {e.tag.rpartition("}")[2] for e in root.iter()}
            assert used <= {"svg", "title", "desc", "rect", "text", "g"}
            assert not re.search(r"href|url\(|@import|<style", text)

    def test_what_is_shortened_is_told_whole(self):
        root = ET.fromstring(as_svg(drawing(thirty())))
        tips = [e for e in root.iter("{http://www.w3.org/2000/svg}text") if len(e)]
        assert tips
        for text in tips:
            assert len(text[0].text or "") > len(text[0].tail or "")

    def test_the_shape_is_that_of_paper(self):
        assert best_columns(drawing(ALLIANCE)) == 3
        box = [float(n) for n in ET.fromstring(as_svg(drawing(thirty()))).attrib["viewBox"].split()]
        assert 1 < box[2] / box[3] < 2


def test_the_font_s_tables_are_those_of_the_font():
    fonts = pytest.importorskip("fontTools.ttLib")
    from pathlib import Path

    from ventoy_kit.sheets.measure import BOLD, PLAIN

    for name, table in (("DejaVuSans", PLAIN), ("DejaVuSans-Bold", BOLD)):
        file = Path(f"/usr/share/fonts/truetype/dejavu/{name}.ttf")
        if not file.exists():
            pytest.skip("needs the package fonts-dejavu-core")
        font = fonts.TTFont(file)
        metrics, names = font["hmtx"], font.getBestCmap()
        assert table == tuple(metrics[names[ord(c)]][0] for c in map(chr, range(32, 127)))
