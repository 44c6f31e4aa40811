"""Help pages: usage, description, examples, flags with defaults, global flags, environment variables.

The same text for `help`, `-h`, `--help` and a command group without a command. Nothing but click is imported,
and a group lists its commands without importing them.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable

import click

from buildctl.cli.grammar import Command, Flag, Group, flags_of, lineage
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
    formatter = click.HelpFormatter(width=min(columns, _MAX_WIDTH) - 2)
    _write_head(ctx, formatter)
    _write_commands(ctx, formatter)
    _write_flags("Flags", flags_of(ctx.command) if ctx.parent else [], formatter)
    known_everywhere = [flag for flag in flags_of(ctx.find_root().command) if not (ctx.parent and flag.local)]
    _write_flags("Global flags", known_everywhere, formatter)
    return formatter.getvalue()


def _write_head(ctx: click.Context, formatter: click.HelpFormatter) -> None:
    command = ctx.command
    suffix = "COMMAND [FLAGS]" if isinstance(command, Group) else "[FLAGS]"
    argument = command.argument if isinstance(command, Command) else ""
    formatter.write_usage(" ".join(name_path(ctx)), f"{suffix} {argument}".rstrip())
    if command.help:
        formatter.write_paragraph()
        formatter.write_text(inspect.cleandoc(command.help))
    if command.epilog:
        formatter.write_paragraph()
        formatter.write("Examples:\n")
        for line in inspect.cleandoc(command.epilog).splitlines():
            formatter.write(f"  {line}".rstrip() + "\n")


def name_path(ctx: click.Context) -> list[str]:
    """The words that lead to the command: `["buildctl", "debug", "workers"]`."""
    return [context.info_name or "" for context in reversed(lineage(ctx))]


def _write_commands(ctx: click.Context, formatter: click.HelpFormatter) -> None:
    group = ctx.command
    if not isinstance(group, Group):
        return
    aliases = {name: alias for alias, name in group.aliases.items()}
    rows = []
    for name in group.list_commands(ctx):
        title = f"{name}, {aliases[name]}" if name in aliases else name
        rows.append((title, group.lazy[name][1]))
    with formatter.section("Commands"):
        formatter.write_dl([*rows, ("help, h", "show help for a command")])


def _write_flags(title: str, flags: list[Flag], formatter: click.HelpFormatter) -> None:
    rows = [(_declaration(flag), _description(flag)) for flag in flags if not flag.hidden]
    if rows:
        with formatter.section(title):
            formatter.write_dl(rows, col_max=30)


def _declaration(flag: Flag) -> str:
    names = ", ".join(sorted(flag.opts, key=len))
    metavar = flag.metavar if flag.metavar is not None else flag.go_type.name.upper()
    return f"{names} {metavar}".rstrip()


def _description(flag: Flag) -> str:
    notes = []
    if flag.multiple:
        notes.append("repeatable")
    if flag.absent not in ("", 0, ()):
        notes.append(f"default: {flag.absent}")
    if flag.envvar:
        notes.append(f"env: {flag.envvar}")
    return (flag.help or "") + (f" [{'; '.join(notes)}]" if notes else "")
