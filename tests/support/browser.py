"""A headless Chromium that measures pages and prints them, and Poppler that looks at what was printed."""

from __future__ import annotations

import json
import re
import subprocess
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--no-first-run",
    "--no-pdf-header-footer",
    "--hide-scrollbars",
)

MEASURE = """
<script>
addEventListener("load", () => {
  const box = r => ({x: r.left, y: r.top, right: r.right, bottom: r.bottom});
  const of = e => box(e.getBoundingClientRect());
  const textOf = e => {
    const walker = document.createTreeWalker(e, NodeFilter.SHOW_TEXT), found = [];
    while (walker.nextNode()) {
      const node = walker.currentNode, inside = node.parentElement.closest(".box, .dot, title, desc");
      if (inside || !node.data.trim()) continue;
      const range = document.createRange();
      range.selectNodeContents(node);
      found.push(...[...range.getClientRects()].map(box));
    }
    return found;
  };
  const out = {
    page: {width: document.documentElement.clientWidth, needed: document.documentElement.scrollWidth},
    wide: [...document.querySelectorAll("main *")].filter(e => !e.closest("svg"))
      .filter(e => e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).display !== "inline")
      .map(e => e.outerHTML.slice(0, 120)),
    items: [...document.querySelectorAll("li")].map(li => ({
      text: li.textContent.slice(0, 60),
      box: [...li.querySelectorAll(".box, .dot")].map(of),
      words: textOf(li), own: of(li),
    })),
    sections: [...document.querySelectorAll("section, table")].map(of),
    cells: [...document.querySelectorAll("th, td")].map(e => ({text: e.textContent.slice(0, 60), own: of(e), words: textOf(e)})),
    drawings: [...document.querySelectorAll("svg")].map(svg => ({
      own: of(svg),
      cards: [...svg.querySelectorAll(".card")].map(card => ({
        name: card.getAttribute("aria-label"),
        bands: [...card.querySelectorAll(".band")].map(of),
        texts: [...card.querySelectorAll("text")].map(t => ({text: t.textContent, own: of(t)})),
      })),
      texts: [...svg.querySelectorAll("text")].map(t => ({text: t.textContent, own: of(t)})),
    })),
  };
  const pre = document.createElement("pre");
  pre.id = "measured";
  pre.textContent = btoa(unescape(encodeURIComponent(JSON.stringify(out))));
  document.body.append(pre);
});
</script>
"""


@dataclass(frozen=True)
class Browser:
    """Chromium with a profile of its own in `folder`, where its files go too."""

    folder: Path

    def _run(self, *args: str) -> str:
        done = subprocess.run(
            ["chromium", *FLAGS, f"--user-data-dir={self.folder / 'profile'}", *args],
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def measured(self, page: str, width: int = 1100) -> Any:
        """Boxes of what stands in a page, in CSS pixels."""
        import base64

        # The page forbids scripts; the one that measures comes in the place of that.
        open_page, count = re.subn(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page)
        assert count == 1
        file = self.folder / "measured.html"
        file.write_text(open_page.replace("</body>", f"{MEASURE}</body>"))
        out = self._run(f"--window-size={width},900", "--dump-dom", file.as_uri())
        found = re.search(r'<pre id="measured">([^<]+)</pre>', out)
        assert found, out[-2000:]
        return json.loads(base64.b64decode(found[1]))

    def printed(self, page: str) -> Printed:
        """A page on paper."""
        file = self.folder / "printed.html"
        file.write_text(page)
        target = self.folder / "printed.pdf"
        self._run(f"--print-to-pdf={target}", file.as_uri())
        return Printed(target)


@dataclass(frozen=True)
class Word:
    """A word on a page, in points from its upper left corner."""

    text: str
    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True)
class Page:
    """A printed page in points."""

    width: float
    height: float
    words: tuple[Word, ...]

    @property
    def text(self) -> str:
        return " ".join(word.text for word in self.words)


@dataclass(frozen=True)
class Printed:
    """A PDF file."""

    file: Path

    def pages(self) -> list[Page]:
        done = subprocess.run(["pdftotext", "-bbox", str(self.file), "-"], capture_output=True, check=True)
        root = ET.fromstring(re.sub(rb'<!DOCTYPE[^>]*>| xmlns="[^"]*"', b"", done.stdout))
        return [
            Page(
                float(page.attrib["width"]),
                float(page.attrib["height"]),
                tuple(
                    Word(w.text or "", *(float(w.attrib[k]) for k in ("xMin", "yMin", "xMax", "yMax")))
                    for w in page.iter("word")
                ),
            )
            for page in root.iter("page")
        ]

    def ink(self, page: int) -> tuple[float, float, float, float]:
        """What is left white around the ink of a page, as parts of its width and height: left, top, right, bottom."""
        prefix = self.file.with_suffix("")
        subprocess.run(
            [
                *("pdftoppm", "-gray", "-r", "40", "-f", str(page), "-l", str(page), "-singlefile"),
                str(self.file),
                str(prefix),
            ],
            check=True,
        )
        data = prefix.with_suffix(".pgm").read_bytes()
        magic, size, _, pixels = data.split(b"\n", 3)
        assert magic == b"P5"
        width, height = map(int, size.split())
        rows = [pixels[y * width : (y + 1) * width] for y in range(height)]
        dark_rows = [y for y, row in enumerate(rows) if min(row) < 160]
        dark_columns = [x for x in range(width) if min(row[x] for row in rows) < 160]
        assert dark_rows
        return (
            dark_columns[0] / width,
            dark_rows[0] / height,
            1 - (dark_columns[-1] + 1) / width,
            1 - (dark_rows[-1] + 1) / height,
        )


def overlap(one: Any, other: Any, slack: float = 0.5) -> bool:
    """Whether two boxes share more than a hair."""
    return bool(
        min(one["right"], other["right"]) - max(one["x"], other["x"]) > slack
        and min(one["bottom"], other["bottom"]) - max(one["y"], other["y"]) > slack
    )


def inside(inner: Any, outer: Any, slack: float = 1.0) -> bool:
    """Whether a box lies in another one."""
    return bool(
        inner["x"] >= outer["x"] - slack
        and inner["right"] <= outer["right"] + slack
        and inner["y"] >= outer["y"] - slack
        and inner["bottom"] <= outer["bottom"] + slack
    )
