"""Help for the terminal: the same text for `help`, `-h`, `--help` and a command group without a command.

Nothing but click is imported, and a group lists its commands without importing them.
"""

from __future__ import annotations

from collections.abc import Iterable

import click

from buildctl.cli.page import page_of
from buildctl.errors import UnknownTopicError

_MAX_WIDTH = 100


def help_text(ctx: click.Context, topic: Iterable[str] = (), *, columns: int = 80) -> str:
    """The page of the context's command, or of the command that `topic` names below it.

    Raises `UnknownTopicError` for a name that does not exist.
    """
    for name in topic:
        command = ctx.command
        below = command.get_command(ctx, name) if isinstance(command, click.Group) else None
        if below is None:
            if isinstance(command, click.Group):
                raise UnknownTopicError(f"No help topic for '{name}'")
            break
        ctx = click.Context(below, info_name=name, parent=ctx)
    page = page_of(ctx)
    formatter = click.HelpFormatter(width=min(columns, _MAX_WIDTH) - 2)
    formatter.write_usage(page.name, page.arguments)
    formatter.write_paragraph()
    formatter.write_text(page.description)
    if page.examples:
        formatter.write_paragraph()
        formatter.write("Examples:\n")
        for line in page.examples:
            formatter.write(f"  {line}".rstrip() + "\n")
    for section in page.sections:
        with formatter.section(section.title):
            formatter.write_dl(section.rows, col_max=30)
    return formatter.getvalue()
