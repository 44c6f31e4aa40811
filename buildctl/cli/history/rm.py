"""`buildctl history rm`: removes the records of builds."""

from __future__ import annotations

import click

from buildctl.cli.app import STREAM_INTERRUPTED, App, pass_app
from buildctl.cli.grammar import BOOL, Command, flag
from buildctl.errors import UsageError


@click.command(
    "rm",
    cls=Command,
    argument="REF...",
    epilog="""
    $ buildctl history rm x3k ^2
    $ buildctl history rm --all    # all but those that run or are pinned
    """,
)
@flag("--all", "every", type=BOOL, help="All builds that have ended and are not pinned.")
@pass_app
def command(app: App, args: tuple[str, ...], every: bool) -> None:
    """Remove builds from the daemon's history, and imported ones, and print their refs."""
    if bool(args) == every:
        raise UsageError(
            "name the builds to remove, or all of them with --all", hint="buildctl history ls lists them"
        )

    async def run() -> None:
        from buildctl.cli.history.choose import choose_record, list_records
        from buildctl.cli.history.imported import imported_file, remove_imported

        imported = [ref for ref in args if imported_file(app.environment, ref)]
        for ref in imported:
            remove_imported(app.environment, ref)
            app.output.write(f"{ref}\n")
        left = [ref for ref in args if ref not in imported]
        if not left and not every:
            return
        async with app.connect() as client:
            records = await list_records(client)
            chosen = [choose_record(records, ref) for ref in left]
            if every:
                chosen = [one for one in records if one.completed_at_ns is not None and not one.pinned]
            for record in dict.fromkeys(one.ref for one in chosen):
                await client.update_build_history(record, delete=True)
                app.output.write(f"{record}\n")

    app.run(run, interrupted=STREAM_INTERRUPTED)
