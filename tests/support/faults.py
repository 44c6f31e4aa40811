"""What can befall a build in a phase, and how it is to end then: the cells of the fault matrix."""

from __future__ import annotations

import contextlib
import json
import re
import resource
import signal
import subprocess
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support import packages
from tests.support.engines import Engine
from tests.support.held_build import END_SECONDS, PHASES, PLAIN, STALL_SECONDS, HeldBuild, Surroundings
from tests.support.mounts import small_tmpfs

_DISK_BYTES = 24 << 20
_DISK_INODES = 300
_JUMP_SECONDS = 2 * 3600
_CLOCK_SECONDS = 1.1  # the library looks once a second how the clock is set

_LOST = "[Uu]navailable"
_BLOBS, _INGEST, _FOLDER = "work/cache/blobs/sha256/", "work/cache/ingest/", "work/out/"
_LAST_WRITTEN = frozenset(("work/out.tar", "work/out/small/9", "work/cache/index.json"))


@dataclass(frozen=True)
class Fault:
    """Something that befalls a build, and how it is to end then."""

    strike: Callable[[HeldBuild], None]
    limit_seconds: float = 15
    """From the fault to the end of the build, on a machine that has much else to do."""
    exit: int = 1
    says: str = ""
    """What the last line has to match, where the build is not to end well."""
    heal: Callable[[HeldBuild], None] = lambda build: None
    goes_on: bool = False
    """Whether the build is held no longer then."""
    harmless_in: Collection[str] = ()
    """The phases in which the build is to end as if nothing had happened."""
    either_in: Collection[str] = ()
    """The phases in which it has all that it still needs, or has not, as chance will have it."""
    phases: Collection[str] = PHASES
    """Those in which it can happen."""
    needs_disk: bool = False
    """Whether the build has a small disk of its own."""
    surroundings: Surroundings = PLAIN


def _resume(build: HeldBuild) -> None:
    build.engine.resume()


def _signalled(number: signal.Signals, code: int = 1) -> Fault:
    return Fault(lambda build: build.process.send_signal(number), limit_seconds=3, exit=code, says="Canceled")


def _fill_disk(build: HeldBuild) -> None:
    with (build.folder / "filler").open("wb", buffering=0) as filler, contextlib.suppress(OSError):
        for size in (1 << 20, 1 << 12):
            with contextlib.suppress(OSError):
                while True:
                    filler.write(bytes(size))


def _fill_inodes(build: HeldBuild) -> None:
    with contextlib.suppress(OSError):
        for number in range(_DISK_INODES):
            (build.folder / f"filler-{number}").touch()


def _make_read_only(build: HeldBuild) -> None:
    subprocess.run(["mount", "-o", "remount,ro", build.folder], check=True)


def _make_writable(build: HeldBuild) -> None:
    subprocess.run(["mount", "-o", "remount,rw", build.folder], check=True)


def _take_descriptors(build: HeldBuild) -> None:
    # Lower than all that it has open, so that what it closes leaves no room either.
    resource.prlimit(build.process.pid, resource.RLIMIT_NOFILE, (3, 3))


def _jumping_clock(folder: Path) -> dict[str, str]:
    """Variables that give a process the clock that `_jump` sets; time since boot stays as it is."""
    (folder / "clock").write_text("+0\n")
    return {
        "LD_PRELOAD": str(packages.libfaketime()),
        "FAKETIME_TIMESTAMP_FILE": str(folder / "clock"),
        "FAKETIME_CACHE_DURATION": "1",
        "DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",
    }


def _set_clock(folder: Path, seconds: int) -> None:
    (folder / "clock.new").write_text(f"{seconds:+d}\n")
    (folder / "clock.new").rename(folder / "clock")
    time.sleep(_CLOCK_SECONDS)


def _remove_clock(build: HeldBuild) -> None:
    """The memory in which the library keeps the time: the program ends without the code that removes it."""
    for path in Path("/dev/shm").glob(f"*faketime_s*_{build.process.pid}"):
        path.unlink()


def _endured(strike: Callable[[HeldBuild], None]) -> Fault:
    return Fault(strike, goes_on=True, harmless_in=PHASES, surroundings=Surroundings(step_seconds=2))


