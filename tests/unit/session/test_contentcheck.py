"""Comparing contents: whatever happens to files and records, a daemon has the bytes that are there."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from buildctl._pb.fsutil_pb2 import Stat
from buildctl.errors import TransferError
from buildctl.fsutil import sentfiles, watcher
from buildctl.fsutil.sentfiles import SentFiles
from buildctl.session.contentcheck import ContentCheck
from buildctl.session.filesync import FileSync
from tests.support import fsutil_receiver as receiver
from tests.support.fsutil_receiver import Received, wants_all
from tests.support.streams import stream_pair
from tests.support.users import NOBODY, nobody

_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
DIFF_COPY = "/moby.filesync.v1.FileSync/DiffCopy"


@dataclass
class Daemon:
    """Compares what a daemon compares, and keeps the rest under the session's key."""

    kept: dict[str, dict[bytes, tuple[Stat, bytes]]] = field(default_factory=dict)

    async def build(self, records: Path, root: Path) -> Received:
        """One build that compares contents; what the daemon has afterwards is right."""
        check = ContentCheck(str(records), [str(root)])
        with closing(check):
            key = check.shared_key("base")
            received = await self.transfer(key, check, root)
        context = {path.decode(): content for path, (_, content) in self.kept[key].items()}
        assert context == {path.name: path.read_bytes() for path in root.iterdir()}
        return received

    async def transfer(self, key: str, check: ContentCheck, root: Path) -> Received:
        earlier = self.kept.get(key, {})

        def wants(stat: Stat) -> bool:
            known, _ = earlier.get(stat.path, (None, b""))
            return wants_all(stat) and known != stat

        ours, theirs = stream_pair([("dir-name", "context")])
        service = FileSync({"context": str(root)}, watch=check.watcher)
        sending = asyncio.create_task(_run(service, ours))
        receiving = asyncio.create_task(receiver.receive(theirs, wants))
        try:
            async with asyncio.timeout(20):
                await sending
                received = await receiving
        finally:
            receiving.cancel()
            await asyncio.wait([receiving])
        self.kept[key] = {
            stat.path: (stat, received.contents.get(stat.path, earlier.get(stat.path, (stat, b""))[1]))
            for stat in received.stats
        }
        return received


async def _run(service: FileSync, stream: object) -> None:
    await service.methods[DIFF_COPY](stream)  # type: ignore[arg-type]


def write(path: Path, text: str, second: int = 0) -> None:
    """Write a file as an archive with fixed times does."""
    path.write_text(text)
    os.utime(path, (second, second))


