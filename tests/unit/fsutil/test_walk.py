"""What a walk says of real trees, and in which order."""

from __future__ import annotations

import errno
import functools
import os
import socket
import stat as st
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as hs

from buildctl.errors import TransferError
from buildctl.fsutil import filemode
from buildctl.fsutil.directories import Directories
from buildctl.fsutil.filter import Filter
from buildctl.fsutil.walk import Entry, Walked, walk
from buildctl.system import descriptors
from tests.support.descriptors import descriptors_in
from tests.support.tree import make_tree

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="takes root to become another user or make devices")


def entries(
    root: Path, includes: Sequence[str] = (), excludes: Sequence[str] = (), limit: int = 64
) -> list[Entry]:
    return list(walking(root, includes, excludes, limit))


def walking(
    root: Path, includes: Sequence[str] = (), excludes: Sequence[str] = (), limit: int = 64
) -> Iterator[Entry]:
    directories = Directories(os.open(root, os.O_RDONLY | os.O_DIRECTORY), limit=limit)
    try:
        yield from walk(directories, os.fsencode(root), Filter(includes, excludes))
    finally:
        directories.close()


def paths(root: Path, includes: Sequence[str] = (), excludes: Sequence[str] = ()) -> list[str]:
    return [os.fsdecode(entry.path) for entry in entries(root, includes, excludes)]


def entry(root: Path, path: str) -> Entry:
    return next(found for found in entries(root) if found.path == path.encode())


def files(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)


def compare_paths(one: bytes, other: bytes) -> int:
    """fsutil's ComparePath: byte by byte, `/` below every other, a shorter one first."""
    for a, b in zip(one, other, strict=False):
        if a != b:
            return -1 if a == 0x2F or (b != 0x2F and a < b) else 1
    return len(one) - len(other)


NAMES = hs.lists(
    hs.lists(
        hs.binary(min_size=1, max_size=3).filter(lambda name: not {0, 0x2F} & set(name) and name.strip(b".")),
        min_size=1,
        max_size=4,
    ),
    max_size=12,
)


@given(NAMES)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
def test_the_order_is_the_receivers(
    tmp_path_factory: pytest.TempPathFactory, names: list[list[bytes]]
) -> None:
    root = tmp_path_factory.mktemp("tree")
    for parts in names:
        os.makedirs(os.path.join(os.fsencode(root), *parts), exist_ok=True)
    found = [entry.path for entry in entries(root)]
    assert found == sorted(found, key=functools.cmp_to_key(compare_paths))
    assert set(found) == {b"/".join(parts[:end]) for parts in names for end in range(1, len(parts) + 1)}


def test_folders_come_before_what_is_in_them_and_names_go_by_bytes(tmp_path: Path) -> None:
    files(tmp_path, "a/b", "a-b", "a.txt", "B", "é", "a/b.c")
    os.mkdir(os.fsencode(tmp_path) + b"/\xff")
    assert [entry.path for entry in entries(tmp_path)] == [
        b"B", b"a", b"a/b", b"a/b.c", b"a-b", b"a.txt", "é".encode(), b"\xff",
    ]  # fmt: skip


@pytest.mark.parametrize("mode", range(0, 0o10000, 0o111))
def test_modes_of_files(tmp_path: Path, mode: int) -> None:
    files(tmp_path, "f")
    (tmp_path / "f").chmod(mode)
    found = entry(tmp_path, "f").mode
    assert found & filemode.PERM == mode & 0o777
    assert filemode.permissions(found) == mode
    assert filemode.is_regular(found)


