"""`buildctl du`: what the build cache holds. Layout: cmd/buildctl/diskusage.go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from buildctl.cli.alldaemons import all_daemons_flag, ask_all, check_complete, daemon_answers
from buildctl.cli.app import App, pass_app
from buildctl.cli.format import format_flag, parse_format, write_formatted
from buildctl.cli.grammar import BOOL, INT, Command, flag
from buildctl.cli.table import Row, align_tabs
from buildctl.errors import UsageError
from buildctl.model.bytesize import format_bytes

if TYPE_CHECKING:
    from buildctl.model.cache import UsageRecord

TABLE_HEADER = ("ID", "RECLAIMABLE", "SIZE", "LAST ACCESSED")
_ID_WIDTH = 71
_RECLAIMABLE_WIDTH = 11


@click.command(
    "du",
    cls=Command,
    epilog="""
    $ buildctl du                                  # all records, smallest first
    $ buildctl du -v --filter type==source.local   # every field of the local contexts
    $ buildctl du --sort size --top 10             # what is worth a look
    $ buildctl du --group-by type --since 7d
    $ buildctl du --format '{{range .}}{{.ID}} {{.Size}}{{println}}{{end}}'
    """,
)
@flag(
    "--filter",
    "-f",
    "filters",
    multiple=True,
    metavar="FILTER",
    help="Only records that match, e.g. type==regular.",
)
@flag("--verbose", "-v", type=BOOL, help="Every field of each record.")
@flag("--sort", metavar="KEY", help="Largest first: size, last-used, count or created.")
@flag("--top", type=INT, metavar="N", help="The first N records alone.")
@flag("--tree", type=BOOL, help="Each record below the one that it was built on.")
@flag("--group-by", metavar="KEY", help="Sums by type or description.")
@flag("--since", metavar="TIME", help="Used since then: 2h, 7d, or an instant such as 2026-11-30T12:00:00Z.")
@flag("--until", metavar="TIME", help="Not used after then.")
@flag("--rules", type=BOOL, help="Which of the daemon's garbage collection rules would take each record.")
@all_daemons_flag
@format_flag
@pass_app
def command(
    app: App,
    filters: tuple[str, ...],
    verbose: bool,
    sort: str,
    top: int,
    tree: bool,
    group_by: str,
    since: str,
    until: str,
    rules: bool,
    all_daemons: bool,
    template: str,
) -> None:
    """Show what the daemon's build cache holds and how much of it can be freed."""
    environment = app.environment
    if all_daemons and (sort or top or tree or group_by or since or until or rules):
        raise UsageError(
            "--all-daemons goes with --filter, --verbose and --format alone",
            hint="ask one daemon alone",
        )
    chosen = None
    for_people = app.output.stdout_is_terminal and not (verbose or template)
    if for_people or sort or top or tree or group_by or since or until or rules:
        from buildctl.cli.cachetable import read_selection

        chosen = read_selection(sort, top, tree, group_by, since, until, environment.now_ns())

    async def run() -> None:
        by_rule = None
        async with app.connect() as client:
            records = await client.disk_usage(filters)
            if rules:
                from buildctl.cli.gcrules import rules_of_records

                everything = await client.disk_usage() if filters else records
                by_rule = await rules_of_records(client, everything, environment.now_ns())
        if chosen is not None and (template or verbose):
            records = chosen.select(records)
        if parsed := parse_format(template):
            from buildctl.cli.gorecords import usage_infos

            write_formatted(parsed, usage_infos(records), app.output.write)
            return
        if chosen is not None and not verbose:
            from buildctl.cli.cachetable import show_cache, show_totals

            show_cache(app.output, records, chosen, rules=by_rule)
            show_totals(app.output, records)
            return
        write_table = app.output.write_table
        if verbose:
            for record in records:  # an empty line ends each block, so that none is aligned with others
                write_table(verbose_rows(record), align_tabs)
        else:
            write_table([TABLE_HEADER, *map(table_row, records)], align_tabs)
        if not filters:
            write_table(summary_rows(records), align_tabs)

    async def run_all() -> None:
        found = await ask_all(app, lambda client: client.disk_usage(filters))
        if parsed := parse_format(template):
            from buildctl.cli.gorecords import usage_infos

            answers = [(name, usage_infos(records)) for name, records in found]
            write_formatted(parsed, daemon_answers(answers), app.output.write)
        else:
            rows: list[Row] = [] if verbose else [("DAEMON", *TABLE_HEADER)]
            for name, records in found:
                if verbose:
                    rows += [("Daemon:", name), *(row for record in records for row in verbose_rows(record))]
                else:
                    rows += [(name, *table_row(record)) for record in records]
            app.output.write_table(rows, align_tabs)
            if not filters:
                every = [record for _, records in found for record in records]
                app.output.write_table(summary_rows(every), align_tabs)
        check_complete(app)

    app.run(run_all if all_daemons else run)


def table_row(record: UsageRecord) -> Row:
    """One record as cells; a `*` marks what is mutable, and a size that is shared."""
    name = record.id + "*" * record.mutable
    size = format_bytes(record.size_bytes) + "*" * record.shared
    reclaimable = _bool(not record.in_use)
    return f"{name:<{_ID_WIDTH}}", f"{reclaimable:<{_RECLAIMABLE_WIDTH}}", size, ""


def verbose_rows(record: UsageRecord) -> list[Row]:
    """A block of `key: value` lines, ended by an empty line."""
    rows = [("ID", record.id)]
    if record.parents:
        rows.append(("Parents", ";".join(record.parents)))
    rows += [
        ("Created at", format_instant(record.created_at_ns)),
        ("Mutable", _bool(record.mutable)),
        ("Reclaimable", _bool(not record.in_use)),
        ("Shared", _bool(record.shared)),
        ("Size", format_bytes(record.size_bytes)),
    ]
    if record.description:
        rows.append(("Description", record.description))
    rows.append(("Usage count", str(record.usage_count)))
    if record.last_used_at_ns is not None:
        rows.append(("Last used", format_instant(record.last_used_at_ns)))
    if record.record_type:
        rows.append(("Type", record.record_type))
    return [*((f"{key}:", value) for key, value in rows), ("",)]


def summary_rows(records: Sequence[UsageRecord]) -> list[Row]:
    """Totals: what is shared and private, where anything is, what can be freed, and all of it."""
    total = sum(record.size_bytes for record in records if record.size_bytes > 0)
    reclaimable = sum(record.size_bytes for record in records if record.size_bytes > 0 and not record.in_use)
    shared = sum(record.size_bytes for record in records if record.shared)
    rows = [("Shared", shared), ("Private", total - shared)] if shared > 0 else []
    rows += [("Reclaimable", reclaimable), ("Total", total)]
    return [(f"{key}:", format_bytes(size)) for key, size in rows]


def _bool(value: bool) -> str:
    return "true" if value else "false"


def format_instant(instant_ns: int | None) -> str:
    """Go's time.Time as text: `2026-11-22 13:08:33.407320023 +0000 UTC`; of none, the epoch."""
    from buildctl.template.gotime import Time  # which has a calendar for any year that a daemon may send

    return str(Time.from_unix_ns(instant_ns or 0))
