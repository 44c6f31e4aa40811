"""A daemon that sends or asks for more than a build has: entries by the million, requests by the hundred."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import itertools
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from buildctl._pb import content_pb2 as pb
from buildctl._pb.secrets_pb2 import GetSecretRequest
from buildctl.fsutil import filemode
from buildctl.session.content import MAX_WRITES
from tests.hostile.case import MAX_MEMORY, Case, run_as_process
from tests.hostile.conftest import Survived
from tests.support.firehose import firehose
from tests.support.fsutil_receiver import request
from tests.support.fsutil_sender import END_OF_LIST, FIN, Entry, ReceiverError, stat_packet
from tests.support.hostile_daemon import HostileDaemon, Script
from tests.support.http2 import DATA, GREETING, REQUEST, frame, headers, setting

FILE_SEND = "/moby.filesync.v1.FileSend/DiffCopy"
FILE_SYNC = "/moby.filesync.v1.FileSync/DiffCopy"
GET_SECRET = "/moby.buildkit.secrets.v1.Secrets/GetSecret"
CONTENT = "/containerd.services.content.v1.Content/"
STORE = ("buildkit-attachable-store-id", "export")
LAYOUT = "type=oci,tar=false,dest=out"
AT_ONCE = 250
"""As many calls as there can be."""

FEW, ALL = 100_000, 10_000_000
TOGETHER = 10_000
NUMBER = b"00000000"
LONG_SECONDS = 1500.0


def call(path: str, *metadata: tuple[str, str]) -> list[tuple[str, str]]:
    """The header of a request."""
    return [*((name, path if name == ":path" else value) for name, value in REQUEST), *metadata]


def framed(message: bytes) -> bytes:
    return bytes(1) + len(message).to_bytes(4, "big") + message


def entries(count: int, mode: int) -> Iterator[bytes]:
    """Entries whose names are numbers, framed, ten thousand in a piece."""
    before, after = framed(stat_packet(Entry(NUMBER, mode))).split(NUMBER)
    for start in range(0, count, TOGETHER):
        some = range(start, min(start + TOGETHER, count))
        yield b"".join([b"%b%08d%b" % (before, number, after) for number in some])


def lists(count: int, *, mode: int = 0o644) -> Script:
    """List entries, and deliver the content of none."""

    async def script(daemon: HostileDaemon) -> None:
        tunnel = await daemon.tunnel()
        await tunnel.write(headers(1, call(FILE_SEND)))
        async with firehose(tunnel, takes=False) as hose:
            await hose.pour(1, entries(count, mode))
            await hose.pour(1, [framed(END_OF_LIST)])
            if count > ALL:
                await hose.take_all(1)
                await hose.until_ended(1)
            elif mode & filemode.DEVICE:  # of which nothing is asked for
                await hose.until_came(1, len(framed(FIN)))
                await hose.pour(1, [framed(FIN)])
                await hose.until_ended(1)

    return script


def asks_for_files(count: int) -> Script:
    """Ask for the content of files that are not there, again and again."""

    async def script(daemon: HostileDaemon) -> None:
        tunnel = await daemon.tunnel()
        await tunnel.write(headers(1, call(FILE_SYNC, ("dir-name", "context"))))
        some = framed(request(1 << 31)) * TOGETHER
        async with firehose(tunnel) as hose:
            await hose.pour(1, (some for _ in range(count // TOGETHER)))
            await hose.until_ended(1)
        raise ReceiverError("the client ended the transfer")

    return script


def says_what_means_nothing(count: int) -> Script:
    """Send packets that a receiver has no use for, and then that all is well."""

    async def script(daemon: HostileDaemon) -> None:
        tunnel = await daemon.tunnel()
        await tunnel.write(headers(1, call(FILE_SYNC, ("dir-name", "context"))))
        some = framed(END_OF_LIST) * TOGETHER
        async with firehose(tunnel) as hose:
            await hose.pour(1, (some for _ in range(count // TOGETHER)))
            await hose.pour(1, [framed(FIN)])
            await hose.until_ended(1)

    return script


def asks_at_once(path: str, message: bytes, *metadata: tuple[str, str]) -> Script:
    """Make as many calls as can be and take nothing of what is answered."""

    async def script(daemon: HostileDaemon) -> None:
        tunnel = await daemon.tunnel(greet=False)
        calls = [
            headers(number, call(path, *metadata)) + frame(DATA, 1, number, framed(message))
            for number in range(1, 2 * AT_ONCE, 2)
        ]
        await tunnel.write(GREETING + setting(4, 0) + b"".join(calls))
        await asyncio.sleep(2)

    return script


def sends_at_once(path: str, pieces: Callable[[int], Iterable[bytes]], *metadata: tuple[str, str]) -> Script:
    """Make as many calls as can be and send as much as is taken of each."""

    async def script(daemon: HostileDaemon) -> None:
        tunnel = await daemon.tunnel()
        numbers = range(1, 2 * AT_ONCE, 2)
        await tunnel.write(b"".join(headers(number, call(path, *metadata)) for number in numbers))
        async with firehose(tunnel, takes=False) as hose, asyncio.TaskGroup() as tasks:
            pouring = [tasks.create_task(hose.pour(number, pieces(number))) for number in numbers]
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(10):
                    for some in itertools.islice(asyncio.as_completed(pouring), MAX_WRITES):
                        await some
                    await asyncio.sleep(1)
            for task in pouring:
                task.cancel()

    return script


def large_secret() -> None:
    Path("secret").write_bytes(b"s" * 500 * 1024)


BLOB = bytes(16 << 20)
DIGEST = hashlib.sha256(BLOB).hexdigest()


def large_blob() -> None:
    folder = Path("out", "blobs", "sha256")
    folder.mkdir(parents=True)
    (folder / DIGEST).write_bytes(BLOB)


async def writes_at_once(daemon: HostileDaemon) -> None:
    message = pb.WriteContentRequest(action=pb.WRITE, data=bytes((16 << 20) - 100)).SerializeToString()

    def pieces(number: int) -> Iterator[bytes]:
        """The name of the blob is in front of what all have, which is there once."""
        ref = pb.WriteContentRequest(ref=str(number)).SerializeToString()
        yield bytes(1) + (len(ref) + len(message)).to_bytes(4, "big") + ref
        yield message

    await sends_at_once(CONTENT + "Write", pieces, STORE)(daemon)


SECRET = GetSecretRequest(ID="offered").SerializeToString()
READ = pb.ReadContentRequest(digest=f"sha256:{DIGEST}").SerializeToString()
CUT = bytes(1) + (16 << 20).to_bytes(4, "big") + bytes((16 << 20) - 1)
AT_ONCE_CASES = [
    Case("250 large secrets at once", asks_at_once(GET_SECRET, SECRET), prepare=large_secret),
    Case(
        "250 large blobs at once",
        asks_at_once(CONTENT + "Read", READ, STORE),
        output=LAYOUT,
        prepare=large_blob,
        leaves=("blobs", "blobs/sha256", f"blobs/sha256/{DIGEST}"),
    ),
    Case("250 requests of 16 MiB, but for a byte", sends_at_once(GET_SECRET, lambda _: [CUT])),
    Case("250 requests of 16 MiB", sends_at_once(GET_SECRET, lambda _: [CUT, b"x"])),
    Case(
        "250 blobs written in messages of 16 MiB",
        writes_at_once,
        output=LAYOUT,
        leaves=("ingest",),
    ),
    Case(
        "250 folders at once",
        sends_at_once(FILE_SYNC, lambda _: [framed(END_OF_LIST) * 100_000], ("dir-name", "context")),
    ),
]
UNFINISHED = "out is not complete: the daemon ended the build before"
OFTEN = [
    Case("100,000 files are listed", lists(FEW), UNFINISHED),
    Case("100,000 devices", lists(FEW, mode=filemode.DEVICE)),
    Case("a million requests for files that are not there", asks_for_files(10 * FEW), "invalid file id"),
]
LONG = [
    Case("10,000,001 files", lists(ALL + 1), "more than 10,000,000 entries", seconds=LONG_SECONDS),
    Case("10,000,000 devices", lists(ALL, mode=filemode.DEVICE), seconds=LONG_SECONDS),
    Case("10,000,000 requests for files that are not there", asks_for_files(ALL), "invalid file id"),
    Case("10,000,000 packets that mean nothing", says_what_means_nothing(ALL), seconds=LONG_SECONDS),
]


def by_name(case: Case) -> str:
    return case.name


@pytest.mark.parametrize("case", [*OFTEN, *AT_ONCE_CASES], ids=by_name)
async def test_floods(case: Case, tmp_path: Path, survived: Survived) -> None:
    ended = await run_as_process(case, tmp_path)
    print(case.name, ended)
    assert ended.memory < MAX_MEMORY
    survived(case.name, ended)


@pytest.mark.long
@pytest.mark.timeout(LONG_SECONDS + 100)
@pytest.mark.parametrize("case", LONG, ids=by_name)
async def test_floods_for_long(case: Case, tmp_path: Path, survived: Survived) -> None:
    ended = await run_as_process(case, tmp_path)
    assert ended.memory < MAX_MEMORY
    survived(case.name, ended)
