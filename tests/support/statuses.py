"""Short ways to say what a daemon says of a build, in seconds, and any stream of it for property tests."""

from __future__ import annotations

from hypothesis import strategies as st

from buildctl.model.status import (
    ProgressGroup,
    SolveStatus,
    SourceInfo,
    Vertex,
    VertexLog,
    VertexStatus,
    VertexWarning,
)


def ns(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1e9)


def vertex(
    digest: str,
    started: float | None = None,
    completed: float | None = None,
    *,
    name: str | None = None,
    cached: bool = False,
    error: str = "",
    inputs: tuple[str, ...] = (),
    group: ProgressGroup | None = None,
) -> SolveStatus:
    """A message about one vertex, by default named as `step DIGEST`."""
    named = f"step {digest}" if name is None else name
    return SolveStatus(
        vertexes=(Vertex(digest, named, inputs, cached, ns(started), ns(completed), error, group),)
    )


def log(digest: str, data: bytes, at: float = 0) -> SolveStatus:
    return SolveStatus(logs=(VertexLog(digest, data, 1, round(at * 1e9)),))


def counter(
    digest: str,
    id_: str,
    current: int = 0,
    total: int = 0,
    *,
    at: float = 0,
    started: float | None = 0,
    completed: float | None = None,
) -> SolveStatus:
    return SolveStatus(
        statuses=(
            VertexStatus(id_, digest, id_, current, total, round(at * 1e9), ns(started), ns(completed)),
        )
    )


def warning(digest: str, short: bytes) -> SolveStatus:
    return SolveStatus(warnings=(VertexWarning(digest, short, 1),))


def merged(*statuses: SolveStatus) -> SolveStatus:
    """One message that says all of it."""
    return SolveStatus(
        tuple(item for status in statuses for item in status.vertexes),
        tuple(item for status in statuses for item in status.statuses),
        tuple(item for status in statuses for item in status.logs),
        tuple(item for status in statuses for item in status.warnings),
    )


_digests = st.sampled_from(["a", "b", "c", "d", "group", ""])
_instants = st.one_of(
    st.integers(0, 60_000_000_000), st.integers(-(2**63), 2**63 - 1), st.sampled_from([0, 1, 5_000_000_000])
)
_maybe = st.one_of(st.none(), _instants)
_int64 = st.one_of(st.integers(0, 100), st.integers(-(2**63), 2**63 - 1))
_names = st.one_of(st.text(max_size=12), st.sampled_from(["a" * 90, "\n", "\x1b[2J", "[bold]", "\ud800"]))
_groups = st.one_of(
    st.none(), st.builds(ProgressGroup, st.sampled_from(["group", "a", ""]), _names, st.booleans())
)
_errors = st.sampled_from(["", "exit code: 1", "context canceled", "boom: context canceled"])
_vertexes = st.builds(
    Vertex,
    _digests,
    _names,
    st.lists(_digests, max_size=3).map(tuple),
    st.booleans(),
    _maybe,
    _maybe,
    _errors,
    _groups,
)
_counters = st.builds(VertexStatus, _names, _digests, _names, _int64, _int64, _instants, _maybe, _maybe)
_texts = st.one_of(
    st.binary(max_size=20),
    st.sampled_from([b"", b"\n", b"line\n", b"part", b"a\nb\n", b"1\n2\n3\n" * 10, b"\x1b]0;t\x07\r"]),
)
_logs = st.builds(VertexLog, _digests, _texts, st.integers(0, 3), _instants)
# Functions, for hypothesis fills in what a named tuple has defaults for.
_files = st.one_of(st.none(), st.builds(lambda name, data: SourceInfo(name, data), _names, _texts))
_warnings = st.builds(
    lambda vertex, short, level, file: VertexWarning(vertex, short, level, source_info=file),
    _digests,
    _texts,
    _int64,
    _files,
)


def _some(items: st.SearchStrategy[object]) -> st.SearchStrategy[tuple[object, ...]]:
    return st.lists(items, max_size=4).map(tuple)


any_statuses = st.lists(
    st.builds(SolveStatus, _some(_vertexes), _some(_counters), _some(_logs), _some(_warnings)), max_size=12
)
"""Streams of messages, sensible or not."""
