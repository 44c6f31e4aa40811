"""`--on-error=shell` and `--debug-shell` in a real terminal, on real daemons."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.debian import UnavailableError
from tests.support.engines import Engine
from tests.support.tmux import Tmux, tmux

pytestmark = pytest.mark.daemon

DOCKERFILE = """\
FROM scratch
COPY busybox /bin/busybox
COPY busybox /bin/sh
COPY busybox /bin/cat
COPY busybox /bin/stty
COPY busybox /bin/sleep
COPY busybox /bin/grep
ENV WHERE=here
WORKDIR /work
RUN echo once; cat setting && exit 9
"""
BARE = """\
FROM scratch
COPY busybox /tool
COPY note /data/note
RUN ["/tool", "cat", "/nothing"]
"""


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Tmux]:
    try:
        with tmux(tmp_path, 100, 40) as server:
            yield server
    except UnavailableError as missing:
        pytest.skip(str(missing))


def command(engine: Engine, folder: Path, dockerfile: str, *flags: str) -> str:
    shutil.copy(engine.busybox, folder / "busybox")
    (folder / "note").write_text("read me\n")
    (folder / "Dockerfile").write_text(dockerfile)
    words = [sys.executable, "-m", "buildctl", "--addr", f"docker://{engine.socket}", "build"]
    words += ["--frontend", "dockerfile.v0", "--opt", "force-network-mode=none", "--progress=plain"]
    words += ["--local", f"context={folder}", "--local", f"dockerfile={folder}", *flags]
    return shlex.join(words)


def errors(text: str) -> list[str]:
    """What is said of the failure: from the excerpt or the error on, without what the window wrapped."""
    return [line for line in text.splitlines() if line.startswith(("error:", "Dockerfile:"))]


def test_a_shell_in_the_step_that_failed(engine: Engine, tmp_path: Path, terminal: Tmux) -> None:
    folder = tmp_path / "context"
    folder.mkdir()
    plain = command(engine, folder, DOCKERFILE)
    without = subprocess.run(plain, shell=True, capture_output=True, text=True, check=False)
    told = tmp_path / "told"
    line = command(engine, folder, DOCKERFILE, "--on-error=shell", "--metadata-file", str(tmp_path / "md"))
    window = terminal.run(f"{line} 2>{told}; echo code $?; echo canonical $(stty -a | grep -c -w icanon)")
    terminal.await_text(window, "/work #", 20)
    terminal.type(window, "echo mended > setting; cat setting; echo $WHERE", "Enter")
    rows = terminal.await_text(window, "here")
    assert "mended" in rows
    terminal.type(window, "echo rea''dy; sleep 1000", "Enter")
    terminal.await_text(window, "ready")
    time.sleep(0.5)  # until the next program has the terminal
    terminal.type(window, "C-c")  # is the shell's, and ends no build
    terminal.type(window, "echo interrupted $?", "Enter")
    terminal.await_text(window, "interrupted 130")
    terminal.resize(window, 90, 30)
    terminal.type(window, "until stty size | grep '^3''0 90'; do sleep 0.2; done", "Enter")
    terminal.await_text(window, "30 90", 20)
    terminal.type(window, "exit 3", "Enter")
    terminal.await_text(window, "code 1", 20)
    assert terminal.await_text(window, "canonical 1")  # the terminal is as it was
    assert without.returncode == 1
    assert errors(told.read_text()) == errors(without.stderr) != []
    assert [line.split()[2:] for line in told.read_text().splitlines()].count(["once"]) == 1  # and ran once


def test_files_are_read_where_there_is_no_shell(engine: Engine, tmp_path: Path, terminal: Tmux) -> None:
    folder = tmp_path / "context"
    folder.mkdir()
    line = command(engine, folder, BARE, "--on-error=shell")
    window = terminal.run(f"{line} 2>/dev/null; echo code $?")
    terminal.await_text(window, "/>", 20)
    terminal.type(window, "cd data", "Enter")
    terminal.await_text(window, "/data>")
    terminal.type(window, "ls", "Enter")
    terminal.await_text(window, "8  note")
    terminal.type(window, "cat note", "Enter")
    terminal.await_text(window, "read me")
    terminal.type(window, "cat none", "Enter")
    terminal.await_text(window, "no such file")
    terminal.type(window, "C-d")
    terminal.await_text(window, "code 1", 20)


def test_a_shell_before_a_step(engine_26: Engine, tmp_path: Path, terminal: Tmux) -> None:
    folder = tmp_path / "context"
    folder.mkdir()
    line = command(engine_26, folder, DOCKERFILE, "--debug-shell=RUN echo")
    window = terminal.run(f"{line} 2>/dev/null; echo code $?")
    terminal.await_text(window, "/work #", 20)
    terminal.type(window, "cat setting", "Enter")
    terminal.await_text(window, "can't open 'setting'")
    terminal.type(window, "exit", "Enter")
    terminal.await_text(window, "code 1", 20)


def test_a_step_that_is_not_there_is_named(engine_26: Engine, tmp_path: Path, terminal: Tmux) -> None:
    folder = tmp_path / "context"
    folder.mkdir()
    line = command(engine_26, folder, DOCKERFILE, "--debug-shell=nope")
    window = terminal.run(f"{line}; echo code $?")
    rows = terminal.await_text(window, "code 1", 20)
    assert any("no step's name has 'nope' in it" in row for row in rows)


@pytest.mark.parametrize("flag", ["--on-error=shell", "--debug-shell=x"])
def test_without_a_terminal_it_is_refused(engine_26: Engine, tmp_path: Path, flag: str) -> None:
    line = command(engine_26, tmp_path, DOCKERFILE, flag)
    done = subprocess.run(
        line, shell=True, capture_output=True, text=True, check=False, start_new_session=True
    )
    assert (done.returncode, done.stderr.splitlines()[0]) == (
        1,
        f"error: {flag.partition('=')[0]}{'=shell' if 'on-error' in flag else ''} needs a terminal",
    )
