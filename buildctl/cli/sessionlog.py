"""`build --session-log FILE`: what the daemon asked of this machine and got, appended as lines of JSON."""

from __future__ import annotations

import json
from collections.abc import Callable

from buildctl.cli.linefile import LineFile
from buildctl.model.instant import format_instant
from buildctl.model.sessionrequest import SessionRequest

_MAX_BYTES = 256 << 20
"""What one build may add: a daemon can ask as often as it likes."""


class SessionLog(LineFile):
    """Within its `async with`, `note` never waits."""

    def __init__(
        self, path: str, descriptor: int, now_ns: Callable[[], int], *, max_bytes: int = _MAX_BYTES
    ) -> None:
        """A log on an open descriptor, which is closed at the end."""
        super().__init__(path, descriptor)
        self._now_ns = now_ns
        self._left = max_bytes

    def note(self, ref: str, request: SessionRequest) -> None:
        """Append a request of the build `ref`; of one that would make the log too long, that it ends."""
        if self._left < 0:
            return
        told = {name: found for name, found in request._asdict().items() if found not in (None, {})}
        line = _encoded({"time": format_instant(self._now_ns()), "ref": ref, **told})
        self._left -= len(line)
        self.append(line if self._left >= 0 else _encoded({"ref": ref, "outcome": "the log is full"}))


def _encoded(told: dict[str, object]) -> bytes:
    # In ASCII: a path may hold bytes that are no text.
    return json.dumps(told, separators=(",", ":")).encode() + b"\n"
