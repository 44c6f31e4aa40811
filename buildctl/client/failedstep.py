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
_MOST_PIECES = 1 << 12
"""Messages with logs of a step that are kept at most, however little they say."""
_ALL_LOG_BYTES = 16 << 20
"""Of the logs of all steps together; those of steps that have been silent for longest go first."""
_STEPS_BYTES = 16 << 20
"""Of what is known of steps besides their logs; those heard of longest ago go first."""
_STEP_COST = 500
_LOG_COST = 150
_INPUT_COST = 130
_SAID_SECONDS = 1.0
"""How long what Status says of a failed step may come after the call that failed."""


class _Tail:
    """The end of what a step writes, unread: a build prints far more than anybody asks for."""

    def __init__(self) -> None:
        self._pieces: deque[tuple[Sequence[VertexLog], int]] = deque()
        self._size = self._count = 0
        self._is_cut = False

    @property
    def cost(self) -> int:
        """Bytes that it takes, more or less."""
        return self._size + _LOG_COST * self._count + _STEP_COST * len(self._pieces)

    def add(self, logs: Sequence[VertexLog]) -> None:
        size = logs.size_bytes if isinstance(logs, UnreadLogs) else sum(len(log.data) for log in logs)
        self._pieces.append((logs, size))
        self._size += size
        self._count += len(logs)
        while self._size - self._pieces[0][1] >= LOG_BYTES or len(self._pieces) > _MOST_PIECES:
            some, size = self._pieces.popleft()
            self._size -= size
            self._count -= len(some)
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
        self._failed: dict[str, None] = {}
        self._vertexes_cost = 0
        self._tails_cost = 0
        self._news = asyncio.Event()

    def note(self, status: SolveStatus) -> None:
        """Take what one message says."""
        if status.logs:
            by_vertex = (
                status.logs.by_vertex() if isinstance(status.logs, UnreadLogs) else _by_vertex(status.logs)
            )
            for digest, logs in by_vertex.items():
                self._add_logs(digest, logs)
        for vertex in status.vertexes:
            self._add_vertex(vertex)
            if vertex.completed_ns is None:
                continue
            if vertex.error:
                self._failed.setdefault(vertex.digest)
            elif (tail := self._tails.pop(vertex.digest, None)) is not None:
                self._tails_cost -= tail.cost
        self._news.set()

    def _add_logs(self, digest: str, logs: Sequence[VertexLog]) -> None:
        tail = self._tails.pop(digest, None)
        if tail is None:
            tail = _Tail()
        else:
            self._tails_cost -= tail.cost
        tail.add(logs)
        self._tails[digest] = tail
        self._tails_cost += tail.cost
        while self._tails_cost > _ALL_LOG_BYTES and len(self._tails) > 1:
            self._tails_cost -= self._tails.pop(next(iter(self._tails))).cost

    def _add_vertex(self, vertex: Vertex) -> None:
        known = self._vertexes.pop(vertex.digest, None)
        if known is not None:
            self._vertexes_cost -= _cost(known)
        self._vertexes[vertex.digest] = vertex
        self._vertexes_cost += _cost(vertex)
        while self._vertexes_cost > _STEPS_BYTES and len(self._vertexes) > 1:
            oldest = next(iter(self._vertexes))
            self._vertexes_cost -= _cost(self._vertexes.pop(oldest))
            self._failed.pop(oldest, None)

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


def _cost(vertex: Vertex) -> int:
    texts = len(vertex.digest) + len(vertex.name) + len(vertex.error)
    return _STEP_COST + texts + len(vertex.inputs) * _INPUT_COST


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
