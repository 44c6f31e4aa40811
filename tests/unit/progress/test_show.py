"""`Progress`: displays for programs, on any stream, from any thread, beside a loop or without one."""

from __future__ import annotations

import asyncio
import io
import os
import threading
from pathlib import Path

import pytest

from buildctl.errors import UsageError
from buildctl.model.status import SolveStatus, Vertex, VertexLog
from buildctl.progress.show import Progress

DIGEST = f"sha256:{'1' * 64}"
SECOND = 1_000_000_000


def said(text: bytes) -> SolveStatus:
    return SolveStatus(
        vertexes=(Vertex(digest=DIGEST, name="[1/1] RUN make", started_ns=SECOND),),
        logs=(VertexLog(vertex=DIGEST, stream=1, data=text, timestamp_ns=SECOND),),
    )


def test_lines_on_a_file(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w") as stream:
        stream.write("before\n")
        with Progress("plain", stream, environ={}) as show:
            show(said(b"compiling\n"))
        stream.write("after\n")
    lines = (tmp_path / "log").read_text().splitlines()
    assert (lines[0], lines[-1]) == ("before", "after")
    assert "#1 [1/1] RUN make" in lines
    assert [line for line in lines if line.endswith("compiling")]


@pytest.mark.parametrize("kind", [io.StringIO, io.BytesIO])
def test_a_stream_without_a_descriptor(kind: type[io.StringIO] | type[io.BytesIO]) -> None:
    stream = kind()
    with Progress("plain", stream, environ={}) as show:
        show(said("grüßt\n".encode()))
    value = stream.getvalue()
    assert "grüßt" in (value if isinstance(value, str) else value.decode())


def test_secrets_are_hidden() -> None:
    stream = io.StringIO()
    with Progress("plain", stream, environ={}) as show:
        show.hide(b"hunter2-hunter2")
        show(said(b"the password is hunter2-hunter2\n"))
    assert "the password is" in stream.getvalue()
    assert "hunter2" not in stream.getvalue()


def test_the_mode_is_the_environments_where_nobody_chose() -> None:
    stream = io.StringIO()
    with Progress(stream=stream, environ={"BUILDKIT_PROGRESS": "quiet"}) as show:
        show(said(b"x\n"))
    assert stream.getvalue() == ""


@pytest.mark.parametrize("mode", ["nope", "tty"])
def test_modes_that_cannot_be(mode: str) -> None:
    before = (threading.active_count(), len(os.listdir("/proc/self/fd")))
    with pytest.raises(UsageError) as refused, Progress(mode, io.StringIO(), environ={}):
        pass
    assert "--" not in refused.value.hint
    assert (threading.active_count(), len(os.listdir("/proc/self/fd"))) == before


async def test_beside_a_loop_and_from_many_threads() -> None:
    stream = io.StringIO()
    async with Progress("plain", stream, environ={}) as show:
        await asyncio.gather(*(asyncio.to_thread(show, said(b"line %d\n" % n)) for n in range(20)))
    show(said(b"too late\n"))
    assert all(f"line {n}\n" in stream.getvalue() for n in range(20))
    assert "too late" not in stream.getvalue()


def test_a_stream_that_fails_fails_no_build() -> None:
    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(28, "No space left on device")

    with Progress("plain", Full(), environ={}) as show:
        show(said(b"x\n"))


def test_nothing_is_left_and_it_may_be_entered_again() -> None:
    stream = io.StringIO()
    show = Progress("plain", stream, environ={})
    before = (threading.active_count(), len(os.listdir("/proc/self/fd")))
    for _ in range(2):
        with show:
            show(said(b"again\n"))
            with pytest.raises(RuntimeError), show:
                pass
    assert (threading.active_count(), len(os.listdir("/proc/self/fd"))) == before
    assert stream.getvalue().count("again") == 2
