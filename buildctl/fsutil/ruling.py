"""Tells which patterns decide what becomes of a path of a context, and in which folder each took hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from buildctl.fsutil.filter import Filter, Scope


class Hold(NamedTuple):
    """A pattern that matches a path or a folder above it."""

    rule: int
    """The pattern's place in the list."""
    path: str
    """Where it matched first."""


class Ruling(NamedTuple):
    """What becomes of a path."""

    dropped: bool
    """Whether it is left out; a folder that is may still be sent for what is in it (`walked`)."""
    walked: bool
    """Whether a folder is looked into."""
    closed: str
    """The folder above that is not looked into, so that no pattern counts below it; mostly empty."""
    holds: tuple[Hold, ...]
    """The patterns that hold, in their order: the last one decides. None does where it is empty."""


def rule_on(path: str, excludes: Sequence[str], *, is_folder: bool) -> Ruling:
    """What exclude patterns make of a path below the root, as the walk of a transfer would.

    The path is in its shortest form and need not exist. Raises `TransferError` for an invalid pattern.
    """
    choose = Filter((), excludes)
    scope = choose.root
    first: dict[int, str] = {}
    at = 0
    while (at := path.find("/", at + 1)) >= 0:
        folder = path[:at]
        decision = choose.folder(folder, scope)
        scope = _note(decision.scope, folder, first)
        if not decision.walked:
            return Ruling(True, False, folder, _holds(scope, first))
    if is_folder:
        decision = choose.folder(path, scope)
        scope = _note(decision.scope, path, first)
        return Ruling(not decision.kept, decision.walked, "", _holds(scope, first))
    dropped, held = choose.excludes(path, scope)
    scope = _note(Scope(scope.includes, held), path, first)
    return Ruling(dropped, False, "", _holds(scope, first))


def _note(scope: Scope, path: str, first: dict[int, str]) -> Scope:
    for index in scope.excludes:
        first.setdefault(index, path)
    return scope


def _holds(scope: Scope, first: dict[int, str]) -> tuple[Hold, ...]:
    return tuple(Hold(index, first[index]) for index in scope.excludes)
