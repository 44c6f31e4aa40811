"""How a path is written: what stays of what was there, and what is left when it goes wrong."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from buildctl.errors import TransferError
from buildctl.system.beside import create_beside, replace_file
from buildctl.system.outfile import OutFile, open_growing, write_whole
from tests.support.mounts import small_tmpfs
from tests.support.program import ROOT
from tests.support.users import NOBODY, nobody

root = pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user, or mounts")

# An access list that lets NOBODY read (linux/posix_acl_xattr.h): version 2, then tag, permissions, id.
ACL = bytes.fromhex(
    "0200000001000600ffffffff02000400feff000004000400ffffffff10000400ffffffff20000000ffffffff"
)


def write(path: Path | str, content: bytes = b"new") -> None:
    write_whole(str(path), content)


def names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


class TestWhatStays:
    """Of a regular file."""

    @pytest.mark.parametrize("mask", [0, 0o022, 0o077])
    def test_a_new_file_has_the_mode_that_the_umask_allows(self, tmp_path: Path, mask: int) -> None:
        with umask(mask):
            write(tmp_path / "new")
            write_whole(str(tmp_path / "private"), b"", mode=0o600)
        assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o666 & ~mask
        assert stat.S_IMODE((tmp_path / "private").stat().st_mode) == 0o600

    @pytest.mark.parametrize(
        ("before", "after"), [(0o600, 0o600), (0o640, 0o640), (0o777, 0o777), (0o6755, 0o755)]
    )
    def test_mode(self, tmp_path: Path, before: int, after: int) -> None:
        path = tmp_path / "file"
        path.write_text("old")
        path.chmod(before)
        with umask(0o022):
            write(path)
        assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("new", after)
        assert names(tmp_path) == ["file"]

    def test_nobody_else_reads_what_is_not_whole(self, tmp_path: Path) -> None:
        path = tmp_path / "file"
        path.touch(0o600)
        file = OutFile(str(path))
        file.open()
        assert {stat.S_IMODE(entry.stat().st_mode) for entry in tmp_path.iterdir()} == {0o600}
        file.discard()
        assert names(tmp_path) == ["file"]

    @root
    def test_owner(self, tmp_path: Path) -> None:
        path = tmp_path / "file"
        path.write_text("old")
        os.chown(path, 1234, 2345)
        write(path)
        assert (path.read_text(), path.stat().st_uid, path.stat().st_gid) == ("new", 1234, 2345)

    @root
    def test_owner_whom_this_user_cannot_give_a_file(self, tmp_path: Path) -> None:
        path = tmp_path / "file"
        path.write_text("a longer text than the new one")
        path.chmod(0o666)
        tmp_path.chmod(0o777)
        before = path.stat()
        with nobody(tmp_path):
            tmp_path.stat()
            write(path)
        now = path.stat()
        assert (path.read_text(), now.st_uid, now.st_ino) == ("new", 0, before.st_ino)
        assert names(tmp_path) == ["file"]

    @pytest.mark.skipif(sys.platform != "linux", reason="attributes by Linux's calls")
    def test_extended_attributes_and_access_lists(self, tmp_path: Path) -> None:
        path = tmp_path / "file"
        path.touch(0o600)
        given = {"user.origin": b"ci", "system.posix_acl_access": ACL}
        try:
            for key, value in given.items():
                os.setxattr(path, key, value)
        except OSError as error:
            pytest.skip(f"this file system has none: {error}")
        mode = path.stat().st_mode
        write(path)
        assert {key: os.getxattr(path, key) for key in os.listxattr(path)} == given
        assert (path.read_text(), path.stat().st_mode) == ("new", mode)

    def test_hard_links(self, tmp_path: Path) -> None:
        path, other = tmp_path / "file", tmp_path / "other"
        path.write_text("a longer text than the new one")
        os.link(path, other)
        write(path)
        assert other.read_text() == "new"
        assert path.samefile(other)
        assert names(tmp_path) == ["file", "other"]

    @pytest.mark.parametrize("there", [True, False])
    def test_a_link(self, tmp_path: Path, there: bool) -> None:
        (tmp_path / "sub").mkdir()
        if there:
            (tmp_path / "sub/real").touch(0o600)
        (tmp_path / "sub/second").symlink_to("real")
        (tmp_path / "first").symlink_to("sub/second")
        write(tmp_path / "first")
        assert (tmp_path / "sub/real").read_text() == "new"
        assert names(tmp_path) == ["first", "sub"]
        assert names(tmp_path / "sub") == ["real", "second"]
        assert (tmp_path / "first").is_symlink()


@root
class TestInPlace:
    """Where a rename cannot do."""

    @pytest.mark.parametrize("mode", [0o755, 0o1777])
    def test_a_folder_that_is_not_writable_or_sticky(self, tmp_path: Path, mode: int) -> None:
        folder = tmp_path / "folder"
        folder.mkdir()
        path = folder / "file"
        path.write_text("old")
        path.chmod(0o666)
        os.chown(path, 1234, 1234)
        folder.chmod(mode)
        before = path.stat()
        with nobody(tmp_path):
            write(path)
        assert (path.read_text(), path.stat().st_ino, path.stat().st_uid) == ("new", before.st_ino, 1234)
        assert names(folder) == ["file"]

    def test_a_mount_point(self, tmp_path: Path) -> None:
        (tmp_path / "outside").write_text("old")
        path = tmp_path / "file"
        path.touch()
        subprocess.run(["mount", "--bind", tmp_path / "outside", path], check=True)
        try:
            write(path)
        finally:
            subprocess.run(["umount", path], check=True)
        assert ((tmp_path / "outside").read_text(), path.read_text()) == ("new", "")
        assert names(tmp_path) == ["file", "outside"]

    def test_a_file_that_may_not_be_written_stays(self, tmp_path: Path) -> None:
        path = tmp_path / "file"
        path.write_text("old")
        path.chmod(0o444)
        tmp_path.chmod(0o777)
        with nobody(tmp_path), pytest.raises(TransferError, match="permission denied"):
            write(path)
        assert (path.read_text(), names(tmp_path)) == ("old", ["file"])

    def test_a_disk_without_room_leaves_it_whole(self, tmp_path: Path) -> None:
        with small_tmpfs(tmp_path / "disk", 1 << 20) as disk:
            path = disk / "file"
            path.write_text("old")
            path.chmod(0o666)
            disk.chmod(0o755)
            with nobody(tmp_path), pytest.raises(TransferError) as caught:
                write(path, bytes(2 << 20))
            assert (path.read_text(), names(disk)) == ("old", ["file"])
        assert str(caught.value) == f"failed to write {path}: no space left on device"

    def test_what_is_damaged_is_said(self, tmp_path: Path) -> None:
        with small_tmpfs(tmp_path / "disk", 1 << 20) as disk:
            path = disk / "file"
            with path.open("wb") as sparse:  # as long as what comes, but for the most part not on the disk
                sparse.truncate(3 << 20)
            path.chmod(0o666)
            disk.chmod(0o755)
            with nobody(tmp_path), pytest.raises(TransferError, match="the file is damaged") as caught:
                write(path, b"x" * (2 << 20))
        assert str(caught.value).startswith(f"failed to write {path}: no space left on device; ")
        assert caught.value.hint


class TestStreams:
    def test_a_pipe(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        read: list[bytes] = []
        thread = threading.Thread(target=lambda: read.append((tmp_path / "pipe").read_bytes()))
        thread.start()
        write(tmp_path / "pipe")
        thread.join()
        assert (read, names(tmp_path)) == ([b"new"], ["pipe"])

    @root
    def test_a_device(self, tmp_path: Path) -> None:
        os.mknod(tmp_path / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
        (tmp_path / "link").symlink_to("null")
        write(tmp_path / "link")
        write(tmp_path / "null")
        assert stat.S_ISCHR((tmp_path / "null").lstat().st_mode)
        assert names(tmp_path) == ["link", "null"]
        with pytest.raises(TransferError, match="failed to write /dev/full: no space left on device"):
            write("/dev/full")

    @pytest.mark.parametrize("folder", ["/dev/fd", "/proc/self/fd", "/dev/../dev/fd"])
    def test_a_descriptor(self, tmp_path: Path, folder: str) -> None:
        with (tmp_path / "file").open("w+b") as file:
            write(f"{folder}/{file.fileno()}")
            assert not file.closed
            write(f"{folder}/{file.fileno()}", b" and more")
        assert (tmp_path / "file").read_text() == "new and more"
        assert names(tmp_path) == ["file"]

    def test_a_descriptor_of_what_was_longer(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("a longer text than the new one")
        with (tmp_path / "file").open("r+b") as file:
            write(f"/dev/fd/{file.fileno()}")
        assert (tmp_path / "file").read_text() == "new"

    def test_a_descriptor_that_appends(self, tmp_path: Path) -> None:
        (tmp_path / "log").write_text("before ")
        with (tmp_path / "log").open("ab") as file:
            write(f"/dev/fd/{file.fileno()}")
        assert (tmp_path / "log").read_text() == "before new"

    def test_a_descriptor_of_a_file_without_a_name(self, tmp_path: Path) -> None:
        with (tmp_path / "file").open("w+b") as file:
            (tmp_path / "file").unlink()
            write(f"/dev/fd/{file.fileno()}")
            assert file.read() == b"new" or os.pread(file.fileno(), 10, 0) == b"new"
        assert names(tmp_path) == []

    @pytest.mark.skipif(sys.platform != "linux", reason="what /proc says of other processes")
    def test_a_descriptor_of_another_process(self, tmp_path: Path) -> None:
        path = tmp_path / "file"
        path.write_text("a longer text than the new one")
        with (
            path.open("r+b") as file,
            subprocess.Popen(["sleep", "30"], pass_fds=[file.fileno()]) as sleeping,
        ):
            before = path.stat().st_ino
            write(f"/proc/{sleeping.pid}/fd/{file.fileno()}")
            sleeping.kill()
        assert (path.read_text(), path.stat().st_ino, names(tmp_path)) == ("new", before, ["file"])

    def test_a_descriptor_that_is_a_socket(self) -> None:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            write(f"/dev/fd/{theirs.fileno()}")
            assert ours.recv(10) == b"new"

    def test_a_growing_file_takes_a_descriptor_as_it_is(self, tmp_path: Path) -> None:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            descriptor = open_growing(f"/dev/fd/{theirs.fileno()}", os.O_TRUNC)
            os.write(descriptor, b"line")
            os.close(descriptor)
            assert ours.recv(10) == b"line"
        with (tmp_path / "file").open("w+b") as file:
            file.write(b"before ")
            file.flush()
            descriptor = open_growing(f"/proc/self/fd/{file.fileno()}", os.O_TRUNC)
            os.write(descriptor, b"line")
            os.close(descriptor)
        assert (tmp_path / "file").read_text() == "before line"


class TestRefused:
    @pytest.mark.parametrize(
        ("path", "reason"),
        [
            ("folder", "is a directory"),
            ("new/", "is a directory"),
            ("file/", "not a directory"),
            ("file/x", "not a directory"),
            ("no/x", "no such file or directory"),
            ("nowhere", "no such file or directory"),
            ("loop", "too many levels of symbolic links"),
            ("socket", "no such device or address"),
            ("a\0b", "invalid argument"),
            ("/dev/fd/987", "bad file descriptor"),
            ("/proc/self/fdinfo/x", "no such file or directory"),
            ("x" * 300, "file name too long"),
        ],
    )
    def test_before_anything_is_made(self, tmp_path: Path, path: str, reason: str) -> None:
        (tmp_path / "folder").mkdir()
        (tmp_path / "file").touch()
        (tmp_path / "nowhere").symlink_to("no/where")
        (tmp_path / "loop").symlink_to("loop")
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(tmp_path / "socket"))
        before = names(tmp_path)
        with pytest.raises(TransferError) as caught:
            write(os.path.join(tmp_path, path))
        assert str(caught.value) == f"failed to create {os.path.join(tmp_path, path)}: {reason}"
        assert names(tmp_path) == before

    @root
    @pytest.mark.skipif(
        not Path("/proc/sys/fs/protected_symlinks").exists()
        or Path("/proc/sys/fs/protected_symlinks").read_text() != "1\n",
        reason="the kernel is not asked to protect links",
    )
    @pytest.mark.parametrize("there", [True, False])
    def test_a_link_that_another_user_planted_in_a_shared_folder(self, tmp_path: Path, there: bool) -> None:
        """The kernel follows none for root either; to resolve it by hand would go round that."""
        shared = tmp_path / "shared"
        shared.mkdir()
        shared.chmod(0o1777)
        if there:
            (tmp_path / "victim").write_text("old")
        os.symlink(tmp_path / "victim", shared / "out.tar")
        os.lchown(shared / "out.tar", NOBODY, NOBODY)
        with pytest.raises(TransferError, match="permission denied"):
            write(shared / "out.tar")
        assert (tmp_path / "victim").exists() == there
        assert not there or (tmp_path / "victim").read_text() == "old"


class TestLeftBehind:
    """By writers that were killed."""

    KILLED = """
