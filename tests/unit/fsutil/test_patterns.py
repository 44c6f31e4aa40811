"""Patterns select what Go's matcher selects, by tables that name the source of each rule."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buildctl.fsutil import glob, re2
from buildctl.fsutil.automaton import Automaton
from buildctl.fsutil.glob import PatternError
from buildctl.fsutil.patterns import ROOT, Matcher

HERE = Path(__file__).parent


@dataclass
class Block:
    """One list of patterns, and what is expected of it."""

    source: str
    patterns: list[str]
    expected: list[tuple[str, str]] = field(default_factory=list)


def table(path: Path) -> Iterator[Block]:
    source, block = "", None
    for line in path.read_text().splitlines():
        key, _, rest = line.partition(": ")
        if line.startswith("== "):
            source = line
        elif key == "patterns":
            if block:
                yield block
            block = Block(source, rest.split())
        elif block and key == "error":
            block.expected.append((key, rest))
        elif block and key in ("yes", "no", "fails"):
            block.expected += [(key, path) for path in rest.split()]
    assert block
    yield block


BLOCKS = list(table(HERE / "patterns.txt"))


def outcome(matcher: Matcher, path: str) -> str:
    """Match a path as a walk would, folder after folder; a leaf is asked both ways."""
    inherited = ROOT
    matched = as_leaf = False
    parts = path.split("/")
    try:
        for end in range(1, len(parts) + 1):
            part = "/".join(parts[:end])
            as_leaf = matcher.matches(part, inherited)
            matched, inherited = matcher.match(part, inherited)
            assert as_leaf is matched
    except PatternError:
        return "fails"
    return "yes" if matched else "no"


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: " ".join(block.patterns))
def test_table(block: Block) -> None:
    for expected, argument in block.expected:
        if expected == "error":
            with pytest.raises(PatternError) as raised:
                Matcher(block.patterns)
            assert str(raised.value) == argument
        else:
            assert outcome(Matcher(block.patterns), argument) == expected, (block.source, argument)


def dockerignore() -> tuple[list[str], list[tuple[str, str]]]:
    """The patterns of the example as the frontend sends them, and what is expected."""
    text, _, expectations = (HERE / "patterns_dockerignore.txt").read_text().partition("== what it selects\n")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    patterns = [line[0] + line[1:].lstrip("/") if line[0] == "!" else line.lstrip("/") for line in lines]
    expected = [line.partition(": ") for line in expectations.splitlines()]
    return patterns, [(verdict, path) for verdict, _, paths in expected for path in paths.split()]


def test_a_dockerignore_of_forty_patterns() -> None:
    patterns, expected = dockerignore()
    assert len(patterns) == 40
    matcher = Matcher(patterns)
    assert [(outcome(matcher, path), path) for _, path in expected] == expected


def test_the_tables_hold_two_hundred_cases() -> None:
    assert sum(len(block.expected) for block in BLOCKS) + len(dockerignore()[1]) >= 200


def test_space_around_a_pattern_is_dropped_and_within_it_stays() -> None:
    matcher = Matcher(["  a b \t", "\u2003c\u00a0", " ", "", "d\x1f"])
    assert [outcome(matcher, path) for path in ("a b", "c", " ", "a", "d\x1f", "d")] == [
        "yes", "yes", "no", "no", "yes", "no",
    ]  # fmt: skip


def test_no_patterns_match_nothing() -> None:
    assert outcome(Matcher([]), "a") == "no"


def test_an_exception_keeps_the_space_after_its_mark() -> None:
    assert outcome(Matcher(["*", "! a"]), "a") == "yes"
    assert outcome(Matcher(["*", "! a"]), " a") == "no"


def test_a_newline_is_a_character_that_any_number_of_folders_does_not_span() -> None:
    """RE2's `.`, which `**` becomes, stops at it; `*` and the plain forms do not."""
    assert outcome(Matcher(["a*c"]), "a\nc") == "yes"
    assert outcome(Matcher(["**/c"]), "a\nb/c") == "yes"
    assert outcome(Matcher(["**/c*"]), "a\nb/c") == "no"
    assert outcome(Matcher(["a"]), "a\n") == "no"
    assert outcome(Matcher(["[a]"]), "a\n") == "no"


def test_a_byte_that_is_no_utf8_is_one_character() -> None:
    name = glob.decode(b"a\xff\xfeb")
    assert outcome(Matcher(["a??b"]), name) == "yes"
    assert outcome(Matcher(["a?b"]), name) == "no"
    assert outcome(Matcher([name]), name) == "yes"
    assert outcome(Matcher(["a\ufffd*"]), name) == "yes", "Go's regexp reads such a byte as U+FFFD"
    assert outcome(Matcher([name]), "a\ufffd\ufffdb") == "no", "but compares plain text byte by byte"


@pytest.mark.parametrize(
    ("pattern", "character", "others"),
    [
        (r"x\n*", "\n", "n"),
        (r"x\x41*", "A", "xB"),
        (r"x\101*", "A", "1B"),
        (r"x\s*", " \t\n\f\r", "s\v"),
        (r"x\W*", "-é/", "aZ_9"),
        (r"x[\w]*", "aZ_9", "-é"),
        (r"x[\D]*", "a-", "5"),
        (r"x[[:xdigit:]-]*", "aF0", "gG"),
        (r"x\-*", "-", "\\a"),
    ],
)
def test_escapes_mean_what_re2_says(pattern: str, character: str, others: str) -> None:
    matcher = Matcher([pattern])
    assert all(outcome(matcher, f"x{char}") == "yes" for char in character if char != "/")
    assert not any(matcher.matches(f"x{char}") for char in others)


