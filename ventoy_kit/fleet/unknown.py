"""The finding for a name that nothing declares. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Collection

from ventoy_kit.report import Finding, Path, Rule


def unknown(rule: Rule, what: str, name: str, known: Collection[str], path: Path) -> Finding:
    """A finding for a name that nothing declares, with the nearest declared one."""
    near = difflib.get_close_matches(name, list(known), 1, 0.5)
    listed = ", ".join(sorted(known)) or "none"
    remedy = f"Did you mean `{near[0]}`?" if near else f"Known: {listed}."
    return rule.finding(f"no {what} is called `{name}`", remedy, path=path)
