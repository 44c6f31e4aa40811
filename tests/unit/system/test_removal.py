"""Whatever is in a folder, and however deep, it can be removed; what links lead to stays."""

from __future__ import annotations

import os
from pathlib import Path

from buildctl.system.removal import remove_tree


def test_a_folder_goes_however_deep_it_is(tmp_path: Path) -> None:
    """3,000 levels: more than Python recurses, a process may open, or a path may have."""
    at = os.open(tmp_path, os.O_RDONLY)
    here = os.dup(at)
    for name in ["deep", *["d"] * 3000]:
        os.mkdir(name, dir_fd=here)
        below = os.open(name, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(os.open("file", os.O_WRONLY | os.O_CREAT, dir_fd=here))
    os.close(here)
    remove_tree("deep", at)
    os.close(at)
    assert list(tmp_path.iterdir()) == []


def test_links_are_not_followed_and_names_that_are_taken_are_left(tmp_path: Path) -> None:
    kept, gone = tmp_path / "kept", tmp_path / "gone"
    (kept / "inside").mkdir(parents=True)
    (gone / ".removing-0").mkdir(parents=True)
    (gone / "sub" / "inner" / "last").mkdir(parents=True)
    (gone / "sub" / "link").symlink_to(kept)
    (gone / ".removing-1").write_text("a file")
    at = os.open(tmp_path, os.O_RDONLY)
    remove_tree(b"gone", at)
    os.close(at)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    assert (kept / "inside").is_dir()
