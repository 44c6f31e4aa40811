"""The command line's grammar: urfave/cli's rules (parity with Go's buildctl) on top of click's command tree.

click declares the commands and their options; the parsing itself is ours, because scripts rely on rules
that click does not have: `-name` is `--name`, global flags may stand after the command, a lone `-` ends the
line, a repeated flag is never split, and the messages are Go's. Source: urfave/cli v3, command_parse.go.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import click

from buildctl.cli.flags.duration import parse_duration
from buildctl.cli.flags.scalar import parse_bool, parse_float, parse_int, parse_size
from buildctl.errors import FlagError, UnknownTopicError, UsageError
from buildctl.model.quote import quote

HELP_NAMES = ("help", "h")
HELP_WANTED = "buildctl.help"
_HELP_BY_WORD = "buildctl.help.word"
"""Whether help was asked for as `help`, not as `--help`."""


class GoType(NamedTuple):
    """A flag's type: its name in help, and a pure function of its text with Go's message for a bad one."""

    name: str
    parse: Callable[[str], Any]
    absent: Any


def _parse_bool_flag(text: str) -> bool:
    try:
        return parse_bool(text)
    except UsageError:
        raise UsageError("parse error") from None  # all that urfave says of a boolean


STRING = GoType("string", str, "")
BOOL = GoType("", _parse_bool_flag, False)
SWITCH = GoType("", _parse_bool_flag, None)
"""A boolean of which it matters whether it was given at all."""
OPTIONAL = GoType("", str, "")
"""A text that may be left out: `--flag` alone is `--flag=true`."""
BOOLEANS = (BOOL, SWITCH, OPTIONAL)
"""The types that need no value."""
INT = GoType("int", parse_int, 0)
FLOAT = GoType("float", parse_float, 0.0)
SIZE = GoType("size", parse_size, 0)
DURATION = GoType("duration", parse_duration, 0)


class Flag(click.Option):
    """An option in Go's grammar; a repeated one collects its values, each as typed.

    `absent` is its value when it is not given. A `local` flag is known to its own command only; every other
    one to the commands below it too. `group` is the title of its section in the help, where it has one of
    its own. click keeps the names and the texts, and converts nothing.
    """

    def __init__(
        self,
        declarations: Sequence[str],
        type: GoType = STRING,  # noqa: A002  click's word
        default: Any = None,
        local: bool = False,
        group: str = "",
        **attrs: Any,
    ) -> None:
        super().__init__(list(declarations), type=str, **attrs)
        self.go_type = type
        self.local = local
        self.group = group
        self.absent = () if self.multiple else type.absent if default is None else default

    def names(self) -> Iterator[str]:
        """Every name, without its dashes."""
        return (name.lstrip("-") for name in self.opts)


flag = functools.partial(click.option, cls=Flag)
"""`click.option` in Go's grammar: `@flag("--filter", "-f", "filters", multiple=True)`."""


class Command(click.Command):
    """A command whose arguments are read by Go's rules.

    `argument` names what its positionals are; its function then takes them as `args`. Without it, they are
    ignored, as the reference does.
    """

    def __init__(self, *args: Any, argument: str = "", **attrs: Any) -> None:
        attrs.setdefault("add_help_option", False)
        super().__init__(*args, **attrs)
        self.argument = argument
        self.takes_stdin = "-" in argument.strip("[]").split("|")
        """Whether a lone `-` is an argument like others; else it ends the line, as in the reference."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Fill `ctx.params` with the flags' values and `ctx.args` with the positionals.

        Raises `FlagError` for a flag that does not exist, lacks its value or does not parse.
        """
        above = (param for context in lineage(ctx)[1:] for param in flags_of(context.command))
        persistent = [param for param in above if not param.local]
        own = flags_of(self)
        ctx.params.update({param.name: param.absent for param in own if param.name})
        if ctx.obj is not None and ctx.obj.settings is not None:
            from buildctl.cli.settings.defaults import fill

            fill(ctx, own)
        if args[:1] == ["help"] or args[:1] == ["h"]:
            args = ["--help", *args[1:]]
            ctx.meta[_HELP_BY_WORD] = True
        ctx.args = _read(ctx, own, persistent, list(args))
        if self.argument:
            ctx.params["args"] = tuple(ctx.args)
        return ctx.args

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command's function, or show its help where that was asked for."""
        if ctx.meta.get(HELP_WANTED):
            return ctx.obj.show_help(ctx)
        return super().invoke(ctx)


