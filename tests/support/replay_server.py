"""A daemon that answers from a recording, on a unix socket, and keeps what it was asked.

Each call that comes in gets the recorded answers of the next unused call of its method, at the recorded
intervals, or those of the last one again. A method that was never recorded is UNIMPLEMENTED. Sessions are
accepted and say nothing.
"""

from __future__ import annotations

import contextlib
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc

from tests.support.replay import Recording, load

_SESSION = "/moby.buildkit.v1.Control/Session"
_TRANSPORT_KEYS = frozenset({"user-agent", "te", "content-type", "grpc-accept-encoding", "traceparent"})


@dataclass(frozen=True)
class ReceivedCall:
    """A call that a client made; `request` is None for a session."""

    method: str
    metadata: tuple[tuple[str, str], ...]
    request: bytes | None
    traceparent: str = field(default="", compare=False)


class ReplayServer(grpc.GenericRpcHandler):  # type: ignore[type-arg]  # generic in its stubs alone
    """Answers for recorded calls; `received` is what it was asked, in order."""

    def __init__(self, recordings: Iterable[Recording], speed: float) -> None:
        self._recordings: dict[str, list[Recording]] = defaultdict(list)
        for recording in recordings:
            self._recordings[recording.method].append(recording)
        self._speed = speed
        self._lock = threading.Lock()
        self.received: list[ReceivedCall] = []
        self.stopped = threading.Event()

    def calls(self, method: str) -> list[ReceivedCall]:
        """What was asked of a method, which is named by the end of its path."""
        return [call for call in self.received if call.method.endswith(method)]

    def service(self, details: Any) -> Any:
        if details.method not in self._recordings:
            return None
        if details.method == _SESSION:
            self._note(details, None)
            return grpc.stream_stream_rpc_method_handler(_swallow, None, None)
        with self._lock:
            queue = self._recordings[details.method]
            recording = queue.pop(0) if len(queue) > 1 else queue[0]

        def answer(requests: Iterator[bytes], context: Any) -> Iterator[bytes]:
            self._note(details, next(requests, b""))
            at = recording.started
            for due, data in recording.responses:
                self._wait(due - at)
                at = due
                yield data
            self._wait(recording.ended - at)
            context.set_trailing_metadata(recording.trailers)
            context.set_code(grpc.StatusCode[recording.code])
            context.set_details(recording.details)

        return grpc.stream_stream_rpc_method_handler(answer, None, None)

    def _note(self, details: Any, request: bytes | None) -> None:
        pairs = [(pair[0], pair[1]) for pair in details.invocation_metadata]
        metadata = tuple(sorted(pair for pair in pairs if pair[0] not in _TRANSPORT_KEYS))
        traceparent = dict(pairs).get("traceparent", "")
        with self._lock:
            self.received.append(ReceivedCall(details.method, metadata, request, traceparent))

    def _wait(self, seconds: float) -> None:
        if self._speed and seconds > 0:
            self.stopped.wait(seconds / self._speed)


def _swallow(requests: Iterator[bytes], context: Any) -> Iterator[bytes]:
    for _ in requests:
        pass
    yield from ()


@contextlib.contextmanager
def serve(
    handler: grpc.GenericRpcHandler[Any, Any], socket: Path, *others: grpc.GenericRpcHandler[Any, Any]
) -> Iterator[None]:
    """A gRPC server on `socket` until the block ends."""
    pool = ThreadPoolExecutor(16)
    options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    server = grpc.server(pool, handlers=[handler, *others], options=options)
    server.add_insecure_port(f"unix:{socket}")
    server.start()
    try:
        yield
    finally:
        server.stop(0).wait()
        pool.shutdown()


@contextlib.contextmanager
def replay_server(
    name: str, socket: Path, *others: grpc.GenericRpcHandler[Any, Any], speed: float = 1.0
) -> Iterator[ReplayServer]:
    """Serve the case `name` on `socket`, besides what `others` do; a speed of 0 answers at once."""
    handler = ReplayServer(load(name).calls, speed)
    with serve(handler, socket, *others):
        try:
            yield handler
        finally:
            handler.stopped.set()
