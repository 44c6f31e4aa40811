"""Text in which no CI service finds a command: what a job prints is read by the service that runs it.

A build, or a daemon, may print a service's commands, by mistake or to attack the pipeline: set its
variables, forge annotations, end a section early. Each gets a space after its first character, which a person
reads past.
All services' commands are treated so in every one of them, for some read others' too.
"""

from __future__ import annotations

import re

from buildctl.progress.visiblebytes import VisibleBytes, is_all_visible

_COMMAND = re.compile(
    r"""
      (?P<anywhere> \#(?=\#(?i:vso|teamcity)?\[) )  # ##[, ##vso[, ##teamcity[
    | (?P<anywhere_too> s(?=ection_(?:start|end):\d) )
    | ^\s* (?P<first> :(?=:) )  # ::group::
    | ^\s* (?P<header> -(?=--\s) | \+(?=\+\+\s) | ~(?=~~\s) | \^(?=\^\^\s) )  # Buildkite
    """,
    re.VERBOSE,
)
_HINT = re.compile(rb"##|section_|::|---|\+\+\+|~~~|\^\^\^")
"""What is in every command; most text has none of it."""
_LINE = re.compile(r"[^\r\n]*[\r\n]*")
_LINE_LIMIT = 64 << 10
"""Bytes of a line that are waited for; in a longer one a blank is put where it is cut."""


class InertText:
    """A stream of text, cut anywhere; the last line comes when it is whole."""

    def __init__(self) -> None:
        self._rest = b""
        self._cut = False
        """The rest goes on with a line of which something that is not blank has been given out."""

    def feed(self, data: bytes) -> bytes:
        """The lines that are whole by now. A line ends with a newline or a carriage return."""
        data = self._rest + data if self._rest else data
        end = max(data.rfind(b"\n"), data.rfind(b"\r")) + 1
        self._rest = data[end:]
        given = self._inert(data[:end]) if end else b""
        if len(self._rest) > _LINE_LIMIT:
            part, self._rest = self._rest, b""
            given += self._inert(part) + b" "
            self._cut |= not part.isspace()
        return given

    def end(self) -> bytes:
        """The last line, which is not whole."""
        rest, self._rest = self._rest, b""
        return self._inert(rest)

    def _inert(self, data: bytes) -> bytes:
        begun = b"x" if self._cut else b""
        self._cut = self._cut and not data.endswith((b"\n", b"\r"))
        return inert(begun + data)[len(begun) :]


def inert(text: bytes) -> bytes:
    """Text, possibly several lines, in which nothing is a command."""
    seen = text if is_all_visible(text.replace(b"\r", b"\n")) else VisibleBytes(text).text
    if not (_HINT.search(text) or (seen is not text and _HINT.search(seen))):
        return text
    return "".join(map(_inert_lines, _LINE.findall(text.decode("utf-8", "surrogateescape")))).encode(
        "utf-8", "surrogateescape"
    )


def _inert_lines(text: str) -> str:
    line = text.rstrip("\r\n")
    ends = text[len(line) :]
    # What closes a header may be the end of the line.
    return inert_line(f"{line}\n")[:-1] + ends if line else ends


def inert_line(text: str) -> str:
    """A line in which no service finds a command, whether or not it looks past colours and the like."""
    text = _spaced(text)
    if not text.isprintable():
        seen = VisibleBytes(text.encode("utf-8", "surrogateescape")).text.decode("utf-8", "surrogateescape")
        if _COMMAND.search(seen):
            return _spaced(seen)
    return text


def _spaced(text: str) -> str:
    return _COMMAND.sub(lambda found: f"{found[0]} ", text)


def inert_json(line: bytes) -> bytes:
    """A line of JSON, an object, that says the same and in which no CI service finds a command."""
    return line.replace(b"##", b"#\\u0023").replace(b"section_", b"\\u0073ection_")
