"""A terminal during a live display: no keys on it, put right on every way out, and Ctrl-Z with `fg`.

The display is that of a saved build, shown slowly by a process of its own under a shell with job control.
"""

from __future__ import annotations

import os
import pty
import re
import select
import shlex
import signal
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from buildctl.progress.rawjson import encode_status
from tests.support.program import COMMAND, environment
from tests.support.statuses import vertex

_SECONDS = 15.0


class Desk:
    """A shell on a pseudo-terminal."""

    def __init__(self, folder: Path) -> None:
        saved = [
            vertex("a", 0, 1, name="[1/2] RUN a"),
            vertex("b", 1, name="[2/2] RUN b"),
            vertex("b", 1, 900),
        ]
        (folder / "saved").write_bytes(b"".join(map(encode_status, saved)))
        self.pid, self._master = pty.fork()
        if self.pid == 0:  # pragma: no cover
            os.chdir(folder)
            variables = environment(folder, {"PS1": "ready> ", "TERM": "xterm"}, measured=False)
            os.execve("/bin/bash", ["bash", "--norc", "--noprofile", "--noediting", "-i"], variables)
        self._read = b""
        self.wait_for("ready> ")

    def type(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def wait_for(self, pattern: str) -> str:
        """Read until the pattern; what came up to its end, which is then forgotten."""
        deadline = time.monotonic() + _SECONDS
        while (found := re.search(pattern.encode(), self._read)) is None:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._master], [], [], left)[0]:
                raise AssertionError(f"no {pattern} in {self._read!r}")
            self._read += os.read(self._master, 1 << 16)
        seen, self._read = self._read[: found.end()], self._read[found.end() :]
        return seen.decode(errors="replace")

    def replay(self) -> int:
        """Begin to show the build; the process's id."""
        command = shlex.join([*COMMAND, "replay", "--speed", "1", "saved"])
        self.type(f"sh -c 'echo pid $$; exec \"$@\"' sh {command}; echo code $?\n")
        found = self.wait_for(r"\npid \d+\s")
        self.wait_for("RUN b")
        self.until(lambda: not self.shows_keys())
        return int(found.split()[-1])

    def shows_keys(self) -> bool:
        return bool(termios.tcgetattr(self._master)[3] & termios.ECHO)

    def until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _SECONDS
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def close(self) -> None:
        os.close(self._master)  # a hangup for all of it
        os.waitpid(self.pid, 0)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    if not os.path.exists("/bin/bash"):
        pytest.skip("needs bash")
    one = Desk(tmp_path)
    yield one
    one.close()


def test_ctrl_c_is_no_error_and_has_the_code_of_shells(desk: Desk) -> None:
    desk.replay()
    desk.type("xyz\x03")
    seen = desk.wait_for(r"code \d+")
    assert seen.endswith("code 130")
    assert "\x1b[?25hcanceled\r\n" in seen
    assert "error:" not in seen
    assert "xyz" not in seen
    desk.wait_for("ready> ")
    assert desk.shows_keys()


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 1), pytest.param(signal.SIGQUIT, 131, marks=pytest.mark.long)]
)
def test_other_signals_leave_the_terminal_as_it_was(desk: Desk, number: signal.Signals, code: int) -> None:
    process = desk.replay()
    os.kill(process, number)
    assert f"code {code}" in desk.wait_for(r"code \d+")
    assert desk.shows_keys()


def test_ctrl_z_and_fg(desk: Desk) -> None:
    desk.replay()
    desk.type("\x1a")
    assert "\x1b[?25h" in desk.wait_for("Stopped")  # the cursor is there again
    desk.wait_for("ready> ")
    assert desk.shows_keys()
    desk.type("fg; echo code $?\n")
    desk.wait_for("\r\n")
    desk.wait_for("RUN b")  # drawn anew
    desk.until(lambda: not desk.shows_keys())
    desk.type("\x03")
    assert "code 130" in desk.wait_for(r"code \d+")
    assert desk.shows_keys()
