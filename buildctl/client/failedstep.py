"""Which step failed a build, put together from the error's details and from what the build had said."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Error as ProtobufError

from buildctl._pb import errdefs_pb2
from buildctl.errors import ErrorDetail, FailedStep, SolveError
from buildctl.model.status import SolveStatus, UnreadLogs, Vertex, VertexLog

LOG_BYTES = 1 << 16
_SAID_SECONDS = 1.0
"""How long what Status says of a failed step may come after the call that failed."""


class _Tail:
    """The end of what a step writes, unread: a build prints far more than anybody asks for."""

    def __init__(self) -> None:
        self._pieces: deque[tuple[Sequence[VertexLog], int]] = deque()
        self._size = 0
        self._is_cut = False

    def add(self, logs: Sequence[VertexLog]) -> None:
        size = logs.size_bytes if isinstance(logs, UnreadLogs) else sum(len(log.data) for log in logs)
        self._pieces.append((logs, size))
        self._size += size
        while self._size - self._pieces[0][1] >= LOG_BYTES:
            self._size -= self._pieces.popleft()[1]
            self._is_cut = True

    def read(self) -> tuple[bytes, bool]:
        """The last bytes, and whether there were more."""
        data = b"".join(log.data for logs, _ in self._pieces for log in logs)
        return data[-LOG_BYTES:], self._is_cut or len(data) > LOG_BYTES


class Steps:
    """What a build has said of its steps, without the logs of those that have succeeded."""

    def __init__(self) -> None:
        self._vertexes: dict[str, Vertex] = {}
        self._tails: dict[str, _Tail] = {}
        self._failed: list[str] = []
        self._news = asyncio.Event()

    def note(self, status: SolveStatus) -> None:
        """Take what one message says."""
        if status.logs:
            by_vertex = (
                status.logs.by_vertex() if isinstance(status.logs, UnreadLogs) else _by_vertex(status.logs)
            )
            for digest, logs in by_vertex.items():
                self._tails.setdefault(digest, _Tail()).add(logs)
        for vertex in status.vertexes:
            self._vertexes[vertex.digest] = vertex
            if vertex.completed_ns is None:
                continue
            if not vertex.error:
                self._tails.pop(vertex.digest, None)
            elif vertex.digest not in self._failed:
                self._failed.append(vertex.digest)
        self._news.set()

    async def explain(self, error: SolveError) -> None:
        """Say in `error` which step it was, once Status has told its end."""
        digest = _vertex_digest(error.details)
        try:
            async with asyncio.timeout(_SAID_SECONDS):
                while not (digest in self._failed if digest else self._failed):
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            pass
        self.describe(error)

    def describe(self, error: SolveError) -> None:
        """Say in `error` which step it was, from what is known now."""
        digest = _vertex_digest(error.details) or next(iter(self._failed), "")
        if not digest:
            return
        solve = _solve(error.details)
        vertex = self._vertexes.get(digest, Vertex(digest))
        log, is_cut = self._tails[digest].read() if digest in self._tails else (b"", False)
        args = solve.op.exec.meta.args if solve.op.WhichOneof("op") == "exec" else ()
        error.step = FailedStep(
            digest,
            vertex.name or solve.description.get("llb.customname", ""),
            tuple(args),
            _exit_code(error.details),
            log,
            is_cut,
            error.excerpts,
            _instant(vertex.started_ns),
            _instant(vertex.completed_ns),
            tuple(solve.inputIDs),
            tuple(solve.mountIDs),
            solve.op.SerializeToString() if solve.HasField("op") else b"",
        )


def _by_vertex(logs: Sequence[VertexLog]) -> Mapping[str, Sequence[VertexLog]]:
    found: dict[str, list[VertexLog]] = {}
    for log in logs:
        found.setdefault(log.vertex, []).append(log)
    return found


def _value(details: Sequence[ErrorDetail], type_name: str) -> Mapping[str, Any]:
    return next((detail.value for detail in details if detail.type_name == type_name), {})


def _vertex_digest(details: Sequence[ErrorDetail]) -> str:
    digest = _value(details, "errdefs.Vertex").get("digest")
    return digest if isinstance(digest, str) else ""


def _exit_code(details: Sequence[ErrorDetail]) -> int | None:
    value = _value(details, "gatewayapi.ExitMessage")
    code = value.get("Code", 0)
    return code if value and isinstance(code, int) else None


def _solve(details: Sequence[ErrorDetail]) -> errdefs_pb2.Solve:
    """What the daemon says of the solve; empty where it says nothing that can be read."""
    value = dict(_value(details, "errdefs.Solve"))
    try:
        return json_format.ParseDict(value, errdefs_pb2.Solve(), ignore_unknown_fields=True)
    except (json_format.ParseError, ProtobufError, TypeError, ValueError, AttributeError, RecursionError):
        return errdefs_pb2.Solve()


def _instant(nanoseconds: int | None) -> datetime | None:
    if nanoseconds is None:
        return None
    try:
        return datetime.fromtimestamp(nanoseconds / 1e9, UTC)
    except (OverflowError, ValueError, OSError):
        return None
