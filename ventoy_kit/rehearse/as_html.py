"""A rehearsal's report as one page of HTML that needs nothing besides itself: pictures lie in it. Pure."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator

from ventoy_kit.rehearse.as_text import HELD, about, disk_cells, machine_lines, minutes, stage_lines
from ventoy_kit.rehearse.follow import tidy
from ventoy_kit.rehearse.model import ActResult, RehearsalReport, SafetyCheck, Way
from ventoy_kit.sheets.page import FONTS, Paper, document, escape, page_style

CONSOLE = 20000
"""Characters of a console's end that the page holds."""

STYLE = f"""\
html {{ font: 11pt/1.45 {FONTS}; color: #111; background: #fff; }}
body {{ margin: 0 auto; padding: 0 1rem 2rem; max-width: 60rem; overflow-wrap: anywhere; }}
h1 {{ font-size: 1.5em; margin: 1.2rem 0 .2rem; }}
h2 {{ font-size: 1.15em; margin: 1.6rem 0 .4rem; border-bottom: 2px solid #111; }}
h3 {{ font-size: 1em; margin: 1.1rem 0 .3rem; }}
p {{ margin: .3rem 0; }}
.verdict {{ border: 3px solid #111; border-left-width: 14px; padding: .5em .9em; margin: .8rem 0; }}
.verdict strong {{ font-size: 1.2em; }}
.passed {{ border-color: #1b6e3c; }}
.failed {{ border-color: #a11212; }}
table {{ border-collapse: collapse; width: 100%; margin: .3rem 0 .6rem; }}
th, td {{ text-align: left; vertical-align: top; padding: .25em .7em .25em 0; border-bottom: 1px solid #ccc; }}
td.time {{ white-space: nowrap; width: 6em; font-variant-numeric: tabular-nums; }}
td.sign {{ white-space: nowrap; width: 7em; font-weight: bold; overflow-wrap: normal; }}
td.what {{ width: 9em; }}
.code {{ white-space: nowrap; }}
code {{ font: .85em 'DejaVu Sans Mono', Consolas, monospace; }}
.bad {{ color: #a11212; }}
.good {{ color: #1b6e3c; }}
.open {{ color: #555; }}
pre {{ font: 9pt/1.35 'DejaVu Sans Mono', Consolas, monospace; background: #f4f4f4; padding: .6em .8em;
  white-space: pre-wrap; overflow-wrap: anywhere; margin: .3rem 0; max-height: 30rem; overflow: auto; }}
figure {{ display: inline-block; width: 31%; min-width: 14rem; margin: .4rem .8% .4rem 0; vertical-align: top; }}
figure img {{ width: 100%; height: auto; max-height: 40rem; object-fit: contain; border: 1px solid #999; background: #000; }}
figcaption {{ font-size: .85em; color: #333; }}
figure.last {{ width: 64%; }}
@media screen and (max-width: 40rem) {{
  td.sign {{ white-space: normal; width: 4.5em; }}
  td.time {{ width: 4em; }}
  td.what {{ width: 6em; }}
  figure, figure.last {{ width: 100%; }}
}}
summary {{ cursor: pointer; }}
@media print {{
  html {{ font-size: 9.5pt; }}
  body {{ max-width: none; padding: 0; }}
  pre {{ max-height: none; }}
  h2, h3 {{ break-after: avoid; }}
  figure, tr, .verdict {{ break-inside: avoid; }}
  details:not([open]) {{ display: none; }}
}}
"""


