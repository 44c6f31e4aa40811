"""What a prune is guessed to remove."""

from __future__ import annotations

import pytest

from buildctl.model.cache import PruneOpt, UsageRecord
from buildctl.model.pruneestimate import estimate_prune

HOUR_NS = 3_600_000_000_000
NOW_NS = 1000 * HOUR_NS


def record(
    name: str,
    hours: int = 1,
    *,
    count: int = 1,
    in_use: bool = False,
    record_type: str = "",
    shared: bool = False,
) -> UsageRecord:
    return UsageRecord(
        id=name,
        size_bytes=100,
        last_used_at_ns=NOW_NS - hours * HOUR_NS,
        usage_count=count,
        in_use=in_use,
        record_type=record_type,
        shared=shared,
    )


RECORDS = [
    record("old", 50),
    record("new", 1),
    record("used often", 50, count=9),
    record("busy", 99, in_use=True),
    record("frontend", 99, record_type="frontend"),
    record("internal", 99, record_type="internal"),
    record("shared", 99, shared=True),
]


@pytest.mark.parametrize(
    ("opt", "gone"),
    [
        (PruneOpt(), ["old", "new", "used often"]),
        (PruneOpt(all=True), ["old", "new", "used often", "frontend", "internal", "shared"]),
        (PruneOpt(keep_duration_ns=2 * HOUR_NS), ["old", "used often"]),
        (PruneOpt(max_used_space_bytes=1000), []),
        (PruneOpt(max_used_space_bytes=550), ["old"]),
        (PruneOpt(max_used_space_bytes=450), ["old", "new"]),  # long unused and seldom used count alike
        (PruneOpt(max_used_space_bytes=1, reserved_space_bytes=550), ["old"]),
        (PruneOpt(max_used_space_bytes=1), ["old", "new", "used often"]),
    ],
)
def test_estimate(opt: PruneOpt, gone: list[str]) -> None:
    assert [one.id for one in estimate_prune(RECORDS, opt, NOW_NS)] == gone


def test_filters_are_the_daemon_s() -> None:
    assert [one.id for one in estimate_prune(RECORDS, PruneOpt(), NOW_NS, matching={"new", "busy"})] == [
        "new"
    ]


def test_nothing_of_nothing() -> None:
    assert estimate_prune([], PruneOpt(max_used_space_bytes=1), NOW_NS) == []
