"""The pump and the writer: pace, and streams that stall, break or clog."""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import Iterator

import pytest

from buildctl.model.status import SolveStatus
from buildctl.progress.display import Display
from buildctl.progress.masking import Masker
from buildctl.progress.plain import PlainPrinter
from buildctl.progress.pump import Pump
from buildctl.progress.terminal import TerminalOptions
from buildctl.progress.tty import TTYRenderer
from buildctl.progress.writer import StreamWriter
from tests.support.statuses import log, vertex

MS = 1_000_000


class Frames:
    """A renderer that shows how often it was asked, as a frame that replaces the one before."""

    replaces = True
    restore = b"restored"

    def __init__(self, padding: int = 0, fail_after: int | None = None) -> None:
        self.absorbed = 0
        self.rendered = 0
        self._padding = b"." * padding
        self._fail_after = fail_after

    def absorb(self, status: SolveStatus, now_ns: int) -> bytes:
        self.absorbed += 1
        return b""

    def render(self, now_ns: int) -> bytes:
        self.rendered += 1
        if self._fail_after is not None and self.rendered > self._fail_after:
            raise RuntimeError("no more paint")
        return b"frame %d%s\n" % (self.rendered, self._padding)

    def finish(self, now_ns: int, between: bytes = b"") -> bytes:
        return b"the end\n"


# Pace


def test_updates_are_rendered_at_most_every_tenth_of_a_second() -> None:
    frames = Frames()
    pump = Pump(frames, 0)
    shown = [at for at in range(0, 400, 30) if pump.update(SolveStatus(), at * MS)]
    assert shown == [0, 120, 240, 360]
    assert frames.absorbed == 14


def test_a_refresh_comes_when_nothing_else_does() -> None:
    pump = Pump(Frames(), 0)
    assert pump.due_ns == 150 * MS
    pump.update(SolveStatus(), 0)
    assert pump.update(SolveStatus(), 90 * MS) == b""
    assert pump.due_ns == 240 * MS
    assert pump.refresh(240 * MS) == b"frame 2\n"
    assert pump.due_ns == 390 * MS
    assert pump.update(SolveStatus(), 250 * MS) == b"frame 3\n", "a refresh does not delay an update"


def test_a_late_refresh_keeps_the_beat() -> None:
    pump = Pump(Frames(), 0)
    pump.refresh(475 * MS)
    assert pump.due_ns == 600 * MS


def test_the_rate_sets_both_intervals() -> None:
    pump = Pump(Frames(), 0, rate_ms=20)
    assert [at for at in range(0, 60, 10) if pump.update(SolveStatus(), at * MS)] == [0, 20, 40]
    assert pump.due_ns == 70 * MS


def test_only_what_replaces_is_skipped_while_busy() -> None:
    assert Pump(Frames(), 0).update(SolveStatus(), 0, busy=True) == b""
    assert Pump(Frames(), 0).refresh(0, busy=True) == b""
    assert Pump(PlainPrinter(), 0).update(vertex("a", 0), 0, busy=True) == b"#1 step a\n"


# Streams


class Pipe:
    def __init__(self) -> None:
        self.source, self.sink = os.pipe()
        self._open = {self.source, self.sink}

    def close(self, fd: int) -> None:
        if fd in self._open:
            self._open.remove(fd)
            os.close(fd)

    def read_all(self) -> bytes:
        """All that was written; the writing end must be closed."""
        parts = []
        while part := os.read(self.source, 1 << 16):
            parts.append(part)
        return b"".join(parts)

    def close_all(self) -> None:
        for fd in list(self._open):
            self.close(fd)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    pipe.close_all()


async def test_what_is_said_is_written_in_order(pipe: Pipe) -> None:
    async with Display(PlainPrinter(), StreamWriter(pipe.sink), began_ns=0) as display:
        display.update(vertex("a", 0))
        for number in range(100):
            display.update(log("a", b"%d\n" % number))
        display.update(vertex("a", 0, 1, error="boom"))
    pipe.close(pipe.sink)
    lines = pipe.read_all().decode().splitlines()
    assert lines[0] == "#1 step a"
    assert lines[1:101] == [f"#1 0.000 {number}" for number in range(100)]
    assert lines[101:104] == ["#1 ERROR: boom", "------", " > step a:"]


