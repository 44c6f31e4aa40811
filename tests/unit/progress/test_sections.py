"""The grouped voice, to the byte: whose turn it is, what comes when, and what memory it takes."""

from __future__ import annotations

from buildctl.model.status import ProgressGroup, SolveStatus
from buildctl.progress.dialect import Dialect
from buildctl.progress.sections import SectionPrinter
from tests.support import replay
from tests.support.statuses import counter, log, merged, vertex

SECOND = 10**9


def printed(printer: SectionPrinter, *statuses: SolveStatus) -> str:
    """What is shown at once after these messages."""
    for status in statuses:
        assert printer.absorb(status, 0) == b""
    return printer.render(0).decode()


def test_the_oldest_that_speaks_streams_and_the_others_wait() -> None:
    printer = SectionPrinter(Dialect())
    assert printed(printer, vertex("a", 0), vertex("b", 1), vertex("c", 2)) == ""
    assert printed(printer, log("b", b"b1\nb2", 1.5)) == "#1 step b\n#1 0.500 b1\n"
    assert printed(printer, log("a", b"a1\n", 2), log("c", b"c1\n", 2)) == ""
    assert printed(printer, log("b", b"\nb3\n", 3)) == "#1 0.500 b2\n#1 2.000 b3\n"
    assert printed(printer, vertex("c", 2, 4)) == ""
    # Those that have ended come first, then the oldest that runs.
    assert printed(printer, vertex("b", 1, 5)) == (
        "#1 DONE 4.0s\n\n#2 step c\n#2 0.000 c1\n#2 DONE 2.0s\n\n#3 step a\n#3 2.000 a1\n"
    )
    assert printer.finish(0) == b"#3 ...\n"


def test_steps_without_output_say_how_they_ended() -> None:
    printer = SectionPrinter(Dialect())
    shown = printed(
        printer,
        vertex("b", 1, 1, cached=True),
        vertex("a", 0, 2),
        vertex("c", 3, 3, error="context canceled"),
        vertex("d", 4),
    )
    assert shown == "#1 step a\n#1 DONE 2.0s\n\n#2 step b\n#2 CACHED\n\n#3 step c\n#3 CANCELED\n"
    assert printed(printer, vertex("a", 0, 2)) == ""  # nothing new
    assert printer.finish(0) == b"\n#4 step d\n#4 ...\n"


def test_a_step_that_was_probed_before_it_ran_has_two_sections() -> None:
    printer = SectionPrinter(Dialect())
    assert printed(printer, vertex("a", 0, 0), log("a", b"one\n")).endswith("#1 DONE 0.0s\n")
    shown = printed(printer, vertex("a", 1), log("a", b"two\n", 1), vertex("a", 1, 2))
    assert shown == "\n#1 step a (continued)\n#1 0.000 two\n#1 DONE 1.0s\n"


def test_a_failure_is_repeated_at_the_end() -> None:
    printer = SectionPrinter(Dialect())
    text = b"".join(b"%d\n" % number for number in range(30)) + b"\x1b]0;title\x07\x1b[31mlast"
    failed = vertex("a", 0, 1, error="exit code: 1\nand more")
    shown = printed(printer, vertex("a", 0), log("a", text), failed, vertex("b", 1, 2))
    assert shown.count("\n") == 1 + 31 + 1 + 1 + 2
    assert "#1 0.000 \x1b[31mlast\x1b[0m\n#1 ERROR: exit code: 1 and more\n" in shown
    end = printer.finish(0).decode()
    assert end.startswith("------\n > step a:\n0.000 21\n")
    assert end.endswith("0.000 29\n0.000 \x1b[31mlast\x1b[0m\n------\n")


def test_counters_are_shown_when_they_have_completed_or_go_on_for_long() -> None:
    printer = SectionPrinter(Dialect())
    assert printed(printer, vertex("a", 0), counter("a", "layer", 1, 100, at=1)) == ""
    shown = printed(printer, counter("a", "layer", 50, 100, at=5))
    assert shown == "#1 step a\n#1 layer 50B / 100B 5.0s\n"
    assert printed(printer, counter("a", "layer", 60, 100, at=9)) == ""
    assert printed(printer, counter("a", "layer", 70, 100, at=10)) == "#1 layer 70B / 100B 10.0s\n"
    done = counter("a", "layer", 100, 100, at=11, completed=11)
    assert printed(printer, done) == "#1 layer 100B / 100B 11.0s done\n"
    assert printed(printer, done, vertex("a", 0, 12)) == "#1 DONE 12.0s\n"


def test_a_long_log_gets_the_turn_before_it_fills_the_memory() -> None:
    printer = SectionPrinter(Dialect(), waiting_limit=1000)
    assert printed(printer, vertex("a", 0), vertex("b", 0), log("a", b"a1\na")).endswith("#1 0.000 a1\n")
    assert printed(printer, log("b", b"x" * 500 + b"\n")) == ""
    shown = printed(printer, log("b", b"y" * 500 + b"\n"))
    assert shown.startswith("#1 ...\n\n#2 step b\n#2 0.000 xxx")
    assert "yyy\n" in shown
    assert printed(printer, log("a", b"2\n"), vertex("b", 0, 1)) == (
        "#2 DONE 1.0s\n\n#1 step a (continued)\n#1 0.000 a2\n"
    )


def test_a_line_that_never_ends_comes_in_pieces() -> None:
    printer = SectionPrinter(Dialect())
    printer.absorb(vertex("a", 0), 0)
    shown = 0
    for _ in range(100):
        printer.absorb(log("a", b"x" * 10_000), 0)
        shown += len(printer.render(0))
    assert shown > 900_000
    assert printer.finish(0).decode().count("x") == 1_000_000 % 65536


def test_a_flood_is_shown_bit_by_bit_and_whole() -> None:
    printer = SectionPrinter(Dialect())
    printer.absorb(vertex("a", 0), 0)
    for _ in range(40):
        printer.absorb(log("a", b"0123456789abcde\n" * 4096), 0)
    parts = [len(printer.render(0)), len(printer.render(0)), len(printer.finish(0))]
    assert max(parts[:2]) < 3 << 20
    whole = sum(parts)
    assert whole == len("#1 step a\n#1 ...\n") + 40 * 4096 * len("#1 0.000 0123456789abcde\n")


def test_a_hidden_group_takes_no_memory_for_ever() -> None:
    printer = SectionPrinter(Dialect(), waiting_limit=1000)
    group = ProgressGroup("g", "group", weak=True)
    printer.absorb(vertex("a", 0, group=group), 0)
    for _ in range(10):
        assert printed(printer, log("a", b"x" * 500)) == ""
    assert printer.finish(0) == b""


def test_nothing_is_shown_before_its_message_is_whole() -> None:
    printer = SectionPrinter(Dialect())
    together = merged(vertex("a", 0, 1), log("a", b"one\n", 0.5), counter("a", "c", 3, completed=0.5))
    assert printed(printer, together) == "#1 step a\n#1 c 3B 0.5s done\n#1 0.500 one\n#1 DONE 1.0s\n"


def test_recorded_builds_are_those_of_plain_progress_put_in_order() -> None:
    """Sections in place of turns: the same lines where no carriage return rewrites one."""
    for name in ("build-ok", "build-cached", "build-fail", "v0.13-build-fail"):
        case = replay.load(name)
        shown = replay.play(SectionPrinter(Dialect()), case.statuses())
        expected = case.stderr[: len(shown)]
        assert [line for line in shown.splitlines() if line.startswith(b"#")] == [
            line for line in expected.splitlines() if line.startswith(b"#")
        ]
