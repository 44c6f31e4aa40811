"""Whatever else happens in the destination meanwhile, nothing outside of it is touched."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from buildctl.errors import TransferError
from buildctl.fsutil import filemode
from buildctl.fsutil.directories import Directories
from buildctl.fsutil.diskwriter import DiskWriter, IncomingFile
from tests.support.descriptors import descriptors_in
from tests.support.fsutil_sender import Entry, directory, symlink, tree


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Path]:
    """A folder beside the destination, checked to be as it was when the test ends."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "file").write_text("untouched")
    (folder / "inner").mkdir()
    before = tree(folder), folder.stat()
    yield folder
    after = tree(folder), folder.stat()
    assert after[0] == before[0]
    assert (after[1].st_mode, after[1].st_mtime_ns) == (before[1].st_mode, before[1].st_mtime_ns)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture
def writer(out: Path) -> Iterator[DiskWriter]:
    opened = DiskWriter(str(out), max_open_files=1)
    opened.open()
    yield opened
    opened.close()


def incoming(path: str) -> IncomingFile:
    return IncomingFile(Entry(path).stat())


def exchange(path: Path, target: Path) -> None:
    """Put a link where a directory or file is."""
    path.rename(path.with_name(path.name + "-moved"))
    path.symlink_to(target)


def forget_directories(writer: DiskWriter) -> None:
    """Use so many directories that no earlier one is still open."""
    for number in range(70):
        writer.make_directory(directory(f"z{number:02d}").stat())


def test_an_open_directory_that_is_moved_takes_its_files_along(
    writer: DiskWriter, out: Path, outside: Path
) -> None:
    writer.make_directory(directory("a").stat())
    exchange(out / "a", outside)
    writer.complete(incoming("a/file"), [b"new"])
    writer.make_symlink(symlink("a/link", "x").stat())
    writer.finish_directory(directory("a").stat())
    assert (out / "a-moved" / "file").read_bytes() == b"new"
    assert (out / "a-moved" / "link").is_symlink()


@pytest.mark.parametrize("where", ["a", "a/inner"])
def test_a_directory_that_became_a_link_is_not_entered(
    writer: DiskWriter, out: Path, outside: Path, where: str
) -> None:
    writer.make_directory(directory("a").stat())
    writer.make_directory(directory("a/inner").stat())
    forget_directories(writer)
    exchange(out / where, outside)
    attempts = (
        lambda: writer.complete(incoming("a/inner/file"), [b"new"]),
        lambda: writer.write(incoming("a/inner/file"), [b"new"]),
        lambda: writer.make_symlink(symlink("a/inner/link", "x").stat()),
        lambda: writer.make_special(Entry("a/inner/pipe", filemode.NAMED_PIPE).stat()),
        lambda: writer.make_directory(directory("a/inner/dir").stat()),
        lambda: writer.make_link(b"a/inner/link", b"a/inner/file"),
        lambda: writer.remove(b"a/inner/file"),
        lambda: writer.names(b"a/inner"),
        lambda: writer.finish_directory(directory("a/inner").stat()),
    )
    for attempt in attempts:
        with pytest.raises(
            TransferError, match=r"not a directory|too many levels of symbolic links"
        ) as caught:
            attempt()
        assert "not a directory" in caught.value.hint


def test_a_file_that_became_a_link_is_not_written_through(
    writer: DiskWriter, out: Path, outside: Path
) -> None:
    first = incoming("first")
    writer.write(first, [b"one"])
    writer.write(incoming("second"), [b"two"])  # closes the first, of which one may be open
    (temporary,) = (path for path in out.iterdir() if path.read_bytes() == b"one")
    exchange(temporary, outside / "file")
    with pytest.raises(TransferError, match="too many levels of symbolic links"):
        writer.write(first, [b"more"])


def test_a_link_target_that_became_a_link_is_not_followed(
    writer: DiskWriter, out: Path, outside: Path
) -> None:
    writer.complete(incoming("file"), [b"new"])
    exchange(out / "file", outside / "file")
    writer.make_link(b"link", b"file")
    assert (out / "link").is_symlink()
    assert (outside / "file").stat().st_nlink == 1


def test_removing_stops_at_links(writer: DiskWriter, out: Path, outside: Path) -> None:
    (out / "old" / "deep").mkdir(parents=True)
    (out / "old" / "deep" / "link").symlink_to(outside)
    (out / "link").symlink_to(outside)
    writer.remove(b"old")
    writer.remove(b"link")
    assert writer.names(b"") == []


