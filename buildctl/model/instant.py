"""Instants as text: RFC 3339 with nanoseconds, as Go's encoding/json writes and reads them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RFC3339 = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)", re.ASCII)


def format_instant(instant_ns: int) -> str:
    """In UTC, with up to nine digits after the point and no zeros at the end.

    Raises `OverflowError` for a year that has more or fewer than four digits.
    """
    whole, rest = divmod(instant_ns, 1_000_000_000)
    return _second(whole) + (f".{rest:09d}".rstrip("0") if rest else "") + "Z"


def parse_instant(text: str) -> int:
    """Nanoseconds since the Unix epoch. Raises `ValueError` for anything but RFC 3339."""
    matched = _RFC3339.fullmatch(text)
    if matched is None:
        raise ValueError(text)
    whole, fraction, zone = matched.groups()
    return _since_epoch(whole, zone) * 1_000_000_000 + int((fraction or "").ljust(9, "0"))


@lru_cache(maxsize=256)
def _second(since_epoch: int) -> str:
    return (_EPOCH + timedelta(seconds=since_epoch)).isoformat(timespec="seconds")[:19]


@lru_cache(maxsize=256)
def _since_epoch(whole: str, zone: str) -> int:
    try:
        passed = datetime.fromisoformat(whole + zone) - _EPOCH
    except OverflowError:
        raise ValueError(whole + zone) from None
    return passed.days * 86400 + passed.seconds
