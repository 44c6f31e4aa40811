"""Text of unknown origin stays one line of characters that are seen."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buildctl.progress.visible import visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("café 日本語 🚀", "café 日本語 🚀"),
        ("a\tb\nc\r\nd", "a b c  d"),
        ("\x1b]52;c;cm0=\x07", "\\x1b]52;c;cm0=\\x07"),
        ("\x9b2J", "\\x9b2J"),
        ("abc\u202edcba\u2066", "abc\\u202edcba\\u2066"),
        ("zero\u200bwidth\ufeff", "zero\\u200bwidth\\ufeff"),
        ("👩\u200d💻 ❤\ufe0f", "👩💻 ❤"),
        ("e" + "\u0301" * 50, "e" + "\u0301" * 3),
        ("\ud800 \U000e0041", "\\ud800 \\U000e0041"),
        ("[bold]x[/bold]", "[bold]x[/bold]"),
    ],
)
def test_what_is_shown(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_ascii() -> None:
    assert visible("é🚀\x1b", ascii_only=True) == "\\xe9\\U0001f680\\x1b"


@given(st.text(st.characters()), st.booleans())
def test_nothing_is_obeyed(text: str, ascii_only: bool) -> None:
    shown = visible(text, ascii_only=ascii_only)
    assert shown.isascii() or not ascii_only
    assert not {unicodedata.category(character) for character in shown} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    shown.encode()


def test_the_short_way_shows_the_same_as_looking_at_each_character() -> None:
    for code in range(0x3200):
        if not unicodedata.category(chr(code)).startswith("M"):
            assert visible(f"\u202e{chr(code)}") == "\\u202e" + visible(chr(code))
    assert visible("e\u0301\u0301\u0301\u0301\ufe0f") == "e\u0301\u0301\u0301"
