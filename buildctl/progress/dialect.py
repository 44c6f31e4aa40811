"""How sections, notices and failures are written where a log is read: as plain text, unless a CI service
has marks of its own (`buildctl.progress.ci`).

Every method returns text that is whole lines, or nothing. What it is given is safe to print and, but for
messages, one line each; it may still hold a command of the service, which only the dialect knows.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from typing import NamedTuple


class Level(enum.StrEnum):
    """How serious a notice is; the values are what the services call it."""

    ERROR = "error"
    WARNING = "warning"


class Place(NamedTuple):
    """Lines of a build file, 1-based, the last one included; `path` as the user knows it."""

    path: str
    line: int
    last_line: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


class Dialect:
    """Plain text: blank lines between sections. `locate` turns a build file's name into the user's path."""

    def __init__(self, locate: Callable[[str], str] = str) -> None:
        self.locate = locate
        self._begun = False

    def opening(self, title: str, now_ns: int) -> str:
        """The beginning of a section."""
        return f"{self._gap()}{title}\n"

    def line(self, text: str) -> str:
        """A line of the section that is open."""
        return f"{text}\n"

    def lines(self, head: str, texts: Sequence[str]) -> str:
        """Lines of the section that is open, each after `head`."""
        return "".join([f"{head} {text}\n" for text in texts])

    def closing(self, now_ns: int, *, failed: bool) -> str:
        """The end of the section that is open."""
        return ""

    def single(self, head: str, name: str, ending: str) -> str:
        """A step that has nothing to show but how it ended."""
        return f"{self._gap()}{head} {name}\n{head} {ending}\n"

    def failure(self, name: str, lines: Sequence[str]) -> str:
        """The last lines of a failed step, repeated at the end."""
        return "".join(["------\n", self.line(f" > {name}:"), *map(self.line, lines), "------\n"])

    def notice(self, level: Level, place: Place | None, message: str) -> str:
        """What is to be seen without opening any section; `message` may have several lines."""
        return ""

    def outcome(self) -> str:
        """What follows is not about any step."""
        return ""

    def _gap(self) -> str:
        gap = "\n" if self._begun else ""
        self._begun = True
        return gap
