"""What there is to say of a command: the content of its help, of its reference page and of its man page."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import click

from buildctl.cli.flags.duration import format_duration
from buildctl.cli.grammar import Command, Flag, Group, flags_of, lineage
from buildctl.cli.vocabulary import caches, exporters, flags, frontend
from buildctl.cli.vocabulary.variables import variables_of
from buildctl.cli.vocabulary.word import Word

Rows = tuple[tuple[str, str], ...]


class Section(NamedTuple):
    """A titled list of terms and what they mean."""

    title: str
    rows: Rows


class Page(NamedTuple):
    """All of it, in the order in which it is read."""

    path: tuple[str, ...]
    """The words that lead to the command: `("buildctl", "debug", "workers")`."""
    arguments: str
    """What follows these words: `[FLAGS] REF`."""
    description: str
    """Paragraphs, the first of which is one sentence."""
    examples: tuple[str, ...]
    """Lines as they are typed, `$ ` before each command."""
    sections: tuple[Section, ...]

    @property
    def name(self) -> str:
        return " ".join(self.path)


def page_of(ctx: click.Context) -> Page:
    """The page of the context's command."""
    command = ctx.command
    root = ctx.find_root().command
    path = tuple(context.info_name or "" for context in reversed(lineage(ctx)))
    own = flags_of(command) if ctx.parent else []
    everywhere = [flag for flag in flags_of(root) if not (ctx.parent and flag.local)]
    sections = [
        Section("Commands", tuple(_commands(ctx))),
        *(
            Section(title or "Flags", tuple(_flags(flag for flag in own if flag.group == title)))
            for title in dict.fromkeys(["", *(flag.group for flag in own)])
        ),
        *_vocabulary(" ".join(path[1:]), own),
        Section("Global flags", tuple(_flags(everywhere))),
        Section("Environment", tuple((v.name, v.help) for v in variables_of(" ".join(path[1:])))),
    ]
    return Page(
        path,
        _arguments(command),
        inspect.cleandoc(command.help or ""),
        tuple(inspect.cleandoc(command.epilog or "").splitlines()),
        tuple(section for section in sections if section.rows),
    )


def _arguments(command: click.Command) -> str:
    suffix = "COMMAND [FLAGS]" if isinstance(command, Group) else "[FLAGS]"
    argument = command.argument if isinstance(command, Command) else ""
    return f"{suffix} {argument}".rstrip()


def _commands(ctx: click.Context) -> Iterator[tuple[str, str]]:
    group = ctx.command
    if not isinstance(group, Group):
        return
    aliases = {name: alias for alias, name in group.aliases.items()}
    for name in group.list_commands(ctx):
        yield f"{name}, {aliases[name]}" if name in aliases else name, group.lazy[name][1]
    yield "help, h", "show help for a command"


def _flags(flags: Iterable[Flag]) -> Iterator[tuple[str, str]]:
    for flag in flags:
        if flag.hidden:
            continue
        names = ", ".join(sorted(flag.opts, key=len))
        metavar = flag.metavar if flag.metavar is not None else flag.go_type.name.upper()
        notes = ["repeatable"] * flag.multiple
        if flag.absent not in (None, "", 0, ()):
            default: object = flag.absent
            if flag.go_type.name == "duration" and isinstance(default, int):
                default = format_duration(default)
            notes.append(f"default: {default}")
        if flag.envvar:
            notes.append(f"env: {flag.envvar}")
        text = (flag.help or "") + (f" [{'; '.join(notes)}]" if notes else "")
        yield f"{names} {metavar}".rstrip(), text


def _vocabulary(command: str, own: Iterable[Flag]) -> Iterator[Section]:
    """What can be typed inside the values of a command's flags."""
    names = {name for flag in own for name in flag.opts if (command, name) not in flags.OVERRIDES}
    if "--opt" in names:
        yield Section("Keys of --opt (dockerfile.v0)", _rows(frontend.OPT_KEYS))
        yield Section("Build arguments that BuildKit reads (--opt build-arg:)", _rows(frontend.BUILD_ARGS))
    if "--output" in names:
        yield Section("Types of --output", _rows(exporters.EXPORTERS))
        yield Section("Attributes of --output", _rows(exporters.ATTRIBUTES))
    if "--export-cache" in names:
        yield Section("Types of --export-cache and --import-cache", _rows(caches.EXPORTS))
        yield Section("Attributes of both", _rows(caches.ATTRIBUTES))
        yield Section("Attributes of --export-cache", _rows(caches.ONLY_EXPORT))
        yield Section("Attributes of --import-cache", _rows(caches.ONLY_IMPORT))
    if "--secret" in names:
        yield Section("Attributes of --secret", _rows(flags.SETS["secret"]))
    if "--registry-auth-tlscontext" in names:
        yield Section("Attributes of --registry-auth-tlscontext", _rows(flags.SETS["tlscontext"]))


def _rows(words: Iterable[Word]) -> Rows:
    return tuple((word.name, _meaning(word)) for word in words)


def _meaning(word: Word) -> str:
    kind, _, name = word.value.partition(" ")
    text = word.help
    if kind == "words" and name != "bool":
        text += f" One of {', '.join(choice.text for choice in flags.SETS[name])}."
    return text + (f" [{', '.join(word.types)}]" if word.types else "")
