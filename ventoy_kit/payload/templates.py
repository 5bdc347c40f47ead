"""Templates of the answer families: Jinja in a sandbox, undefined names are errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ventoy_kit.payload import codes
from ventoy_kit.report import Place, Report


def render_template(
    family: str, name: str, files: Mapping[str, str], values: Mapping[str, Any]
) -> tuple[str | None, Report]:
    """Render one template of a family's folder; None with VK-W02 or VK-W03 if that fails."""
    from jinja2 import StrictUndefined
    from jinja2.sandbox import SandboxedEnvironment

    report = Report()
    where = f"answer_files/{family}/{name}"
    if name not in files:
        report.add(
            codes.TEMPLATE_MISSING.finding(
                f"{where} does not exist", "Copy it from the kit's own folder.", place=Place(where)
            )
        )
        return None, report
    # Nothing is HTML here: the results are preseed lines, which read_preseed reads afterwards.
    environment = SandboxedEnvironment(
        undefined=StrictUndefined,
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    try:
        return environment.from_string(files[name]).render(values), report
    except Exception as error:  # noqa: BLE001 - a template of the user is a program: it may fail in any way
        line = getattr(error, "lineno", None)
        report.add(
            codes.TEMPLATE.finding(
                f"{where} does not render: {error}", "Correct the template.", place=Place(where, line)
            )
        )
        return None, report
