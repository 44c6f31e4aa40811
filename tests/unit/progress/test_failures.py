"""The errors voice: nothing, or all that the failed steps said."""

from __future__ import annotations

from buildctl.progress.failures import FailurePrinter
from tests.support import replay
from tests.support.statuses import log, vertex


def test_a_build_that_succeeds_says_nothing() -> None:
    for name in ("build-ok", "build-parallel", "build-warnings"):
        assert replay.play(FailurePrinter(), replay.load(name).statuses()) == b""


def test_the_whole_log_of_the_failed_step_is_shown() -> None:
    printer = FailurePrinter()
    lines = [b"line %d\n" % number for number in range(1000)]
    for status in (vertex("a", 0), vertex("b", 0), vertex("c", 0)):
        printer.absorb(status, 0)
    for line in lines:
        assert printer.absorb(log("a", line, 1), 0) == b""
        printer.absorb(log("b", b"other\n"), 0)
    printer.absorb(log("a", b"\x1b[2Jend"), 0)
    printer.absorb(vertex("b", 0, 1), 0)
    printer.absorb(vertex("c", 0, 2, error="context canceled"), 0)
    printer.absorb(vertex("a", 0, 2, name="RUN\r\x1b[2Jx", error="exit code: 1"), 0)
    assert printer.render(0) == b""
    whole = b"".join(b"1.000 " + line for line in lines)
    assert printer.finish(0) == b"------\n > RUN \\x1b[2Jx:\n" + whole + b"0.000 end\n------\n"


def test_a_log_beyond_the_budget_says_what_is_missing() -> None:
    printer = FailurePrinter(log_budget=10_000)
    printer.absorb(vertex("a", 0), 0)
    for number in range(100):
        printer.absorb(log("a", b"%0999d\n" % number), 0)
    printer.absorb(vertex("a", 0, 1, error="exit code: 1"), 0)
    _, name, note, *rest = printer.finish(0).decode().splitlines()
    assert name == " > step a:"
    kept = len(rest) - 1
    assert 5 <= kept <= 10
    assert note == f"[the first {(100 - kept) * 1000} bytes of this log were not kept]"
    assert rest[-2].endswith("99")
