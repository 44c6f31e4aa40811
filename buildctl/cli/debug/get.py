"""`buildctl debug get`: a blob of the daemon's content store, on standard output."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import click

from buildctl.cli.app import STREAM_INTERRUPTED, App, pass_app
from buildctl.cli.grammar import Command
from buildctl.errors import UsageError

if TYPE_CHECKING:
    from buildctl.client.client import Client

_UNKNOWN = re.compile(r"[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[a-zA-Z0-9=_-]+")
"""What may be a digest, of whatever algorithm."""
_HEX_DIGITS = {"sha256": 64, "sha384": 96, "sha512": 128}


@click.command(
    "get",
    cls=Command,
    argument="DIGEST",
    epilog="""
    $ buildctl debug histories --format '{{.Record.Logs.Digest}}'
    $ buildctl debug get sha256:1c6c3071... > log
    """,
)
@pass_app
def command(app: App, args: tuple[str, ...]) -> None:
    """Write a blob of the daemon's content store, such as a build's logs or trace, to standard output."""
    if not args:
        raise UsageError("blob digest must be specified", hint="buildctl debug monitor shows digests")
    digest = parse_digest(args[0])

    async def run() -> None:
        async with app.connect() as client:
            await copy_content(app, client, digest)

    app.run(run, interrupted=STREAM_INTERRUPTED)


def parse_digest(text: str) -> str:
    """The digest, if it is one. Raises `UsageError` in the words of opencontainers/go-digest."""
    algorithm, _, encoded = text.partition(":")
    if not algorithm or not encoded or (algorithm not in _HEX_DIGITS and not _UNKNOWN.fullmatch(text)):
        raise UsageError("invalid checksum digest format", hint="a digest is sha256: and 64 hex digits")
    if algorithm not in _HEX_DIGITS:
        raise UsageError("unsupported digest algorithm", hint=f"known are {', '.join(_HEX_DIGITS)}")
    if len(encoded) != _HEX_DIGITS[algorithm]:
        raise UsageError("invalid checksum digest length")
    if not re.fullmatch("[a-f0-9]*", encoded):
        raise UsageError("invalid checksum digest format")
    return text


async def copy_content(app: App, client: Client, digest: str) -> None:
    """Write a blob to standard output, piece by piece."""
    async for data in client.read_content(digest):
        await asyncio.to_thread(app.output.write_content, data)
