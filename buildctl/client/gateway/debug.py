"""A failed step, opened as it left things: what was mounted, with all that it wrote."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Literal, TypeAlias

from google.protobuf.message import DecodeError

from buildctl._pb import ops_pb2
from buildctl.client.gateway.container import Container, ContainerMount, Defaults, open_container
from buildctl.client.gateway.gateway import Gateway
from buildctl.client.gateway.plan import PlannedStep
from buildctl.client.gateway.reference import Reference
from buildctl.errors import FailedStep, SolveError, UnsupportedError, UsageError

Mounts: TypeAlias = Mapping[str, ContainerMount]
"""What is mounted besides, by where."""

_NETWORKS = {ops_pb2.UNSET: "sandbox", ops_pb2.HOST: "host", ops_pb2.NONE: "none"}


@contextlib.asynccontextmanager
async def open_failed_step(
    gateway: Gateway, error: SolveError, keep: Sequence[str] | None = None, extra: Mounts | None = None
) -> AsyncIterator[Container]:
    """A container of the step that failed (`Build.debug`)."""
    step = error.step
    if step is None:
        raise UsageError("no step failed that could be looked into")
    if not step.op:
        raise UnsupportedError(
            "errdefs.Solve",
            daemon_version=gateway.daemon_version,
            message="the daemon does not keep what a failed step leaves (BuildKit before 0.9)",
        )
    op = read_op(step)
    if op.WhichOneof("op") != "exec":
        raise UsageError(f"{step.name or step.digest} is not a command, so nothing can run in its place")
    async with open_step(gateway, op, step.mount_ids, keep, extra) as container:
        yield container


@contextlib.asynccontextmanager
async def open_planned_step(
    gateway: Gateway,
    step: PlannedStep,
    inputs: Sequence[Reference | None],
    keep: Sequence[str] | None = None,
    extra: Mounts | None = None,
) -> AsyncIterator[Container]:
    """A container as a step finds it, on what its inputs came to (`Build.at_step`)."""
    op = ops_pb2.Op.FromString(step.op)
    refs = [inputs[mount.input] if 0 <= mount.input < len(inputs) else None for mount in op.exec.mounts]
    async with open_step(gateway, op, [ref.id if ref else "" for ref in refs], keep, extra) as container:
        yield container


@contextlib.asynccontextmanager
async def open_step(
    gateway: Gateway,
    op: ops_pb2.Op,
    result_ids: Sequence[str],
    keep: Sequence[str] | None = None,
    extra: Mounts | None = None,
) -> AsyncIterator[Container]:
    """A container with the mounts of a step, which hold results by id, empty texts for none."""
    run = op.exec
    mounts = []
    for index, mount in enumerate(run.mounts):
        copy = ops_pb2.Mount()
        copy.CopyFrom(mount)
        copy.input = copy.output = 0
        copy.resultID = result_ids[index] if index < len(result_ids) else ""
        mounts.append(copy)
    mounts += [mount.message(dest) for dest, mount in (extra or {}).items()]
    security: Literal["sandbox", "insecure"] = "insecure" if run.security == ops_pb2.INSECURE else "sandbox"
    async with open_container(
        gateway,
        mounts=mounts,
        network=_NETWORKS.get(run.network, "sandbox"),
        hostname=run.meta.hostname,
        extra_hosts={host.Host: host.IP for host in run.meta.extraHosts},
        platform=op.platform if op.HasField("platform") else None,
        keep=keep,
        defaults=Defaults(
            tuple(run.meta.env), run.meta.cwd or "/", run.meta.user, security, tuple(run.meta.args)
        ),
    ) as container:
        yield container


def read_op(step: FailedStep) -> ops_pb2.Op:
    """The step's op; an empty one where it cannot be read."""
    try:
        return ops_pb2.Op.FromString(step.op)
    except DecodeError:
        return ops_pb2.Op()
