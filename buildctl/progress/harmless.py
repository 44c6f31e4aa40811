"""Text for a terminal: colours and carriage returns stay, and nothing else in it is obeyed.

For a voice whose bytes are the reference's, which passes on what steps print. A file gets those bytes; a
terminal gets them through here, so that no step moves the cursor to other lines, sets titles or writes the
clipboard.
"""

from __future__ import annotations

import codecs
import re

from buildctl.model.status import SolveStatus
from buildctl.progress.renderer import Renderer
from buildctl.progress.visible import visible
from buildctl.progress.vt import SEQUENCE

_USUAL = re.compile(rb"[\t\n\r\x20-\x7e]*")
_STRING = re.compile(r"\x1b[\]PX^_]|[\x90\x98\x9d-\x9f]")
_ENDED = re.compile(r".*(?:[\x07\x9c]|\x1b\\)", re.DOTALL)
_HELD_LIMIT = 4096
"""Characters of an unfinished sequence; of a longer one only its kind is remembered."""
_COLOR = re.compile(r"[0-9;:]*")


class HarmlessText:
    """A stream of text, cut anywhere. A control sequence ends with its line at the latest."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._held = ""

    def feed(self, data: bytes) -> bytes:
        """What may be printed by now."""
        if not self._held and not self._decoder.getstate()[0] and _USUAL.fullmatch(data):
            return data
        *lines, last = (self._held + self._decoder.decode(data)).split("\n")
        shown = [_harmless(line)[0] for line in lines]
        last, self._held = _harmless(last)
        return "\n".join([*shown, last]).encode()

    def end(self) -> bytes:
        """What is left when no more comes."""
        rest, self._held = _harmless(self._held + self._decoder.decode(b"", final=True))
        return rest.encode()


class OnTerminal:
    """A renderer whose text is made harmless."""

    def __init__(self, renderer: Renderer) -> None:
        self._renderer = renderer
        self._text = HarmlessText()
        self.replaces = renderer.replaces

    @property
    def restore(self) -> bytes:
        return self._renderer.restore

    def absorb(self, status: SolveStatus, now_ns: int) -> bytes:
        return self._text.feed(self._renderer.absorb(status, now_ns))

    def render(self, now_ns: int) -> bytes:
        return self._text.feed(self._renderer.render(now_ns))

    def finish(self, now_ns: int, between: bytes = b"") -> bytes:
        return self._text.feed(self._renderer.finish(now_ns, between)) + self._text.end()


def _harmless(line: str) -> tuple[str, str]:
    """What may be printed of a line, and the control sequence that it ends in the middle of."""
    parts = []
    position = 0
    for found in SEQUENCE.finditer(line):
        parts.append(visible(line[position : found.start()]))
        position = found.end()
        if position == len(line) and not _is_whole(found):
            return "".join(parts), _bounded(found[0])
        if found["control"] in ("\t", "\r"):
            parts.append(found["control"])
        elif found["final"] == "m" and _COLOR.fullmatch(found["args"]):
            parts.append(found[0])
    parts.append(visible(line[position:]))
    return "".join(parts), ""


def _is_whole(found: re.Match[str]) -> bool:
    if found["control"] or found["final"]:
        return True
    if _STRING.match(found[0]):
        return _ENDED.fullmatch(found[0]) is not None
    return found["args"] is None and found[0][-1] >= "0"


def _bounded(unfinished: str) -> str:
    if len(unfinished) <= _HELD_LIMIT:
        return unfinished
    string = _STRING.match(unfinished)
    return string[0] if string else ""
