"""Referenced paths and the links on the way to them, as fsutil follows them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from buildctl.errors import TransferError
from buildctl.fsutil.directories import Directories
from buildctl.fsutil.followpaths import follow, include_patterns


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Files, folders and links of every kind."""
    for folder in ("dir/sub", "bar/baz", "other"):
        (tmp_path / folder).mkdir(parents=True)
    for file in ("dir/file", "dir/sub/deep", "bar/file1", "plain", "a*b"):
        (tmp_path / file).write_text("x")
    for link, target in (
        ("link", "dir"),
        ("to-file", "dir/file"),
        ("absolute", "/dir/sub"),
        ("dir/up", "../bar"),
        ("dir/over", "../../../../plain"),
        ("chain1", "chain2"),
        ("chain2", "chain3/file"),
        ("chain3", "bar/../dir"),
        ("loop1", "loop2"),
        ("loop2", "loop1"),
        ("self", "self/x"),
        ("dangling", "dir/missing"),
        ("root", "/"),
        ("other/l1", "../dir/file"),
        ("other/l2", "../plain"),
        ("other/m", "nowhere"),
    ):
        (tmp_path / link).symlink_to(target)
    return tmp_path


@pytest.fixture
def root(tree: Path) -> Iterator[Directories]:
    directories = Directories(os.open(tree, os.O_RDONLY | os.O_DIRECTORY))
    yield directories
    directories.close()


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (["plain"], ["plain"]),
        (["missing/path"], ["missing/path"]),
        (["plain/below"], ["plain/below"]),
        (["/dir/file"], ["dir/file"]),
        (["./dir//sub/../file"], ["dir/file"]),
        (["link"], ["dir", "link"]),
        (["link/file"], ["dir/file", "link"]),
        (["link/sub/deep"], ["dir/sub/deep", "link"]),
        (["to-file"], ["dir/file", "to-file"]),
        (["absolute/deep"], ["absolute", "dir/sub/deep"]),
        (["dir/up/file1"], ["bar/file1", "dir/up"]),
        (["link/up/file1"], ["bar/file1", "dir/up", "link"]),
        (["dir/over"], ["dir/over", "plain"]),
        (["chain1"], ["chain1", "chain2", "chain3", "dir/file"]),
        (["loop1"], ["loop1", "loop2"]),
        (["self"], ["self"]),
        (["dangling"], ["dangling", "dir/missing"]),
        (["dir", "dir/file", "dir/sub/deep"], ["dir"]),
        (["plain", "plain"], ["plain"]),
        (["*"], None),  # `root` is among the links
        (["other/*"], ["dir/file", "other/*", "other/nowhere", "plain"]),
        (["other/l?"], ["dir/file", "other/l?", "plain"]),
        (["other/[l]1"], ["dir/file", "other/[l]1"]),
        (["oth*/l1"], ["oth*/l1"]),  # what a wildcard matches besides links is left to the pattern
        (["d*/file"], ["d*", "dir/missing/file"]),  # `dangling` is a link, and `d*` takes all of `dir`
        (["link*/sub"], ["dir/sub", "link*"]),
        ([r"a\*b"], [r"a\*b"]),
        (["[x"], ["[x"]),  # no pattern, and no error before it is used as one
        (["missing/*"], ["missing/*"]),
        (["."], None),
        (["/"], None),
        (["root"], None),
        (["dir/file", "root/x"], ["dir/file", "root", "x"]),
        ([".."], [".."]),
        (["../link/x", "dir/.."], None),
        (["../link"], ["../link"]),
        (["a\0b"], ["a\0b"]),
        (["link/file", "link/sub"], ["dir/file", "link"]),  # the reference follows a link once
    ],
    ids=str,
)
def test_follow(paths: list[str], expected: list[str] | None, root: Directories) -> None:
    assert follow(paths, root) == expected


def test_names_are_sorted_by_their_bytes(tree: Path, root: Directories) -> None:
    assert follow(["b", "\udcff", "\uffff", "a"], root) == ["a", "b", "\uffff", "\udcff"]


def test_links_whose_names_are_no_utf8(tree: Path, root: Directories) -> None:
    os.symlink(b"to\xfe", os.fsencode(tree) + b"/l\xff")
    assert follow(["l\udcff"], root) == ["l\udcff", "to\udcfe"]
    assert follow(["l?"], root) == ["l?", "to\udcfe"]


@pytest.mark.parametrize(
    ("includes", "paths", "expected"),
    [
        ([], [], []),
        (["b", "a"], [], ["b", "a"]),
        ([], ["link/file"], ["dir/file", "link"]),
        (["plain", "!x"], ["to-file"], ["plain", "!x", "dir/file", "to-file"]),
        (["dir"], ["dir/file"], ["dir"]),
        (["plain"], ["."], ["plain"]),  # everything that is included, as if nothing was to be followed
        (["."], ["plain"], []),
    ],
    ids=str,
)
def test_include_patterns(
    includes: list[str], paths: list[str], expected: list[str], root: Directories
) -> None:
    assert include_patterns(includes, paths, root) == expected


def test_a_long_chain_of_links_does_not_overflow(tree: Path, root: Directories) -> None:
    for number in range(3_000):
        (tree / f"n{number}").symlink_to(f"n{number + 1}")
    assert len(follow(["n0"], root) or ()) == 3_001


@pytest.mark.skipif(os.geteuid() != 0, reason="takes root to become another user")
def test_a_folder_that_cannot_be_searched(tree: Path, root: Directories) -> None:
    tree.chmod(0o711)
    (tree / "other").chmod(0)
    os.seteuid(65534)
    try:
        with pytest.raises(TransferError, match="failed to follow other/l1: permission denied"):
            follow(["other/l1"], root)
    finally:
        os.seteuid(0)