def test_stats_of_each_kind(tmp_path: Path) -> None:
    files(tmp_path, "file", "dir/x")
    (tmp_path / "file").chmod(0o4755)
    (tmp_path / "dir").chmod(0o1777)
    (tmp_path / "link").symlink_to("/no/where")
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "fifo").chmod(0o644)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
    (tmp_path / "socket").chmod(0o755)
    os.utime(tmp_path / "file", ns=(0, 1_234_567_890_123_456_789))
    os.utime(tmp_path / "link", ns=(0, -1), follow_symlinks=False)
    assert entry(tmp_path, "file") == (b"file", 8389101, 4, 1_234_567_890_123_456_789, b"", 0, {})
    assert entry(tmp_path, "dir")[:3] == (b"dir", 2148532735, 0)
    link = entry(tmp_path, "link")
    assert (link.mode, link.size, link.linkname, link.mtime_ns) == (134218239, 9, b"/no/where", -1)
    assert entry(tmp_path, "fifo")[:3] == (b"fifo", 33554852, 0)
    assert entry(tmp_path, "socket")[:3] == (b"socket", 493, 0), "a socket passes for an empty file"


@needs_root
def test_devices(tmp_path: Path) -> None:
    try:
        os.mknod(tmp_path / "char", st.S_IFCHR | 0o644, os.makedev(0x123, 0x45678))
        os.mknod(tmp_path / "block", st.S_IFBLK | 0o644, os.makedev(7, 3))
    except PermissionError:
        pytest.skip("no right to make devices here")
    (tmp_path / "char").chmod(0o644)
    (tmp_path / "block").chmod(0o644)
    char, block = entry(tmp_path, "char"), entry(tmp_path, "block")
    assert (char.mode, os.major(char.device), os.minor(char.device)) == (69206436, 0x123, 0x45678)
    assert (block.mode, os.major(block.device), os.minor(block.device)) == (67109284, 7, 3)


def test_names_of_any_bytes_and_length(tmp_path: Path) -> None:
    for name in (b"n" * 255, b"\xff\xfe", "日本".encode(), b"new\nline", b" "):
        with open(os.path.join(os.fsencode(tmp_path), name), "wb"):
            pass
    assert [entry.path for entry in entries(tmp_path)] == sorted(
        [b"n" * 255, b"\xff\xfe", "日本".encode(), b"new\nline", b" "]
    )


