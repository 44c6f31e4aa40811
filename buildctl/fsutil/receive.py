"""Receives a tree: the stats of all entries, then the content of each file that was asked for.

`Receiver` is one transfer as a function from the messages that arrived to the messages to answer; `receive`
runs it on a stream. Only the disk blocks, so a whole batch of messages goes to a worker thread at once: a hop
for each message would cost more than the writing (fsutil's receive.go is the protocol's description).
"""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from google.protobuf.message import DecodeError

from buildctl._pb.fsutil_pb2 import Packet, Stat
from buildctl.errors import PeerTransferError, ProtocolError, TransferEndedError
from buildctl.fsutil import filemode
from buildctl.fsutil.diskwriter import DiskWriter, IncomingFile
from buildctl.fsutil.entrylog import DIRECTORY, LEFT_OUT, LINK, OTHER, REQUESTED, WHOLE, EntryLog
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

REMEMBERED = 1 << 16
"""Files that are kept in memory until they are whole, and as many paths for links to them; `entrylog` knows
the others. Measured: 400 bytes each, and 3 µs to read one of the others again."""
MAX_BEGUN = 10_000
"""Files that are half-written at a time; fsutil's sender sends four."""
MAX_PATH = 4096
"""Bytes: what a system call takes on Linux, where the daemon has walked the tree."""
REQUESTS_AT_ONCE = 1000

