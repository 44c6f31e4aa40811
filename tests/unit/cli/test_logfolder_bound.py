"""A daemon cannot make `--log-dir` have any number of files."""

from __future__ import annotations

from pathlib import Path

import pytest

from buildctl.cli import logfolder
from tests.support.statuses import log, vertex


def test_steps_beyond_some_number_share_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logfolder, "_FILES", 3)
    folder = logfolder.LogFolder(str(tmp_path), "abcdefgh", 0)
    for number in range(10):
        folder.update(vertex(f"{number}", 1))
        folder.update(log(f"{number}", b"line %d\n" % number))
        folder.update(log(f"nobody {number}", b"lost %d\n" % number))
    folder.close()
    files = {path.name: path.read_bytes() for path in Path(folder.path).glob("*.log")}
    assert len(files) == 4
    assert files["others.log"].count(b"\n") == 17
    assert b"".join(files.values()).count(b"\n") == 20, "nothing is lost"
