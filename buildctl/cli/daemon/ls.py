"""`buildctl daemon ls`: the daemons that have names."""

from __future__ import annotations

import click

from buildctl.cli.app import App, pass_app
from buildctl.cli.grammar import Command
from buildctl.cli.listing import Column, show_listing


@click.command("ls", cls=Command, epilog="$ buildctl daemon ls")
@pass_app
def command(app: App) -> None:
    """List daemons by name; a * marks the one that is used unless another is named."""
    from buildctl.cli.settings.load import Settings

    settings = app.settings or Settings()
    used = settings.daemon_name()
    rows = [
        (
            name + "*" * (used is not None and used.value == name),
            daemon.value["addr"],
            ", ".join(key for key in daemon.value if key != "addr"),
            daemon.source.origin,
        )
        for name, daemon in settings.daemons().items()
    ]
    columns = (Column("NAME"), Column("ADDRESS", flexible=True), Column("TLS"), Column("FROM"))
    show_listing(app.output, columns, rows)
