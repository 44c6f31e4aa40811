"""The flat graph of a build becomes stages in order."""

from __future__ import annotations

import pytest

from buildctl.progress.trace import Trace
from buildctl.progress.tree import StepName, grow, parse_name
from tests.support import replay
from tests.support.statuses import vertex


@pytest.mark.parametrize(
    ("name", "parsed"),
    [
        ("[base 2/3] COPY a b", StepName("base", "2/3 COPY a b", 2)),
        ("[base  2/13] COPY a b", StepName("base", " 2/13 COPY a b", 2)),
        ("[1/3] RUN x", StepName("build", "1/3 RUN x", 1)),
        ("[ 1/12] RUN x", StepName("build", " 1/12 RUN x", 1)),
        ("[linux/amd64 base 1/3] RUN x", StepName("linux/amd64 base", "1/3 RUN x", 1)),
        ("[linux/amd64->arm64 base 1/3] RUN x", StepName("linux/amd64->arm64 base", "1/3 RUN x", 1)),
        ("[linux/amd64 1/3] RUN x", StepName("linux/amd64", "1/3 RUN x", 1)),
        ("[internal] load .dockerignore", StepName("internal", "load .dockerignore")),
        ("[linux/amd64 internal] load metadata", StepName("internal", "linux/amd64 load metadata")),
        ("[auth] library/alpine:pull token", StepName("internal", "auth library/alpine:pull token")),
        ("[context base] load metadata", StepName("context base", "load metadata")),
        ("exporting to image", StepName("", "exporting to image")),
        ("importing cache manifest from x", StepName("", "importing cache manifest from x")),
        ("[not closed", StepName("", "[not closed")),
        ("[] x", StepName("", "[] x")),
        ("", StepName("", "")),
        ("[base 1/2] RUN <<EOF\necho\x1b[2J\nEOF", StepName("base", "1/2 RUN <<EOF echo\\x1b[2J EOF", 1)),
        ("[\x1bc\x07 1/2] RUN x", StepName("\\x1bc\\x07", "1/2 RUN x", 1)),
    ],
)
def test_a_name_says_stage_and_step(name: str, parsed: StepName) -> None:
    assert parse_name(name) == parsed


def branches(trace: Trace) -> list[tuple[str, list[str]]]:
    return [(branch.name, [step.vertex.digest for step in branch.steps]) for branch in grow(trace)]


def test_stages_stand_in_the_build_files_order_however_they_were_announced() -> None:
    graph = {
        "app2": ("[app 2/2] COPY --from=two", ("app1", "two1")),
        "two1": ("[two 1/1] RUN", ("base1",)),
        "app1": ("[app 1/2] COPY --from=one", ("one1",)),
        "one1": ("[one 1/1] RUN", ("base1",)),
        "base1": ("[base 1/1] COPY", ("context",)),
        "context": ("[internal] load build context", ()),
    }
    expected = [
        ("internal", ["context"]),
        ("base", ["base1"]),
        ("one", ["one1"]),
        ("two", ["two1"]),
        ("app", ["app1", "app2"]),
        ("", ["export"]),
    ]
    for order in (list(graph), list(graph)[::-1]):
        trace = Trace()
        for digest in order:
            name, inputs = graph[digest]
            trace.update(vertex(digest, name=name, inputs=inputs))
        trace.update(vertex("export", name="exporting to image"))
        if order[0] == "app2":
            assert branches(trace) == expected
        else:
            assert sorted(branches(trace)) == sorted(expected)
            places = {name: place for place, (name, _) in enumerate(branches(trace))}
            assert places["base"] < min(places["one"], places["two"]) < places["app"]


def test_a_cycle_between_stages_ends() -> None:
    trace = Trace()
    trace.update(vertex("a", name="[a 1/1] x", inputs=("b",)))
    trace.update(vertex("b", name="[b 1/1] x", inputs=("a", "b", "unknown")))
    assert sorted(name for name, _ in branches(trace)) == ["a", "b"]


def test_a_chain_longer_than_the_stack_is_no_trouble() -> None:
    trace = Trace()
    for number in range(5000):
        trace.update(vertex(f"v{number}", name=f"step {number}", inputs=(f"v{number + 1}",)))
    assert branches(trace) == [("", [f"v{number}" for number in reversed(range(5000))])]


def test_a_recorded_build() -> None:
    trace = Trace()
    for _, status in replay.load("build-parallel").statuses():
        trace.update(status)
    assert [(branch.name, len(branch.steps)) for branch in grow(trace)] == [
        ("internal", 3),
        ("base", 2),
        ("one", 1),
        ("two", 1),
        ("three", 1),
        ("stage-4", 3),
    ]
