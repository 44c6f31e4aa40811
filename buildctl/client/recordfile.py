"""Build records as `.dockerbuild` files, which buildx's `history export` writes and Docker Desktop reads.

Such a file is an OCI layout as a gzipped tar: its index leads to a manifest whose config is the record as
JSON and whose layers are the blobs that the record names; for several records, to an index of manifests.
Source: docker/buildx, util/desktop/bundle/export.go.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import tarfile
import zlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, BinaryIO

from google.protobuf.message import DecodeError

from buildctl._pb import control_pb2
from buildctl.client.convert.recordjson import record_from_json, record_to_json
from buildctl.client.convert.repair import parse_message
from buildctl.client.convert.status import solve_status
from buildctl.errors import BuildctlError, RPCError
from buildctl.model import gojson
from buildctl.model.history import BuildRecord, Descriptor

if TYPE_CHECKING:
    from buildctl.model.status import SolveStatus

RECORD_TYPE = "application/vnd.buildkit.historyrecord.v0"
SIZE_LIMIT = 256 << 20
"""Bytes of all that a file holds, unpacked."""
_MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
_INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
_REFERENCE = "vnd.buildkit.history.reference"
_MEDIA_TYPE = "vnd.export-build.descriptor.mediatype"
"""Keeps the type of a result, which is written as JSON so that readers do not look for its layers."""
_BLOB = re.compile(r"blobs/(sha256)/([0-9a-f]{64})")
_FRAME_LIMIT = 64 << 20
_SECRET = re.compile(r"(?i)((?:gh)?token|(?:secret_)?access_key(?:_id)?|session_token)=[^ ,\"]+")
"""Values of cache attributes in the command lines of traces, which a file for others is not to have."""

ReadBlob = Callable[[str], AsyncIterator[bytes]]


class RecordFileError(BuildctlError):
    """A `.dockerbuild` file that cannot be read; the text says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class SavedBuild:
    """A build of a `.dockerbuild` file."""

    record: BuildRecord
    blobs: Mapping[str, bytes] = field(repr=False)
    """What the record names, by digest; it need not have all."""

    def statuses(self) -> Iterator[SolveStatus]:
        """What the build said. Raises `RecordFileError` where that is missing or damaged."""
        logs = self.record.logs
        data = None if logs is None else self.blobs.get(logs.digest)
        if data is None:
            raise RecordFileError(f"the record of {self.record.ref} has no logs")
        view = memoryview(data)
        while view:
            size = int.from_bytes(view[:4], "little")
            if len(view) < 4 + size or size > _FRAME_LIMIT:
                raise RecordFileError(f"the logs of {self.record.ref} are cut off")
            try:
                yield solve_status(parse_message(control_pb2.StatusEnvelope, bytes(view[4 : 4 + size])))
            except DecodeError:
                raise RecordFileError(f"the logs of {self.record.ref} cannot be read") from None
            view = view[4 + size :]


async def collect_build(record: BuildRecord, read_blob: ReadBlob) -> SavedBuild:
    """The record with the blobs that it names, as far as the daemon still has them.

    Raises `RPCError` where the logs cannot be read, and `RecordFileError` beyond `SIZE_LIMIT`.
    """
    blobs: dict[str, bytes] = {}
    total = 0
    for descriptor in _named(record):
        if descriptor.digest in blobs:
            continue
        data = bytearray()
        try:
            async for piece in read_blob(descriptor.digest):
                data += piece
                if total + len(data) > SIZE_LIMIT:
                    raise RecordFileError(f"{record.ref}: the record is larger than {SIZE_LIMIT >> 20} MiB")
        except RPCError:
            if descriptor is record.logs:
                raise
            continue  # results are collected as garbage, the record stays
        total += len(data)
        blobs[descriptor.digest] = bytes(data)
    return SavedBuild(record, blobs)


