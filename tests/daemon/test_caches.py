"""Local caches and layouts on a real BuildKit: written, read by another tool, and built from again."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from buildctl.oci.store import Store
from tests.support import packages
from tests.support.engines import Engine
from tests.support.program import Ran, run, start

pytestmark = pytest.mark.daemon

SHELL = 'SHELL ["/busybox", "sh", "-c"]'


@pytest.fixture
def project(tmp_path: Path, own_engine: Engine) -> Path:
    """A folder with a two-stage Dockerfile whose first stage has an expensive step."""
    folder = tmp_path / "project"
    folder.mkdir()
    shutil.copy(own_engine.busybox, folder / "busybox")
    dockerfile(
        folder,
        "FROM scratch AS tools",
        "COPY busybox /",
        SHELL,
        "RUN echo expensive; echo result > /result; echo scrap > /scrap",
        "FROM scratch",
        "COPY --from=tools /result /",
    )
    return folder


def dockerfile(folder: Path, *lines: str) -> None:
    (folder / "Dockerfile").write_text("\n".join((*lines, "")))


def build(engine: Engine, folder: Path, *flags: str) -> Ran:
    local = ("--local", "context=.", "--local", "dockerfile=.", "--opt", "force-network-mode=none")
    address = ("--addr", f"docker://{engine.socket}")
    return run(
        *address, "build", "--frontend", "dockerfile.v0", *local, "--progress=plain", *flags, cwd=folder
    )


def built(engine: Engine, folder: Path, *flags: str) -> str:
    """What a build that succeeded said."""
    ran = build(engine, folder, *flags)
    assert ran.exit == 0, ran.stderr
    return ran.stderr


def prune(engine: Engine, folder: Path) -> None:
    ran = run("--addr", f"docker://{engine.socket}", "prune", "--all", cwd=folder)
    assert ran.exit == 0, ran.stderr


def is_cached(said: str, step: str) -> bool:
    """Whether the plain display shows the step as cached."""
    number = next(line.split()[0] for line in said.splitlines() if step in line and line.startswith("#"))
    return f"{number} CACHED" in said.splitlines()


def index(layout: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((layout / "index.json").read_bytes())["manifests"]
    return found


def tags(layout: Path) -> list[str]:
    return [entry["annotations"]["org.opencontainers.image.ref.name"] for entry in index(layout)]


def check_blobs(layout: Path) -> int:
    """Every blob is what its name says and read-only; returns how many there are."""
    store = Store(str(layout))
    count = 0
    for blob in store.blobs():
        store.read(blob.digest, limit=1 << 30)
        path = layout / "blobs" / blob.digest.algorithm / blob.digest.encoded
        assert path.stat().st_mode & 0o777 == 0o444
        count += 1
    assert os.listdir(layout / "ingest") == []
    assert not (layout / "index.json.lock").exists()
    return count


def skopeo(*arguments: str, cwd: Path) -> bytes:
    programs = packages.skopeo()
    policy = cwd / "policy.json"
    policy.write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
    ran = subprocess.run(
        ["skopeo", "--policy", str(policy), *arguments],
        cwd=cwd,
        env={
            "PATH": f"{programs.path}:/usr/bin:/bin",
            "LD_LIBRARY_PATH": programs.library_path,
            "HOME": str(cwd),
        },
        capture_output=True,
        timeout=50,
    )
    assert ran.returncode == 0, ran.stderr.decode()
    return ran.stdout


# Caches


def test_a_local_cache_makes_up_for_a_pruned_daemon(own_engine: Engine, project: Path) -> None:
    export = "type=local,dest=cache,mode=max"
    said = built(own_engine, project, "--no-cache", "--export-cache", export)
    assert not is_cached(said, "RUN echo expensive")
    assert tags(project / "cache") == ["latest"]
    assert check_blobs(project / "cache") >= 3
    prune(own_engine, project)
    said = built(own_engine, project, "--import-cache", "type=local,src=cache", "-o", "type=local,dest=out")
    assert is_cached(said, "RUN echo expensive")
    assert "importing cache manifest from local:" in said
    assert (project / "out" / "result").read_text() == "result\n"


def test_a_cache_of_results_alone_lacks_the_stages_before(own_engine: Engine, project: Path) -> None:
    built(own_engine, project, "--no-cache", "--export-cache", "type=local,dest=min")
    built(own_engine, project, "--export-cache", "type=local,dest=max,mode=max")
    assert check_blobs(project / "min") < check_blobs(project / "max")


def test_tags_stand_side_by_side_and_reset_drops_what_none_needs(own_engine: Engine, project: Path) -> None:
    cache = project / "cache"
    built(own_engine, project, "--export-cache", "type=local,dest=cache,mode=max,tag=one")
    first = {blob.digest for blob in Store(str(cache)).blobs()}
    text = (project / "Dockerfile").read_text().replace("echo scrap", "echo other scrap")
    (project / "Dockerfile").write_text(text)
    built(own_engine, project, "--export-cache", "type=local,dest=cache,mode=max,tag=two,reset=true")
    assert tags(cache) == ["one", "two"]
    both = {blob.digest for blob in Store(str(cache)).blobs()}
    assert both > first
    # Nothing leads to what only "one" needed once "one" is another.
    (cache / "blobs" / "sha256" / ("0" * 64)).write_bytes(b"stray")
    built(own_engine, project, "--export-cache", "type=local,dest=cache,mode=max,tag=one,reset=true")
    assert tags(cache) == ["two", "one"]
    assert {blob.digest for blob in Store(str(cache)).blobs()} < both
    assert check_blobs(cache) >= 3
    prune(own_engine, project)
    said = built(own_engine, project, "--import-cache", "type=local,src=cache,tag=two")
    assert is_cached(said, "RUN echo expensive")


def test_one_folder_is_imported_and_exported_in_one_build(own_engine: Engine, project: Path) -> None:
    both = (
        "--import-cache",
        "type=local,src=cache",
        "--export-cache",
        "type=local,dest=cache,mode=max",
    )
    said = built(own_engine, project, *both)
    assert "local cache import at cache skipped due to err: could not read cache/index.json" in said
    prune(own_engine, project)
    assert is_cached(built(own_engine, project, *both), "RUN echo expensive")
    assert tags(project / "cache") == ["latest"]


def test_caches_that_are_not_there_are_told_and_passed_over(own_engine: Engine, project: Path) -> None:
    said = built(
        own_engine,
        project,
        *("--import-cache", "type=local,src=nowhere"),
        *("--import-cache", f"type=local,src=nowhere,digest=sha256:{'0' * 64}"),
    )
    assert "level=warning" in said
    assert "local cache import at nowhere skipped due to err: could not read nowhere/index.json" in said
    assert f"skipped: digest sha256:{'0' * 64} unavailable: content sha256:{'0' * 64}: not found" in said
    assert not (project / "nowhere").exists()


def test_a_damaged_cache_does_not_harm_the_build(own_engine: Engine, project: Path) -> None:
    built(own_engine, project, "--export-cache", "type=local,dest=cache,mode=max")
    for blob in Store(str(project / "cache")).blobs():
        path = project / "cache" / "blobs" / "sha256" / blob.digest.encoded
        path.chmod(0o644)
        path.write_bytes(b"x" * blob.size)
    prune(own_engine, project)
    ran = build(own_engine, project, "--import-cache", "type=local,src=cache", "-o", "type=local,dest=out")
    assert ran.exit == 0, ran.stderr
    assert not is_cached(ran.stderr, "RUN echo expensive")


def test_builds_that_export_to_one_folder_at_once(own_engine: Engine, project: Path) -> None:
    def begin(tag: str) -> subprocess.Popen[bytes]:
        return start(
            *("--addr", f"docker://{own_engine.socket}", "build", "--frontend", "dockerfile.v0"),
            *("--local", "context=.", "--local", "dockerfile=.", "--opt", "force-network-mode=none"),
            *("--export-cache", f"type=local,dest=cache,mode=max,tag={tag}", "--progress=plain"),
            cwd=project,
        )

    builds = [begin(tag) for tag in ("a", "b", "c")]
    for one in builds:
        _, stderr = one.communicate(timeout=50)
        assert one.returncode == 0, stderr.decode()
    assert sorted(tags(project / "cache")) == ["a", "b", "c"]
    check_blobs(project / "cache")


def test_a_failed_build_leaves_no_folder(own_engine: Engine, project: Path) -> None:
    dockerfile(project, "FROM scratch", "COPY busybox /", SHELL, "RUN exit 3")
    ran = build(
        own_engine,
        project,
        *("--export-cache", "type=local,dest=cache"),
        *("-o", "type=oci,dest=layout,tar=false"),
    )
    assert ran.exit == 1
    assert {*os.listdir(project)} - {".local"} == {"Dockerfile", "busybox"}


# Layouts


def test_two_images_in_one_layout(own_engine: Engine, project: Path, tmp_path: Path) -> None:
    layout = project / "layout"
    names = ["docker.io/library/first:v1", "docker.io/library/second:v2"]
    for number, name in enumerate(names):
        dockerfile(project, "FROM scratch", f"LABEL number={number}", "COPY busybox /")
        built(own_engine, project, "-o", f"type=oci,dest=layout,tar=false,name={name}")
    assert tags(layout) == ["v1", "v2"]
    assert [entry["annotations"]["io.containerd.image.name"] for entry in index(layout)] == names
    check_blobs(layout)
    for number, tag in enumerate(tags(layout)):
        inspected = json.loads(skopeo("inspect", f"oci:{layout}:{tag}", cwd=tmp_path))
        assert inspected["Labels"] == {"number": str(number)}
        skopeo("copy", f"oci:{layout}:{tag}", f"dir:{tmp_path / tag}", cwd=tmp_path)
        assert (tmp_path / tag / "manifest.json").exists()


def test_a_layout_of_dockers_kind(own_engine: Engine, project: Path, tmp_path: Path) -> None:
    built(own_engine, project, "-o", "type=docker,dest=layout,tar=false,name=a.b/c:d", "--metadata-file=m")
    described = json.loads((project / "m").read_bytes())["containerimage.descriptor"]
    (entry,) = index(project / "layout")
    assert entry["digest"] == described["digest"]
    assert entry["annotations"]["io.containerd.image.name"] == "a.b/c:d"
    check_blobs(project / "layout")


def test_a_layout_without_a_name_is_latest(own_engine: Engine, project: Path, tmp_path: Path) -> None:
    built(own_engine, project, "-o", "type=oci,dest=new/layout,tar=false")
    assert tags(project / "new" / "layout") == ["latest"]
    skopeo("inspect", f"oci:{project / 'new' / 'layout'}:latest", cwd=tmp_path)


def test_a_layout_as_a_named_context(own_engine: Engine, project: Path) -> None:
    dockerfile(project, "FROM scratch", "COPY busybox /")
    built(own_engine, project, "-o", "type=oci,dest=layout,tar=false")
    (entry,) = index(project / "layout")
    prune(own_engine, project)
    before = {blob.digest: blob.created_ns for blob in Store(str(project / "layout")).blobs()}
    dockerfile(project, "FROM base", SHELL, "RUN echo from the layout > /result")
    context = f"context:base=oci-layout://shop@{entry['digest']}"
    flags = ("--oci-layout", "shop=layout", "--opt", context, "-o", "type=local,dest=out")
    built(own_engine, project, *flags)
    assert (project / "out" / "result").read_text() == "from the layout\n"
    assert {blob.digest: blob.created_ns for blob in Store(str(project / "layout")).blobs()} == before
    prune(own_engine, project)
    (project / "store").mkdir()
    for blob in (project / "layout" / "blobs" / "sha256").iterdir():  # as Bazel makes layouts
        blob.rename(project / "store" / blob.name)
        blob.symlink_to(f"../../../store/{blob.name}")
    shutil.rmtree(project / "out")
    built(own_engine, project, *flags)
    assert (project / "out" / "result").read_text() == "from the layout\n"
    prune(own_engine, project)
    ran = build(own_engine, project, "--oci-layout", "shop=nowhere", *flags[2:])
    assert ran.exit == 1
    assert not (project / "nowhere").exists()


def test_a_daemon_that_dies_leaves_nothing_that_looks_whole(project: Path) -> None:
    dockerfile(project, "FROM scratch", "COPY big /")
    with (project / "big").open("wb") as big:
        for _ in range(64):
            big.write(os.urandom(1 << 20))
    with Engine(packages.ENGINE_26) as engine:
        process = start(
            *("--addr", f"docker://{engine.socket}", "build", "--frontend", "dockerfile.v0"),
            *("--local", "context=.", "--local", "dockerfile=.", "-o", "type=oci,dest=layout,tar=false"),
            cwd=project,
        )
        deadline = time.monotonic() + 40
        while not partial(project / "layout") and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.002)
        engine.kill()
        process.communicate(timeout=20)
    assert process.returncode == 1
    assert not (project / "layout" / "index.json").exists()
    layout = Store(str(project / "layout"))
    for blob in layout.blobs():
        layout.read(blob.digest, limit=1 << 30)


def partial(layout: Path) -> Sequence[Path]:
    """Blobs that are under way, with at least a megabyte there."""
    try:
        return [path for path in layout.glob("ingest/*/data") if path.stat().st_size > 1 << 20]
    except FileNotFoundError:
        return []
