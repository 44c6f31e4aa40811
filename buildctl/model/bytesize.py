"""Byte sizes as text, in the three forms BuildKit prints (its units library: `%.2f`, `%g` and `%#.f`).

Units change at full powers only, before rounding: 999999 bytes are `1000.00kB`.
"""

from __future__ import annotations

_DECIMAL = ("B", "kB", "MB", "GB", "TB", "PB", "EB")
_BINARY = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


def format_bytes(size_bytes: int) -> str:
    """Decimal units with two decimals: `0B`, `4.10kB`, `1.98MB`."""
    value, unit = _scale(size_bytes, 1000, _DECIMAL)
    return f"{size_bytes}B" if unit == "B" else f"{value:.2f}{unit}"


def format_bytes_short(size_bytes: int) -> str:
    """Decimal units with as many decimals as the value has: `512MB`, `1.2kB`."""
    value, unit = _scale(size_bytes, 1000, _DECIMAL)
    return f"{value!r}".removesuffix(".0") + unit


def format_bytes_binary(size_bytes: int) -> str:
    """Binary units without decimals: `500KiB`."""
    value, unit = _scale(size_bytes, 1024, _BINARY)
    return f"{value:.0f}{unit}"


def _scale(size_bytes: int, base: int, units: tuple[str, ...]) -> tuple[float, str]:
    step, unit, magnitude = 0, 1, abs(size_bytes)
    while magnitude >= unit * base and step + 1 < len(units):
        step, unit = step + 1, unit * base
    return float(size_bytes) / unit, units[step]
