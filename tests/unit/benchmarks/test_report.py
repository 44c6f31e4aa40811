from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click
import pytest

from benchmarks.__main__ import chosen
from benchmarks.growth import curves, draw
from benchmarks.pairs import Pair, Sample
from benchmarks.report import report
from benchmarks.results import Measured, conditions, load_results, save_results
from benchmarks.shares import Shares
from benchmarks.works import WORKS

FACTS = {"machine": "2 cores", "daemon": "an engine"}


def _measured(ours: float, peer: float, facts: dict[str, str] | None = None) -> Measured:
    one = Sample(wall=ours, cpu=ours / 2, peak=50_000_000, daemon_cpu=1.0, received=1.5e6)
    other = Sample(wall=peer, cpu=peer / 2, peak=100_000_000, daemon_cpu=2.0, received=1.5e6)
    return Measured((Pair(one, other),) * 3, 0, 1, "2026-01-02", 0.5, facts or FACTS)


def _row(page: str, key: str) -> str:
    return next(line for line in page.splitlines() if line.startswith(f"| {key} |"))


def test_a_row_has_medians_ratio_and_target() -> None:
    row = _row(report(WORKS, {"a": _measured(8.0, 10.0)}, {}), "a")
    assert "8.00 / 10.00 = **0.80** (0.80–0.80), target ≤ 0.9 |" in row  # noqa: RUF001
    assert "4.00 / 5.00 = **0.80** (0.80–0.80), target ≤ 0.7: missed |" in row  # noqa: RUF001
    assert "| 3; peer hung 1× |" in row  # noqa: RUF001
    assert "50 / 100 = **0.50**" in row
    assert "1.00 / 2.00 = **0.50**" in row
    assert row.endswith("| 1.50 |")


def test_few_pairs_are_called_so() -> None:
    few = _measured(8.0, 10.0)
    many = replace(few, pairs=few.pairs * 3)
    assert "With fewer than 7 pairs" in report(WORKS, {"a": few, "b": many}, {})
    assert "With fewer than 7 pairs" not in report(WORKS, {"b": many}, {})


def test_a_slow_link_says_how_full_it_was() -> None:
    page = report(WORKS, {"k-large": _measured(12.0, 16.0)}, {})
    row = _row(page[page.index("## How full") :], "k-large")
    assert "89.5 / 67.1" in row  # 128 MiB at 12.5 MB/s take 10.74 s


def test_where_time_goes_comes_greatest_first_with_daemon_and_floor() -> None:
    shares = {"a": Shares({"walking": 0.25, "reading": 0.75}, stat_all=0.1, imports=0.2)}
    page = report(WORKS, {"a": _measured(8.0, 10.0)}, shares)
    assert "| reading | 0.75 | 75 |\n| walking | 0.25 | 25 |" in page
    assert "The daemon's CPU meanwhile: 1.00 s, of 8.00 s" in page
    assert "every file in 0.10 s" in page


def test_works_measured_on_other_machines_name_them() -> None:
    page = report(WORKS, {"a": _measured(1, 1), "b": _measured(1, 1, {"machine": "64 cores"})}, {})
    assert "- machine: 2 cores" in page
    assert "- machine: 64 cores" in page


def test_results_are_kept_run_by_run(tmp_path: Path) -> None:
    results = {"a": _measured(1.0, 2.0), "i-plain": _measured(3.0, 4.0)}
    save_results(results, tmp_path / "results.json")
    assert load_results(tmp_path / "results.json") == results
    assert load_results(tmp_path / "none.json") == {}


def test_the_plot_has_a_curve_for_each_client_and_kind(tmp_path: Path) -> None:
    results = {work.key: _measured(work.files / 1e4, work.files / 2e4) for work in WORKS if work.curve}
    found = curves(WORKS, results)
    assert [files for files, _ in found["ours", "first time"]] == [1_000, 10_000, 50_000, 100_000, 500_000]
    assert len(found) == 4
    for name in ("one.svg", "two.svg"):
        draw(WORKS, results, tmp_path / name)
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()
    assert b"<svg" in (tmp_path / "one.svg").read_bytes()


def test_works_are_chosen_by_letter_or_key() -> None:
    assert [work.key for work in chosen(WORKS, "e, h-tar")] == ["e-first", "e-unchanged", "h-tar"]
    assert chosen(WORKS, "") == list(WORKS)
    assert chosen(WORKS, "shares") == []
    with pytest.raises(click.BadParameter, match="called z"):
        chosen(WORKS, "a,z")


def test_conditions_name_machine_and_versions() -> None:
    found = conditions(engine="26.1", peer="0.13")
    assert "cores" in found["machine"]
    assert "grpcio" in found["libraries"]
    assert found["kernel"].startswith("Linux ")
