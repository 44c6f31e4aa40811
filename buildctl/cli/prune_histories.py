"""`buildctl prune-histories`: forget builds that are not pinned. Layout: cmd/buildctl/prunehistories.go."""

from __future__ import annotations

import click

from buildctl.cli.app import STREAM_INTERRUPTED, App, pass_app
from buildctl.cli.debug.histories import TABLE_HEADER, table_row
from buildctl.cli.format import format_flag, parse_format, write_formatted
from buildctl.cli.grammar import Command
from buildctl.cli.table import Row, align_tabs
from buildctl.errors import BuildctlError, RPCError


@click.command(
    "prune-histories",
    cls=Command,
    epilog="""
    $ buildctl prune-histories
    $ buildctl debug ctl REF --pin   # keeps a build from being forgotten
    """,
)
@format_flag
@pass_app
def command(app: App, template: str) -> None:
    """Remove the records of all builds that are not pinned, and show which."""

    parsed = parse_format(template)

    async def run() -> None:
        from buildctl.cli.gohistory import build_history_event

        header: list[Row] = [TABLE_HEADER]
        failures: list[RPCError] = []
        async with app.connect() as client:
            async for event in client.listen_build_history(early_exit=True):
                if event.record is None or event.record.pinned:
                    continue
                try:
                    await client.update_build_history(event.record.ref, delete=True)
                except RPCError as error:
                    failures.append(error)
                    continue
                if parsed:
                    write_formatted(parsed, build_history_event(event), app.output.write)
                    continue
                # Each row is aligned alone, but for the first, which is with the header.
                app.output.write_table([*header, table_row(event, app.environment)], align_tabs)
                header = []
        if not parsed:
            app.output.write_table(header, align_tabs)
        if failures:
            raise BuildctlError("\n".join(map(str, failures)), hint=failures[0].hint)

    app.run(run, interrupted=STREAM_INTERRUPTED)
