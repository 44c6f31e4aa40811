"""A receiver of file transfer that works as fsutil's does: it asks for files while stats still arrive."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from buildctl._pb.fsutil_pb2 import Packet, Stat
from buildctl.fsutil import filemode
from tests.support.streams import MessageStream

FIN = Packet(type=Packet.PACKET_FIN).SerializeToString()


class SenderError(Exception):
    """The sender sent ERR."""


@dataclass
class Received:
    """What a transfer brought."""

    stats: list[Stat] = field(default_factory=list)
    contents: dict[bytes, bytes] = field(default_factory=dict)
    largest_packet: int = 0

    @property
    def paths(self) -> list[bytes]:
        return [stat.path for stat in self.stats]

    def stat(self, path: str) -> Stat:
        return next(stat for stat in self.stats if stat.path == path.encode())


def request(number: int) -> bytes:
    return Packet(type=Packet.PACKET_REQ, ID=number).SerializeToString()


def wants_all(stat: Stat) -> bool:
    """What the daemon asks for the first time: every regular file that is no hard link."""
    return filemode.is_regular(stat.mode) and not stat.linkname


async def receive(stream: MessageStream, wants: Callable[[Stat], bool] = wants_all) -> Received:
    """Take a whole transfer. Raises `SenderError`.

    Requests go out beside what comes in: a sender need not take more of them than it can deal with.
    """
    answers: asyncio.Queue[list[bytes]] = asyncio.Queue()
    answering = asyncio.create_task(_answer(stream, answers))
    try:
        return await _receive(stream, wants, answers)
    finally:
        answering.cancel()


async def _answer(stream: MessageStream, answers: asyncio.Queue[list[bytes]]) -> None:
    while True:
        await stream.send_messages(await answers.get())


async def _receive(
    stream: MessageStream, wants: Callable[[Stat], bool], outgoing: asyncio.Queue[list[bytes]]
) -> Received:
    received = Received()
    open_files: dict[int, bytearray] = {}
    listed = False
    while messages := await stream.receive_messages():
        answers = []
        for message in messages:
            packet = Packet.FromString(message)
            received.largest_packet = max(received.largest_packet, len(packet.data))
            match packet.type:
                case Packet.PACKET_STAT if packet.HasField("stat"):
                    assert not listed
                    if wants(packet.stat):
                        number = len(received.stats)
                        open_files[number] = bytearray()
                        answers.append(request(number))
                    received.stats.append(packet.stat)
                case Packet.PACKET_STAT:
                    listed = True
                case Packet.PACKET_DATA if packet.data:
                    open_files[packet.ID] += packet.data
                case Packet.PACKET_DATA:
                    path = received.stats[packet.ID].path
                    received.contents[path] = bytes(open_files.pop(packet.ID))
                case Packet.PACKET_ERR:
                    raise SenderError(packet.data.decode())
                case Packet.PACKET_FIN:
                    assert listed
                    assert not open_files
                    return received
        if listed and not open_files:
            answers.append(FIN)
        outgoing.put_nowait(answers)
    raise EOFError
