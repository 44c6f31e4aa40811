"""Workers, and the version of a daemon."""

from __future__ import annotations

from buildctl._pb import ops_pb2, worker_pb2
from buildctl.model.platform import Platform
from buildctl.model.workers import BuildkitVersion, CDIDevice, GCPolicy, WorkerRecord


def worker_record(message: worker_pb2.WorkerRecord) -> WorkerRecord:
    return WorkerRecord(
        id=message.ID,
        labels=dict(message.Labels),
        platforms=tuple(map(_platform, message.platforms)),
        gc_policies=tuple(map(_gc_policy, message.GCPolicy)),
        buildkit_version=buildkit_version(message.BuildkitVersion)
        if message.HasField("BuildkitVersion")
        else None,
        cdi_devices=tuple(map(_cdi_device, message.CDIDevices)),
    )


def buildkit_version(message: worker_pb2.BuildkitVersion) -> BuildkitVersion:
    return BuildkitVersion(
        package=message.package,
        version=message.version,
        revision=message.revision,
        dockerfile_version=message.dockerfileVersion,
    )


def _platform(message: ops_pb2.Platform) -> Platform:
    return Platform(
        architecture=message.Architecture,
        os=message.OS,
        variant=message.Variant,
        os_version=message.OSVersion,
        os_features=tuple(message.OSFeatures),
    )


def _gc_policy(message: worker_pb2.GCPolicy) -> GCPolicy:
    return GCPolicy(
        all=message.all,
        filters=tuple(message.filters),
        keep_duration_ns=message.keepDuration,
        reserved_space_bytes=message.reservedSpace,
        max_used_space_bytes=message.maxUsedSpace,
        min_free_space_bytes=message.minFreeSpace,
    )


def _cdi_device(message: worker_pb2.CDIDevice) -> CDIDevice:
    return CDIDevice(
        name=message.Name,
        auto_allow=message.AutoAllow,
        annotations=dict(message.Annotations),
        on_demand=message.OnDemand,
    )
