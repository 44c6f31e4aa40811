"""What a daemon keeps and is: usage records, workers, versions.

Instants are nanoseconds since the Unix epoch, durations `*_ns` nanoseconds, sizes bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class UsageRecord:
    """One entry of the build cache, as `du` and `prune` show it."""

    id: str
    mutable: bool = False
    in_use: bool = False
    size_bytes: int = 0
    parents: tuple[str, ...] = ()
    created_at_ns: int | None = None
    last_used_at_ns: int | None = None
    usage_count: int = 0
    description: str = ""
    record_type: str = ""
    shared: bool = False


@dataclass(frozen=True, slots=True)
class PruneOpt:
    """What `prune` may remove and must keep; 0 sets no limit."""

    filters: tuple[str, ...] = ()
    all: bool = False
    keep_duration_ns: int = 0
    reserved_space_bytes: int = 0
    max_used_space_bytes: int = 0
    min_free_space_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Platform:
    """What a worker can build for."""

    architecture: str
    os: str
    variant: str = ""
    os_version: str = ""
    os_features: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class GCPolicy:
    """One rule of a worker's garbage collection."""

    all: bool = False
    filters: tuple[str, ...] = ()
    keep_duration_ns: int = 0
    reserved_space_bytes: int = 0
    max_used_space_bytes: int = 0
    min_free_space_bytes: int = 0


@dataclass(frozen=True, slots=True)
class BuildkitVersion:
    """What a daemon says it is."""

    package: str = ""
    version: str = ""
    revision: str = ""
    dockerfile_version: str = ""


@dataclass(frozen=True, slots=True)
class CDIDevice:
    """A device that a worker offers to builds."""

    name: str
    auto_allow: bool = False
    annotations: Mapping[str, str] = field(default_factory=dict)
    on_demand: bool = False


@dataclass(frozen=True, slots=True)
class WorkerRecord:
    """A worker of the daemon."""

    id: str
    labels: Mapping[str, str] = field(default_factory=dict)
    platforms: tuple[Platform, ...] = ()
    gc_policies: tuple[GCPolicy, ...] = ()
    buildkit_version: BuildkitVersion | None = None
    """None from a daemon too old to say."""
    cdi_devices: tuple[CDIDevice, ...] = ()
