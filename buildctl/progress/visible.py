"""Text of unknown origin, made safe to print.

Names, errors and statuses come from the daemon and from whoever wrote the build file. Printed as they are
they could move the cursor, set the window's title, write the clipboard (OSC 52) or, with bidirectional
controls, read differently than they run (CVE-2021-42574). Here every such character becomes its visible
escape; the text stays one line. A step's log is handled by `vt`, which drops control sequences instead.
"""

from __future__ import annotations

import re
import unicodedata

_COMBINING_LIMIT = 3  # marks over one character; more is a tower that hides the lines above
_UNMARKED = re.compile(
    "[ -\u02ff\u0370-\u0482\u048a-\u058f\u2010-\u2027\u2030-\u205e\u2070-\u20cf\u2100-\u2cee"
    "\u3001-\u3029\u3030-\u3098\u309b-\ua66e\uac00-\ud7a3\U0001f300-\U0001faff]*"
)
"""Blocks of common scripts and symbols without combining marks; of other characters each is looked at."""
_SPACES = "\t\n\v\f\r\x85\u2028\u2029"


def visible(text: str, *, ascii_only: bool = False) -> str:
    """`text` as one line in which every character is seen and none is obeyed."""
    if not (text.isprintable() and _UNMARKED.fullmatch(text)):
        text = "".join(_characters(text))
    if ascii_only and not text.isascii():
        text = text.encode("ascii", "backslashreplace").decode("ascii")
    return text


def _characters(text: str) -> list[str]:
    shown: list[str] = []
    marks = 0
    for character in text:
        if character in _SPACES:
            character = " "
        elif unicodedata.category(character).startswith("M"):
            marks += 1
            # A variation selector changes a width in some terminals and not in others.
            if marks > _COMBINING_LIMIT or "\ufe00" <= character <= "\ufe0f":
                continue
            shown.append(character)
            continue
        elif character == "\u200d":
            # The joiner of emoji: terminals disagree on the width of what it joins.
            continue
        elif not character.isprintable():
            # Controls, bidirectional and other format characters, surrogates, private and unassigned ones.
            character = _escape(character)
        marks = 0
        shown.append(character)
    return shown


def _escape(character: str) -> str:
    if unicodedata.category(character) == "Zs":
        return " "
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
