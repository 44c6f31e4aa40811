"""What a daemon asked of this machine during a build, and what became of it; never what was in the answer."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

Asked: TypeAlias = Mapping[str, str | int | list[str]]


class SessionRequest(NamedTuple):
    """One call of a session, when it has ended; or one file that a running call asked for."""

    service: str
    """Such as `moby.filesync.v1.FileSync`."""
    method: str
    """Such as `DiffCopy`; empty for a name that is none."""
    asked: Asked = MappingProxyType({})
    """What for: a local name, a path, the id of a secret, a host. Long texts and lists are cut."""
    outcome: str = "OK"
    """The status that the call ended with, such as `NOT_FOUND`; `requested` for a file."""
    given: bool | None = None
    """Whether the answer had anything in it, where even its length is nobody's business."""
    sent_bytes: int | None = None
    """What the daemon got, in messages; of a file its size. None where `given` says all."""
    received_bytes: int | None = None
    """What the daemon sent, in messages."""