def lineage(ctx: click.Context) -> list[click.Context]:
    """The context and its parents, innermost first."""
    out = [ctx]
    while out[-1].parent is not None:
        out.append(out[-1].parent)
    return out


def flags_of(command: click.Command) -> list[Flag]:
    """The flags that a command declares."""
    return [param for param in command.params if isinstance(param, Flag)]


def _read(ctx: click.Context, own: list[Flag], persistent: list[Flag], args: list[str]) -> list[str]:
    """Walk the arguments, storing values; returns the positionals."""
    by_name = {name: param for param in reversed(persistent) for name in param.names()}
    by_name |= {name: param for param in own for name in param.names()}
    positionals: list[str] = []
    while args:
        typed = args.pop(0)
        word = typed.strip()
        if not word:
            positionals.append(typed)
        elif word == "--":
            return positionals + args
        elif word == "-" and getattr(ctx.command, "takes_stdin", False):
            positionals.append(word)
        elif word == "-":
            return [*positionals, word]  # what follows is dropped, as in the reference
        elif not word.startswith("-"):
            positionals.append(word)
            if isinstance(ctx.command, click.Group) and ctx.command.get_command(ctx, word) is not None:
                return positionals + args
        elif not word.startswith("--") and not word[1].isalpha():
            return [*positionals, typed, *args]
        else:
            name, equals, value = word.lstrip("-").partition("=") if word[:3] != "---" else (word[2:], "", "")
            if name in HELP_NAMES and name not in by_name:
                ctx.meta[HELP_WANTED] = _parse_flag(BOOL, name, value or "true")
                continue
            param = by_name.get(name)
            if param is None:
                raise FlagError(f"flag provided but not defined: -{name}", typed=name, known=tuple(by_name))
            if param.go_type in BOOLEANS:
                value = value or "true"
            elif not equals:
                if not args:
                    raise FlagError(f"flag needs an argument: {word}")
                value = args.pop(0)
            _store(ctx, param, name, value, own)
    return positionals


def _store(ctx: click.Context, param: Flag, name: str, text: str, own: list[Flag]) -> None:
    assert param.name is not None
    value = _parse_flag(param.go_type, name, text)
    params = ctx.params if param in own else next(c for c in lineage(ctx) if param in c.command.params).params
    params[param.name] = (*params[param.name], value) if param.multiple else value


def _parse_flag(go_type: GoType, name: str, text: str) -> Any:
    try:
        return go_type.parse(text)
    except UsageError as error:
        raise FlagError(f"invalid value {quote(text)} for flag -{name}: {error}") from None


class Group(Command, click.Group):
    """A command with commands below it, each imported when it is asked for.

    `lazy` maps a name to (module, one line of help); the module's `command` is the command. Aliases and
    hidden commands are found by name and not listed.
    """

    def __init__(
        self,
        *args: Any,
        lazy: dict[str, tuple[str, str]],
        aliases: dict[str, str] | None = None,
        hidden_commands: Sequence[str] = (),
        **attrs: Any,
    ) -> None:
        super().__init__(*args, **attrs)
        self.lazy = lazy
        self.aliases = aliases or {}
        self.hidden_commands = frozenset(hidden_commands)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for name in self.lazy if name not in self.hidden_commands]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        name = self.aliases.get(cmd_name, cmd_name)
        if name not in self.lazy:
            return None
        import importlib

        module = importlib.import_module(self.lazy[name][0])
        command = module.command
        assert isinstance(command, click.Command)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that the first positional names; the group's own callback without one.

        Raises `UnknownTopicError` for a name that does not exist.
        """
        if ctx.meta.get(HELP_WANTED):
            return self._show_help(ctx)
        if not ctx.args:
            return ctx.obj.show_help(ctx)
        name, *rest = ctx.args
        if name in HELP_NAMES:  # after flags; in front of them it has been read as one
            return ctx.obj.show_help(ctx, rest)
        command = self.get_command(ctx, name)
        if command is None:
            raise UnknownTopicError(
                f"No help topic for '{name}'", typed=name, known=tuple(self.list_commands(ctx))
            )
        with command.make_context(name, rest, parent=ctx) as child:
            return child.command.invoke(child)

    def _show_help(self, ctx: click.Context) -> None:
        """The page that the positionals name; `help` and `--help` fail unalike, as in the reference."""
        try:
            ctx.obj.show_help(ctx, ctx.args)
        except UnknownTopicError as error:
            if ctx.meta.get(_HELP_BY_WORD):
                raise
            raise UsageError(str(error)) from None
