"""`buildctl compare`: two builds side by side in time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from buildctl.cli.app import STREAM_INTERRUPTED, App, pass_app
from buildctl.cli.grammar import Command
from buildctl.cli.listing import Cell, Column, show_listing
from buildctl.errors import UsageError

if TYPE_CHECKING:
    from buildctl.cli.output import Output
    from buildctl.model.history import BuildRecord
    from buildctl.progress.why import Pair

_NOTED_NS = 100_000_000
"""A difference that is worth a colour."""


@click.command(
    "compare",
    cls=Command,
    argument="REF REF",
    epilog="""
    $ buildctl compare ^1 ^0       # the newest build with the one before it
    $ buildctl compare old.dockerbuild new.dockerbuild
    """,
)
@pass_app
def command(app: App, args: tuple[str, ...]) -> None:
    """Show two builds step by step: how long each took, what was cached, what was added or gone."""
    if len(args) != 2:
        raise UsageError("two builds are needed", hint="buildctl compare ^1 ^0")

    async def run() -> tuple[list[BuildRecord], list[Pair]]:
        from buildctl.cli.history.choose import chosen_builds
        from buildctl.cli.why import read_trace
        from buildctl.progress.why import pair_steps

        async with chosen_builds(app, args) as builds:
            first, second = [await read_trace(build) for build in builds]
            records = [build.record for build in builds]
        end_ns = max(record.completed_at_ns or 0 for record in records)
        return records, pair_steps(first, second, end_ns)

    records, pairs = app.run(run, interrupted=STREAM_INTERRUPTED)
    show_pairs(app.output, records, pairs)


def show_pairs(output: Output, records: list[BuildRecord], pairs: list[Pair]) -> None:
    """Write a row a step, and one for the builds as a whole."""
    from buildctl.cli.history.rows import shown_ref
    from buildctl.progress.row import format_elapsed

    def difference(first_ns: int | None, second_ns: int | None) -> Cell:
        if first_ns is None or second_ns is None:
            return Cell("new" if first_ns is None else "gone", "yellow")
        longer_ns = second_ns - first_ns
        if abs(longer_ns) < _NOTED_NS:
            return Cell("")
        text = ("+" if longer_ns > 0 else "-") + format_elapsed(abs(longer_ns))
        return Cell(text, "red" if longer_ns > 0 else "green")

    def time(duration_ns: int | None, cached: bool) -> str:
        return "" if duration_ns is None else "CACHED" if cached else format_elapsed(duration_ns)

    rows: list[tuple[str | Cell, ...]] = [
        (
            pair.name,
            time(pair.first_ns, pair.first_cached),
            time(pair.second_ns, pair.second_cached),
            difference(pair.first_ns, pair.second_ns),
        )
        for pair in pairs
    ]
    first, second = (record.duration_ns for record in records)
    rows.append(("the whole build", time(first, False), time(second, False), difference(first, second)))
    names = [shown_ref(record.ref, output.environment) for record in records]
    columns = [Column("STEP", flexible=True), *(Column(name, numeric=True) for name in names)]
    show_listing(output, [*columns, Column("DIFFERENCE", numeric=True)], rows)
