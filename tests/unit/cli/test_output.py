"""The one door for text: what a terminal, a CI service and a pipe are given of the same hostile words."""

from __future__ import annotations

import os
import pty
import threading
import tty
from collections.abc import Callable
from pathlib import Path

import pytest

from buildctl.cli.environment import Environment
from buildctl.cli.output import Output
from buildctl.cli.table import align_tabs
from tests.support.ci_logs import READERS

HOSTILE = (
    "a\x1b[2J\x1b]0;title\x07\x1b]52;c;aGk=\x1b\\\x1bPq#0\x1b\\\x9b31m\x9d0;t\x9c"
    "\u202eb\u200b\x08\x7f\r\x00c\x1b"
)
COMMANDS = (
    "::error::x\r::set-env name=a::b\n##vso[task.setvariable]x\n\x1b[1m##teamcity[x]\n"
    "--- x\nsection_start:1:x\n"
)


def printed(write: Callable[[Output], None], *, terminal: bool = False, **variables: str) -> tuple[str, str]:
    """What arrives on standard output and on standard error."""
    ends = [pty.openpty() if terminal else os.pipe() for _ in range(2)]
    found = [b"", b""]

    def read(number: int, descriptor: int) -> None:
        try:
            while data := os.read(descriptor, 1 << 16):
                found[number] += data
        except OSError:  # a terminal that was closed
            pass

    for _, sink in ends if terminal else ():
        tty.setraw(sink)
    threads = [threading.Thread(target=read, args=(n, end[0])) for n, end in enumerate(ends)]
    for thread in threads:
        thread.start()
    output = Output(Environment(variables, stdout=ends[0][1], stderr=ends[1][1]))
    write(output)
    output.flush()
    for end in ends:
        os.close(end[1])
    for thread, end in zip(threads, ends, strict=True):
        thread.join()
        os.close(end[0])
    return found[0].decode("utf-8", "surrogateescape"), found[1].decode("utf-8", "surrogateescape")


def everything(output: Output) -> None:
    output.write(HOSTILE + "\n")
    output.write_lines([HOSTILE + "\nnext"])
    output.write_table([(HOSTILE + "\tx\ny", "z")], align_tabs)
    output.write_content(HOSTILE.encode())
    output.say(HOSTILE + "\n")


def test_nothing_is_obeyed_on_a_terminal() -> None:
    for text in printed(everything, terminal=True):
        assert text
        assert all(character in "\n\t" or character.isprintable() for character in text)
    stdout, _ = printed(everything, terminal=True)
    _, line, row, content = stdout.split("\n")
    assert line.endswith("next")
    assert row.endswith("x y\tz")
    assert content.startswith("a")


def test_a_pipe_gets_every_byte() -> None:
    stdout, stderr = printed(lambda output: output.write(HOSTILE + "\udcff"))
    assert (stdout, stderr) == (HOSTILE + "\udcff", "")
    assert printed(lambda output: output.write_lines([HOSTILE]))[0] == HOSTILE + "\n"
    assert printed(lambda output: output.say(HOSTILE))[1] == HOSTILE


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize("service", READERS)
def test_nothing_is_a_command_in_a_ci_service(size: int, terminal: bool, service: str) -> None:
    def write(output: Output) -> None:
        for start in range(0, len(COMMANDS), size):
            output.write(COMMANDS[start : start + size])
        output.say(COMMANDS)

    for text in printed(write, terminal=terminal, GITHUB_ACTIONS="true"):
        log = READERS[service](text.replace("\r", "\n") if service == "gitlab" else text)
        assert not log.sections
        assert not log.annotations
        assert not log.other_commands
        assert "vso[task.setvariable]x" in text


def test_content_for_programs_is_left_as_it_is_in_ci() -> None:
    assert (
        printed(lambda output: output.write_content(COMMANDS.encode()), GITHUB_ACTIONS="true")[0] == COMMANDS
    )


def test_secrets_are_hidden_on_both_streams_and_in_tables() -> None:
    def write(output: Output) -> None:
        output.masker.learn(b"sesame-open")
        output.write("a sesame-open\n")
        output.write_table([("sesame-open",)], align_tabs)
        output.say("error: \x1b[1mses\x1b[0mame-open\n")

    for terminal in (False, True):
        text = "".join(printed(write, terminal=terminal))
        assert "sesame" not in text
        assert text.count("***") == 3


def test_a_line_that_is_not_whole_comes_at_the_end() -> None:
    assert printed(lambda output: output.write("no newline"), GITHUB_ACTIONS="true")[0] == "no newline"
    assert printed(lambda output: output.write("caf\u00e9".encode()[:-1]), terminal=True)[0] == "caf\ufffd"


def test_characters_may_be_cut_anywhere() -> None:
    def write(output: Output) -> None:
        for byte in "caf\u00e9 \x1b[31mx \u2713\r\n".encode():
            output.write(bytes((byte,)))

    assert printed(write, terminal=True)[0] == "caf\u00e9 x \u2713\n"


def test_a_line_without_end_is_not_kept() -> None:
    def write(output: Output) -> None:
        for _ in range(40):
            output.write(" " * 5000)
        output.write("::error::x\n" + "x" * 200_000 + "::y\n")

    text = printed(write, GITHUB_ACTIONS="true")[0]
    assert ": :error" in text
    assert "x" * 200_000 + "::y" in text.replace(" ", "")


def test_full_and_closed_streams(tmp_path: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        output = Output(Environment({}, stdout=full.fileno(), stderr=full.fileno()))
        output.say("nobody can be told\n")
        with pytest.raises(Exception, match="write /dev/stdout: no space left on device"):
            output.write("x")
