"""What a sender of files says is written below the destination or refused, and nothing beside it changes.

An input is packets, each after its length in two bytes; a length of zero ends a batch.
"""

from __future__ import annotations

import os
import random
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from buildctl._pb.fsutil_pb2 import Packet
from buildctl.errors import ProtocolError, TransferError
from buildctl.fsutil import filemode
from buildctl.fsutil.diskwriter import DiskWriter
from buildctl.fsutil.receive import Receiver
from tests.fuzz.driver import Harness
from tests.support.fsutil_sender import (
    END_OF_LIST,
    FIN,
    Entry,
    data_packet,
    directory,
    stat_packet,
    symlink,
)

NAMES = (
    "a",
    "b",
    "c",
    "out",
    "outside",
    "..",
    ".",
    "/",
    "a/b",
    "a/../..",
    "out/x",
    "c\0d",
    "n" * 256,
    "é",
    "",
)
MODES = (
    0o644,
    0,
    filemode.DIR | 0o755,
    filemode.DIR,
    filemode.SYMLINK | 0o777,
    filemode.NAMED_PIPE | 0o600,
    filemode.SETUID | 0o755,
    0xFFFFFFFF,
)


def check(data: bytes) -> str:
    with tempfile.TemporaryDirectory(prefix="fuzz-", dir=_memory()) as folder:
        root = Path(folder)
        destination = root / "destination"
        (root / "outside").mkdir()
        (root / "outside" / "kept").write_text("as it was")
        destination.mkdir()
        (destination / "out").symlink_to("../outside")
        (destination / "old").mkdir()
        descriptors = os.listdir("/proc/self/fd")
        outcome = receive(data, str(destination))
        assert os.listdir("/proc/self/fd") == descriptors
        assert sorted(os.listdir(root)) == ["destination", "outside"]
        assert os.listdir(root / "outside") == ["kept"]
        kept = root / "outside" / "kept"
        assert (kept.read_text(), kept.stat().st_nlink) == ("as it was", 1)
        for path in found(destination):
            assert b".tmp." not in path or b".tmp." in data  # nothing half-written stays
        return outcome


def receive(data: bytes, destination: str) -> str:
    receiver = Receiver(DiskWriter(destination), mode="delete" if len(data) % 2 else "copy")
    try:
        receiver.open()
        for batch in batches(data):
            receiver.receive_messages(batch)
            if receiver.finished:
                return "finished"
    except (ProtocolError, TransferError) as error:
        return type(error).__name__ + str(error).split()[0]
    finally:
        receiver.close()
    return "unfinished"


def batches(data: bytes) -> Iterator[list[bytes]]:
    batch: list[bytes] = []
    at = 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 2], "big")
        if size:
            batch.append(data[at + 2 : at + 2 + size])
        elif batch:
            yield batch
            batch = []
        at += 2 + size
    if batch:
        yield batch
    yield []  # the sender half-closes


def found(folder: Path) -> Iterator[bytes]:
    for parent, directories, files in os.walk(os.fsencode(folder)):
        for name in (*directories, *files):
            yield os.path.join(parent, name)


def packed(packets: Iterable[bytes]) -> bytes:
    return b"".join(len(packet).to_bytes(2, "big") + packet for packet in packets)


def made(source: random.Random) -> bytes:
    """A transfer as a sender would make it, of entries that may be hostile."""
    entries = []
    for _ in range(source.randrange(1, 8)):
        path = "/".join(source.choice(NAMES) for _ in range(source.choice((1, 1, 2, 3))))
        link = source.choice(("", "", "a", "out", "../outside/kept", path))
        size = source.choice((0, 0, 1, 100))
        entries.append(Entry(path, source.choice(MODES), source.randbytes(size), linkname=link))
    if source.random() < 0.7:
        entries.sort(key=lambda entry: os.fsencode(entry.path).split(b"/"))
    packets = [*map(stat_packet, entries), END_OF_LIST]
    for number, entry in enumerate(entries):
        if filemode.is_regular(entry.mode) and not entry.linkname:
            packets += [data_packet(number, entry.content)] * bool(entry.content) + [data_packet(number)]
    return packed([*packets, b"", FIN])


def seeds() -> list[bytes]:
    entries = [
        directory("a"),
        Entry("a/file", content=b"content"),
        Entry("b", linkname="a/file"),
        symlink("c", "../outside"),
        Entry("d", filemode.NAMED_PIPE | 0o600),
        Entry("e", xattrs={b"user.x": b"y"}),
    ]
    good = [
        *map(stat_packet, entries),
        END_OF_LIST,
        data_packet(1, b"con"),
        data_packet(1, b"tent"),
        data_packet(1),
    ]
    through = [
        stat_packet(directory("out")),
        stat_packet(Entry("out/kept")),
        END_OF_LIST,
        data_packet(1, b"x"),
    ]
    return [
        packed([*good, data_packet(5), b"", FIN]),
        packed([*good, b"", Packet(type=Packet.PACKET_ERR, data=b"no").SerializeToString()]),
        packed([*through, data_packet(1), b"", FIN]),
        packed([stat_packet(symlink("b", "..")), stat_packet(Entry("b/x")), END_OF_LIST]),
    ]


def _memory() -> str | None:
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


HARNESS = Harness(
    "receiving",
    check,
    seeds,
    words=[*map(str.encode, NAMES), END_OF_LIST, FIN, b"\0\0"],
    made=made,
)
