"""Hostile words in reach of Tab: names in a Dockerfile, files, what a daemon says. Tab and Enter run nothing.

Each shell completes every line below, and runs what stands there then. A word that was taken for code would
have made a file called `pwned`. PowerShell is not to be had here: its script offers the same words only and
quotes names of files, which `test_powershell_quotes` reads in its text.
"""

from __future__ import annotations

import fcntl
import os
import pty
import shutil
import subprocess
import termios
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.support import packages
from tests.support.debian import UnavailableError
from tests.support.shells import install_shared_data

ROOT = Path(__file__).parents[2]
CODE = (
    "$(touch${IFS}pwned)",
    "`touch${IFS}pwned`",
    "(touch\tpwned)",
    "x$(touch${IFS}pwned)",
    "x;touch${IFS}pwned;",
    "x&touch${IFS}pwned&",
    "x|touch${IFS}pwned",
    "x>pwned",
    "<(touch${IFS}pwned)",
    "'$(touch${IFS}pwned)",
    '"$(touch${IFS}pwned)',
    "'\"'$(touch${IFS}pwned)",
    "\\$(touch${IFS}pwned)",
    "${x:=$(touch${IFS}pwned)}",
    "$[$(touch${IFS}pwned)]",
    "{x,$(touch${IFS}pwned)}",
    "x\r$(touch${IFS}pwned)",
    "x\x1b[A$(touch${IFS}pwned)",
    "!touch",
    "~$(touch${IFS}pwned)",
    "*",
    "-x$(touch${IFS}pwned)",
)
LINES = (
    "buildctl build --local dockerfile=w{n} --opt target=",
    "buildctl build --local dockerfile=w{n} --opt=target=",
    "buildctl build --local dockerfile=w{n} --opt build-arg:",
    "buildctl --addr tcp://{n} debug logs ",
    "buildctl --addr tcp://{n} debug workers -f id==",
    "buildctl build --metadata-file f{n}/",
    "buildctl build --output type=local,dest=f{n}/",
    "buildctl build --local dockerfile=f{n} --opt filename=",
    "buildctl build --local context=d{n}/",
    'buildctl build --local dockerfile=w{n} --opt "target=',
    "buildctl build --local dockerfile=w{n} --opt 'target=",
    'buildctl build --metadata-file "f{n}/',
    "buildctl build --metadata-file 'f{n}/",
)
SOON = LINES[0], LINES[3], LINES[5], LINES[6]

RECORDER = """\
#!/bin/sh
echo "$0" "$@" >> {log}
case "$*" in *"tcp://"*"__complete "*) cat {words}/"${{2#tcp://}}" ;; esac
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`context` to be in, `bin` on the PATH, and `prefix` with the completions."""
    place = tmp_path_factory.mktemp("hostile")
    context, programs = place / "context", place / "bin"
    context.mkdir()
    programs.mkdir()
    install_shared_data(place / "prefix")
    (place / "words").mkdir()
    for number, word in enumerate(CODE):
        for kind in "wfd":
            (context / f"{kind}{number}").mkdir()
        (context / f"w{number}" / "Dockerfile").write_text(f"FROM scratch AS {word}\nARG {word}=1\n")
        (context / f"f{number}" / word).touch()
        (context / f"d{number}" / word).mkdir()
        (place / "words" / str(number)).write_text(f"{word}\n")
    (place / "words" / "good").write_text("xgood\n")
    program = programs / "buildctl"
    program.write_text(RECORDER.format(log=place / "log", words=place / "words"))
    program.chmod(0o755)
    return place


class Terminal:
    """A shell at a terminal; `run` types keys, and returns when the shell has done all before a mark."""

    def __init__(self, argv: list[str], environment: dict[str, str], place: Path) -> None:
        self._keys, theirs = pty.openpty()
        self._marks = place / "marks"
        self._marks.write_text("")
        self._count = 0
        variables = {"PATH": f"{place}/bin:/usr/bin:/bin", "TERM": "xterm", **environment}
        self._process = subprocess.Popen(
            argv,
            env={**variables, "MARKS": str(self._marks)},
            cwd=place / "context",
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(theirs)
        self.screen = b""
        threading.Thread(target=self._drain, daemon=True).start()
        self.run("")

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._keys)

    def run(self, keys: str) -> None:
        """What is left unfinished, such as an open quote, is dropped with Ctrl-C."""
        os.write(self._keys, keys.encode())
        deadline = time.monotonic() + 40
        while True:
            os.write(self._keys, b" printf x >> $MARKS\r")
            until = time.monotonic() + 5
            while self._marks.stat().st_size == self._count and time.monotonic() < until:
                time.sleep(0.002)
            if self._marks.stat().st_size > self._count:
                break
            assert time.monotonic() < deadline, self.screen[-2000:]
            os.write(self._keys, b"\x03")
            time.sleep(0.1)
        self._count = self._marks.stat().st_size

    def _drain(self) -> None:
        try:
            while data := os.read(self._keys, 1 << 16):
                self.screen += data
                if b"\x1b[c" in data or b"\x1b[0c" in data:  # fish asks what terminal this is
                    os.write(self._keys, b"\x1b[?62c")
        except OSError:
            pass


