"""The contract of hooks: what hook.yaml declares, and which parameters of a fleet file a hook accepts. Pure.

`hooks/README.md` says the same to people who write hooks.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from pydantic import Field, ValidationError

from ventoy_kit.fleet import hook_codes as codes
from ventoy_kit.fleet.base import Model
from ventoy_kit.fleet.decode import findings_of
from ventoy_kit.fleet.hook_facts import Table
from ventoy_kit.fleet.hook_params import Names, ParamSpec, ParamValue, check_declared, check_values, is_utf8
from ventoy_kit.fleet.marks import read_marked
from ventoy_kit.fleet.values import Bool, Int, Name, Text
from ventoy_kit.report import Finding, Path, Place, Report

__all__ = ["HookFile", "HookSpec", "ParamSpec", "ParamValue", "check_params", "in_order", "parse_hook"]

Family = Literal["proxmox-ve", "debian"]
"""The systems that the runner can tell apart on a node; the catalog's image names."""

PHASES = {
    0: "boot", 100: "packages", 200: "access", 300: "kernel", 400: "disks", 500: "everything else", 600: "network",
    700: "cluster",
}  # fmt: skip
"""What each hundred of `order` is for."""

HOOK_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?")

_FILES = ("hook.yaml", "hook.sh", "README.md")
_TRACE = re.compile(r"^\s*set\s+(-[a-wyzA-Z]*x|-o\s+xtrace)|^#!.*\s-[a-z]*x", re.MULTILINE)


class HookFile(Model):
    """What stands in hook.yaml."""

    summary: Text = Field(description="One line: what the hook does.")
    description: Text = Field("", description="What a person should know before choosing it.")
    systems: dict[Family, tuple[Text, ...]] = Field(
        description="Supported major releases per system: debian: ['13']."
    )
    order: Int = Field(500, ge=0, le=999, description="Lower numbers run first.")
    after: tuple[Name, ...] = Field(
        (), description="Hooks that, where chosen too, must have succeeded before."
    )
    requires: tuple[Name, ...] = Field(
        (), description="Hooks that the node must have besides; they count as `after` too."
    )
    facts: tuple[Table, ...] = Field((), description="Tables of the fleet file that the scripts read.")
    needs_reboot: Bool = Field(default=False, description="After a change, a reboot comes before verify.")
    needs_network: Bool = Field(default=False, description="The runner waits for a default route first.")
    destructive: Bool = Field(default=False, description="Tried on one boot only, never again by itself.")
    timeout: Int = Field(600, ge=1, le=86_400, description="Seconds that apply, and verify, may take.")
    parameters: dict[str, ParamSpec] = Field(default_factory=dict, description="What a fleet file may set.")
    verifies: Text = Field(description="One sentence: what verify proves.")


class HookSpec(HookFile):
    """A hook that can be used: its declaration, its name and the text of hook.sh."""

    name: str
    script: str

    @property
    def waits_for(self) -> tuple[str, ...]:
        """Hooks that must have succeeded before, where the node has them."""
        return tuple(dict.fromkeys((*self.after, *self.requires)))

    @property
    def phase(self) -> str:
        """What the hook's place in the order is called."""
        return max((start, phase) for start, phase in PHASES.items() if start <= self.order)[1]

    def supports(self, family: str, release: str) -> bool:
        """Whether it is made for a system, by major release: `9` stands for 9.0 and 9.1-1 too."""
        major = re.split(r"[.-]", release, maxsplit=1)[0]
        return any(name == family and major in majors for name, majors in self.systems.items())


def parse_hook(name: str, files: Mapping[str, str]) -> tuple[HookSpec | None, Report]:
    """Read a hook folder.

    Args:
        name: the folder's name.
        files: texts of the folder's files by file name.

    Returns:
        The hook, or None if there is an error, and findings with places in the folder's files.
    """
    report = Report()
    if not HOOK_NAME.fullmatch(name):
        place = Place(f"hooks/{name}")
        report.add(codes.NAME.finding(f"`{name}` is no hook name", "Rename the folder.", place=place))
        return None, report
    for file in _FILES[:2]:
        if file not in files:
            place = Place(f"hooks/{name}")
            report.add(
                codes.MISSING_FILE.finding(f"hook `{name}` has no {file}", f"Write {file}.", place=place)
            )
    for file in sorted(set(files) - set(_FILES)):
        report.add(
            codes.UNUSED_FILE.finding(
                f"{file} is no part of a hook and stays behind",
                "Put what it holds into hook.sh, or remove it.",
                place=Place(f"hooks/{name}/{file}"),
            )
        )
    report.extend(_check_script(name, files.get("hook.sh", "#!/bin/sh\n")))
    declared, found = _read_declaration(name, files.get("hook.yaml"))
    report.extend(found)
    if declared is None or report.has_errors:
        return None, report
    values = {key: getattr(declared, key) for key in HookFile.model_fields}
    return HookSpec(name=name, script=files["hook.sh"], **values), report


