"""Makes methods that wait of methods that are awaited, with their signature and documentation."""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from buildctl.sync.portal import Waiting, call, iterate

P = ParamSpec("P")
T = TypeVar("T")
A = TypeVar("A")

_WORDS = (("await ", ""), ("async with", "with"), ("async for", "for"), ("async def", "def"))


class Facade(Protocol):
    """An object in front of one whose methods are awaited."""

    @property
    def _awaited(self) -> Any: ...


def waits(
    method: Callable[Concatenate[A, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[Any, P], T]:
    """The method of a `Facade`; functions given as `on_…` run in the thread that calls it."""
    signature = inspect.signature(method)
    sinks = [name for name in signature.parameters if name.startswith("on_")]

    @functools.wraps(method)
    def wait(self: Facade, /, *args: P.args, **kwargs: P.kwargs) -> T:
        waiting: Waiting = getattr(self, "_waiting", None) or Waiting()
        if sinks:
            bound = signature.bind(self._awaited, *args, **kwargs)
            for name in sinks:
                if callable(function := bound.arguments.get(name)):
                    bound.arguments[name] = waiting.posted(function)
            return call(method(*bound.args, **bound.kwargs), waiting)
        return call(method(self._awaited, *args, **kwargs), waiting)

    return _described(wait, method)


def iterates(
    method: Callable[Concatenate[A, P], AsyncIterator[T]],
) -> Callable[Concatenate[Any, P], Iterator[T]]:
    """The method of a `Facade` that gives a plain generator."""

    @functools.wraps(method)
    def each(self: Facade, /, *args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
        return iterate(method(self._awaited, *args, **kwargs), getattr(self, "_waiting", None))

    return _described(each, method)


F = TypeVar("F", bound=Callable[..., Any])


def _described(made: F, method: Callable[..., Any]) -> F:
    """Give it the method's signature and its documentation, in words for code that does not await."""
    text = method.__doc__ or ""
    for word, plain in _WORDS:
        text = text.replace(word, plain)
    made.__doc__ = text
    return made
