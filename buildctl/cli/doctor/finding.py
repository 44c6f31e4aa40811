"""What a look at one thing has found."""

from __future__ import annotations

import enum
from typing import NamedTuple


class Verdict(enum.StrEnum):
    """Whether it is as it should be."""

    OK = "ok"
    NOTE = "note"
    """Worth knowing."""
    WARNING = "warning"
    ERROR = "error"


class Finding(NamedTuple):
    """One thing: what it is, how it is, and, where that matters, what it means and what to do."""

    area: str
    """`daemon`, `cache`, `registry`, `network`, `here`."""
    name: str
    value: str
    verdict: Verdict = Verdict.OK
    advice: str = ""
