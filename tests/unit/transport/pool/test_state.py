"""What processes tell each other of daemons never becomes the cause of a failure."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buildctl.transport.pool.state import Daemons, State, _known


def test_what_one_process_noted_another_finds(tmp_path: Path) -> None:
    clock = [1000.0]
    State(str(tmp_path / "s"), lambda: clock[0]).change(lambda known: known["a"].note_failure(clock[0]))
    other = State(str(tmp_path / "s"), lambda: clock[0])
    assert other.change(lambda known: known["a"].rests(clock[0]))
    assert (tmp_path / "s" / "daemons.json").stat().st_mode & 0o777 == 0o600


def test_pauses_grow_to_a_limit_and_end_with_an_answer() -> None:
    known = Daemons({})["a"]
    now, pauses = 0.0, []
    for _ in range(9):
        known.note_failure(now)
        known.note_failure(now + 0.1)  # the same failure, met by another process
        pauses.append(known.until - now)
        now = known.until
    assert pauses == [2, 4, 8, 16, 32, 64, 120, 120, 120]
    known.note_answer(now, ["linux/amd64"])
    assert not known.rests(now)
    assert known.failures == 0


def test_a_clock_that_was_set_back_does_not_keep_a_daemon_away() -> None:
    known = Daemons({})["a"]
    known.note_failure(1_000_000)
    assert not known.rests(1000)


def test_builds_of_processes_that_have_gone_do_not_count(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    state = State(str(tmp_path))
    state.change(lambda known: known["a"].builds.extend([[gone.pid, 1], [os.getpid(), 2]]))
    assert state.change(lambda known: known["a"].builds) == [[os.getpid(), 2]]


def test_processes_at_once_lose_nothing(tmp_path: Path) -> None:
    code = (
        "import os, sys; from buildctl.transport.pool.state import State; s = State(sys.argv[1])\n"
        "for n in range(5): s.change(lambda k: k['a'].builds.append([int(sys.argv[2]), n]))"
    )
    running = [subprocess.Popen([sys.executable, "-c", code, tmp_path, str(os.getpid())]) for _ in range(4)]
    assert [process.wait() for process in running] == [0] * 4
    assert len(State(str(tmp_path)).change(lambda known: known["a"].builds)) == 20


@pytest.mark.parametrize(
    "text", ["", "nonsense", "[]", "[" * 100_000, '{"a": 1, "b": {"builds": [1, [true, 2]]}}']
)
def test_a_damaged_file_is_an_empty_one(tmp_path: Path, text: str) -> None:
    (tmp_path / "daemons.json").write_text(text)
    assert State(str(tmp_path)).change(lambda known: known["b"].builds) == []


def test_without_a_place_or_a_lock_it_goes_on(tmp_path: Path) -> None:
    assert State("").change(lambda known: known["a"].failures) == 0
    (tmp_path / "file").write_text("")
    assert State(str(tmp_path / "file" / "s")).change(lambda known: known["a"].failures) == 0
    with (tmp_path / "daemons.json.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert State(str(tmp_path)).change(lambda known: known["a"].failures) == 0


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(), st.lists, max_leaves=4
)


@given(st.dictionaries(st.sampled_from(["failures", "until", "answered", "platforms", "builds"]), JSON))
def test_any_entry_can_be_read(value: dict[str, object]) -> None:
    known = _known(value)
    assert known.rests(0.0) in (True, False)
    known.note_failure(0.0)
