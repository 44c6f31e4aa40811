"""The little terminals: what the end of a log looks like."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from buildctl.progress.line import Ink, Line, Role, Span, width_of
from buildctl.progress.vt import PLAIN, read_line, tail


def texts(lines: list[Line]) -> list[str]:
    return ["".join(span.text for span in line) for line in lines]


def shown(data: bytes, rows: int = 4, columns: int = 20) -> list[str]:
    return texts(tail(data, rows, columns, cell_len, "…"))


@pytest.mark.parametrize(
    ("data", "rows"),
    [
        (b"", []),
        (b"\n\n  \n", []),
        (b"one\ntwo", ["one", "two"]),
        (b"1\n2\n\n3\n4\n5\n", ["2", "3", "4", "5"]),
        (b"one\r\ntwo\r\n", ["one", "two"]),
        (b"10%\r20%\r30%", ["30%"]),
        (b"long text\rshort", ["shorttext"]),
        (b"long text\r\x1b[Kshort\n", ["short"]),
        (b"long text\x1b[2K\rshort\n", ["short    "]),
        (b"ab\bc\b\b\b\bd", ["dc"]),
        (b"a\tb\n", ["a       b"]),
        (b"abc\x1b[3Dx\x1b[1Cy\x1b[8Gz\n", ["xby    z"]),
        (b"\x1b[2J\x1b[H\x1b[10;10Hhere\x1b[5A\x1b[?1049h\x1b[6n\n", ["here"]),
        (b"a\x1b]0;title\x07b\x1b]52;c;cm0=\x1b\\c\x1bP1$q\x1b\\d\x1b_x\x1b\\e\x1bcf\n", ["abcdef"]),
        (b"a\x1b]0;never ended\n", ["a"]),
        (b"a\x1b[31", ["a"]),
        (b"\xc2\x9b31mred \xc2\x9d0;t\xc2\x9cx\n", ["red x"]),
        ("caf\u00e9 \u202eevil\u2069\n".encode(), ["café \\u202eevil\\u2069"[:19] + "…"]),
        (b"bad \xff\xfe\n", ["bad \ufffd\ufffd"]),
        (b"[bold]x[/bold]\n", ["[bold]x[/bold]"]),
        (b"x" * 30 + b"\n", ["x" * 19 + "…"]),
        (b"x" * 30 + b"end", ["…" + "x" * 16 + "end"]),
        ("日本語日本語日本語日本語\n".encode(), ["日本語日本語日本語…"]),
    ],
)
def test_what_is_seen(data: bytes, rows: list[str]) -> None:
    assert shown(data) == rows


LONG = "BEGINS " + " ".join(map(str, range(2000))) + " ENDS"


@pytest.mark.parametrize(
    ("data", "row"),
    [
        (LONG + "\n", "BEGINS 0 1 2 3 4 5 …"),
        (LONG, "…1997 1998 1999 ENDS"),
        (f"\x1b[32m{LONG}\x1b[0m\n", "BEGINS 0 1 2 3 4 5 …"),
        (f"\x1b[32m{LONG}\x1b[0m", "…1997 1998 1999 ENDS"),
        (f"10%\r{LONG}\n", "BEGINS 0 1 2 3 4 5 …"),
        ("".join(f"step {i} of 2000\r" for i in range(2000)) + "\n", "step 1999 of 2000"),
        ("".join(f"\rstep {i} of 2000" for i in range(2000)), "step 1999 of 2000"),
        ("é" * 9000 + "\n", "é" * 19 + "…"),
        ("é" * 9000, "…" + "é" * 19),
    ],
)
def test_a_long_line_shows_where_it_begins_or_ends(data: str, row: str) -> None:
    (only,) = shown(data.encode(), rows=1)
    assert only == row


@pytest.mark.parametrize("cut", range(4))
@pytest.mark.parametrize("end", ["\n", ""])
@pytest.mark.parametrize("color", ["", "\x1b[1m"])
def test_a_line_of_which_the_beginning_is_not_there_is_marked(cut: int, end: str, color: str) -> None:
    """And cut between characters, wherever the log was cut."""
    data = ("😀" * 400 + color + "z" + end).encode()[cut:]
    (only,) = texts(tail(data, 1, 20, cell_len, "…", begun=False))
    assert only == "…" + "😀" * 9 + "z"
    (short,) = texts(tail(f"{color}short{end}".encode(), 1, 20, cell_len, "…", begun=False))
    assert short == "…short"


def test_the_colour_after_a_long_line_is_that_at_its_end() -> None:
    data = b"\x1b[31m" + b"x" * 5000 + b"\x1b[0m\nplain\n" + b"\x1b[31m" + b"x" * 5000 + b"\nred\n"
    assert [line[0].style for line in tail(data, 4, 20, cell_len)] == [
        *(Ink(color=1), Role.LOG),
        *(Ink(color=1), Ink(color=1)),
    ]


def test_colours_stay() -> None:
    red, both = Ink(color=1), Ink(color=1, background=(1, 2, 3), bold=True, underline=True)
    (line,) = tail(b"a\x1b[31mb\x1b[1;4;48;2;1;2;3mc\x1b[0md\n", 1, 20, cell_len)
    assert line == (Span("a", Role.LOG), Span("b", red), Span("c", both), Span("d", Role.LOG))


@pytest.mark.parametrize(
    ("codes", "ink"),
    [
        (b"38;5;200", Ink(color=200)),
        (b"38;5;999", Ink(color=255)),
        (b"38:2::10:20:30", Ink(color=(10, 20, 30))),
        (b"38;2;1", Ink()),
        (b"4:3", Ink(underline=True)),
        (b"97;107", Ink(color=15, background=15)),
        (b"31;39", Ink()),
        (b"1;2;3;7;22;23;27", Ink()),
        (b"8;5;25", Ink()),
        (b"?31", Ink()),
        (b"", Ink()),
    ],
)
def test_every_way_to_ask_for_a_colour(codes: bytes, ink: Ink) -> None:
    (line,) = tail(b"\x1b[" + codes + b"mx", 1, 20, cell_len)
    assert line == (Span("x", Role.LOG if ink == Ink() else ink),)


def test_colours_last_until_they_are_reset() -> None:
    first, second = tail(b"\x1b[31ma\nb\x1b[m\n", 2, 20, cell_len)
    assert first[0].style == second[0].style == Ink(color=1)


def test_a_huge_line_costs_little() -> None:
    lines = [b"x" * 10_000_000, b"y\r" * 5_000_000, b"\x1b[31m" * 2_000_000]
    for data in (*lines, *(line + b"\n" for line in lines)):
        before = time.process_time()
        tail(data, 6, 80, cell_len)
        assert time.process_time() - before < 0.5  # it was 0.03 s; reading all of it takes seconds


@given(st.binary(max_size=300), st.integers(0, 6), st.integers(0, 30))
def test_never_more_than_the_window(data: bytes, rows: int, columns: int) -> None:
    lines = tail(data, rows, columns, cell_len, "…")
    assert len(lines) <= rows
    for line in lines:
        assert width_of(line, cell_len) <= columns
        assert all(span.text.isprintable() for span in line)


@given(
    st.lists(
        st.sampled_from([b"a", b"\r", b"\b", b"\t", b"\n", b"\x1b[K", b"\x1b[5D", b"\x1b[9C", b"\x1b[1m"])
    )
)
def test_edited_lines_fit_too(pieces: list[bytes]) -> None:
    for line in tail(b"".join(pieces), 5, 12, cell_len):
        assert width_of(line, cell_len) <= 12


def test_numbers_of_any_length_are_read() -> None:
    """Python's int() refuses more than 4,300 digits, and a display that failed would lose the log."""
    digits = "9" * 5000
    for sequence in (f"\x1b[{digits}m", f"\x1b[{digits}C", f"\x1b[38;5;{digits}m", f"\x1b[38:2:{digits}m"):
        spans, _ = read_line(f"a{sequence}b".encode(), PLAIN)
        assert "".join(span.text for span in spans).replace(" ", "").startswith("a")
    assert read_line(b"\x1b[" + b"0;" * 30_000 + b"1mx", PLAIN)[0][0].text == "x"
    assert read_line(b"\x1b[" + b"0" * 5000 + b"1mx", PLAIN)[1].bold
