"""Pictures of the live display for the README, taken of real builds: `make screenshots`, as root.

Each build runs on one of the tests' Docker Engines (BuildKit 0.13), in a terminal; what that shows at some
moment becomes docs/images/NAME.svg.
"""

from __future__ import annotations

import fcntl
import io
import os
import re
import select
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Callable
from pathlib import Path

from pyte.screens import Char
from rich.console import Console
from rich.style import Style
from rich.text import Text

from tests.support.engines import Engine
from tests.support.packages import ENGINE_26
from tests.support.screen import Terminal

IMAGES = Path(__file__).parent / "images"
WIDTH = 100
_FONT = re.compile(r"@font-face \{.*?\}", re.DOTALL)
"""rich's pictures load a font from the network; the reader's own will do."""

DOCKERFILE = r"""
FROM scratch AS base
COPY busybox /bin/busybox
RUN ["/bin/busybox", "--install", "/bin"]

FROM base AS compiler
RUN for i in $(seq 1 40); do echo "cc -O2 -c src/module_$i.c"; sleep 0.1; done

FROM base AS assets
RUN for i in $(seq 1 35); do printf "\033[36mpacked\033[0m %d of 35\r" $i; sleep 0.1; done

FROM base AS checks
RUN for i in $(seq 1 9); do printf "test_case_%02d \033[32mpassed\033[0m\n" $i; sleep 0.3; done; OUTCOME

FROM base
COPY --from=compiler /bin/true /app/true
COPY --from=assets /bin/true /app/assets
COPY --from=checks /bin/true /app/checks
"""


def main() -> None:
    IMAGES.mkdir(exist_ok=True)
    with Engine(ENGINE_26) as engine:
        take(engine, "true", lambda elapsed, ended: ended)  # the first build fills the cache
        live = take(engine, "true", lambda elapsed, ended: elapsed > 2.6 or ended)
        (IMAGES / "live.svg").write_text(svg(live))
        failed = take(engine, "echo 'test_case_10: no such table'; exit 1", lambda elapsed, ended: ended)
        (IMAGES / "failed.svg").write_text(svg(failed))


def take(engine: Engine, outcome: str, moment: Callable[[float, bool], bool]) -> Terminal:
    """Run the build with `outcome` in one of its steps; the terminal once `moment` has come."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "Dockerfile").write_text(DOCKERFILE.replace("OUTCOME", outcome))
        shutil.copy(engine.busybox, Path(folder, "busybox"))
        argv = [sys.executable, "-m", "buildctl", f"--addr=docker://{engine.socket}", "build"]
        argv += ["--frontend=dockerfile.v0", "--opt=force-network-mode=none"]
        argv += ["--local=context=.", "--local=dockerfile=.", "--opt=no-cache=compiler,assets,checks"]
        return watch(argv, folder, moment)


def watch(argv: list[str], folder: str, moment: Callable[[float, bool], bool]) -> Terminal:
    """The terminal of a command at the moment; the command is ended then."""
    columns, rows = WIDTH, 60
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    variables = {**os.environ, "TERM": "xterm-256color", "PYTHONPATH": str(Path(__file__).parent.parent)}
    variables.pop("NO_COLOR", None)
    terminal = Terminal(columns, rows)
    began = time.monotonic()
    process = subprocess.Popen(argv, cwd=folder, env=variables, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    ended = False
    while not moment(time.monotonic() - began, ended):
        if select.select([ours], [], [], 0.1)[0]:
            try:
                terminal.feed(os.read(ours, 1 << 16))
            except OSError:  # how a terminal says that nobody uses it any more
                ended = True
    process.terminate()
    process.wait()
    os.close(ours)
    return terminal


def svg(terminal: Terminal) -> str:
    """The window, without the empty rows at its end."""
    console = Console(record=True, width=terminal.size[0], file=io.StringIO(), force_terminal=True)
    for y, row in enumerate(terminal.rows):
        line = Text()
        for x in range(len(row)):
            cell = terminal.screen.buffer[y][x]
            line.append(cell.data, style(cell))
        console.print(line)
    return _FONT.sub("", console.export_svg(title="buildctl build", unique_id="screen"))


def style(cell: Char) -> Style:
    color = {"default": None, "brown": "yellow"}.get(cell.fg, cell.fg)
    return Style(color=color, bold=cell.bold)


if __name__ == "__main__":
    main()
