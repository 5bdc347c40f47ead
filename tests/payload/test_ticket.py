"""The armed ticket is the node's own with one word changed."""

import pytest

from ventoy_kit.payload.ticket import armed_ticket, plain_ticket, ticket_line

LINE = ticket_line("demo", "0a1b2c3d", "debian", "beta")
ARMED = LINE.replace("arming=none", "arming=20261123T094500Z-1a2b3c4d-20261124T094500Z")


@pytest.mark.parametrize(
    "ticket",
    [
        plain_ticket(LINE, "beta"),
        f"#_preseed_V1\n{LINE}\nd-i netcfg/get_domain string arming=none\n".encode(),
        f"{LINE}\n".encode(),
        LINE.encode(),
    ],
)
def test_one_word_changes_and_everything_else_stays(ticket):
    armed = armed_ticket(ticket, "20261123T094500Z-1a2b3c4d", "20261124T094500Z")
    assert armed == ticket.replace(LINE.encode(), ARMED.encode())
    assert b"$" not in armed


@pytest.mark.parametrize(
    "ticket",
    [
        b"",
        b"# a comment\n",
        f"{LINE}\n{LINE}\n".encode(),
        f"{LINE} \n".encode(),
        f" {LINE}\n".encode(),
        f"{LINE}\r\n".encode(),
        f"{ARMED}\n".encode(),
        f"{LINE}\n# ventoy-kit-ticket\n".encode(),
    ],
)
def test_what_is_no_ticket_or_armed_already_is_refused(ticket):
    with pytest.raises(ValueError, match="no ticket"):
        armed_ticket(ticket, "20261123T094500Z-1a2b3c4d", "20261124T094500Z")


def test_a_permission_to_destroy_pools_stands_behind_the_arming():
    armed = armed_ticket(
        plain_ticket(LINE, "beta"), "20261123T094500Z-1a2b3c4d", "20261124T094500Z", ["tank", "vault"]
    )
    assert armed.decode().splitlines()[-1] == f"{ARMED} destroy=tank,vault"