@pytest.mark.parametrize("depth", [20, 60])
def test_a_path_longer_than_a_daemon_takes_is_named(tmp_path: Path, depth: int) -> None:
    """The walk itself goes as deep as there are folders: what is excluded there does no harm."""
    parent = os.open(tmp_path, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("d" * 200, dir_fd=parent)
        child = os.open("d" * 200, os.O_RDONLY, dir_fd=parent)
        os.close(parent)
        parent = child
    os.close(os.open("leaf", os.O_CREAT | os.O_WRONLY, dir_fd=parent))
    os.close(parent)
    if depth == 20:
        found = entries(tmp_path, limit=4)
        assert len(found) == depth + 1
        assert len(found[-1].path) == depth * 201 + 4
        return
    with pytest.raises(TransferError, match=r"^lstat .{600,1100}: file name too long$") as raised:
        entries(tmp_path, limit=4)
    assert "bytes) ..." in str(raised.value)
    assert "4,095 bytes" in raised.value.hint
    middle = "/".join(["d" * 200] * 15)
    assert len(entries(tmp_path, excludes=[middle])) == 14


@pytest.mark.parametrize(
    ("seconds", "sent_ns"),
    [
        (0, 0),
        (-1, -1_000_000_000),
        (9_223_372_036, 9_223_372_036_000_000_000),  # a day of 2262 that still fits
        (-9_223_372_036, -9_223_372_036_000_000_000),
        (10_413_792_000, 10_413_792_000_000_000_000 - 2**64),
        (-10_413_792_000, -10_413_792_000_000_000_000 + 2**64),
        (253_402_300_799, (253_402_300_799 * 10**9 + 2**63) % 2**64 - 2**63),
    ],
)
def test_times_that_do_not_fit_wrap_and_are_told(seconds: int, sent_ns: int) -> None:
    """On a file system that has such times: most disks end in 2446 or before."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        files(Path(folder), "f", "d/g")
        os.symlink("f", os.path.join(folder, "l"))
        for name in ("f", "d", "l"):
            os.utime(os.path.join(folder, name), ns=(0, seconds * 10**9), follow_symlinks=False)
        walked = Walked()
        directories = Directories(os.open(folder, os.O_RDONLY | os.O_DIRECTORY))
        found = {one.path: one.mtime_ns for one in walk(directories, os.fsencode(folder), Filter(), walked)}
        directories.close()
    assert [found[name] for name in (b"f", b"d", b"l")] == [sent_ns] * 3
    assert sorted(walked.odd_times) == ([] if sent_ns == seconds * 10**9 else [b"d", b"f", b"l"])


def test_extended_attributes(tmp_path: Path) -> None:
    files(tmp_path, "f")
    try:
        os.setxattr(tmp_path / "f", "user.one", b"\x00\xff")
        os.setxattr(tmp_path / "f", "user.com.apple.x", b"kept")
    except OSError as error:
        if error.errno != errno.ENOTSUP:
            raise
        pytest.skip("the file system has none")
    assert entry(tmp_path, "f").xattrs == {b"user.one": b"\x00\xff", b"user.com.apple.x": b"kept"}


def test_extended_attributes_without_proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files(tmp_path, "f", "d/g")
    os.symlink("f", tmp_path / "l")
    os.mkfifo(tmp_path / "p")
    for name in ("f", "d"):
        os.setxattr(tmp_path / name, "user.one", b"1")
    if os.geteuid() == 0:
        os.setxattr(tmp_path / "l", "trusted.one", b"1", follow_symlinks=False)
    monkeypatch.setattr(descriptors, "_OWN", "/nonexistent")
    found = {one.path: dict(one.xattrs) for one in entries(tmp_path)}
    assert found == {b"f": {b"user.one": b"1"}, b"d": {b"user.one": b"1"}, b"d/g": {}, b"l": {}, b"p": {}}


class TestHardLinks:
    def test_the_first_name_in_the_walk_is_the_source(self, tmp_path: Path) -> None:
        files(tmp_path, "b/first")
        os.link(tmp_path / "b/first", tmp_path / "c")
        os.link(tmp_path / "b/first", tmp_path / "b/zweiter")
        found = {entry.path: (entry.linkname, entry.size) for entry in entries(tmp_path)}
        assert found[b"b/first"] == (b"", 7)
        assert found[b"b/zweiter"] == (b"b/first", 7)
        assert found[b"c"] == (b"b/first", 7)

    def test_the_first_name_that_is_kept_is_the_source(self, tmp_path: Path) -> None:
        files(tmp_path, "a")
        for name in ("b", "c", "d"):
            os.link(tmp_path / "a", tmp_path / name)
        found = {entry.path: entry.linkname for entry in entries(tmp_path, excludes=["a"])}
        assert found == {b"b": b"", b"c": b"b", b"d": b"b"}

    def test_links_to_a_symbolic_link_stay_symbolic(self, tmp_path: Path) -> None:
        (tmp_path / "a").symlink_to("target")
        os.link(tmp_path / "a", tmp_path / "b", follow_symlinks=False)
        assert [entry.linkname for entry in entries(tmp_path)] == [b"target", b"target"]

    def test_special_files_have_hard_links_too(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "a")
        os.link(tmp_path / "a", tmp_path / "b")
        assert [(entry.linkname, bool(entry.mode & filemode.NAMED_PIPE)) for entry in entries(tmp_path)] == [
            (b"", True),
            (b"a", True),
        ]

    def test_a_second_name_outside_the_tree_is_nothing(self, tmp_path: Path) -> None:
        files(tmp_path, "in/a", "out/x")
        os.link(tmp_path / "in/a", tmp_path / "out/a")
        assert entry(tmp_path / "in", "a").linkname == b""


class TestFilter:
    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        files(tmp_path, "a/b/c/f", "a/b/g", "a/x/f", "bar/foo", "bar/foo2", "foo", "foo2", "z/f")
        (tmp_path / "empty/inner").mkdir(parents=True)
        return tmp_path

    @pytest.mark.parametrize(
        ("includes", "excludes", "expected"),
        [
            ([], ["*"], ""),
            ([], ["a", "bar"], "empty empty/inner foo foo2 z z/f"),
            (["foo"], [], "foo"),
            (["bar/foo"], [], "bar bar/foo"),
            (["a/b/c"], [], "a a/b a/b/c a/b/c/f"),
            (["a/b/c", "a/x"], [], "a a/b a/b/c a/b/c/f a/x a/x/f"),
            (["**/f"], [], "a a/b a/b/c a/b/c/f a/x a/x/f z z/f"),
            (["*/foo*"], [], "bar bar/foo bar/foo2"),
            (["a/*/f", "foo?"], [], "a a/x a/x/f foo2"),
            (["empty"], [], "empty empty/inner"),
            (["empty/inner"], [], "empty empty/inner"),
            (["nothing"], [], ""),
            ([" "], [], ""),
            (["a", "!a/b"], [], "a a/x a/x/f"),
            (["!a", "z"], [], "z z/f"),
            (["a", "bar"], ["**/f", "bar/foo"], "a a/b a/b/c a/b/g a/x bar bar/foo2"),
            ([], ["*", "!a/b/c/f"], "a a/b a/b/c a/b/c/f"),
            ([], ["**", "!**/f"], "a a/b a/b/c a/b/c/f a/x a/x/f z z/f"),
            ([], ["*", "!*/f*", "bar/foo2"], "bar bar/foo z z/f"),
            ([], ["a", "!a/b/**", "a/b/c", "empty", "bar", "z", "foo*"], "a a/b a/b/g"),
            ([], ["*", "!a/*/**"], ""),  # the reference does not look below `a/x` for what `a/*/**` matches
            ([], ["*", "!a/*/f*"], "a a/x a/x/f"),
            ([], ["*", "!a/b*/**"], "a a/b a/b/c a/b/c/f a/b/g"),
        ],
        ids=str,
    )
    def test_what_is_kept_and_its_folders(
        self, root: Path, includes: list[str], excludes: list[str], expected: str
    ) -> None:
        assert paths(root, includes, excludes) == expected.split()

    def test_a_folder_that_is_sent_for_what_is_in_it_has_its_own_stat(self, root: Path) -> None:
        (root / "a/b").chmod(0o750)
        os.utime(root / "a/b", ns=(5, 5))
        found = {entry.path: entry for entry in entries(root, ["a/b/c/f"])}
        assert found[b"a/b"][1:4] == (filemode.DIR | 0o750, 0, 5)

    @pytest.mark.parametrize(
        ("includes", "excludes", "message"),
        [
            (["a", "[x"], [], "invalid includepatterns: [a [x]: syntax error in pattern"),
            ([], ["!"], 'invalid excludepatterns: [!]: illegal exclusion pattern: "!"'),
            ([r"\1"], [], "failed to match includepatterns: syntax error in pattern"),
            ([], [r"\1"], "failed to match excludepatterns: syntax error in pattern"),
        ],
    )
    def test_bad_patterns(self, root: Path, includes: list[str], excludes: list[str], message: str) -> None:
        with pytest.raises(TransferError) as raised:
            entries(root, includes, excludes)
        assert str(raised.value) == message
        assert raised.value.hint

    @needs_root
    @pytest.mark.parametrize("excludes", [["a"], ["a", "!a/b"], ["**/b", "!**/g"]], ids=str)
    def test_an_excluded_folder_need_not_be_readable(self, root: Path, excludes: list[str]) -> None:
        (root / "a/b").chmod(0o711)
        (root / "a").chmod(0o711 if "a" not in excludes else 0)
        if "a" not in excludes:
            (root / "a").chmod(0o755)
        root.chmod(0o755)
        for parent in root.parents:
            if parent.stat().st_uid == 0 and parent != Path("/"):
                parent.chmod(parent.stat().st_mode | 0o011)
        os.seteuid(65534)
        try:
            assert "foo" in paths(root, [], excludes)
            with pytest.raises(TransferError, match=r"open .*/a.*: permission denied") as raised:
                paths(root)
        finally:
            os.seteuid(0)
        assert ".dockerignore" in raised.value.hint

    def test_an_excluded_folder_is_not_opened(self, root: Path) -> None:
        """Reading a folder changes nothing but what a descriptor shows; a pipe in its place would."""
        seen = set()
        for _ in walking(root, [], ["a", "!zzz/**"]):
            seen |= {os.readlink(f"/dev/fd/{name}") for name in os.listdir("/dev/fd") if _is_open(name)}
        assert str(root / "z") in seen
        assert str(root / "a") not in seen


def _is_open(name: str) -> bool:
    return os.path.islink(f"/dev/fd/{name}")


class TestChangesMeanwhile:
    def test_what_vanishes_is_left_out(self, tmp_path: Path) -> None:
        files(tmp_path, "a", "b", "c/x", "d", "e/y")
        walker = walking(tmp_path)
        assert next(walker).path == b"a"
        (tmp_path / "b").unlink()
        (tmp_path / "c/x").unlink()
        (tmp_path / "c").rmdir()
        assert [entry.path for entry in walker] == [b"d", b"e", b"e/y"]

    def test_a_folder_that_vanishes_while_it_is_read(self, tmp_path: Path) -> None:
        files(tmp_path, "a/1", "a/2", "b")
        walker = walking(tmp_path)
        assert [next(walker).path for _ in range(2)] == [b"a", b"a/1"]
        (tmp_path / "a").rename(tmp_path / "z")
        assert b"b" in [entry.path for entry in walker]

    def test_a_link_in_place_of_a_folder_leads_nowhere(self, tmp_path: Path) -> None:
        files(tmp_path, "root/a", "root/b/x", "root/c", "secret/x", "secret/key")
        walker = walking(tmp_path / "root")
        assert next(walker).path == b"a"
        (tmp_path / "root/b").rename(tmp_path / "moved")
        (tmp_path / "root/b").symlink_to(tmp_path / "secret")
        rest = list(walker)
        assert [entry.path for entry in rest] == [b"b", b"c"]
        assert rest[0].linkname == os.fsencode(tmp_path / "secret")

    def test_few_descriptors_serve_any_depth_and_none_is_left(self, tmp_path: Path) -> None:
        (tmp_path / "/".join("abcdefghijklmnop")).mkdir(parents=True)
        files(tmp_path, "a/b/c/z", "a/z", "z")
        most = 0
        for _ in walking(tmp_path, limit=3):
            most = max(most, descriptors_in(tmp_path))
        assert most <= 5
        assert descriptors_in(tmp_path) == 0


def test_a_tree_of_everything(tmp_path: Path) -> None:
    make_tree(tmp_path, entries=500)
    found = entries(tmp_path)
    on_disk = {os.fsencode(path.relative_to(tmp_path)): path.lstat() for path in tmp_path.rglob("*")}
    assert {entry.path for entry in found} == set(on_disk)
    for entry in found:
        status = on_disk[entry.path]
        assert entry.mtime_ns == status.st_mtime_ns
        assert entry.size == (0 if st.S_ISDIR(status.st_mode) else status.st_size)
        assert entry.mode == filemode.from_st_mode(status.st_mode)


_WALK = """
import os
from buildctl.fsutil.directories import Directories
from buildctl.fsutil.filter import Filter
from buildctl.fsutil.walk import walk
root = Directories(os.open(".", os.O_RDONLY))
print([entry.path for entry in walk(root, b".", Filter((), ["\\u00e9*"]))])
"""


@pytest.mark.parametrize("locale", ["C.UTF-8", "POSIX"])
def test_patterns_mean_the_same_in_every_locale(tmp_path: Path, locale: str) -> None:
    """In the second one Python takes names for ASCII."""
    for name in ("\u00e9 dropped", "kept", "z\u00e9"):
        (tmp_path / name).touch()
    variables = {"LC_ALL": locale, "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    walked = subprocess.run(
        [sys.executable, "-c", _WALK], cwd=tmp_path, env=variables, capture_output=True, text=True, check=True
    )
    assert walked.stdout.strip() == repr([b"kept", "z\u00e9".encode()])
