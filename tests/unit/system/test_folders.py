"""Folders of this user alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from buildctl.system.folders import make_private


def test_each_that_is_missing_is_private(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    mask = os.umask(0)
    try:
        for _ in range(2):
            make_private(str(tmp_path / "a/b/c"))
    finally:
        os.umask(mask)
    modes = [path.stat().st_mode & 0o777 for path in (tmp_path, *sorted(tmp_path.rglob("*")))]
    assert modes == [0o755, 0o700, 0o700, 0o700]


def test_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        make_private(str(tmp_path / "file/a"))
