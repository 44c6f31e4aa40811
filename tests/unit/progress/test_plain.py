"""The plain printer: lines, turns, partial lines and the error block."""

from __future__ import annotations

from hypothesis import given, settings

from buildctl.model.status import ProgressGroup, SolveStatus
from buildctl.progress.plain import PlainPrinter
from tests.support.statuses import any_statuses, counter, log, merged, vertex, warning


class Play:
    """A printer, and a clock in seconds that the test moves."""

    def __init__(self, *, trim_names: bool = False) -> None:
        self.printer = PlainPrinter(trim_names=trim_names)

    def say(self, at: float, *statuses: SolveStatus) -> str:
        now_ns = round(at * 1e9)
        for status in statuses:
            assert self.printer.absorb(status, now_ns) == b""
        return self.printer.render(now_ns).decode()

    def end(self, at: float) -> str:
        return self.printer.finish(round(at * 1e9)).decode()


def test_a_vertex_from_start_to_end() -> None:
    play = Play()
    assert play.say(0, vertex("a")) == ""
    assert play.say(0, vertex("a", 0)) == "#1 step a\n"
    assert play.say(0.3, log("a", b"one\ntwo\n", 0.25)) == "#1 0.250 one\n#1 0.250 two\n"
    assert play.say(1, warning("a", b"careful")) == "", "a warning alone prints nothing"
    assert play.say(2, vertex("a", 0, 1.26)) == "#1 WARN: careful\n#1 DONE 1.3s\n"
    assert play.end(3) == ""


def test_endings() -> None:
    play = Play()
    endings = merged(
        vertex("a", 0, 1, cached=True),
        vertex("b", 0, 2, error="exit code: 1"),
        vertex("c", 0, 3, error="solve: context canceled"),
        vertex("d", 0, 4),
    )
    assert play.say(4, endings) == (
        "#1 step a\n#1 CACHED\n\n#2 step b\n#2 ERROR: exit code: 1\n\n"
        "#3 step c\n#3 CANCELED\n\n#4 step d\n#4 DONE 4.0s\n"
    )
    assert play.end(4) == "------\n > step b:\n------\n"


def test_completed_vertexes_come_in_the_order_they_ended() -> None:
    play = Play()
    assert play.say(9, merged(vertex("a", 0, 5), vertex("b", 0, 2))) == (
        "#1 step b\n#1 DONE 2.0s\n\n#2 step a\n#2 DONE 5.0s\n"
    )


def test_time_is_the_sum_of_intervals() -> None:
    play = Play()
    assert play.say(9, vertex("a", 0, 1), vertex("a", 5, 7)) == "#1 step a\n#1 DONE 3.0s\n"


def test_a_repeated_completion_is_printed_again_as_by_the_reference() -> None:
    play = Play()
    play.say(1, vertex("a", 0, 1))
    assert play.say(2, vertex("a", 0, 1)) == "\n#1 step a\n#1 DONE 1.0s\n"


def test_names_are_cut_only_on_demand() -> None:
    assert Play().say(0, vertex("a", 0, name="é" * 50)) == f"#1 {'é' * 50}\n"
    assert Play(trim_names=True).say(0, vertex("a", 0, name="é" * 50)) == f"#1 {'é' * 36}...\n"
    assert Play(trim_names=True).say(0, vertex("a", 0, name="n" * 72)) == f"#1 {'n' * 72}\n"


def test_log_bytes_pass_as_they_are() -> None:
    play = Play()
    play.say(0, vertex("a", 0))
    play.printer.absorb(log("a", b"\x1b[1m\xff\r\n"), 0)
    assert play.printer.render(0) == b"#1 0.000 \x1b[1m\xff\r\n"


# Counters


def test_counters_say_what_they_know() -> None:
    play = Play()
    play.say(0, vertex("a", 0))
    assert play.say(1, counter("a", "nothing", at=0.005)) == "#1 nothing\n"
    assert play.say(1, counter("a", "bytes", 4096, at=0.5)) == "#1 bytes 4.10kB 0.5s\n"
    assert play.say(1, counter("a", "share", 4096, 8192, at=0.01)) == "#1 share 4.10kB / 8.19kB\n"
    assert play.say(1, counter("a", "end", 2, at=9, completed=1)) == "#1 end 2B 1.0s done\n"
    assert play.say(1, counter("a", "unstarted", 2, started=None)) == ""


