"""Timings of a trace: states, times of steps that were restarted or left behind, groups, totals, JSON."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

from hypothesis import given, settings

from buildctl.model.status import ProgressGroup, SolveStatus
from buildctl.progress.chrometrace import encode_chrome_trace
from buildctl.progress.summary import summary
from buildctl.progress.timeline import encode_timeline
from buildctl.progress.timings import Timings, encode_timings, take_timings
from buildctl.progress.trace import Trace
from tests.support import replay
from tests.support.statuses import any_statuses, counter, vertex


def traced(*statuses: SolveStatus) -> Trace:
    trace = Trace()
    for status in statuses:
        trace.update(status)
    return trace


def recorded(name: str) -> Timings:
    return take_timings(traced(*(status for _, status in replay.load(name).statuses())))


def second(value: int | None) -> float | None:
    return None if value is None else value / 1e9


def test_steps_that_were_probed_cached_left_behind_or_never_begun() -> None:
    timings = take_timings(
        traced(
            vertex("probed", 1, 1.5, name="[a 1/2] RUN probe"),
            vertex("probed", 4, 6, name="[a 1/2] RUN probe"),
            vertex("hit", 1, 1, name="[a 2/2] COPY x y", cached=True, inputs=("probed",)),
            vertex("open", 7, name="[b 1/2] RUN sleep", inputs=("probed",)),
            vertex("never", name="[b 2/2] RUN never", inputs=("open", "unknown")),
            vertex("backwards", 5, 3),
        ),
        end_ns=10_000_000_000,
    )
    by_digest = {step.vertex.digest: step for step in timings.steps}
    assert [
        (digest, step.state.name, second(step.start_ns), second(step.end_ns), second(step.duration_ns))
        for digest, step in by_digest.items()
    ] == [
        ("probed", "DONE", 1, 6, 2.5),
        ("hit", "CACHED", 1, 1, 0),
        ("open", "CANCELED", 7, 10, 3),
        ("never", "QUEUED", None, None, 0),
        ("backwards", "DONE", 5, 5, 0),
    ]
    assert [needed.digest for needed in by_digest["never"].inputs] == ["open"]
    assert second(timings.wall_ns) == 9
    assert [step.vertex.digest for step in timings.critical if step.duration_ns] == ["probed", "open"]
    assert second(timings.explained_ns) == 5.5


def test_a_group_is_one_step_and_stands_for_its_members() -> None:
    group = ProgressGroup("group", "fetch")
    timings = take_timings(
        traced(
            vertex("m1", 0, 2, group=group),
            vertex("m2", 2, 5, inputs=("m1",), group=group),
            vertex("after", 5, 6, inputs=("m2",)),
        )
    )
    assert [(step.vertex.digest, [one.digest for one in step.inputs]) for step in timings.steps] == [
        ("group", []),
        ("after", ["group"]),
    ]
    assert [step.vertex.digest for step in timings.critical] == ["group", "after"]
    assert timings.explained == 1


def test_bytes_are_what_counters_counted() -> None:
    timings = take_timings(
        traced(
            vertex("a", 0, 2),
            counter("a", "layer", 100, 300, at=1),
            counter("a", "layer", 300, 300, at=2, completed=2),
            counter("a", "other", 5, at=2),
            counter("a", "odd", -7, at=2),
        )
    )
    assert timings.size_bytes == 305


def test_the_recorded_parallel_build() -> None:
    """Three stages side by side: `one` slept longest, 6 times 0.3 s, and the copies had to wait for it."""
    timings = recorded("build-parallel")
    assert [step.name.stage for step in timings.critical if step.duration_ns > 10**8] == [
        "internal",
        "base",
        "one",
    ]
    assert 0.95 < timings.explained <= 1


def test_json() -> None:
    document = json.loads(encode_timings(recorded("v0.13-build-fail")))
    assert document["version"] == 1
    assert list(document) == ["version", "start", "end", "duration_ms", "totals", "critical_path", "steps"]
    failed = [step for step in document["steps"] if step["state"] == "failed"]
    assert len(failed) == document["totals"]["failed"] == 1
    assert failed[0]["critical"]
    assert document["totals"]["steps"] == len(document["steps"])
    digests = [step["digest"] for step in document["steps"] if step["critical"]]
    assert sorted(digests) == sorted(document["critical_path"]["digests"])
    known = {step["digest"] for step in document["steps"]}
    assert all(needed in known for step in document["steps"] for needed in step["inputs"])
    assert all(step["start"].endswith("Z") for step in document["steps"] if step["intervals_ms"])


def test_json_of_nothing_and_of_instants_out_of_the_calendar() -> None:
    assert json.loads(encode_timings(take_timings(Trace(), end_ns=5)))["duration_ms"] == 0
    far = take_timings(traced(vertex("a", -(2**40), 2**40)))
    assert json.loads(encode_timings(far))["steps"][0]["start"] is None


def test_chrome_s_events() -> None:
    events: list[dict[str, Any]] = json.loads(encode_chrome_trace(recorded("build-parallel")))["traceEvents"]
    names = {event["pid"]: event["args"]["name"] for event in events if event["name"] == "process_name"}
    assert list(names.values()) == ["internal", "base", "one", "two", "three", "stage-4"]
    spans = [event for event in events if event["ph"] == "X"]
    assert len({event["args"]["digest"] for event in spans}) == 11
    begins, ends = ([event for event in events if event["ph"] == phase] for phase in "sf")
    assert [event["id"] for event in begins] == [event["id"] for event in ends] != []
    _assert_nothing_overlaps(spans)


def test_steps_side_by_side_are_on_lanes_of_their_own() -> None:
    timings = take_timings(
        traced(
            vertex("a", 0, 5, name="[s 1/3] a"),
            vertex("b", 1, 2, name="[s 2/3] b"),
            vertex("c", 3, 4, name="[s 3/3] c"),
        )
    )
    spans = [e for e in json.loads(encode_chrome_trace(timings))["traceEvents"] if e["ph"] == "X"]
    assert sorted((event["args"]["digest"], event["tid"]) for event in spans) == [
        ("a", 1),
        ("b", 2),
        ("c", 2),
    ]


def _assert_nothing_overlaps(spans: list[dict[str, Any]]) -> None:
    lanes: dict[tuple[int, int], list[tuple[float, float]]] = {}
    for event in spans:
        lanes.setdefault((event["pid"], event["tid"]), []).append((event["ts"], event["ts"] + event["dur"]))
    for lane in lanes.values():
        lane.sort()
        assert all(before[1] <= after[0] + 0.01 for before, after in pairwise(lane))


@settings(deadline=None, max_examples=15)
@given(any_statuses)
def test_whatever_a_daemon_says_there_are_timings(statuses: list[SolveStatus]) -> None:
    timings = take_timings(traced(*statuses))
    assert 0 <= timings.explained_ns <= max(timings.wall_ns, 0)
    assert json.loads(encode_timings(timings))["version"] == 1
    json.loads(encode_chrome_trace(timings))
    assert encode_timeline(timings)
    assert all("\n" not in line and "\x1b" not in line for line in summary(timings, width=40))
