"""A project of real size on a real BuildKit: `project`, through every output and every kind of cache."""

from __future__ import annotations

import http.client
import io
import json
import re
import shutil
import socket
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.engines import Engine
from tests.support.program import run
from tests.support.registry import Registry, running_registry

pytestmark = pytest.mark.daemon

NAME = "docker.io/library/tides:1"
EXPENSIVE = "RUN od -An"
SERIAL = "about/serial"


@dataclass(frozen=True)
class File:
    """What is asked of an exported file; a link's content is its target."""

    content: str
    mode: int
    owner: tuple[int, int]


Tree = dict[str, File]

ROOT, WEB = (0, 0), (1500, 1600)
NORTH = "<h1>North pier</h1>\n<p>High water at six</p>\n<p>Low water at noon</p>\n"
SOUTH = "<h1>South pier</h1>\n<p>High water at seven</p>\n"
WORDS = ["at", "high", "low", "noon", "north", "pier", "seven", "six", "south", "water"]


def site(serial: str, release: str = "dev", title: str = "Tide tables", releases: str = "dev\n") -> Tree:
    """All files of the finished image."""
    heading = f"<title>{title}</title>\n"
    return {
        "about/count": File("1\n", 0o644, ROOT),
        "about/interpreter": File("a script in awk\n", 0o644, ROOT),
        "about/passed": File("passed\n", 0o644, ROOT),
        "about/releases": File(releases, 0o644, ROOT),
        "about/serial": File(serial, 0o644, ROOT),
        "config/EOF": File(f"title={title}\nrelease={release}\n", 0o600, ROOT),
        "config/UNEXPANDED": File("root=$HOME\n", 0o600, ROOT),
        "etc/group": File("root:x:0:\nweb:x:1600:\n", 0o644, ROOT),
        "etc/passwd": File("root:x:0:0:root:/root:/bin/sh\nweb:x:1500:1600:web:/site:/bin/sh\n", 0o644, ROOT),
        "site/count": File("5\n", 0o644, WEB),
        "site/index.html": File("north.html", 0o777, WEB),
        "site/north.html": File(heading + NORTH, 0o644, WEB),
        "site/search/index": File("".join(f"{word}\n" for word in WORDS), 0o640, (1500, 0)),
        "site/site.css": File("p { margin: 0 }\n", 0o644, WEB),
        "site/sources": File("kept.note\nnorth.txt\nsouth.txt\n", 0o644, WEB),
        "site/south.html": File(heading + SOUTH, 0o644, WEB),
    }


@pytest.fixture
def project(tmp_path: Path, own_engine: Engine) -> Path:
    folder = tmp_path / "project"
    shutil.copytree(Path(__file__).with_name("project"), folder)
    shutil.copy(own_engine.busybox, folder / "busybox")
    return folder


@pytest.fixture
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with running_registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


def built(engine: Engine, project: Path, *flags: str) -> str:
    """What the build said; its outputs are beside the project, not in it."""
    ran = run(
        *("--addr", f"docker://{engine.socket}", "build", "--frontend", "dockerfile.v0", "--progress=plain"),
        *("--local", "context=project", "--local", "dockerfile=project"),
        *("--local", "looks=project/style", "--opt", "context:style=local:looks"),
        *("--opt", "force-network-mode=none", *flags),
        cwd=project.parent,
    )
    assert ran.exit == 0, ran.stderr
    return ran.stderr


def prune(engine: Engine, folder: Path) -> None:
    ran = run("--addr", f"docker://{engine.socket}", "prune", "--all", cwd=folder)
    assert ran.exit == 0, ran.stderr


def is_cached(said: str, step: str) -> bool:
    number = next(line.split()[0] for line in said.splitlines() if step in line and line.startswith("#"))
    return f"{number} CACHED" in said.splitlines()


def files_in_folder(folder: Path) -> Tree:
    """What a local output wrote."""
    found = {}
    for path in folder.rglob("*"):
        if path.is_dir() and not path.is_symlink():
            continue
        status = path.lstat()
        content = str(path.readlink()) if path.is_symlink() else path.read_text()
        name = str(path.relative_to(folder))
        found[name] = File(content, status.st_mode & 0o7777, (status.st_uid, status.st_gid))
    return found


def files_in_tar(data: bytes) -> Tree:
    """The files of an archive, or of a layer, which may be compressed."""
    found = {}
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for entry in archive:
            if not entry.isdir():
                source = archive.extractfile(entry) if entry.isreg() else None
                content = source.read().decode() if source else entry.linkname
                found[entry.name] = File(content, entry.mode, (entry.uid, entry.gid))
    return found


