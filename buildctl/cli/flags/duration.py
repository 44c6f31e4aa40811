"""Go's time.Duration as text: `1h30m`, `300ms`, and days, which Go lacks.

Sources: Go's documentation of time.ParseDuration and Duration.String. Days (`7d`, `1d12h`) are an
extension, see docs/differences.md. Durations are whole nanoseconds.
"""

from __future__ import annotations

import re

from buildctl.errors import UsageError
from buildctl.model.quote import quote

_UNITS_NS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,  # U+00B5, micro sign
    "μs": 1_000,  # U+03BC, Greek mu
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
    "d": 86_400_000_000_000,
}
_NUMBER = r"(?:[0-9]+\.?[0-9]*|\.[0-9]+)"
_UNIT = r"[^0-9.]+"
_MAX_NS = 2**63 - 1


def parse_duration(text: str) -> int:
    """Nanoseconds of a duration such as `48h`, `1.5m` or `7d`.

    Raises `UsageError` in the words of Go's time.ParseDuration.
    """
    from decimal import Decimal  # which few command lines need

    quoted = quote(text)
    sign, rest = (-1, text[1:]) if text.startswith("-") else (1, text.removeprefix("+"))
    if rest == "0":
        return 0
    if not rest:
        raise UsageError(f"time: invalid duration {quoted}")
    total = Decimal(0)
    while rest:
        number = re.match(_NUMBER, rest)
        if number is None:
            raise UsageError(f"time: invalid duration {quoted}")
        rest = rest[number.end() :]
        unit = re.match(_UNIT, rest)
        if unit is None:
            raise UsageError(f"time: missing unit in duration {quoted}")
        rest = rest[unit.end() :]
        if unit[0] not in _UNITS_NS:
            raise UsageError(f"time: unknown unit {quote(unit[0])} in duration {quoted}")
        total += Decimal(number[0]) * _UNITS_NS[unit[0]]
    if total > _MAX_NS:
        raise UsageError(f"time: invalid duration {quoted}")
    return sign * int(total)


def format_duration(duration_ns: int) -> str:
    """The text of Go's Duration.String: `48h0m0s`, `1.5s`, `300ms`, `0s`."""
    if duration_ns == 0:
        return "0s"
    sign, rest = ("-", -duration_ns) if duration_ns < 0 else ("", duration_ns)
    if rest < _UNITS_NS["s"]:
        unit = next(name for name in ("ms", "µs", "ns") if rest >= _UNITS_NS[name])
        return f"{sign}{_decimal(rest, _UNITS_NS[unit])}{unit}"
    minutes, seconds = divmod(rest, _UNITS_NS["m"])
    hours, minutes = divmod(minutes, 60)
    text = f"{_decimal(seconds, _UNITS_NS['s'])}s"
    if hours:
        text = f"{hours}h{minutes}m{text}"
    elif minutes:
        text = f"{minutes}m{text}"
    return sign + text


def _decimal(value: int, unit: int) -> str:
    whole, fraction = divmod(value, unit)
    digits = str(fraction).zfill(len(str(unit)) - 1).rstrip("0") if fraction else ""
    return f"{whole}.{digits}" if digits else str(whole)