async def test_time_goes_on_without_messages(pipe: Pipe) -> None:
    frames = Frames()
    async with Display(frames, StreamWriter(pipe.sink), began_ns=0, rate_ms=10):
        await asyncio.sleep(0.2)
    assert 5 < frames.rendered <= 21


async def test_a_stalled_reader_does_not_stall_the_loop(pipe: Pipe) -> None:
    line = b"x" * 1000 + b"\n"
    display = Display(PlainPrinter(), StreamWriter(pipe.sink), began_ns=0, rate_ms=1)
    longest = 0.0
    async with display:
        display.update(vertex("a", 0))
        for _ in range(400):  # several times what a pipe holds
            begun = time.perf_counter()
            display.update(log("a", line))
            await asyncio.sleep(0.001)
            longest = max(longest, time.perf_counter() - begun)
        display.update(vertex("a", 0, 1))
        assert longest < 1
        reading = asyncio.to_thread(pipe.read_all)
        reader = asyncio.create_task(reading)
        await display.close()
        pipe.close(pipe.sink)
        text = await reader
    assert text.count(b"\n") == 402, "nothing is lost"
    assert text.endswith(b"#1 DONE 1.0s\n")


async def test_a_stalled_reader_skips_frames_but_not_the_end(pipe: Pipe) -> None:
    frames = Frames(padding=1 << 17)
    async with Display(frames, StreamWriter(pipe.sink), began_ns=0, rate_ms=1) as display:
        for _ in range(50):
            display.update(SolveStatus())
            await asyncio.sleep(0.002)
        assert frames.rendered == 1
        reader = asyncio.create_task(asyncio.to_thread(pipe.read_all))
        await display.close()
        pipe.close(pipe.sink)
        text = await reader
    assert text.startswith(b"frame 1.")
    assert text.endswith(b"the end\n")


async def test_closing_has_as_much_patience_as_it_is_given(pipe: Pipe) -> None:
    display = Display(Frames(padding=1 << 17), StreamWriter(pipe.sink), began_ns=0)
    async with display:
        display.update(SolveStatus())
        begun = time.perf_counter()
        await display.close(patience_s=0.05)
        assert time.perf_counter() - begun < 1
    pipe.close(pipe.source)  # lets the thread go


async def test_an_abandoned_display_puts_the_terminal_right(pipe: Pipe) -> None:
    display = Display(Frames(), StreamWriter(pipe.sink), began_ns=0)
    async with display:
        display.update(SolveStatus())
        await asyncio.sleep(0.05)
        display.abandon()
    pipe.close(pipe.sink)
    assert pipe.read_all() == b"frame 1\nrestored"


async def test_a_broken_pipe_ends_the_display_only(pipe: Pipe) -> None:
    writer = StreamWriter(pipe.sink)
    pipe.close(pipe.source)
    async with Display(PlainPrinter(), writer, began_ns=0, rate_ms=1) as display:
        for number in range(20):
            display.update(vertex(f"{number}", 0, 1))
            await asyncio.sleep(0.002)
    assert isinstance(writer.broken, BrokenPipeError)
    assert display.failure is None


async def test_a_pipe_that_breaks_while_it_stalls_lets_go(pipe: Pipe) -> None:
    writer = StreamWriter(pipe.sink)
    writer.write(b"x" * (1 << 20))
    writer.write(b"y")
    await asyncio.sleep(0.02)
    assert writer.busy
    pipe.close(pipe.source)
    await writer.close(patience_s=5)
    assert isinstance(writer.broken, BrokenPipeError)


async def test_a_nonblocking_stream_is_waited_for(pipe: Pipe) -> None:
    os.set_blocking(pipe.sink, False)
    writer = StreamWriter(pipe.sink)
    writer.write(b"x" * (1 << 20))
    reader = asyncio.create_task(asyncio.to_thread(pipe.read_all))
    await writer.close()
    pipe.close(pipe.sink)
    assert await reader == b"x" * (1 << 20)
    assert writer.broken is None


