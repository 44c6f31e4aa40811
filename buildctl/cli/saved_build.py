"""A build that is over, or was saved: `FILE` of rawjson, `-` for standard input, or `REF` in the history."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncGenerator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from buildctl.cli.recorded import REFS_HINT, failure_of, require_known
from buildctl.errors import BuildctlError, UsageError
from buildctl.model.quote import quote
from buildctl.system.detached import detached
from buildctl.system.failure import errno_text

if TYPE_CHECKING:
    from buildctl.cli.app import App
    from buildctl.model.status import SolveStatus

_REF = re.compile(r"[a-z0-9]{25}")
"""What `client.solve` and the reference choose; daemons know no other."""
_BATCH = 256


def is_file(source: str) -> bool:
    """Whether a file is meant rather than a ref. Raises `UsageError` for what can be neither."""
    if source == "-" or Path(source).exists():
        return True
    if _REF.fullmatch(source):
        return False
    raise UsageError(
        f"{quote(source)} is neither a file nor the ref of a build",
        hint=f"{REFS_HINT}; --trace FILE saves a build",
    )


async def saved_messages(app: App, path: str) -> AsyncGenerator[SolveStatus, None]:
    """The messages of a file, read in a thread. Raises `BuildctlError`."""
    from buildctl.progress.saved import read_saved

    descriptor: int | str = app.environment.stdin if path == "-" else path
    name = "standard input" if path == "-" else path

    def opened() -> BinaryIO:
        return open(descriptor, "rb", closefd=path != "-")

    is_read = False
    try:
        file = await detached(opened)  # it may be a pipe that nobody has opened yet
        try:
            messages = read_saved(file, name)
            while batch := await detached(lambda: list(islice(messages, _BATCH))):
                for status in batch:
                    yield status
        except asyncio.CancelledError:
            is_read = True
            raise
        finally:
            if not is_read:  # to close it would wait for the thread that is at it
                file.close()
    except OSError as error:
        reason = errno_text(error)
        raise BuildctlError(f"read {name}: {reason}", hint="name a file that can be read") from None


async def build_messages(app: App, source: str, *, fails: bool = False) -> AsyncGenerator[SolveStatus, None]:
    """The messages of a file or of a build in the daemon's history. Raises `BuildctlError`.

    With `fails`, the error of a build in the history is raised when all is told; files hold none.
    """
    if is_file(source):
        async with contextlib.aclosing(saved_messages(app, source)) as messages:
            async for status in messages:
                yield status
        return
    async with app.connect() as client:
        await require_known(client, source)
        async with contextlib.aclosing(client.status(source)) as told:
            async for status in told:
                yield status
        if fails and (failure := await failure_of(client, source)) is not None:
            raise failure
