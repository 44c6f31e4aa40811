"""Which lines of an ignore file are rules, which patterns they are, and which file counts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from buildctl.errors import UsageError
from buildctl.fsutil.ignorefile import IgnoreFile, Rule, find, parse


def patterns(data: bytes) -> list[str]:
    return [rule.pattern for rule in parse(data)]


@pytest.mark.parametrize(
    ("line", "pattern"),
    [
        (b"a/b", "a/b"),
        (b"  a b\t\r", "a b"),
        (b"/a", "a"),
        (b"//a/./b/", "a/b"),
        (b"a/../b", "b"),
        (b"../a", "../a"),
        (b"/", "/"),
        (b".", "."),
        (b"!a", "!a"),
        (b"! /a/", "!a"),
        (b"!", "!"),
        (b"!!a", "!!a"),
        (b" # no comment", "# no comment"),
        (b"\\#a", "\\#a"),
        (b"**/*.py[co]", "**/*.py[co]"),
        (b"\xff", "\udcff"),
        (b"\x1ca", "\x1ca"),  # Python's idea of a space, not Go's
    ],
)
def test_a_rule(line: bytes, pattern: str) -> None:
    assert patterns(line) == [pattern]


def test_lines_that_are_no_rules_are_counted() -> None:
    data = b"\xef\xbb\xbf# comment\n\n  \n a \n#\n!b\n/ /\n\xef\xbb\xbfc"
    assert parse(data) == (Rule(4, "a", "a"), Rule(6, "!b", "!b"), Rule(8, "\ufeffc", "\ufeffc"))


def test_a_mark_of_the_encoding_hides_no_comment() -> None:
    assert patterns(b"\xef\xbb\xbf#a\nb") == ["b"]


def test_a_line_has_64_kib_at_most() -> None:
    longest = b"a" * (64 * 1024 - 1)
    assert patterns(longest) == [longest.decode()]
    with pytest.raises(UsageError, match=r"^x:2: the line is longer"):
        parse(b"\n" + longest + b"a", "x")


def test_the_file_of_the_dockerfile_counts_before_that_of_the_context(tmp_path: Path) -> None:
    dockerfile = str(tmp_path / "web.Dockerfile")
    assert find(str(tmp_path), dockerfile) == IgnoreFile("")
    (tmp_path / ".dockerignore").write_text("a")
    assert find(str(tmp_path), dockerfile) == IgnoreFile(f"{tmp_path}/.dockerignore", (Rule(1, "a", "a"),))
    (tmp_path / "web.Dockerfile.dockerignore").write_text("")
    assert find(str(tmp_path), dockerfile) == IgnoreFile(f"{dockerfile}.dockerignore")


def test_a_folder_of_that_name_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / ".dockerignore").mkdir()
    assert find(str(tmp_path), str(tmp_path / "Dockerfile")) == IgnoreFile("")


@pytest.mark.parametrize(
    ("target", "rules"),
    [
        ("rules", ["inner"]),
        ("/rules", ["inner"]),  # of a daemon that was sent the context it is the root
        ("../rules", ["inner"]),
        ("../../sub/../rules", ["inner"]),
        ("sub/to-rules", ["inner"]),
        ("../outer", []),
        ("{0}/outer", []),
        ("nowhere", []),
        ("sub", []),
        (".dockerignore", []),
        ("rules/x", []),
    ],
)
def test_a_link_leads_to_what_is_in_the_context(tmp_path: Path, target: str, rules: list[str]) -> None:
    (tmp_path / "outer").write_text("outer")
    context = tmp_path / "context"
    (context / "sub").mkdir(parents=True)
    (context / "rules").write_text("inner")
    (context / "sub" / "to-rules").symlink_to("/rules")
    target = target.format(tmp_path)
    (context / ".dockerignore").symlink_to(target)
    found = find(str(context), "")
    assert [rule.text for rule in found.rules] == rules
    assert found.lost == (() if rules else ((f"{context}/.dockerignore", target),))
    assert bool(found.path) == bool(rules)


def test_a_lost_file_of_the_dockerfile_lets_that_of_the_context_count(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile.dockerignore").symlink_to("../elsewhere")
    (tmp_path / ".dockerignore").write_text("a")
    found = find(str(tmp_path), str(tmp_path / "Dockerfile"))
    assert found.path == f"{tmp_path}/.dockerignore"
    assert found.lost == ((f"{tmp_path}/Dockerfile.dockerignore", "../elsewhere"),)


def test_what_is_no_file_holds_no_rules_and_nobody_waits_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / ".dockerignore")
    assert find(str(tmp_path), str(tmp_path / ("D" * 250))) == IgnoreFile("")
