"""A daemon that delivers what it should not: names that leave the destination, files beyond their size."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from pathlib import Path

import pytest

from buildctl._pb.filesync_pb2 import BytesMessage
from buildctl._pb.fsutil_pb2 import Packet
from buildctl.fsutil import filemode
from tests.hostile.case import Case, run
from tests.support.fsutil_sender import (
    END_OF_LIST,
    FIN,
    Entry,
    ReceiverError,
    data_packet,
    directory,
    send,
    stat_packet,
    symlink,
)
from tests.support.hostile_daemon import HostileDaemon, RefusedError, Script

DIFF_COPY = "/moby.filesync.v1.FileSend/DiffCopy"
FILE = Entry("file", content=b"whole")
REQUEST = Packet(type=Packet.PACKET_REQ).SerializeToString()


def delivers(*entries: Entry) -> Script:
    """Send a tree by the rules, as far as its names and kinds allow."""

    async def script(daemon: HostileDaemon) -> None:
        await send(daemon.open(DIFF_COPY), entries)

    return script


def sends(*messages: bytes, exporter: str = "0") -> Script:
    """Send messages whatever the client says to them."""

    async def script(daemon: HostileDaemon) -> None:
        await daemon.ask(DIFF_COPY, *messages, metadata=[("buildkit-attachable-exporter-id", exporter)])

    return script


def says_that_all_is_well(script: Script) -> Script:
    async def lie(daemon: HostileDaemon) -> None:
        with contextlib.suppress(RefusedError, ReceiverError):
            await script(daemon)

    return lie


async def says_nothing(daemon: HostileDaemon) -> None:
    """The build succeeds, and nothing is delivered."""


async def ends_the_build_in_the_middle(daemon: HostileDaemon) -> None:
    await daemon.open(DIFF_COPY).send_messages([stat_packet(FILE), data_packet(0, b"who")])
    await asyncio.sleep(0.2)


async def sends_a_file_without_end(daemon: HostileDaemon) -> None:
    stream = daemon.open(DIFF_COPY)
    await stream.send_messages([stat_packet(FILE)])
    for _ in range(10_000):
        await stream.send_messages([data_packet(0, bytes(32 * 1024))])
        if stream.call.done():
            break
    await stream.rest()


async def swaps_a_folder_for_a_link(daemon: HostileDaemon) -> None:
    """Somebody on this machine helps: a folder of the transfer comes to point outside while it is filled."""
    out, many = daemon.folder / "work" / "out", [directory(f"d{number:03}") for number in range(100)]
    inside = [Entry("d000/file", content=b"x"), *(Entry(f"{one.path!s}/file") for one in many[1:])]
    tree: Sequence[Entry] = [entry for pair in zip(many, inside, strict=True) for entry in pair]
    stream = daemon.open(DIFF_COPY)
    await stream.send_messages([stat_packet(entry) for entry in tree])
    await stream.receive_messages()
    while len(list(out.iterdir())) < len(many):
        await asyncio.sleep(0.01)
    (out / "d000").rename(daemon.folder / "elsewhere")
    (out / "d000").symlink_to(daemon.folder / "outside")
    await stream.send_messages([data_packet(1, b"x"), data_packet(1)])
    try:
        await stream.rest()
    finally:
        for path in out.iterdir():
            path.unlink() if path.is_symlink() else path.rmdir()


def prepared_link() -> None:
    """The destination holds a link that leads outside, where the daemon sends a folder."""
    Path("out").mkdir()
    Path("out", "folder").symlink_to("../../outside")


async def opens_every_export_it_can(daemon: HostileDaemon) -> None:
    """250 deliveries at once, of which each would have a thread and files of its own."""
    streams = [daemon.open(DIFF_COPY) for _ in range(250)]
    for stream in streams:
        await stream.send_messages([stat_packet(Entry("file", content=bytes(100))), data_packet(0, b"x")])
    await asyncio.sleep(0.5)
    for stream in streams:
        stream.call.cancel()
    await asyncio.sleep(0.1)


ORDER = "changes out of order"
EXPORTS = [
    Case("a name with dots", delivers(Entry("../outside/new")), "escape check"),
    Case("a name that climbs in the middle", delivers(directory("a"), Entry("a/../../x")), "unclean", ("a",)),
    Case("an absolute name", delivers(Entry("/tmp/absolute")), "absolute path"),
    Case("a name with a NUL byte", delivers(Entry(b"a\0b")), "path with a NUL byte"),
    Case("an empty name", delivers(Entry("")), "unclean path"),
    Case("the destination itself", delivers(directory(".")), "unclean path"),
    Case("names out of order", delivers(directory("b"), directory("a")), ORDER, ("b",)),
    Case("a name twice", delivers(directory("a"), symlink("a", "/")), ORDER, ("a",)),
    Case("a file in a folder that was not sent", delivers(Entry("a/b")), ORDER),
    Case("a file through a link", delivers(symlink("a", "../outside"), Entry("a/new")), ORDER, ("a",)),
    Case("a link that leads outside is only a link", delivers(symlink("a", "../outside")), leaves=("a",)),
    Case(
        "a folder where a link was",
        delivers(directory("folder"), Entry("folder/new", content=b"x")),
        leaves=("folder", "folder/new"),
        prepare=prepared_link,
    ),
    Case("a hard link outside", delivers(Entry("a", linkname="../outside/private")), "unknown path"),
    Case("an absolute hard link", delivers(Entry("a", linkname="/etc/passwd")), "unknown path"),
    Case(
        "a hard link through a link",
        delivers(symlink("a", "../outside"), Entry("b", linkname="a/private")),
        "unknown path",
        ("a",),
    ),
    Case(
        "devices",
        delivers(
            Entry("block", filemode.DEVICE | 0o666, devmajor=8),
            Entry("char", filemode.DEVICE | filemode.CHAR_DEVICE | 0o666, devmajor=1, devminor=3),
            FILE,
            Entry("other", linkname="char"),
        ),
        leaves=("file",),
    ),
    Case(
        "a folder that is exchanged for a link while it is filled",
        swaps_a_folder_for_a_link,
        "not a directory",
    ),
    Case("a file that is larger than announced", sends_a_file_without_end, "than the 5 bytes it announced"),
    Case(
        "a file that is smaller than announced",
        sends(stat_packet(FILE), data_packet(0, b"who"), data_packet(0)),
        'sent 3 of the 5 bytes of "file"',
    ),
    Case("content that was not asked for", sends(data_packet(7, b"x")), "invalid file request 7"),
    Case("an entry after the end", sends(END_OF_LIST, stat_packet(FILE)), "after the end of the list"),
    Case("an end before the end", sends(stat_packet(FILE), FIN), "an end that was not reached"),
    Case("half a tree", sends(stat_packet(FILE), END_OF_LIST), "before it was complete"),
    Case("a request, which is the client's to send", sends(REQUEST), "type 1, which is not its to send"),
    Case("a packet that is none", sends(b"\xff\xff"), "no packet of file transfer"),
    Case("a packet nested without end", sends(b"\x1b" * 100_000), "no packet of file transfer"),
    Case("an export that was not asked for", sends(FIN, exporter="1"), "exporter 1 not found"),
    Case("an export without its number", sends(FIN, exporter="-1"), "exporter -1 not found"),
    Case("an export where none was asked for", sends(FIN), "unknown method DiffCopy", output=""),
    Case(
        "bytes that are none",
        sends(b"\xff"),
        "no BytesMessage",
        output="type=tar,dest=out",
    ),
    Case(
        "a tarball twice",
        sends(BytesMessage(data=b"x").SerializeToString(), exporter="1"),
        "exporter 1 not found",
        output="type=tar,dest=out",
    ),
    Case(
        "a failed export that is called a success",
        says_that_all_is_well(delivers(Entry("../outside/new"))),
        "out is not complete: escape check",
    ),
    Case(
        "half an export that is called a success",
        ends_the_build_in_the_middle,
        "out is not complete: the daemon ended the build before",
    ),
    # An image stays with the daemon, and what it says of it, if anything, is no part of the output.
    Case("an image of which nothing is said", says_nothing, output="type=image,name=registry.example/x"),
    Case(
        "a layout of which nothing is said",
        says_nothing,
        output="type=oci,tar=false,dest=out",
    ),
    Case("every export at once", opens_every_export_it_can, "out is not complete"),
]


@pytest.mark.parametrize("case", EXPORTS, ids=lambda case: case.name)
async def test_delivers(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await run(case, tmp_path, monkeypatch)
