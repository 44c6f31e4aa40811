"""`.dockerbuild` files: written, read back, and refused when they are something else."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import AsyncIterator

import pytest

from buildctl._pb import control_pb2
from buildctl.client import recordfile
from buildctl.client.recordfile import (
    RecordFileError,
    SavedBuild,
    collect_build,
    read_record_file,
    write_record_file,
)
from buildctl.errors import Code, RPCError
from buildctl.model.history import BuildError, BuildRecord, BuildResultInfo, Descriptor, ExporterRecord

LOGS = b"".join(
    len(message).to_bytes(4, "little") + message
    for name in ("one", "two")
    for message in [
        control_pb2.StatusEnvelope(
            vertexes=[control_pb2.Vertex(digest=f"sha256:{name}", name=name)]
        ).SerializeToString()
    ]
)
TRACE = b'{"Name":"build","Attributes":["--export-cache type=gha,token=s3cret,scope=x"]}'
RESULT = b'{"manifests":[]}'


def digest_of(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def blob(data: bytes, media_type: str) -> Descriptor:
    return Descriptor(media_type, digest_of(data), len(data))


def build(ref: str = "x3k", *, number: int = 1) -> SavedBuild:
    record = BuildRecord(
        ref=ref,
        frontend="dockerfile.v0",
        frontend_attrs={
            "target": "test",
            "cache-imports": '[{"Type":"gha","Attrs":{"token":"s3cret","scope":"x"}}]',
        },
        exporters=(ExporterRecord("image", {"name": "a/b"}), ExporterRecord("local")),
        error=BuildError(2, "did not work"),
        created_at_ns=1_796_095_232_587_972_829,
        completed_at_ns=1_796_095_237_000_000_000,
        logs=blob(LOGS, "application/vnd.buildkit.status.v0"),
        trace=blob(TRACE, "application/vnd.buildkit.otlp.json.v0"),
        exporter_response={"a": "b"},
        result=BuildResultInfo(results={0: blob(RESULT, "application/vnd.oci.image.index.v1+json")}),
        results={"linux/arm64": BuildResultInfo(attestations=(blob(b"{}", "application/vnd.in-toto+json"),))},
        generation=number,
        pinned=True,
        cached_steps=1,
        total_steps=3,
        completed_steps=2,
        warnings=4,
    )
    return SavedBuild(record, {digest_of(data): data for data in (LOGS, TRACE, RESULT, b"{}")})


def written(*builds: SavedBuild) -> bytes:
    file = io.BytesIO()
    write_record_file(builds, file)
    return file.getvalue()


def read(data: bytes) -> list[SavedBuild]:
    return read_record_file(io.BytesIO(data), "f.dockerbuild")


def archive(members: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        for name, data in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return file.getvalue()


def test_what_was_written_is_read() -> None:
    (found,) = read(written(build()))
    before, after = build().record, found.record
    assert after.results == before.results
    assert (after.error, after.exporters, after.created_at_ns) == (
        before.error,
        before.exporters,
        before.created_at_ns,
    )
    assert (after.pinned, after.total_steps, after.warnings, after.generation) == (True, 3, 4, 1)
    assert [status.vertexes[0].name for status in found.statuses()] == ["one", "two"]


def test_the_credentials_of_caches_are_left_out() -> None:
    data = gzip.decompress(written(build()))
    assert b"s3cret" not in data
    (found,) = read(written(build()))
    assert json.loads(found.record.frontend_attrs["cache-imports"]) == [
        {"Type": "gha", "Attrs": {"scope": "x"}}
    ]
    assert found.record.trace is not None
    assert b"token=xxxxx,scope=x" in found.blobs[found.record.trace.digest]


def test_several_builds_stand_in_an_index() -> None:
    found = read(written(build("one"), build("two", number=2)))
    assert [one.record.ref for one in found] == ["one", "two"]


def test_equal_builds_give_equal_bytes() -> None:
    assert written(build()) == written(build())


def test_results_keep_their_type_beside() -> None:
    with tarfile.open(fileobj=io.BytesIO(written(build()))) as tar:
        texts = [content.read() for entry in tar if entry.isreg() and (content := tar.extractfile(entry))]
    (manifest,) = [json.loads(text) for text in texts if text.startswith(b"{") and b'"layers"' in text]
    types = {layer["digest"]: (layer["mediaType"], layer.get("annotations")) for layer in manifest["layers"]}
    assert types[digest_of(RESULT)] == (
        "application/json",
        {"vnd.export-build.descriptor.mediatype": "application/vnd.oci.image.index.v1+json"},
    )


def test_logs_that_are_cut_off_or_missing() -> None:
    whole = build()
    assert whole.record.logs is not None
    for logs, message in ((LOGS[:-1], "cut off"), (b"\x03\0\0\0abc", "cannot be read"), (None, "no logs")):
        blobs = {} if logs is None else {whole.record.logs.digest: logs}
        with pytest.raises(RecordFileError, match=message):
            list(SavedBuild(whole.record, blobs).statuses())


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not a .dockerbuild file"),
        (b"no gzip", "not a .dockerbuild file"),
        (gzip.compress(b"no tar"), "not a .dockerbuild file"),
        (written(build())[:600], "not a .dockerbuild file"),
        (archive({}), "not a .dockerbuild file|index.json is missing"),
        (archive({"index.json": b"[" * 100_000}), "index.json is not JSON"),
        (archive({"index.json": b"[]"}), "index.json is not an object"),
        (archive({"index.json": b"{}"}), "an index without manifests"),
        (archive({"index.json": b'{"manifests":[]}'}), "no build records"),
        (archive({"index.json": b'{"manifests":[{"digest":"sha256:00"}]}'}), "sha256:00 is missing"),
        (archive({"blobs/sha256/" + "0" * 64: b"x", "index.json": b'{"manifests":[]}'}), "damaged"),
    ],
    ids=range(11),
)
def test_another_file(data: bytes, message: str) -> None:
    with pytest.raises(RecordFileError, match=message):
        read(data)


def test_an_image_is_named_as_what_it_is() -> None:
    manifest = json.dumps({"config": {"mediaType": "application/vnd.oci.image.config.v1+json"}}).encode()
    digest = digest_of(manifest)
    index = json.dumps({"manifests": [{"digest": digest}]}).encode()
    with pytest.raises(RecordFileError, match="an image, not build records"):
        read(archive({"index.json": index, f"blobs/{digest.replace(':', '/')}": manifest}))


def test_a_bomb_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recordfile, "SIZE_LIMIT", 1 << 20)
    with pytest.raises(RecordFileError, match="larger than 1 MiB unpacked"):
        read(archive({"blobs/sha256/" + "0" * 64: bytes(2 << 20)}))


async def test_results_that_are_gone_are_left_out_and_logs_are_not() -> None:
    whole = build()

    async def read_blob(digest: str) -> AsyncIterator[bytes]:
        if digest not in kept:
            raise RPCError(Code.NOT_FOUND, "gone")
        yield whole.blobs[digest]

    kept = {digest_of(LOGS)}
    assert set((await collect_build(whole.record, read_blob)).blobs) == kept
    kept = {digest_of(RESULT)}
    with pytest.raises(RPCError, match="gone"):
        await collect_build(whole.record, read_blob)
