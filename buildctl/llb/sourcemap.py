"""Places in build files, so that a step that fails points at the line that asked for it."""

from __future__ import annotations

import linecache
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from buildctl.errors import UsageError
from buildctl.llb import arguments
from buildctl.llb.arguments import INT32, wrong_type
from buildctl.llb.base import StateBase
from buildctl.model.status import Position, Range

if TYPE_CHECKING:
    from types import FrameType

    from buildctl.llb.state import State

PYTHON = "Python"
"""The language of `here`, as GitHub's linguist names it."""


class Location(NamedTuple):
    """Ranges in one build file."""

    source: SourceMap
    ranges: tuple[Range, ...] = ()


class SourceMap:
    """A build file: its name, as people know it, its bytes, and the name of its language as GitHub's
    linguist has it.

    `state` may be where the daemon finds the file. Maps with the same name, bytes and language are one in a
    definition.
    """

    __slots__ = ("data", "filename", "language", "state")

    def __init__(self, filename: str, data: bytes, *, language: str = "", state: State | None = None) -> None:
        self.filename = arguments.path("filename", filename)
        if not isinstance(data, bytes):
            raise wrong_type("data", "bytes", data)
        self.data = data
        self.language = arguments.text("language", language)
        if state is not None and not isinstance(state, StateBase):
            raise wrong_type("state", "a State", state)
        self.state = state

    def at(
        self,
        start: int | Position | tuple[int, int] | None = None,
        end: int | Position | tuple[int, int] | None = None,
        *,
        ranges: Sequence[Range] = (),
    ) -> Location:
        """The place from `start` to `end`, both included, and `ranges`; without any, the file as a whole.

        A position is a line, from 1, or a pair of line and character, the latter from 0. Without `end` it
        is one position. Raises `TypeError` and `UsageError`.
        """
        places = []
        if start is not None:
            first = _position("start", start)
            places.append(Range(first, first if end is None else _position("end", end)))
        elif end is not None:
            raise UsageError("end is given without start")
        for each in arguments.sequence("ranges", ranges, "Range"):
            if not isinstance(each, tuple) or len(each) != 2:
                raise wrong_type("ranges", "a sequence of Range", each)
            places.append(Range(_position("ranges", each[0]), _position("ranges", each[1])))
        return Location(self, tuple(places))

    def __repr__(self) -> str:
        return f"SourceMap({self.filename!r}, {len(self.data)} bytes)"


def here(depth: int = 0) -> Location:
    """The line of the program that calls this; with `depth`, of the function's caller so many calls above.

    The file's text goes to the daemon with the definition, as a Dockerfile's does, so that whoever builds
    sees the line when the step fails. A file below the current folder has its path from there, any other
    its name alone.
    """
    frame: FrameType | None = sys._getframe(1)
    for _ in range(arguments.number("depth", depth, range(1 << 31))):
        frame = frame.f_back if frame is not None else None
    if frame is None:
        raise UsageError(f"depth is {depth}, and there are not that many calls")
    path = frame.f_code.co_filename
    lines = linecache.getlines(path, frame.f_globals)
    known = _maps.get(path)
    if known is None or known[0] is not lines:
        source = SourceMap(_shown(path), "".join(lines).encode(errors="replace"), language=PYTHON)
        _maps[path] = known = (lines, source)
    return known[1].at(frame.f_lineno)


_maps: dict[str, tuple[list[str], SourceMap]] = {}
"""By path, with the lines of which each is made, so that all places in a program share one map."""


def _shown(path: str) -> str:
    if path.startswith("<"):
        return path  # typed into a shell
    relative = os.path.relpath(path)
    name = relative if not relative.startswith(os.pardir) else os.path.basename(path)
    return name.encode(errors="replace").decode()


def _position(name: str, value: object) -> Position:
    line, character = value if isinstance(value, tuple) and len(value) == 2 else (value, 0)
    return Position(arguments.number(name, line, INT32), arguments.number(name, character, INT32))
