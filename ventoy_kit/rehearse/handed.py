"""What a stand-in says it was handed, against what the payload holds: answer, first-boot runner, disks. Pure."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator

from ventoy_kit.payload.answers.proxmox import DISK_PLACEHOLDER
from ventoy_kit.rehearse.case import Case
from ventoy_kit.rehearse.model import SafetyCheck


def check_hand_over(case: Case, console: str) -> Iterator[SafetyCheck]:
    """The checks; none if the image is no stand-in.

    Args:
        case: the node.
        console: what the console of the installation showed.
    """
    direct = case.direct
    if direct is None or not direct.stand_in:
        return
    said = dict(re.findall(r"^stand-in: (mode|fqdn|runner|answer|list) (.*)$", console, re.MULTILINE))
    if not said:
        yield SafetyCheck(
            "answer", "The installer was handed the node's answer", None, "it did not come so far"
        )
        return
    disks = re.findall(r'"([^"]+)"', said.get("list", ""))
    wanted = len(case.node.disks_for("system"))
    right = len(disks) == wanted
    yield SafetyCheck(
        "disks",
        "The answer names the system disks alone",
        right,
        f"{', '.join(disks) or 'none'}; the node has {wanted}",
    )
    expected = (direct.answer or b"").replace(
        f'"{DISK_PLACEHOLDER}"'.encode(), ", ".join(json.dumps(d) for d in disks).encode()
    )
    same = said.get("answer", "").startswith(hashlib.sha256(expected).hexdigest())
    yield SafetyCheck(
        "answer",
        "The answer is the node's, byte for byte, but for its disks",
        same,
        said.get("fqdn", "no name in it"),
    )
    runner = said.get("runner", "").startswith(direct.runner_sha256 or "none")
    yield SafetyCheck(
        "runner", "The first-boot runner is the node's", runner, f"SHA-256 {said.get('runner', 'none')[:12]}"
    )