def write_record_file(builds: Sequence[SavedBuild], file: BinaryIO) -> None:
    """Write the builds as a `.dockerbuild` file. Equal builds give equal bytes."""
    blobs: dict[str, bytes] = {}
    manifests = [_add_build(build, blobs) for build in builds]
    if len(manifests) > 1:
        for build, manifest in zip(builds, manifests, strict=True):
            manifest["annotations"] = {_REFERENCE: build.record.ref}
        index = {"schemaVersion": 2, "mediaType": _INDEX_TYPE, "manifests": manifests}
        manifests = [_add_json(index, _INDEX_TYPE, blobs)]
    members = {f"blobs/{digest.replace(':', '/')}": data for digest, data in sorted(blobs.items())}
    members["index.json"] = gojson.encode({"schemaVersion": 2, "manifests": manifests})
    members["oci-layout"] = b'{"imageLayoutVersion":"1.0.0"}'
    with (
        gzip.GzipFile(fileobj=file, mode="wb", filename="", mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        for folder in ("blobs", "blobs/sha256"):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(entry)
        for name, data in members.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o444
            archive.addfile(entry, io.BytesIO(data))


def read_record_file(file: BinaryIO, name: str) -> list[SavedBuild]:
    """The builds of a `.dockerbuild` file, which errors call `name`.

    Raises `RecordFileError` and `OSError`.
    """
    try:
        members = _members(file, name)
        index = _json(members.get("index.json"), "index.json")
        blobs = {
            f"{found[1]}:{found[2]}": data
            for path, data in members.items()
            if (found := _BLOB.fullmatch(path))
        }
        for digest, data in blobs.items():
            if digest != f"sha256:{hashlib.sha256(data).hexdigest()}":
                raise ValueError(f"{digest}: damaged")
        return [
            SavedBuild(record_from_json(_json(blobs.get(digest), digest)), blobs)
            for digest in _configs(index, blobs)
        ]
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile):
        raise RecordFileError(f"{name}: not a .dockerbuild file", hint=_HINT) from None
    except ValueError as error:
        raise RecordFileError(f"{name}: {error}", hint=_HINT) from None


_HINT = "buildctl history export, or docker buildx history export, writes such a file"


def _named(record: BuildRecord) -> Iterator[Descriptor]:
    """The blobs that a record names, in the order of the layers."""
    infos = [info for info in (record.result, *record.results.values()) if info is not None]
    if record.trace is not None:
        yield record.trace
    if record.logs is not None:
        yield record.logs
    if record.external_error is not None:
        yield record.external_error
    for info in infos:
        yield from info.attestations
        yield from info.results.values()


def _add_build(build: SavedBuild, blobs: dict[str, bytes]) -> dict[str, Any]:
    """Put a build's blobs among the others; returns the descriptor of its manifest."""
    record = _for_others(build.record)
    results = {
        one.digest
        for info in (record.result, *record.results.values())
        if info is not None
        for one in info.results.values()
    }
    layers: dict[str, dict[str, Any]] = {}
    for descriptor in _named(record):
        if (data := build.blobs.get(descriptor.digest)) is None or descriptor.digest in layers:
            continue
        if descriptor is record.trace:
            data = _SECRET.sub(r"\1=xxxxx", data.decode("utf-8", "surrogateescape")).encode(
                "utf-8", "surrogateescape"
            )
            descriptor = Descriptor(descriptor.media_type, _digest(data), len(data), descriptor.annotations)
            record = replace(record, trace=descriptor)
        blobs[descriptor.digest] = data
        annotations = dict(descriptor.annotations)
        media_type = descriptor.media_type
        if descriptor.digest in results:
            annotations[_MEDIA_TYPE], media_type = media_type, "application/json"
        layer: dict[str, Any] = {"mediaType": media_type, "digest": descriptor.digest, "size": len(data)}
        layers[descriptor.digest] = layer | ({"annotations": annotations} if annotations else {})
    config = _add_json(record_to_json(record), RECORD_TYPE, blobs)
    manifest = {
        "schemaVersion": 2,
        "mediaType": _MANIFEST_TYPE,
        "config": config,
        "layers": list(layers.values()),
    }
    return _add_json(manifest, _MANIFEST_TYPE, blobs)


def _for_others(record: BuildRecord) -> BuildRecord:
    """The record without the credentials of caches that its attributes may have."""
    imports = record.frontend_attrs.get("cache-imports")
    if imports is None:
        return record
    try:
        entries = json.loads(imports)
        kept = [
            {
                "Type": entry["Type"],
                "Attrs": {key: value for key, value in entry["Attrs"].items() if key in ("scope", "ref")},
            }
            for entry in entries
        ]
        text = gojson.encode(kept).decode()
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        text = ""
    return replace(record, frontend_attrs={**record.frontend_attrs, "cache-imports": text})


def _add_json(value: Any, media_type: str, blobs: dict[str, bytes]) -> dict[str, Any]:
    data = gojson.encode(value, indent=2)
    digest = _digest(data)
    blobs[digest] = data
    return {"mediaType": media_type, "digest": digest, "size": len(data)}


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _members(file: BinaryIO, name: str) -> dict[str, bytes]:
    """The files of the archive; never more than `SIZE_LIMIT`."""
    members: dict[str, bytes] = {}
    left = SIZE_LIMIT
    with tarfile.open(fileobj=file, mode="r|gz") as archive:
        for entry in archive:
            left -= 512 + max(0, entry.size)  # an archive of empty files has a limit too
            if left < 0:
                raise RecordFileError(f"{name}: larger than {SIZE_LIMIT >> 20} MiB unpacked")
            if entry.isreg() and (content := archive.extractfile(entry)) is not None:
                members[entry.name.removeprefix("./")] = content.read()
    return members


def _configs(index: Mapping[str, Any], blobs: Mapping[str, bytes]) -> list[str]:
    """The digests of the records that the index leads to; those of an index of indexes are one level deep."""
    configs: list[str] = []
    entries = [(entry, True) for entry in _entries(index)]
    for entry, may_nest in entries:
        digest = str(entry.get("digest"))
        manifest = _json(blobs.get(digest), digest)
        if may_nest and "manifests" in manifest:
            entries += [(one, False) for one in _entries(manifest)]
            continue
        config = manifest.get("config")
        if not isinstance(config, dict) or config.get("mediaType") != RECORD_TYPE:
            raise ValueError("an image, not build records")
        configs.append(str(config.get("digest")))
    if not configs:
        raise ValueError("no build records")
    return configs


def _entries(index: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    entries = index.get("manifests")
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ValueError("an index without manifests")
    return entries


def _json(data: bytes | None, name: str) -> Mapping[str, Any]:
    if data is None:
        raise ValueError(f"{name} is missing")
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        raise ValueError(f"{name} is not JSON") from None
    if not isinstance(value, dict):
        raise ValueError(f"{name} is not an object")
    return value
