"""What a terminal is given of text that may hold anything."""

from __future__ import annotations

from itertools import pairwise

import pyte
import pytest
from hypothesis import given
from hypothesis import strategies as st

from buildctl.progress.harmless import HarmlessText


def through(*pieces: bytes) -> bytes:
    text = HarmlessText()
    return b"".join([*map(text.feed, pieces), text.end()])


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (b"#5 0.1 plain\n", b"#5 0.1 plain\n"),
        (b"10%\r20%\n", b"10%\r20%\n"),
        (b"\x1b[1;31mred\x1b[0m \x1b[38;5;3mx\x1b[m\n", b"\x1b[1;31mred\x1b[0m \x1b[38;5;3mx\x1b[m\n"),
        (b"up\x1b[5A over\x1b[2J\n", b"up over\n"),
        (b"\x1b]0;title\x07a\x1b]52;c;aGk=\x1b\\b\n", b"ab\n"),
        (b"\x1bPq#0\x1b\\a\x1bc\x1b(0b\x07\x08\n", b"ab\n"),
        ("\x9b3A\x9d0;t\x9cok\n".encode(), b"ok\n"),
        ("a\u202eb\n".encode(), b"a\\u202eb\n"),
        (b"\x1b]0;never ended\nnext\n", b"\nnext\n"),
        (b"caf\xc3\xa9 \xff\n", "caf\xe9 \ufffd\n".encode()),
        (b"\x1b[31", b""),
    ],
)
def test_colours_stay_and_nothing_else_is_obeyed(text: bytes, shown: bytes) -> None:
    assert through(text) == shown


PARTS = st.sampled_from(
    [
        b"\x1b",
        b"[",
        b"]",
        b"0;",
        b"31m",
        b"5A",
        b"\x07",
        b"\\",
        b"\n",
        b"\r",
        b"x",
        b"\xc2\x9b",
        b"\xc3\xa9",
        b"\xff",
        b"P",
    ]
)


@given(st.lists(PARTS, max_size=30), st.lists(st.integers(0, 60), max_size=6))
def test_the_same_however_it_is_cut(parts: list[bytes], cuts: list[int]) -> None:
    data = b"".join(parts)
    ends = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    pieces = [data[start:end] for start, end in pairwise(ends)]
    assert through(*pieces) == through(data)


@given(st.lists(PARTS, max_size=40))
def test_the_cursor_stays_in_its_line(parts: list[bytes]) -> None:
    screen = pyte.Screen(400, 60)
    stream = pyte.ByteStream(screen)
    shown = through(b"".join(parts))
    stream.feed(shown.replace(b"\n", b"\r\n"))
    assert screen.cursor.y == shown.count(b"\n")
    assert screen.title == ""


def test_an_endless_string_is_not_kept() -> None:
    text = HarmlessText()
    assert text.feed(b"a\x1b]0;") == b"a"
    for _ in range(100):
        assert text.feed(b"t" * 10_000) == b""
    assert len(text._held) < 20_000
    assert text.feed(b"t\x07b\n") == b"b\n"
