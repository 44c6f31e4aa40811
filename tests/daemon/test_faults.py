"""Whatever befalls a build in whatever phase, it ends soon, says why, and leaves nothing half-written."""

from __future__ import annotations

import os
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from buildctl.oci.index import read_index
from tests.load.record import record
from tests.support import packages
from tests.support.debian import UnavailableError
from tests.support.engines import Engine
from tests.support.faults import FAULTS, Outcome, befall, check, table
from tests.support.held_build import PHASES, STALL_SECONDS, HeldBuild, Surroundings
from tests.support.packages import Release

pytestmark = pytest.mark.daemon


@pytest.mark.parametrize(
    ("phase", "fault"),
    [
        ("connect", "daemon stopped"),
        ("solve", "network silent"),
        ("export", "SIGHUP"),
        ("cache export", "network cut"),
        ("connect", "disk read-only"),
        ("upload", "no descriptor left"),
        ("export", "no inode left"),
        ("export", "stdout's reader leaves"),
        ("export", "clock jumps back"),
    ],
)
def test_a_fault(engine_26: Engine, tmp_path: Path, phase: str, fault: str) -> None:
    check(befall(engine_26, tmp_path, phase, fault))


@pytest.mark.parametrize(
    "phase", [phase if phase == "upload" else pytest.param(phase, marks=pytest.mark.long) for phase in PHASES]
)
def test_a_daemon_that_is_replaced_in_the_middle(engine_26: Engine, tmp_path: Path, phase: str) -> None:
    old = started(packages.ENGINE_26)
    try:
        short = Surroundings(step_seconds=5)
        with HeldBuild(old, tmp_path, phase, "--retries", "2", surroundings=short) as build:
            build.link.target = engine_26.socket
            old.kill()
            build.go_on()
            assert build.process.wait(40) == 0, build.said()
            assert "attempt 1 of 3: " in build.said()
    finally:
        old.stop()
    if phase == "cache export":
        assert read_index(str(tmp_path / "work" / "cache"))
    else:
        with tarfile.open(tmp_path / "work" / "out.tar") as tar:
            assert {"big", "busybox"} & {*tar.getnames()}


def test_a_late_network_and_a_trickle_are_no_faults(engine_26: Engine, tmp_path: Path) -> None:
    with HeldBuild(engine_26, tmp_path, "upload", big_bytes=500_000) as build:
        build.link.delay_seconds = 0.02  # for each piece of 16 KiB
        build.link.rate = {"up": 400_000, "down": 400_000}
        began = time.monotonic()
        assert build.process.wait(50) == 0, build.said()
    assert time.monotonic() - began > STALL_SECONDS


# All of it


def started(release: Release) -> Engine:
    try:
        engine = Engine(release)
    except UnavailableError as missing:
        pytest.skip(str(missing))
    engine.start()
    return engine


def cells(release: Release) -> list[tuple[str, str]]:
    """Each phase that the engine has, with each fault that can happen there."""
    phases = [phase for phase in PHASES if phase != "cache export" or release is not packages.ENGINE_20]
    return [(phase, name) for phase in phases for name, fault in FAULTS.items() if phase in fault.phases]


def outcomes_on(release: Release, folder: Path) -> Iterator[Outcome]:
    engine = started(release)
    try:
        for number, (phase, fault) in enumerate(cells(release)):
            place = folder / str(number)  # short, for there is a unix socket in it
            place.mkdir()
            yield befall(engine, place, phase, fault)
            if fault == "daemon killed":
                engine.stop()
                engine = started(release)
    finally:
        engine.stop()


@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("release", [packages.ENGINE_26, packages.ENGINE_20], ids=lambda one: one.name)
def test_every_fault_in_every_phase(tmp_path: Path, release: Release) -> None:
    outcomes: list[Outcome] = []
    wrong: list[str] = []
    for outcome in outcomes_on(release, tmp_path):
        outcomes.append(outcome)
        try:
            check(outcome)
        except AssertionError as error:
            wrong.append(str(error))
        if os.environ.get("BUILDCTL_RECORD"):
            tried = f"{len(outcomes)} of {len(cells(release))} cells were tried, {len(wrong)} ended wrongly."
            record(f"faults-{release.name}", f"{tried}\n\n{table(outcomes)}")
    assert not wrong, "\n".join(wrong)
