"""Instants as RFC 3339, against Go's forms."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buildctl.model.instant import format_instant, parse_instant

YEAR_1 = -62_135_596_800 * 10**9
"""Go's zero time."""


@pytest.mark.parametrize(
    ("text", "instant_ns"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2026-11-22T12:00:00.000000001Z", 1_795_348_800_000_000_001),
        ("2026-11-22T12:00:00.12Z", 1_795_348_800_120_000_000),
        ("1969-12-31T23:59:59.999999999Z", -1),
        ("0001-01-01T00:00:00Z", YEAR_1),
    ],
)
def test_both_ways(text: str, instant_ns: int) -> None:
    assert format_instant(instant_ns) == text
    assert parse_instant(text) == instant_ns


@given(st.integers(YEAR_1, 253_402_300_800 * 10**9 - 1))
def test_nothing_is_lost(instant_ns: int) -> None:
    assert parse_instant(format_instant(instant_ns)) == instant_ns


def test_zones() -> None:
    assert parse_instant("2026-11-22T13:07:52.5+01:00") == parse_instant("2026-11-22T12:07:52.5Z")


@pytest.mark.parametrize(
    "text",
    ["", "now", "2026-11-22", "2026-11-22T12:00:00", "2026-13-01T00:00:00Z", "0001-01-01T00:00:00+23:59",
     "2026-11-22T12:00:00.1234567890Z", "٢٠٢٦-11-22T12:00:00Z", "2026-11-22T12:00:00Z\n"],
)  # fmt: skip
def test_what_is_no_instant(text: str) -> None:
    try:
        parsed = parse_instant(text)
    except ValueError:
        return
    assert text == "0001-01-01T00:00:00+23:59", text  # before the first year, which is well as a number
    assert parsed < YEAR_1


@pytest.mark.parametrize("instant_ns", [YEAR_1 - 1, 253_402_300_800 * 10**9, 2**63 * 1000])
def test_out_of_the_calendar(instant_ns: int) -> None:
    with pytest.raises(OverflowError):
        format_instant(instant_ns)
