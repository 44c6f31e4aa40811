"""A call in memory: two ends with the methods of `ServerStream`, and flow control that can be made tight."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Protocol

from buildctl.errors import ProtocolError


class MessageStream(Protocol):
    """Messages both ways, whatever carries them."""

    async def receive_messages(self) -> list[bytes]: ...

    async def send_messages(self, messages: Iterable[bytes]) -> None: ...


class _Pipe:
    """One direction of a call: messages in order, at most `limit` bytes under way."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.messages: list[bytes] = []
        self.size = 0
        self.ended = False
        self.reset = False
        self.changed = asyncio.Condition()

    async def send(self, messages: Iterable[bytes]) -> None:
        for message in messages:
            async with self.changed:
                await self.changed.wait_for(lambda: self.reset or self.size < self.limit)
                if self.reset:
                    raise ProtocolError("the call was reset")
                self.messages.append(message)
                self.size += len(message)
                self.changed.notify_all()

    async def receive(self) -> list[bytes]:
        async with self.changed:
            await self.changed.wait_for(lambda: self.reset or self.messages or self.ended)
            if self.reset:
                raise ProtocolError("the call was reset")
            messages, self.messages, self.size = self.messages, [], 0
            self.changed.notify_all()
            return messages

    async def end(self, *, reset: bool = False) -> None:
        async with self.changed:
            self.ended, self.reset = True, self.reset or reset
            self.changed.notify_all()


class MemoryStream:
    """One end of a call in memory."""

    def __init__(self, incoming: _Pipe, outgoing: _Pipe, metadata: Sequence[tuple[str, str]]) -> None:
        self._incoming = incoming
        self._outgoing = outgoing
        self._metadata = metadata

    @property
    def metadata(self) -> Sequence[tuple[str, str]]:
        return self._metadata

    def narrow(self) -> None:
        """Its limit is the test's to choose."""

    async def receive_messages(self) -> list[bytes]:
        return await self._incoming.receive()

    async def send_messages(self, messages: Iterable[bytes]) -> None:
        await self._outgoing.send(messages)

    async def half_close(self) -> None:
        """Send no more."""
        await self._outgoing.end()

    async def reset(self) -> None:
        """Break the call for both ends."""
        await self._outgoing.end(reset=True)
        await self._incoming.end(reset=True)


def stream_pair(
    metadata: Sequence[tuple[str, str]] = (), *, limit: int = 1 << 20
) -> tuple[MemoryStream, MemoryStream]:
    """The server's end, with the metadata of the call, and the client's."""
    to_server, to_client = _Pipe(limit), _Pipe(limit)
    return MemoryStream(to_server, to_client, metadata), MemoryStream(to_client, to_server, metadata)
