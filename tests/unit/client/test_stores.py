"""Which stores a build offers, and what becomes of the layouts when it has ended."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from buildctl.client.request import check, control_request, gateway_request
from buildctl.client.stores import enter_results, open_stores
from buildctl.errors import BuildctlError, ProtocolError, SolveError, UsageError
from buildctl.model.solve import (
    CacheEntry,
    DirectoryDestination,
    Export,
    LayoutDestination,
    SolveOpt,
)
from buildctl.oci.digest import Digest
from buildctl.oci.index import Name, put, read_index
from buildctl.oci.store import Store

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


def add(layout: Path, data: bytes) -> Digest:
    digest = Digest("sha256", hashlib.sha256(data).hexdigest())
    if Store(str(layout)).has(digest):
        return digest
    writer = Store(str(layout)).writer(str(digest))
    writer.write(data)
    return writer.commit(len(data), digest)


def described(digest: Digest, media_type: str = LAYER) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": str(digest), "size": 1}


def add_json(layout: Path, members: Mapping[str, Any]) -> Digest:
    return add(layout, json.dumps(members).encode())


def local_cache(layout: Path, *tags: str) -> Digest:
    """A cache of one layer under each tag."""
    layer = add(layout, b"layer of " + repr(tags).encode())
    manifest = add_json(layout, {"config": described(add(layout, b"config")), "layers": [described(layer)]})
    put(str(layout), described(manifest, MANIFEST), [Name(tag, is_tag=True) for tag in tags])
    return manifest


def exporting(path: Path, **attrs: str) -> SolveOpt:
    return SolveOpt("f", cache_exports=(CacheEntry("local", {"dest": str(path), **attrs}),))


def importing(*entries: CacheEntry) -> SolveOpt:
    return SolveOpt("f", cache_imports=entries)


def layout_output(path: Path, kind: str = "oci") -> SolveOpt:
    return SolveOpt("f", exports=(Export(kind, destination=LayoutDestination(str(path))),))


def digests(layout: Path) -> set[Digest]:
    return {blob.digest for blob in Store(str(layout)).blobs()}


# Before the build


@pytest.mark.parametrize(
    ("opt", "message"),
    [
        (SolveOpt("f", cache_exports=(CacheEntry("local"),)), "local cache exporter requires dest"),
        (
            SolveOpt("f", cache_exports=(CacheEntry("local", {"dest": "d", "reset": "foo"}),)),
            'failed to parse reset attribute: strconv.ParseBool: parsing "foo": invalid syntax',
        ),
        (importing(CacheEntry("local")), "local cache importer requires src"),
        (
            importing(CacheEntry("local", {"src": "s", "tag": ""})),
            'local cache importer requires either explicit digest, "latest" tag or custom tag on index.json',
        ),
        (
            SolveOpt("f", exports=(Export("tar", destination=LayoutDestination("d")),)),
            "output directory is not supported by tar exporter",
        ),
        (
            SolveOpt("f", exports=(Export("oci", destination=LayoutDestination("d")),) * 2),
            'oci store key "export" already exists',
        ),
    ],
)
def test_what_cannot_be_asked_is_refused(opt: SolveOpt, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        check(opt)
    assert str(caught.value) == message


def test_stores_are_offered_under_the_ids_that_daemons_ask_for(tmp_path: Path) -> None:
    source = tmp_path / "in"
    digest = local_cache(source, "latest")
    opt = SolveOpt(
        "f",
        oci_layouts={"shop": str(tmp_path / "layout")},
        exports=(
            Export("local", destination=DirectoryDestination("x")),
            Export("oci", destination=LayoutDestination(str(tmp_path / "image"))),
        ),
        cache_exports=(CacheEntry("local", {"dest": str(tmp_path / "out")}), CacheEntry("inline")),
        cache_imports=(CacheEntry("local", {"src": str(source)}), CacheEntry("registry", {"ref": "r"})),
    )
    check(opt)
    stores = open_stores(opt)
    assert {name: store.read_only for name, store in stores.by_id.items()} == {
        f"local:{source}": True,
        "oci:shop": True,
        f"local:{tmp_path / 'out'}": False,
        "export": False,
    }
    assert stores.cache_imports[0].attrs == {"src": str(source), "digest": str(digest)}
    assert stores.usable_imports == stores.cache_imports
    assert os.listdir(tmp_path) == ["in"]


def test_a_cache_that_is_filled_can_be_imported_from(tmp_path: Path) -> None:
    local_cache(tmp_path, "latest")
    entry = {"src": str(tmp_path), "dest": str(tmp_path)}
    opt = SolveOpt(
        "f", cache_exports=(CacheEntry("local", entry),), cache_imports=(CacheEntry("local", entry),)
    )
    ((_, store),) = open_stores(opt).by_id.items()
    assert not store.read_only


def test_imports_that_are_not_there_are_passed_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    cache = tmp_path / "cache"
    digest = local_cache(cache, "latest")
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "index.json").write_text("{")
    nowhere = f"sha256:{'0' * 64}"
    opt = importing(
        CacheEntry("local", {"src": str(cache)}),
        CacheEntry("local", {"src": str(cache), "tag": "other"}),
        CacheEntry("local", {"src": str(cache), "digest": nowhere}),
        CacheEntry("local", {"src": str(cache), "digest": "../../etc/passwd"}),
        CacheEntry("local", {"src": str(tmp_path / "nowhere")}),
        CacheEntry("local", {"src": str(broken)}),
    )
    stores = open_stores(opt)
    assert [entry.attrs["digest"] for entry in stores.usable_imports] == [str(digest)]
    assert len(stores.cache_imports) == 6
    index = tmp_path / "nowhere" / "index.json"
    assert sorted(caplog.messages) == sorted(
        [
            f"local cache import at {cache} skipped: no digest found for tag other",
            f"local cache import at {cache} skipped: digest {nowhere} unavailable:"
            f" content {nowhere}: not found",
            f"local cache import at {cache} skipped: digest ../../etc/passwd unavailable:"
            " invalid checksum digest format",
            f"local cache import at {tmp_path / 'nowhere'} skipped due to err: could not read {index}:"
            f" open {index}: no such file or directory",
            next(text for text in caplog.messages if "could not unmarshal" in text),
        ]
    )
    assert not (tmp_path / "nowhere").exists()
    kept = stores.usable_imports
    request = control_request(opt, ref="r", session_id="s", imports=kept)
    assert len(request.Cache.Imports) == len(json.loads(request.FrontendAttrs["cache-imports"])) == 1
    frontend = gateway_request(opt, kept)
    assert len(frontend.CacheImports) == 6
    assert len(json.loads(frontend.FrontendOpt["cache-imports"])) == 1


def test_daemons_are_told_that_a_layout_is_no_archive(tmp_path: Path) -> None:
    request = control_request(layout_output(tmp_path), ref="r", session_id="s")
    assert request.Exporters[0].Attrs == {"tar": "false"}
    assert request.ExporterAttrsDeprecated == {"tar": "false"}
    typed = SolveOpt("f", exports=(Export("oci", {"tar": "0"}, LayoutDestination("d")),))
    assert control_request(typed, ref="r", session_id="s").Exporters[0].Attrs == {"tar": "0"}


# After the build


def test_a_cache_is_entered_under_its_tag(tmp_path: Path) -> None:
    manifest = {**described(add(tmp_path, b"m"), MANIFEST), "unknown": 1}
    enter_results(exporting(tmp_path, tag="mine"), {"cache.manifest": json.dumps(manifest)})
    (entry,) = read_index(str(tmp_path))
    assert entry == {
        **described(add(tmp_path / "x", b"m"), MANIFEST),
        "annotations": {"org.opencontainers.image.ref.name": "mine"},
    }


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (None, [{"org.opencontainers.image.ref.name": "latest"}]),
        (
            "docker.io/a/b:c,docker.io/a/d:e",
            [
                {
                    "io.containerd.image.name": "docker.io/a/b:c",
                    "org.opencontainers.image.ref.name": "c",
                },
                {
                    "io.containerd.image.name": "docker.io/a/d:e",
                    "org.opencontainers.image.ref.name": "e",
                },
            ],
        ),
    ],
)
def test_an_image_is_entered_under_its_names(
    tmp_path: Path, names: str | None, expected: list[dict[str, str]]
) -> None:
    image = json.dumps(described(add(tmp_path, b"m"), MANIFEST)).encode()
    response = {"containerimage.descriptor": base64.b64encode(image).decode()}
    enter_results(layout_output(tmp_path), response | ({"image.name": names} if names else {}))
    assert [entry["annotations"] for entry in read_index(str(tmp_path))] == expected


def test_a_result_that_was_not_delivered_is_no_success(tmp_path: Path) -> None:
    image = json.dumps(described(add(tmp_path / "elsewhere", b"m"), MANIFEST)).encode()
    response = {"containerimage.descriptor": base64.b64encode(image).decode()}
    with pytest.raises(SolveError, match="is not complete: the daemon names sha256:"):
        enter_results(layout_output(tmp_path / "out"), response)
    assert not (tmp_path / "out" / "index.json").exists()


def test_without_an_answer_nothing_is_entered(tmp_path: Path) -> None:
    enter_results(exporting(tmp_path / "a" / "cache"), {})
    enter_results(layout_output(tmp_path / "layout"), {})
    assert os.listdir(tmp_path / "a" / "cache") == os.listdir(tmp_path / "layout") == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        '{"digest": 3}',
        '{"mediaType": "m", "size": 1, "digest": "sha256:../../../x"}',
        '{"mediaType": "m", "digest": "sha256:NOUGHTS"}',
        '{"mediaType": "m", "size": 1, "digest": "sha256:NOUGHTS", "annotations": {"a": 1}}',
        '{"mediaType": "m", "size": 1, "digest": "sha256:NOUGHTS", "annotations": [1]}',
        "[" * 100_000,
    ],
)
def test_answers_that_are_no_descriptors(tmp_path: Path, text: str) -> None:
    text = text.replace("NOUGHTS", "0" * 64)
    encoded = base64.b64encode(text.encode()).decode() or "!"
    with pytest.raises(ProtocolError):
        enter_results(exporting(tmp_path), {"cache.manifest": text or " "})
    with pytest.raises(ProtocolError):
        enter_results(layout_output(tmp_path), {"containerimage.descriptor": encoded})
    assert os.listdir(tmp_path) == []


def test_an_index_that_cannot_be_written_is_told_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BuildctlError, match="failed to write .*index.json: not a directory") as caught:
        enter_results(exporting(tmp_path / "file" / "cache"), {})
    assert caught.value.hint


# Reset


def test_reset_keeps_what_any_tag_needs(tmp_path: Path) -> None:
    local_cache(tmp_path, "one")
    local_cache(tmp_path, "two")
    platforms = [described(local_cache(tmp_path, "three"), MANIFEST)]
    put(str(tmp_path), described(add_json(tmp_path, {"manifests": platforms}), INDEX), [Name("host/a:four")])
    kept = digests(tmp_path)
    stray = add(tmp_path, b"stray")
    enter_results(exporting(tmp_path, reset="false"), {})
    assert digests(tmp_path) == kept | {stray}
    enter_results(exporting(tmp_path, reset="true"), {})
    assert digests(tmp_path) == kept


@pytest.mark.parametrize("manifest", [b"[]", b"{", None, b'{"layers": [{"digest": "../x"}]}'])
def test_a_cache_that_is_not_understood_is_left_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, manifest: bytes | None
) -> None:
    digest = add(tmp_path, manifest) if manifest else Digest("sha256", "0" * 64)
    put(str(tmp_path), described(digest, MANIFEST), [Name("t", is_tag=True)])
    add(tmp_path, b"stray")
    before = digests(tmp_path)
    enter_results(exporting(tmp_path, reset="1"), {})
    assert digests(tmp_path) == before
    assert caplog.messages == ["failed to reset cache store"]
