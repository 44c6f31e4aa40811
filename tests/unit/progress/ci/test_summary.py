"""The page for a job's summary: what it says, that it says nothing else, and how long it gets."""

from __future__ import annotations

import re

from buildctl.model.status import SolveStatus, VertexWarning
from buildctl.progress.ci.summary import StepSummary
from tests.support import replay
from tests.support.statuses import counter, log, merged, vertex


def summary(*statuses: SolveStatus) -> StepSummary:
    page = StepSummary()
    for status in statuses:
        page.update(status)
    return page


def test_a_build_in_a_table() -> None:
    page = summary(
        vertex("a", 0, 1.5, name="load"),
        counter("a", "context", 3_000_000, completed=1),
        vertex("b", 2, 2, cached=True),
        vertex("c", 2, 4.25),
        log("c", b"not kept\n"),
        SolveStatus(warnings=(VertexWarning("a", b"bad"),)),
    )
    assert page.markdown("", []).decode() == (
        "### buildctl: the build succeeded\n\n"
        "3 steps in 4.2s, 1 cached, 3.00MB transferred, 1 warning\n\n"
        "| step | result | time | transferred |\n"
        "| --- | --- | ---: | ---: |\n"
        "| <code>load</code> | done | 1.5s | 3.00MB |\n"
        "| <code>step b</code> | cached |  |  |\n"
        "| <code>step c</code> | done | 2.2s |  |\n"
        "\n"
    )


def test_a_build_that_failed() -> None:
    page = summary(
        vertex("a", 0, 1, error="boom"),
        vertex("b", 0, 1, error="context canceled"),
        vertex("c", 0),
    )
    text = page.markdown("failed to solve: ```\nboom", ["Dockerfile:1\n----\n 1 | >>> x\n----\n"]).decode()
    assert text.startswith("### buildctl: the build failed\n\n3 steps in 1.0s, 0 cached, 0B transferred\n\n")
    assert "````\nDockerfile:1\n----\n 1 | >>> x\n----\n\nerror: failed to solve: ```\nboom\n````\n" in text
    results = re.findall(r"</code> \| (\S+|not finished) \|", text)
    assert results == ["**failed**", "canceled", "not finished"]


def test_names_are_nothing_but_text() -> None:
    page = summary(vertex("a", 0, 1, name="RUN <b>|`x` [a](b) *c* \\ @me #1\n| --- |\x1b[2J"))
    (row,) = re.findall(r"\| <code>(.*)</code>", page.markdown("", []).decode())
    assert re.fullmatch(r"(?:[A-Za-z0-9 ]|&#\d+;)+", row)


def test_the_size_is_bounded() -> None:
    page = summary(merged(*(vertex(str(number), 0, 1, name="RUN " + "é<" * 200) for number in range(2000))))
    text = page.markdown("", [])
    assert len(text) <= 1 << 20
    rows = text.count(b"<code>")
    assert f"\n{2000 - rows} more steps\n".encode() in text
    assert 100 < rows < 2000
    assert page.markdown("x" * 100_000, [], limit=20_000).count(b"x") > 7000
    assert len(page.markdown("x" * 100_000, [], limit=20_000)) <= 20_000
    assert page.markdown("", [], limit=20) == b""
    assert page.markdown("", [], limit=-5) == b""


def test_no_steps_at_all() -> None:
    assert b"0 steps in 0.0s" in summary().markdown("no daemon", [])


def test_recorded_builds() -> None:
    for name, failed in (("build-fail", 1), ("build-parallel", 0), ("v0.8-build-fail", 1)):
        page = summary(*(status for _, status in replay.load(name).statuses()))
        text = page.markdown("x" * failed, []).decode()
        assert text.count("**failed**") == failed
