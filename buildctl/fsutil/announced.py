"""Keeps what a transfer announced of a directory until the next one, to tell what has changed since.

What is kept are the packets as they were sent, compressed a batch at a time, so that nothing is done for each
entry: 33 ms of CPU time for 51,000 entries, where walking and announcing them takes 700. The file is this
machine's own, so its numbers have the machine's byte order.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import zlib
from array import array
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple

from google.protobuf.message import DecodeError

from buildctl._pb.fsutil_pb2 import Packet
from buildctl.errors import TransferError
from buildctl.fsutil.walk import Entry
from buildctl.system.beside import replace_file
from buildctl.system.folders import make_private
from buildctl.system.smallfile import read_found

_LOG = logging.getLogger("buildctl")
_VERSION = 1
_FASTEST = 1
_MOST = 200
"""Files in the folder of the records, two for a directory; the oldest go first."""
_BEFORE = "-before"
"""Ends the name of the record that a newer one has taken the place of."""
_MOST_BYTES = 512 << 20


class Selection(NamedTuple):
    """What was asked for of the directory."""

    includes: Sequence[str] = ()
    excludes: Sequence[str] = ()
    follow_paths: Sequence[str] = ()


class Announced(NamedTuple):
    """What one transfer announced."""

    selection: Selection
    entries: dict[bytes, Entry]
    """By path."""
    ended_ns: int
    """When the transfer ended, in nanoseconds since the Unix epoch."""


class Recorder:
    """Notes one transfer; used by the thread that walks and reads."""

    def __init__(self, records: str, directory: str, name: str, selection: Selection) -> None:
        """`records` is the folder of the records, created when missing; `name` is the local name."""
        self._records = records
        self._directory = directory
        self._name = name
        self._compressor = zlib.compressobj(_FASTEST)
        head = json.dumps({"version": _VERSION, **selection._asdict()}).encode("ascii")
        self._out = [self._compressor.compress(head + b"\n")]

    def batches(self, batches: Iterable[list[bytes]]) -> Generator[list[bytes]]:
        """The batches of packets as they are."""
        compress = self._compressor.compress
        for batch in batches:
            lengths = array("I", map(len, batch))
            self._out.append(compress(array("I", [len(batch)]).tobytes() + lengths.tobytes()))
            self._out.append(compress(b"".join(batch)))
            yield batch

    def finish(self) -> None:
        """Write the record, whole at once. A build does not fail where that cannot be done."""
        try:
            path = _path(self._records, self._directory, self._name)
            make_private(self._records)
            with suppress(FileNotFoundError):
                os.replace(path, path + _BEFORE)
            replace_file(path, [*self._out, self._compressor.flush()], 0o600)
            _remove_oldest(self._records)
        except OSError as error:
            _LOG.debug("what was sent of %s is not kept: %s", self._directory, error)


def read(records: str, directory: str, name: str) -> Announced | None:
    """What the last transfer of a directory announced; None where none is known.

    Raises `TransferError` where the record cannot be read.
    """
    return _read(_path(records, directory, name))


def read_pairs(records: str, start_ns: int, end_ns: int) -> list[tuple[Announced, Announced]]:
    """What transfers that ended between two instants announced, each after what the one before it did.

    Directories that were sent for the first time, or again since, are not among them. Raises `TransferError`.
    """
    pairs = []
    try:
        with os.scandir(records) as found:
            paths = [
                entry.path
                for entry in found
                if not entry.name.startswith(".")
                and not entry.name.endswith(_BEFORE)
                and start_ns <= entry.stat().st_mtime_ns <= end_ns
            ]
    except OSError:
        return []
    for path in sorted(paths):
        before, after = _read(path + _BEFORE), _read(path)
        if before is not None and after is not None:
            pairs.append((before, after))
    return pairs


def _read(path: str) -> Announced | None:
    try:
        data = zlib.decompress(read_found(path, limit=_MOST_BYTES, links=False))
        ended_ns = os.stat(path).st_mtime_ns
        head, _, body = data.partition(b"\n")
        fields = json.loads(head)
        if fields.pop("version") != _VERSION:
            return None
        return Announced(Selection(**fields), {entry.path: entry for entry in _entries(body)}, ended_ns)
    except FileNotFoundError:
        return None
    except (OSError, zlib.error, ValueError, KeyError, TypeError, AttributeError, DecodeError) as error:
        raise TransferError(
            f"read {path}: {error}", hint="remove it; the next build writes it anew"
        ) from error


def _path(records: str, directory: str, name: str) -> str:
    key = os.path.realpath(os.fsencode(directory)) + b"\0" + os.fsencode(name)
    return os.path.join(records, hashlib.sha256(key).hexdigest()[:32])


def _remove_oldest(records: str) -> None:
    with os.scandir(records) as found:
        files = [entry for entry in found if not entry.name.startswith(".")]
    if len(files) > _MOST:
        files.sort(key=lambda entry: entry.stat().st_mtime_ns)
        for entry in files[:-_MOST]:
            with suppress(FileNotFoundError):
                os.unlink(entry.path)


def _entries(body: bytes) -> Iterator[Entry]:
    width = array("I").itemsize
    at = 0
    while at < len(body):
        count = array("I", body[at : at + width])[0]
        at += width
        lengths = array("I", body[at : at + count * width])
        at += count * width
        for length in lengths:
            packet = Packet.FromString(body[at : at + length])
            at += length
            if packet.HasField("stat"):
                stat = packet.stat
                device = os.makedev(stat.devmajor, stat.devminor)
                attributes = {one.key: one.value for one in stat.xattrs}
                yield Entry(stat.path, stat.mode, stat.size, stat.modTime, stat.linkname, device, attributes)
    if at != len(body):
        raise ValueError("it ends too early")
