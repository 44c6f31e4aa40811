"""Where the result of a build goes, in the words of `Client.build`: exports with names for the usual ones."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO, Literal, cast

from buildctl.errors import UsageError
from buildctl.model.quote import quote
from buildctl.model.solve import (
    Destination,
    DirectoryDestination,
    Export,
    FileDestination,
    LayoutDestination,
    StreamDestination,
)


@dataclass(frozen=True, slots=True)
class Output(Export):
    """One output of a build, made by one of the class methods; it may also stand in `SolveOpt.exports`.

    Attributes that are not parameters are given by name with underscores for hyphens, as in
    `Output.image("example.org/app", oci_mediatypes=True)`; BuildKit's documentation lists them.
    Each raises `UsageError` for what cannot be meant, and `TypeError` for what is no path and no file.
    """

    @classmethod
    def local(
        cls,
        path: str | os.PathLike[str],
        mode: Literal["copy", "delete"] = "copy",
        *,
        keep_privileged: bool = False,
        **attrs: str | bool | int,
    ) -> Output:
        """Files below a folder, which is created: `Output.local("out")`.

        Files are written beside their names and renamed when they are whole. Mode `delete` removes what is
        there and not in the result. Devices and set-id bits are left out unless `keep_privileged`.
        """
        if mode not in ("copy", "delete"):
            raise UsageError(f"invalid local exporter mode {quote(mode)}", hint="use copy or delete")
        written = {"mode": mode, **attrs} if mode != "copy" else attrs
        return cls("local", _attrs(written), DirectoryDestination(_path(path), keep_privileged))

    @classmethod
    def tar(cls, file: str | os.PathLike[str] | BinaryIO, **attrs: str | bool | int) -> Output:
        """The files as one archive, at a path or written to an open file: `Output.tar(io.BytesIO())`.

        A path gets the archive when it is whole. An open file is written from a thread and left open; when
        the build fails, it may hold a part.
        """
        return cls("tar", _attrs(attrs), _file(file))

    @classmethod
    def oci(
        cls, file: str | os.PathLike[str] | BinaryIO, *, tar: bool = True, **attrs: str | bool | int
    ) -> Output:
        """An OCI layout as an archive (as `tar` has it), or with `tar=False` as a folder at a path.

        Output.oci("layout", tar=False)
        """
        if tar:
            return cls("oci", _attrs(attrs), _file(file))
        if not isinstance(file, str | os.PathLike):
            raise UsageError("an OCI layout that is not an archive needs a path")
        return cls("oci", _attrs(attrs), LayoutDestination(_path(file)))

    @classmethod
    def docker(cls, file: str | os.PathLike[str] | BinaryIO, **attrs: str | bool | int) -> Output:
        """An archive for `docker load`, as `tar` has it: `Output.docker("app.tar", name="app:1")`."""
        return cls("docker", _attrs(attrs), _file(file))

    @classmethod
    def image(cls, name: str = "", *, push: bool = False, **attrs: str | bool | int) -> Output:
        """An image in the daemon's store: `Output.image("example.org/app:1", push=True)` pushes it, too.

        Without a name it has the tags of the build.
        """
        given = {"name": name} if name else {}
        return cls("image", _attrs({**given, **({"push": True} if push else {}), **attrs}))

    @classmethod
    def raw(cls, exporter: str, destination: Destination | None = None, **attrs: str | bool | int) -> Output:
        """Any exporter of the daemon by its name: `Output.raw("moby", name="app")`."""
        return cls(exporter, _attrs(attrs), destination)


def _path(path: str | os.PathLike[str]) -> str:
    text = os.fspath(path)
    if not text:
        raise UsageError("the path of an output is empty", hint='name a file or folder, "." for this one')
    return text


def _attrs(attrs: Mapping[str, str | bool | int]) -> dict[str, str]:
    return {
        name.replace("_", "-"): str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in attrs.items()
    }


def _file(file: str | os.PathLike[str] | BinaryIO) -> Destination:
    if isinstance(file, str | os.PathLike):
        return FileDestination(_path(file))
    if not hasattr(file, "write"):
        raise TypeError(f"an output goes to a path or an open file, not to {type(file).__name__}")
    return StreamDestination(lambda _: cast(BinaryIO, _LeftOpen(file)))


class _LeftOpen:
    """The user's file: it is flushed at the end, and not closed."""

    def __init__(self, file: BinaryIO) -> None:
        self.write = file.write
        self._file = file

    def close(self) -> None:
        if flush := getattr(self._file, "flush", None):
            flush()
