"""Where an error comes from, for `--debug`: the stacks that the daemon attached to it, and our own.

Form and selection: util/stack/stack.go and compress.go.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from buildctl import __version__
from buildctl.errors import ErrorDetail, RPCError, SolveError

_STACK = "stack.Stack"


@dataclass(frozen=True)
class Frame:
    """A call: the function, and the place it had come to."""

    function: str
    file: str
    line: int


@dataclass(frozen=True)
class Stack:
    """The calls of one process, innermost first."""

    pid: int
    version: str
    command: tuple[str, ...]
    frames: tuple[Frame, ...]


def format_stacks(error: BaseException, arguments: Sequence[str]) -> str:
    """Each stack as a line of its process, two lines a call, and an empty line."""
    details = error.details if isinstance(error, RPCError | SolveError) else ()
    stacks = [stack for detail in details if (stack := _attached(detail))]
    stacks.append(_own(error, arguments))
    lines: list[str] = []
    for stack in _without_repetition(stacks):
        lines.append(f"{stack.pid} {stack.version} {' '.join(stack.command)}")
        lines += (f"{frame.function}\n\t{frame.file}:{frame.line}" for frame in stack.frames)
        lines.append("")
    return "".join(f"{line}\n" for line in lines)


def _own(error: BaseException, arguments: Sequence[str]) -> Stack:
    calls = [
        Frame(
            f"{frame.f_globals.get('__name__', '')}.{frame.f_code.co_qualname}",
            frame.f_code.co_filename,
            line,
        )
        for frame, line in traceback.walk_tb(error.__traceback__)
    ]
    return Stack(os.getpid(), f"v{__version__}", ("buildctl", *arguments), tuple(reversed(calls)))


def _attached(detail: ErrorDetail) -> Stack | None:
    """The stack that a detail holds; what is not of its shape is left out."""
    if detail.type_name != _STACK:
        return None
    value = detail.value
    frames = tuple(
        Frame(_text(frame.get("Name")), _text(frame.get("File")), _number(frame.get("Line")))
        for frame in _list(value.get("frames"))
        if isinstance(frame, dict)
    )
    command = tuple(map(_text, _list(value.get("cmdline"))))
    return Stack(_number(value.get("pid")), _text(value.get("version")), command, frames)


def _without_repetition(stacks: list[Stack]) -> Iterator[Stack]:
    """The stacks, longest first, without the outer calls that an earlier one of the same process shows."""
    shown: list[Stack] = []
    for stack in sorted(stacks, key=lambda stack: -len(stack.frames)):
        shared = max((_shared(stack, other) for other in shown), default=0)
        if shown and shared == len(stack.frames):
            continue
        keep = len(stack.frames) - max(shared - 1, 0)  # the call where they part is shown again
        shown.append(Stack(stack.pid, stack.version, stack.command, stack.frames[:keep]))
        yield shown[-1]


def _shared(one: Stack, other: Stack) -> int:
    """How many of the outermost calls are the same."""
    if (one.pid, one.version, one.command) != (other.pid, other.version, other.command):
        return 0
    count = 0
    for left, right in zip(reversed(one.frames), reversed(other.frames), strict=False):
        if left != right:
            break
        count += 1
    return count


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _number(value: Any) -> int:
    return value if isinstance(value, int) else 0


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
