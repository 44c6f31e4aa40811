"""Path patterns as .dockerignore has them (the rules of github.com/moby/patternmatcher).

A pattern matches a whole path from the root: `*` and `?` stay within one name, `**` spans any number of
folders, `!` takes back what an earlier pattern matched, and what matches a folder matches all below it.

Paths and patterns are text decoded from UTF-8 with surrogateescape: any byte string can be had this way,
and a byte that is not UTF-8 is one character, which is also what Go's regexp makes of it.

A context has tens of thousands of paths and, with followpaths, thousands of patterns. So literal patterns
are looked up and not tried, the others are joined into one expression for each run of equal polarity, and
files (as opposed to folders, whose results are inherited) only ask which pattern matches last.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from enum import Enum

from buildctl.fsutil import glob, re2
from buildctl.fsutil.automaton import Automaton
from buildctl.fsutil.glob import PatternError

Inherited = tuple[int, ...]
"""Indexes, ascending, of the patterns that hold for a folder and so for all below it."""

ROOT: Inherited = ()

# unicode.IsSpace of Go; str.strip() would also take the separators U+001C to U+001F
GO_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    map(chr, range(0x2000, 0x200B))
)


class Kind(Enum):
    """The form of a pattern; only `REGEX` needs its expression."""

    EXACT = "literal"
    PREFIX = "literal**"
    SUFFIX = "**literal"
    REGEX = "anything else"


class Pattern:
    """One pattern: `text` as cleaned and without its `!`, and `exclusion`, whether it had one."""

    __slots__ = ("_branches", "_source", "_test", "exclusion", "kind", "text")

    def __init__(self, text: str, exclusion: bool) -> None:
        self.text = text
        self.exclusion = exclusion
        self.kind, go = _classify(text)
        self._branches: list[list[re2.Atom]] = []
        self._source: str | None
        self._test: Callable[[str], object] | None = None  # compiled when needed: `re` takes a millisecond
        try:
            self._source = self._python(go)
        except PatternError:
            self._source = None

    @property
    def source(self) -> str:
        """An expression for `re.match`; raises `PatternError` for a class or escape that RE2 refuses.

        The reference compiles a pattern when it is first tried, so one that is never tried is never wrong.
        """
        if self._source is None:
            raise PatternError
        return self._source

    @property
    def bad(self) -> bool:
        return self._source is None

    @property
    def slow(self) -> bool:
        """Whether `re` should not be asked."""
        return bool(self._branches) and re2.is_slow(self._branches)

    def may_match(self, path: str) -> bool:
        """Whether this pattern alone, without its `!`, matches a path; true for a bad one."""
        if self._test is None:
            self._test = (
                Automaton(self._branches).matches if self.slow else re.compile(self._source or "").match
            )
        return bool(self._test(path))

    def _python(self, go: str) -> str:
        match self.kind:
            case Kind.EXACT:
                return re.escape(self.text) + r"\Z"
            case Kind.PREFIX:
                return re.escape(self.text[:-2])
            case Kind.SUFFIX:
                suffix = self.text[2:]
                start = "(?s:.*/)?" if suffix.startswith("/") else "(?s:.*)"  # `**/foo` is `foo`, too
                return start + re.escape(suffix.removeprefix("/")) + r"\Z"
        self._branches = re2.parse(go)
        return re2.to_python(self._branches)


def _classify(text: str) -> tuple[Kind, str]:
    """The form of a cleaned pattern and the expression, in Go's syntax, that the reference builds for it."""
    kind = Kind.EXACT
    go = "^"
    at = 0
    while at < len(text):
        char = text[at]
        start = at
        at += 1
        if text.startswith("**", start):
            at += 1
            if text.startswith("/", at):
                at += 1
            if at < len(text):
                go += "(.*/)?"
                kind = Kind.REGEX
            elif kind is Kind.EXACT:
                kind = Kind.PREFIX
            else:
                go += ".*"
                kind = Kind.REGEX
            if start == 0:
                kind = Kind.SUFFIX
        elif char == "*":
            go += "[^/]*"
            kind = Kind.REGEX
        elif char == "?":
            go += "[^/]"
            kind = Kind.REGEX
        elif char == "\\" and at < len(text):
            go += char + text[at]
            at += 1
            kind = Kind.REGEX
        else:
            go += f"\\{char}" if char in ".+()$" else char  # `|{}` stay RE2's, as in the reference
            if char in "[]":
                kind = Kind.REGEX
    return kind, go + "$"


