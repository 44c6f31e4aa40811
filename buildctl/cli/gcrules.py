"""Which of a daemon's garbage collection rules would take which record of its cache; an estimate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from buildctl.model.cache import PruneOpt, UsageRecord
from buildctl.model.pruneestimate import estimate_prune

if TYPE_CHECKING:
    from buildctl.client.client import Client
    from buildctl.model.workers import GCPolicy


async def rules_of_records(client: Client, records: Sequence[UsageRecord], now_ns: int) -> dict[str, str]:
    """By a record's id, the rule that would remove it now, as `debug workers -v` counts them: `rule#0`.

    The first worker's rules, one after the other, each on what those before it leave.
    """
    workers = await client.workers()
    left = list(records)
    found: dict[str, str] = {}
    for number, policy in enumerate(workers[0].gc_policies if workers else ()):
        matching = None
        if policy.filters:
            matching = {record.id for record in await client.disk_usage(policy.filters)}
        gone = {record.id for record in estimate_prune(left, _opt(policy), now_ns, matching=matching)}
        found |= dict.fromkeys(gone, f"rule#{number}")
        left = [record for record in left if record.id not in gone]
    return found


def _opt(policy: GCPolicy) -> PruneOpt:
    return PruneOpt(
        all=policy.all,
        keep_duration_ns=policy.keep_duration_ns,
        reserved_space_bytes=policy.reserved_space_bytes,
        max_used_space_bytes=policy.max_used_space_bytes,
        min_free_space_bytes=policy.min_free_space_bytes,
    )
