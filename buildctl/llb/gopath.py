"""Paths as Go's package path cleans and joins them, since their text is part of what a build is known by."""

from __future__ import annotations

import posixpath


def clean(path: str) -> str:
    """The shortest path that means the same; `.` of an empty one (Go's path.Clean)."""
    path = posixpath.normpath(path)
    return path[1:] if path.startswith("//") else path  # which POSIX lets stand


def join(*parts: str) -> str:
    """The parts that are not empty, cleaned as one path; empty if there are none (Go's path.Join)."""
    given = [part for part in parts if part]
    return clean("/".join(given)) if given else ""


def place(base: str, path: str, *, keep_slash: bool = False) -> str:
    """Where `path` is below `base`, absolute; with `keep_slash` a final `/` or `/.` stays
    (client/llb/fileop.go)."""
    placed = clean(path)
    if not placed.startswith("/"):
        placed = join("/", base, placed)
    if keep_slash:
        if path.endswith("/") and not placed.endswith("/"):
            return placed + "/"
        if path.endswith("/."):
            return "/." if placed == "/" else placed + "/."
    return placed
