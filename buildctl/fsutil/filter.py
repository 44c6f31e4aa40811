"""Which paths of a tree are sent: include and exclude patterns over a walk (fsutil's filter.go).

A path is kept when an include pattern matches it, if there are any, and no exclude pattern does. A folder
that is dropped is still walked where something below may be kept.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from buildctl.errors import TransferError
from buildctl.fsutil.glob import PatternError
from buildctl.fsutil.patterns import ROOT, Inherited, Kind, Matcher, Pattern


class Scope(NamedTuple):
    """What a folder hands down to all below it."""

    includes: Inherited
    excludes: Inherited


class Decision(NamedTuple):
    """What becomes of a folder."""

    kept: bool
    walked: bool
    scope: Scope


class Filter:
    """Decides for folders, and for everything else, in the order of a walk. Raises `TransferError`."""

    root = Scope(ROOT, ROOT)

    def __init__(self, includes: Sequence[str] = (), excludes: Sequence[str] = ()) -> None:
        self._includes = _matcher("include", includes)
        self._excludes = _matcher("exclude", excludes)
        self._may_include: Callable[[str], bool] = _never
        self._may_except: Callable[[str], bool] = _never
        if self._includes is not None:
            self._may_include = _below(p for p in self._includes.patterns if not p.exclusion)
        if self._excludes is not None:
            self._may_except = _below(p for p in self._excludes.patterns if p.exclusion)

    @property
    def keeps_all(self) -> bool:
        """Whether there is nothing to decide."""
        return self._includes is None and self._excludes is None

    def folder(self, path: str, scope: Scope) -> Decision:
        """What becomes of the folder at `path`, below one with `scope`."""
        kept = walked = True
        included, excluded = scope
        if self._includes is not None:
            try:
                kept, included = self._includes.match(path, included)
            except PatternError as error:
                raise _failed("include", error) from error
            walked = kept or self._may_include(path)
        if self._excludes is not None and walked:
            dropped, excluded = self.excludes(path, scope)
            if dropped:
                kept = False
                walked = self._may_except(path)
        return Decision(kept, walked, Scope(included, excluded))

    def excludes(self, path: str, scope: Scope) -> tuple[bool, Inherited]:
        """Whether the exclude patterns drop a path, and those of them that hold for it, the last deciding."""
        if self._excludes is None:
            return False, ROOT
        try:
            return self._excludes.match(path, scope.excludes)
        except PatternError as error:
            raise _failed("exclude", error) from error

    def drops(self, scope: Scope) -> Callable[[str], object]:
        """Whether anything but a folder is not sent, for all that is in a folder with `scope`."""
        included = self._test("include", self._includes, scope.includes)
        excluded = self._test("exclude", self._excludes, scope.excludes)
        if included is None:
            return excluded or _never
        if excluded is None:
            return lambda path: not included(path)
        return lambda path: not included(path) or excluded(path)

    def _test(
        self, kind: str, matcher: Matcher | None, inherited: Inherited
    ) -> Callable[[str], object] | None:
        if matcher is None:
            return None
        test = matcher.test(inherited)

        def checked(path: str) -> object:
            try:
                return test(path)
            except PatternError as error:
                raise _failed(kind, error) from error

        return checked if matcher.is_bad else test


def _matcher(kind: str, patterns: Sequence[str]) -> Matcher | None:
    """None for no patterns at all; patterns that are all blank match nothing, as in the reference."""
    if not patterns:
        return None
    try:
        return Matcher(patterns)
    except PatternError as error:
        raise TransferError(f"invalid {kind}patterns: [{' '.join(patterns)}]: {error}", hint=_HINT) from error


_HINT = "correct the pattern; `*`, `?`, `**`, `[a-z]` and a backslash before a literal character are known"


def _failed(kind: str, error: PatternError) -> TransferError:
    return TransferError(f"failed to match {kind}patterns: {error}", hint=_HINT)


def _never(_: str) -> bool:
    return False


def _below(patterns: Iterable[Pattern]) -> Callable[[str], bool]:
    """Whether some pattern may match below a folder that itself is not matched.

    The reference looks at where the patterns begin if all are literal, but for a final `/*` or `/**`, and
    walks everything otherwise. Of a pattern with wildcards we compare the literal beginning: that saves
    walking and changes nothing that is sent.
    """
    patterns = tuple(patterns)
    bases = [pattern.text.removesuffix("/**").removesuffix("/*") for pattern in patterns]
    starts: list[str] = []
    if any(set(base) & set("*[]?^\\") for base in bases):
        starts = [_literal_start(pattern.text) for pattern in patterns if pattern.kind is not Kind.EXACT]
        bases = starts + [pattern.text for pattern in patterns if pattern.kind is Kind.EXACT]
        if "" in starts or any(set(start) & set("|{") for start in starts):
            return lambda path: True
    ancestors = {base[:end] for base in bases for end in (*_slashes(base), len(base))}
    beginnings = tuple(starts)
    return lambda path: path in ancestors or f"{path}/".startswith(beginnings)


def _literal_start(text: str) -> str:
    found = re.search(_NOT_LITERAL, text)
    return text[: found.start()] if found else text


# a byte that is no UTF-8 also matches U+FFFD
_NOT_LITERAL = "[]*?^[\\\\\udc80-\udcff\ufffd]"


def _slashes(path: str) -> Iterable[int]:
    return (at for at, char in enumerate(path) if char == "/")
