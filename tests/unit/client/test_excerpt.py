"""The block of source lines, against recordings and against the rules of the reference's layout."""

from __future__ import annotations

import pytest

from buildctl.client.excerpt import format_excerpt
from buildctl.errors import SourceExcerpt

RULE = "-" * 20 + "\n"
TEN = b"\n".join(b"line %d" % number for number in range(1, 11))


def shown(data: bytes, *ranges: tuple[int, int]) -> list[str]:
    return format_excerpt(SourceExcerpt("f", data, ranges)).splitlines()


def test_a_trailing_newline_gives_a_last_empty_line() -> None:
    excerpt = SourceExcerpt("Dockerfile", b"FROM scratch\nCOPPY busybox /x\n", ((2, 2),))
    assert format_excerpt(excerpt) == (
        "Dockerfile:2\n" + RULE + "   1 |     FROM scratch\n   2 | >>> COPPY busybox /x\n   3 |     \n" + RULE
    )


@pytest.mark.parametrize(
    ("ranges", "numbers"),
    [
        # a single line gets four lines around it, a block two, and each round costs one besides
        ([(5, 5)], range(3, 8)),
        ([(1, 1)], range(1, 4)),
        ([(10, 10)], range(8, 11)),
        ([(4, 6)], range(3, 8)),
        ([(1, 2)], range(1, 4)),
        ([(9, 10)], range(8, 11)),
        ([(1, 10)], range(1, 11)),
        ([(8, 99)], range(7, 11)),
        ([(7, 7), (3, 4)], range(2, 9)),
        ([(5, 2)], range(3, 8)),  # an end before the start does not count
    ],
)
def test_lines_around_the_marked_ones(ranges: list[tuple[int, int]], numbers: range) -> None:
    lines = shown(TEN, *ranges)
    assert lines[0] == f"f:{min(first for first, _ in ranges)}"
    assert [int(line.split("|")[0]) for line in lines[2:-1]] == list(numbers)


def test_every_marked_line_is_marked() -> None:
    lines = shown(TEN, (7, 7), (3, 4))
    assert [line.split()[0] for line in lines if ">>>" in line] == ["3", "4", "7"]


@pytest.mark.parametrize("ranges", [[], [(0, 3)], [(11, 11)], [(-1, 2)]])
def test_nothing_is_shown_where_nothing_is_pointed_at(ranges: list[tuple[int, int]]) -> None:
    assert shown(TEN, *ranges) == []


def test_bytes_that_are_no_text_survive() -> None:
    text = format_excerpt(SourceExcerpt("f", b"\xff", ((1, 1),)))
    assert (
        text.encode(errors="surrogateescape")
        == b"f:1\n" + RULE.encode() + b"   1 | >>> \xff\n" + RULE.encode()
    )
