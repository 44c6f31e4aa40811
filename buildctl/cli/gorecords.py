"""Records of cache and workers as `--format` sees them: the reference's types and field names.

They are read in place: a Go type here says how its fields are read from a dataclass of the model.
Sources: client/diskusage.go, client/workers.go, client/info.go and client/prune.go of the reference.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from buildctl.model.cache import UsageRecord
from buildctl.model.workers import BuildkitVersion, WorkerRecord
from buildctl.template.gotime import DURATION, TIME, Time
from buildctl.template.values import (
    BOOL,
    INT,
    INT64,
    STRING,
    STRING_MAP,
    STRINGS,
    Field,
    GoType,
    Kind,
    Value,
    pointer_to,
    slice_of,
)


def usage_info(record: UsageRecord) -> Value:
    """What `prune` gives to its template."""
    return Value(USAGE_INFO, record)


def usage_infos(records: Sequence[UsageRecord]) -> Value:
    """What `du` gives to its template; the nil slice where there is nothing."""
    return Value(_USAGE_INFOS, records or None)


def worker_infos(records: Sequence[WorkerRecord]) -> Value:
    """What `debug workers` gives to its template."""
    return Value(_WORKER_INFOS, records or None)


def info(version: BuildkitVersion) -> Value:
    """What `debug info` gives to its template."""
    return Value(_INFO_POINTER, version)


def _instant(instant_ns: int | None) -> Time:
    return Time.from_unix_ns(instant_ns or 0)  # a missing one is the epoch, as protobuf has it


def _optional_instant(instant_ns: int | None) -> Time | None:
    return None if instant_ns is None else Time.from_unix_ns(instant_ns)


def _struct(name: str, *fields: Field) -> GoType:
    return GoType(name, Kind.STRUCT, fields=fields)


def _version(worker: Any) -> BuildkitVersion:
    return worker.buildkit_version or BuildkitVersion()


USAGE_INFO = _struct(
    "client.UsageInfo",
    Field("ID", STRING, lambda r: r.id, "id"),
    Field("Mutable", BOOL, lambda r: r.mutable, "mutable"),
    Field("InUse", BOOL, lambda r: r.in_use, "inUse"),
    Field("Size", INT64, lambda r: r.size_bytes, "size"),
    Field("CreatedAt", TIME, lambda r: _instant(r.created_at_ns), "createdAt"),
    Field("LastUsedAt", pointer_to(TIME), lambda r: _optional_instant(r.last_used_at_ns), "lastUsedAt"),
    Field("UsageCount", INT, lambda r: r.usage_count, "usageCount"),
    Field("Parents", STRINGS, lambda r: r.parents or None, "parents"),
    Field("Description", STRING, lambda r: r.description, "description"),
    Field("RecordType", GoType("client.UsageRecordType", Kind.STRING), lambda r: r.record_type, "recordType"),
    Field("Shared", BOOL, lambda r: r.shared, "shared"),
)

PLATFORM = _struct(
    "v1.Platform",
    Field("Architecture", STRING, lambda p: p.architecture, "architecture"),
    Field("OS", STRING, lambda p: p.os, "os"),
    Field("OSVersion", STRING, lambda p: p.os_version, "os.version", omitempty=True),
    Field("OSFeatures", STRINGS, lambda p: p.os_features or None, "os.features", omitempty=True),
    Field("Variant", STRING, lambda p: p.variant, "variant", omitempty=True),
)

PRUNE_INFO = _struct(
    "client.PruneInfo",
    Field("All", BOOL, lambda p: p.all, "all"),
    Field("Filter", STRINGS, lambda p: p.filters or None, "filter"),
    Field("KeepDuration", DURATION, lambda p: p.keep_duration_ns, "keepDuration"),
    Field("ReservedSpace", INT64, lambda p: p.reserved_space_bytes, "reservedSpace"),
    Field("MaxUsedSpace", INT64, lambda p: p.max_used_space_bytes, "maxUsedSpace"),
    Field("MinFreeSpace", INT64, lambda p: p.min_free_space_bytes, "minFreeSpace"),
)

BUILDKIT_VERSION = _struct(
    "client.BuildkitVersion",
    Field("Package", STRING, lambda v: v.package, "package"),
    Field("Version", STRING, lambda v: v.version, "version"),
    Field("Revision", STRING, lambda v: v.revision, "revision"),
    Field("DockerfileVersion", STRING, lambda v: v.dockerfile_version, "dockerfileVersion", omitempty=True),
)

CDI_DEVICE = _struct(
    "client.CDIDevice",
    Field("Name", STRING, lambda d: d.name, "name"),
    Field("AutoAllow", BOOL, lambda d: d.auto_allow, "autoAllow"),
    Field("Annotations", STRING_MAP, lambda d: d.annotations or None, "annotations"),
    Field("OnDemand", BOOL, lambda d: d.on_demand, "onDemand"),
)

WORKER_INFO = _struct(
    "client.WorkerInfo",
    Field("ID", STRING, lambda w: w.id, "id"),
    Field("Labels", STRING_MAP, lambda w: w.labels or None, "labels"),
    Field("Platforms", slice_of(PLATFORM), lambda w: w.platforms, "platforms"),
    Field("GCPolicy", slice_of(PRUNE_INFO), lambda w: w.gc_policies, "gcPolicy"),
    Field("BuildkitVersion", BUILDKIT_VERSION, _version, "buildkitVersion"),
    Field("CDIDevices", slice_of(CDI_DEVICE), lambda w: w.cdi_devices or None, "cdiDevices"),
)

INFO = _struct("client.Info", Field("BuildkitVersion", BUILDKIT_VERSION, lambda v: v, "buildkitVersion"))

_USAGE_INFOS = slice_of(pointer_to(USAGE_INFO))
_WORKER_INFOS = slice_of(pointer_to(WORKER_INFO))
_INFO_POINTER = pointer_to(INFO)
