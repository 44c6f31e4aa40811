"""Cache metrics, counted as the reference counts them."""

import json

from buildctl.cli.metrics import CacheMetrics
from buildctl.model.status import SolveStatus, Vertex


def counts(report: bytes) -> dict[str, int]:
    parsed: dict[str, int] = json.loads(report.splitlines()[-1])
    return parsed


def test_nothing_was_said() -> None:
    assert CacheMetrics().report(7) == (
        b'{"total":0,"completed":0,"user_total":0,"user_cached":0,"user_completed":0,'
        b'"user_cacheable":0,"from":0,"miss":0,"client_duration_ms":7}\n'
    )


def test_steps_of_every_kind() -> None:
    metrics = CacheMetrics()
    first = [
        Vertex("a", "[internal] load build definition", completed_ns=5),
        Vertex("b", "[auth] a token"),
        Vertex("c", "importing cache manifest", completed_ns=5),
        Vertex("d", "exporting to image", completed_ns=5),
        Vertex("e", "[base 1/2] FROM docker.io/library/busybox", completed_ns=5),
        Vertex("f", "[base 2/2] RUN a <b>"),
        Vertex("g", "[other 1/1] COPY a b", cached=True, completed_ns=5),
    ]
    metrics.update(SolveStatus(tuple(first)))
    metrics.update(SolveStatus((Vertex("f", "renamed", completed_ns=6), Vertex("b", "[auth] a token"))))
    report = metrics.report(111)
    assert report.splitlines()[:-1] == [b"cache miss: [base 2/2] RUN a <b>"]
    assert counts(report) == {
        "total": 7,
        "completed": 6,
        "user_total": 3,
        "user_cached": 1,
        "user_completed": 3,
        "user_cacheable": 2,
        "from": 1,
        "miss": 1,
        "client_duration_ms": 111,
    }


def test_a_step_is_known_by_its_first_name() -> None:
    metrics = CacheMetrics()
    metrics.update(SolveStatus((Vertex("a", "[internal] x"),)))
    metrics.update(SolveStatus((Vertex("a", "[x] FROM y"),)))
    assert counts(metrics.report(0))["user_total"] == 0
