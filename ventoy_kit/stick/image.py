"""Whether a regular file is a disk image with Ventoy's layout that may be used, decided on facts alone. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ventoy_kit.report import Finding
from ventoy_kit.stick import codes
from ventoy_kit.stick.identify import Verdict, boot_label_objections, filesystem_objections, mark_objections
from ventoy_kit.stick.layout import BOOT_LABEL, Layout, NoLayout


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What is known of a regular file that a user named as a target.

    Attributes:
        path: the file, symbolic links resolved.
        size_bytes: its size.
        layout: Ventoy's layout, or why it does not have it.
        writable: whether this user may write to it.
        attached: loop devices that it is attached to.
        ventoy_mark: whether the first sector has Ventoy's bytes.
        data_fs_type: file system of partition 1 by blkid's name; empty for none, None if unread.
        boot_fs_type, boot_label: the same of partition 2, and its label.
        ventoy_version: what partition 2 names; empty if it names none, None if it was not read.
    """

    path: str
    size_bytes: int
    layout: Layout | NoLayout
    writable: bool = True
    attached: tuple[str, ...] = ()
    ventoy_mark: bool = False
    data_fs_type: str | None = None
    boot_fs_type: str | None = None
    boot_label: str | None = None
    ventoy_version: str | None = None


def judge_image(facts: ImageFacts) -> Verdict:
    """Whether the file is a disk image with Ventoy's layout that may be written."""
    return Verdict(_supports(facts), tuple(_objections(facts)))


def _objections(facts: ImageFacts) -> Iterator[Finding]:
    if isinstance(facts.layout, NoLayout):
        yield codes.NOT_VENTOY.finding(
            f"{facts.path} is no disk image with Ventoy's layout: {', '.join(facts.layout.reasons)}",
            "Name another file, or have a new image made with --create SIZE.",
        )
        return
    yield from boot_label_objections(f"{facts.path}, partition 2", facts.boot_fs_type, facts.boot_label)
    yield from filesystem_objections(f"{facts.path}, partition 1", facts.data_fs_type)
    yield from mark_objections(facts.path, found=facts.ventoy_mark)
    if not facts.writable:
        yield codes.READ_ONLY.finding(
            f"{facts.path} may not be written by this user", "Run this as its owner."
        )
    if facts.attached:
        yield codes.IMAGE_ATTACHED.finding(
            f"{facts.path} is attached as {', '.join(facts.attached)}",
            f"Detach it (losetup -d {facts.attached[0]}), or name {facts.attached[0]} as the target.",
        )


def _supports(facts: ImageFacts) -> tuple[str, ...]:
    reasons = []
    if isinstance(facts.layout, Layout):
        reasons.append(f"its partitions lie as Ventoy's do ({facts.layout.style.upper()})")
    if facts.boot_fs_type == "vfat" and facts.boot_label == BOOT_LABEL:
        reasons.append(f"partition 2 is FAT with the label {BOOT_LABEL}")
    if facts.ventoy_mark:
        reasons.append("its first sector carries Ventoy's mark")
    if facts.ventoy_version:
        reasons.append(f"it holds Ventoy {facts.ventoy_version}")
    return tuple(reasons)
