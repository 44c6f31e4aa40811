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


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    os.symlink(".dockerignore", tmp_path / ".dockerignore")
    with pytest.raises(UsageError, match="too many levels of symbolic links"):
        find(str(tmp_path), str(tmp_path / "Dockerfile"))
