"""`buildctl debug histories`: the builds that a daemon remembers. Layout: cmd/buildctl/debug/histories.go."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from buildctl.cli.app import STREAM_INTERRUPTED, App, pass_app
from buildctl.cli.format import format_flag, parse_format, write_formatted
from buildctl.cli.grammar import Command
from buildctl.cli.table import align_tabs

if TYPE_CHECKING:
    from buildctl.cli.environment import Environment
    from buildctl.model.history import BuildHistoryEvent

TABLE_HEADER = "TYPE\tREF\tCREATED\tCOMPLETED\tGENERATION"


@click.command(
    "histories",
    cls=Command,
    epilog="""
    $ buildctl debug histories
    $ buildctl debug logs REF       # what a build of the list said
    $ buildctl debug histories --format '{{.Record.Ref}} {{.Record.CreatedAt.AsTime}}'
    """,
)
@format_flag
@pass_app
def command(app: App, template: str) -> None:
    """List the builds that the daemon remembers; a * marks those that are pinned."""

    parsed = parse_format(template)

    async def run() -> None:
        if parsed is None:
            await show()
            return
        from buildctl.cli.gohistory import build_history_event

        async with app.connect() as client:
            async for event in client.listen_build_history(early_exit=True):
                write_formatted(parsed, build_history_event(event), app.environment.write_stdout)

    async def show() -> None:
        header = f"{TABLE_HEADER}\tPINNED\n"
        if app.environment.is_terminal(app.environment.stdout):
            await show_to_people(app)
            return
        async with app.connect() as client:
            async for event in client.listen_build_history(early_exit=True):
                pinned = "*" if event.record is not None and event.record.pinned else ""
                row = f"{table_row(event, app.environment)}\t{pinned}\n"
                # Each row is aligned alone, but for the first, which is with the header.
                app.environment.write_stdout(align_tabs(header + row))
                header = ""
        app.environment.write_stdout(align_tabs(header))

    app.run(run, interrupted=STREAM_INTERRUPTED)


async def show_to_people(app: App) -> None:
    """The records as `history ls` shows them, which fits the window."""
    from buildctl.cli.history.choose import list_records
    from buildctl.cli.history.rows import COLUMNS, record_row
    from buildctl.cli.listing import format_listing

    async with app.connect() as client:
        records = await list_records(client)
    rows = [record_row(record, app.environment) for record in records]
    app.environment.write_stdout(format_listing(app.environment, COLUMNS, rows))


def table_row(event: BuildHistoryEvent, environment: Environment) -> str:
    """One record as cells: what became of it, ref, two instants in local time, generation."""
    record = event.record
    if record is None:
        return f"{event.type_name}\t\t\t\t0"
    created, completed = (
        "" if instant is None else environment.local_time(instant)
        for instant in (record.created_at_ns, record.completed_at_ns)
    )
    return f"{event.type_name}\t{record.ref}\t{created}\t{completed}\t{record.generation}"
