"""Any ignore file decides of every path, the same in each way of asking, or is one error.

An input is an ignore file, an empty line, and paths.
"""

from __future__ import annotations

from pathlib import Path

from buildctl.errors import UsageError
from buildctl.fsutil import glob, ignorefile
from buildctl.fsutil.glob import PatternError
from buildctl.fsutil.patterns import ROOT, Matcher
from tests.fuzz.driver import Harness, words

TABLES = Path(__file__).parent.parent / "unit" / "fsutil"


def check(data: bytes) -> str:
    lines, _, paths = data.partition(b"\n\n")
    try:
        matcher = Matcher(rule.pattern for rule in ignorefile.parse(lines[:4000]))
    except UsageError as error:
        return str(error)
    outcomes = set()
    for path in map(glob.decode, paths.split(b"\n")[:8]):
        path = glob.clean(path[:200])
        inherited = ROOT
        for end in (at for at, char in enumerate(path) if char == "/" and at):
            try:
                _, inherited = matcher.match(path[:end], inherited)
            except PatternError:
                outcomes.add("folder")
        for known in {ROOT, inherited}:
            one = verdict(matcher, path, known, as_file=False)
            assert one == verdict(matcher, path, known, as_file=True)
            outcomes.add(one)
    return ",".join(sorted(outcomes))


def verdict(matcher: Matcher, path: str, inherited: tuple[int, ...], *, as_file: bool) -> str:
    try:
        return str(matcher.matches(path, inherited) if as_file else matcher.match(path, inherited)[0])
    except PatternError:
        return "error"


def seeds() -> list[bytes]:
    """The tables of the unit tests, a block an input."""
    found = []
    for line in (TABLES / "patterns.txt").read_text().splitlines():
        kind, _, rest = line.partition(": ")
        if kind == "patterns":
            found.append(rest.replace(" ", "\n") + "\n\n")
        elif found and kind in ("yes", "no"):
            found[-1] += rest.replace(" ", "\n") + "\n"
    return [text.encode() for text in found]


HARNESS = Harness(
    "pattern_lists",
    check,
    seeds,
    words=words(
        r"* ** ? ! # \ [ ] [^ [a-c] [:alpha:] [[:^digit:]] {2} {1000} {0,} | / // .. \d \Q \E \x41 ( ) $ ^",
        *(b"\n", b"\xff", b"\n\n", b" ", b"**/*a" * 8, b"?*" * 20),
    ),
)
