"""Go's time.Time and time.Duration, with the methods that templates call on them.

Sources: Go's documentation of package time; the calendar is the proleptic Gregorian one, for any year.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from buildctl.template.layout import MONTHS, WEEKDAYS, Clock, format_time
from buildctl.template.values import (
    BOOL,
    FLOAT64,
    INT,
    INT64,
    STRING,
    UINT64,
    Field,
    Function,
    GoType,
    Kind,
    method,
    pointer_to,
)

SECOND = 1_000_000_000
_DAY_SECONDS = 86_400
_ZERO_SECONDS = -62_135_596_800
"""The first of January of the year 1, Go's zero time."""
_MAX_DURATION = 2**63 - 1


class Zone(NamedTuple):
    """A time zone at one instant."""

    name: str
    abbreviation: str
    offset: int


UTC = Zone("UTC", "UTC", 0)


@dataclass(frozen=True, slots=True)
class Time:
    """An instant, shown in a zone."""

    seconds: int
    """Since the Unix epoch."""
    nanoseconds: int = 0
    zone: Zone = UTC

    @classmethod
    def from_unix_ns(cls, instant_ns: int) -> Time:
        return cls(*divmod(instant_ns, SECOND))

    @property
    def unix_ns(self) -> int:
        return self.seconds * SECOND + self.nanoseconds

    def clock(self) -> Clock:
        """What calendar and clock show in its zone."""
        days, rest = divmod(self.seconds + self.zone.offset, _DAY_SECONDS)
        year, month, day = _civil(days)
        return Clock(
            year,
            month,
            day,
            (days + 4) % 7,  # the epoch was a Thursday
            days - _days(year, 1, 1) + 1,
            rest // 3600,
            rest // 60 % 60,
            rest % 60,
            self.nanoseconds,
            self.zone.abbreviation,
            self.zone.offset,
        )

    def format(self, layout: str) -> str:
        return format_time(self.clock(), layout)

    def __str__(self) -> str:
        zone = "+0000 UTC" if self.zone == UTC else self.format("-0700 MST")
        return f"{_stamp(self, ' ')} {zone}"

    def add(self, duration_ns: int) -> Time:
        return replace(Time.from_unix_ns(self.unix_ns + duration_ns), zone=self.zone)


def _days(year: int, month: int, day: int) -> int:
    """Days from the epoch to a date; months and days beyond their range carry over."""
    carry, month = divmod(month - 1, 12)
    year += carry
    # Years begin in March here, so that the leap day is the last.
    year, month = (year - 1, month + 10) if month < 2 else (year, month - 2)
    return 365 * year + year // 4 - year // 100 + year // 400 + (153 * month + 2) // 5 + day - 1 - 719_468