class Matcher:
    """An ordered list of patterns, the last matching one deciding.

    Raises `PatternError` for a pattern that Go's filepath.Match refuses, and for a lone `!`.
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        self.patterns = tuple(_parse(patterns))
        self._exact: dict[str, list[int]] = {}
        self._tested: list[int] = []
        for index, pattern in enumerate(self.patterns):
            if pattern.kind is Kind.EXACT:
                self._exact.setdefault(pattern.text, []).append(index)
            else:
                self._tested.append(index)
        self.is_bad = any(pattern.bad for pattern in self.patterns)
        """Whether a pattern is wrong, which is an error once it is tried."""
        self._any = _any_of(p for p in self.patterns if not p.bad and p.kind is not Kind.EXACT)
        self._deciders: dict[int, Callable[[str], object]] = {}

    def match(self, path: str, inherited: Inherited = ROOT) -> tuple[bool, Inherited]:
        """Whether a path is matched, and what everything below it inherits.

        A pattern is tried only where it could change the verdict, as the reference does: one that was not
        tried here is tried again below.
        """
        hits = self._hits(path)
        if not hits:
            return self._verdict(inherited), inherited
        matched = False
        held = []
        for index in sorted({*inherited, *hits}):
            pattern = self.patterns[index]
            if index not in inherited:
                if pattern.exclusion is not matched:
                    continue
                if pattern.bad:
                    raise PatternError
            held.append(index)
            matched = not pattern.exclusion
        return matched, tuple(held)

    def matches(self, path: str, inherited: Inherited = ROOT) -> bool:
        """`match` for a path with nothing below it, faster."""
        return bool(self.test(inherited)(path))

    def test(self, inherited: Inherited) -> Callable[[str], object]:
        """`matches` for the many paths that inherit the same; what it returns is true or false."""
        if self.is_bad:
            return lambda path: self.match(path, inherited)[0]
        last = inherited[-1] if inherited else -1
        decide = self._deciders.get(last)
        if decide is None:
            decide = self._deciders[last] = self._decider(last)
        return decide

    def _verdict(self, inherited: Inherited) -> bool:
        return bool(inherited) and not self.patterns[inherited[-1]].exclusion

    def _hits(self, path: str) -> list[int]:
        hits = list(self._exact.get(path, ()))
        if self.is_bad or self._any(path):
            hits += [index for index in self._tested if self.patterns[index].may_match(path)]
        return hits

    def _decider(self, last: int) -> Callable[[str], object]:
        """A test of the patterns after `last`, in runs of equal polarity from the last one backwards."""
        default = last >= 0 and not self.patterns[last].exclusion
        runs: list[tuple[bool, list[Pattern]]] = []
        for pattern in self.patterns[last + 1 :]:
            verdict = not pattern.exclusion
            if runs and runs[-1][0] is verdict:
                runs[-1][1].append(pattern)
            elif runs or verdict is not default:  # a first run that confirms the default decides nothing
                runs.append((verdict, [pattern]))
        tests = [(verdict, _any_of(patterns)) for verdict, patterns in reversed(runs)]
        if not tests:
            return lambda path: default
        if len(tests) == 1:
            only = tests[0][1]
            return only if not default else lambda path: not only(path)

        def decide(path: str) -> bool:
            for verdict, test in tests:
                if test(path):
                    return verdict
            return default

        return decide


def _parse(patterns: Iterable[str]) -> Iterable[Pattern]:
    for given in patterns:
        text = given.strip(GO_SPACE)
        if not text:
            continue
        text = glob.clean(text)
        exclusion = text.startswith("!")
        if text == "!":
            raise PatternError('illegal exclusion pattern: "!"')
        text = text[exclusion:]
        glob.match(text, ".")  # for its errors alone, as the reference does
        yield Pattern(text, exclusion)


def _any_of(patterns: Iterable[Pattern]) -> Callable[[str], object]:
    """A test of all patterns at once: literal ones are looked up, the others joined into one expression.

    Those that `re` would be slow at are tried one by one.
    """
    exact: set[str] = set()
    prefixes: list[str] = []
    suffixes: list[str] = []
    sources: list[str] = []
    slow: list[Callable[[str], bool]] = []
    for pattern in patterns:
        match pattern.kind:
            case Kind.EXACT:
                exact.add(pattern.text)
            case Kind.PREFIX:
                prefixes.append(pattern.text[:-2])
            case Kind.SUFFIX:
                suffixes.append(pattern.text[2:])
                if pattern.text.startswith("**/"):
                    exact.add(pattern.text[3:])
            case Kind.REGEX if pattern.slow:
                slow.append(pattern.may_match)
            case Kind.REGEX:
                sources.append(f"(?:{pattern.source})")

    starts, ends = tuple(prefixes), tuple(suffixes)

    def is_literal(path: str) -> bool:
        return path in exact or path.endswith(ends) or path.startswith(starts)

    if not (sources or slow):
        return is_literal
    expression = re.compile("|".join(sources) or "(?!)").match
    if not (exact or starts or ends or slow):
        return expression
    return lambda path: is_literal(path) or expression(path) or any(test(path) for test in slow)
