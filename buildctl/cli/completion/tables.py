"""The tables that completion scripts hold: the command tree and the vocabulary as sets of words.

Beside the vocabulary's sets there are, for a command such as `buildctl debug`: `commands buildctl debug`,
what is offered; `names buildctl debug`, every name with the command that it leads to as value; `flags
buildctl debug`, a boolean without value; and `argument buildctl debug`. Every command knows `global flags`.
"""

from __future__ import annotations

from collections.abc import Iterator

import click

from buildctl.cli.grammar import BOOLEANS, Command, Flag, Group, flags_of
from buildctl.cli.vocabulary import flags as vocabulary
from buildctl.cli.vocabulary.word import Word

Tables = dict[str, tuple[Word, ...]]


def completion_tables(root: Group) -> Tables:
    """Every set, by name; those of commands first."""
    tables: Tables = {}
    everywhere = [flag for flag in flags_of(root) if not flag.local]
    tables["global flags"] = (*_flag_words("", everywhere), Word("--help", "Show help."))
    for path, command in walk(root):
        own = [flag for flag in flags_of(command) if flag not in everywhere]
        tables[f"flags {path}"] = tuple(_flag_words(path, own))
        if isinstance(command, Group):
            tables |= _group_words(path, command)
        elif isinstance(command, Command) and (kind := _argument_kind(command)):
            tables[f"argument {path}"] = (Word("", "", kind),)
    return {name: words for name, words in (tables | vocabulary.SETS).items() if words}


def walk(command: click.Command, path: str = "buildctl") -> Iterator[tuple[str, click.Command]]:
    """The command and all below it, with the words that lead to each."""
    yield path, command
    if isinstance(command, Group):
        ctx = click.Context(command)
        for name in command.lazy:
            if name.startswith("__"):
                continue  # not for people
            below = command.get_command(ctx, name)
            assert below is not None
            yield from walk(below, f"{path} {name}")


def _group_words(path: str, group: Group) -> Tables:
    visible = group.list_commands(click.Context(group))
    lines = {name: line for name, (_, line) in group.lazy.items() if not name.startswith("__")}
    names = {name: name for name in lines} | group.aliases
    return {
        f"commands {path}": (
            *(Word(name, lines[name]) for name in visible),
            Word("help", "show help for a command"),
        ),
        f"names {path}": (
            *(Word(name, value=f"{path} {leads_to}") for name, leads_to in names.items()),
            Word("help", value=path),
        ),
    }


def _flag_words(path: str, flags: list[Flag]) -> Iterator[Word]:
    for flag in flags:
        if flag.hidden:
            continue
        for name in sorted(flag.opts, key=len, reverse=True):
            yield Word(name, flag.help or "", "" if flag.go_type in BOOLEANS else flag_kind(path, flag))


def flag_kind(path: str, flag: Flag) -> str:
    """How the flag's value is completed."""
    name = max(flag.opts, key=len)
    by_metavar = vocabulary.METAVARS.get(flag.metavar or "", "free")
    by_name = vocabulary.FLAGS.get(name, by_metavar)
    return vocabulary.OVERRIDES.get((path.removeprefix("buildctl "), name), by_name)


def _argument_kind(command: Command) -> str:
    return vocabulary.METAVARS.get(command.argument.partition(" ")[0].strip("[]"), "")
