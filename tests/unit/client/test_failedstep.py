"""What is known of a step that failed: its log's end, and text for people."""

from __future__ import annotations

import json

import pytest

from buildctl.client.details import solve_error
from buildctl.client.failedstep import LOG_BYTES, Steps
from buildctl.errors import Code, ErrorDetail, RPCError, SolveError
from buildctl.model.status import SolveStatus, Vertex, VertexLog


def detail(name: str, value: object) -> ErrorDetail:
    return ErrorDetail(name, value if isinstance(value, dict) else {}, name, json.dumps(value).encode())


def failed(*details: ErrorDetail) -> SolveError:
    return solve_error(RPCError(Code.UNKNOWN, "no luck", details=details))


def test_the_log_is_the_end_of_what_the_step_wrote() -> None:
    steps = Steps()
    for number in range(40):
        logs = (VertexLog("a", b"%04d" % number * 1000), VertexLog("b", b"other"))
        steps.note(SolveStatus(logs=logs))
    steps.note(
        SolveStatus((Vertex("b", "fine", completed_ns=1), Vertex("a", "bad", completed_ns=2, error="x")))
    )
    error = failed(detail("errdefs.Vertex", {"digest": "a"}))
    steps.describe(error)
    assert error.step
    assert (error.step.name, error.step.log_truncated, len(error.step.log)) == ("bad", True, LOG_BYTES)
    assert error.step.log.endswith(b"0039" * 1000)


def test_without_details_it_is_the_first_that_status_calls_failed() -> None:
    steps = Steps()
    steps.note(
        SolveStatus((Vertex("b", "first", completed_ns=2, error="x"),), logs=(VertexLog("b", b"log"),))
    )
    steps.note(SolveStatus((Vertex("a", "cancelled", completed_ns=3, error="y"),)))
    error = failed()
    steps.describe(error)
    assert error.step
    assert (error.step.name, error.step.log, error.step.exit_code) == ("first", b"log", None)


async def test_a_build_that_failed_without_a_step_has_none() -> None:
    error = failed()
    Steps().describe(error)
    assert error.step is None
    assert error.report() == "error: no luck\n"


@pytest.mark.parametrize(
    "solve",
    [{"op": 3}, {"op": {"exec": {"meta": {"args": "x"}}}}, {"inputIDs": {}}, {"mountIDs": [1]}, {"op": None}],
)
def test_details_of_any_shape_are_borne(solve: dict[str, object]) -> None:
    error = failed(detail("errdefs.Vertex", {"digest": "a"}), detail("errdefs.Solve", solve))
    Steps().describe(error)
    assert error.step
    assert error.step.digest == "a"


def test_a_report_obeys_nothing_that_was_printed() -> None:
    steps = Steps()
    log = VertexLog("a", b"\x1b]0;title\x07\tred\n")
    steps.note(SolveStatus((Vertex("a", "st\x1bep", completed_ns=2, error="x"),), logs=(log,)))
    error = failed(detail("gatewayapi.ExitMessage", {"Code": 3}), detail("errdefs.Vertex", {"digest": "a"}))
    steps.describe(error)
    report = error.report()
    assert "\x1b" not in report
    assert "\x07" not in report
    assert "exit code: 3\n" in report
    assert "\tred" in report


def test_what_is_kept_of_steps_that_never_end_is_bounded() -> None:
    steps = Steps()
    text = b"x" * 1000
    for number in range(60_000):
        digest = f"{number}"
        steps.note(SolveStatus((Vertex(digest, "n" * 400, error="no"),), logs=(VertexLog(digest, text),)))
    assert len(steps._tails) < 20_000
    assert len(steps._vertexes) < 20_000
    assert sum(tail.cost for tail in steps._tails.values()) == steps._tails_cost
    steps.note(
        SolveStatus((Vertex("bad", "late", completed_ns=2, error="x"),), logs=(VertexLog("bad", b"log"),))
    )
    error = failed()
    steps.describe(error)
    assert error.step
    assert (error.step.name, error.step.log) == ("late", b"log")


def test_a_tail_of_many_small_pieces_is_bounded() -> None:
    steps = Steps()
    for _ in range(20_000):
        steps.note(SolveStatus(logs=(VertexLog("a", b"."),)))
    assert len(steps._tails["a"]._pieces) < 5000
