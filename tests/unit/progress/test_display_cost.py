"""What a live display costs while nothing happens, and what it keeps of a build that prints without end."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from pathlib import Path

from benchmarks.display import Script
from buildctl._pb import control_pb2
from buildctl.client.convert.status import solve_status
from buildctl.model.status import SolveStatus
from buildctl.progress.display import Display
from buildctl.progress.terminal import TerminalOptions
from buildctl.progress.trace import LOG_BUDGET
from buildctl.progress.tty import TTYRenderer
from buildctl.progress.writer import StreamWriter
from tests.support.statuses import vertex

MEBIBYTE = 1 << 20


def renderer() -> TTYRenderer:
    return TTYRenderer(lambda: (200, 60), TerminalOptions())


def serialized(message: control_pb2.StatusResponse) -> SolveStatus:
    """A message as it comes from a daemon."""
    return solve_status(control_pb2.StatusEnvelope.FromString(message.SerializeToString()))


def in_use_bytes() -> int:
    """The memory of this process that is in use now (proc_pid_statm(5))."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def test_an_idle_build_takes_at_most_a_twentieth_of_a_core() -> None:
    window, terminal = os.openpty()
    reader = threading.Thread(target=lambda: [None for _ in iter(lambda: _read(window), b"")], daemon=True)
    reader.start()
    shares = []
    async with Display(renderer(), StreamWriter(terminal), began_ns=time.time_ns()) as display:
        # Eight of two thousand steps run when the script ends, and say no more.
        for message in Script(vertexes=2000, lines=4000, idle_s=1).messages():
            display.update(solve_status(control_pb2.StatusEnvelope.FromString(message)))
        for _ in range(5):
            used_s, began_s = time.process_time(), time.monotonic()
            await asyncio.sleep(0.6)
            shares.append((time.process_time() - used_s) / (time.monotonic() - began_s))
            if shares[-1] <= 0.05:
                break
    os.close(terminal)
    reader.join()
    os.close(window)
    assert min(shares) <= 0.05, "the least, for a collection of garbage may fall into one of them"


def _read(window: int) -> bytes:
    try:
        return os.read(window, 1 << 16)
    except OSError:  # how a terminal says that nobody uses it any more
        return b""


def test_a_flood_of_logs_is_kept_within_a_budget() -> None:
    """Whatever has been printed: what a step that fails may have to show, and not more."""
    live = renderer()
    steps = [vertex(name, 0) for name in "abcd"]
    for step in steps:
        live.absorb(step, 0)
    digests = [step.vertexes[0].digest for step in steps]

    def flood(size: int) -> None:
        for number in range(size // (400 * 1024)):
            at = {"seconds": number}
            logs = [
                control_pb2.VertexLog(
                    vertex=digest, stream=1, msg=b"%1023d\n" % (number + line), timestamp=at
                )
                for line in range(100)
                for digest in digests
            ]
            live.absorb(serialized(control_pb2.StatusResponse(logs=logs)), 0)
            if number % 40 == 0:
                live.render(number)

    flood(LOG_BUDGET * 5 // 4)
    before = in_use_bytes()
    flood(LOG_BUDGET)
    assert in_use_bytes() - before <= 24 * MEBIBYTE, "a quarter of the budget is regained at a time"
