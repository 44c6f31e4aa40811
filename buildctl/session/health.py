"""The health service, by which the daemon knows that this client is still there.

It asks every one to five seconds, and gives the session up after one or two answers that do not come within
10 to 30 seconds. Answers are ready-made and the connection sends them before any content.

How a daemon gives up was seen with a client that was stopped: BuildKit 0.13 sends GOAWAY and leaves the
stream of the session open; 0.8 leaves it open, too, and is silent: it does not even take its check back.
"""

from __future__ import annotations

import asyncio
import contextlib
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
_PATIENCE_SECONDS = 10.0
"""How long a daemon waits for an answer at least: BuildKit's before 0.9."""
_ASKS_AGAIN_SECONDS = 6.0
"""A daemon that has not given up asks at least this often, and at once when an answer came late."""
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
        self._began = self._alive = now()
        self._answered = False
        self._pause = 0.0  # the last time of some length for which this process did not run
        self._resumed = 0.0  # when it ended
        self._checks_since = 0
        self._went_away = False
        self._news = asyncio.Event()  # for `is_given_up`

    async def watch(self) -> None:
        """Notice when this process is not run, until cancelled."""
        while True:
            self._notice_pause()
            await asyncio.sleep(_BEAT_SECONDS)

    def _notice_pause(self) -> None:
        """To be called whenever this process is seen to run, at least every beat."""
        before, self._alive = self._alive, now()
        pause = self._alive - before - _BEAT_SECONDS
        if pause >= _PAUSE_SECONDS:
            self._pause, self._resumed, self._checks_since = pause, self._alive, 0

    def note_going_away(self) -> None:
        """The daemon has said that it will call nothing any more."""
        self._went_away = True
        self._news.set()

    @property
    def in_doubt(self) -> bool:
        """Whether the daemon may have given up: no check has come for long, or this process did not run."""
        self._notice_pause()
        heard = self._began if self.last_check is None else self.last_check
        return self._went_away or self._is_unsettled or now() - heard >= _SILENCE_SECONDS

    @property
    def _is_unsettled(self) -> bool:
        """Whether there was a pause, and since then at most the one check that may have waited for it."""
        return self._pause >= _PAUSE_SECONDS and self._checks_since < 2

    async def is_given_up(self) -> bool:
        """Whether the daemon has certainly given up; after a pause, waits until it must have asked again."""
        while not self._went_away and self._is_unsettled and self._pause >= _PATIENCE_SECONDS:
            left = self._resumed + _ASKS_AGAIN_SECONDS - now()
            if left <= 0:
                return True
            self._news.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), left)
        return self._went_away

    def account(self) -> str:
        """What is known of the checks so far, as half a sentence."""
        if self.last_check is None:
            text = "no health check ever came"
        else:
            answered = "answered" if self._answered else "not answered in time"
            text = f"the last health check came {now() - self.last_check:.1f} s ago and was {answered}"
        if self._pause >= _PAUSE_SECONDS:
            text += (
                f"; this process did not run for {self._pause:.0f} s until {now() - self._resumed:.1f} s ago"
            )
        return text

    @property
    def methods(self) -> Mapping[str, Handler]:
        return {
            _SERVICE + "Check": self._check,
            _SERVICE + "List": _list,
            _SERVICE + "Watch": _watch,
        }

    async def _check(self, stream: ServerStream) -> None:
        self._notice_pause()
        self.last_check, self._answered = now(), False
        self._checks_since += 1
        self._news.set()
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
