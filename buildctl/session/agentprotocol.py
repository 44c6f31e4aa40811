"""The SSH agent protocol, as far as a forwarded agent must be shielded: frames, and what a step may not ask.

A frame is four bytes of length and a message, whose first byte says what it is. Source:
draft-ietf-sshm-ssh-agent, and the answers of the agent that the reference puts in between
(golang.org/x/crypto/ssh/agent, session/sshforward/sshprovider).
"""

from __future__ import annotations

import enum

from buildctl.errors import Code, ServiceError

MAX_MESSAGE_BYTES = 256 * 1024
"""The longest message, as for OpenSSH (authfd.h)."""


class Request(enum.IntEnum):
    """Messages to an agent that are told apart here."""

    LIST_V1 = 1
    REMOVE_ALL_V1 = 9
    LIST = 11
    SIGN = 13
    EXTENSION = 27


_FAILURE = b"\x05"
_ALLOWED = frozenset((Request.LIST, Request.SIGN))
_ANSWERS: dict[int, bytes] = {
    Request.LIST_V1: b"\x02\x00\x00\x00\x00",  # no keys
    Request.REMOVE_ALL_V1: b"\x06",  # success
    Request.EXTENSION: b"\x1c",
}
"""Where it is not a failure."""


def refusal(request: bytes) -> bytes | None:
    """The answer to a message that the agent does not get to see; None for one that it does."""
    kind = request[0]
    return None if kind in _ALLOWED else _ANSWERS.get(kind, _FAILURE)


class Frames:
    """Cuts a stream of bytes into messages."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The messages that are whole now. Raises `ServiceError` for one of no or too many bytes."""
        self._buffer += data
        messages = []
        while len(self._buffer) >= 4:
            size = int.from_bytes(self._buffer[:4], "big")
            if not 0 < size <= MAX_MESSAGE_BYTES:
                raise ServiceError(Code.UNKNOWN, f"an ssh agent message of {size} bytes")
            if len(self._buffer) < 4 + size:
                break
            messages.append(bytes(self._buffer[4 : 4 + size]))
            del self._buffer[: 4 + size]
        return messages


def frame(message: bytes) -> bytes:
    """The message with its length."""
    return len(message).to_bytes(4, "big") + message
