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
_MOST_BYTES = 16 << 20
"""Of names and logs of all steps: room for a hundred that write at once."""
_NAME_LIMIT = 1 << 16
_MOST_PIECES = 1000
"""Of a log; more are put together, for each takes more room than what is in it."""
_PIECE_BYTES = 1000
_STEP_BYTES = 1000
_SAID_SECONDS = 1.0
"""How long what Status says of a failed step may come after the call that failed."""


class _Tail:
    """The end of what a step writes, unread: a build prints far more than anybody asks for."""

    def __init__(self) -> None:
        self._pieces: deque[tuple[Sequence[VertexLog], int]] = deque()
        self._size = 0
        self._is_cut = False

    @property
    def cost(self) -> int:
        """Bytes that it takes to keep."""
        return self._size + _PIECE_BYTES * len(self._pieces)

    def add(self, logs: Sequence[VertexLog]) -> None:
        size = logs.size_bytes if isinstance(logs, UnreadLogs) else sum(len(log.data) for log in logs)
        if size == 0:
            return
        self._pieces.append((logs, size))
        self._size += size
        while self._size - self._pieces[0][1] >= LOG_BYTES:
            self._size -= self._pieces.popleft()[1]
            self._is_cut = True
        if len(self._pieces) > _MOST_PIECES:
            data, self._is_cut = self.read()
            self._pieces = deque([((VertexLog("", data, 1, 0),), len(data))])
            self._size = len(data)

    def read(self) -> tuple[bytes, bool]:
        """The last bytes, and whether there were more."""
        data = b"".join(log.data for logs, _ in self._pieces for log in logs)
        return data[-LOG_BYTES:], self._is_cut or len(data) > LOG_BYTES


class _Step:
    """What is known of one step."""

    def __init__(self, vertex: Vertex) -> None:
        self.tail = _Tail()
        self.failed = False
        self.take(vertex)

    def take(self, vertex: Vertex) -> None:
        self.name = vertex.name[:_NAME_LIMIT]
        self.started_ns = vertex.started_ns
        self.completed_ns = vertex.completed_ns
        if vertex.completed_ns is None:
            return
        if vertex.error:
            self.failed = True
        else:
            self.tail = _Tail()

    @property
    def cost(self) -> int:
        return len(self.name) + _STEP_BYTES + self.tail.cost


class Steps:
    """What a build has said of its steps, without the logs of those that have succeeded.

    Beyond a limit the first steps that it spoke of are forgotten.
    """

    def __init__(self) -> None:
        self._steps: dict[str, _Step] = {}
        self._cost = 0
        self._first_failed = ""
        self._news = asyncio.Event()

    def note(self, status: SolveStatus) -> None:
        """Take what one message says."""
        if status.logs:
            by_vertex = (
                status.logs.by_vertex() if isinstance(status.logs, UnreadLogs) else _by_vertex(status.logs)
            )
            for digest, logs in by_vertex.items():
                step = self._step(digest)
                before = step.cost
                step.tail.add(logs)
                self._cost += step.cost - before
        for vertex in status.vertexes:
            step = self._step(vertex.digest)
            before = step.cost
            step.take(vertex)
            self._cost += step.cost - before
            if step.failed and not self._first_failed:
                self._first_failed = vertex.digest
        while self._cost > _MOST_BYTES:
            digest = next(iter(self._steps))
            self._cost -= self._steps.pop(digest).cost + len(digest)
        self._news.set()

    def _step(self, digest: str) -> _Step:
        step = self._steps.get(digest)
        if step is None:
            step = self._steps[digest] = _Step(Vertex(digest))
            self._cost += step.cost + len(digest)
        return step

    def _has_failed(self, digest: str) -> bool:
        """Whether that step has failed; of none, whether any has."""
        if not digest:
            return bool(self._first_failed)
        return digest in self._steps and self._steps[digest].failed

    async def explain(self, error: SolveError) -> None:
        """Say in `error` which step it was, once Status has told its end."""
        digest = _vertex_digest(error.details)
        try:
            async with asyncio.timeout(_SAID_SECONDS):
                while not self._has_failed(digest):
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            pass
        self.describe(error)

    def describe(self, error: SolveError) -> None:
        """Say in `error` which step it was, from what is known now."""
        digest = _vertex_digest(error.details) or self._first_failed
        if not digest:
            return
        solve = _solve(error.details)
        step = self._steps.get(digest) or _Step(Vertex(digest))
        log, is_cut = step.tail.read()
        args = solve.op.exec.meta.args if solve.op.WhichOneof("op") == "exec" else ()
        error.step = FailedStep(
            digest,
            step.name or solve.description.get("llb.customname", ""),
            tuple(args),
            _exit_code(error.details),
            log,
            is_cut,
            error.excerpts,
            _instant(step.started_ns),
            _instant(step.completed_ns),
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