def _jump(seconds: int) -> Fault:
    surroundings = Surroundings(
        variables=_jumping_clock, step_seconds=5, flags=("--timings", "../timings", "--events", "../events")
    )
    return Fault(
        lambda build: _set_clock(build.folder, seconds),
        heal=_remove_clock,
        limit_seconds=END_SECONDS,  # most of it is the library, in which whatever asks for time waits
        harmless_in=PHASES,
        goes_on=True,
        surroundings=surroundings,
    )


def _end_reader(reader: Callable[[HeldBuild], subprocess.Popen[bytes]]) -> Callable[[HeldBuild], None]:
    def strike(build: HeldBuild) -> None:
        reader(build).kill()
        reader(build).wait()

    return strike


_SHORT = Surroundings(step_seconds=2)
_INTO_FOLDER = Surroundings(output="type=local,dest=out", step_seconds=2)
# Neither files that the client keeps of itself nor its sockets, or the disk could not become so.
_ELSEWHERE = Surroundings(
    step_seconds=2, variables=lambda folder: dict.fromkeys(("HOME", "TMPDIR"), str(folder.parent))
)

FAULTS = {
    "daemon killed": Fault(lambda build: build.engine.kill(), says=_LOST),
    "daemon stopped": Fault(
        lambda build: build.engine.pause(), says=_LOST, heal=_resume, limit_seconds=STALL_SECONDS + 8
    ),
    "network cut": Fault(lambda build: build.link.cut(), says=_LOST),
    "network silent": Fault(lambda build: build.link.hold(), says=_LOST, limit_seconds=STALL_SECONDS + 8),
    "network half-closed": Fault(lambda build: build.link.half_close(), says=_LOST),
    "SIGINT": _signalled(signal.SIGINT),
    "SIGTERM": _signalled(signal.SIGTERM),
    "SIGHUP": _signalled(signal.SIGHUP, 129),
    "SIGPIPE": _endured(lambda build: build.process.send_signal(signal.SIGPIPE)),
    "stderr's reader leaves": _endured(_end_reader(lambda build: build.stderr_reader)),
    "stdout's reader leaves": Fault(
        _end_reader(lambda build: build.stdout_reader),
        says="failed to write to standard output: broken pipe$",
        goes_on=True,
        phases=PHASES[:4],
        surroundings=Surroundings(output="type=tar,dest=-", step_seconds=2),
    ),
    "stdout's disk full": Fault(
        lambda build: None,
        says="failed to write to standard output: no space left on device$",
        goes_on=True,
        phases=PHASES[:3],  # for an export to there fails at its first byte
        surroundings=Surroundings(output="type=tar,dest=-", stdout="/dev/full", step_seconds=2),
    ),
    "disk full": Fault(
        _fill_disk,
        says="failed to (write out.tar|use cache): no space left on device$",
        goes_on=True,
        needs_disk=True,
        surroundings=_SHORT,
    ),
    "no inode left": Fault(
        _fill_inodes,
        says="failed to (write|create|use) .*: no space left on device$",
        either_in=("export",),
        goes_on=True,
        needs_disk=True,
        surroundings=_INTO_FOLDER,
    ),
    "disk read-only": Fault(
        _make_read_only,
        says="failed to create out.tar: read-only file system$",
        heal=_make_writable,
        goes_on=True,
        phases=PHASES[:3],
        needs_disk=True,
        surroundings=_ELSEWHERE,
    ),
    "no descriptor left": Fault(
        _take_descriptors,
        says=": too many open files$",
        goes_on=True,
        either_in=("export",),
        surroundings=_INTO_FOLDER,
    ),
    "clock jumps ahead": _jump(_JUMP_SECONDS),
    "clock jumps back": _jump(-_JUMP_SECONDS),
}


