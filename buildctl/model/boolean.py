"""Booleans as Go reads them from text (strconv.ParseBool)."""

from __future__ import annotations

from buildctl.errors import UsageError
from buildctl.model.quote import quote

_TRUE = frozenset(("1", "t", "T", "true", "TRUE", "True"))
_FALSE = frozenset(("0", "f", "F", "false", "FALSE", "False"))


def parse_bool(text: str) -> bool:
    """Go's strconv.ParseBool. Raises `UsageError` in its words."""
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise UsageError(f"strconv.ParseBool: parsing {quote(text)}: invalid syntax")
