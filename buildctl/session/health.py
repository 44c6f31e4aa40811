"""The health service, by which the daemon knows that this client is still there.

It asks every five seconds and gives the session up after two failures, so answers are ready-made and the
connection sends them before any content.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

from google.protobuf.message import DecodeError

from buildctl._pb import health_pb2
from buildctl.errors import Code, ServiceError
from buildctl.session.stream import Handler, ServerStream

_SERVICE = "/grpc.health.v1.Health/"
_Response = health_pb2.HealthCheckResponse
_SERVING = _Response(status=_Response.SERVING).SerializeToString()
_SERVICE_UNKNOWN = _Response(status=_Response.SERVICE_UNKNOWN).SerializeToString()


_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # it goes on while a laptop sleeps
_BEAT_SECONDS = 1.0
_PAUSE_SECONDS = 5.0
"""From how long on it matters that this process did not run."""
_SILENCE_SECONDS = 11.0
"""From how long on it is odd that no check comes; they are five seconds apart."""


def now() -> float:
    """Seconds by the clock that health is told by, from no particular instant on."""
    return time.clock_gettime(_CLOCK)


class Health:
    """Attachable: this client as a whole, which is the service of no name, is serving."""

    def __init__(self) -> None:
        self.last_check: float | None = None
        """When the daemon last asked, by `now`."""
        self._began = now()
        self._answered = False
        self._pause = 0.0  # the longest time for which this process did not run

    async def watch(self) -> None:
        """Notice when this process is not run, until cancelled."""
        while True:
            began = now()
            await asyncio.sleep(_BEAT_SECONDS)
            self._pause = max(self._pause, now() - began - _BEAT_SECONDS)

    @property
    def in_doubt(self) -> bool:
        """Whether the daemon may have given up: no check has come for long, or this process did not run."""
        heard = self._began if self.last_check is None else self.last_check
        return self._pause >= _PAUSE_SECONDS or now() - heard >= _SILENCE_SECONDS

    def account(self) -> str:
        """What is known of the checks so far, as half a sentence."""
        if self.last_check is None:
            text = "no health check ever came"
        else:
            answered = "answered" if self._answered else "not answered in time"
            text = f"the last health check came {now() - self.last_check:.1f} s ago and was {answered}"
        if self._pause >= _PAUSE_SECONDS:
            text += f"; this process did not run for {self._pause:.0f} s"
        return text

    @property
    def methods(self) -> Mapping[str, Handler]:
        return {
            _SERVICE + "Check": self._check,
            _SERVICE + "List": _list,
            _SERVICE + "Watch": _watch,
        }

    async def _check(self, stream: ServerStream) -> None:
        self.last_check, self._answered = now(), False
        if await _requested_service(stream):
            raise ServiceError(Code.NOT_FOUND, "unknown service")
        await stream.send_messages([_SERVING])
        self._answered = True


async def _list(stream: ServerStream) -> None:
    statuses = {"": _Response(status=_Response.SERVING)}
    await stream.send_messages([health_pb2.HealthListResponse(statuses=statuses).SerializeToString()])


async def _watch(stream: ServerStream) -> None:
    known = not await _requested_service(stream)
    await stream.send_messages([_SERVING if known else _SERVICE_UNKNOWN])
    await asyncio.get_running_loop().create_future()  # nothing changes until the daemon cancels


async def _requested_service(stream: ServerStream) -> str:
    messages = await stream.receive_messages()
    try:
        return health_pb2.HealthCheckRequest.FromString(b"".join(messages[:1])).service
    except DecodeError:
        raise ServiceError(Code.INTERNAL, "the request is no HealthCheckRequest") from None
