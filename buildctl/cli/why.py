"""`buildctl why`: why the steps of a build were not cached."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import click

from buildctl.cli.app import STREAM_INTERRUPTED, App, pass_app
from buildctl.cli.grammar import Command, flag
from buildctl.errors import UsageError
from buildctl.model.buildname import build_name
from buildctl.model.quote import quote

if TYPE_CHECKING:
    from collections.abc import Sequence

    from buildctl.cli.environment import Environment
    from buildctl.cli.history.choose import ChosenBuild
    from buildctl.client.client import Client
    from buildctl.model.history import BuildRecord
    from buildctl.progress.trace import Trace
    from buildctl.progress.why import Reason

_SLACK_NS = 3_000_000_000


@click.command(
    "why",
    cls=Command,
    argument="REF",
    epilog="""
    $ buildctl why                  # of the newest build
    $ buildctl why x3k --against ^4
    $ buildctl why --format json
    """,
)
@flag("--against", metavar="REF", help="The build to compare with. Default: the last one of the same name.")
@flag("--format", "style", metavar="FORMAT", help="text or json.", default="text")
@pass_app
def command(app: App, args: tuple[str, ...], against: str, style: str) -> None:
    """Tell for each step that ran why it was not cached, and how sure that is."""
    if style not in ("text", "json"):
        raise UsageError(f"invalid format {quote(style)}", hint="use text or json")

    async def run() -> tuple[BuildRecord, BuildRecord | None, list[Reason]]:
        from buildctl.cli.history.choose import chosen_builds

        async with chosen_builds(app, args[:1]) as (build,):
            return await explain_build(app, build, against)

    record, before, reasons = app.run(run, interrupted=STREAM_INTERRUPTED)
    if style == "json":
        app.output.write(_json(record, before, reasons))
    else:
        app.output.write(format_reasons(record, before, reasons, app.environment))


async def explain_build(
    app: App, build: ChosenBuild, against: str = ""
) -> tuple[BuildRecord, BuildRecord | None, list[Reason]]:
    """The build, what it was compared with, and a reason for each step that ran. Raises `BuildctlError`."""
    from buildctl.cli.history.choose import ChosenBuild, chosen_builds
    from buildctl.progress.why import ToldBuild, explain

    earlier: ChosenBuild | None = None
    told = None
    async with contextlib.AsyncExitStack() as stack:
        if against:
            (earlier,) = await stack.enter_async_context(chosen_builds(app, [against]))
        elif build.client is not None and (record := await _last_alike(build.client, build.record)):
            earlier = ChosenBuild(record, build.client)
        if earlier is not None:
            told = ToldBuild(await read_trace(earlier), earlier.record.frontend_attrs)
    now = ToldBuild(await read_trace(build), build.record.frontend_attrs)
    files = await asyncio.to_thread(_changed_files, app.environment, build.record)
    return build.record, None if earlier is None else earlier.record, explain(now, told, files)


async def read_trace(build: ChosenBuild) -> Trace:
    """All that a build has said but its logs."""
    from buildctl.model.status import SolveStatus
    from buildctl.progress.trace import Trace

    trace = Trace()
    async with contextlib.aclosing(build.statuses()) as messages:
        async for status in messages:
            trace.update(SolveStatus(status.vertexes, status.statuses))
    return trace


async def _last_alike(client: Client, record: BuildRecord) -> BuildRecord | None:
    """The newest earlier build of the same name that succeeded, else any of that name."""
    from buildctl.cli.history.choose import list_records

    earlier = [
        one
        for one in await list_records(client)
        if one.ref != record.ref
        and (one.created_at_ns or 0) < (record.created_at_ns or 0)
        and build_name(one) == build_name(record)
    ]
    return next((one for one in earlier if one.error is None), earlier[0] if earlier else None)


def _changed_files(environment: Environment, record: BuildRecord) -> list[str] | None:
    """The files that the build was sent otherwise than the build of the same folder before it.

    None where that is not known: the folder was sent from elsewhere, for the first time, or again since. The
    daemon's clock is taken to be this machine's, give or take some seconds.
    """
    from buildctl.cli.context.folder import printable
    from buildctl.errors import TransferError
    from buildctl.fsutil import announced
    from buildctl.fsutil.changes import changes
    from buildctl.fsutil.glob import decode
    from buildctl.session.statefolder import transfer_records

    records = transfer_records(environment.variables)
    if not records or record.created_at_ns is None or record.completed_at_ns is None:
        return None
    try:
        pairs = announced.read_pairs(
            records, record.created_at_ns - _SLACK_NS, record.completed_at_ns + _SLACK_NS
        )
    except TransferError:
        return None
    if not pairs:
        return None
    return [
        printable(decode(change.path))
        for before, after in pairs
        for change in changes(before.entries, after.entries)
    ]


def format_reasons(
    record: BuildRecord, before: BuildRecord | None, reasons: Sequence[Reason], environment: Environment
) -> str:
    """A block a step: its name, the reason, and what belongs to it."""
    from buildctl.progress.visible import visible

    against = f", against {before.ref}" if before else ""
    if not reasons:
        return f"{record.ref}{against}: every step was cached\n"
    count = f"{len(reasons)} step{'s' * (len(reasons) != 1)} ran"
    lines = [f"{record.ref}{against}: {count}", ""]
    for reason in reasons:
        lines.append(visible(reason.step))
        lines.append(f"    {visible(reason.text)} ({reason.certainty})")
        lines += [f"      {visible(detail)}" for detail in reason.details]
    return "".join(f"{line}\n" for line in lines)


def _json(record: BuildRecord, before: BuildRecord | None, reasons: Sequence[Reason]) -> bytes:
    from buildctl.model import gojson

    fields = {
        "ref": record.ref,
        "against": before.ref if before else None,
        "steps": [
            {
                "name": reason.step,
                "stage": reason.stage,
                "digest": reason.digest,
                "reason": reason.text,
                "certainty": str(reason.certainty),
                "details": list(reason.details),
            }
            for reason in reasons
        ],
    }
    return gojson.encode(fields, indent=1, escape_html=False) + b"\n"
