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
        """The request's metadata in order, repeated keys included, pseudo-headers and `te` left out."""

    async def receive_messages(self) -> list[bytes]:
        """All messages that have arrived, at least one; an empty list once the daemon has half-closed.

        Raises `ProtocolError` when the daemon resets the call or breaks framing.
        """

    async def send_messages(self, messages: Iterable[bytes]) -> None:
        """Send messages in order, framed into one buffer; returns when flow control has taken them all."""


Handler = Callable[[ServerStream], Awaitable[None]]
"""Answers one call; returning ends it with OK, raising `ServiceError` with that status, and raising
anything else with UNKNOWN and the error's text."""


class Attachable(Protocol):
    """A service offered on a session."""

    @property
    def methods(self) -> Mapping[str, Handler]:
        """Handlers by full method path, such as `/moby.filesync.v1.FileSync/DiffCopy`."""
