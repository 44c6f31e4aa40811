"""index.json: the cases of the reference's ociindex tests, and many writers at once."""

from __future__ import annotations

import json
import multiprocessing
import os
from pathlib import Path

import pytest

from buildctl.errors import BuildctlError
from buildctl.oci.index import IMAGE_NAME, REF_NAME, Name, find, put, read_index, reference_object


def descriptor(number: int) -> dict[str, object]:
    return {
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "digest": f"sha256:{number:064x}",
        "size": number,
    }


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("docker.io/foo/bar:v1", "v1"),
        ("docker.io/foo/bar", ""),
        ("localhost:5000/foo:v1", "v1"),
        ("docker.io/foo@sha256:00", "@sha256:00"),
        ("docker.io/foo:v1@sha256:00", "v1@sha256:00"),
        ("foo:bar", "foo:bar"),
        ("docker.io/a//b:v1", "docker.io/a//b:v1"),
    ],
)
def test_reference_object(name: str, expected: str) -> None:
    assert reference_object(name) == expected


def test_a_missing_index_is_no_index(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_index(str(tmp_path))


def test_bare_entries_are_appended(tmp_path: Path) -> None:
    put(str(tmp_path), descriptor(1), [])
    put(str(tmp_path), descriptor(2), [])
    assert read_index(str(tmp_path)) == [descriptor(1), descriptor(2)]
    assert (tmp_path / "oci-layout").read_text() == '{"imageLayoutVersion":"1.0.0"}'
    assert sorted(path.name for path in tmp_path.iterdir()) == ["index.json", "oci-layout"]


def test_the_bytes_are_the_reference_s(tmp_path: Path) -> None:
    entry = {**descriptor(1), "annotations": {"org.opencontainers.image.created": "2026"}}
    put(str(tmp_path), entry, [Name("docker.io/foo/bar:v1")])
    assert (tmp_path / "index.json").read_text() == (
        '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":'
        '[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:'
        + "0"
        * 63
        + '1","size":1,"annotations":{"io.containerd.image.name":"docker.io/foo/bar:v1",'
        '"org.opencontainers.image.created":"2026","org.opencontainers.image.ref.name":"v1"}}]}'
    )


def test_a_name_replaces_its_own_entry_alone(tmp_path: Path) -> None:
    layout = str(tmp_path)
    put(layout, descriptor(1), [Name("latest", is_tag=True)])
    put(layout, descriptor(2), [Name("docker.io/foo/bar:latest"), Name("docker.io/foo/baz:latest")])
    put(layout, descriptor(3), [Name("docker.io/foo/bar:latest")])
    entries = read_index(layout)
    assert [entry["size"] for entry in entries] == [1, 2, 3]
    by_name = find(entries, "docker.io/foo/bar:latest")
    by_tag = find(entries, "latest")
    assert by_name is not None
    assert by_name["annotations"] == {IMAGE_NAME: "docker.io/foo/bar:latest", REF_NAME: "latest"}
    assert by_tag is not None
    assert by_tag["size"] == 1
    assert find(entries, "nope") is None


@pytest.mark.parametrize("text", ["[]", "{", '{"manifests": 3}'])
def test_what_is_no_index_is_left_alone(tmp_path: Path, text: str) -> None:
    path = tmp_path / "index.json"
    path.write_text(text)
    with pytest.raises(BuildctlError, match="could not unmarshal"):
        put(str(tmp_path), descriptor(1), [])
    assert path.read_text() == text
    assert not (tmp_path / "index.json.lock").exists()


def _put_some(layout: str, first: int) -> None:
    for number in range(first, first + 20):
        put(layout, descriptor(number), [Name(f"tag-{number}", is_tag=True)])


def test_no_writer_loses_another_s_entries(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_put_some, args=(str(tmp_path), 20 * number)) for number in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert sorted(entry["size"] for entry in read_index(str(tmp_path))) == list(range(80))
    assert json.loads((tmp_path / "index.json").read_bytes())["schemaVersion"] == 2
    assert not (tmp_path / "index.json.lock").exists()


def test_an_index_through_a_link_is_refused(tmp_path: Path) -> None:
    outside = tmp_path / "outside.json"
    outside.write_text('{"manifests":[]}')
    layout = tmp_path / "layout"
    layout.mkdir()
    (layout / "index.json").symlink_to(outside)
    for use in (lambda: read_index(str(layout)), lambda: put(str(layout), {"digest": "d"}, [])):
        with pytest.raises(OSError, match="it is a symbolic link, which is not followed here"):
            use()
    assert outside.read_text() == '{"manifests":[]}'


@pytest.mark.parametrize("kind", ["pipe", "device", "large"])
def test_an_index_that_is_not_a_small_file_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "index.json"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        with path.open("wb") as file:
            file.truncate(1 << 40)
    with pytest.raises(OSError, match="not a regular file|symbolic link|more than 16777216 bytes"):
        read_index(str(tmp_path))
