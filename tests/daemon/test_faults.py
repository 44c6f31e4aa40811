"""Whatever befalls a build in whatever phase, it ends soon, says why, and leaves nothing half-written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.load.record import record
from tests.support import packages
from tests.support.debian import UnavailableError
from tests.support.engines import Engine
from tests.support.faults import FAULTS, PHASES, HeldBuild, Outcome, check, table
from tests.support.packages import Release

pytestmark = pytest.mark.daemon


@pytest.mark.parametrize(
    ("phase", "fault"),
    [
        ("connect", "daemon stopped"),
        ("upload", "network cut"),
        ("solve", "daemon stopped"),
        ("export", "network half-closed"),
        ("export", "SIGHUP"),
        ("cache export", "network silent"),
    ],
)
def test_a_fault(engine_26: Engine, tmp_path: Path, phase: str, fault: str) -> None:
    with HeldBuild(engine_26, tmp_path, phase) as build:
        check(build.strike(fault))


def test_a_daemon_that_is_replaced_in_the_middle(engine_26: Engine, tmp_path: Path) -> None:
    with HeldBuild(engine_26, tmp_path, "upload", "--retries", "2") as build:
        build.link.rate["up"] = 0
        build.link.cut()
        assert build.process.wait(40) == 0
        assert "attempt 1 of 3: failed to receive status: " in build.said()
    assert (tmp_path / "work" / "out.tar").stat().st_size > 4_000_000


def test_a_late_network_and_a_trickle_are_no_faults(engine_26: Engine, tmp_path: Path) -> None:
    with HeldBuild(engine_26, tmp_path, "upload") as build:
        build.link.delay_seconds = 0.02  # for each piece of 16 KiB
        build.link.rate = {"up": 2_000_000, "down": 2_000_000}
        assert build.process.wait(50) == 0, build.said()


# All of it


def started(release: Release) -> Engine:
    try:
        engine = Engine(release)
    except UnavailableError as missing:
        pytest.skip(str(missing))
    engine.start()
    return engine


def outcomes_on(release: Release, folder: Path) -> Iterator[Outcome]:
    engine = started(release)
    try:
        for phase in PHASES:
            if phase == "cache export" and release is packages.ENGINE_20:
                continue  # this engine exports no caches
            for fault in FAULTS:
                place = folder / f"{release.name}-{phase}-{fault}".replace(" ", "-")
                place.mkdir()
                with HeldBuild(engine, place, phase) as build:
                    yield build.strike(fault)
                if fault == "daemon killed":
                    engine.stop()
                    engine = started(release)
    finally:
        engine.stop()


@pytest.mark.long
@pytest.mark.timeout(2400)
def test_every_fault_in_every_phase(tmp_path: Path) -> None:
    outcomes: list[Outcome] = []
    wrong: list[str] = []
    for release in (packages.ENGINE_26, packages.ENGINE_20):
        for outcome in outcomes_on(release, tmp_path):
            outcomes.append(outcome)
            try:
                check(outcome)
            except AssertionError as error:
                wrong.append(str(error))
            if os.environ.get("BUILDCTL_RECORD"):
                record("faults", table(outcomes))
    assert not wrong, "\n".join(wrong)
