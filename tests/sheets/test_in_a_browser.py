"""Pages and drawings as a browser sets and prints them: nothing is cut, nothing overlaps, pages break where they must."""

from __future__ import annotations

import itertools
import re

import pytest

from tests.sheets.large import ALLIANCE, blueprint_of, drawing, thirty
from tests.support.browser import Browser, Printed, inside, overlap
from tests.support.fleets import library, plan_of
from ventoy_kit.app.drawing import tables_of
from ventoy_kit.edge.pdf import html_to_pdf
from ventoy_kit.payload.checklist import booklet_of, sheet_of
from ventoy_kit.payload.screen_items import CODES_TITLE
from ventoy_kit.sheets.html import as_html
from ventoy_kit.sheets.poster import as_poster
from ventoy_kit.sheets.svg import as_svg

pytestmark = [pytest.mark.needs_tool("chromium", "pdftotext", "pdftoppm"), pytest.mark.slow]

FLEETS = {"3": ALLIANCE, "30": thirty()}
PAPERS = {"a4": (595, 842), "letter": (612, 792)}
FOOT = ("A fleet (it)", "lock 0123abcd")
MARGIN = 0.03
"""White at every edge of a page, as a part of its side: the printers of this world reach that far."""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Browser:
    return Browser(tmp_path_factory.mktemp("browser"))


def checklists(data: bytes, paper: str) -> str:
    plan = plan_of(data)
    sheets = tuple(sheet_of(plan, n, library()) for n in plan.nodes)
    return as_html(booklet_of("Checklists", sheets, library(), FOOT), "a4" if paper == "a4" else "letter")


def poster(data: bytes, paper: str) -> str:
    tables = tuple(tables_of(blueprint_of(data)))
    return as_poster(drawing(data), tables, "a4" if paper == "a4" else "letter", FOOT)


def check_paper(printed: Printed, paper: str, *, landscape: bool) -> None:
    """Size, page numbers, foot, and white margins of all pages."""
    pages = printed.pages()
    size = PAPERS[paper][::-1] if landscape else PAPERS[paper]
    for number, page in enumerate(pages, start=1):
        assert (page.width, page.height) == pytest.approx(size, abs=1.5)
        assert page.text.rstrip().endswith(f"Page {number} of {len(pages)}") or (
            f"Page {number} of {len(pages)}" in page.text
        )
        assert "lock 0123abcd" in page.text
        for word in page.words:
            assert word.left >= page.width * MARGIN, word
            assert word.right <= page.width * (1 - MARGIN), word
            assert word.top >= page.height * 0.02, word
            assert word.bottom <= page.height * (1 - 0.02), word
    for number in {1, 2, len(pages)} & set(range(1, len(pages) + 1)):
        assert min(printed.ink(number)) >= 0.02, (number, printed.ink(number))


def check_first_pages(printed: Printed, names: list[str]) -> None:
    """Each node begins a page, in order, and its pages say whose they are until the next one begins."""
    pages = printed.pages()
    firsts = [n for n, page in enumerate(pages) if page.text.startswith("Checklist for ")]
    assert [pages[n].words[2].text for n in firsts] == names
    appendix = next(n for n, page in enumerate(pages) if page.text.startswith(CODES_TITLE))
    ends = [*firsts[1:], appendix]
    for name, first, end in zip(names, firsts, ends, strict=True):
        assert end - first <= 6
        for page in pages[first:end]:
            assert f"{name} - A fleet" in page.text
            assert len(page.words) > 20, "a page with a few words only"
    assert all("VK-B" in page.text for page in pages[appendix:])


@pytest.mark.parametrize("paper", PAPERS)
@pytest.mark.parametrize("fleet", FLEETS)
def test_checklists_on_paper(browser, fleet, paper):
    page = checklists(FLEETS[fleet], paper)
    printed = browser.printed(page)
    check_paper(printed, paper, landscape=False)
    names = re.findall(r"<h1 [^>]*>Checklist for (\S+) - ", page)
    assert len(names) == int(fleet)
    check_first_pages(printed, names)