def test_a_destination_under_attack_is_left_or_failed_but_never_escaped(out: Path, outside: Path) -> None:
    """Another thread exchanges a directory for a link out of the destination, all the time."""
    stop = threading.Event()

    def attack() -> None:
        os.symlink(outside, out / "link")
        while not stop.is_set():
            for made, name in (("a", "b"), ("link", "a"), ("a", "link"), ("b", "a")):
                try:
                    os.rename(out / made, out / name)
                except OSError:
                    continue

    out.mkdir()
    attacker = threading.Thread(target=attack)
    attacker.start()
    outcomes = set()
    try:
        for _ in range(150):
            writer = DiskWriter(str(out))
            try:
                writer.open()
                writer.make_directory(directory("a").stat())
                writer.complete(incoming("a/file"), [b"new"])
                writer.make_directory(directory("a/inner", 0o777).stat())
                writer.make_special(Entry("a/pipe", filemode.NAMED_PIPE | 0o777).stat())
                writer.make_link(b"a/again", b"a/file")
                for path, mode in (("a/inner", 0o777), ("a", 0o755)):
                    writer.finish_directory(directory(path, mode).stat())
                outcomes.add("written")
            except TransferError:
                outcomes.add("failed")
            finally:
                writer.close()
    finally:
        stop.set()
        attacker.join()
    assert outcomes


@pytest.mark.parametrize(
    ("mode", "permissions"),
    [
        (filemode.SETUID | 0o755, 0o4755),
        (filemode.SETGID | 0o070, 0o2070),
        (filemode.STICKY | 0o007, 0o1007),
        (filemode.SETUID | filemode.SETGID | filemode.STICKY | 0o777, 0o7777),
        (0, 0),
        (0o7777, 0o777),
    ],
)
@pytest.mark.parametrize("kind", [0, filemode.NAMED_PIPE, filemode.DIR])
def test_modes_are_exact_whatever_the_umask(
    writer: DiskWriter, out: Path, mode: int, permissions: int, kind: int
) -> None:
    stat = Entry("x", kind | mode).stat()
    before = os.umask(0o027)
    try:
        if kind == filemode.DIR:
            writer.make_directory(stat)
        elif kind == filemode.NAMED_PIPE:
            writer.make_special(stat)
        else:
            writer.complete(IncomingFile(stat), [b"x"])
        if kind == filemode.DIR:
            writer.finish_directory(stat)
    finally:
        os.umask(before)
    assert os.lstat(out / "x").st_mode & 0o7777 == permissions


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a directory to another group")
def test_files_are_ours_in_a_directory_that_gives_them_to_its_group(writer: DiskWriter, out: Path) -> None:
    for name in ("plain", "shared"):
        (out / name).mkdir()
    os.chown(out / "shared", 0, 12345)
    (out / "shared").chmod(0o2775)
    for path in ("plain/one", "plain/two", "shared/one", "shared/two", "plain/three"):
        writer.complete(incoming(path), [b"x"])
        assert (out / path).stat().st_gid == os.getegid()


def test_closing_removes_what_is_not_whole(writer: DiskWriter, out: Path) -> None:
    writer.make_directory(directory("a").stat())
    writer.write(incoming("a/file"), [b"half"])
    writer.write(incoming("file"), [b"half"])
    writer.write(incoming("a/third"), [b"half"])
    assert len(list(out.rglob(".tmp.*[0-9]"))) == 3
    writer.close()
    assert [path.name for path in out.rglob("*")] == ["a"]
    writer.close()


def test_directories_keep_few_open_and_close_all(tmp_path: Path) -> None:
    before = descriptors_in(tmp_path)
    for number in range(20):
        (tmp_path / f"d{number}" / "inner").mkdir(parents=True)
    directories = Directories(os.open(tmp_path, os.O_RDONLY), limit=4)
    for number in (*range(20), *range(20)):
        descriptor = directories.descriptor(b"d%d/inner" % number)
        assert os.path.samestat(os.fstat(descriptor), (tmp_path / f"d{number}" / "inner").stat())
        assert descriptors_in(tmp_path) <= before + 5
    assert os.path.samestat(os.fstat(directories.descriptor(b"")), tmp_path.stat())
    with pytest.raises(FileNotFoundError):
        directories.descriptor(b"d1/inner/missing")
    directories.close()
    assert descriptors_in(tmp_path) == before
