"""Text for a terminal: nothing in it is obeyed, but for the colours and carriage returns of a build's log.

Where a command's bytes are the reference's they pass on what daemons and steps say. A file gets those bytes;
a terminal gets them through here, so that nobody moves the cursor, sets titles or writes the clipboard.
"""

from __future__ import annotations

import codecs
import re

from buildctl.progress.visible import visible
from buildctl.progress.vt import SEQUENCE

_USUAL = re.compile(rb"[\t\n\r\x20-\x7e]*")
_USUAL_TEXT = re.compile(rb"[\t\n\x20-\x7e]*")
_STRING = re.compile(r"\x1b[\]PX^_]|[\x90\x98\x9d-\x9f]")
_ENDED = re.compile(r".*(?:[\x07\x9c]|\x1b\\)", re.DOTALL)
_HELD_LIMIT = 4096
"""Characters of an unfinished sequence; of a longer one only its kind is remembered."""
_COLOR = re.compile(r"[0-9;:]*")


class HarmlessText:
    """A stream of text, cut anywhere. A control sequence ends with its line at the latest.

    A log keeps its colours and what rewrites a line; of other text a carriage return is a blank.
    """

    def __init__(self, *, is_log: bool = True) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._is_log = is_log
        self._usual = _USUAL if is_log else _USUAL_TEXT
        self._held = ""

    def feed(self, data: bytes) -> bytes:
        """What may be printed by now."""
        if not self._held and not self._decoder.getstate()[0] and self._usual.fullmatch(data):
            return data
        *lines, last = (self._held + self._decoder.decode(data)).split("\n")
        shown = [self._harmless(line)[0] for line in lines]
        last, self._held = self._harmless(last, goes_on=True)
        return "\n".join([*shown, last]).encode()

    def end(self) -> bytes:
        """What is left when no more comes."""
        rest, self._held = self._harmless(self._held + self._decoder.decode(b"", final=True))
        return rest.encode()

    def _harmless(self, line: str, *, goes_on: bool = False) -> tuple[str, str]:
        """What may be printed of a line, and the control sequence that it ends in the middle of."""
        parts = []
        position = 0
        for found in SEQUENCE.finditer(line):
            parts.append(visible(line[position : found.start()]))
            position = found.end()
            at_last = position == len(line)
            if at_last and not _is_whole(found):
                return "".join(parts), _bounded(found[0])
            if found["control"] == "\t" or (self._is_log and found["control"] == "\r"):
                parts.append(found["control"])
            elif found["control"] == "\r":
                if at_last and goes_on:
                    return "".join(parts), "\r"  # a newline may follow
                parts.append("" if at_last else " ")
            elif self._is_log and found["final"] == "m" and _COLOR.fullmatch(found["args"]):
                parts.append(f"\x1b[{found['args']}m")
        parts.append(visible(line[position:]))
        return "".join(parts), ""


def harmless(text: str) -> str:
    """Text that is whole, for a terminal."""
    cleaner = HarmlessText(is_log=False)
    return (cleaner.feed(text.encode("utf-8", "surrogateescape")) + cleaner.end()).decode()


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
