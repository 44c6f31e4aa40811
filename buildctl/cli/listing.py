"""Tables for people: on a terminal as wide as its window, into a pipe whole and plain.

For commands whose layout is ours. Those of the reference's commands keep its bytes in pipes, see `table`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from buildctl.cli.environment import Environment
    from buildctl.cli.output import Output

_GAP = 2
_FLEXIBLE_MINIMUM = 4


class Column(NamedTuple):
    """A heading, and how its cells are shown on a terminal."""

    title: str
    numeric: bool = False
    """Right-aligned."""
    flexible: bool = False
    """Cut first where the window is too narrow; one column of a table at most."""


class Cell(NamedTuple):
    """A cell's text; on a terminal in a `rich` style such as `green`."""

    text: str
    style: str = ""


Row = Sequence[str | Cell]


def show_listing(output: Output, columns: Sequence[Column], rows: Sequence[Row]) -> None:
    """Write the table to standard output."""
    cells = [
        [
            Cell(output.clean_cell(cell))
            if isinstance(cell, str)
            else cell._replace(text=output.clean_cell(cell.text))
            for cell in row
        ]
        for row in rows
    ]
    if output.stdout_is_terminal:
        show_styled(output, _table(output.environment, columns, cells))
        return
    from buildctl.cli.table import align_spaces

    lines = [[column.title for column in columns], *([cell.text for cell in row] for row in cells)]
    aligned = align_spaces("".join("  \t".join(line) + "\n" for line in lines))
    output.write_as_it_is("".join(f"{line.rstrip()}\n" for line in aligned.splitlines()))


def _table(environment: Environment, columns: Sequence[Column], rows: Sequence[Sequence[Cell]]) -> Table:
    from rich.cells import cell_len
    from rich.table import Table
    from rich.text import Text

    from buildctl.progress.terminal import TerminalOptions

    options = TerminalOptions.from_variables(environment.variables)
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")
    lines = [[column.title for column in columns], *([cell.text for cell in row] for row in rows)]
    widths = [max(map(cell_len, cells)) for cells in zip(*lines, strict=True)]
    window = environment.terminal_size(environment.stdout)[0]
    fixed = sum(width for column, width in zip(columns, widths, strict=True) if not column.flexible)
    left = window - fixed - _GAP * (len(columns) - 1)
    for column, width in zip(columns, widths, strict=True):
        table.add_column(
            column.title,
            justify="right" if column.numeric else "left",
            no_wrap=True,
            overflow="ellipsis" if options.utf8 else "crop",
            width=min(width, max(left, _FLEXIBLE_MINIMUM)) if column.flexible else width,
        )
    for row in rows:
        table.add_row(*(Text(cell.text, style=cell.style) for cell in row))
    return table


def show_styled(output: Output, renderable: RenderableType) -> None:
    """Write what rich makes of it to standard output, which is a terminal; its texts are cleaned ones."""
    import io

    from rich.console import Console

    from buildctl.progress.terminal import TerminalOptions

    environment = output.environment
    console = Console(
        file=io.StringIO(),
        width=environment.terminal_size(environment.stdout)[0],
        force_terminal=True,
        color_system=TerminalOptions.from_variables(environment.variables).color_system,
        legacy_windows=False,
        _environ={},
    )
    with console.capture() as captured:
        console.print(renderable)
    output.write_as_it_is(captured.get())
