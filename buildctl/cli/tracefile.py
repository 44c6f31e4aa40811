"""`build --trace FILE`: all that a build says, appended to a file as lines of JSON."""

from __future__ import annotations

from buildctl.cli.linefile import LineFile
from buildctl.model.status import SolveStatus
from buildctl.progress.rawjson import encode_status


class TraceFile(LineFile):
    """Within its `async with`, `update` is a status sink that never waits."""

    def update(self, status: SolveStatus) -> None:
        """Append a message."""
        self.append(encode_status(status))
