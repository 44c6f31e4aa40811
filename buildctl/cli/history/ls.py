"""`buildctl history ls`: builds that have run or run now, the newest first."""

from __future__ import annotations

import asyncio

import click

from buildctl.cli.app import STREAM_INTERRUPTED, App, pass_app
from buildctl.cli.format import format_flag, parse_format, write_formatted
from buildctl.cli.grammar import BOOL, INT, Command, flag
from buildctl.cli.history.rows import COLUMNS, record_row
from buildctl.cli.listing import show_listing
from buildctl.model.history import BuildHistoryEvent, BuildHistoryEventType, BuildRecord


@click.command(
    "ls",
    cls=Command,
    epilog="""
    $ buildctl history ls
    $ buildctl history ls --limit 5
    $ buildctl history ls --format '{{.Record.Ref}} {{.Record.NumTotalSteps}}'
    """,
)
@flag("--limit", type=INT, metavar="N", help="The newest N alone; 0 is all.")
@flag("--imported", type=BOOL, help="Builds kept from .dockerbuild files instead of the daemon's.")
@format_flag
@pass_app
def command(app: App, limit: int, imported: bool, template: str) -> None:
    """List builds, the newest first: ref, what was built, how it ended, when, how long, cached steps."""
    parsed = parse_format(template)

    async def run() -> list[BuildRecord]:
        if imported:
            return await asyncio.to_thread(_imported, app)
        from buildctl.cli.history.choose import list_records

        async with app.connect() as client:
            return await list_records(client)

    records = app.run(run, interrupted=STREAM_INTERRUPTED)
    if limit > 0:
        records = records[:limit]
    if parsed is not None:
        from buildctl.cli.gohistory import build_history_event

        for record in records:
            ended = record.completed_at_ns is not None
            kind = BuildHistoryEventType.COMPLETE if ended else BuildHistoryEventType.STARTED
            write_formatted(parsed, build_history_event(BuildHistoryEvent(kind, record)), app.output.write)
        return
    show_listing(app.output, COLUMNS, [record_row(record, app.environment) for record in records])


def _imported(app: App) -> list[BuildRecord]:
    from buildctl.cli.history.imported import imported_file, imported_refs, read_builds

    records = [
        build.record
        for ref in imported_refs(app.environment)
        for build in read_builds(imported_file(app.environment, ref))
    ]
    return sorted(records, key=lambda record: record.created_at_ns or 0, reverse=True)
