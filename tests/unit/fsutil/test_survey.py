"""What is counted of a filter's patterns while a folder is walked."""

from __future__ import annotations

from itertools import count
from pathlib import Path

from buildctl.fsutil.survey import Counting, entries

FILES = ("a.log", "b.log", "c.txt", "deep/d.log", "deep/keep/e.log", "out/f")


def test_each_pattern_is_counted_for_the_paths_that_it_decides(tmp_path: Path) -> None:
    for name in FILES:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    choose = Counting(["**/*.log", "!b.log", "out", "!deep/keep", "*.tmp"])
    sent = [entry.path.decode() for entry in entries(str(tmp_path), choose)]
    assert sent == ["b.log", "c.txt", "deep", "deep/keep"]
    uses = list(choose.uses(count(step=7).__next__))
    # An exception that takes back nothing does not hold for what is below it: deep/keep was not excluded.
    assert [use.decided for use in uses] == [3, 1, 1, 0, 0]
    assert [use.took_ns for use in uses] == [7] * 5
