"""`buildctl history inspect`: what is recorded of one build, in a page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from buildctl.cli.app import STREAM_INTERRUPTED, App, pass_app
from buildctl.cli.format import format_flag, parse_format, write_formatted
from buildctl.cli.grammar import Command
from buildctl.model.buildname import build_name
from buildctl.model.bytesize import format_bytes
from buildctl.model.history import BuildHistoryEvent, BuildHistoryEventType, BuildRecord, Descriptor

if TYPE_CHECKING:
    from buildctl.cli.environment import Environment

Section = tuple[str, list[tuple[str, str]]]


@click.command(
    "inspect",
    cls=Command,
    argument="REF",
    epilog="""
    $ buildctl history inspect
    $ buildctl history inspect ^1
    $ buildctl history inspect --format '{{json .Record.FrontendAttrs}}' x3k
    """,
)
@format_flag
@pass_app
def command(app: App, args: tuple[str, ...], template: str) -> None:
    """Tell of a build: its options, exports, result, steps and error; by default of the newest."""
    parsed = parse_format(template)

    async def run() -> BuildRecord:
        from buildctl.cli.history.choose import chosen_builds

        async with chosen_builds(app, args[:1]) as (build,):
            return build.record

    record = app.run(run, interrupted=STREAM_INTERRUPTED)
    if parsed is not None:
        from buildctl.cli.gohistory import build_history_event

        event = BuildHistoryEvent(BuildHistoryEventType.COMPLETE, record)
        write_formatted(parsed, build_history_event(event), app.output.write)
        return
    app.output.write(format_record(record, app.environment))


def format_record(record: BuildRecord, environment: Environment) -> str:
    """Sections of `name  value` lines, those without a value left out."""
    from buildctl.progress.visible import visible

    parts = []
    for title, rows in _sections(record, environment):
        shown = [(visible(name), visible(value)) for name, value in rows if value]
        if not shown:
            continue
        width = max(len(name) for name, _ in shown)
        lines = [f"{name:<{width}}  {value}" for name, value in shown]
        parts.append("".join(f"{line}\n" for line in ([title] if title else []) + lines))
    return "\n".join(parts)


def _sections(record: BuildRecord, environment: Environment) -> Iterator[Section]:
    from buildctl.cli.history.rows import age, took

    created, completed = (
        "" if instant is None else environment.local_time(instant)
        for instant in (record.created_at_ns, record.completed_at_ns)
    )
    if created and record.created_at_ns is not None:
        created += f" ({age(record.created_at_ns, environment)})"
    steps = f"{record.completed_steps} of {record.total_steps} completed, {record.cached_steps} cached"
    yield (
        "",
        [
            ("Build", build_name(record)),
            ("Ref", record.ref),
            ("State", record.state + (", pinned" if record.pinned else "")),
            ("Started", created),
            ("Ended", completed),
            ("Took", took(record, environment)),
            ("Steps", steps if record.total_steps else ""),
            ("Warnings", str(record.warnings or "")),
            ("Frontend", record.frontend),
        ],
    )
    yield "OPTIONS", sorted(record.frontend_attrs.items())
    yield (
        "EXPORTS",
        [
            (one.type, ",".join(f"{key}={value}" for key, value in sorted(one.attrs.items())) or "-")
            for one in record.exporters
        ],
    )
    yield "RESPONSE", sorted(record.exporter_response.items())
    results = {"": record.result, **record.results}
    for platform, info in results.items():
        if info is None:
            continue
        blobs = [*info.results.values(), *([info.result_deprecated] if info.result_deprecated else [])]
        rows = [("result", _blob(one)) for one in blobs]
        rows += [("attestation", _blob(one)) for one in info.attestations]
        yield f"RESULT {platform}".rstrip(), rows
    yield (
        "RECORDS",
        [
            ("logs", _blob(record.logs)),
            ("trace", _blob(record.trace)),
            ("error", _blob(record.external_error)),
        ],
    )
    if record.error is not None:
        yield "ERROR", [(record.error.name, record.error.message)]


def _blob(descriptor: Descriptor | None) -> str:
    if descriptor is None:
        return ""
    return f"{descriptor.digest} {format_bytes(descriptor.size_bytes)} {descriptor.media_type}"
