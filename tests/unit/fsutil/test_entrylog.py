"""The entries of a transfer, kept in a file."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pytest

from buildctl.errors import ProtocolError, TransferError
from buildctl.fsutil import entrylog
from buildctl.fsutil.entrylog import DIRECTORY, LINK, OTHER, WHOLE, EntryLog
from tests.support.fsutil_sender import Entry, stat_packet

PATHS = [b"a", b"a/b", b"a/b/c", b"a-b", b"a.b", b"b\xff", b"b\xff/\x01", b"c"]
"""In the order of a walk, which is not that of their bytes."""


@pytest.fixture(params=[1 << 20, 1, 60], ids=["in memory", "on disk", "on both"])
def log(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[EntryLog]:
    monkeypatch.setattr(entrylog, "_TOGETHER", request.param)
    monkeypatch.setattr(entrylog, "_READ_AHEAD", 50)
    log = EntryLog(lambda: tempfile.TemporaryFile(buffering=0, dir=tmp_path))  # noqa: SIM115
    yield log
    log.close()


def test_every_entry_is_found_by_its_number_and_by_its_path(log: EntryLog) -> None:
    for path in PATHS:
        log.add(stat_packet(Entry(path, content=path)), OTHER)
    assert [log.stat(number).path for number in range(len(PATHS))] == PATHS
    assert [log.find(path) for path in PATHS] == list(range(len(PATHS)))
    for other in (b"", b"a\0b", b"a/", b"a/b/d", b"Z", b"d", b"b\xff/"):
        assert log.find(other) is None


def test_nothing_is_found_in_an_empty_list(log: EntryLog) -> None:
    assert log.find(b"a") is None


def test_entries_by_their_state(log: EntryLog) -> None:
    for path, state in zip(
        PATHS, (DIRECTORY, DIRECTORY, LINK, WHOLE, LINK, DIRECTORY, LINK, LINK), strict=True
    ):
        log.add(stat_packet(Entry(path)), state)
    log.states[3] = LINK
    assert list(log.numbers(LINK)) == [2, 3, 4, 6, 7]
    assert list(log.numbers_from_last(DIRECTORY)) == [5, 1, 0]
    assert list(log.numbers(WHOLE)) == list(log.numbers_from_last(WHOLE)) == []


def test_nothing_is_left_on_the_disk(log: EntryLog, tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for path in PATHS:
        log.add(stat_packet(Entry(path)), OTHER)
    assert os.listdir(tmp_path) == []
    log.close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_list_has_an_end(log: EntryLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entrylog, "MAX_ENTRIES", 3)
    for path in PATHS[:3]:
        log.add(stat_packet(Entry(path)), OTHER)
    with pytest.raises(ProtocolError, match="more than 3 entries") as caught:
        log.add(stat_packet(Entry(PATHS[3])), OTHER)
    assert "output type tar" in caught.value.hint


def test_a_full_disk_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entrylog, "_TOGETHER", 1)

    def full() -> BinaryIO:
        return open("/dev/full", "r+b", buffering=0)

    log = EntryLog(full)
    with pytest.raises(TransferError, match=os.strerror(errno.ENOSPC).lower()):
        log.add(stat_packet(Entry("a")), OTHER)
    log.close()
