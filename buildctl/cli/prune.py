"""`buildctl prune`: free the build cache. Layout: cmd/buildctl/prune.go."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from buildctl.cli import du
from buildctl.cli.alldaemons import all_daemons_flag, ask_all, check_complete, daemon_answer
from buildctl.cli.app import App, pass_app
from buildctl.cli.format import format_flag, parse_format, write_formatted
from buildctl.cli.grammar import BOOL, DURATION, SIZE, Command, flag
from buildctl.cli.table import Row, align_tabs
from buildctl.errors import UsageError
from buildctl.model.bytesize import format_bytes

if TYPE_CHECKING:
    from buildctl.client.client import Client
    from buildctl.model.cache import UsageRecord


@click.command(
    "prune",
    cls=Command,
    epilog="""
    $ buildctl prune                          # everything that is not in use
    $ buildctl prune --keep-storage 10GB      # until 10 GB are left
    $ buildctl prune --keep-duration 7d       # what nobody used for a week
    $ buildctl prune --filter type==source.local
    $ buildctl prune --keep-storage 10GB --dry-run
    $ buildctl prune --format '{{.ID}} {{.Size}}'   # a line for each record
    """,
)
@flag(
    "--keep-duration",
    type=DURATION,
    metavar="DURATION",
    help="Keep what was used within this time: 48h, 7d.",
)
@flag(
    "--keep-storage",
    type=SIZE,
    metavar="SIZE",
    help="Keep up to this much: 10GB, 512MiB, or megabytes as a bare number.",
)
@flag(
    "--keep-storage-min",
    type=SIZE,
    metavar="SIZE",
    help="Keep at least this much, whatever else is asked.",
)
@flag("--free-storage", type=SIZE, metavar="SIZE", help="Prune until this much of the disk is free.")
@flag(
    "--filter",
    "-f",
    "filters",
    multiple=True,
    metavar="FILTER",
    help="Only records that match, e.g. type==regular.",
)
@flag("--all", "everything", type=BOOL, help="Also internal records, frontends and shared ones.")
@flag("--verbose", "-v", type=BOOL, help="Every field of each record.")
@all_daemons_flag
@flag(
    "--dry-run", type=BOOL, help="Remove nothing, and show what would go. An estimate: the daemon knows more."
)
@format_flag
@pass_app
def command(
    app: App,
    keep_duration: int,
    keep_storage: int,
    keep_storage_min: int,
    free_storage: int,
    filters: tuple[str, ...],
    everything: bool,
    verbose: bool,
    all_daemons: bool,
    dry_run: bool,
    template: str,
) -> None:
    """Remove build cache that is not in use, within the limits given, and show what went."""
    from buildctl.model.cache import PruneOpt

    if all_daemons and dry_run:
        raise UsageError("--dry-run estimates for one daemon, not for all", hint="leave --all-daemons out")
    opt = PruneOpt(
        filters=filters,
        all=everything,
        keep_duration_ns=keep_duration,
        reserved_space_bytes=keep_storage_min,
        max_used_space_bytes=keep_storage,
        min_free_space_bytes=free_storage,
    )

    parsed = parse_format(template)
    environment = app.environment
    for_people = app.output.stdout_is_terminal and not verbose

    async def estimate() -> None:
        from buildctl.model.pruneestimate import estimate_prune

        async with app.connect() as client:
            records = await client.disk_usage()
            matching = {record.id for record in await client.disk_usage(filters)} if filters else None
        gone = estimate_prune(records, opt, environment.now_ns(), matching=matching)
        if parsed is not None:
            from buildctl.cli.gorecords import usage_info

            for record in gone:
                write_formatted(parsed, usage_info(record), app.output.write)
            return
        if verbose:
            for record in gone:
                app.output.write_table(du.verbose_rows(record), align_tabs)
        else:
            from buildctl.cli.cachetable import Selection, show_cache

            show_cache(app.output, gone, Selection())
        freed = format_bytes(sum(record.size_bytes for record in gone))
        count = f"{len(gone)} of {len(records)} records"
        app.output.write(f"would remove {count}, {freed} (an estimate)\n")

    async def run() -> None:
        if dry_run:
            await estimate()
            return
        if parsed is None:
            await show()
            return
        from buildctl.cli.gorecords import usage_info

        async with app.connect() as client:
            async for record in client.prune(opt):
                write_formatted(parsed, usage_info(record), app.output.write)

    async def show() -> None:
        write_table = app.output.write_table
        total = 0
        header = [du.TABLE_HEADER]
        async with app.connect() as client:
            async for record in client.prune(opt):
                total += record.size_bytes
                if verbose:
                    write_table(du.verbose_rows(record), align_tabs)
                elif for_people:
                    from buildctl.cli.cachetable import show_removed

                    show_removed(app.output, record)
                else:  # each row is aligned alone, but for the first, which is with the header
                    write_table([*header, du.table_row(record)], align_tabs)
                    header = []
        write_table([("Total:", format_bytes(total))], align_tabs)

    async def prune_one(client: Client) -> list[UsageRecord]:
        return [record async for record in client.prune(opt)]

    async def run_all() -> None:
        found = await ask_all(app, prune_one)
        if parsed is not None:
            from buildctl.cli.gorecords import usage_info

            for name, records in found:
                for record in records:
                    write_formatted(parsed, daemon_answer(name, usage_info(record)), app.output.write)
        else:
            rows: list[Row] = [] if verbose else [("DAEMON", *du.TABLE_HEADER)]
            for name, records in found:
                if verbose:
                    rows += [
                        ("Daemon:", name),
                        *(row for record in records for row in du.verbose_rows(record)),
                    ]
                else:
                    rows += [(name, *du.table_row(record)) for record in records]
            total = sum(record.size_bytes for _, records in found for record in records)
            app.output.write_table(rows, align_tabs)
            app.output.write_table([("Total:", format_bytes(total))], align_tabs)
        check_complete(app)

    app.run(run_all if all_daemons else run)