def _check_script(name: str, text: str) -> Iterator[Finding]:
    file = f"hooks/{name}/hook.sh"
    problems = (
        (
            re.match(r"#!\s*/", text) is None,
            "does not begin with #! and an absolute path",
            "Begin with #!/bin/sh.",
        ),
        ("\0" in text, "holds a NUL character", "Remove it."),
        ("\r" in text, "holds carriage returns", "Save it with Unix line ends."),
        (not text.endswith("\n"), "does not end with a line end", "Add one."),
        (not is_utf8(text), "is not UTF-8 text", "Save it as UTF-8."),
    )
    for wrong, what, remedy in problems:
        if wrong:
            yield codes.SCRIPT.finding(f"hook.sh of `{name}` {what}", remedy, place=Place(file))
    for match in _TRACE.finditer(text):
        line = text.count("\n", 0, match.end()) + 1
        yield codes.TRACE.finding(
            f"hook.sh of `{name}` says `{match.group().strip()}`", "Remove it.", place=Place(file, line, 1)
        )


def _read_declaration(name: str, text: str | None) -> tuple[HookFile | None, Report]:
    if text is None:
        return None, Report()
    marked, report = read_marked(text.encode("utf-8", "surrogateescape"), f"hooks/{name}/hook.yaml")
    if marked is None or report.has_errors:
        return None, report
    declared: HookFile | None = None
    try:
        declared = HookFile.model_validate(marked.value)
    except ValidationError as error:
        report.extend(findings_of(error, HookFile))
    else:
        for param, spec in declared.parameters.items():
            report.extend(check_declared(param, spec, ("parameters", param)))
    return declared, report.located(marked.locate)


def check_params(
    spec: HookSpec, params: Mapping[str, object], path: Path, names: Names | None = None
) -> tuple[Mapping[str, ParamValue], Report]:
    """Check the parameters that a fleet file gives a hook and fill in defaults.

    Args:
        spec: the hook.
        params: values as read from YAML.
        path: where the map of parameters stands in the fleet file.
        names: what parameters may refer to on the node; None checks no references.

    Returns:
        Every declared parameter with its value, in the order of hook.yaml, and findings. With errors in the
        report the values are incomplete and must not be used.
    """
    values, findings = check_values(spec.name, spec.parameters, params, path, names)
    return values, Report(findings)


def in_order(specs: Sequence[HookSpec], path: Path) -> tuple[tuple[HookSpec, ...], Report]:
    """The hooks of one node in the order in which they run: by `order`, then name, each after those it waits for.

    Args:
        specs: the hooks that the node has; `after` counts only among them.
        path: the node's list of hooks in the fleet file.

    Returns:
        The hooks in order and, for hooks that wait for each other in a circle (they are left out), a finding.
    """
    by_name = {spec.name: spec for spec in specs}
    waits = {spec.name: {first for first in spec.waits_for if first in by_name} for spec in specs}
    ready = [(spec.order, spec.name) for spec in specs if not waits[spec.name]]
    heapq.heapify(ready)
    ordered: list[HookSpec] = []
    while ready:
        _, name = heapq.heappop(ready)
        ordered.append(by_name[name])
        for other, missing in waits.items():
            if name in missing:
                missing.discard(name)
                if not missing:
                    heapq.heappush(ready, (by_name[other].order, other))
    report = Report()
    stuck = sorted(name for name, missing in waits.items() if missing)
    if stuck:
        message = f"these hooks wait for each other: {', '.join(stuck)}"
        report.add(codes.AFTER_LOOP.finding(message, "Remove one `after` in their hook.yaml.", path=path))
    return tuple(ordered), report
