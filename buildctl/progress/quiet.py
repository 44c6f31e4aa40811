"""The quiet voice: nothing."""

from __future__ import annotations

from buildctl.model.status import SolveStatus


class QuietRenderer:
    """Shows nothing, not even failures: the error that ends the command is all there is."""

    replaces = False
    restore = b""

    def absorb(self, status: SolveStatus, now_ns: int) -> bytes:
        return b""

    def render(self, now_ns: int) -> bytes:
        return b""

    def finish(self, now_ns: int, between: bytes = b"") -> bytes:
        return between
