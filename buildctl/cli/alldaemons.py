"""`--all-daemons`: a command that asks each daemon of an address that is several, with a column for which.

It is not called `--all`, for `prune --all` means all records.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from buildctl.cli.grammar import BOOL, flag
from buildctl.errors import BuildctlError

if TYPE_CHECKING:
    from buildctl.cli.app import App
    from buildctl.client.client import Client
    from buildctl.template.values import Value

T = TypeVar("T")

all_daemons_flag = flag(
    "--all-daemons",
    "all_daemons",
    type=BOOL,
    help="Ask each of several daemons; a column says which. Templates get .Daemon and .Answer.",
)


async def ask_all(app: App, ask: Callable[[Client], Awaitable[T]]) -> list[tuple[str, T]]:
    """What each daemon answers, by its address, all asked at once.

    What fails is said; raises `BuildctlError` where no daemon answers.
    """
    import asyncio  # which takes long to load

    from buildctl.transport.discovery import choose_address
    from buildctl.transport.pool.members import find_members

    variables = app.environment.variables
    address, notice = choose_address(app.flags.addr, variables, takes_words=True)
    if notice:
        app.output.say(notice + "\n")
    members = await find_members(address, variables)

    async def one(number: int) -> T:
        async with app.connect(members[number]) as client:
            return await ask(client)

    found = await asyncio.gather(*map(one, range(len(members))), return_exceptions=True)
    answers: list[tuple[str, T]] = []
    for member, answer in zip(members, found, strict=True):
        if isinstance(answer, BuildctlError):
            app.output.say(f"{member.text}: {answer}\n")
        elif isinstance(answer, BaseException):
            raise answer
        else:
            answers.append((member.text, answer))
    app.missing = len(members) - len(answers)
    if not answers:
        raise BuildctlError(f"none of {len(members)} daemons answered")
    return answers


def check_complete(app: App) -> None:
    """Raise `BuildctlError` where a daemon did not answer, once what the others said is written."""
    if app.missing:
        raise BuildctlError(f"{app.missing} of the daemons did not answer")


def daemon_answer(name: str, answer: Value) -> Value:
    """What a template gets of one daemon: `.Daemon` and `.Answer`."""
    from buildctl.template.values import STRING, Field, GoType, Kind, Value

    kind = GoType(
        "buildctl.DaemonAnswer",
        Kind.STRUCT,
        fields=(
            Field("Daemon", STRING, lambda pair: pair[0], "daemon"),
            Field("Answer", answer.type, lambda pair: pair[1], "answer"),
        ),
    )
    return Value(kind, (name, answer.data))


def daemon_answers(answers: Sequence[tuple[str, Value]]) -> Value:
    """What a template gets of all daemons, for a command whose template is written once."""
    from buildctl.template.values import Value, slice_of

    values = [daemon_answer(name, answer) for name, answer in answers]
    return Value(slice_of(values[0].type), [value.data for value in values])
