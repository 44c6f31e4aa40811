from __future__ import annotations

import hashlib
import os
from pathlib import Path

from benchmarks import trees
from buildctl.fsutil.directories import Directories
from buildctl.fsutil.filter import Filter
from buildctl.fsutil.walk import walk


def _digest(root: Path) -> str:
    """Of names, times and bytes."""
    whole = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        whole.update(f"{path.relative_to(root)} {path.stat().st_mtime_ns}\n".encode())
        if path.is_file():
            whole.update(path.read_bytes())
    return whole.hexdigest()


def test_a_tree_is_the_same_everywhere(tmp_path: Path) -> None:
    trees.make_small_files(tmp_path / "one", 120)
    trees.make_small_files(tmp_path / "two", 120)
    assert _digest(tmp_path / "one") == _digest(tmp_path / "two")


def test_small_files_have_the_sizes_and_folders_promised(tmp_path: Path) -> None:
    trees.make_small_files(tmp_path / "tree", 1000)
    files = [path for path in (tmp_path / "tree").rglob("*") if path.is_file()]
    sizes = [path.stat().st_size for path in files]
    assert len(files) == 1000
    assert len(list((tmp_path / "tree").iterdir())) == 20
    assert trees.SMALLEST <= min(sizes) < 500
    assert 5500 < max(sizes) <= trees.LARGEST
    assert len({path.stat().st_mtime for path in files}) == 1000


def test_a_large_file_has_its_size_and_no_pattern(tmp_path: Path) -> None:
    trees.make_large_file(tmp_path / "new" / "large", 20 << 20)
    content = (tmp_path / "new" / "large").read_bytes()
    assert len(content) == 20 << 20
    assert content[: 4 << 20] != content[16 << 20 :]


def test_changed_files_alternate_between_two_contents_and_get_younger(tmp_path: Path) -> None:
    trees.make_small_files(tmp_path / "tree", 1000)
    changed = tmp_path / "tree" / "folder-0003" / "file-00.txt"
    seen = []
    for version in range(3):
        trees.change_files(tmp_path / "tree", 20, version)
        seen.append((changed.read_bytes(), changed.stat().st_mtime))
    assert seen[0][0] == seen[2][0] != seen[1][0]
    assert trees.EPOCH < seen[0][1] < seen[1][1] < seen[2][1]


def test_there_are_as_many_patterns_as_promised() -> None:
    rules = trees.IGNORED.splitlines()
    assert len([rule for rule in rules if not rule.startswith("!")]) == 40
    assert len([rule for rule in rules if rule.startswith("!")]) == 6


def test_of_the_mostly_ignored_one_file_in_a_hundred_is_sent(tmp_path: Path) -> None:
    trees.make_mostly_ignored(tmp_path / "tree", 600, in_folder=2)
    directories = Directories(os.open(tmp_path / "tree", os.O_RDONLY | os.O_DIRECTORY))
    try:
        excluding = Filter(excludes=trees.IGNORED.splitlines())
        kept = [os.fsdecode(entry.path) for entry in walk(directories, bytes(tmp_path / "tree"), excluding)]
    finally:
        directories.close()
    files = [path for path in kept if Path(path).name.startswith("file-")]
    assert len(files) == 6
    assert {path.split("/")[0] for path in files} == {"vendor", "build", "src"}
