"""Warnings at the end of a build: whole, once, and with where they are."""

from __future__ import annotations

from buildctl.model.status import Position, Range, SolveStatus, SourceInfo, VertexWarning
from buildctl.progress.terminal import TerminalOptions
from buildctl.progress.trace import Trace
from buildctl.progress.tty import TTYRenderer
from buildctl.progress.warnings import told_warnings
from tests.support.screen import Terminal
from tests.support.statuses import vertex

FILE = SourceInfo("Dockerfile", b"FROM scratch\n")


def at(line: int, short: bytes = b"Casing: is mixed") -> VertexWarning:
    place = (Range(Position(line), Position(line)),)
    return VertexWarning(
        "a", short, 1, (b"All of it\nshould be one case",), "https://x.example/c", FILE, place
    )


def test_the_same_words_are_said_once_with_all_places() -> None:
    trace = Trace()
    trace.update(vertex("a", 0, 1, name="[1/1] RUN"))
    trace.update(SolveStatus(warnings=(at(3), at(7), at(3), VertexWarning("a", b"bare"))))
    assert [told.lines for told in told_warnings(trace.vertexes)] == [
        (
            "WARN: Casing: is mixed",
            "  All of it",
            "  should be one case",
            "  Dockerfile:3, Dockerfile:7",
            "  https://x.example/c",
        ),
        ("WARN: bare",),
    ]


def test_they_stand_whole_after_the_tree_and_before_what_failed() -> None:
    terminal = Terminal(30, 24)
    renderer = TTYRenderer(lambda: terminal.size, TerminalOptions())
    renderer.absorb(vertex("a", 0, 1, name="[1/1] RUN", error="exit code: 1"), 0)
    renderer.absorb(SolveStatus(warnings=(at(3, b"long \x1b[2J" + b"w" * 40),)), 0)
    terminal.feed(renderer.render(10**9))
    terminal.feed(renderer.finish(10**9, b"summary\n"))
    text = "".join(terminal.all_rows)
    order = [text.index(part) for part in ("FAILED", "w" * 40, "Dockerfile:3", "summary", "------")]
    assert order == sorted(order)
    assert "\\x1b[2J" in text  # shown, not obeyed
    assert text.count("WARN") == 1