@pytest.mark.parametrize(
    "pattern", [r"a\é", r"a\y", r"a\8", r"x{1001}*", r"x{2,1}*", r"*{2}", "[[:nope:]]", r"[\b]"]
)
def test_what_re2_refuses_fails_when_it_is_tried(pattern: str) -> None:
    assert outcome(Matcher([pattern]), "q") == "fails"


def test_quoting_reaches_to_its_end() -> None:
    assert outcome(Matcher([r"\Qa^b\E*"]), "a^bc") == "yes"
    assert outcome(Matcher([r"\Qa^b\E*"]), "abc") == "no"


@pytest.mark.parametrize(
    "pattern",
    [
        "*a" * 20 + "b",
        "**/" + "*a?" * 15 + "b",
        "[a-z]" + "*[a-z]" * 20 + "B",
        "a{0,30}" * 12 + "b?",
        "*[a/]" * 12 + "b?",
        "*[^b]{1,3}" * 12 + "B",
        "*b|*c" * 12 + "B",
        "**/*a/" * 12 + "b",
        "**/" * 12 + "b?",
        "**a" * 12 + "?b",
    ],
)
@pytest.mark.parametrize("path", ["a" * 255, "/".join(["a" * 8] * 400)])
def test_no_pattern_takes_long(pattern: str, path: str) -> None:
    """The regular expressions run with the interpreter's lock held: no path may keep it."""
    matcher = Matcher([pattern])
    started = time.perf_counter()
    assert not matcher.matches(path)
    assert not matcher.match(path)[0]
    assert time.perf_counter() - started < 1


def test_an_expression_too_large_is_refused() -> None:
    with pytest.raises(PatternError, match="too large"):
        Matcher(["*a{0,1000}" * 5]).matches("a")


SOURCES = st.lists(
    st.sampled_from(
        [
            "a",
            "b",
            "/",
            "[^/]*",
            "[^/]",
            "(.*/)?",
            ".*",
            "[a-b]",
            "a{2}",
            "[^a]{0,2}",
            "a{1,}",
            "|",
            "^",
            r"\z",
        ]
    ),
    max_size=8,
)


@given(SOURCES, st.text("ab/\n", max_size=8))
def test_the_automaton_finds_what_re_finds(parts: list[str], text: str) -> None:
    branches = re2.parse(f"^{''.join(parts)}$")
    expected = re.match(re2.to_python(branches), text) is not None
    assert Automaton(branches).matches(text) is expected


def test_the_automaton_forgets_what_becomes_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("buildctl.fsutil.automaton._MOST_ROWS", 3)
    matcher = Matcher(["*a?b*c*d"])
    for path, expected in (("xaxbcd", True), ("abcd", False), ("aabcdd", True), ("zaqbyc", False)) * 3:
        assert matcher.matches(path) is expected


@pytest.mark.parametrize(("path", "expected"), [
    ("", "."), ("abc", "abc"), ("abc/def", "abc/def"), ("a/b/c", "a/b/c"), (".", "."), ("..", ".."),
    ("../..", "../.."), ("/abc", "/abc"), ("/", "/"), ("abc/", "abc"), ("abc//def//ghi", "abc/def/ghi"),
    ("//abc", "/abc"), ("///abc", "/abc"), ("abc/./def", "abc/def"), ("/./abc/def", "/abc/def"),
    ("abc/def/ghi/../jkl", "abc/def/jkl"), ("abc/def/..", "abc"), ("abc/def/../..", "."),
    ("/abc/def/../..", "/"),
    ("abc/def/../../..", ".."), ("/abc/def/../../..", "/"), ("abc/./../def", "def"), ("//../a", "/a"),
])  # fmt: skip
def test_clean(path: str, expected: str) -> None:
    """The cases of Go's own documentation and tests of filepath.Clean."""
    assert glob.clean(path) == expected


PIECES = st.sampled_from(["a", "b", "ab", "*", "?", "**", "a*", "[ab]", "x"])
PATTERNS = st.lists(
    st.builds(
        lambda exclusion, parts: ("!" if exclusion else "") + "/".join(parts),
        st.booleans(),
        st.lists(PIECES, min_size=1, max_size=3),
    ),
    max_size=6,
)
PATHS = st.lists(st.sampled_from(["a", "b", "ab", "x"]), min_size=1, max_size=4)


@given(PATTERNS, PATHS)
def test_many_patterns_at_once_agree_with_each_on_its_own(patterns: list[str], parts: list[str]) -> None:
    """The rule word for word: whether each pattern holds for a folder, and is tried only where it matters."""
    exclusions = [pattern.startswith("!") for pattern in patterns]
    alone = [Matcher([pattern.removeprefix("!")]) for pattern in patterns]
    holds = [False] * len(patterns)
    matched = False
    for end in range(1, len(parts) + 1):
        path = "/".join(parts[:end])
        matched = False
        for index, exclusion in enumerate(exclusions):
            if not holds[index] and exclusion == matched:
                holds[index] = alone[index].match(path)[0]
            if holds[index]:
                matched = not exclusion
    assert outcome(Matcher(patterns), "/".join(parts)) == ("yes" if matched else "no")