async def test_a_backlog_is_bounded_and_says_what_it_lost(pipe: Pipe) -> None:
    writer = StreamWriter(pipe.sink, backlog_limit=100, dropped_note=b"[lost %d]")
    writer.write(b"x" * (1 << 18))
    for _ in range(10):
        writer.write(b"y" * 30)
    reader = asyncio.create_task(asyncio.to_thread(pipe.read_all))
    await asyncio.sleep(0.05)
    writer.write(b"and on")
    await writer.close()
    pipe.close(pipe.sink)
    assert (await reader).lstrip(b"x") == b"y" * 90 + b"[lost 210]" + b"and on"


async def test_a_display_that_fails_says_so_once_and_lets_the_build_be(pipe: Pipe) -> None:
    display = Display(Frames(fail_after=1), StreamWriter(pipe.sink), began_ns=0, rate_ms=1)
    async with display:
        for _ in range(10):
            display.update(SolveStatus())
            await asyncio.sleep(0.005)
    pipe.close(pipe.sink)
    text = pipe.read_all()
    assert text == b"frame 1\nrestored\nprogress display failed: RuntimeError('no more paint')\n"
    assert isinstance(display.failure, RuntimeError)


async def test_updates_after_the_end_are_ignored(pipe: Pipe) -> None:
    display = Display(PlainPrinter(), StreamWriter(pipe.sink), began_ns=0)
    async with display:
        pass
    display.update(vertex("a", 0))
    await display.close()
    pipe.close(pipe.sink)
    assert pipe.read_all() == b""


async def test_a_daemon_with_another_clock_is_timed_by_ours() -> None:
    """Without that, a daemon whose clock is an hour behind would seem to have been building for an hour."""
    reader, writer = os.pipe()
    terminal = TTYRenderer(lambda: (80, 24), TerminalOptions())
    async with Display(terminal, StreamWriter(writer), began_ns=5_000_000 * MS) as display:
        display.update(vertex("a", 1, name="a"))
        display.update(vertex("a", 1, 3.5, name="a"))
    os.close(writer)
    with open(reader, "rb") as pipe:
        last = pipe.read().decode().rpartition("[+]")[2]
    assert re.match(r" Building 0\.\ds \(1/1\)", last)
    assert "2.5s" in last


async def test_a_sink_that_fails_gets_nothing_more_and_lets_the_build_be(
    pipe: Pipe, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[SolveStatus] = []
    asked = 0

    def fail(status: SolveStatus) -> None:
        nonlocal asked
        asked += 1
        raise ValueError("no room")

    display = Display(Frames(), StreamWriter(pipe.sink), began_ns=0, also=(fail, heard.append))
    async with display:
        for _ in range(3):
            display.update(SolveStatus())
    assert (asked, len(heard)) == (1, 3)
    assert [str(error) for error in display.faults] == ["no room"]
    assert display.failure is None
    assert caplog.messages == ["what is recorded of the build is not complete: ValueError('no room')"]


class Unmaskable(Masker):
    """Fails at whatever it is given."""

    def __bool__(self) -> bool:
        raise OverflowError("\x1b[2J")


async def test_what_cannot_be_masked_is_neither_shown_nor_recorded(pipe: Pipe) -> None:
    heard: list[SolveStatus] = []
    display = Display(
        Frames(), StreamWriter(pipe.sink), began_ns=0, also=(heard.append,), masker=Unmaskable()
    )
    async with display:
        display.update(log("a", b"secret\n"))
        display.update_own(log("a", b"secret\n"))
    pipe.close(pipe.sink)
    text = pipe.read_all()
    assert text == b"restored\nprogress display failed: OverflowError('\\x1b[2J')\n"
    assert heard == []


async def test_a_secret_that_is_learned_while_the_build_runs_is_hidden(pipe: Pipe) -> None:
    """Such as the token of a registry: at the beginning nothing was known."""
    heard: list[SolveStatus] = []
    masker = Masker()
    display = Display(Frames(), StreamWriter(pipe.sink), began_ns=0, also=(heard.append,), masker=masker)
    async with display:
        masker.learn(b"sesame")
        display.update(log("a", b"a sesame\n"))
    assert [one.data for status in heard for one in status.logs] == [b"a ***\n"]
