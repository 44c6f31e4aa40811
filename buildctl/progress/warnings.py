"""A frontend's warnings whole, for the end of a build: a row of the live tree has no room for them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from buildctl.model.status import VertexWarning
from buildctl.progress.trace import VertexTrace


class ToldWarning(NamedTuple):
    """A warning, said once however many lines of build files it is about."""

    lines: tuple[str, ...]
    """What it says, its details, its places, and the address of a page on it; as the daemon has sent it."""


def told_warnings(vertexes: Iterable[VertexTrace]) -> list[ToldWarning]:
    """All warnings in the order in which they came, those of the same words together."""
    places: dict[tuple[bytes, tuple[bytes, ...], str], dict[str, None]] = {}
    for vertex in vertexes:
        for warning in vertex.warnings:
            found = places.setdefault((warning.short, warning.detail, warning.url), {})
            found.update(dict.fromkeys(_places(warning)))
    return [
        ToldWarning(tuple(_lines(short, detail, url, list(found))))
        for (short, detail, url), found in places.items()
    ]


def _lines(short: bytes, detail: tuple[bytes, ...], url: str, places: list[str]) -> Iterable[str]:
    yield f"WARN: {short.decode(errors='replace')}"
    for text in detail:
        yield from (f"  {line}" for line in text.decode(errors="replace").splitlines())
    for part in (", ".join(places), url):
        if part:
            yield f"  {part}"


def _places(warning: VertexWarning) -> list[str]:
    """`Dockerfile:3` for each range; the file alone where no line is known."""
    if warning.source_info is None or not warning.source_info.filename:
        return []
    name = warning.source_info.filename
    return [f"{name}:{one.start.line}" for one in warning.ranges if one.start.line > 0] or [name]