def as_html(report: RehearsalReport, paper: Paper = "a4") -> str:
    """The whole report."""
    passed = report.verdict.passed
    name = f"Rehearsal of {report.node}"
    parts = [
        f"<main>\n<h1>{escape(name)}</h1>\n<p>{escape(report.title)}</p>\n",
        f'<div class="verdict {"passed" if passed else "failed"}"><p><strong>{"PASSED" if passed else "FAILED"}</strong></p>',
        f"<p>{_rich(report.verdict.text)}</p>",
        f"<p>What to do: {_rich(report.verdict.remedy)}</p>" if report.verdict.remedy else "",
        "</div>\n",
        _pairs(about(report)),
        "<h2>Acts</h2>\n",
        _table(("", "act", "took", "how it ended"), map(_overview, report.acts)),
        "<h2>Safety</h2>\n",
        _table(("", "what must hold", "what was seen"), map(_check, report.safety)),
    ]
    if report.notes:
        notes = "".join(f"<li>{_rich(n)}</li>\n" for n in report.notes)
        parts.append(f"<h2>What this does not prove</h2>\n<ul>\n{notes}</ul>\n")
    parts += [
        "<h2>Each act</h2>\n",
        *(_act(act, report.way) for act in report.acts),
        "<h2>The twin</h2>\n",
        _pairs(machine_lines(report.twin)),
        _table(
            ("disk", "role", "bus", "size", "serial number"),
            (tuple(map(escape, disk_cells(d))) for d in report.twin.disks),
        ),
        "<h2>What was rehearsed, and with what</h2>\n",
        _pairs(report.tools),
        _table(
            ("", "SHA-256"), ((escape(what), f"<code>{escape(how)}</code>") for what, how in report.digests)
        ),
    ]
    style = STYLE + page_style(paper, (name, report.fleet, report.started))
    return document(name, style, "".join((*parts, "</main>\n")), pictures=True)


def _rich(text: str) -> str:
    """A sentence: what stands in backticks is code, and the code of a rule is never cut in two."""
    marked = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
    return re.sub(r"\bVK-[A-Z]\d\d\b", r'<span class="code">\g<0></span>', marked)


def _pairs(rows: Iterable[tuple[str, str]]) -> str:
    """A table of what and how."""
    return _table((), ((f'<td class="what">{escape(what)}</td>', escape(how)) for what, how in rows))


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table of cells that are HTML already; a cell may be a whole `td`."""
    titles = "".join(f'<th scope="col">{escape(h)}</th>' for h in head)
    top = f"<thead><tr>{titles}</tr></thead>\n" if titles else ""
    lines = ("".join(c if c.startswith("<td") else f"<td>{c}</td>" for c in row) for row in rows)
    return (
        f"<table>\n{top}<tbody>\n{''.join(f'<tr>{line}</tr>{chr(10)}' for line in lines)}</tbody>\n</table>\n"
    )


def _check(check: SafetyCheck) -> tuple[str, str, str]:
    look = {True: "good", False: "bad", None: "open"}[check.held]
    return f'<td class="sign {look}">{HELD[check.held]}</td>', _rich(check.title), _rich(check.detail)


def _overview(act: ActResult) -> tuple[str, str, str, str]:
    took = f'<td class="time">{minutes(act.seconds)}</td>'
    return _sign(act), _rich(act.title), took, _rich(act.verdict.text)


def _sign(act: ActResult) -> str:
    good = act.verdict.passed
    return f'<td class="sign {"good" if good else "bad"}">{"as it should" if good else "FAILED"}</td>'


def _act(act: ActResult, way: Way) -> str:
    good = act.verdict.passed
    sign = f'<span class="{"good" if good else "bad"}">{"as it should" if good else "FAILED"}</span>'
    stages = ((f'<td class="time">{at}</td>', escape(title)) for at, title in stage_lines(act))
    said = f"<pre>{escape(act.verdict.said)}</pre>\n" if act.verdict.said else ""
    remedy = f"<p>What to do: {_rich(act.verdict.remedy)}</p>\n" if act.verdict.remedy else ""
    console = escape(tidy(act.console)[-CONSOLE:])
    return (
        f"<section>\n<h3>{_rich(act.title)}: {sign}</h3>\n{_table(('after', 'stage'), stages)}"
        f"<p>{_rich(act.verdict.text)} It took {minutes(act.seconds)}.</p>\n{remedy}{said}"
        f"{''.join(_pictures(act, way))}\n"
        f"<details><summary>Console</summary>\n<pre>{console}</pre></details>\n</section>\n"
    )


def _pictures(act: ActResult, way: Way) -> Iterator[str]:
    # Of a direct boot the serial console tells, and the screen shows little more than the firmware.
    where = "; the installer speaks on the serial console" if way == "direct" else ""
    for number, picture in enumerate(act.pictures, start=1):
        last = ' class="last"' if number == len(act.pictures) and way == "stick" else ""
        data = base64.b64encode(picture.png).decode()
        title = escape(f"{picture.title}, {minutes(picture.at)} after power-on{where}")
        yield f'<figure{last}><img alt="{title}" src="data:image/png;base64,{data}"><figcaption>{title}</figcaption></figure>\n'