class _Files:
    """A tree and its records, changed step by step."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "root"
        self.records = folder / "records"
        self.backup = folder / "backup"
        self.root.mkdir()
        self.daemons = (Daemon(), Daemon())

    def run(self, step: tuple[str, int, int]) -> None:
        kind, one, other = step
        path = self.root / "abc"[one % 3]
        match kind:
            case "write":
                write(path, f"v{other}", second=one // 3)
            case "replace":
                write(self.root.parent / "new", f"v{other}", second=one // 3)
                (self.root.parent / "new").rename(path)
            case "remove":
                path.unlink(missing_ok=True)
            case "lose":
                shutil.rmtree(self.records, ignore_errors=True)
            case "save":
                shutil.rmtree(self.backup, ignore_errors=True)
                if self.records.exists():
                    shutil.copytree(self.records, self.backup)
            case "restore":
                if self.backup.exists():
                    shutil.rmtree(self.records, ignore_errors=True)
                    shutil.copytree(self.backup, self.records)
            case "damage":
                for database in self.records.glob("*.db"):
                    database.write_bytes(b"nonsense" * 1_000)
        if kind != "build":
            return
        asyncio.run(self.daemons[other % 2].build(self.records, self.root))


_KINDS = ("write", "write", "write", "replace", "remove", "lose", "save", "restore", "damage")
_STEPS = some.tuples(some.sampled_from((*_KINDS, *("build",) * 6)), some.integers(0, 5), some.integers(0, 2))


@settings(max_examples=25, deadline=None)
@given(some.lists(_STEPS, min_size=2, max_size=12))
def test_the_context_is_always_right(steps: list[tuple[str, int, int]]) -> None:
    with tempfile.TemporaryDirectory(dir=_MEMORY) as folder:
        files = _Files(Path(folder))
        for step in (*steps, ("build", 0, 0), ("build", 0, 1)):
            files.run(step)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    root.mkdir()
    for name in ("a", "b"):
        write(root / name, f"{name} 1")
    return root


@pytest.fixture
def records(tmp_path: Path) -> Path:
    return tmp_path / "records"


async def test_unchanged_files_are_not_sent_again(root: Path, records: Path) -> None:
    daemon = Daemon()
    assert len((await daemon.build(records, root)).contents) == 2
    assert not (await daemon.build(records, root)).contents
    write(root / "a", "a 2", second=1)
    assert set((await daemon.build(records, root)).contents) == {b"a"}
    assert [path.stat().st_mode & 0o777 for path in records.iterdir()] == [0o600] * 2


async def test_equal_bytes_in_new_files_are_not_sent_again(root: Path, records: Path, tmp_path: Path) -> None:
    """What checking out an archive again does."""
    daemon = Daemon()
    await daemon.build(records, root)
    shutil.copytree(root, tmp_path / "copy")
    shutil.rmtree(root)
    (tmp_path / "copy").rename(root)
    assert not (await daemon.build(records, root)).contents


async def test_versions_that_alternate_are_kept_side_by_side(root: Path, records: Path) -> None:
    daemon = Daemon()
    sent = []
    for text in ("a 1", "a 2", "a 1", "a 2", "a 1"):
        write(root / "a", text)
        sent.append(len((await daemon.build(records, root)).contents))
    assert sent == [2, 2, 2, 0, 0]


async def test_only_what_may_have_changed_is_read(
    root: Path, records: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = []
    digest_of = sentfiles._digest

    def noted(name: bytes, parent: int) -> bytes:
        read.append(name)
        return digest_of(name, parent)

    monkeypatch.setattr(sentfiles, "_digest", noted)
    daemon = Daemon()
    for _ in range(2):
        await daemon.build(records, root)
    assert read == [b"a", b"b"]  # too new to be trusted
    monkeypatch.setattr(sentfiles, "_SETTLED_NS", 50_000_000)
    time.sleep(0.1)
    for _ in range(2):
        await daemon.build(records, root)
    assert read == [b"a", b"b"] * 2
    write(root / "a", "a 2")
    await daemon.build(records, root)
    assert read == [b"a", b"b"] * 2 + [b"a"]


async def test_a_build_beside_another_sends_everything(root: Path, records: Path) -> None:
    daemon = Daemon()
    await daemon.build(records, root)
    with closing(ContentCheck(str(records), [str(root)])) as first:
        key = first.shared_key("base")
        assert first.watcher(str(root))
        with closing(ContentCheck(str(records), [str(root)])) as second:
            assert second.shared_key("base") not in daemon.kept
            assert second.watcher(str(root)) is None
        assert key in daemon.kept
    assert not (await daemon.build(records, root)).contents


async def test_records_that_cannot_be_kept(root: Path, records: Path) -> None:
    records.write_text("no folder")
    daemon = Daemon()
    for _ in range(2):
        assert len((await daemon.build(records, root)).contents) == 2


async def test_one_directory_under_two_names(root: Path, records: Path) -> None:
    with closing(ContentCheck(str(records), [str(root), f"{root}/."])) as check:
        check.shared_key("base")
        assert check.watcher(str(root))
        assert check.watcher(f"{root}/.")
    assert len(list(records.glob("*.db"))) == 1


async def test_a_file_that_changes_after_the_key_was_made(root: Path, records: Path) -> None:
    daemon = Daemon()
    for text in ("a 1", "a 2"):
        write(root / "a", text)
        await daemon.build(records, root)
    with closing(ContentCheck(str(records), [str(root)])) as check:
        key = check.shared_key("new")
        write(root / "a", "a 3")
        with pytest.raises(TransferError, match="read a: file changed while it was sent"):
            await daemon.transfer(key, check, root)


async def test_records_that_cannot_be_written_are_removed(root: Path, records: Path) -> None:
    daemon = Daemon()
    with closing(ContentCheck(str(records), [str(root)])) as check:
        key = check.shared_key("base")
        check.close()  # as a full disk would make writing fail
        await daemon.transfer(key, check, root)
    assert list(records.glob("*.db")) == []
    write(root / "a", "a 2")
    await daemon.build(records, root)


async def test_rows_go_to_the_disk_meanwhile(
    root: Path, records: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watcher, "_ROWS", 1)
    daemon = Daemon()
    await daemon.build(records, root)
    assert not (await daemon.build(records, root)).contents


async def test_many_outdated_rows_begin_a_new_epoch(
    root: Path, records: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sentfiles, "_MOST_OUTDATED", 4)
    daemon = Daemon()
    for second in range(8):
        write(root / "a", "a 1", second)
        await daemon.build(records, root)
    (database,) = records.glob("*.db")
    with closing(SentFiles(str(database))) as sent:
        rows = sent._execute("SELECT count(*) FROM sent").fetchone()[0]
    assert rows < 8
    assert len(daemon.kept) == 2


@pytest.mark.skipif(os.geteuid() != 0, reason="takes root to become another user")
async def test_a_file_that_has_become_unreadable_has_another_key(root: Path, records: Path) -> None:
    records.mkdir()
    os.chown(records, NOBODY, NOBODY)
    with nobody(root):
        await Daemon().build(records, root)
    keys = []
    for mode in (0o644, 0o600):
        (root / "a").chmod(mode)
        with nobody(root), closing(ContentCheck(str(records), [str(root)])) as check:
            keys.append(check.shared_key("base"))
            assert check.watcher(str(root))
    assert len(set(keys)) == 2
