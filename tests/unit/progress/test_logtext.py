"""Log bytes as lines: what is kept of colours and rewriting, and that nothing else gets through."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buildctl.progress.logtext import LINE_LIMIT, LogLines, clean


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"plain\ttext", "plain\ttext"),
        (b"10 %\r50 %\r100 %\r", "100 %"),
        (b"dos\r", "dos"),
        ("café 😀".encode(), "café 😀"),
        (b"\xff", "�"),
        (b"\x1b[31mred\x1b[0m!", "\x1b[31mred\x1b[0m!\x1b[0m"),
        (b"\x1b[31mred", "\x1b[31mred\x1b[0m"),
        (b"\x1b[2J\x1b[1;1Hx\x1b]0;title\x07y\x1bP1$q\x1b\\z", "xyz"),
        (b"\x1b[?25lx\x1b[>4my", "xy"),
        (b"\x00\x08\x0bx\x7f", "x"),
        ("a\u202eb".encode(), "a\\u202eb"),
        ("\x9b31mred".encode(), "\x1b[31mred\x1b[0m"),
        (b"\x1b[" + b"1;" * 100 + b"mx", "x"),
    ],
)
def test_a_line_is_cleaned(raw: bytes, text: str) -> None:
    assert clean(raw)[0] == text


def test_colours_go_on_in_the_next_line() -> None:
    lines = LogLines()
    assert lines.feed([(0, b"\x1b[1m\x1b[31mone\ntwo\n\x1b[mthree\nfour\n")]) == [
        "0.000 \x1b[1m\x1b[31mone\x1b[0m",
        "0.000 \x1b[1m\x1b[31mtwo\x1b[0m",
        "0.000 \x1b[1m\x1b[31m\x1b[mthree\x1b[0m",
        "0.000 four",
    ]


def test_a_line_keeps_the_seconds_of_its_beginning() -> None:
    lines = LogLines()
    assert lines.feed([(5 * 10**8, b"a"), (10**9, b"b\nc"), (2 * 10**9, b"")]) == ["0.500 ab"]
    assert lines.open_line
    assert lines.feed([(25 * 10**9, b"\nd\n\n"), (250 * 10**9, b"e")]) == ["1.000 c", "25.00 d", "25.00 "]
    assert lines.end() == ["250.0 e"]
    assert (lines.end(), lines.open_line) == ([], False)


def test_a_long_line_is_broken() -> None:
    lines = LogLines()
    assert [len(line) for line in lines.feed([(0, b"x" * (2 * LINE_LIMIT + 1) + b"\n")])] == [
        LINE_LIMIT + 6,
        LINE_LIMIT + 6,
        7,
    ]
    assert len(lines.feed([(0, b"x" * (LINE_LIMIT + 1))])) == 1
    assert lines.end() == ["0.000 x"]


@given(st.lists(st.binary(max_size=30), max_size=5))
def test_any_bytes_give_lines_that_move_nothing(pieces: list[bytes]) -> None:
    lines = LogLines()
    shown = lines.feed([(0, piece) for piece in pieces]) + lines.end()
    text = b"".join(pieces)
    assert len(shown) == text.count(b"\n") + (not text.endswith(b"\n") and bool(text))
    for line in shown:
        bare = "".join(
            part.partition("m")[2] if number else part for number, part in enumerate(line.split("\x1b["))
        )
        assert bare.replace("\t", " ").isprintable()
