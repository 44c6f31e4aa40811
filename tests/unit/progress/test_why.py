"""Why steps ran: from two builds, said in a few words each."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from buildctl.model.status import SolveStatus
from buildctl.progress.trace import Trace
from buildctl.progress.why import Certainty, ToldBuild, explain, pair_steps
from tests.support.statuses import counter, vertex


def build(*messages: SolveStatus, **attrs: str) -> ToldBuild:
    trace = Trace()
    for message in messages:
        trace.update(message)
    return ToldBuild(trace, {key.replace("_", "-"): value for key, value in attrs.items()})


def context(sent: int = 100) -> Iterable[SolveStatus]:
    yield vertex("ctx", 0, 1, name="[internal] load build context")
    yield counter("ctx", "transferring context:", sent)


def step(
    digest: str, number: int, text: str, *inputs: str, cached: bool = False, error: str = "", end: float = 2
) -> SolveStatus:
    return vertex(digest, 1, end, name=f"[app {number}/3] {text}", inputs=inputs, cached=cached, error=error)


COPY = step("copy", 1, "COPY . /", "ctx")
MAKE = step("make", 2, "RUN make", "copy")
TEST = step("test", 3, "RUN make test", "make")
BEFORE = build(*context(), COPY, MAKE, TEST)


def test_all_cached() -> None:
    now = build(*context(), step("copy", 1, "COPY . /", "ctx", cached=True))
    assert explain(now, BEFORE) == []


def test_no_cache() -> None:
    text = "it was asked for with --no-cache"
    (reason,) = explain(build(MAKE, no_cache=""), BEFORE)
    assert (reason.text, reason.certainty) == (text, Certainty.CERTAIN)
    (reason,) = explain(build(MAKE, no_cache="lib,app"), BEFORE)
    assert reason.text == text
    (reason,) = explain(build(MAKE, no_cache="lib"), BEFORE)
    assert reason.text != text


def test_no_earlier_build() -> None:
    (reason,) = explain(build(MAKE), None)
    assert reason.certainty is Certainty.GUESS


@pytest.mark.parametrize(
    ("now", "text", "details"),
    [
        (
            build(step("m2", 2, "RUN make all", "copy")),
            "its definition changed",
            ("- RUN make", "+ RUN make all"),
        ),
        (
            build(vertex("n", 1, 2, name="[new 1/1] RUN x")),
            "it is new: the earlier build had no such step",
            (),
        ),
        (build(MAKE, build_arg="2"), "options of the build changed", ("+ build-arg=2",)),
        (build(MAKE), "its result is no longer in the cache: it was pruned or evicted", ()),
        (build(step("m2", 2, "RUN make")), "what it is built on has another content, or was evicted", ()),
    ],
)
def test_one_step(now: ToldBuild, text: str, details: tuple[str, ...]) -> None:
    (reason,) = explain(now, BEFORE)
    assert (reason.text, reason.details) == (text, details)


def test_a_step_that_failed_before() -> None:
    before = build(step("make", 2, "RUN make", error="exit code: 1"))
    (reason,) = explain(build(MAKE), before)
    assert reason.text == "it has not succeeded before"


def test_files_and_what_is_built_on_them() -> None:
    now = build(*context(), step("c2", 1, "COPY . /", "ctx"), step("m2", 2, "RUN make", "c2"))
    first, second = explain(now, BEFORE, ["a", "b"])
    assert (first.text, first.details) == ("files of the build context changed", ("a", "b"))
    assert second.text == "what it is built on ran: [app 1/3] COPY . /"
    many = explain(now, BEFORE, [str(number) for number in range(15)])[0].details
    assert (len(many), many[-1]) == (11, "and 5 more")


def test_files_that_are_known_to_be_the_same() -> None:
    now = build(*context(), step("c2", 1, "COPY . /", "ctx"))
    (reason,) = explain(now, BEFORE, [])
    assert reason.text == "its result is no longer in the cache: it was pruned or evicted"


def test_a_circle_has_an_end() -> None:
    now = build(step("a", 1, "RUN a", "b"), step("b", 2, "RUN b", "a"))
    assert len(explain(now, BEFORE)) == 2


def test_pairs() -> None:
    before = build(step("a", 1, "RUN a", end=3), step("b", 2, "RUN b"))
    now = build(step("a2", 1, "RUN a --fast", end=1.5), step("c", 3, "RUN c"))
    pairs = pair_steps(before.trace, now.trace, 0)
    assert [(pair.name[6:], pair.first_ns, pair.second_ns) for pair in pairs] == [
        ("/3] RUN a --fast", 2_000_000_000, 500_000_000),
        ("/3] RUN c", None, 1_000_000_000),
        ("/3] RUN b", 1_000_000_000, None),
    ]