def test_counters_are_repeated_after_a_twentieth_or_five_seconds() -> None:
    play = Play()
    play.say(0, vertex("a", 0), counter("a", "c", 100, 1000))
    assert play.say(1, counter("a", "c", 149, 1000, at=1)) == ""
    assert play.say(2, counter("a", "c", 150, 1000, at=1)) == "#1 c 150B / 1.00kB 1.0s\n"
    assert play.say(3, counter("a", "c", 151, 1000, at=5.9)) == ""
    assert play.say(4, counter("a", "c", 151, 1000, at=6)) == "#1 c 151B / 1.00kB 6.0s\n"
    assert play.say(5, counter("a", "c", 151, 1000, at=6, completed=6)) == "#1 c 151B / 1.00kB 6.0s done\n"


def test_counters_are_throttled_by_their_id_across_vertexes() -> None:
    play = Play()
    play.say(0, merged(vertex("a", 0), vertex("b", 0)), counter("a", "c", at=1), counter("b", "c", at=2))
    assert "c" not in play.say(0, merged(vertex("a", 0, 3), vertex("b", 0, 3))).replace("c 1.0s", "", 1)


def test_an_open_counter_keeps_a_completed_vertex_open() -> None:
    play = Play()
    play.say(0, vertex("a", 0))
    said = play.say(1, merged(counter("a", "transferring:"), vertex("a", 0, 1, error="gone")))
    assert said == "#1 transferring:\n"
    assert play.end(2) == "------\n > step a:\n------\n"


# Partial lines


def test_a_partial_line_is_gone_on_with() -> None:
    play = Play()
    play.say(0, vertex("a", 0))
    assert play.say(1, log("a", b"10%", 1)) == "#1 1.000 10%"
    assert play.say(2, log("a", b" 20%", 2)) == " 20%"
    assert play.say(3, log("a", b" 30%\nnext\n", 3)) == " 30%\n#1 3.000 next\n"


def test_a_partial_line_is_ended_before_the_end() -> None:
    play = Play()
    assert play.say(1, vertex("a", 0), log("a", b"10%", 1)) == "#1 step a\n#1 1.000 10%"
    assert play.say(2, vertex("a", 0, 2)) == "\n#1 DONE 2.0s\n"


def test_a_partial_line_is_whole_again_after_another_turn() -> None:
    play = Play()
    play.say(1, vertex("a", 0), log("a", b"w1 ", 1))
    assert play.say(2, vertex("b", 0, 1)) == "\n#1 ...\n\n#2 step b\n#2 DONE 1.0s\n"
    assert play.say(2.1) == "\n#1 step a\n#1 1.000 w1 "
    assert play.say(3, log("a", b"w2\n", 3)) == "w2\n"


def test_leaving_looks_at_the_newest_bytes_as_the_reference_does() -> None:
    play = Play()
    play.say(1, vertex("a", 0), log("a", b"w1 ", 1))
    said = play.say(2, merged(log("a", b"w2\n", 2), vertex("b", 0, 1)))
    assert said == "#1 ...\n\n#2 step b\n#2 DONE 1.0s\n\n#1 step a\n#1 1.000 w1 w2\n"


# Turns


def test_the_current_vertex_keeps_its_turn_for_a_while() -> None:
    play = Play()
    assert play.say(0, vertex("a", 0)) == "#1 step a\n"
    assert play.say(1, vertex("b", 1), log("b", b"b1\n", 1)) == ""
    assert play.say(2, log("a", b"a1\n", 2)) == "#1 2.000 a1\n"


def test_a_vertex_that_waited_ten_seconds_is_next() -> None:
    play = Play()
    play.say(0, vertex("a", 0))
    play.say(1, vertex("b", 1), log("b", b"b1\n", 1))
    for second in range(2, 10):
        assert play.say(second, *[log("a", b"x\n", second)] * 9) == f"#1 {second}.000 x\n" * 9
    said = play.say(11.5, log("a", b"y\n", 11.5))
    assert said == "#1 11.50 y\n#1 ...\n\n#2 step b\n#2 0.000 b1\n"


