"""A point in time as people type it: how long ago, or RFC 3339."""

from __future__ import annotations

import re

from buildctl.cli.flags.duration import parse_duration
from buildctl.errors import UsageError
from buildctl.model.instant import parse_instant
from buildctl.model.quote import quote

_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"


def parse_moment(text: str, now_ns: int) -> int:
    """Nanoseconds since the Unix epoch of `2h` or `7d` before now, `2026-11-30` (UTC) or an RFC 3339 instant.

    Raises `UsageError`.
    """
    try:
        if re.match(_DATE, text):
            return parse_instant(f"{text}T00:00:00Z" if re.fullmatch(_DATE, text) else text)
        return now_ns - parse_duration(text)
    except (UsageError, ValueError):
        raise UsageError(
            f"invalid time {quote(text)}",
            hint="use how long ago it was, such as 2h or 7d, or an instant such as 2026-11-30T12:00:00Z",
        ) from None
