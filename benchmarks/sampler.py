"""Runs our client and says which of its parts used the CPU.

    python sampler.py shares.json build --progress=plain ...

A thread looks at all others some hundred times a second and gives the CPU time that each has used since to
the part that it is in: that of the innermost frame that belongs to one. What Python's threads have not used,
those of grpcio's core have.
"""

from __future__ import annotations

import atexit
import json
import sys
import threading
import time
from collections import defaultdict
from pathlib import Path
from types import FrameType

_INTERVAL_SECONDS = 0.002

# The beginning of a module's name, and the part it belongs to; the first that fits counts.
PARTS = {
    "buildctl.fsutil.listing": "encoding the list of files",
    "buildctl.fsutil.content": "reading files",
    "buildctl.fsutil": "walking, and choosing by patterns",
    "buildctl.http2": "HTTP/2",
    "buildctl.session": "session and tunnel",
    "buildctl.client.socketcall": "session and tunnel",
    "buildctl.progress": "display",
    "_frozen_importlib": "start-up: imports",
    "_frozen_importlib_external": "start-up: imports",
    "buildctl": "everything else of the client",
    "grpc": "event loop, sockets, grpcio",
    "asyncio": "event loop, sockets, grpcio",
}
NATIVE = "grpcio's own threads, and the interpreter's start and end"
_OTHER = "everything else of the client"


def part_of(frame: FrameType | None) -> str:
    """The part that the innermost frame known belongs to."""
    while frame is not None:
        module = str(frame.f_globals.get("__name__", ""))
        for beginning, part in PARTS.items():
            if module == beginning or module.startswith(f"{beginning}."):
                return part
        frame = frame.f_back
    return _OTHER


class Sampler:
    """Samples from `start` to `stop`; `seconds` is CPU time by part."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._used: dict[int, float] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(_INTERVAL_SECONDS):
            self._look()
        self._look()

    def _look(self) -> None:
        for thread, frame in sys._current_frames().items():
            try:
                used = time.clock_gettime(time.pthread_getcpuclockid(thread))
            except OSError:  # it has just ended
                continue
            if thread != self._thread.ident:
                self.seconds[part_of(frame)] += used - self._used.get(thread, 0.0)
            self._used[thread] = used

    @property
    def own_seconds(self) -> float:
        """What sampling itself has used."""
        return self._used.get(self._thread.ident or 0, 0.0)


def main() -> None:
    output = Path(sys.argv.pop(1))
    sys.setswitchinterval(0.0005)  # the sampler must get its turn
    sampler = Sampler()
    sampler.start()

    @atexit.register  # for the program does not return
    def finish() -> None:
        sampler.stop()
        shares = dict(sampler.seconds)
        shares[NATIVE] = max(0.0, time.process_time() - sampler.own_seconds - sum(shares.values()))
        output.write_text(json.dumps(shares))

    from buildctl.__main__ import entry  # its imports are sampled too

    entry()


if __name__ == "__main__":
    main()