def test_turns_are_shared_by_how_much_there_is_to_say() -> None:
    play = Play()
    play.say(0, vertex("a", 0))
    assert play.say(4.9, vertex("b", 4.8), *[log("b", b"b\n", 4.9)] * 50) == ""
    assert play.say(5.3, log("b", b"b\n", 5.3)).startswith("#1 ...\n\n#2 step b\n#2 0.100 b\n")


def test_when_the_current_vertex_ends_the_busiest_is_next() -> None:
    play = Play()
    play.say(0, vertex("a", 0))
    play.say(1, vertex("b", 1), vertex("c", 1), log("c", b"c1\n", 1), log("c", b"c2\n", 1))
    said = play.say(2, vertex("a", 0, 2))
    assert said == "#1 DONE 2.0s\n\n#2 step c\n#2 0.000 c1\n#2 0.000 c2\n"


def test_a_running_vertex_is_shown_while_nothing_is_said() -> None:
    play = Play()
    play.say(0, vertex("a", 0, 1))
    play.say(1, vertex("b", 1), vertex("c", 1))
    assert play.say(2, vertex("b", 1, 2)) == "#2 DONE 1.0s\n\n#3 step c\n"


def test_a_waiting_vertex_does_not_hoard_logs() -> None:
    play = Play()
    play.say(0, vertex("a", 0))
    megabyte = b"x" * 999_999 + b"\n"
    said = play.say(1, vertex("b", 1), *[log("b", megabyte, 1)] * 68)
    assert said.startswith("#1 ...\n\n#2 step b\n#2 0.000 xxx")


def test_groups_are_shown_in_place_of_their_members() -> None:
    group = ProgressGroup("g", "all of it")
    play = Play()
    said = play.say(3, vertex("m1", 0, 1, group=group), vertex("m2", 1, 3, group=group), log("m2", b"x\n", 2))
    assert said == "#1 all of it\n#1 2.000 x\n#1 DONE 3.0s\n"


def test_hidden_groups_wait() -> None:
    weak, strong = ProgressGroup("g", "all", weak=True), ProgressGroup("g", "all")
    play = Play()
    assert play.say(1, vertex("m1", 0, group=weak), log("m1", b"x\n", 1)) == ""
    assert play.say(2, vertex("m2", 2, group=strong)) == "#1 all\n#1 1.000 x\n"


# The error block


def failing(*logs: bytes) -> str:
    play = Play()
    play.say(0, vertex("a", 0))
    for data in logs:
        play.say(1, log("a", data, 1))
    play.say(2, vertex("a", 0, 2, error="boom"))
    head, tail = "------\n > step a:\n", "------\n"
    block = play.end(2)
    assert block.startswith(head)
    assert block.endswith(tail)
    return block[len(head) : -len(tail)]


def test_the_last_ten_lines_are_repeated() -> None:
    lines = [b"%d\n" % number for number in range(13)]
    expected = "".join(f"1.000 {number}\n" for number in range(3, 13))
    assert failing(*lines) == expected
    assert failing(b"".join(lines)) == expected
    assert failing(*lines[:6], b"".join(lines[6:])) == expected
    assert failing(b"one\n", b"two\n") == "1.000 one\n1.000 two\n"


def test_batches_that_end_in_mid_line_share_a_slot_as_in_the_reference() -> None:
    assert failing(b"one\n", b"two\npart") == "1.000 part\n\n1.000 one\n"
    assert failing(b"part") == "1.000 part\n\n"
    assert failing(b"one\n", b"part", b" whole\n") == "1.000 one\n whole\n"


def test_a_line_is_kept_up_to_a_limit() -> None:
    block = failing(b"x" * (3 << 20))
    assert len(block) < (1 << 20) + 100


def test_what_was_never_printed_is_in_the_error_block() -> None:
    play = Play()
    play.say(0, vertex("a", 0))
    play.say(1, vertex("b", 1, error="boom"), log("b", b"one\ntwo", 1))
    assert play.end(2) == "------\n > step b:\n0.000 one\n0.000 two\n------\n"


@settings(max_examples=40, deadline=None)
@given(any_statuses)
def test_anything_can_be_printed(statuses: list[SolveStatus]) -> None:
    printer = PlainPrinter(trim_names=True)
    now_ns = 0
    for status in statuses:
        assert printer.absorb(status, now_ns) == b""
        printer.render(now_ns)
        now_ns += 3_000_000_000
    printer.finish(now_ns)
