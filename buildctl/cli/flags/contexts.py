"""Flags on how local directories are sent."""

from __future__ import annotations

from buildctl.errors import UsageError
from buildctl.model.quote import quote
from buildctl.model.solve import OnUnreadable


def parse_on_unreadable(text: str) -> OnUnreadable:
    """`--on-unreadable`. Raises `UsageError`."""
    match text:
        case "error" | "skip" | "empty":
            return text
    raise UsageError(f"invalid --on-unreadable {quote(text)}", hint="use error, skip or empty")


def parse_context_check(text: str) -> bool:
    """`--context-check`: whether contents are compared, beside metadata. Raises `UsageError`."""
    if text not in ("metadata", "content"):
        raise UsageError(f"invalid --context-check {quote(text)}", hint="use metadata or content")
    return text == "content"