import os, sys
from buildctl.system.outfile import OutFile
OutFile(sys.argv[1]).open()
os.kill(os.getpid(), 9)
"""

    def test_is_removed_by_the_next_one(self, tmp_path: Path) -> None:
        for _ in range(2):
            subprocess.run([sys.executable, "-c", self.KILLED, tmp_path / "file"], cwd=ROOT, check=False)
        assert len(names(tmp_path)) == 1
        assert names(tmp_path)[0].startswith(".tmp.buildctl-")
        write(tmp_path / "other")
        assert names(tmp_path) == ["other"]

    def test_is_removed_by_one_that_replaces_a_file_of_its_own(self, tmp_path: Path) -> None:
        subprocess.run([sys.executable, "-c", self.KILLED, tmp_path / "file"], cwd=ROOT, check=False)
        replace_file(str(tmp_path / "index"), [b"x"], 0o600)
        assert names(tmp_path) == ["index"]

    def test_what_is_written_now_stays(self, tmp_path: Path) -> None:
        first, second = OutFile(str(tmp_path / "a")), OutFile(str(tmp_path / "b"))
        first.open()
        second.open()
        write(tmp_path / "c")
        for file in (first, second):
            file.write([b"new"])
            file.commit()
        assert names(tmp_path) == ["a", "b", "c"]
        assert (tmp_path / "a").read_text() == "new"

    def test_what_only_looks_like_it_stays(self, tmp_path: Path) -> None:
        kept = [
            ".tmp.buildctl-0123456789abc",
            ".tmp.buildctl-0123456789AB",
            ".tmp.0123456789ab",
            "link-target",
        ]
        for name in kept:
            (tmp_path / name).touch()
        (tmp_path / ".tmp.buildctl-00000000000d").mkdir()
        (tmp_path / ".tmp.buildctl-00000000000e").symlink_to("link-target")
        os.mkfifo(tmp_path / ".tmp.buildctl-00000000000f")
        before = names(tmp_path)
        write(tmp_path / "file")
        assert names(tmp_path) == sorted([*before, "file"])

    @root
    def test_that_of_another_user_stays(self, tmp_path: Path) -> None:
        descriptor, path = create_beside(str(tmp_path / "x"), 0o600)
        os.close(descriptor)
        os.chown(path, NOBODY, NOBODY)
        write(tmp_path / "file")
        assert Path(path).exists()
