"""`buildctl ps`: the builds that run now."""

from __future__ import annotations

import click

from buildctl.cli.app import STREAM_INTERRUPTED, App, pass_app
from buildctl.cli.grammar import BOOL, Command, flag
from buildctl.cli.listing import Column, show_listing
from buildctl.model.history import BuildRecord

_COLUMNS = (
    Column("REF"),
    Column("BUILD", flexible=True),
    Column("STARTED"),
    Column("RUNS FOR", numeric=True),
)


@click.command(
    "ps",
    cls=Command,
    epilog="""
    $ buildctl ps
    $ buildctl attach $(buildctl ps -q | head -1)
    """,
)
@flag("--quiet", "-q", type=BOOL, help="Refs alone, a line each.")
@pass_app
def command(app: App, quiet: bool) -> None:
    """List the builds that the daemon runs now, whoever started them, the newest first."""

    async def run() -> list[BuildRecord]:
        from buildctl.cli.history.choose import list_records

        async with app.connect() as client:
            return await list_records(client, active_only=True)

    records = app.run(run, interrupted=STREAM_INTERRUPTED)
    if quiet:
        app.output.write("".join(f"{record.ref}\n" for record in records))
        return
    from buildctl.cli.history.rows import shown_ref, started, took
    from buildctl.model.buildname import build_name

    environment = app.environment
    rows = [
        (shown_ref(one.ref, environment), build_name(one), started(one, environment), took(one, environment))
        for one in records
    ]
    show_listing(app.output, _COLUMNS, rows)
