"""Finds out what a path means before anything is written there: a file, a stream, a descriptor, or a mistake.

Everything here looks and changes nothing.
"""

from __future__ import annotations

import errno
import os
import re
import stat as st
from contextlib import suppress
from typing import NamedTuple

_DESCRIPTOR = re.compile(r"/(?:dev|proc/(?:self|thread-self|[0-9]{1,9}))/fd/([0-9]{1,9})")
_STREAMS = {"/dev/stdin": 0, "/dev/stdout": 1, "/dev/stderr": 2}
_MOST_LINKS = 40  # as Linux's path lookup follows


class Place(NamedTuple):
    """Where the bytes for a path go."""

    name: str
    """The path, with links to files followed: what is renamed over."""
    status: os.stat_result | None
    """Of what is there, if anything is."""
    descriptor: int = -1
    """The descriptor of this process that the path names."""
    streams: bool = False
    """Whether bytes go there as they come, and cannot be taken back."""
    renames: bool = True
    """Whether a regular file may be renamed over what is there, as far as can be seen before it is tried."""


def find_place(path: str) -> Place:
    """What the path means now. Raises `OSError` where it cannot be a file; looks, and changes nothing.

    The kernel is asked of the path as it is given, so that its rules for links in shared folders hold.
    """
    status = _status(path)
    number = descriptor_of(path)
    if number >= 0:
        try:
            status = os.fstat(number)
        except OSError:
            raise _error(errno.EBADF, path) from None
        if not st.S_ISDIR(status.st_mode):
            return Place(path, status, number, streams=True)
    if status is None:
        name = _follow(path)
        if name.endswith("/"):
            raise _error(errno.EISDIR, path)
        _require_folder(path, name)
        if _is_proc(os.path.dirname(name)):  # where nothing can be made, whatever the modes say
            raise _error(errno.ENOENT, path)
        return Place(name, None)
    if st.S_ISDIR(status.st_mode):
        raise _error(errno.EISDIR, path)
    if st.S_ISSOCK(status.st_mode):
        raise _error(errno.ENXIO, path)
    if not st.S_ISREG(status.st_mode):
        return Place(path, status, streams=True)
    name = _follow(path)
    return Place(name, status, renames=_leads_to(name, status) and _may_replace(name, status))


def check_file(path: str) -> Place:
    """Where the bytes for a path are to go, if they can. Raises `OSError`; looks, and changes nothing."""
    place = find_place(path)
    if place.descriptor >= 0:
        return place
    if place.status is not None:
        _require_access(path, os.W_OK)
    else:
        _require_access(os.path.dirname(place.name) or ".", os.W_OK | os.X_OK, path)
    return place


def check_folder(path: str) -> None:
    """Raise `OSError` where no folder of files can be made at a path, or written; changes nothing."""
    there = _nearest(path)
    if not os.path.isdir(there):
        raise _error(errno.ENOENT if _status(there) is None else errno.ENOTDIR, _link(there))
    require_working_folder(path)
    _require_access(there, os.W_OK | os.X_OK)


def require_working_folder(path: str) -> None:
    """Raise `OSError` where the path is relative and the folder it is relative to has been removed."""
    if not os.path.isabs(path):
        try:
            os.getcwd()
        except FileNotFoundError:
            raise OSError(errno.ENOENT, "the working folder has been removed", path) from None


def missing_part(path: str) -> str:
    """The part of a path that does not exist, with links on the way replaced by what they lead to.

    It is what Go's filepath.EvalSymlinks names; the path itself if nothing is missing.
    """
    done, parts = "/" if path.startswith("/") else "", path.split("/")[::-1]
    links = 0
    while parts and links < _MOST_LINKS:
        part = parts.pop()
        if part in ("", "."):
            continue
        here = os.path.join(done, part)
        if part == "..":
            done = here
            continue
        if not os.path.lexists(here):
            return here
        if os.path.islink(here):
            target = os.readlink(here)
            links += 1
            parts += target.split("/")[::-1]
            done = "/" if target.startswith("/") else done
            continue
        done = here
    return path


def descriptor_of(path: str) -> int:
    """The descriptor of this process that the path names, itself or through links; -1 for any other path."""
    for _ in range(_MOST_LINKS):
        plain = os.path.normpath(path)
        if plain in _STREAMS:
            return _STREAMS[plain]
        if found := _DESCRIPTOR.fullmatch(plain):
            own = plain.startswith(("/dev/", "/proc/self/", "/proc/thread-self/", f"/proc/{os.getpid()}/"))
            return int(found[1]) if own else -1
        try:
            path = os.path.join(os.path.dirname(path), os.readlink(path))
        except (OSError, ValueError):
            break
    return -1


def _status(path: str) -> os.stat_result | None:
    """Of what the path leads to; None where that does not exist. Raises `OSError`."""
    try:
        return os.stat(path)
    except FileNotFoundError:
        return None
    except ValueError:  # a NUL
        raise _error(errno.EINVAL, path) from None


def _follow(path: str) -> str:
    """The path with links at its end replaced by their targets, but for those of /proc, which are more."""
    for _ in range(_MOST_LINKS):
        try:
            if _is_proc(os.path.dirname(path)):
                return path
            path = os.path.join(os.path.dirname(path), os.readlink(path))
        except OSError:
            return path
    raise _error(errno.ELOOP, path)


def _is_proc(folder: str) -> bool:
    with suppress(OSError):
        return os.stat(folder or ".").st_dev == os.lstat("/proc/self").st_dev
    return False


def _leads_to(name: str, status: os.stat_result) -> bool:
    """Whether the name is that of the file itself."""
    with suppress(OSError):
        return os.path.samestat(os.lstat(name), status)
    return False


def _may_replace(name: str, status: os.stat_result) -> bool:
    folder = os.stat(os.path.dirname(name) or ".")
    user = os.geteuid()
    shared = folder.st_mode & st.S_ISVTX and user not in (status.st_uid, folder.st_uid)
    return status.st_nlink == 1 and not shared


def _require_folder(path: str, name: str) -> None:
    """Raise `OSError` that names what is missing, where a new file has no folder."""
    folder = os.path.dirname(name) or "."
    require_working_folder(name)
    if os.path.isdir(folder):
        return
    there = _nearest(folder)
    number = errno.ENOENT if os.path.isdir(there) or _status(there) is None else errno.ENOTDIR
    raise _error(number, _link(there if os.path.islink(there) else path))


def _nearest(path: str) -> str:
    """The lowest entry on the way to a path that exists, if only as a link that leads nowhere."""
    while not os.path.lexists(path):
        above = os.path.dirname(path.rstrip("/"))
        if above in ("", path):
            return "."
        path = above
    return path


def _link(path: str) -> str:
    """`path -> target` of a link, so that an error names what is wrong; any other path as it is."""
    target = _follow(path)
    return path if target == path else f"{path} -> {target}"


def _require_access(place: str, mode: int, path: str = "") -> None:
    effective = os.access in os.supports_effective_ids
    if os.access(place, mode, effective_ids=effective):
        return
    read_only = os.statvfs(place).f_flag & os.ST_RDONLY
    raise _error(errno.EROFS if read_only else errno.EACCES, path or place)


def _error(number: int, path: str) -> OSError:
    return OSError(number, os.strerror(number), path)
