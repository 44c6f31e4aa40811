"""`buildctl debug histories`: the builds that a daemon remembers. Layout: cmd/buildctl/debug/histories.go."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from buildctl.cli.app import STREAM_INTERRUPTED, App, pass_app
from buildctl.cli.format import format_flag, parse_format, write_formatted
from buildctl.cli.grammar import Command
from buildctl.cli.table import Row, align_tabs

if TYPE_CHECKING:
    from buildctl.cli.environment import Environment
    from buildctl.model.history import BuildHistoryEvent

TABLE_HEADER = ("TYPE", "REF", "CREATED", "COMPLETED", "GENERATION")


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
                write_formatted(parsed, build_history_event(event), app.output.write)

    async def show() -> None:
        if app.output.stdout_is_terminal:
            await show_to_people(app)
            return
        header: list[Row] = [(*TABLE_HEADER, "PINNED")]
        async with app.connect() as client:
            async for event in client.listen_build_history(early_exit=True):
                pinned = "*" if event.record is not None and event.record.pinned else ""
                row = *table_row(event, app.environment), pinned
                # Each row is aligned alone, but for the first, which is with the header.
                app.output.write_table([*header, row], align_tabs)
                header = []
        app.output.write_table(header, align_tabs)

    app.run(run, interrupted=STREAM_INTERRUPTED)


async def show_to_people(app: App) -> None:
    """The records as `history ls` shows them, which fits the window."""
    from buildctl.cli.history.choose import list_records
    from buildctl.cli.history.rows import COLUMNS, record_row
    from buildctl.cli.listing import show_listing

    async with app.connect() as client:
        records = await list_records(client)
    show_listing(app.output, COLUMNS, [record_row(record, app.environment) for record in records])


def table_row(event: BuildHistoryEvent, environment: Environment) -> Row:
    """One record as cells: what became of it, ref, two instants in local time, generation."""
    record = event.record
    if record is None:
        return event.type_name, "", "", "", "0"
    created, completed = (
        "" if instant is None else environment.local_time(instant)
        for instant in (record.created_at_ns, record.completed_at_ns)
    )
    return event.type_name, record.ref, created, completed, str(record.generation)