@pytest.mark.parametrize("paper", PAPERS)
def test_checklists_as_pdf(tmp_path, paper):
    pytest.importorskip("weasyprint")
    page = checklists(ALLIANCE, paper)
    file = tmp_path / "all.pdf"
    file.write_bytes(html_to_pdf(page))
    check_paper(Printed(file), paper, landscape=False)
    check_first_pages(Printed(file), ["corvette", "falcon", "gozanti"])


@pytest.mark.parametrize("width", [1100, 360])
def test_checklists_on_a_screen(browser, width):
    found = browser.measured(checklists(ALLIANCE, "a4"), width)
    assert found["page"]["needed"] <= found["page"]["width"]
    assert not found["wide"]
    assert len(found["items"]) > 100
    for item in found["items"]:
        assert len(item["box"]) == 1
        for word in item["words"]:
            assert not overlap(word, item["box"][0]), item["text"]
            assert inside(word, item["own"], slack=2), item["text"]
    for one, other in itertools.pairwise(found["sections"]):
        assert not overlap(one, other)


@pytest.mark.parametrize("fleet", FLEETS)
def test_a_poster_on_a_screen(browser, fleet):
    found = browser.measured(poster(FLEETS[fleet], "a4"))
    assert found["page"]["needed"] <= found["page"]["width"]
    assert not found["wide"]
    check_drawings(found)
    assert sum(len(d["cards"]) for d in found["drawings"]) == int(fleet)
    assert found["cells"]
    for cell in found["cells"]:
        assert all(inside(word, cell["own"]) for word in cell["words"]), cell["text"]


@pytest.mark.parametrize("fleet", FLEETS)
@pytest.mark.parametrize("columns", [None, 1])
def test_one_drawing(browser, fleet, columns):
    if columns == 1 and fleet == "30":
        columns = 7
    svg = as_svg(drawing(FLEETS[fleet]), columns)
    page = f'<meta http-equiv="Content-Security-Policy"><body><main>{svg}</main></body>'
    found = browser.measured(page)
    check_drawings(found)


def check_drawings(found) -> None:
    assert found["drawings"]
    for drawn in found["drawings"]:
        for text in drawn["texts"]:
            assert inside(text["own"], drawn["own"]), text
        for one, other in itertools.combinations(drawn["texts"], 2):
            assert not overlap(one["own"], other["own"], slack=3), (one, other)
        frames = []
        for card in drawn["cards"]:
            assert len(card["bands"]) == 4
            frames.append(
                {
                    "x": card["bands"][0]["x"],
                    "y": card["bands"][0]["y"],
                    "right": card["bands"][0]["right"],
                    "bottom": card["bands"][-1]["bottom"],
                }
            )
            assert len(card["texts"]) >= 4
            for text in card["texts"]:
                assert sum(inside(text["own"], band, slack=0) for band in card["bands"]) == 1, (
                    card["name"],
                    text,
                )
        for a, b in itertools.combinations(frames, 2):
            assert not overlap(a, b)


@pytest.mark.parametrize("paper", PAPERS)
@pytest.mark.parametrize("fleet", FLEETS)
def test_a_poster_on_paper(browser, fleet, paper):
    page = poster(FLEETS[fleet], paper)
    printed = browser.printed(page)
    check_paper(printed, paper, landscape=True)
    drawings = page.count("<figure>")
    texts = [p.text for p in printed.pages()]
    named = [next(n for n, t in enumerate(texts) if re.search(rf"\b{name}\b", t)) for name in cards_of(page)]
    assert named == sorted(named)
    assert max(named) < drawings, "each drawing fits its own page"
    assert "If one node is lost" in " ".join(texts[drawings:])


def cards_of(page: str) -> list[str]:
    return re.findall(r'aria-label="([a-z0-9-]+): ', page)
