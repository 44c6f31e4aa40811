"""What killed exports leave in a tree goes with the next export, and nothing else does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from buildctl.fsutil.diskwriter import DiskWriter, IncomingFile
from tests.support.fsutil_sender import Entry
from tests.support.program import ROOT
from tests.support.users import NOBODY

KILLED = """
import os, sys
from buildctl.fsutil.diskwriter import DiskWriter, IncomingFile
from tests.support.fsutil_sender import Entry, directory
writer = DiskWriter(sys.argv[1])
writer.open()
for path in ("a", "a/b"):
    writer.make_directory(directory(path).stat())
writer.complete(IncomingFile(Entry("a/whole", content=b"w").stat()), [b"w"])
for path in ("top", "a/b/deep"):
    writer.write(IncomingFile(Entry(path).stat()), [b"half"])
os.kill(os.getpid(), 9)
"""


def kill_one(out: Path) -> None:
    subprocess.run([sys.executable, "-c", KILLED, out], cwd=ROOT, check=False)


def begin(out: Path) -> DiskWriter:
    writer = DiskWriter(str(out))
    writer.open()
    return writer


def left(out: Path) -> list[str]:
    return sorted(
        str(path.relative_to(out)) for path in out.rglob("*") if path.is_symlink() or not path.is_dir()
    )


def test_it_goes_with_the_next_export(tmp_path: Path) -> None:
    out = tmp_path / "out"
    kill_one(out)
    kill_one(out)  # which finds what the first one left
    assert len([name for name in left(out) if ".tmp." in name]) == 3
    (out / ".tmp.0123456789ab.user").touch()
    (out / "a" / "escape").symlink_to(tmp_path)
    begin(out).close()
    assert left(out) == [".tmp.0123456789ab.user", "a/escape", "a/whole"]


def test_that_of_an_export_that_runs_stays(tmp_path: Path) -> None:
    out = tmp_path / "out"
    running = begin(out)
    file = IncomingFile(Entry("file", content=b"whole").stat())
    running.write(file, [b"wh"])
    kill_one(out)
    begin(out).close()
    running.complete(file, [b"ole"])
    running.close()
    assert left(out) == ["a/whole", "file"]
    assert (out / "file").read_bytes() == b"whole"


def test_it_does_not_follow_links(tmp_path: Path) -> None:
    out, outside = tmp_path / "out", tmp_path / "outside"
    outside.mkdir()
    kill_one(out)
    (mark,) = out.glob(".tmp.*.run")
    kept = outside / f"{mark.name.removesuffix('run')}0"
    kept.touch()
    (out / "link").symlink_to(outside)
    begin(out).close()
    assert kept.exists()
    mark.symlink_to(kept)
    begin(out).close()
    assert (mark.is_symlink(), kept.exists()) == (True, True)


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a file to another user")
def test_that_of_another_user_stays(tmp_path: Path) -> None:
    out = tmp_path / "out"
    kill_one(out)
    (mark,) = out.glob(".tmp.*.run")
    os.chown(mark, NOBODY, NOBODY)
    before = left(out)
    begin(out).close()
    assert left(out) == before
