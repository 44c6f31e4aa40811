"""Load on a real BuildKit: many builds at once, many in a row, and a session that nobody uses."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.load.crowd import Crowd, from_one_process, from_processes
from tests.load.growth import Sample
from tests.load.idle import hold_session
from tests.load.record import record
from tests.load.soak import soak
from tests.support.engines import Engine

pytestmark = pytest.mark.daemon

RECORDED = bool(os.environ.get("BUILDCTL_RECORD"))
"""Whether results go into docs/reliability.md."""
MEMORY_BYTES = 200 << 20
"""What a client may have resident with a hundred builds, the tests' own part included."""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a path short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="load-", dir="/tmp") as made:
        yield Path(made)


async def test_ten_builds_at_once_in_one_process(engine_26: Engine, folder: Path) -> None:
    await from_one_process(engine_26, folder, 10)


def test_ten_processes_at_once(engine_26: Engine, folder: Path) -> None:
    from_processes(engine_26, folder, 10, timeout=50)


async def test_builds_leave_nothing_behind(engine_26: Engine, folder: Path) -> None:
    done = await soak(engine_26, folder, seconds=4, every=1)
    assert min(done.built, done.failed, done.cancelled) >= 1
    _assert_alike(done.samples[len(done.samples) // 2], done.samples[-1])


def _assert_alike(early: Sample, late: Sample) -> None:
    """But for memory, which says nothing in a run of seconds, and needs the half hour of `make soak`."""
    assert late[2:] == early[2:]


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("clients", [1, 100])
async def test_a_hundred_builds_at_once_in_one_process(engine_26: Engine, folder: Path, clients: int) -> None:
    crowd = await from_one_process(engine_26, folder, 100, clients=clients)
    assert crowd.memory_bytes < MEMORY_BYTES
    who = "one `Client` (which opens five connections)" if clients == 1 else f"{clients} clients"
    _record(f"crowd-{clients}", f"one process, {who}", crowd)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_hundred_processes_at_once(engine_26: Engine, folder: Path) -> None:
    crowd = from_processes(engine_26, folder, 100, timeout=800)
    _record("crowd-processes", "100 processes", crowd)


@pytest.mark.long
@pytest.mark.timeout(900)
async def test_a_session_held_idle_for_ten_minutes(engine_26: Engine, folder: Path) -> None:
    idle = await hold_session(engine_26, folder, 600)
    assert idle.checks >= 600 / 5 / 2  # it asks every five seconds
    assert idle.after[2:] == idle.before[2:]
    if RECORDED:
        text = (
            f"- {idle.seconds:.0f} seconds, {idle.checks} health checks answered, "
            f"{idle.client_cpu_seconds:.1f} s of the client's CPU; the build after it ended well."
        )
        record("idle", text)


def _record(kind: str, who: str, crowd: Crowd) -> None:
    text = (
        f"- {who}: {crowd.builds} builds in {crowd.seconds:.0f} s, "
        f"{crowd.client_cpu_seconds:.0f} s of CPU in the client, "
        f"{crowd.memory_bytes / 1e6:.0f} MB resident at most.\n"
    )
    if RECORDED:
        record(kind, text)
