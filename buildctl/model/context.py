"""What a build reads, as values: folders, files that exist in memory, archives, URLs and repositories."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import BinaryIO, TypeAlias

from buildctl.errors import UsageError
from buildctl.model.quote import quote
from buildctl.model.solve import OnUnreadable

_MODES = 0o7777


@dataclass(frozen=True, slots=True)
class File:
    """A file in memory: `File(b"#!/bin/sh\\n", mode=0o755)`.

    `mtime_ns` is in nanoseconds since the Unix epoch. Without one the time is made of the content: daemons
    compare size and time with what they were sent before, so equal content has to have one time, and changed
    content another.
    """

    data: bytes | str = field(repr=False)
    """Text is sent as UTF-8."""
    mode: int = 0o644
    mtime_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Symlink:
    """A symbolic link in memory: `Symlink("../lib/app")`."""

    target: str


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder in memory, which may be empty: `Folder(mode=0o700)`. Others exist by what is in them."""

    mode: int = 0o755


Node: TypeAlias = File | Symlink | Folder
_Given: TypeAlias = "str | bytes | File | Symlink | Folder | None"


@dataclass(frozen=True, slots=True)
class Tree:
    """Files that exist in memory, alone or in front of a folder: `Tree({"app.cfg": "x = 1"}, base=".")`.

    A name is a path from the root with slashes. Its value is a file's content (text is UTF-8), `File`,
    `Symlink` or `Folder`; None hides what the base has there. Trees stand for directories in
    `SolveOpt.local_dirs`. Raises `UsageError` for a name that cannot be meant.
    """

    nodes: Mapping[str, _Given] = field(repr=False)
    base: str = ""
    """The folder behind them; empty for none."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "base", os.fspath(self.base))
        nodes = {_clean(name): _node(name, value) for name, value in self.nodes.items()}
        for name in nodes:
            above = name
            while above := above.rpartition("/")[0]:
                if above in nodes and not isinstance(nodes[above], Folder):
                    raise UsageError(
                        f"{quote(name)} is below {quote(above)}, which is not a folder",
                        hint="a name stands for a file or for a folder",
                    )
        object.__setattr__(self, "nodes", MappingProxyType(nodes))


def _clean(name: str) -> str:
    if not isinstance(name, str):
        raise TypeError(f"a path in a tree is text, not {type(name).__name__}")
    parts = name.removeprefix("./").removesuffix("/").split("/")
    if {"", ".", ".."} & set(parts) or "\0" in name:
        raise UsageError(
            f"not a path in a tree: {quote(name)}", hint="write it from the root on, as in app/main.py"
        )
    return "/".join(parts)


def _node(name: str, value: _Given) -> Node | None:
    match value:
        case None | Symlink():
            return value
        case str() | bytes():
            return File(_bytes(value))
        case File(data, mode, mtime_ns):
            _check_mode(name, mode)
            return File(_bytes(data), mode, mtime_ns)
        case Folder(mode):
            _check_mode(name, mode)
            return value
    raise TypeError(f"{quote(name)} is to be text, bytes, File, Symlink, Folder or None, not {type(value)}")


def _bytes(data: bytes | str) -> bytes:
    return data.encode() if isinstance(data, str) else bytes(data)


def _check_mode(name: str, mode: int) -> None:
    if not 0 <= mode <= _MODES:
        raise UsageError(f"invalid mode {mode:#o} of {quote(name)}", hint="use one such as 0o644")


@dataclass(frozen=True, slots=True)
class Context:
    """What the steps of a build can copy: made by one of its class methods, and given to `Client.build`.

    Each raises `UsageError` for what cannot be meant; that something is not there is seen by `Client.build`.
    """

    tree: Tree | None = None
    """A folder, files in memory, or both."""
    archive: bytes | BinaryIO | str | None = field(default=None, repr=False)
    """An archive's bytes, an open file, or a path."""
    remote: str = ""
    """A URL that the daemon fetches."""
    ignore: str | None = None
    """The text of an ignore file that holds in place of the folder's own."""
    on_unreadable: OnUnreadable = "error"

    @classmethod
    def directory(
        cls,
        path: str | os.PathLike[str],
        *,
        ignore: str | Sequence[str] | None = None,
        on_unreadable: OnUnreadable = "error",
    ) -> Context:
        """A folder: `Context.directory("app", ignore=["*.log", "!keep.log"])`.

        `ignore` are patterns as in a `.dockerignore` (text, or a sequence of lines) that hold in place of the
        folder's own. `on_unreadable` is what becomes of files that cannot be read (`SolveOpt`). Raises
        `UsageError` where the path is empty; whether there is a folder is seen when the build starts.
        """
        folder = os.fspath(path)
        if not folder:
            raise UsageError("the path of a context is empty", hint='name a folder, "." for this one')
        text = ignore if isinstance(ignore, str | None) else "\n".join(ignore)
        return cls(Tree({}, folder), ignore=text, on_unreadable=on_unreadable)

    @classmethod
    def files(cls, files: Mapping[str, str | bytes | File | Symlink | Folder]) -> Context:
        """Files in memory by path: `Context.files({"Dockerfile": text, "hi": b"hello"})`.

        A `.dockerignore` among them holds. What the daemon has from the build before is not sent again.
        Raises `UsageError` for a path that leaves the tree.
        """
        return cls(Tree(files))

    @classmethod
    def layered(
        cls,
        directory: str | os.PathLike[str],
        files: Mapping[str, str | bytes | File | Symlink | Folder | None],
        *,
        on_unreadable: OnUnreadable = "error",
    ) -> Context:
        """A folder in which some files are replaced, added, or (None) hidden; it is not touched.

        `Context.layered(".", {"Dockerfile": text, "VERSION": "1.2", ".git": None})`. A file in memory takes
        the place of a whole folder of its name. Raises `UsageError` for a path that leaves the tree.
        """
        return cls(Tree(files, os.fspath(directory) or "."), on_unreadable=on_unreadable)

    @classmethod
    def tar(cls, archive: bytes | BinaryIO | str | os.PathLike[str]) -> Context:
        """An archive, compressed or not, as bytes, an open file, or a path: `Context.tar("context.tar.gz")`.

        It is sent whole with each build, and ignore files in it have no effect. An open file is read from
        where it stands, in a thread, and left open.
        """
        return cls(archive=os.fspath(archive) if isinstance(archive, os.PathLike) else archive)

    @classmethod
    def url(cls, url: str) -> Context:
        """What the daemon fetches itself: an archive, a Dockerfile, or a git repository.

        `Context.url("https://example.org/context.tar.gz")`. Raises `UsageError` for what is not a URL.
        """
        if not is_remote(url):
            raise UsageError(f"not a URL that a daemon can fetch: {quote(url)}", hint="begin with https://")
        return cls(remote=url)

    @classmethod
    def git(cls, url: str, *, ref: str = "", subdir: str = "") -> Context:
        """A git repository that the daemon clones: `Context.git("https://example.org/app.git", ref="v1")`.

        `ref` is a branch, tag or commit, the default branch where it is empty; `subdir` a folder in it.
        """
        if "#" in url and (ref or subdir):
            raise UsageError(f"{quote(url)} has a fragment already", hint="give ref and subdir in one place")
        fragment = ref + (f":{subdir}" if subdir else "")
        return cls(remote=f"{url}#{fragment}" if fragment else url)


def is_remote(text: str) -> bool:
    """Whether a text names something that daemons fetch, by the prefixes that docker knows for it."""
    return text.startswith(("http://", "https://", "git://", "ssh://", "git@", "github.com/"))
