"""The layouts on this machine that a build reads or fills: caches, named contexts, layout outputs.

Before the build it is known which of them the daemon may use; after it, what was delivered is entered in
their indexes. Nothing is created before the daemon delivers. Sources: client/solve.go, client/ociindex.
"""

from __future__ import annotations

import base64
import binascii
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from buildctl.errors import BuildctlError, ProtocolError, SolveError, UsageError
from buildctl.model.boolean import parse_bool
from buildctl.model.quote import quote
from buildctl.model.solve import CacheEntry, LayoutDestination, SolveOpt
from buildctl.oci.descriptor import parse_descriptor, reachable
from buildctl.oci.digest import parse_digest
from buildctl.oci.folders import make_layout
from buildctl.oci.index import Descriptor, Name, find, locked, put, read_index
from buildctl.oci.store import Store
from buildctl.system.failure import errno_text, write_failure

_EXPORT = "export"
"""The id by which daemons ask for the store of a layout output: there is one in a build."""
_DEFAULT_TAG = "latest"

_LOG = logging.getLogger("buildctl")


@dataclass(frozen=True, slots=True)
class LocalStores:
    """The stores of one build."""

    by_id: Mapping[str, Store]
    """What the daemon may use, by the ids that it asks for."""
    cache_imports: tuple[CacheEntry, ...]
    """All that were asked for, with the digests of local ones."""
    usable_imports: tuple[CacheEntry, ...]
    """Those that are there, as far as can be seen from here."""


def check_caches(opt: SolveOpt) -> None:
    """Raise `UsageError` for caches that lack what their type needs."""
    for entry in opt.cache_exports:
        if entry.type == "local":
            _require(entry, "dest", "local cache exporter requires dest", "add dest=DIRECTORY")
            _resets(entry)
        if entry.type == "registry":
            _require(entry, "ref", "registry cache exporter requires ref", "add ref=HOST/NAME")
    for entry in opt.cache_imports:
        if entry.type == "local":
            _require(entry, "src", "local cache importer requires src", "add src=DIRECTORY")
            if not (entry.attrs.get("digest") or _tag(entry)):
                raise UsageError(
                    'local cache importer requires either explicit digest, "latest" tag'
                    " or custom tag on index.json"
                )
        if entry.type == "registry":
            _require(entry, "ref", "registry cache importer requires ref", "add ref=HOST/NAME")


def check_layouts(opt: SolveOpt) -> None:
    """Raise `UsageError` for layout outputs that no daemon could fill."""
    found = False
    for export in opt.exports:
        if isinstance(export.destination, LayoutDestination):
            if export.type not in ("oci", "docker"):
                raise UsageError(f"output directory is not supported by {export.type} exporter")
            if found:
                raise UsageError(
                    f"oci store key {quote(_EXPORT)} already exists",
                    hint="a build can have one output with tar=false",
                )
            found = True


def open_stores(opt: SolveOpt) -> LocalStores:
    """The stores of a build that has been checked. Caches that are not there are logged and passed over.

    Only what the build fills may be written to.
    """
    stores: dict[str, Store] = {}
    imports = tuple(_with_digest(entry) if entry.type == "local" else entry for entry in opt.cache_imports)
    usable = tuple(entry for entry in imports if entry.type != "local" or _is_there(entry))
    for entry in usable:
        if entry.type == "local":
            stores["local:" + entry.attrs["src"]] = Store(entry.attrs["src"], read_only=True)
    for layout_id, path in opt.oci_layouts.items():
        stores["oci:" + layout_id] = Store(path, read_only=True)
    for path in _cache_tags(opt.cache_exports):
        stores["local:" + path] = Store(path)
    for path in _output_paths(opt):
        stores[_EXPORT] = Store(path)
    return LocalStores(stores, imports, usable)


def enter_results(opt: SolveOpt, response: Mapping[str, str]) -> None:
    """Enter what the daemon delivered in the indexes, and drop what a cache with `reset` needs no more.

    Raises `BuildctlError` where an index cannot be written, or would name what is not there.
    """
    cache, image = _cache_manifest(response), _image_descriptor(response)
    for path, tag in _cache_tags(opt.cache_exports).items():
        _enter(path, cache, [Name(tag, is_tag=True)])
    for path in _output_paths(opt):
        _enter(path, image, _image_names(response))
    for entry in opt.cache_exports:
        if entry.type == "local" and _resets(entry):
            _reset(Store(entry.attrs["dest"]))


