"""Gives flags that were not typed the values that the settings say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from buildctl.cli.settings.load import Said, texts_of
from buildctl.cli.settings.trust import check_trust
from buildctl.errors import UsageError

if TYPE_CHECKING:
    from buildctl.cli.app import App
    from buildctl.cli.grammar import Flag

_UNTOUCHED = ("config", "daemon", "completion", "__complete", "dial-stdio")
"""Commands that work on settings, or for other programs: none holds for them."""


def fill(ctx: click.Context, own: list[Flag]) -> None:
    """Set the parameters of the context's command: what is typed takes their place, or is added to a list.

    Raises `UsageError` for a value that the flag does not take, and for what a project may not say unasked.
    """
    app: App = ctx.obj
    assert app.settings is not None
    path = command_path(ctx)
    if path.partition(" ")[0] in _UNTOUCHED:
        return
    if path and isinstance(ctx.command, click.Group) is False:
        check_trust(app.settings, app.environment)
    for param in own:
        if param.hidden:
            continue
        name = max(param.names(), key=len)
        said = app.settings.flag(path, name)
        if said is not None and not (not path and name in ("version", "daemon", "addr")):
            assert param.name is not None
            ctx.params[param.name] = _value(param, name, said)


def command_path(ctx: click.Context) -> str:
    """The words below `buildctl` that lead to the context's command."""
    words: list[str] = []
    while ctx.parent is not None:
        words.append(ctx.command.name or "")
        ctx = ctx.parent
    return " ".join(reversed(words))


def _value(param: Flag, name: str, said: Said) -> Any:
    texts = texts_of(said, name)
    try:
        values = tuple(param.go_type.parse(text) for text in texts)
    except UsageError as error:
        raise UsageError(f"{said.source.path}: {name}: {error}") from None
    if param.multiple:
        return values
    if len(values) != 1:
        raise UsageError(f"{said.source.path}: {name} takes one value, not a list")
    return values[0]
