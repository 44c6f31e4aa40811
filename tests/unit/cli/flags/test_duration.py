"""Durations: Go's documentation of time.ParseDuration and Duration.String, and days."""

import pytest

from buildctl.cli.flags.duration import format_duration, parse_duration
from buildctl.errors import UsageError

SECOND = 1_000_000_000


@pytest.mark.parametrize(
    ("text", "expected_ns"),
    [
        ("0", 0),
        ("0s", 0),
        ("1h", 3600 * SECOND),
        ("48h", 172800 * SECOND),
        ("1h30m", 5400 * SECOND),
        ("1.5h", 5400 * SECOND),
        (".5s", SECOND // 2),
        ("1.s", SECOND),
        ("300ms", 300_000_000),
        ("1us", 1000),
        ("1µs", 1000),
        ("1μs", 1000),
        ("7ns", 7),
        ("-1m", -60 * SECOND),
        ("+1m", 60 * SECOND),
        ("0.000000001s", 1),
        ("7d", 7 * 86400 * SECOND),
        ("1d12h", 129600 * SECOND),
    ],
)
def test_parse(text: str, expected_ns: int) -> None:
    assert parse_duration(text) == expected_ns


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", 'time: invalid duration ""'),
        ("-", 'time: invalid duration "-"'),
        ("10", 'time: missing unit in duration "10"'),
        ("5x", 'time: unknown unit "x" in duration "5x"'),
        ("1w", 'time: unknown unit "w" in duration "1w"'),
        ("h", 'time: invalid duration "h"'),
        (".s", 'time: invalid duration ".s"'),
        ("1h!", 'time: unknown unit "h!" in duration "1h!"'),
        ("300000000h", 'time: invalid duration "300000000h"'),
    ],
)
def test_refuse(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_duration(text)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("duration_ns", "text"),
    [
        (0, "0s"),
        (1, "1ns"),
        (1100, "1.1µs"),
        (2_200_000, "2.2ms"),
        (3 * SECOND + 300_000_000, "3.3s"),
        (60 * SECOND, "1m0s"),
        (172800 * SECOND, "48h0m0s"),
        (4 * 60 * SECOND + 5 * SECOND + 1_000_000, "4m5.001s"),
        (-90 * SECOND, "-1m30s"),
    ],
)
def test_format(duration_ns: int, text: str) -> None:
    assert format_duration(duration_ns) == text