@dataclass(frozen=True)
class Outcome:
    """How a build ended."""

    phase: str
    fault: str
    engine: str
    seconds: float
    """From the fault to the end."""
    exit: int
    said: tuple[str, ...]
    left: tuple[str, ...]
    """What is on disk that was not there before."""
    torn: tuple[str, ...]
    """Files of an exported folder that are not whole."""
    told_seconds: tuple[float, ...]
    """The durations that the build tells, where its clock is set."""

    @property
    def message(self) -> str:
        """The last line of standard error."""
        return self.said[-1] if self.said else ""

    @property
    def whole(self) -> bool:
        """Whether all of the result is where it belongs, or was printed."""
        to_stdout = FAULTS[self.fault].surroundings.output.endswith("dest=-")
        return to_stdout or not {"work/out.tar", "work/out/big", "work/cache/index.json"}.isdisjoint(
            self.left
        )


def befall(engine: Engine, folder: Path, phase: str, name: str) -> Outcome:
    """Let a fault of `FAULTS` happen to a build in a phase, and tell how that ends."""
    fault = FAULTS[name]
    with contextlib.ExitStack() as stack:
        if fault.needs_disk:
            folder = stack.enter_context(small_tmpfs(folder / "disk", _DISK_BYTES, inodes=_DISK_INODES))
        build = stack.enter_context(HeldBuild(engine, folder, phase, surroundings=fault.surroundings))
        try:
            fault.strike(build)
            began = time.monotonic()
            if fault.goes_on or (phase == "connect" and name.startswith("daemon")):
                build.go_on()
            code = build.process.wait(END_SECONDS)
            seconds = time.monotonic() - began
        finally:
            fault.heal(build)
        return Outcome(
            *(phase, name, engine.release.name, seconds, code),
            said=tuple(build.all_said()),
            left=tuple(sorted(build.left)),
            torn=tuple(sorted(build.torn)),
            told_seconds=_told_seconds(folder),
        )


def _told_seconds(folder: Path) -> tuple[float, ...]:
    if not (folder / "timings").exists():
        return ()
    timings = json.loads((folder / "timings").read_text())
    events = [json.loads(line) for line in (folder / "events").read_text().splitlines()]
    took_ms = [timings["duration_ms"], *(step["duration_ms"] for step in timings["steps"])]
    return (*(one["seconds"] for one in events if "seconds" in one), *(one / 1000 for one in took_ms))


def check(outcome: Outcome) -> None:
    """Raise `AssertionError` for an end that is late, wrong, wordless, or leaves something half-written."""
    fault = FAULTS[outcome.fault]
    assert outcome.seconds < fault.limit_seconds, outcome
    assert not any("Traceback" in line for line in outcome.said), outcome
    assert all(0 <= seconds < _JUMP_SECONDS / 2 for seconds in outcome.told_seconds), outcome
    assert not outcome.torn, outcome
    if outcome.phase in fault.harmless_in or (outcome.phase in fault.either_in and outcome.exit == 0):
        assert outcome.exit == 0, outcome
        assert outcome.whole, outcome
        assert not any("ingest" in path or ".tmp" in path for path in outcome.left), outcome
    else:
        assert outcome.exit == fault.exit, outcome
        assert outcome.message.startswith("error: "), outcome
        assert re.search(fault.says, outcome.message), outcome
        assert all(path.startswith((_INGEST, _BLOBS, _FOLDER)) for path in outcome.left), outcome


def table(outcomes: Sequence[Outcome]) -> str:
    """The outcomes on one engine in Markdown, a row for each phase and fault."""
    lines = ["| phase | fault | seconds | exit | says | left |", "| --- | --- | ---: | ---: | --- | --- |"]
    for one in outcomes:
        said = one.message.removeprefix("error: ").replace("|", "\\|") if one.exit else ""
        lines.append(
            f"| {one.phase} | {one.fault} | {one.seconds:.1f} | {one.exit} | {said} | {_shown(one)} |"
        )
    return "\n".join(lines) + "\n"


def _shown(outcome: Outcome) -> str:
    if not outcome.exit:
        return "the whole result"
    folders = {
        "whole files": any(path.startswith(_FOLDER) for path in outcome.left),
        "whole blobs": any(path.startswith(_BLOBS) for path in outcome.left),
        "`ingest`": any(path.startswith(_INGEST) for path in outcome.left),
    }
    return " and ".join(name for name, found in folders.items() if found) or "nothing"
