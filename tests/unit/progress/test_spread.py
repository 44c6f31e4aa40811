"""A build that was kept as one message, in order of time."""

from __future__ import annotations

from buildctl.progress.spread import spread
from buildctl.progress.trace import Trace
from tests.support.statuses import counter, log, merged, vertex, warning

WHOLE = merged(
    vertex("a", 0, 2, cached=True),
    vertex("b", 2, 3, error="exit code: 1"),
    vertex("never"),
    counter("a", "bytes", 10, 10, at=1),
    log("b", b"one\n", 2.5),
    warning("b", b"careful"),
)


def test_each_thing_happens_at_its_time() -> None:
    trace = Trace()
    seen = []
    for part in spread(WHOLE):
        trace.update(part)
        seen.append([(one.digest, one.started, one.completed) for one in trace.by_digest.values()])
    assert sorted(seen[0]) == [("a", True, False), ("b", False, False), ("never", False, False)]
    assert sorted(seen[-1]) == [("a", True, True), ("b", True, True), ("never", False, False)]
    assert len(seen) == 5  # at 0, 1, 2, 2.5 and 3 seconds


def test_the_end_is_that_of_the_whole() -> None:
    whole, parts = Trace(), Trace()
    whole.update(WHOLE)
    for part in spread(WHOLE):
        parts.update(part)
    for digest, one in whole.by_digest.items():
        other = parts.by_digest[digest]
        assert (one.cached, one.error, one.intervals) == (other.cached, other.error, other.intervals)
        assert (one.warnings, one.statuses) == (other.warnings, other.statuses)
        assert list(one.log.lines()) == list(other.log.lines())


def test_a_message_of_one_moment_stays_one() -> None:
    moment = merged(vertex("a", 1), log("a", b"x", 1))
    assert spread(moment) == [moment]