def bash(place: Path) -> Terminal:
    rc = place / "bashrc"
    rc.write_text(
        f". {packages.shells().tree}/usr/share/bash-completion/bash_completion\n"
        "bind 'set completion-query-items 0'\nbind 'set page-completions off'\n"
    )
    argv = ["bash", "--noprofile", "--rcfile", str(rc), "-i"]
    return Terminal(argv, {"XDG_DATA_DIRS": f"{place}/prefix/share", "HOME": str(place)}, place)


def zsh(place: Path) -> Terminal:
    tree = packages.shells().tree
    (place / ".zshenv").write_text(
        f"module_path=({tree}/usr/lib/*/zsh/*(N))\n"
        f"fpath=({place}/prefix/share/zsh/site-functions {tree}/usr/share/zsh/functions/**/*(N/))\n"
    )
    (place / ".zshrc").write_text(
        "setopt no_beep\nautoload -Uz compinit && compinit -D -u\nLISTMAX=100000\n"
        "bindkey '^Xm' menu-complete\n_all() { compstate[insert]=all }\n"
        "zle -C insert-all complete-word _generic\nzstyle ':completion:insert-all:*' completer _all_matches\n"
        "bindkey '^Xi' menu-complete\n"
    )
    return Terminal(
        [str(tree / "bin" / "zsh"), "-d", "-i"], {"ZDOTDIR": str(place), "HOME": str(place)}, place
    )


def fish(place: Path) -> Terminal:
    programs = packages.shells()
    home = place / "fish"
    if home.exists():
        shutil.rmtree(home)
    (home / "bin").mkdir(parents=True)
    (home / "etc").symlink_to(programs.tree / "etc")
    (home / "share").symlink_to(programs.tree / "usr" / "share")
    config = home / ".config" / "fish"
    config.mkdir(parents=True)
    (config / "config.fish").write_text("bind \\cxi complete\nbind \\cxm complete\nset -g fish_greeting\n")
    program = shutil.copy(programs.tree / "usr/bin/fish", home / "bin")
    environment = {
        "LD_LIBRARY_PATH": programs.library_path,
        "XDG_DATA_DIRS": f"{place}/prefix/share",
        "HOME": str(home),
    }
    return Terminal([str(program), "-i"], environment, place)


@pytest.mark.parametrize("start", [bash, zsh, fish])
@pytest.mark.parametrize(
    ("lines", "words"),
    [(SOON, CODE[:7:2]), pytest.param(LINES, CODE, marks=[pytest.mark.long, pytest.mark.timeout(600)])],
    ids=["some", "all"],
)
def test_tab_and_enter_run_nothing(
    place: Path, start: Callable[[Path], Terminal], lines: Sequence[str], words: Sequence[str]
) -> None:
    try:
        packages.shells()
    except UnavailableError as missing:
        pytest.skip(str(missing))
    log = place / "log"
    log.unlink(missing_ok=True)
    shell = start(place)
    try:
        for line in (line.format(n=CODE.index(word)) for word in words for line in lines):
            quote = next((sign for sign in "'\"" if line.count(sign) % 2), "")
            shell.run(f"{line}\t{quote}\r")
            assert not list(place.rglob("pwned")), line
        assert log.read_text().count("__complete") >= len(words)
        log.unlink()
        shell.run("buildctl --addr tcp://good debug logs x\t\r")  # what is harmless is completed
        assert log.read_text().splitlines()[-1].endswith("debug logs xgood")
    finally:
        shell.close()
        (place / "context" / "pwned").unlink(missing_ok=True)


def test_powershell_quotes() -> None:
    """Of its script only the text can be looked at: there is no PowerShell among Debian's packages."""
    script = (ROOT / "completions" / "buildctl.ps1").read_text()
    assert "AS\\s+([a-z][a-z0-9_.-]*)\\s*$" in script
    assert "^[A-Za-z0-9][A-Za-z0-9._-]*$" in script
    assert "EscapeSingleQuotedStringContent($text)" in script
