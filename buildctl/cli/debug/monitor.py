"""`buildctl debug monitor`: builds as they come and go. Layout: cmd/buildctl/debug/monitor.go."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from buildctl.cli.app import STREAM_INTERRUPTED, App, pass_app
from buildctl.cli.grammar import BOOL, Command, flag
from buildctl.errors import BuildctlError

if TYPE_CHECKING:
    from buildctl.model.history import BuildHistoryEvent, BuildResultInfo, Descriptor

_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\"}


@click.command(
    "monitor",
    cls=Command,
    epilog="""
    $ buildctl debug monitor
    $ buildctl debug monitor --completed --ref REF
    """,
)
@flag("--completed", type=BOOL, help="Also the builds that have ended.")
@flag("--ref", metavar="REF", help="Only this build.")
@pass_app
def command(app: App, completed: bool, ref: str) -> None:
    """Show builds as they start, end and are deleted, until interrupted."""

    async def run() -> None:
        async with app.connect() as client:
            async for event in client.listen_build_history(ref, active_only=not completed):
                app.output.write_lines(event_lines(event))
        raise BuildctlError("EOF", hint="the daemon has ended the stream")

    app.run(run, interrupted=STREAM_INTERRUPTED)


def event_lines(event: BuildHistoryEvent) -> Iterator[str]:
    """A line for the event, and one for each thing that is known of the build."""
    record = event.record
    yield f"event: {event.type_name} ref:{record.ref if record else ''}"
    if record is None:
        return
    if record.total_steps:
        yield f"  cache: {record.cached_steps}/{record.total_steps}"
    if record.warnings:
        yield f"  warnings: {record.warnings}"
    if record.logs:
        yield f"  logs: {format_descriptor(record.logs)}"
    if record.trace:
        yield f"  trace: {format_descriptor(record.trace)}"
    if record.result:
        yield from (f"  {line}" for line in _result_lines(record.result))
    for platform, result in sorted(record.results.items()):
        yield from (f"  [{platform}] {line}" for line in _result_lines(result))


def _result_lines(info: BuildResultInfo) -> Iterator[str]:
    results = [result for _, result in sorted(info.results.items())]
    if not results and info.result_deprecated:
        results = [info.result_deprecated]
    yield from (f"descriptor: {format_descriptor(result)}" for result in results)
    yield from (f"attestation: {format_descriptor(one)}" for one in info.attestations)


def format_descriptor(descriptor: Descriptor) -> str:
    """The descriptor in protobuf's text format, as Go prints it on one line."""
    fields = []
    if descriptor.media_type:
        fields.append(f"media_type:{_quote(descriptor.media_type)}")
    if descriptor.digest:
        fields.append(f"digest:{_quote(descriptor.digest)}")
    if descriptor.size_bytes:
        fields.append(f"size:{descriptor.size_bytes}")
    for key, value in sorted(descriptor.annotations.items()):
        fields.append(f"annotations:{{key:{_quote(key)}  value:{_quote(value)}}}")
    return "  ".join(fields)


def _quote(text: str) -> str:
    return '"' + "".join(_ESCAPES.get(char) or _escape(char) for char in text) + '"'


def _escape(char: str) -> str:
    code = ord(char)
    if code < 0x20 or code == 0x7F:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if 0x80 <= code < 0xA0 else char
