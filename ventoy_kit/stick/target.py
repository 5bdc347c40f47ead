"""What kind of target a user named, and whether a directory may stand for a stick. Pure: works on gathered facts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ventoy_kit.report import Finding
from ventoy_kit.stick import codes
from ventoy_kit.stick.identify import DiskFacts
from ventoy_kit.stick.image import ImageFacts

TargetKind = Literal["directory", "image", "device"]
FileKind = Literal["directory", "file", "block", "char", "fifo", "socket", "missing", "unreadable"]

_STAGED = frozenset({"iso", "ventoy"})
"""What a stage writes at the top of a stick."""
_FILE_SYSTEM_FURNITURE = frozenset({"lost+found", "System Volume Information", "$RECYCLE.BIN"})
"""What formatting and Windows put at the root of an empty file system."""
_SYSTEM_TREES = (
    "/bin",
    "/boot",
    "/dev",
    "/efi",
    "/etc",
    "/lib",
    "/lib32",
    "/lib64",
    "/proc",
    "/sbin",
    "/sys",
    "/usr",
)
_SYSTEM_HOLDERS = frozenset(
    ["/", "/home", "/media", "/mnt", "/opt", "/root", "/run", "/run/media", "/srv", "/var"]
) | {"/tmp", "/var/tmp"}  # noqa: S108 (names to compare with)


@dataclass(frozen=True, slots=True)
class PathFacts:
    """What is known of a path that a user named as a target.

    Attributes:
        named: the path as it was given.
        resolved: absolute, symbolic links resolved.
        kind: what is there after following links; `unreadable` if that cannot be told, or a directory cannot be listed.
        entries: for a directory, the names in it.
        has_manifest: for a directory, whether `ventoy/<fleet>/manifest*` or `ventoy/ventoy.json` is in it.
        homes: home directories that a stage must not land in by mistake, resolved.
        writable: for a directory, whether this user may write in it.
    """

    named: str
    resolved: str
    kind: FileKind
    entries: frozenset[str] = frozenset()
    has_manifest: bool = False
    homes: frozenset[str] = frozenset()
    writable: bool = True

    @property
    def shown(self) -> str:
        """The path for people: as given, with what it resolves to if that differs."""
        return self.named if self.named == self.resolved else f"{self.named} (which is {self.resolved})"


@dataclass(frozen=True, slots=True)
class Target:
    """A path of a kind that can be staged to. Whether it may be is decided by `judge_directory`, `judge_image`, `judge`."""

    kind: TargetKind
    path: str
    shown: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """A target that may be used, with the facts on which that was decided.

    Attributes:
        target: the path and its kind. The mount point of a Ventoy stick is a `device`.
        facts: of the directory, image or disk.
        filesystem: of the data partition by blkid's name; None for a directory.
        title: the target for people.
        ventoy_version: of the Ventoy on partition 2 (`1.1.17`); None where it could not be read or there is none.
    """

    target: Target
    facts: PathFacts | ImageFacts | DiskFacts
    filesystem: str | None
    title: str
    ventoy_version: str | None = None


def classify(facts: PathFacts) -> Target | Finding:
    """Tell a directory, a disk image file and a block device apart; refuse anything else."""
    kinds: dict[FileKind, TargetKind] = {"directory": "directory", "file": "image", "block": "device"}
    kind = kinds.get(facts.kind)
    if kind is not None:
        return Target(kind, facts.resolved, facts.shown)
    if facts.kind == "unreadable":
        return codes.UNREADABLE.finding(
            f"the target {facts.shown} may not be looked at by this user",
            "Run this as its owner, or name another.",
        )
    if facts.kind == "missing" and facts.resolved.startswith("/dev/"):
        return codes.MISSING.finding(
            f"there is no device {facts.shown}",
            "Plug the stick in, and list the devices with `ventoy-kit status`.",
        )
    if facts.kind == "missing":
        return codes.MISSING.finding(
            f"there is no target {facts.shown}",
            f"Make a directory (mkdir -p {facts.named}), or have a disk image made: "
            f"ventoy-kit stage {facts.named} --create 16G.",
        )
    what = {"char": "a character device", "fifo": "a pipe", "socket": "a socket"}[facts.kind]
    return codes.UNUSABLE_KIND.finding(
        f"the target {facts.shown} is {what}", "Name a directory, a disk image or the disk of a stick."
    )


def judge_directory(facts: PathFacts, *, is_data_partition: bool) -> tuple[Finding, ...]:
    """What speaks against staging into a directory; empty if it may be used.

    Args:
        facts: the directory.
        is_data_partition: it is the root of the mounted data partition of a Ventoy stick that passed `judge`;
            then it may hold anything.
    """
    if not is_data_partition and _is_system_directory(facts):
        return (
            codes.SYSTEM_DIRECTORY.finding(
                f"{facts.shown} belongs to the system or is a home directory", "Name a directory of its own."
            ),
        )
    if not facts.writable:
        return (
            codes.READ_ONLY.finding(
                f"{facts.shown} may not be written by this user", "Run this as its owner."
            ),
        )
    foreign = facts.entries - _FILE_SYSTEM_FURNITURE - _STAGED
    # An interrupted first stage has no manifest yet; a lone iso/ is somebody's collection.
    ours = not foreign and ("ventoy" in facts.entries or "iso" not in facts.entries)
    if is_data_partition or facts.has_manifest or ours:
        return ()
    shown = ", ".join(sorted(foreign or facts.entries)[:3])
    return (
        codes.FOREIGN_DIRECTORY.finding(
            f"{facts.shown} holds other files ({shown}) and no earlier stage",
            "Name an empty directory, or the root of a mounted Ventoy stick.",
        ),
    )


def _is_system_directory(facts: PathFacts) -> bool:
    path = facts.resolved
    below = any(path == tree or path.startswith(f"{tree}/") for tree in _SYSTEM_TREES)
    return below or path in _SYSTEM_HOLDERS or path in facts.homes
