"""Reads the ignore file of a context as the Dockerfile frontend does, keeping where each rule stands.

The file is `NAME.dockerignore` beside a Dockerfile NAME, or else `.dockerignore` at the root of the context
(frontend/dockerui/config.go and github.com/moby/patternmatcher/ignorefile).
"""

from __future__ import annotations

import errno
import os
import stat
from typing import NamedTuple

from buildctl.errors import UsageError
from buildctl.fsutil import glob
from buildctl.fsutil.patterns import GO_SPACE
from buildctl.fsutil.rooted import lost_link, rooted
from buildctl.system.failure import errno_text
from buildctl.system.smallfile import read_found

SUFFIX = ".dockerignore"
"""The whole name of the one at the root of a context."""
_LONGEST_LINE = 64 * 1024
"""Bytes with the line's end; Go's bufio.Scanner takes no more."""
_MOST_BYTES = 4 << 20


class Rule(NamedTuple):
    """One line of the file."""

    line: int
    """Counted from 1."""
    text: str
    """As it stands there, without space around it."""
    pattern: str
    """What the daemon asks to exclude."""


class IgnoreFile(NamedTuple):
    """What decides of a context; without a file no rule does."""

    path: str
    """Empty where there is none."""
    rules: tuple[Rule, ...] = ()
    lost: tuple[tuple[str, str], ...] = ()
    """Files that would have come first, but are links that lead to no file in the folder as it is sent, each
    with what it points to: the daemon finds nothing there."""

    @property
    def patterns(self) -> tuple[str, ...]:
        """The exclude patterns, one for each rule."""
        return tuple(rule.pattern for rule in self.rules)


def find(folder: str, dockerfile: str) -> IgnoreFile:
    """The file that counts for a context and a Dockerfile (empty: none).

    Raises `UsageError` where it cannot be read.

    One that belongs to the Dockerfile counts even if it is empty. The daemon reads what it was sent: there a
    link leads to what is in the same folder, if it leads anywhere.
    """
    lost = []
    beside, name = os.path.split(dockerfile)
    candidates = [(folder, SUFFIX)] if not name else [(beside, name + SUFFIX), (folder, SUFFIX)]
    for root, candidate in candidates:
        path = os.path.normpath(os.path.join(root, candidate))
        if target := lost_link(root, candidate):
            lost.append((path, target))
            continue
        try:
            found = rooted(root, candidate)
            if stat.S_ISREG(os.stat(found).st_mode):
                return IgnoreFile(path, parse(read_found(found, limit=_MOST_BYTES), path), tuple(lost))
        except (FileNotFoundError, NotADirectoryError):
            continue  # as the frontend does, which passes over folders and the like, too
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:  # so there is none
                continue
            raise UsageError(f"open {path}: {errno_text(error)}") from None
    return IgnoreFile("", (), tuple(lost))


def parse(data: bytes, name: str = SUFFIX) -> tuple[Rule, ...]:
    """The rules of a file's bytes. Raises `UsageError`, with `name`, for a line that is too long.

    Lines that are blank or begin with `#` are none, and neither are those of which nothing is left.
    """
    rules = []
    for number, raw in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        if len(raw) >= _LONGEST_LINE:
            raise UsageError(f"{name}:{number}: the line is longer than 64 KiB", hint="split the line")
        line = glob.decode(raw)
        if line.startswith("#"):
            continue
        text = line.strip(GO_SPACE)
        pattern = _pattern(text)
        if pattern.strip(GO_SPACE):
            rules.append(Rule(number, text, pattern))
    return tuple(rules)


def _pattern(text: str) -> str:
    """The pattern of a rule: the shortest form of its path, counted from the root of the context."""
    if not text:
        return ""
    negation = "!" if text.startswith("!") else ""
    path = text.removeprefix("!").strip(GO_SPACE) if negation else text
    if path:
        path = glob.clean(path)
        if len(path) > 1:
            path = path.removeprefix("/")
    return negation + path
