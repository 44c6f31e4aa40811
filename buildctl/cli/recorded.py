"""What the daemon's history knows of a build: whether it is there at all, and how it ended."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from buildctl.errors import BuildctlError, Code, RPCError, SolveError

if TYPE_CHECKING:
    from buildctl.client.client import Client
    from buildctl.model.history import BuildError, BuildRecord

REFS_HINT = "buildctl debug histories lists the refs"
_ERROR_LIMIT = 16 << 20
"""Bytes of an error, with the build files that it points into."""


async def require_known(client: Client, ref: str) -> None:
    """Raise `RPCError` if the daemon has a history, and no build `ref` in it.

    Asked for what a build says, a daemon waits six seconds for one that may yet begin.
    """
    try:
        async with contextlib.aclosing(client.listen_build_history(ref, early_exit=True)) as events:
            async for _ in events:
                return
    except RPCError as error:
        if error.code is Code.UNIMPLEMENTED:
            return
        raise
    raise RPCError(Code.NOT_FOUND, f"no such job {ref}", streamed=True, hint=REFS_HINT)


async def failure_of(client: Client, ref: str) -> SolveError | None:
    """Why a build in the history failed, as the build itself said it; None: it did not, or nobody knows."""
    record = None
    try:
        async with contextlib.aclosing(client.listen_build_history(ref, early_exit=True)) as events:
            async for event in events:
                record = event.record or record
    except RPCError as error:
        if error.code is not Code.UNIMPLEMENTED:
            raise
    if record is None or record.error is None:
        return None
    from buildctl.client.details import solve_error, wrapping

    told = await _whole_error(client, record) or record.error
    code = Code(told.code) if told.code in set(Code) else Code.UNKNOWN
    prefix = "failed to solve: " + wrapping(told.details)
    return solve_error(RPCError(code, told.message, details=told.details, prefix=prefix))


async def _whole_error(client: Client, record: BuildRecord) -> BuildError | None:
    """The error with its details where a record has them in a blob (BuildKit 0.14); it may be gone."""
    if record.external_error is None:
        return None
    from buildctl.client.convert.history import parse_build_error

    data = bytearray()
    try:
        async with contextlib.aclosing(client.read_content(record.external_error.digest)) as pieces:
            async for piece in pieces:
                data += piece
                if len(data) > _ERROR_LIMIT:
                    return None
        return parse_build_error(bytes(data))
    except BuildctlError:
        return None
