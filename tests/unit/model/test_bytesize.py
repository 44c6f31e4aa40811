"""Byte sizes as BuildKit's units library prints them."""

from __future__ import annotations

import pytest

from buildctl.model.bytesize import format_bytes, format_bytes_binary, format_bytes_short


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0B"),
        (1, "1B"),
        (999, "999B"),
        (1000, "1.00kB"),
        (4096, "4.10kB"),
        (999_994, "999.99kB"),
        (999_999, "1000.00kB"),
        (1_000_000, "1.00MB"),
        (1_981_712, "1.98MB"),
        (5_000_000_000, "5.00GB"),
        (7 * 10**12, "7.00TB"),
        (7 * 10**15, "7.00PB"),
        (2**63 - 1, "9.22EB"),
        (-1, "-1B"),
        (-4096, "-4.10kB"),
        (-(2**63), "-9.22EB"),
    ],
)
def test_decimal_with_two_places(size: int, text: str) -> None:
    assert format_bytes(size) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0B"),
        (512, "512B"),
        (1000, "1kB"),
        (1200, "1.2kB"),
        (512_000_000, "512MB"),
        (10_000_000_000, "10GB"),
        (1_234_567, "1.234567MB"),
        (-1500, "-1.5kB"),
    ],
)
def test_decimal_with_the_places_it_has(size: int, text: str) -> None:
    assert format_bytes_short(size) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0B"),
        (1023, "1023B"),
        (1024, "1KiB"),
        (500 * 1024, "500KiB"),
        (512_500, "500KiB"),
        (3 * 1024**2, "3MiB"),
        (2 * 1024**3, "2GiB"),
    ],
)
def test_binary_without_places(size: int, text: str) -> None:
    assert format_bytes_binary(size) == text
