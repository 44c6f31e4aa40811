"""Booleans, numbers and sizes: Go's documentation of strconv, and sizes with units."""

from collections.abc import Callable
from typing import Any

import pytest

from buildctl.cli.flags.scalar import parse_bool, parse_float, parse_int, parse_size
from buildctl.errors import UsageError


@pytest.mark.parametrize("text", ["1", "t", "T", "true", "TRUE", "True"])
def test_true(text: str) -> None:
    assert parse_bool(text) is True


@pytest.mark.parametrize("text", ["0", "f", "F", "false", "FALSE", "False"])
def test_false(text: str) -> None:
    assert parse_bool(text) is False


@pytest.mark.parametrize(
    ("text", "value"),
    [("5", 5), ("-5", -5), ("+5", 5), ("0x10", 16), ("0b11", 3), ("0o17", 15), ("017", 15), ("1_000", 1000)],
)
def test_int(text: str, value: int) -> None:
    assert parse_int(text) == value


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("100", 100_000_000),
        ("1.5", 1_500_000),
        ("1e3", 1_000_000_000),
        ("10GB", 10_000_000_000),
        ("10g", 10_000_000_000),
        ("512MiB", 536_870_912),
        ("1.5KiB", 1536),
        ("7B", 7),
        ("2tb", 2_000_000_000_000),
        ("+1", 1_000_000),
        ("-1", -1_000_000),
        (".5", 500_000),
        ("1_000", 1_000_000_000),
        ("1_0.2_5e0_1", 102_500_000),
        ("0x1p3", 8_000_000),
        ("0x_1.8p+1", 3_000_000),
        ("Inf", 2**63 - 1),
        ("+infinity", 2**63 - 1),
        ("-INF", -(2**63)),
    ],
)
def test_size(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    ("parse", "text", "message"),
    [
        (parse_bool, "maybe", 'strconv.ParseBool: parsing "maybe": invalid syntax'),
        (parse_bool, "", 'strconv.ParseBool: parsing "": invalid syntax'),
        (parse_bool, "tRUE", 'strconv.ParseBool: parsing "tRUE": invalid syntax'),
        (parse_int, "x", 'strconv.ParseInt: parsing "x": invalid syntax'),
        (parse_int, "", 'strconv.ParseInt: parsing "": invalid syntax'),
        (parse_int, " 1", 'strconv.ParseInt: parsing " 1": invalid syntax'),
        (parse_int, "08", 'strconv.ParseInt: parsing "08": invalid syntax'),
        (parse_int, "--1", 'strconv.ParseInt: parsing "--1": invalid syntax'),
        (
            parse_int,
            "9223372036854775808",
            'strconv.ParseInt: parsing "9223372036854775808": value out of range',
        ),
        (parse_float, "abc", 'strconv.ParseFloat: parsing "abc": invalid syntax'),
        *(
            (parse_float, text, f'strconv.ParseFloat: parsing "{text}": invalid syntax')
            for text in (
                "NaN",
                "_1",
                "1_",
                "1__0",
                "1e",
                "0x1",
                "1_e3",
                "1._5",
                "\u0661",
                "\uff15",
                "1 ",
                " 1",
                "",
                "1,5",
                "infinit",
            )
        ),
        *(
            (parse_int, text, f'strconv.ParseInt: parsing "{text}": invalid syntax')
            for text in ("1 ", "1_", "_1", "1__0", "\u0663", "\uff15", "²", "1.0", "0x")
        ),
        (parse_int, "5\n", 'strconv.ParseInt: parsing "5\\n": invalid syntax'),
        (parse_float, "1e999", 'strconv.ParseFloat: parsing "1e999": value out of range'),
        (parse_size, "abc", 'strconv.ParseFloat: parsing "abc": invalid syntax'),
        (parse_size, "5XB", 'unknown unit "XB" in size "5XB": use kB, MB, GB, KiB, MiB, GiB'),
        (parse_size, "99999999EB", 'size "99999999EB" is out of range'),
    ],
)
def test_refuse(parse: Callable[[str], Any], text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(text)
    assert str(caught.value) == message