_KINDS = filemode.SYMLINK | filemode.DEVICE | filemode.NAMED_PIPE
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
    on_written: Callable[[ReceiveSummary], None] | None = None,
) -> ReceiveSummary:
    """Receive a tree into the directory `destination`, created when missing.

    `keep_privileged` creates devices, and keeps what gives files rights of their own (`privileged`).
    `on_progress` is told the bytes that have arrived so far, and `on_written` what has arrived when all is in
    its place: once, before the sender is told, who may end everything then. A transfer that fails or is
    cancelled leaves no half-written file, and with `mode="delete"` has removed nothing. Raises
    `TransferError` where the disk or the sender gives up, and `ProtocolError` where the sender breaks the
    rules; the sender hears of it.
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
            wanted = await disk.run(receiver.receive_messages, messages)
            if receiver.said_fin and on_written is not None:
                on_written(receiver.summary)
                on_written = None
            replies.put(wanted, fin=receiver.said_fin)
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
        self._log = EntryLog(writer.nameless_file)
        self._content_bytes = 0
        self._files = 0
        self._devices = self._stripped = 0
        # The first paths that a hard link can name: files and devices that are no links.
        self._linkable: dict[bytes, int] = {}
        self._requested: dict[int, IncomingFile] = {}  # those in memory, of all that are to come
        self._pending = 0
        self._begun = 0
        self._all_listed = False
        self._abandoned = False
        self.said_fin = False
        """All is written, and the sender is told."""
        self.finished = False
        """The sender has confirmed the end."""

    @property
    def summary(self) -> ReceiveSummary:
        """What has arrived so far."""
        return ReceiveSummary(
            len(self._log.states), self._files, self._content_bytes, self._devices, self._stripped
        )

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
        self._log.close()
        self._writer.close()

    def receive_messages(self, messages: Sequence[bytes]) -> array[int]:
        """Act on a batch of messages, none if the sender has half-closed.

        Returns the numbers of the files to ask for; FIN is to be sent once `said_fin` is set.
        """
        if not messages:
            self._receive_end()
        wanted = array("I")
        content: dict[int, list[bytes | memoryview]] = {}  # of files that have not ended in this batch
        for message in messages:
            if self._abandoned:
                return wanted
            if len(message) >= LARGE and (large := data_of(message)) is not None and large[1]:
                number, piece = large
                if number not in self._requested:
                    self._recall(number)
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
                    self._recall(number)
                if data := packet.data:
                    content.setdefault(number, []).append(data)
                else:
                    self._complete(number, content.pop(number, []))
            elif kind == Packet.PACKET_STAT:
                if packet.HasField("stat"):
                    self._receive_stat(packet.stat, message, wanted)
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
        if self._all_listed and not self._pending and not self.said_fin:
            self._finish()
        return wanted

    def _receive_stat(self, stat: Stat, packet: bytes, wanted: array[int]) -> None:
        if self._all_listed:
            raise ProtocolError("the sender sent an entry after the end of the list")
        path = stat.path
        is_directory = stat.mode & filemode.DIR != 0
        self._order.check(path, is_directory=is_directory)
        if len(path) > MAX_PATH:
            raise ProtocolError(f"the sender lists a path of {len(path):,} bytes")
        number = len(self._log.states)
        if is_directory:
            self._keep(path)
            existed = self._writer.make_directory(stat)
            if self._leftovers is not None:
                self._leftovers.enter(path, self._writer.names(path) if existed else ())
            state = DIRECTORY
        else:
            state = self._receive_leaf(stat, number)
        self._log.add(packet, state)
        if state == REQUESTED:
            self._pending += 1
            wanted.append(number)

    def _receive_leaf(self, stat: Stat, number: int) -> int:
        """Act on what is no directory; returns the state that is to be remembered of it."""
        is_symlink = stat.mode & _KINDS == filemode.SYMLINK
        target = b"" if is_symlink else stat.linkname
        linked = self._linked(target) if target else OTHER
        if not self._keep_privileged:
            if is_device(stat.mode) or linked == LEFT_OUT:
                self._devices += 1
                return LEFT_OUT
            if drop_privileges(stat):
                self._stripped += 1
        path, mode = stat.path, stat.mode
        self._keep(path)
        if is_symlink:
            self._writer.make_symlink(stat)
            return OTHER
        if target and linked not in (REQUESTED, WHOLE):
            raise ProtocolError(f"invalid link {quoted(path)[1:-1]} to unknown path: {quoted(target)}")
        if mode & _KINDS:
            self._writer.make_special(stat)
            state = OTHER if target else WHOLE
        elif target:
            return LINK
        elif filemode.is_regular(mode):
            if len(self._requested) < REMEMBERED:
                self._requested[number] = IncomingFile(stat)
            state = REQUESTED
        else:
            raise ProtocolError(f"invalid file request {quoted(path)[1:-1]}")
        if state != OTHER and len(self._linkable) < REMEMBERED:
            self._linkable[path] = number
        return state

    def _keep(self, path: bytes) -> None:
        if self._leftovers is not None:
            self._leftovers.keep(path)

    def _linked(self, target: bytes) -> int:
        """The state of what a hard link names, OTHER if that was not listed."""
        number = self._linkable.get(target)
        if number is None:
            number = self._log.find(target)
        return OTHER if number is None else self._log.states[number]

    def _recall(self, number: int) -> None:
        """Take a file that is to come back into memory."""
        states = self._log.states
        if number >= len(states) or states[number] != REQUESTED:
            raise ProtocolError(f"invalid file request {number}")
        stat = self._log.stat(number)
        if not self._keep_privileged:
            drop_privileges(stat)
        self._requested[number] = IncomingFile(stat)

    def _append(self, number: int, pieces: list[bytes | memoryview]) -> None:
        file = self._requested[number]
        if not file.arrived:
            self._begun += 1
            if self._begun > MAX_BEGUN:
                raise ProtocolError(f"the sender begins more than {MAX_BEGUN:,} files before it ends one")
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
        if file.arrived:
            self._begun -= 1
        self._count(file, pieces)
        if file.arrived < file.announced:
            raise ProtocolError(
                f"the sender sent {file.arrived} of the {file.announced} bytes of {quoted(file.path)}"
            )
        self._writer.complete(file, pieces)
        self._log.states[number] = WHOLE
        self._pending -= 1
        self._content_bytes += sum(map(len, pieces))
        self._files += 1

    def _finish(self) -> None:
        for number in self._log.numbers(LINK):
            if self._abandoned:
                return
            stat = self._log.stat(number)
            self._writer.make_link(stat.path, stat.linkname)
        if self._leftovers is not None:
            for path in self._leftovers.finish():
                self._writer.remove(path)
        for number in self._log.numbers_from_last(DIRECTORY):
            if self._abandoned:
                return
            self._writer.finish_directory(self._log.stat(number))
        self._log.close()
        self._writer.close()
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
    What waits are numbers, as there may be millions.
    """

    def __init__(self, send_messages: SendMessages) -> None:
        self._send_messages = send_messages
        self._wanted = array("I")
        self._fin_is_due = self._fin_is_sent = False
        self._task: asyncio.Task[None] | None = None

    def put(self, wanted: array[int], *, fin: bool) -> None:
        """Ask for files by their numbers, and then say that all is written."""
        self._wanted += wanted
        self._fin_is_due = fin
        if self._task is not None and self._task.done():
            self._task.result()  # a failure to send ends the transfer
            self._task = None
        if self._task is None and (self._wanted or self._fin_waits):
            self._task = asyncio.create_task(self._send())

    @property
    def _fin_waits(self) -> bool:
        return self._fin_is_due and not self._fin_is_sent

    async def drain(self) -> None:
        if self._task is not None:
            await self._task

    async def end(self, message: bytes) -> None:
        """Send a last message, if the sender takes it soon."""
        with suppress(Exception):
            async with asyncio.timeout(_FAREWELL_SECONDS):
                await self.cancel()
                await self._send_messages([message])

    async def cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            if not self._task.cancelled():
                self._task.exception()

    async def _send(self) -> None:
        while self._wanted:
            numbers, self._wanted = self._wanted, array("I")
            for start in range(0, len(numbers), REQUESTS_AT_ONCE):
                await self._send_messages(_requests(numbers[start : start + REQUESTS_AT_ONCE]))
        if self._fin_waits:
            self._fin_is_sent = True
            await self._send_messages([Packet(type=Packet.PACKET_FIN).SerializeToString()])


def _requests(numbers: Iterable[int]) -> Iterator[bytes]:
    """Packets that ask for files; one message that is filled again takes half the time of new ones."""
    packet = Packet(type=Packet.PACKET_REQ)
    for number in numbers:
        packet.ID = number
        yield packet.SerializeToString()
