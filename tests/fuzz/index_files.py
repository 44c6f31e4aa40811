"""Any index.json is entries, and takes one more without losing any, or one error that leaves it as it was."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from buildctl.errors import BuildctlError, ProtocolError
from buildctl.model import gojson
from buildctl.oci.descriptor import parse_descriptor
from buildctl.oci.index import IMAGE_NAME, REF_NAME, Name, find, put, read_index
from tests.fuzz.driver import Harness, words

NAME = Name("registry.example/fuzz:tag")
ENTRY = {
    "mediaType": "application/vnd.oci.image.manifest.v1+json",
    "digest": f"sha256:{7:064x}",
    "size": 7,
    "annotations": {"org.opencontainers.image.created": "2026"},
}


def check(data: bytes) -> str:
    with suppress(ProtocolError):
        assert parse_descriptor(data)["digest"]
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        path = Path(folder, "index.json")
        path.write_bytes(data)
        try:
            before = read_index(folder)
        except BuildctlError as error:
            return refused(folder, data, str(error))
        for tag in ("tag", "", "latest"):
            assert find(before, tag) in [*before, None]
        put(folder, ENTRY, [NAME])
        after = read_index(folder)
        assert sorted(os.listdir(folder)) == ["index.json", "oci-layout"]
    assert any(entry.get("digest") == ENTRY["digest"] for entry in after if is_named(entry))
    assert texts(entry for entry in before if not is_named(entry)) <= texts(after)
    return f"{len(before)} {len(after)}"


def refused(folder: str, data: bytes, why: str) -> str:
    try:
        put(folder, ENTRY, [NAME])
    except BuildctlError:
        assert Path(folder, "index.json").read_bytes() == data
        assert "index.json.lock" not in os.listdir(folder)
        return why.rpartition(": ")[2][:20]
    raise AssertionError("an index that cannot be read was written")


def is_named(entry: Any) -> bool:
    annotations = entry.get("annotations")
    return isinstance(annotations, dict) and (
        (annotations.get(IMAGE_NAME), annotations.get(REF_NAME)) == (NAME.text, "tag")
    )


def texts(entries: Iterable[Any]) -> set[bytes]:
    # Once written and read, so that what is not UTF-8 has been replaced.
    return {gojson.encode(json.loads(gojson.encode(entry))) for entry in entries}


def seeds() -> list[bytes]:
    named = {**ENTRY, "annotations": {IMAGE_NAME: "docker.io/library/x:latest", REF_NAME: "latest"}}
    old = {**ENTRY, "digest": f"sha256:{8:064x}", "annotations": NAME.annotations}
    tagged = {**ENTRY, "annotations": {REF_NAME: "tag"}, "platform": {"os": "linux"}}
    index = {"schemaVersion": 2, "manifests": [ENTRY, named, old, tagged]}
    return [
        b"",
        b"{}",
        json.dumps(index).encode(),
        json.dumps({"manifests": None}).encode(),
        json.dumps(ENTRY).encode(),
    ]


HARNESS = Harness(
    "index_files",
    check,
    seeds,
    words=words(
        '{ } [ ] " : , null true 1e999 NaN "\\ud800" "\\u0000" "manifests": "annotations": "digest": {} []',
        *(b"\xff", b"[" * 3000, b'{"a":' * 3000, b"9" * 5000, b"\xef\xbb\xbf", b"\xff\xfe"),
    ),
)
