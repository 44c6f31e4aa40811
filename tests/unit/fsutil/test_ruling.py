"""What is told of a path is what the filter of a transfer makes of it, in any tree and with any patterns."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as hs

from buildctl.errors import TransferError
from buildctl.fsutil import survey
from buildctl.fsutil.filter import Filter
from buildctl.fsutil.ruling import Hold, Ruling, rule_on

NAMES = hs.sampled_from(["a", "b", "ab", "a.b"])
PATHS = hs.lists(NAMES, min_size=1, max_size=4).map("/".join)
PARTS = hs.sampled_from(["a", "b", "ab", "*", "**", "a*", "?", "*.b", "[ab]"])
PATTERNS = hs.tuples(hs.sampled_from(["", "", "!"]), hs.lists(PARTS, min_size=1, max_size=3).map("/".join))


@given(files=hs.sets(PATHS, max_size=8), patterns=hs.lists(PATTERNS.map("".join), max_size=6))
@settings(max_examples=150, deadline=None)
def test_it_is_what_is_sent(files: set[str], patterns: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name in sorted(files):
            file = Path(folder, name)
            if all(not above.is_file() for above in file.parents) and not file.exists():
                file.parent.mkdir(parents=True, exist_ok=True)
                file.touch()
        sent = {entry.path.decode() for entry in survey.entries(folder, Filter((), patterns))}
        counted = survey.entries(folder, survey.Counting(patterns))
        assert {entry.path.decode() for entry in counted} == sent
        for found in Path(folder).rglob("*"):
            path = str(found.relative_to(folder))
            ruling = rule_on(path, patterns, is_folder=found.is_dir())
            if ruling.dropped and ruling.walked:
                assert (path in sent) is any(one.startswith(f"{path}/") for one in sent)
                assert survey.is_sent(folder, Filter((), patterns), path.encode()) is (path in sent)
            else:
                assert (path in sent) is not ruling.dropped
            decider = patterns[ruling.holds[-1].rule] if ruling.holds else "!"
            assert ruling.dropped is not decider.startswith("!")
            assert all(f"{path}/".startswith(f"{hold.path}/") for hold in ruling.holds)


def test_where_a_pattern_takes_hold() -> None:
    patterns = ["*", "!a", "a/b", "!a/b/*.py"]
    assert rule_on("a/b/c.py", patterns, is_folder=False) == Ruling(
        False, False, "", (Hold(0, "a"), Hold(1, "a"), Hold(2, "a/b"), Hold(3, "a/b/c.py"))
    )
    assert rule_on("a/b", patterns, is_folder=True) == Ruling(
        True, True, "", (Hold(0, "a"), Hold(1, "a"), Hold(2, "a/b"))
    )


def test_nothing_counts_below_a_folder_that_is_not_looked_into() -> None:
    assert rule_on("a/b/c", ["a", "!c/d"], is_folder=False) == Ruling(True, False, "a", (Hold(0, "a"),))


def test_a_rule_that_is_no_pattern() -> None:
    with pytest.raises(TransferError, match="illegal exclusion pattern"):
        rule_on("a", ["!"], is_folder=False)