def files_in_image(read: Callable[[str], bytes]) -> tuple[Tree, dict[str, Any]]:
    """What a layout's only image consists of, and its configuration."""
    (entry,) = json.loads(read("index.json"))["manifests"]

    def blob(digest: str) -> bytes:
        return read(f"blobs/{digest.replace(':', '/')}")

    manifest = json.loads(blob(entry["digest"]))
    if "manifests" in manifest:
        manifest = json.loads(blob(manifest["manifests"][0]["digest"]))
    found: Tree = {}
    for layer in manifest["layers"]:
        found |= files_in_tar(blob(layer["digest"]))
    return found, json.loads(blob(manifest["config"]["digest"]))["config"]


def files_in_image_tar(data: bytes) -> tuple[Tree, dict[str, Any]]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:

        def read(name: str) -> bytes:
            source = archive.extractfile(name)
            assert source is not None
            return source.read()

        return files_in_image(read)


def saved_by_engine(engine: Engine, name: str) -> bytes:
    """An image of the engine's store, as its own API hands it out."""
    connection = http.client.HTTPConnection("localhost", timeout=20)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(str(engine.socket))
    try:
        connection.request("GET", f"/images/{name}/get")
        answer = connection.getresponse()
        data = answer.read()
        assert answer.status == 200, data
        return data
    finally:
        connection.close()


def test_every_output(own_engine: Engine, project: Path) -> None:
    here = project.parent
    prune(own_engine, here)
    said = built(own_engine, project, "-o", "type=local,dest=local")
    steps = set(re.findall(r"\[(\S+) +(\d+)/\d+\] ", said))
    assert len(steps) >= 25
    assert {name for name, _ in steps} == {"base", "tools", "pages", "search", "check", "stage-5"}
    serial = (here / "local" / SERIAL).read_text()
    assert re.fullmatch("[0-9a-f]{32}", serial)
    expected = site(serial)
    # A local output belongs to who asked for it.
    ours = {name: File(file.content, file.mode, ROOT) for name, file in expected.items()}
    assert files_in_folder(here / "local") == ours

    said = built(own_engine, project, "-o", "type=tar,dest=site.tar")
    assert is_cached(said, EXPENSIVE)
    assert files_in_tar((here / "site.tar").read_bytes()) == expected

    images = []
    for kind in ("oci", "docker"):
        built(own_engine, project, "-o", f"type={kind},dest={kind}.tar,name={NAME}")
        images.append(files_in_image_tar((here / f"{kind}.tar").read_bytes()))
    built(own_engine, project, "-o", f"type=oci,dest=layout,tar=false,name={NAME}")
    images.append(files_in_image(lambda name: (here / "layout" / name).read_bytes()))
    built(own_engine, project, "-o", f"type=image,name={NAME}")
    images.append(files_in_image_tar(saved_by_engine(own_engine, NAME)))
    for tree, config in images:
        assert tree == expected
        assert config["Labels"] == {"title": "Tide tables", "release": "dev"}
        assert (config["User"], config["Entrypoint"]) == ("web", ["/site"])


def test_build_arguments_and_cache_mounts(own_engine: Engine, project: Path) -> None:
    here = project.parent
    prune(own_engine, here)
    built(own_engine, project)
    arguments = ("--opt", "build-arg:TITLE=High and low", "--opt", "build-arg:RELEASE=2")
    said = built(own_engine, project, *arguments, "-o", "type=tar,dest=site.tar")
    assert is_cached(said, EXPENSIVE)
    found = files_in_tar((here / "site.tar").read_bytes())
    # The mount still has what the build before wrote to it.
    assert found == site(found[SERIAL].content, "2", "High and low", releases="dev\n2\n")


@pytest.mark.parametrize("kind", ["local", "registry", "inline"])
def test_caches(own_engine: Engine, project: Path, registry: Registry, kind: str) -> None:
    here = project.parent
    prune(own_engine, here)
    image = f"{registry.host}/tides:1"
    local = ("-o", "type=local,dest=before")
    flags, source = {
        "local": (["--export-cache", "type=local,dest=cache,mode=max", *local], "type=local,src=cache"),
        "registry": (
            ["--export-cache", f"type=registry,ref={registry.host}/cache:1,mode=max", *local],
            f"type=registry,ref={registry.host}/cache:1",
        ),
        "inline": (
            ["--export-cache", "type=inline", "-o", f"type=image,name={image},push=true"],
            f"type=registry,ref={image}",
        ),
    }[kind]
    said = built(own_engine, project, *flags)
    assert not is_cached(said, EXPENSIVE)
    if kind == "inline":
        built(own_engine, project, *local)
    before = files_in_folder(here / "before")
    prune(own_engine, here)

    said = built(own_engine, project, "--import-cache", source, "-o", "type=local,dest=after")
    assert files_in_folder(here / "after") == before
    # An inline cache has the last stage alone: its steps are there, and none of another needs to run.
    assert is_cached(said, "COPY --from=tools")
    if kind != "inline":
        assert is_cached(said, EXPENSIVE)
