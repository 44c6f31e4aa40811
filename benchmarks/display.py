"""What a display costs: the CPU and memory of a client that follows one large build, against buildx's.

A server of its own process plays the same build to both clients, as fast as they read unless told otherwise:
stages of ten steps, eight of them at work at a time, each of which prints its share of the lines. The clients
draw on a terminal of 200x60, or write into a pipe. buildx is Debian's, with the driver `remote`. Both run in
turns, and the medians are compared.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import fcntl
import multiprocessing
import os
import re
import select
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from buildctl._pb import control_pb2
from tests.support import packages
from tests.support.scripted_daemon import Build, scripted_daemon

WINDOW = (200, 60)
AT_WORK = 8
"""Steps that run at the same time."""
STAGE = 10
"""Steps of a stage."""
PER_MESSAGE = 200
"""Pieces of log in a message."""


IDLE = 0.5, 0.9
"""The part of a build that ends with a long pause in which nothing but the pause is seen."""


@dataclass(frozen=True)
class Script:
    """The build that is played. `idle_s`: how long its last step says nothing before it ends."""

    vertexes: int = 2000
    lines: int = 1_000_000
    per_piece: int = 1
    """Lines that come in one piece of log, as the step wrote them."""
    seconds: float = 0.0
    """How long it takes, if the client keeps up; 0: as fast as it reads."""
    idle_s: float = 0.0

    def messages(self) -> Iterator[bytes]:
        """The Status stream, serialized."""
        vertexes = [self._vertex(number) for number in range(self.vertexes)]
        yield control_pb2.StatusResponse(vertexes=vertexes).SerializeToString()
        second = 1_800_000_000
        each = self.lines // self.vertexes
        for first in range(0, self.vertexes, AT_WORK):
            working = vertexes[first : first + AT_WORK]
            for vertex in working:
                vertex.started.seconds = second
            yield control_pb2.StatusResponse(vertexes=working).SerializeToString()
            yield from self._logs(working, each, second)
            second += 1
            if self.idle_s and first + AT_WORK >= self.vertexes:
                return
            for vertex in working:
                vertex.completed.seconds = second
            yield control_pb2.StatusResponse(vertexes=working).SerializeToString()

    def _vertex(self, number: int) -> control_pb2.Vertex:
        stage, place = divmod(number, STAGE)
        inputs = [_digest(number - 1)] if place else [_digest(max(number - 3 * STAGE, 0))] if number else []
        name = f"[stage-{stage} {place + 1:>2}/{STAGE}] RUN make -C /src/part-{number} all"
        return control_pb2.Vertex(digest=_digest(number), name=name, inputs=inputs)

    def _logs(self, working: Sequence[control_pb2.Vertex], each: int, second: int) -> Iterator[bytes]:
        logs: list[control_pb2.VertexLog] = []
        for line in range(0, each, self.per_piece):
            at = {"seconds": second, "nanos": line * 1000}
            text = b"".join(
                b"[%4d/%4d] gcc -O2 -Wall -c src/module_%d.c -o build/module_%d.o\n" % (n, each, n, n)
                for n in range(line, min(line + self.per_piece, each))
            )
            for vertex in working:
                logs.append(control_pb2.VertexLog(vertex=vertex.digest, stream=1, msg=text, timestamp=at))
            if len(logs) >= PER_MESSAGE:
                yield control_pb2.StatusResponse(logs=logs).SerializeToString()
                logs = []
        if logs:
            yield control_pb2.StatusResponse(logs=logs).SerializeToString()


def _digest(number: int) -> str:
    return f"sha256:{number:064x}"


@dataclass(frozen=True)
class Cost:
    """What a client used: seconds of CPU and of wall time, bytes of memory at most, bytes written."""

    cpu_s: float
    wall_s: float
    peak_bytes: int
    written: int
    used: Sequence[tuple[float, float]] = ()
    """Seconds since the start, and seconds of CPU used until then; a few a second while little is written."""

    def share(self, begin: float, end: float) -> float:
        """How much of one core was used in a part of the wall time, both given as shares of it."""
        part = [one for one in self.used if begin * self.wall_s <= one[0] <= end * self.wall_s]
        (first_s, before_s), (last_s, after_s) = part[0], part[-1]
        return (after_s - before_s) / (last_s - first_s)


class _Played(Build):
    """Plays the script to builds that are not internal, as buildx's question what the daemon can do is."""

    def __init__(self, script: Script, messages: Sequence[bytes]) -> None:
        super().__init__()
        self._script = script
        self._messages = messages
        self._internal: dict[str, asyncio.Future[bool]] = {}
        """By the build's ref."""
        self._told = asyncio.Event()

    async def solve(self, request: bytes, context: Any) -> Any:
        asked = control_pb2.SolveRequest.FromString(request)
        self._is_internal(asked.Ref).set_result(asked.Internal)
        await self.returned.wait()
        self.returned.clear()
        if not asked.Internal:
            await self._told.wait()
        return control_pb2.SolveResponse()

    async def status(self, request: bytes, context: Any) -> AsyncIterator[Any]:
        if await self._is_internal(control_pb2.StatusRequest.FromString(request).Ref):
            return
        began = asyncio.get_running_loop().time()
        for number, message in enumerate(self._messages):
            due = began + self._script.seconds * number / len(self._messages)
            if (early := due - asyncio.get_running_loop().time()) > 0.01:
                await asyncio.sleep(early)
            yield message
        await asyncio.sleep(self._script.idle_s)
        self._told.set()

    def _is_internal(self, ref: str) -> asyncio.Future[bool]:
        return self._internal.setdefault(ref, asyncio.get_running_loop().create_future())


