"""Types of single values: what is taken, in which form it is kept, what is refused."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from ventoy_kit.fleet import values as v
from ventoy_kit.fleet.countries import COUNTRIES
from ventoy_kit.fleet.marks import PlainInt
from ventoy_kit.fleet.sizes import format_size


def accepted(kind: Any, text: object) -> Any:
    return TypeAdapter(kind).validate_python(text)


def refused(kind: Any, text: object) -> bool:
    try:
        accepted(kind, text)
    except ValidationError as error:
        details = error.errors(include_url=False)[0]
        context = details.get("ctx", {})
        assert context["message"], details
        assert context["remedy"], details
        return True
    return False


UNITS = ("KB", "MB", "GB", "TB", "PB", "KiB", "MiB", "GiB", "TiB", "PiB")


@given(st.integers(1, 999_999), st.sampled_from(UNITS))
def test_a_size_is_number_times_unit(number, unit):
    power = "KMGTP".index(unit[0]) + 1
    assert v.parse_size(f"{number} {unit}") == number * (1024 if "i" in unit else 1000) ** power
    assert v.parse_size(f"{number}{unit}") == v.parse_size(f"{number} {unit}")


@given(st.integers(1, 10**16))
def test_a_shown_size_reads_back_within_a_twentieth(size):
    shown = format_size(size)
    assert re.fullmatch(r"[0-9]+(\.[0-9])? ([KMGT]i?B|B)", shown)
    assert abs(v.parse_size(shown) - size) <= size / 20
    assert format_size(v.parse_size(shown)) == shown


@pytest.mark.parametrize("text", ["64 GiB", "2 TB", "512 GB", "1.5 TB", "100 MiB"])
def test_round_sizes_keep_their_spelling(text):
    assert format_size(v.parse_size(text)) == text


@pytest.mark.parametrize(
    "text", ["64", "64 gib", "0 GB", "0.0 GB", "-1 GB", "1e3 GB", "1 GBit", "", "1234567 GB", "٣ GB"]
)
def test_sizes_without_unit_or_sense_are_refused(text):
    assert refused(v.Size, text)


HEX = st.sampled_from("0123456789abcdefABCDEF")


@given(st.lists(st.tuples(HEX, HEX).map("".join), min_size=6, max_size=6), st.sampled_from(":-"))
def test_a_mac_is_kept_in_one_form(pairs, separator):
    text = separator.join(pairs)
    if set(text.lower()) <= {"0", separator} or set(text.lower()) <= {"f", separator}:
        assert refused(v.Mac, text)
    else:
        assert accepted(v.Mac, text) == ":".join(pairs).lower()


@given(st.uuids())
def test_a_uuid_is_kept_in_lower_case(uuid):
    assert accepted(v.Uuid, str(uuid).upper()) == str(uuid)
    assert refused(v.Uuid, uuid.hex)
    assert refused(v.Uuid, f"{{{uuid}}}")


@given(st.text(max_size=30))
def test_no_text_gets_through_with_line_ends_or_control_characters(text):
    kinds = (
        v.Name,
        v.NodeName,
        v.FleetName,
        v.Title,
        v.Serial,
        v.Wwn,
        v.Mac,
        v.Uuid,
        v.PciId,
        v.Domain,
        v.Url,
    )
    more = (
        v.EnvName,
        v.SshKey,
        v.Timezone,
        v.Language,
        v.Package,
        v.Country,
        v.Size,
        v.Cidr,
        v.Address,
        v.Interface,
    )
    for kind in (*kinds, *more):
        for value in (text, text + "\n", "fe80::1%" + text, "a\x85b", "10.0.0.1/8\n"):
            if not refused(kind, value):
                assert not {unicodedata.category(c) for c in str(value)} & {"Cc", "Cs", "Zl", "Zp"}


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (v.NodeName, "auto"),
        (v.NodeName, "123"),
        (v.NodeName, "a.b"),
        (v.NodeName, "Falcon"),
        (v.NodeName, "-a"),
        (v.NodeName, "a-"),
        (v.NodeName, "a" * 33),
        (v.Name, "a_b"),
        (v.Title, "say 'hi' $HOME"),
        (v.Title, "\u202eevil"),
        (v.Title, ""),
        (v.Domain, "a..b"),
        (v.Domain, "a" * 64),
        (v.Url, "http://user:pass@host/"),
        (v.Url, "http://host/?q"),
        (v.EnvName, "1A"),
        (v.Timezone, "Etc/UTC"),
        (v.Timezone, "GMT"),
        (v.Country, "uk"),
        (v.Country, "DE"),
        (v.Cidr, "10.0.0.0"),
        (v.Cidr, "10.0.0.1/24"),
        (v.Cidr, "10.0.0.0/33"),
        (v.Interface, "10.0.0.1"),
        (v.Interface, "10.0.0.256/24"),
        (v.Address, "fe80::1%eth0"),
        (v.Package, "a"),
        (v.Package, "-y"),
        (v.SshKey, "-----BEGIN OPENSSH PRIVATE KEY-----"),
        (v.PciId, "10DE:27B0"),
        (v.Wwn, "0x5000 c500"),
        (v.Serial, " S7"),
    ],
)
def test_what_would_fail_later_is_refused_now(kind, text):
    assert refused(kind, text)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (v.NodeName, "falcon-2"),
        (v.NodeName, "automatic"),
        (v.NodeName, "1a"),
        (v.Title, "Würfel (2.5GbE), it's #1"),
        (v.Timezone, "America/Argentina/Buenos_Aires"),
        (v.Timezone, "UTC"),
        (v.Country, "no"),
        (v.Package, "g++"),
        (v.Package, "python3.11-minimal"),
        (v.Url, "https://mirror.example.org:8443/~me/debian"),
        (v.Wwn, "eui.0025385b71b0a1c2"),
    ],
)
def test_what_is_right_is_taken_as_it_is(kind, text):
    assert accepted(kind, text) == text


def test_digits_are_text_where_text_is_wanted():
    number = PlainInt(7)
    number.raw = "0007"
    assert accepted(v.Serial, number) == "0007"
    assert refused(v.Serial, True)
    assert refused(v.Serial, None)
    assert refused(v.Serial, [])


@pytest.mark.parametrize("word", ["yes", "No", "on", "OFF", "y", "n", 1, None, "true"])
def test_truth_is_spelt_true_or_false(word):
    assert refused(v.Bool, word)


def test_long_values_are_cut_in_messages():
    with pytest.raises(ValidationError) as caught:
        accepted(v.Name, "A" * 5000)
    assert len(str(caught.value.errors()[0]["ctx"]["message"])) < 200


def test_country_codes():
    assert len(COUNTRIES) == 249
    assert all(re.fullmatch("[a-z]{2}", code) for code in COUNTRIES)
