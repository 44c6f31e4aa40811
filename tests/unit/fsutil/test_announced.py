"""What is kept of a transfer is what was announced, whole or not at all, and so many of them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from buildctl.fsutil import announced, survey
from buildctl.fsutil.announced import Recorder, Selection
from buildctl.fsutil.changes import changes
from buildctl.fsutil.filter import Filter
from buildctl.fsutil.listing import Listing
from tests.support.tree import make_tree

ALL = Selection()


def keep(records: Path, folder: Path, selection: Selection = ALL, name: str = "context") -> int:
    """Keep what a transfer would announce; how many batches that was."""
    recorder = Recorder(str(records), str(folder), name, selection)
    batches = list(recorder.batches(Listing().announce(survey.entries(str(folder), Filter()))))
    recorder.finish()
    return len(batches)


def test_everything_of_a_tree_is_known_again(tmp_path: Path) -> None:
    folder, records = tmp_path / "tree", tmp_path / "state/sent"
    folder.mkdir()
    make_tree(folder, entries=1_500)
    selection = Selection(["a*"], ["é", "!b"], ["x/y"])
    assert keep(records, folder, selection) > 1
    kept = announced.read(str(records), str(folder / "../tree"), "context")
    assert kept is not None
    assert kept.selection == selection
    now = {entry.path: entry for entry in survey.entries(str(folder), Filter())}
    assert list(kept.entries) == list(now)
    assert changes(kept.entries, now) == []
    assert (records.stat().st_mode & 0o777, len(list(records.iterdir()))) == (0o700, 1)
    assert announced.read(str(records), str(folder), "other") is None
    assert announced.read(str(records), str(tmp_path), "context") is None


def test_so_many_records_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(announced, "_MOST", 3)
    records, folder = tmp_path / "records", tmp_path / "folder"
    folder.mkdir()
    for number in range(5):
        keep(records, folder, name=str(number))
        for path in records.iterdir():  # each is older by a second than the next one
            os.utime(path, (path.stat().st_mtime - 1,) * 2)
    known = [announced.read(str(records), str(folder), str(number)) is not None for number in range(5)]
    assert known == [False, False, True, True, True]


def test_a_record_that_cannot_be_kept_fails_no_build(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    keep(tmp_path / "file/records", tmp_path / "folder")
    assert (tmp_path / "file").read_bytes() == b""
