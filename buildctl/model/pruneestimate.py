"""What a prune would remove, guessed from the usage records alone.

It is an estimate: the daemon also looks at what uses a record at that moment, at layers that others share,
and at the free space of its disk, which it does not tell. Source: moby/buildkit, cache/manager.go (pruneOnce,
prune, sortDeleteRecords) and util/disk.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from buildctl.model.cache import PruneOpt, UsageRecord

_KEPT_TYPES = ("internal", "frontend")
"""Record types that go with `all` alone."""


def estimate_prune(
    records: Sequence[UsageRecord],
    opt: PruneOpt,
    now_ns: int,
    *,
    matching: Collection[str] | None = None,
) -> list[UsageRecord]:
    """The records that `opt` would remove from those, in the order in which they would go.

    `records` is the whole cache, `matching` the ids that the filters of `opt` let through (None: all do). The
    free space of the daemon's disk is taken to be enough: `min_free_space_bytes` has no effect.
    """
    total = sum(record.size_bytes for record in records if not record.shared)
    keep = max(opt.max_used_space_bytes, opt.reserved_space_bytes)
    if keep and total < keep:
        return []
    candidates = [record for record in records if _may_go(record, opt, now_ns, matching)]
    if not keep:
        return candidates
    removed = []
    for record in _by_use(candidates):
        if total < keep:
            break
        removed.append(record)
        total -= 0 if record.shared else record.size_bytes
    return removed


def _may_go(record: UsageRecord, opt: PruneOpt, now_ns: int, matching: Collection[str] | None) -> bool:
    if record.in_use or (matching is not None and record.id not in matching):
        return False
    if not opt.all and (record.record_type in _KEPT_TYPES or record.shared):
        return False
    used_ns = record.last_used_at_ns
    return not (opt.keep_duration_ns and used_ns is not None and used_ns > now_ns - opt.keep_duration_ns)


def _by_use(records: Sequence[UsageRecord]) -> list[UsageRecord]:
    """The least useful first: long unused and seldom used count alike, each by its rank."""
    last_used = _ranks([record.last_used_at_ns or 0 for record in records])
    count = _ranks([record.usage_count for record in records])
    return sorted(
        records, key=lambda record: last_used[record.last_used_at_ns or 0] + count[record.usage_count]
    )


def _ranks(values: Sequence[int]) -> dict[int, float]:
    """Each value's rank among the different ones, from 0 to 1."""
    different = sorted(set(values))
    return {value: rank / max(1, len(different) - 1) for rank, value in enumerate(different)}
