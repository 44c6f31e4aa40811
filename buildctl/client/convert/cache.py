"""Entries of the cache, and what is asked for when it is pruned."""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter

from buildctl._pb import control_pb2
from buildctl.client.convert.instant import instant
from buildctl.client.convert.text import valid_text
from buildctl.model.cache import PruneOpt, UsageRecord


def usage_record(message: control_pb2.UsageRecord) -> UsageRecord:
    """One entry of the cache. The single `Parent` of early daemons is left out, as the reference does."""
    has = message.HasField
    return UsageRecord(
        message.ID,
        message.Mutable,
        message.InUse,
        message.Size,
        tuple(message.Parents),
        instant(message.CreatedAt) if has("CreatedAt") else None,
        instant(message.LastUsedAt) if has("LastUsedAt") else None,
        message.UsageCount,
        message.Description,
        message.RecordType,
        message.Shared,
    )


def usage_records(messages: Iterable[control_pb2.UsageRecord]) -> list[UsageRecord]:
    """The entries of the cache, smallest first."""
    return sorted(map(usage_record, messages), key=attrgetter("size_bytes", "id"))


@valid_text()
def prune_request(opt: PruneOpt | None) -> control_pb2.PruneRequest:
    """What may be removed: everything unused, where nothing is said."""
    opt = opt or PruneOpt()
    return control_pb2.PruneRequest(
        filter=opt.filters,
        all=opt.all,
        keepDuration=opt.keep_duration_ns,
        reservedSpace=opt.reserved_space_bytes,
        maxUsedSpace=opt.max_used_space_bytes,
        minFreeSpace=opt.min_free_space_bytes,
    )
