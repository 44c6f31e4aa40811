"""What a way of showing a build has to offer: the seam between the pump and the voices."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from buildctl.model.status import SolveStatus


class Renderer(Protocol):
    """Turns what a build says into bytes for a stream. It neither writes nor waits nor asks the time."""

    replaces: bool
    """What `render` returns makes earlier output obsolete, so a slow stream may be spared some of it."""

    @property
    def restore(self) -> bytes:
        """What puts the stream right if there will be no `finish`."""

    def absorb(self, status: SolveStatus, now_ns: int) -> bytes:
        """Take in a message; what it returns is shown at once, whatever the pace."""

    def render(self, now_ns: int) -> bytes:
        """What to show now."""

    def finish(self, now_ns: int, between: bytes = b"") -> bytes:
        """What to show last: the final state, what is to be said then, and the logs of failed vertexes."""


@runtime_checkable
class Leaving(Protocol):
    """A renderer with a picture, which it can leave where it stands and begin again below."""

    def leave(self, now_ns: int) -> bytes:
        """What makes the picture a part of what was written before."""


@runtime_checkable
class Judging(Protocol):
    """A renderer that says at the end how the build has ended."""

    def note_failure(self, *, canceled: bool) -> None:
        """The build has failed or was canceled, whatever its steps say."""
