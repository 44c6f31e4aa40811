"""When a display shows what it knows: the reference's pace, as arithmetic on instants passed in.

Every message is absorbed at once. It is rendered too unless another was a moment ago; what was left
out then is caught up when no message has come for a while.
"""

from __future__ import annotations

from buildctl.model.status import SolveStatus
from buildctl.progress.renderer import Renderer

_QUIET_NS = 150_000_000
_APART_NS = 100_000_000
_MILLISECOND_NS = 1_000_000


class Pump:
    """Drives a renderer. `rate_ms` (TTY_DISPLAY_RATE) sets both intervals of the pace."""

    def __init__(self, renderer: Renderer, now_ns: int, *, rate_ms: int | None = None) -> None:
        self._renderer = renderer
        self._quiet_ns = _QUIET_NS if rate_ms is None else rate_ms * _MILLISECOND_NS
        self._apart_ns = _APART_NS if rate_ms is None else rate_ms * _MILLISECOND_NS
        self._next_render_ns = now_ns
        self.due_ns = now_ns + self._quiet_ns
        """When `refresh` is to be called, unless a message comes first."""

    def update(self, status: SolveStatus, now_ns: int, *, busy: bool = False) -> bytes:
        """Take in a message; what to write now. `busy`: the last write is not over."""
        shown = self._renderer.absorb(status, now_ns)
        self.due_ns = now_ns + self._quiet_ns
        if now_ns < self._next_render_ns:
            return shown
        self._next_render_ns = now_ns + self._apart_ns
        return shown + self._render(now_ns, busy)

    def refresh(self, now_ns: int, *, busy: bool = False) -> bytes:
        """Catch up, once `due_ns` has come."""
        # A ticker keeps its beat, but does not make up for beats that were missed.
        missed = max(0, now_ns - self.due_ns) // self._quiet_ns
        self.due_ns += (missed + 1) * self._quiet_ns
        return self._render(now_ns, busy)

    def finish(self, now_ns: int, between: bytes = b"") -> bytes:
        """All that is left to show, with `between` before the logs of what failed."""
        return self._renderer.finish(now_ns, between)

    def _render(self, now_ns: int, busy: bool) -> bytes:
        return b"" if busy and self._renderer.replaces else self._renderer.render(now_ns)
