"""What a daemon is: its workers and its version. Durations `*_ns` are nanoseconds, sizes bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from buildctl.model.platform import Platform


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
