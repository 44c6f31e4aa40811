"""Receives a tree: the stats of all entries, then the content of each file that was asked for.

`Receiver` is one transfer as a function from the messages that arrived to the messages to answer; `receive`
runs it on a stream. Only the disk blocks, so a whole batch of messages goes to a worker thread at once: a hop
for each message would cost more than the writing (fsutil's receive.go is the protocol's description).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from google.protobuf.message import DecodeError

from buildctl._pb.fsutil_pb2 import Packet, Stat
from buildctl.errors import PeerTransferError, ProtocolError, TransferEndedError
from buildctl.fsutil import filemode
from buildctl.fsutil.diskwriter import DiskWriter, IncomingFile
from buildctl.fsutil.leftovers import Leftovers
from buildctl.fsutil.pieces import LARGE, data_of
from buildctl.fsutil.privileged import drop_privileges, is_device
from buildctl.fsutil.validator import OrderValidator, quoted
from buildctl.fsutil.worker import Worker, outlast

ReceiveMessages = Callable[[], Awaitable[list[bytes]]]
"""All messages that have arrived, at least one; none once the sender has half-closed."""

SendMessages = Callable[[Iterable[bytes]], Awaitable[None]]

Mode = Literal["copy", "delete"]
"""Whether what the destination holds besides the transfer stays or goes."""

MAX_LISTING_BYTES = 4 << 30
"""What the entries of a transfer may come to: a sender may list and never deliver."""
ENTRY_BYTES = 400
"""Measured: what is remembered of a file until it is whole, beside its packet."""

_FAREWELL_SECONDS = 1.0
"""How long a disk that stalls, or a sender that does not read, may each delay a failure."""


@dataclass(frozen=True, slots=True)
class ReceiveSummary:
    """What a transfer brought."""

    entries: int
    files: int
    """Regular files with content of their own; hard links are entries only."""
    content_bytes: int
    devices: int = 0
    """Devices that were left out."""
    stripped: int = 0
    """Entries that lost set-id bits or capabilities."""


async def receive(
    receive_messages: ReceiveMessages,
    send_messages: SendMessages,
    destination: str,
    *,
    mode: Mode = "copy",
    keep_privileged: bool = False,
    on_progress: Callable[[int], None] | None = None,
    on_written: Callable[[], None] | None = None,
) -> ReceiveSummary:
    """Receive a tree into the directory `destination`, created when missing.

    `keep_privileged` creates devices, and keeps what gives files rights of their own (`privileged`).
    `on_progress` is told the bytes that have arrived so far, and `on_written` that all is in its place,
    before the sender is told. A transfer that fails or is cancelled leaves no half-written file, and with
    `mode="delete"` has removed nothing. Raises `TransferError` where the disk or the sender gives up, and
    `ProtocolError` where the sender breaks the rules; the sender hears of it.
    """
    receiver = Receiver(DiskWriter(destination), mode=mode, keep_privileged=keep_privileged)
    disk = Worker("receive")
    replies = _Replies(send_messages)
    arrived = 0
    try:
        await disk.run(receiver.open)
        while not receiver.finished:
            messages = await receive_messages()
            arrived += sum(map(len, messages))
            if on_progress is not None:
                on_progress(arrived)
            answers = await disk.run(receiver.receive_messages, messages)
            if receiver.said_fin and on_written is not None:
                on_written()
            replies.put(answers)
        await replies.drain()
    except BaseException as error:
        # The worker may be at work still: closing comes after what it does, and is waited for.
        receiver.abandon()
        await outlast([disk.run(receiver.close)], _FAREWELL_SECONDS)
        if isinstance(error, Exception):
            packet = Packet(type=Packet.PACKET_ERR, data=str(error).encode("utf-8", "backslashreplace"))
            await replies.end(packet.SerializeToString())
        raise
    finally:
        disk.close()
        await replies.cancel()
    return receiver.summary


class Receiver:
    """One transfer, driven by the messages that arrive."""

    def __init__(self, writer: DiskWriter, *, mode: Mode = "copy", keep_privileged: bool = False) -> None:
        self._writer = writer
        self._keep_privileged = keep_privileged
        self._mode = mode
        self._order = OrderValidator()
        self._leftovers: Leftovers | None = None
        self._entries = 0
        self._listing_bytes = 0
        self._content_bytes = 0
        self._files = 0
        self._devices = self._stripped = 0
        self._left_out: set[bytes] = set()
        # Files and devices that are no links: what a hard link can name, and its content if that is to come.
        self._linkable: dict[bytes, IncomingFile | None] = {}
        self._requested: dict[int, IncomingFile] = {}
        self._all_listed = False
        self._abandoned = False
        self.said_fin = False
        """All is written, and the sender is told."""
        self.finished = False
        """The sender has confirmed the end."""

    @property
    def summary(self) -> ReceiveSummary:
        """What has arrived so far."""
        return ReceiveSummary(self._entries, self._files, self._content_bytes, self._devices, self._stripped)

    def open(self) -> None:
        """Open the destination."""
        self._writer.open()
        if self._mode == "delete":
            self._leftovers = Leftovers(self._writer.names(b""))

    def abandon(self) -> None:
        """Let `receive_messages`, which is at work in another thread, return before its batch is done."""
        self._abandoned = True

    def close(self) -> None:
        """Close the destination, and remove what is not whole."""
        self._writer.close()

    def receive_messages(self, messages: Sequence[bytes]) -> list[bytes]:
        """Act on a batch of messages, none if the sender has half-closed; returns those to answer."""
        if not messages:
            self._receive_end()
        replies: list[bytes] = []
        content: dict[int, list[bytes | memoryview]] = {}  # of files that have not ended in this batch
        for message in messages:
            if self._abandoned:
                return []
            if len(message) >= LARGE and (large := data_of(message)) is not None and large[1]:
                number, piece = large
                if number not in self._requested:
                    raise ProtocolError(f"invalid file request {number}")
                content.setdefault(number, []).append(piece)
                continue
            try:
                packet = Packet.FromString(message)
            except DecodeError as error:
                raise ProtocolError("the sender sent what is no packet of file transfer") from error
            kind = packet.type
            if kind == Packet.PACKET_DATA:
                number = packet.ID
                if number not in self._requested:
                    raise ProtocolError(f"invalid file request {number}")
                if data := packet.data:
                    content.setdefault(number, []).append(data)
                else:
                    self._complete(number, content.pop(number, []))
            elif kind == Packet.PACKET_STAT:
                if packet.HasField("stat"):
                    self._listing_bytes += ENTRY_BYTES + len(message)
                    self._receive_stat(packet.stat, replies)
                else:
                    self._receive_end_of_list()
            elif kind == Packet.PACKET_ERR:
                raise PeerTransferError(
                    f"error from sender: {packet.data.decode('utf-8', 'backslashreplace')}"
                )
            elif kind == Packet.PACKET_FIN:
                self._receive_fin()
            else:
                raise ProtocolError(f"the sender sent a packet of type {kind}, which is not its to send")
        for number, pieces in content.items():
            self._append(number, pieces)
        if self._all_listed and not self._requested and not self.said_fin:
            self._finish()
            replies.append(Packet(type=Packet.PACKET_FIN).SerializeToString())
        return replies

    def _receive_stat(self, stat: Stat, replies: list[bytes]) -> None:
        if self._all_listed:
            raise ProtocolError("the sender sent an entry after the end of the list")
        if self._listing_bytes > MAX_LISTING_BYTES:
            raise ProtocolError(f"the sender lists more entries than fit {MAX_LISTING_BYTES >> 30} GiB")
        number = self._entries
        self._entries += 1
        mode, path = stat.mode, stat.path
        is_directory = mode & filemode.DIR != 0
        self._order.check(path, is_directory=is_directory)
        if not self._keep_privileged and not is_directory:
            if is_device(mode) or stat.linkname in self._left_out:
                self._left_out.add(path)
                self._devices += 1
                return
            if drop_privileges(stat):
                self._stripped += 1
                mode = stat.mode
        if self._leftovers is not None:
            self._leftovers.keep(path)
        if is_directory:
            existed = self._writer.make_directory(stat)
            if self._leftovers is not None:
                self._leftovers.enter(path, self._writer.names(path) if existed else ())
            return
        if mode & filemode.SYMLINK and not mode & (filemode.DEVICE | filemode.NAMED_PIPE):
            self._writer.make_symlink(stat)
            return
        target = stat.linkname
        if target and target not in self._linkable:
            raise ProtocolError(f"invalid link {quoted(path)[1:-1]} to unknown path: {quoted(target)}")
        if mode & (filemode.DEVICE | filemode.NAMED_PIPE):
            self._writer.make_special(stat)
            if not target:
                self._linkable[path] = None
        elif target:
            file = self._linkable[target]
            if file is None:
                self._writer.make_link(path, target)
            else:
                file.links.append(path)
        elif filemode.is_regular(mode):
            self._requested[number] = self._linkable[path] = IncomingFile(stat)
            replies.append(Packet(type=Packet.PACKET_REQ, ID=number).SerializeToString())
        else:
            raise ProtocolError(f"invalid file request {quoted(path)[1:-1]}")

    def _append(self, number: int, pieces: list[bytes | memoryview]) -> None:
        file = self._requested[number]
        self._count(file, pieces)
        self._writer.write(file, pieces)
        self._content_bytes += sum(map(len, pieces))

    def _count(self, file: IncomingFile, pieces: list[bytes | memoryview]) -> None:
        file.arrived += sum(map(len, pieces))
        if file.arrived > file.announced:
            raise ProtocolError(
                f"the sender sends more of {quoted(file.path)} than the {file.announced} bytes it announced"
            )

    def _complete(self, number: int, pieces: list[bytes | memoryview]) -> None:
        file = self._requested.pop(number)
        self._count(file, pieces)
        if file.arrived < file.announced:
            raise ProtocolError(
                f"the sender sent {file.arrived} of the {file.announced} bytes of {quoted(file.path)}"
            )
        self._writer.complete(file, pieces)
        self._linkable[file.path] = None
        self._content_bytes += sum(map(len, pieces))
        self._files += 1

    def _finish(self) -> None:
        if self._leftovers is not None:
            for path in self._leftovers.finish():
                self._writer.remove(path)
        self._writer.finish()
        self.said_fin = True

    def _receive_end_of_list(self) -> None:
        if self._all_listed:
            raise ProtocolError("the sender ended the list of entries twice")
        self._all_listed = True

    def _receive_fin(self) -> None:
        if not self.said_fin:
            raise ProtocolError("the sender confirmed an end that was not reached")
        self.finished = True

    def _receive_end(self) -> None:
        if not self.said_fin:
            raise TransferEndedError("the sender ended the transfer before it was complete")
        self.finished = True


class _Replies:
    """Sends in the background, so that reading never waits for the sender to read.

    A sender stops reading requests while its content is not taken: to wait for it here would be a deadlock.
    """

    def __init__(self, send_messages: SendMessages) -> None:
        self._send_messages = send_messages
        self._waiting: list[bytes] = []
        self._task: asyncio.Task[None] | None = None

    def put(self, messages: list[bytes]) -> None:
        self._waiting += messages
        if self._task is not None and self._task.done():
            self._task.result()  # a failure to send ends the transfer
            self._task = None
        if self._waiting and self._task is None:
            self._task = asyncio.create_task(self._send())

    async def drain(self) -> None:
        if self._task is not None:
            await self._task

    async def end(self, message: bytes) -> None:
        """Send a last message, if the sender takes it soon."""
        with suppress(Exception):
            async with asyncio.timeout(_FAREWELL_SECONDS):
                self._waiting.clear()
                await self.drain()
                await self._send_messages([message])

    async def cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            if not self._task.cancelled():
                self._task.exception()

    async def _send(self) -> None:
        while self._waiting:
            messages, self._waiting = self._waiting, []
            await self._send_messages(messages)
