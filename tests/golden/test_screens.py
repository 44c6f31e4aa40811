"""What recorded builds look like on a terminal, as text that a reader can judge.

`screens/CASE.txt` holds, at three sizes and three instants, the screen and below it a map of its colours
(a letter a cell, capitals are bold; see `tests/support/screen.py`). After a wanted change,
`python -m tests.golden.test_screens` writes them anew: read the difference before committing it.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from buildctl.progress.clock import ClientClock
from buildctl.progress.terminal import TerminalOptions
from buildctl.progress.tty import TTYRenderer
from tests.support import replay
from tests.support.screen import Terminal

SCREENS = Path(__file__).parent / "screens"
CASES = (
    "build-ok",
    "build-cached",
    "build-chatty",
    "build-fail",
    "build-parallel",
    "build-lint",
    "build-outline",
    "build-rawjson",
    "build-syntaxerr",
    "build-warnings",
    "v0.8-build-fail",
    "v0.13-build-fail",
    "v0.13-build-warnings",
)
SIZES = ((80, 24), (40, 10), (20, 5))
RESIZED = "build-parallel-resized"


def show(name: str, terminal: Terminal, resized: tuple[int, int] | None = None) -> str:
    """The screens of a build at a third, two thirds and the end; `resized` after the first of them."""
    statuses = replay.load(name).statuses()
    began_ns, ended_ns = statuses[0][0], statuses[-1][0]
    clock = ClientClock(began_ns)
    renderer = TTYRenderer(lambda: terminal.size, TerminalOptions())
    terminal.feed(b"$ buildctl build\r\n")
    shown: list[str] = []
    for third in (1, 2, 3):
        now_ns = began_ns + (ended_ns - began_ns) * third // 3
        while statuses and statuses[0][0] <= now_ns:
            at_ns, status = statuses.pop(0)
            renderer.absorb(clock.adjust(status), at_ns)
            if third < 3:
                terminal.feed(renderer.render(at_ns))
        terminal.feed(renderer.finish(now_ns) if third == 3 else renderer.render(now_ns))
        shown.append(picture(terminal, f"{name}, {third}/3"))
        if third == 1 and resized is not None:
            terminal.resize(*resized)
            shown.append(picture(terminal, "before the next frame"))
    return "".join(shown)


def picture(terminal: Terminal, title: str) -> str:
    width, height = terminal.size
    head = f" {title}, {width}x{height} ".center(width, "=")
    above = terminal.scrollback
    return "\n".join(
        [
            head,
            *above,
            *(["~" * width] if above else []),
            *terminal.rows,
            "-" * width,
            *terminal.colors(),
            "",
            "",
        ]
    )


def screens(name: str) -> str:
    if name == RESIZED:
        return show("build-parallel", Terminal(80, 24, rewraps=True), (50, 16))
    return "".join(show(name, Terminal(*size)) for size in SIZES)


@pytest.mark.parametrize("name", [*CASES, RESIZED])
def test_a_recorded_build_looks_as_it_did(name: str) -> None:
    assert screens(name) == (SCREENS / f"{name}.txt").read_text()


if __name__ == "__main__":
    SCREENS.mkdir(exist_ok=True)
    for case in (*CASES, RESIZED):
        (SCREENS / f"{case}.txt").write_text(screens(case))
