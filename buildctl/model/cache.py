"""The build cache: what is in it, and what may be removed from it.

Instants are nanoseconds since the Unix epoch, durations `*_ns` nanoseconds, sizes bytes.
"""

from __future__ import annotations

from typing import NamedTuple


class UsageRecord(NamedTuple):
    """One entry of the build cache, as `du` and `prune` show it.

    A tuple, because a cache may have many thousands and a frozen dataclass takes three times as long.
    """

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


class PruneOpt(NamedTuple):
    """What `prune` may remove and must keep; 0 sets no limit."""

    filters: tuple[str, ...] = ()
    all: bool = False
    keep_duration_ns: int = 0
    reserved_space_bytes: int = 0
    max_used_space_bytes: int = 0
    min_free_space_bytes: int = 0