# Before the build


def _require(entry: CacheEntry, attr: str, message: str, hint: str) -> None:
    if not entry.attrs.get(attr):
        raise UsageError(message, hint=hint)


def _resets(entry: CacheEntry) -> bool:
    try:
        return "reset" in entry.attrs and parse_bool(entry.attrs["reset"])
    except UsageError as error:
        raise UsageError(f"failed to parse reset attribute: {error}", hint="use true or false") from None


def _tag(entry: CacheEntry) -> str:
    return entry.attrs.get("tag", _DEFAULT_TAG)


def _with_digest(entry: CacheEntry) -> CacheEntry:
    """The import with the digest that its tag stands for; without one, it is logged as skipped."""
    if entry.attrs.get("digest"):
        return entry
    source, tag = entry.attrs["src"], _tag(entry)
    try:
        found = find(read_index(source), tag)
    except OSError as error:
        path = Path(source, "index.json")
        _skip(source, f"skipped due to err: could not read {path}: open {path}: {_reason(error)}")
    except BuildctlError as error:
        _skip(source, f"skipped due to err: {error}")
    else:
        if found is not None and found.get("digest"):
            return replace(entry, attrs={**entry.attrs, "digest": str(found["digest"])})
        _skip(source, f"skipped: no digest found for tag {tag}")
    return entry


def _is_there(entry: CacheEntry) -> bool:
    source, digest = entry.attrs["src"], entry.attrs.get("digest", "")
    if not digest:
        return False
    try:
        Store(source).info(parse_digest(digest))
    except BuildctlError as error:
        _skip(source, f"skipped: digest {digest} unavailable: {error}")
        return False
    except OSError as error:
        _skip(source, f"skipped: digest {digest} unavailable: {_reason(error)}")
        return False
    return True


def _skip(source: str, why: str) -> None:
    _LOG.warning("local cache import at %s %s", source, why)


def _reason(error: OSError) -> str:
    return errno_text(error)


# After the build


def _cache_tags(exports: Sequence[CacheEntry]) -> dict[str, str]:
    """The tag for each local cache to fill, by its path as it was given."""
    return {entry.attrs["dest"]: _tag(entry) for entry in exports if entry.type == "local"}


def _output_paths(opt: SolveOpt) -> list[str]:
    destinations = [export.destination for export in opt.exports]
    return [one.path for one in destinations if isinstance(one, LayoutDestination)]


def _cache_manifest(response: Mapping[str, str]) -> Descriptor | None:
    text = response.get("cache.manifest")
    return parse_descriptor(text) if text else None


def _image_descriptor(response: Mapping[str, str]) -> Descriptor | None:
    text = response.get("containerimage.descriptor")
    try:
        return parse_descriptor(base64.b64decode(text, validate=True)) if text else None
    except binascii.Error:
        raise ProtocolError("the daemon sent a containerimage.descriptor that is no base64") from None


def _image_names(response: Mapping[str, str]) -> list[Name]:
    names = response.get("image.name")
    return [Name(_DEFAULT_TAG, is_tag=True)] if names is None else [Name(one) for one in names.split(",")]


def _enter(path: str, descriptor: Descriptor | None, names: Sequence[Name]) -> None:
    """The folder is there after a build that succeeded, even where the daemon had nothing to deliver."""
    try:
        make_layout(path)
        if descriptor is not None:
            digest = descriptor["digest"]
            if not Store(path).has(parse_digest(digest)):
                raise SolveError(
                    f"failed to solve: {path} is not complete: the daemon names {digest} as the result"
                    " and did not deliver it",
                    hint="the daemon's log may say more",
                )
            put(path, descriptor, names)
    except OSError as error:
        raise write_failure(f"write {os.path.join(path, 'index.json')}", error) from error


def _reset(store: Store) -> None:
    """Remove the blobs that no entry of the index leads to; a failure is logged, for the cache is good."""
    try:
        with locked(store.path):
            needed = reachable(store, read_index(store.path))
            for blob in store.blobs():
                if blob.digest not in needed:
                    store.delete(blob.digest)
    except (BuildctlError, OSError) as error:
        fields = {"error": f"reset: failed to collect referenced blobs: {error}"}
        _LOG.warning("failed to reset cache store", extra={"fields": fields})
