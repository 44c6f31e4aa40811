"""Columns as Go's text/tabwriter lays them out, in the two settings the reference uses.

A cell is text ended by a tab; the text after a line's last tab is not part of a column. A column is a run of
consecutive lines that have a cell there, and is as wide as its widest cell. Source: Go's text/tabwriter.
"""

from __future__ import annotations

from collections.abc import Sequence

Row = Sequence[str]
"""The cells of a line; an empty last one ends the line with a column."""

_TAB_WIDTH = 8
_PADDING = 1


def align_tabs(text: str) -> str:
    """Minimum width 1, padding 1, padded with tabs to stops of eight: du, prune, workers, histories."""
    return _align(text, pad_with_tabs=True)


def align_spaces(text: str) -> str:
    """Minimum width 1, padding 1, padded with spaces: info."""
    return _align(text, pad_with_tabs=False)


def _align(text: str, *, pad_with_tabs: bool) -> str:
    lines = [line.split("\t") for line in text.split("\n")]
    _pad_columns(lines, pad_with_tabs)
    return "\n".join(map("".join, lines))


def _pad_columns(lines: list[list[str]], pad_with_tabs: bool) -> None:
    """Pad the cells of a column in each block of lines that have it, then the columns inside the block."""
    blocks = [(0, len(lines), 0)]
    while blocks:  # a loop, for a daemon says how many columns there are
        at, end, column = blocks.pop()
        while at < end:
            if len(lines[at]) - 1 <= column:
                at += 1
                continue
            begin = at
            while at < end and len(lines[at]) - 1 > column:
                at += 1
            block = lines[begin:at]
            width = max([len(cells[column]) for cells in block]) + _PADDING
            if pad_with_tabs:
                stops = -(-width // _TAB_WIDTH)
                for cells in block:
                    cells[column] += "\t" * (stops - len(cells[column]) // _TAB_WIDTH)
            else:
                for cells in block:
                    cells[column] = cells[column].ljust(width)
            blocks.append((begin, at, column + 1))
