"""What a build's flags name to be written: whether it can be, and each apart from the others.

All of it is asked before the first step of the build, and nothing is created.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import stat as st
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from buildctl.cli.app import App
from buildctl.cli.build_flags import BuildFlags
from buildctl.errors import UsageError
from buildctl.model.solve import (
    CacheEntry,
    DirectoryDestination,
    Export,
    FileDestination,
    LayoutDestination,
    StdoutDestination,
)
from buildctl.system.failure import errno_text
from buildctl.system.place import Place, check_file, check_folder, descriptor_of, find_place

_HOME = re.compile(r"~[A-Za-z0-9._-]*(?=/)|~\Z")


class _Output(NamedTuple):
    """One thing that is written, for people and for comparison."""

    name: str
    key: tuple[object, ...]
    """What it is to the system, the same for each way to write it."""
    carries_result: bool
    """Whether it gets what was built, which nothing else may be written among."""
    is_shared: bool
    """Whether several can be written there one after the other, as to a pipe or a terminal."""


def check_destination(app: App, export: Export) -> Export:
    """The export, if its destination can be written. Raises `UsageError`; creates nothing."""
    stdout = app.environment.stdout
    match export.destination:
        case FileDestination(path):
            refuse_home(path, f"{_PREFIX}open {path}")
            try:
                place = check_file(path)
            except IsADirectoryError as error:
                what = f"open {path}: {errno_text(error)}" if not os.path.isdir(path) else _IS_FOLDER
                raise UsageError(_PREFIX + what, hint="name a file in it") from None
            except OSError as error:
                raise UsageError(_PREFIX + _open_failure(error), hint=_HINT) from None
            _check_inherited(path, place)
            if place.descriptor == 1 and app.environment.is_terminal(1):
                raise _console(export)
        case DirectoryDestination(path) | LayoutDestination(path):
            _check_folder(path, _PREFIX)
        case StdoutDestination() if app.environment.is_terminal(stdout):
            raise _console(export)
    return export


def check_caches(entries: Iterable[CacheEntry]) -> None:
    """Raise `UsageError` where the folder of a cache to export cannot be made or written."""
    for entry in entries:
        if entry.type == "local" and (path := entry.attrs.get("dest", "")):
            _check_folder(path, "invalid export-cache: ")


def check_files(
    flags: BuildFlags, exports: Sequence[Export], caches: Sequence[CacheEntry], *, stdout: int
) -> None:
    """Raise `UsageError` where a file that a flag names cannot be written, or two outputs are one file.

    A folder that is missing may be one that the build itself makes, such as that of `type=local`.
    """
    made = [_plain(path) for _, path in _folders(exports, caches, flags)]
    for _, path in _small_files(flags):
        refuse_home(path, f"open {path}")
        try:
            _check_inherited(path, check_file(path))
        except OSError as error:
            if error.errno == errno.ENOENT and any(_is_below(_plain(path), folder) for folder in made):
                continue
            raise UsageError(_open_failure(error), hint=_HINT) from None
    _refuse_twice(list(_outputs(flags, exports, caches, stdout)))


def check_small_file(path: str) -> None:
    """Raise `UsageError` where a file that a flag names cannot be written."""
    try:
        check_file(path)
    except OSError as error:
        raise UsageError(_open_failure(error), hint=_HINT) from None


def refuse_home(path: str, subject: str) -> None:
    """Raise `UsageError` for a `~` that was meant for the shell, which leaves it alone behind a `=`."""
    found = _HOME.match(path)
    if found and not os.path.lexists(found[0]):
        raise UsageError(
            f"{subject}: no such file or directory: {found[0]} is not expanded here",
            hint=f"write $HOME{path[len(found[0]) :]}; a folder of that name is ./{found[0]}",
        )


_PREFIX = "invalid output option: output: "
_IS_FOLDER = "destination file is a directory"
_HINT = "check that the folder exists and that you may write there"


def _console(export: Export) -> UsageError:
    return UsageError(
        f"{_PREFIX}output file is required for {export.type} exporter. refusing to write to console",
        hint=f"add ,dest=FILE to --output type={export.type}, or redirect standard output",
    )


def _open_failure(error: OSError) -> str:
    return f"open {error.filename}: {errno_text(error)}"


def _check_folder(path: str, prefix: str) -> None:
    refuse_home(path, f"{prefix}mkdir {path}")
    try:
        check_folder(path)
    except OSError as error:
        raise UsageError(f"{prefix}mkdir {error.filename}: {errno_text(error)}", hint=_HINT) from None


def _check_inherited(path: str, place: Place) -> None:
    """Raise `UsageError` for a descriptor that whoever started this process did not hand down."""
    number = place.descriptor
    # Python's own are closed on exec, inherited ones are not.
    if number > 2 and fcntl.fcntl(number, fcntl.F_GETFD) & fcntl.FD_CLOEXEC:
        raise UsageError(f"open {path}: bad file descriptor", hint=f"open it for this command: {number}>FILE")


def _folders(
    exports: Sequence[Export], caches: Sequence[CacheEntry], flags: BuildFlags
) -> Iterator[tuple[str, str]]:
    """The flags whose folders a build makes, each with a path."""
    for export in exports:
        if isinstance(export.destination, DirectoryDestination | LayoutDestination):
            yield f"--output type={export.type}", export.destination.path
    for entry in caches:
        if entry.type == "local" and "dest" in entry.attrs:
            yield "--export-cache", entry.attrs["dest"]
    if flags.log_dir:
        yield "--log-dir", flags.log_dir


def _small_files(flags: BuildFlags) -> Iterator[tuple[str, str]]:
    """The flags whose files are written when the build is over, each with a path."""
    named = [("--metadata-file", flags.metadata_file), ("--ref-file", flags.ref_file)]
    named += [("--timings", flags.timings), *(("--timeline", path) for path in flags.timelines)]
    return ((flag, path) for flag, path in named if path)


def _growing_files(flags: BuildFlags) -> Iterator[tuple[str, str]]:
    """The flags whose files are open while the build runs, each with a path."""
    yield from (("--trace", flags.trace), ("--session-log", flags.session_log))
    if not flags.events.startswith("fd:"):
        yield "--events", "/dev/stdout" if flags.events == "-" else flags.events
    else:
        yield "--events", f"/dev/fd/{flags.events[3:]}"
    if flags.metrics not in ("stdout", "stderr"):
        yield "--debug-json-cache-metrics", flags.metrics


def _outputs(
    flags: BuildFlags, exports: Sequence[Export], caches: Sequence[CacheEntry], stdout: int
) -> Iterator[_Output]:
    for export in exports:
        name = f"--output type={export.type}"
        match export.destination:
            case FileDestination(path):
                yield from _output(name, path, carries_result=True)
            case StdoutDestination():
                yield _on_descriptor(name, stdout, carries_result=True)
    for flag, path in _folders(exports, caches, flags):
        if not os.path.lexists(path):
            yield _Output(flag, _new_key(path.rstrip("/")), carries_result=False, is_shared=True)
    for flag, path in (*_small_files(flags), *_growing_files(flags)):
        if path:
            yield from _output(flag, path)


def _output(name: str, path: str, *, carries_result: bool = False) -> Iterator[_Output]:
    number = descriptor_of(path)
    if number >= 0:
        yield _on_descriptor(name, number, carries_result=carries_result)
        return
    try:
        place = find_place(path)
    except OSError:  # which was said, or is when it is opened
        return
    if place.status is None:
        yield _Output(name, _new_key(place.name), carries_result, is_shared=False)
    elif not st.S_ISCHR(place.status.st_mode):
        key = place.status.st_dev, place.status.st_ino
        yield _Output(name, key, carries_result, is_shared=place.streams)


def _on_descriptor(name: str, number: int, *, carries_result: bool) -> _Output:
    try:
        status = os.fstat(number)
    except OSError:
        return _Output(name, ("descriptor", number), carries_result, is_shared=True)
    key = ("device", number) if st.S_ISCHR(status.st_mode) else (status.st_dev, status.st_ino)
    return _Output(name, key, carries_result, is_shared=True)


def _new_key(path: str) -> tuple[object, ...]:
    """That of what does not exist yet: a name in a folder, if that does."""
    try:
        folder = os.stat(os.path.dirname(path) or ".")
    except OSError:
        return (_plain(path),)
    return folder.st_dev, folder.st_ino, os.path.basename(path)


def _refuse_twice(outputs: Sequence[_Output]) -> None:
    seen: dict[tuple[object, ...], _Output] = {}
    for output in outputs:
        other = seen.setdefault(output.key, output)
        if other is output or (other.is_shared and output.is_shared and not _results(other, output)):
            continue
        raise UsageError(
            f"{other.name} and {output.name} would be written to the same place",
            hint="give each a file of its own with dest=FILE; at most one can be standard output",
        )


def _results(one: _Output, other: _Output) -> bool:
    return one.carries_result or other.carries_result


def _plain(path: str) -> str:
    """The path without links and relative parts, as far as it exists."""
    try:
        return os.path.realpath(path)
    except OSError:  # the working folder is gone
        return path


def _is_below(path: str, folder: str) -> bool:
    return path.startswith(folder.rstrip("/") + "/")
