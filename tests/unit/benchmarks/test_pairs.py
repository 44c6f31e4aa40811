from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest

from benchmarks.pairs import (
    Command,
    Contest,
    FailedRunError,
    HungRunError,
    figure,
    measure,
    received_bytes,
    run_pairs,
    warm_up,
)


def _shell(tmp_path: Path, script: str) -> Command:
    return Command(("/bin/sh", "-c", script), {"PATH": "/usr/bin:/bin"}, tmp_path, tmp_path / "log")


def test_a_figure_is_made_of_medians_and_of_the_ratios_within_pairs() -> None:
    found = figure([1.0, 2.0, 9.0], [2.0, 8.0, 6.0])
    assert (found.ours, found.peer) == (2.0, 6.0)
    assert (found.ratio, found.least, found.greatest) == (0.5, 0.25, 1.5)


def test_cpu_and_memory_are_those_of_the_command_and_its_children(tmp_path: Path) -> None:
    python = shlex.quote(sys.executable)
    work = "import time; x = bytes(range(256)) * 400_000\nwhile time.process_time() < 0.3: 0"
    child = f"{python} -I -S -c '{work}'"
    busy = measure(_shell(tmp_path, f"{child}; sleep 0.2"))
    assert 0.3 <= busy.cpu < 1.0
    assert busy.wall >= 0.5
    assert 100e6 < busy.peak < 200e6


def test_our_own_size_is_not_counted(tmp_path: Path) -> None:
    ballast = bytes(range(256)) * 400_000
    assert measure(_shell(tmp_path, "true")).peak < 20e6
    assert ballast


def test_a_command_that_fails_is_no_sample(tmp_path: Path) -> None:
    with pytest.raises(FailedRunError, match=r"ended with 3:\nno such file"):
        measure(_shell(tmp_path, "echo no such file >&2; exit 3"))


def test_the_side_that_begins_alternates_and_each_run_is_prepared(tmp_path: Path) -> None:
    log = tmp_path / "order"
    ours, peer = (_shell(tmp_path, f"echo {name} >>{log}") for name in ("ours", "peer"))

    def note(word: str) -> None:
        with log.open("a") as file:
            file.write(f"{word}\n")

    contest = Contest(ours, peer, before_pair=lambda: note("pair"), before_run=lambda: note("run"))
    assert len(run_pairs(contest, 2).pairs) == 2
    order = "pair run ours run peer pair run peer run ours"
    assert log.read_text().split() == order.split()


def test_the_daemon_s_cpu_is_what_it_used_since_the_run_began(tmp_path: Path) -> None:
    clock = iter([1.0, 1.5, 3.0, 3.25])
    contest = Contest(_shell(tmp_path, "true"), _shell(tmp_path, "true"), daemon_cpu=lambda: next(clock))
    [pair] = run_pairs(contest, 1).pairs
    assert (pair.ours.daemon_cpu, pair.peer.daemon_cpu) == (0.5, 0.25)


def test_a_pair_with_a_run_that_hangs_is_run_again_and_counted(tmp_path: Path) -> None:
    first = "mkdir once 2>/dev/null && exec sleep 30; true"
    found = run_pairs(Contest(_shell(tmp_path, "true"), _shell(tmp_path, first), limit=1), 2)
    assert len(found.pairs) == 2
    assert (found.hung_ours, found.hung_peer) == (0, 1)
    assert all(pair.peer.wall < 20 for pair in found.pairs)


def test_what_hangs_too_often_is_not_measured(tmp_path: Path) -> None:
    contest = Contest(_shell(tmp_path, "exec sleep 30"), _shell(tmp_path, "true"), limit=1, hung_at_most=2)
    warm_up(contest)  # which does not mind
    with pytest.raises(HungRunError, match="did not end within 1 s"):
        run_pairs(contest, 1)


def test_two_that_send_different_amounts_are_not_compared(tmp_path: Path) -> None:
    ours = _shell(tmp_path, "echo '#3 transferring context: 5.00MB 0.1s done'")
    peer = _shell(tmp_path, "echo '#3 transferring context: 5.20MB 0.1s done'")
    with pytest.raises(FailedRunError, match="5000000"):
        run_pairs(Contest(ours, peer, daemon_cpu=lambda: 0.0), 1)


@pytest.mark.parametrize(
    ("said", "amount"),
    [
        ("#2 transferring context: 2B done\n#3 transferring context: 3.7kB\n", 3700),
        ("#3 transferring context: 1.5GB 5.8s done\n", 1.5e9),
        ("#1 transferring dockerfile: 59B done\n", None),
    ],
)
def test_what_the_daemon_received_is_read_from_progress(said: str, amount: float | None) -> None:
    assert received_bytes(said) == amount
