"""Descriptors as the daemon writes them, and the blobs that a layout's entries lead to."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from buildctl.errors import Code, ProtocolError, ServiceError
from buildctl.oci.digest import Digest, parse_digest
from buildctl.oci.index import Descriptor
from buildctl.oci.store import Store

_MEMBERS = ("mediaType", "digest", "size", "urls", "annotations", "data", "platform", "artifactType")
"""Those of the image specification, in the order of Go's struct."""

_MANIFESTS = frozenset(
    (
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
    )
)
_MAX_MANIFEST_BYTES = 16 << 20


def parse_descriptor(text: str | bytes) -> Descriptor:
    """A descriptor from its JSON. Raises `ProtocolError` for what names no blob."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or not _is_descriptor(found):
        raise ProtocolError("the daemon sent what is no descriptor of a blob")
    return {member: found[member] for member in _MEMBERS if member in found}


def _is_descriptor(found: Mapping[str, Any]) -> bool:
    try:
        parse_digest(found["digest"])
    except (KeyError, TypeError, AttributeError, ServiceError):
        return False
    annotations = found.get("annotations") or {}
    return (
        isinstance(found.get("mediaType"), str)
        and isinstance(found.get("size"), int)
        and isinstance(annotations, dict)
        and all(isinstance(value, str) for value in annotations.values())
    )


def reachable(store: Store, entries: Iterable[Mapping[str, Any]]) -> set[Digest]:
    """The blobs that entries stand for: manifests, and all that these name.

    Raises `ServiceError` where a manifest is missing, damaged or no manifest.
    """
    found: set[Digest] = set()
    waiting = list(entries)
    while waiting:
        entry = waiting.pop()
        digest = parse_digest(str(entry.get("digest", "")))
        if digest not in found:
            found.add(digest)
            waiting += _children(store, digest, str(entry.get("mediaType", "")))
    return found


def _children(store: Store, digest: Digest, media_type: str) -> Iterator[Mapping[str, Any]]:
    if media_type not in _MANIFESTS:
        return
    try:
        manifest = json.loads(store.read(digest, limit=_MAX_MANIFEST_BYTES))
    except (ValueError, RecursionError):
        manifest = None
    if not isinstance(manifest, dict):
        raise ServiceError(Code.DATA_LOSS, f"content {digest} is no manifest")
    for children in (manifest.get("config"), manifest.get("layers"), manifest.get("manifests")):
        for child in children if isinstance(children, list) else [children]:
            if isinstance(child, dict):
                yield child
