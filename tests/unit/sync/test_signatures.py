"""Both libraries say the same: names, parameters, defaults and documentation."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

import buildctl.sync
from buildctl.client.client import Client
from buildctl.client.connect import connect
from buildctl.client.gateway.build import Build
from buildctl.client.gateway.container import Container, ContainerMount
from buildctl.client.gateway.process import Pipe, Process, Writer
from buildctl.client.gateway.reference import Reference
from buildctl.client.gateway.result import Result

PAIRS = (
    (Client, buildctl.sync.Client),
    (Build, buildctl.sync.Build),
    (Reference, buildctl.sync.Reference),
    (Result, buildctl.sync.Result),
    (Container, buildctl.sync.Container),
    (ContainerMount, buildctl.sync.ContainerMount),
    (Process, buildctl.sync.Process),
    (Pipe, buildctl.sync.Pipe),
    (Writer, buildctl.sync.Writer),
)
# What is not for users: the command line's ways, messages, and what parts of a build tell each other.
INNER = {
    *(
        "Client.connect.defaults",
        "Reference.message",
        "Build.conclude",
        "Build.take",
        "Container.check",
        "Container.end",
    ),
    *("Container.defaults", "Pipe.put", "Pipe.end", "ContainerMount.message"),
    *(f"Process.{name}" for name in ("check", "take", "fail", "send_file", "end_input", "feed", "is_done")),
}
RENAMED = {"Writer.aclose": "close", "Pipe.__anext__": "", "Pipe.__aiter__": "__iter__"}


def members(kind: type) -> dict[str, Any]:
    return {
        name: value
        for name, value in vars(kind).items()
        if not name.startswith("_") and (callable(value) or isinstance(value, property | classmethod))
    }


def parameters(function: Any, owner: str) -> list[tuple[str, Any, Any]]:
    function = getattr(function, "__func__", function)
    return [
        (one.name, one.kind, one.default)
        for one in list(inspect.signature(function).parameters.values())[1:]
        if f"{owner}.{one.name}" not in INNER
    ]


@pytest.mark.parametrize(("awaited", "plain"), PAIRS, ids=lambda kind: kind.__name__)
def test_methods_are_the_same(awaited: type, plain: type) -> None:
    there = {
        RENAMED.get(f"{awaited.__name__}.{name}", name): value
        for name, value in members(awaited).items()
        if f"{awaited.__name__}.{name}" not in INNER
    }
    here = {name: value for name, value in members(plain).items() if name in there}
    inherited = {name for name in there if hasattr(plain, name)}
    assert inherited == set(there), "what one has the other has"
    for name, function in here.items():
        assert inspect.getdoc(function), f"{plain.__name__}.{name} has no documentation"
        if callable(function) or isinstance(function, classmethod):
            owner = f"{awaited.__name__}.{name}"
            assert parameters(function, owner) == parameters(there[name], owner), owner


def test_the_two_connects() -> None:
    here, there = (
        list(inspect.signature(one).parameters.values()) for one in (buildctl.sync.connect, connect)
    )
    assert [(one.name, one.kind, one.default) for one in here] == [
        (one.name, one.kind, one.default) for one in there
    ]


def test_nothing_awaits() -> None:
    for _, plain in PAIRS:
        for name, function in members(plain).items():
            bare = getattr(function, "__func__", function)
            assert not inspect.iscoroutinefunction(bare), name
            assert "await " not in (inspect.getdoc(bare) or "").replace("without await", ""), name
