"""Tickets: the small files that Ventoy's template menu offers, and the archive's side of the same facts.

A ticket holds no answer. It names a node (or `auto`) and the generation of the archive that it belongs to. It holds no
`$`: Ventoy expands `$$NAME$$` and would stop at the keyboard (ventoy_cmd.c, auto install variables).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

AUTO = "auto"
"""The ticket with which the boot hook finds the node by the machine's identity."""


def ticket_line(fleet: str, generation: str, image: str, node: str) -> str:
    """The one line that the boot hook reads; a comment in both a preseed and a plain ticket."""
    return f"# ventoy-kit-ticket format=1 fleet={fleet} generation={generation} image={image} node={node} arming=none"


_LINE = re.compile(
    rb"^# ventoy-kit-ticket format=1 fleet=\S+ generation=\S+ image=\S+ node=\S+ arming=(\S+)$", re.MULTILINE
)


def armed_ticket(ticket: bytes, arming_id: str, expires: str, destroys: Sequence[str] = ()) -> bytes:
    """A node's own ticket, armed: everything else in it stays, since Debian's ticket is the preseed too.

    Args:
        ticket: as the payload holds it.
        arming_id: `YYYYMMDDTHHMMSSZ-hhhhhhhh`.
        expires: `YYYYMMDDTHHMMSSZ`.
        destroys: pools that the installation may destroy, by the permission of this arming alone.

    Raises:
        ValueError: it holds no ticket line, several, or one that is armed already.
    """
    found = list(_LINE.finditer(ticket))
    if len(found) != 1 or found[0][1] != b"none" or ticket.count(b"ventoy-kit-ticket") != 1:
        raise ValueError("it is no ticket of a node")
    start, end = found[0].span(1)
    permission = f" destroy={','.join(destroys)}" if destroys else ""
    return ticket[:start] + f"{arming_id}-{expires}{permission}".encode() + ticket[end:]


def plain_ticket(line: str, node: str) -> bytes:
    """The ticket of an image whose installer does not read it: the ticket line, and words for people."""
    what = "the node that this machine is" if node == AUTO else f"the node {node}"
    lines = (
        f"# ventoy-kit: names {what} as the one to install.",
        "# The answers are in the injection archive of the same generation.",
        line,
    )
    return ("\n".join(lines) + "\n").encode()
