"""tmux as an independent judge of what bytes do to a terminal."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from tests.support import packages

_SECONDS = 10.0


class Tmux:
    """A server of its own, Debian's; each window shows the bytes of one file. Raises `UnavailableError`."""

    def __init__(self, folder: Path, width: int, height: int) -> None:
        programs = packages.tmux()
        self._folder = folder
        program = str(programs.tree / "usr/bin/tmux")
        self._argv = [program, "-u", "-f", "/dev/null", "-S", str(folder / "tmux")]
        self._variables = {**os.environ, "LD_LIBRARY_PATH": programs.library_path}
        self._new = ["new-session", "-d", "-x", str(width), "-y", str(height)]

    def show(self, data: bytes) -> str:
        """A new window that has been sent `data`; its id. Raises `TimeoutError`."""
        file, done = self._folder / "data", self._folder / "done"
        file.write_bytes(data)
        done.unlink(missing_ok=True)
        # Nothing is echoed, and an end of the program would end the window.
        command = f"stty -echo -onlcr; cat {file}; touch {done}; exec sleep 1000"
        window = self.ask(*self._new, "-P", "-F", "#{pane_id}", command)
        deadline = time.monotonic() + _SECONDS
        while not done.exists():
            if time.monotonic() > deadline:
                raise TimeoutError("tmux did not take the bytes")
            time.sleep(0.01)
        time.sleep(0.1)  # what was written to the terminal, the server still has to read
        return window

    def run(self, command: str) -> str:
        """A new window in which a shell runs `command` and then waits; its id."""
        return self.ask(*self._new, "-P", "-F", "#{pane_id}", f"{command}; exec sleep 1000")

    def type(self, window: str, *keys: str) -> None:
        """Type text and keys, such as `Enter` and `C-c`."""
        self.ask("send-keys", "-t", window, *keys)

    def resize(self, window: str, width: int, height: int) -> None:
        self.ask("resize-window", "-t", window, "-x", str(width), "-y", str(height))

    def await_text(self, window: str, text: str, seconds: float = _SECONDS) -> list[str]:
        """The rows once `text` is in one of them. Raises `TimeoutError` with the rows."""
        deadline = time.monotonic() + seconds
        rows = self.rows(window)
        while not any(text in row for row in rows):
            if time.monotonic() > deadline:
                raise TimeoutError(f"no {text!r} in\n" + "\n".join(rows))
            time.sleep(0.05)
            rows = self.rows(window)
        return rows

    def rows(self, window: str) -> list[str]:
        """What is in the window, without blanks at the ends of rows or below."""
        rows = [row.rstrip() for row in self.ask("capture-pane", "-p", "-t", window).split("\n")]
        while rows and not rows[-1]:
            rows.pop()
        return rows

    def state(self, window: str, name: str) -> str:
        """One of tmux's formats, such as `pane_title` or `cursor_flag`."""
        return self.ask("display-message", "-p", "-t", window, f"#{{{name}}}")

    def ask(self, *arguments: str) -> str:
        done = subprocess.run(
            [*self._argv, *arguments], env=self._variables, capture_output=True, text=True, check=True
        )
        return done.stdout.rstrip("\n")


@contextlib.contextmanager
def tmux(folder: Path, width: int, height: int) -> Iterator[Tmux]:
    """A tmux server until the block ends."""
    server = Tmux(folder, width, height)
    try:
        yield server
    finally:
        with contextlib.suppress(subprocess.CalledProcessError):  # nothing was shown yet
            server.ask("kill-server")
