"""The grammar of urfave/cli v3 as the reference was seen to follow it, on a small command tree of its own."""

from __future__ import annotations

import sys
import types
from typing import Any

import click
import pytest

from buildctl.cli.app import App
from buildctl.cli.environment import Environment
from buildctl.cli.grammar import BOOL, DURATION, INT, Command, Group, flag
from buildctl.errors import FlagError, UnknownTopicError, UsageError

SEEN: dict[str, Any] = {}


@click.command("work", cls=Command)
@flag("--filter", "-f", "filters", multiple=True)
@flag("--verbose", "-v", type=BOOL)
@flag("--name")
@flag("--keep-duration", type=DURATION)
@click.pass_context
def work(ctx: click.Context, /, **params: Any) -> None:
    """Remember what came."""
    SEEN.update(params, args=ctx.args, root=ctx.find_root().params)


@click.group("prog", cls=Group, lazy={"work": ("tests_grammar_work", "work")}, aliases={"w": "work"})
@flag("--addr")
@flag("--timeout", type=INT, default=5)
@flag("--debug", type=BOOL)
@flag("--version", "-v", type=BOOL, local=True)
def prog(**params: Any) -> None:
    """Do nothing."""


@pytest.fixture(autouse=True)
def _module(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("tests_grammar_work")
    module.command = work  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tests_grammar_work", module)
    SEEN.clear()


def run(*words: str) -> dict[str, Any]:
    ctx = prog.make_context("prog", list(words), obj=App(Environment()))
    with ctx:
        ctx.command.invoke(ctx)
    return SEEN


def test_defaults() -> None:
    seen = run("work")
    assert seen["filters"] == ()
    assert seen["verbose"] is False
    assert seen["name"] == ""
    assert seen["keep_duration"] == 0
    assert seen["root"] == {"addr": "", "timeout": 5, "debug": False, "version": False}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--name", "x"], {"name": "x"}),
        (["-name", "x"], {"name": "x"}),
        (["--name=x"], {"name": "x"}),
        (["-name=a=b"], {"name": "a=b"}),
        (["--name="], {"name": ""}),
        (["--name", "--verbose"], {"name": "--verbose", "verbose": False}),
        (["--name", ""], {"name": ""}),
        (["-v"], {"verbose": True}),
        (["--verbose=false"], {"verbose": False}),
        (["--verbose="], {"verbose": True}),
        (["--verbose", "false"], {"verbose": True, "args": ["false"]}),
        (["-f", "a,b", "--filter=c", "-f=d"], {"filters": ("a,b", "c", "d")}),
        (["x", "-v", "y"], {"verbose": True, "args": ["x", "y"]}),
        (["--", "-v", "x"], {"verbose": False, "args": ["-v", "x"]}),
        (["-", "-v", "x"], {"verbose": False, "args": ["-"]}),
        (["-5", "-v"], {"verbose": False, "args": ["-5", "-v"]}),
        ([" -v "], {"verbose": True}),
        (["", "x"], {"args": ["", "x"]}),
        (["--keep-duration", "1m"], {"keep_duration": 60_000_000_000}),
    ],
)
def test_forms(words: list[str], expected: dict[str, Any]) -> None:
    seen = run("work", *words)
    assert {key: seen[key] for key in expected} == expected


def test_alias() -> None:
    assert run("w", "--name", "x")["name"] == "x"


@pytest.mark.parametrize(
    "words",
    [["--addr", "x", "work"], ["work", "--addr", "x"], ["-addr=x", "work"], ["work", "y", "-addr", "x"]],
)
def test_global_flags_stand_anywhere(words: list[str]) -> None:
    assert run(*words)["root"]["addr"] == "x"


def test_a_command_s_own_flag_hides_the_global_one() -> None:
    seen = run("work", "-v")
    assert seen["verbose"] is True
    assert seen["root"]["version"] is False


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--nope"], "flag provided but not defined: -nope"),
        (["work", "--nope=x"], "flag provided but not defined: -nope"),
        (["work", "-vf"], "flag provided but not defined: -vf"),
        (["work", "-ftype==x"], "flag provided but not defined: -ftype"),
        (["work", "--version"], "flag provided but not defined: -version"),
        (["work", "--name"], "flag needs an argument: --name"),
        (["work", "-f"], "flag needs an argument: -f"),
        (["work", "--verbose=maybe"], 'invalid value "maybe" for flag -verbose: parse error'),
        (["work", "-v=maybe"], 'invalid value "maybe" for flag -v: parse error'),
        (
            ["--timeout", "abc"],
            'invalid value "abc" for flag -timeout: strconv.ParseInt: parsing "abc": invalid syntax',
        ),
        (
            ["work", "--keep-duration", "5x"],
            'invalid value "5x" for flag -keep-duration: time: unknown unit "x" in duration "5x"',
        ),
    ],
)
def test_bad_flags(words: list[str], message: str) -> None:
    with pytest.raises(FlagError) as caught:
        run(*words)
    assert str(caught.value) == message


@pytest.mark.parametrize("words", [["frob"], ["-"], ["frob", "work"], ["help", "frob"]])
def test_unknown_topics(words: list[str]) -> None:
    with pytest.raises(UnknownTopicError) as caught:
        run(*words)
    assert str(caught.value) == f"No help topic for '{words[-1] if words[0] == 'help' else words[0]}'"


def test_help_of_what_does_not_exist_fails_otherwise_by_flag_than_by_word() -> None:
    with pytest.raises(UsageError) as caught:
        run("--help", "frob")
    assert str(caught.value) == "No help topic for 'frob'"
    with pytest.raises(FlagError) as refused:
        run("work", "--help=maybe")
    assert str(refused.value) == 'invalid value "maybe" for flag -help: parse error'
