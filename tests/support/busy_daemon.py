"""A daemon that keeps a build busy in every way at once, and measures how soon it answers health checks.

It takes the offered folders, reads files, prints logs, and is itself quick: h2 speaks its end of the tunnel,
packets are counted rather than parsed, and the logs are encoded once. One without folders and logs lets its
build idle until the other's ends: what its checks take is the machine's doing, and the daemons'.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
import time
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import grpc
import h2.config
import h2.connection
import h2.events
import h2.exceptions

from buildctl._pb import control_pb2, worker_pb2
from buildctl._pb.fsutil_pb2 import Packet

CHECK = "/grpc.health.v1.Health/Check"
DIFF_COPY = "/moby.filesync.v1.FileSync/DiffCopy"
_STREAMS = 64 << 20
_BURST_S = 0.05
_VERTEXES = 4


@dataclass
class Load:
    """What is asked of the client, and what came of it."""

    folders: dict[str, int]
    """Local names, and for each how many of its first regular files are read."""
    lines_per_second: int
    check_every_s: float = 0.03
    entries: dict[str, int] = field(default_factory=dict)
    content_bytes: dict[str, int] = field(default_factory=dict)
    lines: int = 0
    seconds: float = 0.0
    """How long the transfers took."""
    answered_s: list[float] = field(default_factory=list)
    """How long each health check waited for its answer."""
    until: asyncio.Event | None = None
    """What a build waits for that has no folders."""

    def percentile(self, share: float) -> float:
        ordered = sorted(self.answered_s)
        return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


class BusyDaemon(grpc.GenericRpcHandler):  # type: ignore[type-arg]  # generic in the stubs alone
    """One build: it ends when all folders have arrived."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self._taken = asyncio.Event()

    def service(self, call_details: Any) -> Any:
        match call_details.method.rpartition("/")[2]:
            case "ListWorkers":
                return grpc.unary_unary_rpc_method_handler(self._workers)
            case "Solve":
                return grpc.unary_unary_rpc_method_handler(self._solve)
            case "Status":
                return grpc.unary_stream_rpc_method_handler(self._status)
            case "Session":
                return grpc.stream_stream_rpc_method_handler(self._session)
        return None

    async def _workers(self, request: bytes, context: Any) -> bytes:
        record = worker_pb2.WorkerRecord(ID="w")
        return control_pb2.ListWorkersResponse(record=[record]).SerializeToString()

    async def _solve(self, request: bytes, context: Any) -> bytes:
        await self._taken.wait()
        return control_pb2.SolveResponse().SerializeToString()

    async def _status(self, request: bytes, context: Any) -> AsyncIterator[bytes]:
        digests = [f"sha256:{number:064x}" for number in range(_VERTEXES)]
        yield control_pb2.StatusResponse(
            vertexes=[
                {"digest": digest, "name": f"[stage-{n} 1/1] RUN x", "started": {"seconds": 1}}
                for n, digest in enumerate(digests)
            ]
        ).SerializeToString()
        count = int(self.load.lines_per_second * _BURST_S)
        line = b"compiling something/or/other-%06d.c with all warnings turned on\n"
        burst = control_pb2.StatusResponse(
            logs=[
                {"vertex": digests[n % _VERTEXES], "msg": line % n, "stream": 1, "timestamp": {"seconds": 2}}
                for n in range(count)
            ]
        ).SerializeToString()
        due = time.monotonic()
        while not self._taken.is_set():
            if count:
                yield burst
            self.load.lines += count
            # What could not be drawn in its time is not made up for.
            due = max(due + _BURST_S, time.monotonic() - _BURST_S)
            await asyncio.sleep(max(0.0, due - time.monotonic()))

    async def _session(self, requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        tunnel = _Tunnel()
        jobs = [
            asyncio.create_task(self._take(tunnel, name, wanted))
            for name, wanted in self.load.folders.items()
        ]
        checks = asyncio.create_task(self._check(tunnel))
        feeding = asyncio.create_task(tunnel.feed(requests))
        feeding.add_done_callback(tunnel.close)
        ending = asyncio.create_task(self._end(jobs))
        try:
            async for data in tunnel.output():
                yield control_pb2.BytesMessage(data=data).SerializeToString()
        finally:
            for task in (*jobs, checks, ending):
                task.cancel()
            await asyncio.gather(*jobs, checks, ending, return_exceptions=True)
            feeding.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await feeding

    async def _end(self, jobs: Iterable[asyncio.Task[None]]) -> None:
        began = time.monotonic()
        await asyncio.gather(*jobs)
        if self.load.until is not None:
            await self.load.until.wait()
        self.load.seconds = time.monotonic() - began
        self._taken.set()

    async def _check(self, tunnel: _Tunnel) -> None:
        while True:
            await asyncio.sleep(self.load.check_every_s)
            asked = time.monotonic()
            answered = asyncio.Event()
            stream_id = tunnel.call(CHECK, {}, on_end=answered.set)
            tunnel.send(stream_id, bytes(5), end=True)
            await answered.wait()
            self.load.answered_s.append(time.monotonic() - asked)

    async def _take(self, tunnel: _Tunnel, name: str, wanted: int) -> None:
        load = self.load
        load.entries[name] = load.content_bytes[name] = 0
        over = asyncio.Event()
        buffer = bytearray()
        asked = done = 0
        listed = finished = False

        def receive(data: bytes) -> None:
            nonlocal asked, done, listed, finished
            buffer.extend(data)
            at = 0
            answers = []
            while len(buffer) - at >= 5:
                (size,) = struct.unpack_from(">I", buffer, at + 1)
                if len(buffer) - at - 5 < size:
                    break
                message = bytes(buffer[at + 5 : at + 5 + size])
                at += 5 + size
                if not listed and asked >= wanted and message[:1] == b"\x12":  # type 0 and a stat: count it
                    load.entries[name] += 1
                    continue
                packet = Packet.FromString(message)
                if packet.type == Packet.PACKET_STAT and packet.HasField("stat"):
                    if packet.stat.mode < 0o1000 and asked < wanted:
                        answers.append(Packet(type=Packet.PACKET_REQ, ID=load.entries[name]))
                        asked += 1
                    load.entries[name] += 1
                elif packet.type == Packet.PACKET_STAT:
                    listed = True
                elif packet.type == Packet.PACKET_DATA and packet.data:
                    load.content_bytes[name] += len(packet.data)
                elif packet.type == Packet.PACKET_DATA:
                    done += 1
                elif packet.type == Packet.PACKET_ERR:
                    raise AssertionError(packet.data)
            del buffer[:at]
            if listed and done == asked and not finished:
                finished = True
                answers.append(Packet(type=Packet.PACKET_FIN))
            for answer in answers:
                encoded = answer.SerializeToString()
                tunnel.send(stream_id, struct.pack(">BI", 0, len(encoded)) + encoded)

        stream_id = tunnel.call(DIFF_COPY, {"dir-name": name}, on_data=receive, on_end=over.set)
        await over.wait()


class _Tunnel:
    """The client end of HTTP/2 on the bytes of a session."""

    def __init__(self) -> None:
        self._connection = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self._connection.initiate_connection()
        self._connection.increment_flow_control_window(_STREAMS)
        self._ready = asyncio.Event()
        self._is_over = False
        self._on_data: dict[int, Callable[[bytes], None]] = {}
        self._on_end: dict[int, Callable[[], None]] = {}

    def call(
        self,
        path: str,
        metadata: dict[str, str],
        on_end: Callable[[], None],
        on_data: Callable[[bytes], None] | None = None,
    ) -> int:
        """Begin a call; the number of its stream."""
        stream_id = self._connection.get_next_available_stream_id()
        fields = {
            ":method": "POST",
            ":scheme": "http",
            ":path": path,
            ":authority": "localhost",
            "content-type": "application/grpc",
            "te": "trailers",
            **metadata,
        }
        self._connection.send_headers(stream_id, list(fields.items()))
        self._connection.increment_flow_control_window(_STREAMS, stream_id)
        self._on_end[stream_id] = on_end
        if on_data is not None:
            self._on_data[stream_id] = on_data
        self._ready.set()
        return stream_id

    def send(self, stream_id: int, data: bytes, *, end: bool = False) -> None:
        self._connection.send_data(stream_id, data, end_stream=end)
        self._ready.set()

    async def feed(self, requests: AsyncIterator[bytes]) -> None:
        async for request in requests:
            for event in self._connection.receive_data(control_pb2.BytesMessage.FromString(request).data):
                match event:
                    case h2.events.DataReceived():
                        with contextlib.suppress(h2.exceptions.StreamClosedError):  # it has ended meanwhile
                            self._connection.acknowledge_received_data(
                                event.flow_controlled_length, event.stream_id
                            )
                        if on_data := self._on_data.get(event.stream_id):
                            on_data(event.data)
                    case h2.events.StreamEnded() | h2.events.StreamReset():
                        self._on_end.pop(event.stream_id, _nothing)()  # a reset may follow an end
            self._ready.set()

    def close(self, _: object = None) -> None:
        """Let `output` end."""
        self._is_over = True
        self._ready.set()

    async def output(self) -> AsyncIterator[bytes]:
        """What is to be sent, until the client has half-closed."""
        while not self._is_over:
            await self._ready.wait()
            self._ready.clear()
            if data := self._connection.data_to_send():
                yield data


def _nothing() -> None:
    pass
