"""Stacks for --debug: the daemon's, without what repeats, and ours."""

from __future__ import annotations

import os
import re
from typing import Any

from buildctl import __version__
from buildctl.cli.stacks import format_stacks
from buildctl.errors import BuildctlError, Code, ErrorDetail, RPCError

OURS = f"{os.getpid()} v{__version__} buildctl du\n"


def stack(*names: str, **more: Any) -> ErrorDetail:
    frames = [{"Name": name, "File": f"/src/{name}.go", "Line": number} for number, name in enumerate(names)]
    value = {"frames": frames, "cmdline": ["buildkitd", "--debug"], "pid": 7, "version": "v0.1", **more}
    return ErrorDetail("stack.Stack", value)


def failing(*details: ErrorDetail) -> RPCError:
    try:
        raise RPCError(Code.NOT_FOUND, "gone", details=details)
    except RPCError as error:
        return error


def test_our_own_stack_comes_from_where_it_was_raised() -> None:
    text = format_stacks(failing(), ["du"])
    place = re.escape(__file__)
    assert re.fullmatch(re.escape(OURS) + rf"{re.escape(__name__)}\.failing\n\t{place}:\d+\n\n", text)


def test_an_error_that_was_never_raised() -> None:
    assert format_stacks(BuildctlError("x"), ["du"]) == OURS + "\n"


def test_the_daemon_s_stack_comes_first() -> None:
    text = format_stacks(failing(stack("a", "b")), ["du"])
    assert text.startswith("7 v0.1 buildkitd --debug\na\n\t/src/a.go:0\nb\n\t/src/b.go:1\n\n" + OURS)


def test_what_a_longer_stack_shows_is_not_repeated() -> None:
    long = stack("a", "b", "c")
    tail = ErrorDetail("stack.Stack", {**long.value, "frames": long.value["frames"][1:]})
    branch = dict(long.value, frames=[{"Name": "x", "File": "/x", "Line": 9}, *long.value["frames"][1:]])
    text = format_stacks(failing(tail, long, ErrorDetail("stack.Stack", branch)), ["du"])
    assert [line for line in text.splitlines() if re.fullmatch("[a-z]", line)] == ["a", "b", "c", "x", "b"]


def test_stacks_of_other_processes_are_kept() -> None:
    text = format_stacks(failing(stack("a", pid=1), stack("a", pid=2)), ["du"])
    assert text.count("\na\n") == 2


def test_a_hostile_stack_says_nothing() -> None:
    odd = stack(frames=[3, {"Name": 5, "File": None, "Line": "x"}], cmdline=9, pid="x", version=[])
    assert format_stacks(failing(odd), ["du"]).startswith("0  \n\n\t:0\n\n")
    other = ErrorDetail("errdefs.Vertex", stack("a").value)
    assert format_stacks(failing(other), ["du"]).startswith(OURS)
