"""Every public function is documented: what it does, an example, and what it raises, itself or its class."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import pytest

import buildctl
import buildctl.sync
from tests.unit.sync.test_signatures import INNER

MODULES = (buildctl, buildctl.sync)


def functions() -> Iterator[tuple[str, Any, str]]:
    """Public functions and methods by name, each with the documentation of what it belongs to."""
    for module in MODULES:
        for name in module.__all__:
            value = getattr(module, name)
            if inspect.isfunction(value):
                yield f"{module.__name__}.{name}", value, ""
            elif inspect.isclass(value):
                for method, function in vars(value).items():
                    bare = getattr(function, "__func__", function)
                    is_public = not method.startswith("_") and f"{name}.{method}" not in INNER
                    if inspect.isfunction(bare) and is_public:
                        yield f"{module.__name__}.{name}.{method}", bare, inspect.getdoc(value) or ""


FUNCTIONS = sorted(functions(), key=lambda one: one[0])


@pytest.mark.parametrize(("name", "function", "owner"), FUNCTIONS, ids=[name for name, _, _ in FUNCTIONS])
def test_documented(name: str, function: Any, owner: str) -> None:
    text = inspect.getdoc(function) or ""
    assert text, "it has no documentation"
    short = name.rpartition(".")[2]
    assert f"{short}(" in text or f"{short}(" in owner, "it has no example"


def test_errors_are_told() -> None:
    silent = [
        name
        for name, function, owner in FUNCTIONS
        if "aise" not in (inspect.getdoc(function) or "") + owner and not name.endswith(NEVER_FAIL)
    ]
    assert silent == []


NEVER_FAIL = (
    *("format_excerpt", "format_transfer", "shared_key", "load_docker_config", "SolveError.report"),
    *(
        "DockerConfig.account",
        "DockerConfig.helper",
        "DockerConfig.key",
        "Platform.default",
        "Platform.normalized",
    ),
    "Progress.hide",
)
