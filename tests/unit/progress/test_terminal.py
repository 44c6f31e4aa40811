"""The variables that say how to draw."""

from __future__ import annotations

import pytest

from buildctl.progress.terminal import Colors, TerminalOptions, parse_colors


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"TERM": "xterm-256color"}, TerminalOptions(color_system="256")),
        ({"TERM": "xterm", "LANG": "en_US.UTF-8"}, TerminalOptions()),
        ({"TERM": "xterm", "COLORTERM": "truecolor"}, TerminalOptions(color_system="truecolor")),
        (
            {"TERM": "xterm", "NO_COLOR": "1", "BUILDKIT_COLORS": "run=red"},
            TerminalOptions(color_system=None),
        ),
        ({"TERM": "xterm", "NO_COLOR": ""}, TerminalOptions()),
        ({"TERM": "dumb"}, TerminalOptions(moves_cursor=False, color_system=None)),
        ({"TERM": "linux"}, TerminalOptions(glyphs=False)),
        ({"TERM": "vt100"}, TerminalOptions(glyphs=False, color_system=None)),
        ({"TERM": "xterm", "LANG": "C"}, TerminalOptions(utf8=False, glyphs=False)),
        ({"TERM": "xterm", "LANG": "C", "LC_ALL": "C.utf8"}, TerminalOptions()),
        ({"TERM": "xterm", "BUILDKIT_TTY_LOG_LINES": "12"}, TerminalOptions(log_lines=12, most_log_lines=12)),
        ({"TERM": "xterm", "BUILDKIT_TTY_LOG_LINES": "0"}, TerminalOptions()),
        ({"TERM": "xterm", "BUILDKIT_TTY_LOG_LINES": "-1"}, TerminalOptions()),
        ({"TERM": "xterm", "BUILDKIT_TTY_LOG_LINES": "many"}, TerminalOptions()),
        ({}, TerminalOptions()),
    ],
)
def test_variables(variables: dict[str, str], expected: TerminalOptions) -> None:
    assert TerminalOptions.from_variables(variables) == expected


@pytest.mark.parametrize(
    ("text", "colors"),
    [
        ("", Colors()),
        ("run=green", Colors(run=2, done=2, cached=2)),
        ("RUN=Light-Blue:error=default", Colors(run=12, done=12, cached=12, error=None)),
        ('"error=1,2,3":warning=255,255,255', Colors(error=16, warning=231)),
        ("cancel=43,86,129", Colors(cancel=16 + 36 + 12 + 3)),
    ],
)
def test_colors(text: str, colors: Colors) -> None:
    warnings: list[str] = []
    assert parse_colors(text, warnings) == colors
    assert warnings == []


@pytest.mark.parametrize(
    "text", ["green", "run=", "run=pink", "run=1,2", "run=1,2,256", "run=1,2,x", "stop=red", "run=red=blue"]
)
def test_what_cannot_be_meant_is_named(text: str) -> None:
    warnings: list[str] = []
    assert parse_colors(text + ":error=green", warnings) == Colors(error=2)
    assert len(warnings) == 1
    assert warnings[0].startswith("BUILDKIT_COLORS: ")
