"""What a reader sees of bytes, without control sequences and invisible characters, and the way back to them.

Displays drop or show such things in ways of their own, so a value that a colour, a zero byte or a cursor
sequence divides would stand there whole. Tabs and newlines stay. A character that is overstruck (`x`, then a
backspace) goes, as on a terminal, which shows the next one in its place.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import cached_property

_CONTROLS = bytes([*range(9), *range(0x0B, 0x20), 0x7F])
_INVISIBLE = rb"""
      [\x00-\x08\x0b-\x1f\x7f]
    | \xc2 [\x80-\x9f\xad]  # C1, soft hyphen
    | \xcd\x8f | \xd8\x9c  # combining grapheme joiner, Arabic letter mark
    | \xe1 (?: \x85[\x9f\xa0] | \x9e[\xb4\xb5] | \xa0[\x8b-\x8f] )  # fillers, variation selectors
    | \xe2 (?: \x80[\x8b-\x8f\xa8-\xae] | \x81[\xa0-\xaf] )  # zero width, bidirectional, separators, joiners
    | \xe3\x85\xa4
    | \xef (?: \xb8[\x80-\x8f] | \xbb\xbf | \xbe\xa0 | \xbf[\xb0-\xbb] )  # the byte order mark
    | \xf3\xa0 [\x80-\x87] [\x80-\xbf]  # tags, variation selectors
"""
_STRING = rb"(?: [^\x07\x1b\n\xc2] | \xc2(?!\x9c) )* (?: \x07 | \x1b\\ | \xc2\x9c )?"
_REMOVED = re.compile(
    rb"""(?:
      (?: \x1b\[ | \xc2\x9b ) [0-?]* [ -/]* [@-~]?  # CSI
    | (?: \x1b[\]PX^_] | \xc2[\x90\x98\x9d-\x9f] ) %s  # OSC, DCS, SOS, PM, APC
    | \x1b [ -/]* [0-~]?
    | (?: [ -~] | [\xc2-\xf4][\x80-\xbf]{1,3} ) \x08
    | %s
    )+"""
    % (_STRING, _INVISIBLE),
    re.VERBOSE,
)
_LEADS = (
    *(b"\xc2", b"\xcd\x8f", b"\xd8\x9c", b"\xe1\x85", b"\xe1\x9e", b"\xe1\xa0", b"\xe2\x80", b"\xe2\x81"),
    *(b"\xe3\x85\xa4", b"\xef\xb8", b"\xef\xbb\xbf", b"\xef\xbe", b"\xef\xbf", b"\xf3\xa0"),
)
_ANY = re.compile(_INVISIBLE, re.VERBOSE)
_OPEN = re.compile(
    rb"""
      (?: \x1b\[ | \xc2\x9b ) [0-?]* [ -/]* \Z
    | (?: \x1b[\]PX^_] | \xc2[\x90\x98\x9d-\x9f] )
      (?: [^\x07\x1b\n\xc2] | \xc2(?!\x9c) )* (?: \x1b | \xc2 )? \Z
    | \x1b [ -/]* \Z
    """,
    re.VERBOSE,
)
_CUT_CHARACTER = re.compile(rb"(?:[\xc2-\xf4]|[\xe0-\xf4][\x80-\xbf]|[\xf0-\xf4][\x80-\xbf]{2})\Z")
_OPEN_LIMIT = 256
"""Bytes of an unfinished sequence that are waited for."""


class VisibleBytes:
    """`text` is what is seen of some bytes."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.text = _REMOVED.sub(b"", data)

    def place(self, offset: int) -> int:
        """Where the byte at an offset of the text stands; for its end, the end of all bytes."""
        if offset >= len(self.text):
            return len(self._data)
        starts, places = self._parts
        part = bisect_right(starts, offset) - 1
        return places[part] + offset - starts[part]

    def boundary(self, place: int) -> int:
        """The place, or where what is taken out begins that the place is in the middle of."""
        if place >= len(self._data):
            return place
        starts, places = self._parts
        part = bisect_right(places, place) - 1
        if part < 0:
            return 0
        following = starts[part + 1] if part + 1 < len(starts) else len(self.text)
        return min(place, places[part] + following - starts[part])

    @cached_property
    def _parts(self) -> tuple[list[int], list[int]]:
        """Where each part that is seen begins, in the text and in the bytes."""
        starts: list[int] = []
        places: list[int] = []
        position = size = 0
        for found in _REMOVED.finditer(self._data):
            start, end = found.span()
            if start > position:
                starts.append(size)
                places.append(position)
                size += start - position
            position = end
        starts.append(size)
        places.append(position)
        return starts, places


def is_all_visible(data: bytes) -> bool:
    """Whether nothing would be taken out; most logs are so, and this is quick."""
    if len(data.translate(None, _CONTROLS)) != len(data):
        return False
    return data.isascii() or not any(map(data.__contains__, _LEADS)) or _ANY.search(data) is None


def settled(data: bytes) -> int:
    """How many of the bytes are certain: an unfinished character or control sequence at the end is not."""
    cut = _CUT_CHARACTER.search(data, max(len(data) - 3, 0))
    end = cut.start() if cut else len(data)
    last = max(data.rfind(b"\x1b", 0, end), data.rfind(b"\xc2", 0, end), 0)
    before = max(data.rfind(b"\x1b", 0, last), 0)  # for the last may be the first half of a string's end
    for start in (before, last):
        if end - start <= _OPEN_LIMIT and _OPEN.match(data, start, end):
            return start
    return end
