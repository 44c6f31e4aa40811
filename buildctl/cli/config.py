"""`buildctl config`: which settings hold here and who said so; `config allow` allows those of a project."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from buildctl.cli.app import App, pass_app
from buildctl.cli.grammar import BOOL, Command, flag
from buildctl.cli.table import align_spaces
from buildctl.errors import UsageError
from buildctl.model.quote import quote

if TYPE_CHECKING:
    from buildctl.cli.settings.load import Settings


@click.command(
    "config",
    cls=Command,
    argument="[allow]",
    epilog="""
    $ buildctl config             # what holds
    $ buildctl config --origin    # and who said it: flag, variable, project, user
    $ buildctl config allow       # this folder's buildctl.toml, as it is now
    """,
)
@flag("--origin", type=BOOL, help="Who said each value.")
@pass_app
def command(app: App, args: tuple[str, ...], origin: bool) -> None:
    """Show the settings that hold in this folder, or allow those of its project; needs no daemon."""
    from buildctl.cli.settings.load import Settings

    settings = app.settings or Settings()
    if args == ("allow",):
        _allow(app, settings)
    elif args:
        raise UsageError(
            f"config does not know {quote(args[0])}", hint="buildctl config, or buildctl config allow"
        )
    else:
        rows = list(_rows(app, settings))
        from buildctl.progress.visible import visible

        lines = ["  \t".join(map(visible, row if origin else row[:2])) + "\n" for row in rows]
        text = align_spaces("".join(lines)) if lines else "no settings\n"
        app.output.write("".join(f"{line.rstrip()}\n" for line in text.splitlines()))


def _allow(app: App, settings: Settings) -> None:
    from buildctl.cli.settings.find import PROJECT_FILE
    from buildctl.cli.settings.trust import allow, needs_allowance

    for source in settings.sources:
        if source.is_project:
            allow(source, app.environment)
            asked = list(needs_allowance(source))
            what = ", ".join(asked) if asked else "nothing that needed your word"
            app.output.write(f"{source.path}: allowed as it is now: {what}\n")
            return
    raise UsageError(f"there is no {PROJECT_FILE} in this folder")


def _rows(app: App, settings: Settings) -> Iterator[tuple[str, str, str]]:
    """Name, value, origin."""
    from buildctl.cli.settings.load import texts_of
    from buildctl.cli.settings.target import resolve_daemon
    from buildctl.cli.settings.trust import is_allowed, needs_allowance
    from buildctl.transport.discovery import choose_address

    variables = app.environment.variables
    flags, origins = resolve_daemon(app.typed, settings, variables)
    if "addr" not in origins:
        yield "addr", choose_address(flags.addr, variables).address.text, "default"
    for name, origin in origins.items():
        yield name, origin.value, origin.by
    for path, name, said in settings.all_flags():
        yield f"{path} --{name}".strip(), ", ".join(texts_of(said, name)), said.source.origin
    for source in settings.sources:
        if source.is_project and (asked := list(needs_allowance(source))):
            state = "allowed" if is_allowed(source, app.environment) else "not allowed yet"
            yield source.path, f"sets {', '.join(asked)}: {state}", "project"
