"""What a session service sees of one call: gRPC messages in, gRPC messages out.

Services are written against `ServerStream`, so that neither the tunnel nor HTTP/2 is known to them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Protocol


class ServerStream(Protocol):
    """One call that the daemon makes on this client."""

    @property
    def metadata(self) -> Sequence[tuple[str, str]]:
        """The request's metadata in order, repeated keys included; not what is HTTP/2's and gRPC's own."""

    async def receive_messages(self) -> list[bytes]:
        """All messages that have arrived, at least one; an empty list once the daemon has half-closed.

        Raises `ServiceError` for a message that cannot be taken. When the daemon resets the call, the handler
        is cancelled; one that goes on all the same gets `ProtocolError`.
        """

    def narrow(self) -> None:
        """Have the daemon send 16 KiB at most ahead of what has been taken, in place of 1 MiB.

        For calls that bring short messages, none of more than 64 KiB, and may bring them faster than they are
        dealt with: the daemon then sends many at a time, which costs both ends less. To be called before the
        first message is taken.
        """

    async def send_messages(self, messages: Iterable[bytes]) -> None:
        """Send messages in order, framed into one buffer.

        Returns when at most half a megabyte waits for flow control, and less where there are many calls.
        Raises as `receive_messages` does.
        """


Handler = Callable[[ServerStream], Awaitable[None]]
"""Answers one call; returning ends it with OK, raising `ServiceError` with that status, and raising
anything else with UNKNOWN and the error's text. Cancelled when the daemon resets the call or its deadline
passes, and when the session ends."""


class Attachable(Protocol):
    """A service offered on a session."""

    @property
    def methods(self) -> Mapping[str, Handler]:
        """Handlers by full method path, such as `/moby.filesync.v1.FileSync/DiffCopy`."""
