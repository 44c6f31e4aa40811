"""What the daemon says of itself: versions, platforms, history, clock, cache."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING

from buildctl.cli.doctor.finding import Finding, Verdict
from buildctl.errors import BuildctlError, Code, RPCError
from buildctl.model.bytesize import format_bytes

if TYPE_CHECKING:
    from buildctl.client.client import Client
    from buildctl.model.cache import UsageRecord
    from buildctl.model.workers import WorkerRecord

_CALL_SECONDS = 10.0
_SKEW_S = 2.0
"""A difference of clocks that confuses: ages, logs, and what `why` finds."""
_NEARLY_FULL = 0.9


async def examine_daemon(client: Client, now_ns: Callable[[], int]) -> AsyncIterator[Finding]:
    """The findings, as they come. A call that fails is one; the others are made all the same."""
    for examine in (_version, _workers, _history, _clock, _cache):
        try:
            async with asyncio.timeout(_CALL_SECONDS):
                found = [finding async for finding in examine(client, now_ns)]
        except TimeoutError:
            found = [
                Finding(
                    "daemon",
                    examine.__name__.lstrip("_"),
                    f"no answer in {_CALL_SECONDS:g} s",
                    Verdict.WARNING,
                    "the daemon is busy or stuck; its log may say why",
                )
            ]
        except BuildctlError as error:
            name = examine.__name__.lstrip("_")
            found = [Finding("daemon", name, str(error), Verdict.WARNING, error.hint)]
        for finding in found:
            yield finding


async def _version(client: Client, _: Callable[[], int]) -> AsyncIterator[Finding]:
    try:
        version = await client.info()
    except RPCError as error:
        if error.code is not Code.UNIMPLEMENTED:
            raise
        yield Finding(
            "daemon",
            "version",
            "older than BuildKit 0.11",
            Verdict.WARNING,
            "no history, no attestations; several outputs of one build and newer Dockerfiles fail",
        )
        return
    yield Finding("daemon", "version", f"{version.package} {version.version}".strip())
    if version.dockerfile_version:
        yield Finding("daemon", "Dockerfile frontend", version.dockerfile_version)


async def _workers(client: Client, _: Callable[[], int]) -> AsyncIterator[Finding]:
    from buildctl.cli.debug.workers import format_platforms

    workers = await client.workers()
    if not workers:
        yield Finding(
            "daemon", "workers", "none", Verdict.ERROR, "nothing can be built; look at the daemon's log"
        )
    for worker in workers:
        platforms = format_platforms(worker.platforms)
        yield Finding("daemon", "worker", worker.id)
        yield Finding("daemon", "platforms", platforms or "none")
        for finding in _labels(worker):
            yield finding


def _labels(worker: WorkerRecord) -> Iterator[Finding]:
    labels = {key.rpartition("worker.")[2]: value for key, value in worker.labels.items()}
    if snapshotter := labels.get("snapshotter", ""):
        slow = snapshotter == "native"
        yield Finding(
            "daemon",
            "snapshotter",
            snapshotter,
            Verdict.WARNING if slow else Verdict.OK,
            "every layer is a full copy: builds are slow and large; overlayfs is better" if slow else "",
        )
    if network := labels.get("network", ""):
        yield Finding("daemon", "network of steps", network)


async def _history(client: Client, _: Callable[[], int]) -> AsyncIterator[Finding]:
    from buildctl.cli.history.choose import list_records

    records = await list_records(client)
    running = sum(1 for record in records if record.completed_at_ns is None)
    yield Finding("daemon", "history", f"{len(records)} builds, {running} running")


async def _clock(client: Client, now_ns: Callable[[], int]) -> AsyncIterator[Finding]:
    """By a build of one small file, whose step has the daemon's time."""
    from buildctl import llb
    from buildctl.model.solve import SolveOpt
    from buildctl.model.status import SolveStatus

    instants: list[int] = []

    def note(status: SolveStatus) -> None:
        instants.extend(one.completed_ns for one in status.vertexes if one.completed_ns is not None)

    before_ns = now_ns()
    content = str(before_ns)  # no earlier build has it, so it is not cached
    state = llb.scratch().file(llb.mkfile("/doctor", 0o644, content), name="buildctl doctor")
    await client.solve(SolveOpt(definition=state.marshal().to_bytes()), note)
    after_ns = now_ns()
    if not instants:
        return
    there_ns = max(instants)
    skew_s = 0.0
    if not before_ns <= there_ns <= after_ns:
        skew_s = (there_ns - (before_ns if there_ns < before_ns else after_ns)) / 1e9
    off = abs(skew_s) > _SKEW_S
    yield Finding(
        "daemon",
        "clock",
        f"{skew_s:+.1f} s from this machine's" if abs(skew_s) >= 0.1 else "the same as this machine's",
        Verdict.WARNING if off else Verdict.OK,
        "ages and times of logs are off; let both machines ask a time server" if off else "",
    )
    yield Finding("daemon", "a small build", f"took {(after_ns - before_ns) / 1e9:.2f} s")


async def _cache(client: Client, _: Callable[[], int]) -> AsyncIterator[Finding]:
    records = await client.disk_usage()
    total = sum(record.size_bytes for record in records)
    yield Finding(
        "cache", "size", f"{format_bytes(total)} in {len(records)} records, {_free(records)} can be freed"
    )
    with contextlib.suppress(RPCError):
        for worker in await client.workers():
            for finding in _policies(worker, total):
                yield finding
    yield Finding(
        "cache",
        "logs of a step",
        "not told by the daemon; by default it cuts them at 2 MiB, and at 200 kB a second",
        Verdict.NOTE,
        "BUILDKIT_STEP_LOG_MAX_SIZE and BUILDKIT_STEP_LOG_MAX_SPEED of the daemon change that",
    )


def _free(records: list[UsageRecord]) -> str:
    return format_bytes(sum(record.size_bytes for record in records if not record.in_use))


def _policies(worker: WorkerRecord, total: int) -> Iterator[Finding]:
    if not worker.gc_policies:
        yield Finding(
            "cache",
            "garbage collection",
            "no rules",
            Verdict.WARNING,
            "the cache grows until the disk is full; configure gc, or run buildctl prune --keep-storage",
        )
        return
    limits = [policy.max_used_space_bytes or policy.reserved_space_bytes for policy in worker.gc_policies]
    limit = max(limits)
    if not limit:
        yield Finding("cache", "garbage collection", f"{len(limits)} rules, none with a size")
        return
    full = total > limit * _NEARLY_FULL
    yield Finding(
        "cache",
        "garbage collection",
        f"{len(limits)} rules, keeps up to {format_bytes(limit)}",
        Verdict.NOTE if full else Verdict.OK,
        "the cache is as large as it may be: what is seldom used goes, and builds may run it again"
        if full
        else "",
    )
