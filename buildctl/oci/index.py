"""`index.json` of an OCI layout: which names stand for which blobs, changed under a lock.

The lock file, the annotations and the order of things are those of the reference (client/ociindex), so that
both may write a layout at once. Unlike it, a writer waits for the lock, and the file is replaced whole,
so a reader never sees half of it and another writer's entries are never lost.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

from buildctl.errors import BuildctlError
from buildctl.model import gojson
from buildctl.oci.lock import try_lock
from buildctl.system.beside import replace_file
from buildctl.system.smallfile import read_found

IMAGE_NAME = "io.containerd.image.name"
REF_NAME = "org.opencontainers.image.ref.name"

_INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
_LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'
_MODE = 0o644
_MOST_BYTES = 16 << 20
_LOCK_SECONDS = 10.0
_LOCK_PAUSE_SECONDS = 0.02

Descriptor = dict[str, Any]
"""A descriptor as JSON has it: mediaType, digest, size, and what else its writer put there."""


@dataclass(frozen=True, slots=True)
class Name:
    """What an entry is to be found by: an image's full name, or, with `is_tag`, a bare tag."""

    text: str
    is_tag: bool = False

    @property
    def annotations(self) -> dict[str, str]:
        """The annotations by which the entry is known."""
        if self.is_tag:
            return {REF_NAME: self.text}
        return {IMAGE_NAME: self.text, REF_NAME: reference_object(self.text)}


def reference_object(name: str) -> str:
    """The tag, or `@digest`, of an image's full name; the whole text where it is none.

    Source: containerd's reference package, whose names begin with a host.
    """
    host, slash, path = name.partition("/")
    clean = path and path == os.path.normpath(path)
    if not re.fullmatch(r"[^:@/]+(:[0-9]*)?", host) or (slash and not clean):
        return name
    found = re.search("[:@]", path)
    if found is None:
        return ""
    return path[found.start() :].removeprefix(":")


def read_index(layout: str) -> list[Descriptor]:
    """A layout's entries. Raises `FileNotFoundError` without one, `BuildctlError` for a bad one."""
    return _entries(_load(Path(layout, "index.json")))


def find(entries: Sequence[Descriptor], tag: str) -> Descriptor | None:
    """The entry whose image name, or else whose tag, is `tag`."""
    for annotation in (IMAGE_NAME, REF_NAME):
        for entry in entries:
            if (entry.get("annotations") or {}).get(annotation) == tag:
                return entry
    return None


def put(layout: str, descriptor: Mapping[str, Any], names: Sequence[Name]) -> None:
    """Enter a descriptor under each name, replacing what stood there; without names, append it bare.

    Raises `BuildctlError` where the lock is not to be had or the index is not one.
    """
    folder = Path(layout)
    with locked(layout):
        replace_file(str(folder / "oci-layout"), [_LAYOUT], _MODE)
        path = folder / "index.json"
        try:
            index = _load(path)
        except FileNotFoundError:
            index = {}
        members = {
            "schemaVersion": index.get("schemaVersion") or 2,
            "mediaType": index.get("mediaType") or _INDEX_TYPE,
        }
        entries = _entries(index)
        for name in names or (None,):
            entries = _with(entries, dict(descriptor), name)
        index = {**members, **index, **members, "manifests": entries}
        replace_file(str(path), [gojson.encode(index, escape_html=False)], _MODE)


def _with(entries: list[Descriptor], descriptor: Descriptor, name: Name | None) -> list[Descriptor]:
    if name is None:
        return [*entries, descriptor]
    known_by = name.annotations
    others = [entry for entry in entries if not _is_known_by(entry, known_by)]
    annotations = {**(descriptor.get("annotations") or {}), **known_by}
    return [*others, {**descriptor, "annotations": dict(sorted(annotations.items()))}]


def _is_known_by(entry: Descriptor, known_by: Mapping[str, str]) -> bool:
    annotations = entry.get("annotations") or {}
    return all(annotations.get(key, "") == known_by.get(key, "") for key in (IMAGE_NAME, REF_NAME))


def _load(path: Path) -> dict[str, Any]:
    data = read_found(str(path), limit=_MOST_BYTES, links=False)
    if not data:
        return {}
    try:
        index = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BuildctlError(
            f"could not unmarshal {path}: {error}", hint="it is no OCI index; move it away"
        ) from None
    if not _is_index(index):
        raise BuildctlError(
            f"could not unmarshal {path}: not an OCI index", hint="it is no OCI index; move it away"
        )
    return index


def _is_index(index: Any) -> TypeGuard[dict[str, Any]]:
    if not isinstance(index, dict) or not isinstance(entries := index.get("manifests") or [], list):
        return False
    return all(
        isinstance(entry.get("annotations") or {}, dict) for entry in entries if isinstance(entry, dict)
    )


def _entries(index: Mapping[str, Any]) -> list[Descriptor]:
    return [entry for entry in index.get("manifests") or [] if isinstance(entry, dict)]


@contextlib.contextmanager
def locked(layout: str) -> Iterator[None]:
    """Hold the lock of the layout's index, which exists only while somebody does."""
    path = Path(layout, "index.json.lock")
    deadline = time.monotonic() + _LOCK_SECONDS
    while (descriptor := try_lock(str(path))) is None:
        if time.monotonic() > deadline:
            raise BuildctlError(
                f"could not lock {path}", hint="another process has been writing this layout for long"
            )
        time.sleep(_LOCK_PAUSE_SECONDS)
    try:
        yield
    finally:
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        os.close(descriptor)
