"""What the live display may assume of a terminal: colours, characters, rows for logs; read from variables.

Nothing is drawn and nothing is asked here; importing it costs nothing.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from buildctl.progress.line import Color

ColorSystem = Literal["standard", "256", "truecolor"]

_DUMB = ("dumb", "unknown")
_POOR = ("linux", "ansi", "cons25", "vt52", "vt100", "vt102", "vt220", "vt320")
"""Terminals without the glyphs of the tree; of these, those named vt have no colours either."""

_LOG_LINES = 6

_NAMES = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
_COLORS: dict[str, Color | None] = {
    "default": None,
    **{name: number for number, name in enumerate(_NAMES)},
    **{f"light-{name}": number + 8 for number, name in enumerate(_NAMES)},
}


@dataclass(frozen=True, slots=True)
class Colors:
    """The colours of states; None is the terminal's own. BUILDKIT_COLORS changes them.

    The defaults are of the terminal's first eight, which its owner has made readable on its background.
    """

    run: Color | None = 4
    done: Color | None = 2
    cached: Color | None = 6
    cancel: Color | None = 3
    error: Color | None = 1
    warning: Color | None = 3


@dataclass(frozen=True, slots=True)
class TerminalOptions:
    """How to draw on a terminal."""

    moves_cursor: bool = True
    """Without it (TERM=dumb) there can be no live display."""
    color_system: ColorSystem | None = "standard"
    colors: Colors = Colors()
    utf8: bool = True
    """What is written is UTF-8 rather than ASCII."""
    glyphs: bool = True
    """The font has check marks, spinners and line drawing."""
    log_lines: int = _LOG_LINES
    """Rows of a running step's output before spare rows are given out."""
    most_log_lines: int | None = None
    """Rows of it at most, as BUILDKIT_TTY_LOG_LINES says; None: as many as there is room for."""
    warnings: tuple[str, ...] = ()
    """What was wrong with the variables, a sentence each."""

    @classmethod
    def from_variables(cls, variables: Mapping[str, str]) -> TerminalOptions:
        """As TERM, COLORTERM, the locale, NO_COLOR, BUILDKIT_COLORS and BUILDKIT_TTY_LOG_LINES say."""
        term = variables.get("TERM", "").lower()
        warnings: list[str] = []
        colors = Colors()
        if "BUILDKIT_COLORS" in variables and not variables.get("NO_COLOR"):
            colors = parse_colors(variables["BUILDKIT_COLORS"], warnings)
        utf8 = _is_utf8(variables)
        asked = _log_lines(variables.get("BUILDKIT_TTY_LOG_LINES", ""))
        return cls(
            moves_cursor=term not in _DUMB,
            color_system=_color_system(term, variables),
            colors=colors,
            utf8=utf8,
            glyphs=utf8 and term not in _POOR,
            log_lines=asked or _LOG_LINES,
            most_log_lines=asked,
            warnings=tuple(warnings),
        )


def _is_utf8(variables: Mapping[str, str]) -> bool:
    """What the locale says (POSIX: the first of these that is set); no locale at all says nothing."""
    for name in ("LC_ALL", "LC_CTYPE", "LANG"):
        if locale := variables.get(name):
            return "utf8" in locale.lower().replace("-", "")
    return True


def _color_system(term: str, variables: Mapping[str, str]) -> ColorSystem | None:
    if variables.get("NO_COLOR") or term in _DUMB or term.startswith("vt"):
        return None
    if variables.get("COLORTERM", "").strip().lower() in ("truecolor", "24bit"):
        return "truecolor"
    return "256" if "256color" in term else "standard"


def _log_lines(text: str) -> int | None:
    if text.isascii() and text.isdigit() and len(text) < 6 and int(text) > 0:
        return int(text)
    return None


def parse_colors(text: str, warnings: list[str]) -> Colors:
    """`run=green:error=1,2,3:cancel=light-cyan`; a part that cannot be meant only adds to `warnings`.

    `run` is the colour of all that goes well, as in the reference.
    """
    chosen: dict[str, Color | None] = {}
    for part in next(csv.reader([text], delimiter=":"), []):
        key, separator, value = part.partition("=")
        key = key.lower()
        if not separator or "=" in value:
            warnings.append(f"BUILDKIT_COLORS: {part!r} is not KEY=COLOR")
        elif key not in ("run", "cancel", "error", "warning"):
            warnings.append(f"BUILDKIT_COLORS: {key!r} is none of run, cancel, error, warning")
        else:
            try:
                chosen[key] = _parse_color(value)
            except ValueError:
                warnings.append(f"BUILDKIT_COLORS: {value!r} is neither a colour's name nor RED,GREEN,BLUE")
    if "run" in chosen:
        chosen["done"] = chosen["cached"] = chosen["run"]
    return Colors(**chosen)


def _parse_color(text: str) -> Color | None:
    if text.lower() in _COLORS:
        return _COLORS[text.lower()]
    red, green, blue = (int(part) for part in text.split(","))
    if not all(0 <= part <= 255 for part in (red, green, blue)):
        raise ValueError(text)
    # The nearest below in the 6x6x6 cube, as the reference's.
    return 16 + 36 * (red // 43) + 6 * (green // 43) + blue // 43
