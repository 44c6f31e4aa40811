"""A renderer whose bytes pass through a filter on their way to a terminal or a CI service."""

from __future__ import annotations

from typing import Protocol

from buildctl.model.status import SolveStatus
from buildctl.progress.renderer import Renderer


class Filter(Protocol):
    """A stream of bytes, cut anywhere."""

    def feed(self, data: bytes) -> bytes:
        """What may be written by now."""

    def end(self) -> bytes:
        """What is left when no more comes."""


class Passed:
    """A renderer, and the filter for all that it gives."""

    def __init__(self, renderer: Renderer, through: Filter) -> None:
        self._renderer = renderer
        self._through = through
        self.replaces = renderer.replaces

    @property
    def restore(self) -> bytes:
        return self._through.end() + self._renderer.restore

    def absorb(self, status: SolveStatus, now_ns: int) -> bytes:
        return self._through.feed(self._renderer.absorb(status, now_ns))

    def render(self, now_ns: int) -> bytes:
        return self._through.feed(self._renderer.render(now_ns))

    def finish(self, now_ns: int, between: bytes = b"") -> bytes:
        return self._through.feed(self._renderer.finish(now_ns, between)) + self._through.end()
