"""Daemons made of the test's own coroutines, on a unix socket, in the test's own loop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import grpc
import grpc.aio
from google.protobuf.message import Message

from buildctl._pb import caps_pb2, control_pb2, gateway_pb2, worker_pb2
from buildctl.client.client import Client
from buildctl.errors import RPCError, SolveError
from buildctl.model.solve import SolveOpt
from buildctl.model.status import SolveStatus

LIST_WORKERS = "Control/ListWorkers"
SOLVE = "Control/Solve"
STATUS = "Control/Status"
SESSION = "Control/Session"
PING = "LLBBridge/Ping"
GATEWAY_SOLVE = "LLBBridge/Solve"
RETURN = "LLBBridge/Return"
MODERN_CAPS = ("return", "proto.refarray", "returnmap")

Answer: TypeAlias = Callable[[bytes, Any], Awaitable[Message] | AsyncIterator[Message | bytes]]
"""Takes the first request and grpc's context; returns the answer, or yields several, serialized or not."""


class ScriptedDaemon(grpc.GenericRpcHandler):  # type: ignore[type-arg]  # generic in its stubs alone
    """Answers methods by the end of their path; the others are UNIMPLEMENTED.

    `Control/Session` is answered with silence until the client half-closes, unless there is an answer for it.
    `asked` has the path and first request of every call, in order.
    """

    def __init__(self, answers: Mapping[str, Answer]) -> None:
        self._answers = {SESSION: _silence, **answers}
        self.asked: list[tuple[str, bytes]] = []

    def requests(self, name: str) -> list[bytes]:
        return [request for path, request in self.asked if path.endswith(name)]

    def service(self, details: Any) -> Any:
        answer = next(
            (answer for name, answer in self._answers.items() if details.method.endswith(name)), None
        )
        if answer is None:
            return None

        async def behave(requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
            if answer is _silence:
                async for _ in requests:
                    pass
                return
            session = details.method.endswith("Session")
            request = b"" if session else await anext(requests)
            self.asked.append((details.method, request))
            answered = answer(request, context)
            if isinstance(answered, AsyncIterator):
                async for message in answered:
                    yield message if isinstance(message, bytes) else message.SerializeToString()
            else:
                yield (await answered).SerializeToString()

        return grpc.stream_stream_rpc_method_handler(behave, None, None)


async def _silence(request: bytes, context: Any) -> Message:
    raise NotImplementedError


@contextlib.asynccontextmanager
async def scripted_daemon(
    socket: Path,
    answers: Mapping[str, Answer],
    session: grpc.GenericRpcHandler | None = None,  # type: ignore[type-arg]  # generic in its stubs alone
) -> AsyncIterator[ScriptedDaemon]:
    """Serve on `socket` until the block ends; `session` has its own way with `Control/Session`."""
    daemon = ScriptedDaemon(answers)
    handlers = [session, daemon] if session else [daemon]
    server = grpc.aio.server(handlers=handlers, options=[("grpc.max_receive_message_length", -1)])
    server.add_insecure_port(f"unix:{socket}")
    await server.start()
    try:
        yield daemon
    finally:
        await server.stop(0)


class Build:
    """A build as a modern daemon runs it, to be changed in one point.

    Solve waits for Return, Status for Solve.
    """

    def __init__(self, *caps: str, result: gateway_pb2.SolveResponse | None = None) -> None:
        self.caps = [caps_pb2.APICap(ID=cap, Enabled=True) for cap in caps or MODERN_CAPS]
        self.result = result or gateway_pb2.SolveResponse(result={"ref": {"id": "r"}})
        self.version = "v1"
        self.solving = asyncio.Event()
        self.returned = asyncio.Event()
        self.solved = asyncio.Event()
        self.answers: dict[str, Answer] = {
            LIST_WORKERS: self.list_workers,
            SOLVE: self.solve,
            STATUS: self.status,
            PING: self.ping,
            GATEWAY_SOLVE: self.gateway_solve,
            RETURN: self.gateway_return,
        }

    async def list_workers(self, request: bytes, context: Any) -> Message:
        record = worker_pb2.WorkerRecord(ID="w", BuildkitVersion={"version": self.version})
        return control_pb2.ListWorkersResponse(record=[record])

    async def ping(self, request: bytes, context: Any) -> Message:
        return gateway_pb2.PongResponse(FrontendAPICaps=self.caps)

    async def solve(self, request: bytes, context: Any) -> Message:
        try:
            self.solving.set()
            await self.returned.wait()
        finally:
            self.solved.set()
        return control_pb2.SolveResponse(ExporterResponse={"k": "v"})

    async def gateway_solve(self, request: bytes, context: Any) -> Message:
        if gateway_pb2.SolveRequest.FromString(request).Final:
            self.returned.set()
        return self.result

    async def gateway_return(self, request: bytes, context: Any) -> Message:
        self.returned.set()
        return gateway_pb2.ReturnResponse()

    async def status(self, request: bytes, context: Any) -> AsyncIterator[Message]:
        yield control_pb2.StatusResponse(vertexes=[{"digest": "d", "name": "begin"}])
        await self.solved.wait()
        yield control_pb2.StatusResponse(vertexes=[{"digest": "d", "name": "end"}])


@contextlib.asynccontextmanager
async def client_of(socket: Path) -> AsyncIterator[Client]:
    async with grpc.aio.insecure_channel(f"unix:{socket}") as channel:
        yield Client(channel)


async def solve_on(
    build: Build, tmp_path: Path, opt: SolveOpt | None = None, seen: list[str] | None = None
) -> tuple[Any, ScriptedDaemon]:
    def sink(status: SolveStatus) -> None:
        if seen is not None:
            seen.extend(vertex.name for vertex in status.vertexes)

    async with scripted_daemon(tmp_path / "s", build.answers) as daemon, client_of(tmp_path / "s") as client:
        try:
            return await client.solve(opt or SolveOpt("f"), sink), daemon
        except (RPCError, SolveError) as error:
            return error, daemon
