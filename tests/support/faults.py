"""Builds held open in each phase, and what can befall them there: the cells of the fault matrix."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tests.support.engines import Engine
from tests.support.faulty_link import FaultyLink
from tests.support.program import COMMAND, environment

STALL_SECONDS = 2
_SLOW = 300_000.0
_END_SECONDS = 40

PHASES = ("connect", "upload", "solve", "export", "cache export")


@dataclass(frozen=True)
class Fault:
    """Something that befalls a build, and the exit code that it is to end with."""

    strike: Callable[[Engine, FaultyLink, subprocess.Popen[bytes]], None]
    limit_seconds: float
    exit: int = 1
    heal: Callable[[Engine], None] = lambda engine: None
    lost: bool = True
    """Whether the error is to say that the daemon cannot be reached any more."""


def _signalled(number: signal.Signals, code: int = 1) -> Fault:
    return Fault(lambda engine, link, process: process.send_signal(number), 3, code, lost=False)


FAULTS = {
    "daemon killed": Fault(lambda engine, link, process: engine.kill(), 8),
    "daemon stopped": Fault(
        lambda engine, link, process: engine.pause(), STALL_SECONDS + 8, heal=lambda engine: engine.resume()
    ),
    "network cut": Fault(lambda engine, link, process: link.cut(), 8),
    "network silent": Fault(lambda engine, link, process: link.hold(), STALL_SECONDS + 8),
    "network half-closed": Fault(lambda engine, link, process: link.half_close(), 8),
    "SIGINT": _signalled(signal.SIGINT),
    "SIGTERM": _signalled(signal.SIGTERM),
    "SIGHUP": _signalled(signal.SIGHUP, 129),
}


@dataclass(frozen=True)
class Outcome:
    """How a build ended."""

    phase: str
    fault: str
    engine: str
    seconds: float
    exit: int
    message: str
    left: tuple[str, ...]
    """What is on disk that was not there before."""


class HeldBuild:
    """A build through a link that is in the middle of a phase once the block is entered."""

    def __init__(
        self, engine: Engine, folder: Path, phase: str, *flags: str, big_bytes: int = 4_000_000
    ) -> None:
        """`big_bytes` is how much is sent and arrives. Phases are reached after 400,000."""
        self.big_bytes = big_bytes
        self._engine = engine
        self._folder = folder
        self._phase = phase
        self._flags = flags
        self._stderr: IO[bytes]
        self.process: subprocess.Popen[bytes]
        self.link = FaultyLink(engine.socket, folder / "link.sock")

    def __enter__(self) -> HeldBuild:
        for name in ("work", "tmp"):
            (self._folder / name).mkdir()
        self._make_context()
        if self._phase == "connect":
            self.link.hold()
        self.link.rate["up"] = _SLOW if self._phase == "upload" else 0
        self.link.rate["down"] = _SLOW if "export" in self._phase else 0
        self._before = self._files()
        self.link.__enter__()
        self._stderr = (self._folder / "stderr").open("w+b")
        self.process = subprocess.Popen(
            [
                *(*COMMAND, "--addr", f"docker://{self.link.path}", "--stall-timeout", f"{STALL_SECONDS}s"),
                *("build", "--frontend", "dockerfile.v0", "--local", "context=.", "--local", "dockerfile=."),
                *("--progress", "plain", "--opt", "force-network-mode=none", "--no-cache"),
                *(*self._output(), *self._flags),
            ],
            cwd=self._folder / "work",
            env=environment(self._folder, {"TMPDIR": str(self._folder / "tmp")}),
            stdin=subprocess.DEVNULL,
            stderr=self._stderr,
        )
        try:
            self._reach()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *reason: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.link.__exit__(None, None, None)
        self._stderr.close()

    def strike(self, name: str) -> Outcome:
        """Let a fault of `FAULTS` happen, and tell how the build ends."""
        fault = FAULTS[name]
        try:
            fault.strike(self._engine, self.link, self.process)
            began = time.monotonic()
            if self._phase == "connect" and name.startswith("daemon"):
                self.link.release()
            code = self.process.wait(_END_SECONDS)
            seconds = time.monotonic() - began
        finally:
            fault.heal(self._engine)
        said = self.said().replace(str(self.link.path), "SOCKET").splitlines()
        left = tuple(sorted(self._files() - self._before))
        message = said[-1] if said else ""
        return Outcome(self._phase, name, self._engine.release.name, seconds, code, message, left)

    def said(self) -> str:
        """What the client has written on standard error so far."""
        return (self._folder / "stderr").read_text(errors="replace")

    def _make_context(self) -> None:
        work = self._folder / "work"
        shutil.copy(self._engine.busybox, work / "busybox")
        (work / "big").write_bytes(os.urandom(self.big_bytes))
        step = 'COPY busybox /\nRUN ["/busybox", "sleep", "60"]' if self._phase == "solve" else "COPY big /"
        (work / "Dockerfile").write_text(f"FROM scratch\n{step}\n")

    def _output(self) -> list[str]:
        if self._phase == "cache export":
            return ["--export-cache", "type=local,dest=cache"]
        return ["--output", "type=tar,dest=out.tar"]

    def _reach(self) -> None:
        match self._phase:
            case "connect":
                self._poll(lambda: self.link.taken > 0)
            case "upload":
                self.link.wait_for("up", 400_000)
            case "solve":
                self._poll(lambda: re.search(r"\[2/2\] RUN", self.said()) is not None)
            case _:
                self.link.wait_for("down", 400_000)

    def _poll(self, reached: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _END_SECONDS
        while not reached():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"never came to {self._phase}: {self.said()}")
            time.sleep(0.02)

    def _files(self) -> set[str]:
        below = [self._folder / "work", self._folder / "tmp"]
        return {
            str(path.relative_to(self._folder))
            for folder in below
            for path in folder.rglob("*")
            if not path.is_dir() or folder == below[1]
        }


def check(outcome: Outcome) -> None:
    """Raise `AssertionError` for an end that is late, wrong, wordless, or leaves something half-written."""
    fault = FAULTS[outcome.fault]
    assert outcome.seconds < fault.limit_seconds, outcome
    assert outcome.exit == fault.exit, outcome
    assert outcome.message.startswith("error: "), outcome
    assert ("navailable" in outcome.message) == fault.lost, outcome
    assert all(path.startswith("work/cache/ingest/") for path in outcome.left), outcome


def table(outcomes: Sequence[Outcome]) -> str:
    """The outcomes on one engine in Markdown, a row for each phase and fault."""
    lines = ["| phase | fault | seconds | exit | says | left |", "| --- | --- | ---: | ---: | --- | --- |"]
    for one in outcomes:
        said = one.message.removeprefix("error: ").replace("|", "\\|")
        left = ", ".join(f"`{path}`" for path in one.left) or "nothing"
        lines.append(f"| {one.phase} | {one.fault} | {one.seconds:.1f} | {one.exit} | {said} | {left} |")
    return "\n".join(lines) + "\n"