def _serve(script: Script, messages: Sequence[bytes], socket: Path) -> None:
    """The server's process, which knows one build."""

    async def serve() -> None:
        async with scripted_daemon(socket, _Played(script, messages).answers):
            await asyncio.Event().wait()

    asyncio.run(serve())


@contextlib.contextmanager
def served(script: Script, messages: Sequence[bytes], socket: Path) -> Iterator[None]:
    """The build on a socket. The process is forked, so that the messages are made once; grpc begins in it."""
    process = multiprocessing.get_context("fork").Process(target=_serve, args=(script, messages, socket))
    process.start()
    try:
        while not socket.exists():
            time.sleep(0.01)
        yield
    finally:
        process.kill()
        process.join()
        socket.unlink(missing_ok=True)


def run(argv: Sequence[str], variables: dict[str, str], folder: Path, *, terminal: bool) -> Cost:
    """Run a client until it ends, on a terminal or in a pipe. Raises `RuntimeError` if it fails."""
    ours, theirs = os.openpty() if terminal else os.pipe()
    if terminal:
        columns, rows = WINDOW
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    began = time.monotonic()
    process = subprocess.Popen(
        argv, cwd=folder, env=variables, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    written, last, peak_bytes = 0, b"", 0
    used: list[tuple[float, float]] = []
    while True:
        peak_bytes = _peak_bytes(process.pid) or peak_bytes
        used.append((time.monotonic() - began, _cpu_s(process.pid)))
        if not select.select([ours], [], [], 0.2)[0]:
            continue
        try:
            data = os.read(ours, 1 << 20)
        except OSError:  # how a terminal says that nobody uses it any more
            data = b""
        if not data:
            break
        written += len(data)
        last = (last + data)[-2000:]
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = status
    os.close(ours)
    if status:
        raise RuntimeError(f"{argv[0]} failed: {last.decode(errors='replace')}")
    return Cost(usage.ru_utime + usage.ru_stime, time.monotonic() - began, peak_bytes, written, used)


def _peak_bytes(pid: int) -> int:
    """The most memory the program ever had at once; 0 once it has ended."""
    status = Path(f"/proc/{pid}/status").read_text()
    peak = re.search(r"VmHWM:\s*(\d+) kB", status)
    return int(peak[1]) << 10 if peak else 0


def _cpu_s(pid: int) -> float:
    """The CPU time that the program has used, in all its threads."""
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")


class Clients:
    """The two clients, told to run a build on a socket."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._socket = folder / "socket"
        self._context = folder / "context"
        self._context.mkdir()
        (self._context / "Dockerfile").write_text("FROM scratch\n")
        self._variables = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "TERM": "xterm-256color",
            "BUILDX_CONFIG": str(folder / "buildx"),
            "PYTHONPATH": str(Path(__file__).parent.parent),
        }
        self._buildx = str(packages.buildx())
        create = [self._buildx, "create", "--driver=remote", "--name=replay", f"unix://{self._socket}"]
        run(create, self._variables, self._context, terminal=False)

    def cost(self, client: str, progress: str, script: Script, messages: Sequence[bytes]) -> Cost:
        """What `buildctl` or `buildx` uses for it."""
        ours = [sys.executable, "-m", "buildctl", f"--addr=unix://{self._socket}", "build"]
        ours += ["--frontend=dockerfile.v0", f"--progress={progress}"]
        theirs = [self._buildx, "--builder=replay", "build", f"--progress={progress}", "."]
        with served(script, messages, self._socket):
            argv = ours if client == "buildctl" else theirs
            return run(argv, self._variables, self._context, terminal=progress == "tty")


def compare(clients: Clients, progress: str, script: Script, pairs: int) -> None:
    """Run both in turns and say what it took."""
    messages = list(script.messages())
    costs: dict[str, list[Cost]] = {"buildctl": [], "buildx": []}
    for _ in range(pairs):
        for client, taken in costs.items():
            taken.append(clients.cost(client, progress, script, messages))
    for client, taken in costs.items():
        cpu_s = statistics.median(cost.cpu_s for cost in taken)
        wall_s = statistics.median(cost.wall_s for cost in taken)
        peak = max(cost.peak_bytes for cost in taken) >> 20
        written = taken[-1].written >> 10
        print(
            f"{progress:>6} {client:>9}: {cpu_s:6.2f} s of CPU, {wall_s:6.2f} s, {peak} MiB at most, "
            f"{written} KiB written"
        )
    ratios = [ours.cpu_s / theirs.cpu_s for ours, theirs in zip(*costs.values(), strict=True)]
    print(
        f"{progress:>6}     ratio: {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--vertexes", type=int, default=2000)
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--per-piece", type=int, default=1, help="lines in a piece of log")
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=0.0, help="that the build takes at least")
    parser.add_argument(
        "--idle", type=float, default=20.0, help="seconds of a build in which nothing happens"
    )
    parser.add_argument("--progress", default="tty,plain")
    options = parser.parse_args()
    script = Script(options.vertexes, options.lines, options.per_piece, options.seconds)
    with tempfile.TemporaryDirectory(prefix="replay-", dir="/tmp") as folder:
        clients = Clients(Path(folder))
        for progress in options.progress.split(","):
            compare(clients, progress, script, options.pairs)
        if options.idle:
            quiet = Script(options.vertexes, options.vertexes, idle_s=options.idle)
            compare(clients, "tty", quiet, 1)
            messages = list(quiet.messages())
            for client in ("buildctl", "buildx"):
                share = clients.cost(client, "tty", quiet, messages).share(*IDLE)
                print(f"  idle {client:>9}: {share:.1%} of a core")


if __name__ == "__main__":
    main()
