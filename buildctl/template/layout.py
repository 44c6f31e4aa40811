"""Times as text: Go's layouts, in which the reference time `Mon Jan 2 15:04:05 MST 2006` shows the form.

Source: Go's documentation of package time, constants Layout to DateOnly and func Time.Format.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")

_ELEMENTS = re.compile(
    r"""
    January | Jan(?![a-z]) | Monday | Mon(?![a-z]) | MST
    | 002 | 01 | 02 | 03 | 04 | 05 | 06
    | 2006 | 15 | 2 | 1 | _2006 | __2 | _2 | 3 | 4 | 5 | PM | pm
    | Z070000 | Z07:00:00 | Z0700 | Z07:00 | Z07
    | -070000 | -07:00:00 | -0700 | -07:00 | -07
    | [.,](?: 0+ | 9+ )(?! [0-9] )
    """,
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Clock:
    """An instant as a calendar and a clock show it."""

    year: int
    month: int
    day: int
    weekday: int
    """0 is Sunday."""
    yearday: int
    """1 is the first of January."""
    hour: int
    minute: int
    second: int
    nanosecond: int
    zone: str
    """Its abbreviation; empty where it has none."""
    offset: int
    """Seconds east of UTC."""


def format_time(clock: Clock, layout: str) -> str:
    """The instant in the form that the layout shows."""
    return _ELEMENTS.sub(lambda match: _element(clock, match[0]), layout)


def _element(clock: Clock, element: str) -> str:
    if element[0] in ".,":
        return _fraction(clock.nanosecond, element)
    if element[0] in "-Z":
        return _offset(clock.offset, element)
    if element == "_2006":  # an underscore and a year, not a padded day
        return "_" + _year(clock.year)
    shown = _SIMPLE.get(element)
    if shown is not None:
        return shown.format(c=clock, twelve=clock.hour % 12 or 12, short=clock.year % 100)
    match element:
        case "2006":
            return _year(clock.year)
        case "January" | "Jan":
            return MONTHS[clock.month - 1][: None if element == "January" else 3]
        case "Monday" | "Mon":
            return WEEKDAYS[clock.weekday][: None if element == "Monday" else 3]
        case "MST":
            return clock.zone or _offset(clock.offset, "-0700" if clock.offset % 3600 else "-07")
    half = "PM" if clock.hour >= 12 else "AM"
    return half if element == "PM" else half.lower()


_SIMPLE = {
    "01": "{c.month:02}",
    "1": "{c.month}",
    "02": "{c.day:02}",
    "_2": "{c.day:2}",
    "2": "{c.day}",
    "002": "{c.yearday:03}",
    "__2": "{c.yearday:3}",
    "15": "{c.hour:02}",
    "03": "{twelve:02}",
    "3": "{twelve}",
    "04": "{c.minute:02}",
    "4": "{c.minute}",
    "05": "{c.second:02}",
    "5": "{c.second}",
    "06": "{short:02}",
}


def _year(year: int) -> str:
    return f"{year:04}" if year >= 0 else f"-{-year:04}"


def _fraction(nanosecond: int, element: str) -> str:
    """`.000` to so many digits, `.999` without the zeros at the end."""
    digits = f"{nanosecond:09}"[: len(element) - 1].ljust(len(element) - 1, "0")
    if element[1] == "9":
        digits = digits.rstrip("0")
        return element[0] + digits if digits else ""
    return element[0] + digits


def _offset(offset: int, element: str) -> str:
    if element[0] == "Z" and offset == 0:
        return "Z"
    minutes, seconds = divmod(abs(offset), 60)
    hours, minutes = divmod(minutes, 60)
    parts = (f"{hours:02}", f"{minutes:02}", f"{seconds:02}")
    shown = parts[: len(element.replace(":", "")) // 2]
    return ("-" if offset < 0 else "+") + (":" if ":" in element else "").join(shown)
