"""Columns as Go's text/tabwriter lays them out, in the two settings the reference uses.

A cell is text ended by a tab; the text after a line's last tab is not part of a column. A column is a run of
consecutive lines that have a cell there, and is as wide as its widest cell. Source: Go's text/tabwriter.
"""

from __future__ import annotations

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
    widths: list[list[int]] = [[] for _ in lines]
    _measure(lines, widths, 0, len(lines), 0, pad_with_tabs)
    out = []
    for cells, columns in zip(lines, widths, strict=True):
        padded = "".join(
            _pad(cell, width, pad_with_tabs) for cell, width in zip(cells, columns, strict=False)
        )
        out.append(padded + cells[-1])
    return "\n".join(out)


def _measure(
    lines: list[list[str]], widths: list[list[int]], start: int, end: int, column: int, pad_with_tabs: bool
) -> None:
    """Set the width of `column` in each block of lines that have it, then of the columns inside the block."""
    at = start
    while at < end:
        if len(lines[at]) - 1 <= column:
            at += 1
            continue
        block = at
        while at < end and len(lines[at]) - 1 > column:
            at += 1
        width = max(len(cells[column]) for cells in lines[block:at]) + _PADDING
        if pad_with_tabs:
            width = -(-width // _TAB_WIDTH) * _TAB_WIDTH
        for row in range(block, at):
            widths[row].append(width)
        _measure(lines, widths, block, at, column + 1, pad_with_tabs)


def _pad(cell: str, width: int, pad_with_tabs: bool) -> str:
    missing = width - len(cell)
    return cell + ("\t" * -(-missing // _TAB_WIDTH) if pad_with_tabs else " " * missing)
