"""What a daemon remembers of builds: their records, and the events that tell of them.

Instants are nanoseconds since the Unix epoch, sizes bytes. Fields correspond to BuildHistoryRecord of
api/services/control/control.proto.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from buildctl.errors import Code, ErrorDetail


class BuildHistoryEventType(enum.IntEnum):
    """What became of a record."""

    STARTED = 0
    COMPLETE = 1
    DELETED = 2


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A blob in the daemon's content store."""

    media_type: str
    digest: str
    size_bytes: int
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BuildResultInfo:
    """What a build left behind, for all platforms or for one."""

    results: Mapping[int, Descriptor] = field(default_factory=dict)
    """By the index of the export."""
    attestations: tuple[Descriptor, ...] = ()
    result_deprecated: Descriptor | None = None
    """The only result that daemons before 0.14 know of."""


@dataclass(frozen=True, slots=True)
class BuildError:
    """Why a build failed, as a gRPC status."""

    code: int
    message: str
    details: tuple[ErrorDetail, ...] = ()

    @property
    def name(self) -> str:
        """The code as Go prints it; its number where gRPC has no name for it."""
        return Code(self.code).camel if self.code in set(Code) else str(self.code)


@dataclass(frozen=True, slots=True)
class ExporterRecord:
    """One export that a build was asked for."""

    type: str
    attrs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BuildRecord:
    """One build in the history."""

    ref: str
    frontend: str = ""
    frontend_attrs: Mapping[str, str] = field(default_factory=dict)
    exporters: tuple[ExporterRecord, ...] = ()
    error: BuildError | None = None
    created_at_ns: int | None = None
    completed_at_ns: int | None = None
    logs: Descriptor | None = None
    """The blob of its Status stream."""
    exporter_response: Mapping[str, str] = field(default_factory=dict)
    result: BuildResultInfo | None = None
    results: Mapping[str, BuildResultInfo] = field(default_factory=dict)
    """By platform, where the build was for several."""
    generation: int = 0
    trace: Descriptor | None = None
    """The blob of its OpenTelemetry spans."""
    pinned: bool = False
    """Whether garbage collection leaves it alone."""
    cached_steps: int = 0
    total_steps: int = 0
    completed_steps: int = 0
    external_error: Descriptor | None = None
    """The blob of the error with all its details."""
    warnings: int = 0

    @property
    def duration_ns(self) -> int | None:
        """From the beginning to the end; None while one of them is unknown."""
        if self.created_at_ns is None or self.completed_at_ns is None:
            return None
        return max(0, self.completed_at_ns - self.created_at_ns)

    @property
    def state(self) -> str:
        """`running`, `completed`, `canceled` or `failed`."""
        if self.completed_at_ns is None:
            return "running"
        if self.error is None:
            return "completed"
        return "canceled" if self.error.code == Code.CANCELED else "failed"


@dataclass(frozen=True, slots=True)
class BuildHistoryEvent:
    """One message of the history: a record, and what became of it."""

    type: int
    """A `BuildHistoryEventType`, or a number that this version has no name for."""
    record: BuildRecord | None = None

    @property
    def type_name(self) -> str:
        """`STARTED`, `COMPLETE`, `DELETED`, or the number."""
        known = self.type in set(BuildHistoryEventType)
        return BuildHistoryEventType(self.type).name if known else str(self.type)
