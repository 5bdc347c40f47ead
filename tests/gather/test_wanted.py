"""Which images a fleet wants from vendors, and when the lock answers that."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.images.entries import FINGERPRINT, entry
from ventoy_kit.gather.wanted import Want, is_request, origin_of
from ventoy_kit.images.lock import LockEntry

LOCKED: dict[str, Any] = {
    "catalog": "example",
    "release": "1.5",
    "file": "example-1.5.iso",
    "size": 5,
    "sha256": "1" * 64,
    "origin": "vendor",
    "verified": "checksum",
    "urls": ("https://example.org/example-1.5.iso",),
}
WANT = Want("a", "example", entry(), "1", "checksum", LockEntry.model_validate(LOCKED))


def test_a_lock_that_fits():
    assert WANT.misfit is None
    assert WANT.pinned == WANT.locked
    for request in ("latest", "1.5"):
        assert replace(WANT, request=request).pinned is not None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"locked": None}, "not locked yet"),
        ({"entry_id": "other"}, "locked as `example`"),
        ({"request": "2"}, "1.5 is locked"),
        ({"request": "1.6"}, "1.5 is locked"),
        ({"entry": entry(file="other-{release}.iso")}, "the catalog does not know"),
        ({"trust": "signature"}, "its checksum alone"),
    ],
)
def test_a_lock_that_does_not(change, said):
    want = replace(WANT, **change)
    assert want.pinned is None
    assert said in (want.misfit or "")


def test_a_key_that_is_pinned_no_more():
    signed = LockEntry.model_validate(
        LOCKED | {"verified": "signature", "signer": FINGERPRINT, "signed": "x"} | _moment()
    )
    want = replace(WANT, locked=signed, trust="signature")
    assert want.pinned is not None
    assert origin_of(signed) == f"vendor, signature of {FINGERPRINT}"
    other = signed.model_copy(update={"signer": "F" * 40})
    assert "is not pinned any more" in (replace(want, locked=other).misfit or "")


def _moment() -> dict[str, Any]:
    from datetime import UTC, datetime

    return {"signed": datetime(2024, 1, 1, tzinfo=UTC)}


def test_a_local_file_in_the_lock_is_no_answer():
    assert WANT.locked is not None
    for update in ({"verified": "none"}, {"urls": ()}):
        assert replace(WANT, locked=WANT.locked.model_copy(update=update)).pinned is None


@pytest.mark.parametrize(
    ("text", "right"),
    [("latest", True), ("9.1-1", True), ("13", True), ("newest", False), ("1/2", False), ("", False)],
)
def test_requests(text, right):
    assert is_request(text) is right
