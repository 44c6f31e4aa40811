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


class Health:
    """Attachable: this client as a whole, which is the service of no name, is serving."""

    def __init__(self) -> None:
        self.last_check: float | None = None
        """When the daemon last asked, by the monotonic clock."""

    @property
    def methods(self) -> Mapping[str, Handler]:
        return {
            _SERVICE + "Check": self._check,
            _SERVICE + "List": _list,
            _SERVICE + "Watch": _watch,
        }

    async def _check(self, stream: ServerStream) -> None:
        self.last_check = time.monotonic()
        if await _requested_service(stream):
            raise ServiceError(Code.NOT_FOUND, "unknown service")
        await stream.send_messages([_SERVING])


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
