"""Runs works and writes benchmarks/results.md and docs/performance.svg: `python -m benchmarks --help`."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence

import click

from benchmarks.bench import Bench, open_bench
from benchmarks.growth import PLOT, draw
from benchmarks.pairs import FailedRunError, Pair, run_pairs, warm_up
from benchmarks.report import ENOUGH_PAIRS, REPORT, report
from benchmarks.results import Measured, conditions, load_results, measured_now, save_results
from benchmarks.shares import load_shares, measure_shares, save_shares
from benchmarks.works import WORKS, Work
from tests.support.debian import UnavailableError

_SHARES = "shares"
"""The word that chooses the samples of where our time goes."""


def chosen(works: Sequence[Work], only: str) -> list[Work]:
    """The works whose key, or the beginning of it before a `-`, is one of the words of `only`; all for none.

    The word `shares` chooses no work. Raises `click.BadParameter` for a word that chooses nothing.
    """
    words = _words(only)
    for word in words:
        if word != _SHARES and not any(_chooses(word, work) for work in works):
            raise click.BadParameter(
                f"no work is called {word}; there are {', '.join(work.key for work in works)}"
            )
    return [work for work in works if not words or any(_chooses(word, work) for word in words)]


def _words(only: str) -> list[str]:
    return [word.strip() for word in only.split(",") if word.strip()]


def _chooses(word: str, work: Work) -> bool:
    return word == work.key or work.key.startswith(f"{word}-")


@click.command()
@click.option(
    "--only", default="", metavar="WORK,...", help="These: a, e, e-first, growth, shares. Default: all."
)
@click.option(
    "--pairs",
    default=ENOUGH_PAIRS,
    show_default=True,
    type=click.IntRange(min=1),
    help="Pairs of runs of each work.",
)
@click.option("--report", "report_only", is_flag=True, help="Measure nothing; write table and plot again.")
def main(only: str, pairs: int, report_only: bool) -> None:
    """Measure this client against docker-buildx, on tmpfs, as root. Works not chosen keep their results."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # leave nothing behind
    works = chosen(WORKS, only)
    failed = []
    try:
        if not report_only:
            with open_bench() as bench:
                for work in works:
                    click.echo(f"{work.key}: {work.title}")
                    try:
                        save_results({**load_results(), work.key: measure_work(bench, work, pairs)})
                    except FailedRunError as error:
                        click.echo(f"  {error}", err=True)
                        failed.append(work.key)
                if _SHARES in (_words(only) or [_SHARES]):
                    save_shares(measure_shares(bench, WORKS))
    except (FailedRunError, UnavailableError) as error:
        raise click.ClickException(str(error)) from error
    results = load_results()
    REPORT.write_text(report(WORKS, results, load_shares()))
    draw(WORKS, results)
    click.echo(f"{REPORT}\n{PLOT}")
    if failed:
        raise click.ClickException(f"not measured: {', '.join(failed)}")


def measure_work(bench: Bench, work: Work, count: int) -> Measured:
    """Run a work once by each client, so that both start from the same caches, then in pairs."""
    load = os.getloadavg()[0]
    with work.open(bench, work.key) as contest:
        warm_up(contest)
        pairs = run_pairs(contest, count, on_pair=_show)
        where = conditions(engine=bench.daemon.version, peer=bench.peer.version)
    return measured_now(pairs, load, where)


def _show(pair: Pair) -> None:
    wall, cpu = pair.ours.wall / pair.peer.wall, pair.ours.cpu / pair.peer.cpu
    click.echo(f"  {pair.ours.wall:.2f} s / {pair.peer.wall:.2f} s = {wall:.2f}, CPU {cpu:.2f}")


if __name__ == "__main__":
    main()
