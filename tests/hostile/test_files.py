"""A daemon that asks for more of the folders than was offered, or asks for it in broken ways."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from buildctl._pb.fsutil_pb2 import Packet
from tests.hostile.case import Case, run
from tests.support.fsutil_receiver import receive, request
from tests.support.hostile_daemon import DaemonStream, HostileDaemon, Script

DIFF_COPY = "/moby.filesync.v1.FileSync/DiffCopy"


def takes_all(*metadata: tuple[str, str], name: str = "context") -> Script:
    """Ask for a folder with these patterns, and for the content of everything in it."""

    async def script(daemon: HostileDaemon) -> None:
        await receive(daemon.open(DIFF_COPY, [("dir-name", name), *metadata]))

    return script


async def listed(daemon: HostileDaemon) -> DaemonStream:
    """A call on the folder whose list of entries has come."""
    stream = daemon.open(DIFF_COPY, [("dir-name", "context")])
    async for message in stream:
        if not Packet.FromString(message).HasField("stat"):
            return stream
    raise AssertionError("no list of entries")


def then_sends(*messages: bytes) -> Script:
    async def script(daemon: HostileDaemon) -> None:
        stream = await listed(daemon)
        await stream.send_messages(messages)
        await stream.rest()

    return script


async def asks_for_a_folder_by_its_path(daemon: HostileDaemon) -> None:
    await takes_all(name=str(daemon.folder / "outside"))(daemon)


async def follows_an_absolute_path(daemon: HostileDaemon) -> None:
    await takes_all(("followpaths", str(daemon.folder / "outside" / "private")))(daemon)


async def swaps_a_folder_for_a_link(daemon: HostileDaemon) -> None:
    """Somebody on this machine helps: between the list and the content, `sub` comes to point outside."""
    stream = await listed(daemon)
    sub = daemon.folder / "work" / "offered" / "sub"
    sub.rename(daemon.folder / "elsewhere")
    (daemon.folder / "outside" / "file").write_bytes(b"nobody offered this")
    sub.symlink_to(daemon.folder / "outside")
    try:
        await stream.send_messages([request(number) for number in (0, 5)])
        await stream.rest()
    finally:
        (daemon.folder / "outside" / "file").unlink()
        (daemon.folder / "outside").touch()


async def takes_nothing_of_what_it_asked_for(daemon: HostileDaemon) -> None:
    stream = daemon.open(DIFF_COPY, [("dir-name", "context")])
    await asyncio.sleep(0.1)
    stream.call.cancel()


FILES = [
    Case("a folder that was not offered", takes_all(name="other"), "no access allowed to dir"),
    Case("a folder by its path", asks_for_a_folder_by_its_path, "no access allowed to dir"),
    Case("a folder named with dots", takes_all(name="context/../.."), "no access allowed to dir"),
    Case("a pattern that climbs out", takes_all(("include-patterns", "../../outside/**"))),
    Case("a pattern through a link", takes_all(("include-patterns", "link-to-folder/private"))),
    Case("an exclusion that climbs out", takes_all(("exclude-patterns", "!../../outside/**"))),
    Case("a path followed out with dots", takes_all(("followpaths", "../../outside/private"))),
    Case("an absolute path followed", follows_an_absolute_path),
    Case("a path followed through a link to a file", takes_all(("followpaths", "link-to-file"))),
    Case("a path followed through a link to a folder", takes_all(("followpaths", "link-to-folder/private"))),
    Case("a path followed through a link to the root", takes_all(("followpaths", "link-to-all/etc/*"))),
    Case("a pattern that takes for ever to match", takes_all(("include-patterns", "*a" * 200 + "b"))),
    Case("a pattern that is none", takes_all(("include-patterns", "[")), "syntax error in pattern"),
    Case("a folder exchanged for a link before it is read", swaps_a_folder_for_a_link, "sub/file"),
    Case("a file that was not announced", then_sends(request(99)), "invalid file id 99"),
    Case("a folder as a file", then_sends(request(4)), "invalid file id 4"),
    Case("the same file twice", then_sends(request(0), request(0)), "invalid file id 0"),
    Case("a packet that is none", then_sends(b"\xff\xff\xff"), "broken file transfer packet"),
    Case("a packet that is cut off", then_sends(request(1000)[:-1]), "broken file transfer packet"),
    Case("a packet nested without end", then_sends(b"\x1b" * 60_000), "broken file transfer packet"),
    Case("a packet longer than any", then_sends(bytes(100_000)), "larger than max"),
    Case("a call that is given up", takes_nothing_of_what_it_asked_for),
]


@pytest.mark.parametrize("case", FILES, ids=lambda case: case.name)
async def test_asks_for_files(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await run(case, tmp_path, monkeypatch)