def _civil(days: int) -> tuple[int, int, int]:
    """The date so many days after the epoch."""
    era, day = divmod(days + 719_468, 146_097)
    year = (day - day // 1460 + day // 36_524 - day // 146_096) // 365
    day -= 365 * year + year // 4 - year // 100
    month = (5 * day + 2) // 153
    return (
        era * 400 + year + (month >= 10),
        month + 3 if month < 10 else month - 9,
        day - (153 * month + 2) // 5 + 1,
    )


def _stamp(instant: Time, separator: str) -> str:
    """Date and time of day, with as much of a fraction as there is: what lists of records are full of.

    Written without a layout, which takes thirty times as long.
    """
    days, rest = divmod(instant.seconds + instant.zone.offset, _DAY_SECONDS)
    fraction = f".{instant.nanoseconds:09}".rstrip("0") if instant.nanoseconds else ""
    return f"{_date(days)}{separator}{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}{fraction}"


@functools.lru_cache(1024)
def _date(days: int) -> str:
    """The date so many days after the epoch; kept, for the instants of a list share few of them."""
    year, month, day = _civil(days)
    return f"{'-' * (year < 0)}{abs(year):04}-{month:02}-{day:02}"


def _go_string(instant: Time) -> str:
    """The instant as Go source."""
    clock = instant.clock()
    zone = "time.UTC" if instant.zone.name == "UTC" else "time.Local"
    return (
        f"time.Date({clock.year}, time.{MONTHS[clock.month - 1]}, {clock.day}, {clock.hour}, {clock.minute}, "
        f"{clock.second}, {clock.nanosecond}, {zone})"
    )


def _marshal(instant: Time) -> str:
    """RFC 3339, which has years of four digits only. Raises `ValueError` for others."""
    if not _YEARS_OF_JSON[0] <= instant.seconds + instant.zone.offset < _YEARS_OF_JSON[1]:
        raise ValueError("year outside of range [0,9999]")
    return _stamp(instant, "T") + ("Z" if instant.zone.offset == 0 else instant.format("Z07:00"))


_YEARS_OF_JSON = (_days(0, 1, 1) * _DAY_SECONDS, _days(10_000, 1, 1) * _DAY_SECONDS)


def _local(instant: Time) -> Time:
    """In the system's zone."""
    try:
        there = time.localtime(instant.seconds)
    except (OverflowError, OSError, ValueError):  # a year that the system's calendar does not have
        return instant
    return replace(instant, zone=Zone("Local", there.tm_zone, there.tm_gmtoff))


def _utc(instant: Time) -> Time:
    return replace(instant, zone=UTC)


def _sub(instant: Time, other: Time) -> int:
    return max(-_MAX_DURATION - 1, min(instant.unix_ns - other.unix_ns, _MAX_DURATION))


def _add_date(instant: Time, years: int, months: int, days: int) -> Time:
    clock = instant.clock()
    moved = _days(clock.year + years, clock.month + months, clock.day + days)
    return instant.add((moved - _days(clock.year, clock.month, clock.day)) * _DAY_SECONDS * SECOND)


def _truncate(instant: Time, duration: int) -> Time:
    """Down to a multiple of the duration since the zero time."""
    if duration <= 0:
        return instant
    return instant.add(-((instant.unix_ns - _ZERO_SECONDS * SECOND) % duration))


def _round(instant: Time, duration: int) -> Time:
    if duration <= 0:
        return instant
    rest = (instant.unix_ns - _ZERO_SECONDS * SECOND) % duration
    return instant.add(-rest if rest + rest < duration else duration - rest)


def _truncate_duration(value: int, multiple: int) -> int:
    if multiple <= 0:
        return value
    return value - (value % multiple if value >= 0 else -(-value % multiple))


def _round_duration(value: int, multiple: int) -> int:
    if multiple <= 0:
        return value
    size = abs(value)
    rest = size % multiple
    rounded = size - rest if rest + rest < multiple else size + multiple - rest
    return min(rounded, _MAX_DURATION) if value >= 0 else max(-rounded, -_MAX_DURATION - 1)


def format_duration(duration_ns: int) -> str:
    """Duration.String: `48h0m0s`, `1.5s`, `300ms`, `0s`."""
    if duration_ns == 0:
        return "0s"
    sign, rest = ("-", -duration_ns) if duration_ns < 0 else ("", duration_ns)
    for unit, size in (("ns", 1), ("µs", 1000), ("ms", 1_000_000)):
        if rest < size * 1000:
            return f"{sign}{_decimal(rest, size)}{unit}"
    minutes, seconds = divmod(rest, 60 * SECOND)
    hours, minutes = divmod(minutes, 60)
    text = f"{_decimal(seconds, SECOND)}s"
    if hours or minutes:
        text = f"{minutes}m{text}"
    return sign + (f"{hours}h" if hours else "") + text


def _decimal(value: int, unit: int) -> str:
    whole, fraction = divmod(value, unit)
    digits = str(fraction).zfill(len(str(unit)) - 1).rstrip("0") if fraction else ""
    return f"{whole}.{digits}" if digits else str(whole)


def _in_units(unit: int) -> Callable[[int], float]:
    """A duration as a number of units: whole ones and their rest, added as floats."""

    def units(duration: int) -> float:
        whole, rest = divmod(abs(duration), unit)
        value = float(whole) + float(rest) / unit
        return -value if duration < 0 else value

    return units


def _whole(unit: int) -> Callable[[int], int]:
    return lambda duration: abs(duration) // unit * (-1 if duration < 0 else 1)


def _name(names: tuple[str, ...], type_name: str, first: int) -> Callable[[int], str]:
    def name(number: int) -> str:
        if 0 <= number - first < len(names):
            return names[number - first]
        return f"%!{type_name}({number % 2**64})"

    return name


def _refuses(*results: GoType) -> Function:
    """A method that Go has and templates may not call, for it returns too much."""

    def never(*values: Any) -> None:
        raise AssertionError("refused before it is called")

    return Function(never, (), results=results)


LOCATION = GoType("time.Location", Kind.STRUCT)
_LOCATION_POINTER = pointer_to(LOCATION)
_LOCATION_POINTER.methods = {"String": method(STRING, lambda zone: zone.name)}

MONTH = GoType("time.Month", Kind.INT)
MONTH.methods = {"String": method(STRING, _name(MONTHS, "Month", 1))}

WEEKDAY = GoType("time.Weekday", Kind.INT)
WEEKDAY.methods = {"String": method(STRING, _name(WEEKDAYS, "Weekday", 0))}

DURATION = GoType("time.Duration", Kind.INT)
DURATION.methods = {
    "Abs": method(DURATION, lambda duration: min(abs(duration), _MAX_DURATION)),
    "Hours": method(FLOAT64, _in_units(3600 * SECOND)),
    "Microseconds": method(INT64, _whole(1000)),
    "Milliseconds": method(INT64, _whole(1_000_000)),
    "Minutes": method(FLOAT64, _in_units(60 * SECOND)),
    "Nanoseconds": method(INT64, int),
    "Round": method(DURATION, _round_duration, DURATION),
    "Seconds": method(FLOAT64, _in_units(SECOND)),
    "String": method(STRING, format_duration),
    "Truncate": method(DURATION, _truncate_duration, DURATION),
}

TIME = GoType("time.Time", Kind.STRUCT)
TIME.fields = (
    Field("wall", UINT64, lambda instant: instant.nanoseconds),
    Field("ext", INT64, lambda instant: instant.seconds - _ZERO_SECONDS),
    Field("loc", _LOCATION_POINTER, lambda instant: None if instant.zone == UTC else instant.zone),
)
TIME.to_json = _marshal
TIME.go_string = _go_string
TIME.methods = {
    "Add": method(TIME, Time.add, DURATION),
    "AddDate": method(TIME, _add_date, INT, INT, INT),
    "After": method(BOOL, lambda instant, other: instant.unix_ns > other.unix_ns, TIME),
    "Before": method(BOOL, lambda instant, other: instant.unix_ns < other.unix_ns, TIME),
    "Clock": _refuses(INT, INT, INT),
    "Compare": method(
        INT,
        lambda instant, other: (instant.unix_ns > other.unix_ns) - (instant.unix_ns < other.unix_ns),
        TIME,
    ),
    "Date": _refuses(INT, MONTH, INT),
    "Day": method(INT, lambda instant: instant.clock().day),
    "Equal": method(BOOL, lambda instant, other: instant.unix_ns == other.unix_ns, TIME),
    "Format": method(STRING, Time.format, STRING),
    "GoString": method(STRING, _go_string),
    "Hour": method(INT, lambda instant: instant.clock().hour),
    "ISOWeek": _refuses(INT, INT),
    "In": method(TIME, lambda instant, zone: replace(instant, zone=zone), _LOCATION_POINTER),
    "IsDST": method(
        BOOL, lambda instant: bool(time.localtime(instant.seconds).tm_isdst) and instant.zone != UTC
    ),
    "IsZero": method(BOOL, lambda instant: instant.seconds == _ZERO_SECONDS and instant.nanoseconds == 0),
    "Local": method(TIME, _local),
    "Location": method(_LOCATION_POINTER, lambda instant: instant.zone),
    "Minute": method(INT, lambda instant: instant.clock().minute),
    "Month": method(MONTH, lambda instant: instant.clock().month),
    "Nanosecond": method(INT, lambda instant: instant.nanoseconds),
    "Round": method(TIME, _round, DURATION),
    "Second": method(INT, lambda instant: instant.clock().second),
    "String": method(STRING, str),
    "Sub": method(DURATION, _sub, TIME),
    "Truncate": method(TIME, _truncate, DURATION),
    "UTC": method(TIME, _utc),
    "Unix": method(INT64, lambda instant: instant.seconds),
    "UnixMicro": method(INT64, lambda instant: instant.unix_ns // 1000),
    "UnixMilli": method(INT64, lambda instant: instant.unix_ns // 1_000_000),
    "UnixNano": method(INT64, lambda instant: _int64(instant.unix_ns)),
    "Weekday": method(WEEKDAY, lambda instant: instant.clock().weekday),
    "Year": method(INT, lambda instant: instant.clock().year),
    "YearDay": method(INT, lambda instant: instant.clock().yearday),
    "Zone": _refuses(STRING, INT),
    "ZoneBounds": _refuses(TIME, TIME),
}


def _int64(number: int) -> int:
    """With the overflow that Go has."""
    return (number + 2**63) % 2**64 - 2**63
