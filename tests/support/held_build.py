"""A build over a link, held in the middle of a phase, with all that a fault may strike at."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.engines import Engine
from tests.support.faulty_link import FaultyLink
from tests.support.program import COMMAND, environment

STALL_SECONDS = 2
END_SECONDS = 40
_SLOW = 300_000.0
_STEP_SECONDS = 60
_SMALL_FILES = 20

PHASES = ("connect", "upload", "solve", "export", "cache export")


@dataclass(frozen=True)
class Surroundings:
    """What a build runs in, where a fault needs it to be unusual."""

    output: str = "type=tar,dest=out.tar"
    stdout: str = ""
    """What is opened as standard output; a reader takes it if this is empty."""
    step_seconds: int = _STEP_SECONDS
    """How long the step of the phase `solve` takes."""
    variables: Callable[[Path], dict[str, str]] = field(default=lambda folder: {})
    flags: tuple[str, ...] = ()


PLAIN = Surroundings()


class HeldBuild:
    """One that is in the middle of its phase once the block is entered."""

    def __init__(
        self,
        engine: Engine,
        folder: Path,
        phase: str,
        *flags: str,
        big_bytes: int = 4_000_000,
        surroundings: Surroundings = PLAIN,
    ) -> None:
        """`big_bytes` is how much is sent and arrives. Phases are reached after 400,000."""
        self.big_bytes = big_bytes
        self.engine = engine
        self.folder = folder
        self.phase = phase
        self._surroundings = surroundings
        self._flags = (*surroundings.flags, *flags)
        self.process: subprocess.Popen[bytes]
        self.stdout_reader: subprocess.Popen[bytes]
        self.stderr_reader: subprocess.Popen[bytes]
        self.link = FaultyLink(engine.socket, folder / "link.sock")

    def __enter__(self) -> HeldBuild:
        for name in ("work", "tmp"):
            (self.folder / name).mkdir()
        self._make_context()
        if self.phase == "connect":
            self.link.hold()
        self.link.rate["up"] = _SLOW if self.phase == "upload" else 0
        self.link.rate["down"] = _SLOW if "export" in self.phase else 0
        self._before = self._files()
        self.link.__enter__()
        self._start()
        try:
            self._reach()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *reason: object) -> None:
        for process in (self.process, self.stdout_reader, self.stderr_reader):
            if process.poll() is None:
                process.kill()
            process.wait()
        self.link.__exit__(None, None, None)
        self._said.close()

    def go_on(self) -> None:
        """Hold it no longer."""
        self.link.rate = {"up": 0, "down": 0}
        self.link.release()

    def said(self) -> str:
        """What the client has written on standard error so far."""
        return os.pread(self._said.fileno(), 1 << 20, 0).decode(errors="replace")

    def all_said(self) -> list[str]:
        """The lines of standard error, once the client has ended."""
        self.stderr_reader.wait()
        return self.said().replace(str(self.link.path), "SOCKET").replace(str(self.folder), "").splitlines()

    @property
    def left(self) -> set[str]:
        """What is on disk that was not there before."""
        return self._files() - self._before

    @property
    def torn(self) -> set[str]:
        """The files of an exported folder that are not what they were made from."""
        work = self.folder / "work"
        exported = [path for path in (work / "out").rglob("*") if not path.is_dir()]
        return {
            str(path.relative_to(self.folder))
            for path in exported
            if not (source := work / path.relative_to(work / "out")).exists()
            or path.read_bytes() != source.read_bytes()
        }

    def _start(self) -> None:
        # Not on the disk of the build, which may be full.
        self._said = tempfile.TemporaryFile(dir="/tmp")  # noqa: SIM115 - __exit__ closes it
        self.stderr_reader = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=self._said)
        self.stdout_reader = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        assert self.stderr_reader.stdin is not None
        assert self.stdout_reader.stdin is not None
        variables = {"TMPDIR": str(self.folder / "tmp"), **self._surroundings.variables(self.folder)}
        with contextlib.ExitStack() as stack:
            stderr = stack.enter_context(self.stderr_reader.stdin)
            stdout = stack.enter_context(self.stdout_reader.stdin)
            if self._surroundings.stdout:
                stdout = stack.enter_context(open(self._surroundings.stdout, "wb"))
            self.process = subprocess.Popen(
                [
                    *(*COMMAND, "--addr", f"docker://{self.link.path}"),
                    *("--stall-timeout", f"{STALL_SECONDS}s", "build", "--frontend", "dockerfile.v0"),
                    *("--local", "context=.", "--local", "dockerfile=.", "--no-cache"),
                    *("--progress", "plain", "--opt", "force-network-mode=none"),
                    *(*self._output(), *self._flags),
                ],
                cwd=self.folder / "work",
                # What measures coverage would say in its own words that it cannot write.
                env=environment(self.folder, variables, measured=False),
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
            )

    def _make_context(self) -> None:
        work = self.folder / "work"
        shutil.copy(self.engine.busybox, work / "busybox")
        (work / "big").write_bytes(os.urandom(self.big_bytes))
        (work / "small").mkdir()
        for number in range(_SMALL_FILES):
            (work / "small" / str(number)).write_text(f"{number}\n")
        step = "COPY big /\nCOPY small /small"
        if self.phase == "solve":
            step = f'COPY busybox /\nRUN ["/busybox", "sleep", "{self._surroundings.step_seconds}"]'
        (work / "Dockerfile").write_text(f"FROM scratch\n{step}\n")

    def _output(self) -> Sequence[str]:
        if self.phase == "cache export":
            return ("--export-cache", "type=local,dest=cache")
        return ("--output", self._surroundings.output)

    def _reach(self) -> None:
        match self.phase:
            case "connect":
                self._poll(lambda: self.link.taken > 0)
            case "upload":
                self.link.wait_for("up", 400_000)
            case "solve":
                self._poll(lambda: re.search(r"\[2/2\] RUN", self.said()) is not None)
            case _:
                self.link.wait_for("down", 400_000)

    def _poll(self, reached: Callable[[], bool]) -> None:
        deadline = time.monotonic() + END_SECONDS
        while not reached():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"never came to {self.phase}: {self.said()}")
            time.sleep(0.02)

    def _files(self) -> set[str]:
        below = [self.folder / "work", self.folder / "tmp"]
        return {
            str(path.relative_to(self.folder))
            for folder in below
            for path in folder.rglob("*")
            if not path.is_dir() or folder == below[1]
        }
