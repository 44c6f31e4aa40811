"""The pace at which a saved build is shown again, and the time its display is told meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from buildctl.model.status import SolveStatus
from buildctl.progress.renderer import Judging, Leaving, Renderer

LONGEST_PAUSE_S = 3600.0
_LONGEST_WAIT_S = 3600.0
"""Of who looks on, however slow the speed."""
"""Of the build's own time: a longer silence lies between two builds that were saved in one file."""


class Pace:
    """When each message is due. `now_s` is a clock that nobody sets, `speed` None as fast as possible.

    `now_ns` is how far the build has come, by its own clock.
    """

    def __init__(self, now_s: Callable[[], float], speed: float | None) -> None:
        self._now_s = now_s
        self._speed = speed
        self._reached_ns: int | None = None
        self._reached_s = 0.0

    def wait_s(self, status: SolveStatus) -> float:
        """How long to wait before the message; from then on, the build has come as far as it says."""
        instant_ns = max(_instants(status), default=self._reached_ns)
        if instant_ns is None:
            return 0.0
        if self._reached_ns is None:
            self._reached_ns, self._reached_s = instant_ns, self._now_s()
            return 0.0
        ahead_s = max(instant_ns - self._reached_ns, 0) / 1e9
        self._reached_ns = max(self._reached_ns, instant_ns)
        if self._speed is None:
            return 0.0
        # Counted from when the last was due, so that small delays do not add up.
        self._reached_s += min(min(ahead_s, LONGEST_PAUSE_S) / self._speed, _LONGEST_WAIT_S)
        return max(self._reached_s - self._now_s(), 0.0)

    def now_ns(self) -> int:
        """The build's time: that of the last message, and what has passed since it was due."""
        if self._reached_ns is None:
            return 0
        passed_s = 0.0 if self._speed is None else (self._now_s() - self._reached_s) * self._speed
        return self._reached_ns + int(passed_s * 1e9)


class OnClock:
    """A renderer that is told another time than its pump's."""

    def __init__(self, renderer: Renderer, now_ns: Callable[[], int]) -> None:
        self._renderer = renderer
        self._now_ns = now_ns
        self.replaces = renderer.replaces

    @property
    def restore(self) -> bytes:
        return self._renderer.restore

    def absorb(self, status: SolveStatus, now_ns: int) -> bytes:
        return self._renderer.absorb(status, self._now_ns())

    def render(self, now_ns: int) -> bytes:
        return self._renderer.render(self._now_ns())

    def leave(self, now_ns: int) -> bytes:
        return self._renderer.leave(self._now_ns()) if isinstance(self._renderer, Leaving) else b""

    def note_failure(self, *, canceled: bool) -> None:
        if isinstance(self._renderer, Judging):
            self._renderer.note_failure(canceled=canceled)

    def finish(self, now_ns: int, between: bytes = b"") -> bytes:
        return self._renderer.finish(self._now_ns(), between)


def _instants(status: SolveStatus) -> Iterator[int]:
    """Every instant of which a message tells; a log's 0 is none."""
    for vertex in status.vertexes:
        yield from (at for at in (vertex.started_ns, vertex.completed_ns) if at is not None)
    for counter in status.statuses:
        yield counter.timestamp_ns
        yield from (at for at in (counter.started_ns, counter.completed_ns) if at is not None)
    for log in status.logs:
        yield log.timestamp_ns
