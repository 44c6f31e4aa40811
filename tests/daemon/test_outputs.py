"""Every type of output to every destination it has, however the build ends: what is there afterwards."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.engines import Engine
from tests.support.mounts import small_tmpfs
from tests.support.program import COMMAND, Ran, environment, run

pytestmark = pytest.mark.daemon

# Each cell is the exit status and what is left at the destination:
#
#   nothing     not even the destination itself
#   previous    what was there before, unchanged, and nothing else
#   result      the complete result; in a folder, beside what else was there before
#   empty       a folder with nothing in it
#   cut         a part of the result: what went to standard output cannot be taken back
#   unfinished  what was there before and whole blobs, none of them in the index, and beside them the part of
#               a blob in `ingest/` that the next build goes on with, as containerd's store does
#   engine      nothing here, an image in the engine
#   -           there is no such case: no disk of ours to fill, or refused before anything is built
MATRIX = """
output            to      before    success   failing step  Ctrl-C      full disk

image             engine  nothing   0 engine  1 nothing     1 nothing   -

local             folder  nothing   0 result  1 nothing     1 nothing   1 empty
local             folder  previous  0 result  1 previous    1 previous  1 previous

tar               file    nothing   0 result  1 nothing     1 nothing   1 nothing
tar               file    previous  0 result  1 previous    1 previous  1 previous
tar               stdout  nothing   0 result  1 nothing     1 nothing   1 cut
tar               folder  previous  1 previous  -           -           -

oci               file    nothing   0 result  1 nothing     1 nothing   1 nothing
oci               file    previous  0 result  1 previous    1 previous  1 previous
oci               stdout  nothing   0 result  1 nothing     1 nothing   1 cut
oci               folder  previous  1 previous  -           -           -
oci,tar=false     folder  nothing   0 result  1 nothing     1 nothing   1 unfinished
oci,tar=false     folder  previous  0 result  1 previous    1 previous  1 unfinished

docker            file    nothing   0 result  1 nothing     1 nothing   1 nothing
docker            file    previous  0 result  1 previous    1 previous  1 previous
docker            stdout  nothing   0 result  1 nothing     1 nothing   1 cut
docker            folder  previous  1 previous  -           -           -
docker,tar=false  folder  nothing   0 result  1 nothing     1 nothing   1 unfinished
docker,tar=false  folder  previous  0 result  1 previous    1 previous  1 unfinished
"""

OUTCOMES = ("success", "failing step", "Ctrl-C", "full disk")
STEPS = {"failing step": '"false"', "Ctrl-C": '"sleep", "60"'}
REASONS = {
    "failing step": 'process "/busybox false" did not complete successfully: exit code: 1',
    "Ctrl-C": "error: failed to solve: Canceled: context canceled",
    "full disk": "no space left on device",
}
REFUSED = "destination file is a directory"

DISK_BYTES = 1 << 20
CONTENT_BYTES = 2_000_000

Files = dict[str, bytes]


@dataclass(frozen=True)
class Case:
    """One cell of the matrix."""

    output: str
    to: str
    before: str
    outcome: str
    exit: int
    left: str


def cases() -> list[Any]:
    """The cells, those that fill a disk for root alone."""
    found = []
    for line in MATRIX.strip().splitlines()[1:]:
        words = iter(line.split())
        for output in words:
            to, before = next(words), next(words)
            for outcome in OUTCOMES:
                if (status := next(words)) == "-":
                    continue
                case = Case(output, to, before, outcome, int(status), next(words))
                needs_root = pytest.mark.skipif(
                    outcome == "full disk" and os.geteuid() != 0,
                    reason="mounting a small file system needs root",
                )
                name = f"{output}-{to}-{before}-{outcome}"
                found.append(pytest.param(case, id=name.replace(" ", "-"), marks=needs_root))
    return found


@pytest.fixture(scope="module")
def context(engine_26: Engine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A context whose content fills a small disk even compressed, and a Dockerfile for each outcome."""
    folder = tmp_path_factory.mktemp("context")
    (folder / "big").write_bytes(os.urandom(CONTENT_BYTES))
    shutil.copy(engine_26.busybox, folder / "busybox")
    (folder / "busybox").chmod(0o755)
    for outcome in OUTCOMES:
        lines = ["FROM scratch", "COPY big /"]
        if outcome in STEPS:
            lines += ["COPY busybox /", f'RUN ["/busybox", {STEPS[outcome]}]']
        (folder / outcome).write_text("\n".join((*lines, "")))
    return folder


@pytest.mark.parametrize("case", cases())
def test_what_is_left(engine_26: Engine, context: Path, tmp_path: Path, case: Case) -> None:
    work = tmp_path / "work"
    (work / "tmp").mkdir(parents=True)
    disk = work / "disk"
    with contextlib.ExitStack() as stack:
        if case.outcome == "full disk":
            stack.enter_context(small_tmpfs(disk, DISK_BYTES))
        else:
            disk.mkdir()
        previous = put_previous(case, disk / "out")
        ran, stdout = build(engine_26, context, work, case)
        assert ran.exit == case.exit, ran.stderr
        assert "Traceback" not in ran.stderr
        if case.exit:
            assert REASONS.get(case.outcome, REFUSED) in ran.stderr.splitlines()[-1]
        assert_nothing_temporary(work)
        if case.to == "stdout":
            assert not (disk / "out").exists()
            now = {"": stdout} if stdout else {}
        else:
            assert stdout == b""
            now = files(disk / "out")
        content = (context / "big").read_bytes()
        match case.left:
            case "nothing" | "engine":
                assert not (disk / "out").exists()
                assert now == {}
            case "previous":
                assert now == previous != {}
            case "empty":
                assert (disk / "out").is_dir()
                assert now == {}
            case "cut":
                assert 0 < len(now[""]) <= DISK_BYTES < CONTENT_BYTES
            case "unfinished":
                assert_unfinished(now, previous)
            case "result":
                assert_result(case, now, previous, content)
            case other:
                pytest.fail(f"the table says {other!r}")
        if case.output == "image":
            assert is_in(engine_26, image_name(case)) == (case.left == "engine")


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
def test_the_next_build_completes_the_unfinished(engine_26: Engine, context: Path, tmp_path: Path) -> None:
    work = tmp_path / "work"
    (work / "tmp").mkdir(parents=True)
    case = Case("oci,tar=false", "folder", "nothing", "full disk", 1, "unfinished")
    with small_tmpfs(work / "disk", DISK_BYTES) as disk:
        first, _ = build(engine_26, context, work, case)
        assert first.exit == 1
        assert REASONS["full disk"] in first.stderr
        (ingest,) = (disk / "out" / "ingest").iterdir()
        assert (ingest / "data").stat().st_size > 0
        subprocess.run(["mount", "-o", f"remount,size={8 * DISK_BYTES}", disk], check=True)
        second, _ = build(engine_26, context, work, case)
        assert second.exit == 0, second.stderr
        assert os.listdir(disk / "out" / "ingest") == []
        assert_result(case, files(disk / "out"), {}, (context / "big").read_bytes())


def image_name(case: Case) -> str:
    return f"outputs.test/{case.outcome.replace(' ', '-').lower()}:1"


def build(engine: Engine, context: Path, work: Path, case: Case) -> tuple[Ran, bytes]:
    """Build to `disk/out`; standard output goes to a file on the same disk, and is the second of the two."""
    output = f"type={case.output}"
    match case.to:
        case "engine":
            output += f",name={image_name(case)}"
        case "stdout":
            output += ",dest=-"
        case _:
            output += ",dest=disk/out"
    with (work / "disk" / "stdout").open("w+b") as stdout:
        process = subprocess.Popen(
            [
                *(*COMMAND, "--addr", f"docker://{engine.socket}", "build", "--frontend", "dockerfile.v0"),
                *("--local", f"context={context}", "--local", f"dockerfile={context}"),
                *("--opt", f"filename={case.outcome}", "--opt", "force-network-mode=none"),
                *("--progress", "plain", "--output", output),
            ],
            cwd=work,
            env=environment(work, {"TMPDIR": str(work / "tmp")}),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
        )
        said = b""
        with process:
            assert process.stderr is not None
            for line in process.stderr:
                said += line
                if case.outcome == "Ctrl-C" and b"[3/3] RUN" in line:
                    process.send_signal(signal.SIGINT)
                    break
            said += process.stderr.read()
        stdout.seek(0)
        return Ran(process.returncode, "", said.decode()), stdout.read()


def put_previous(case: Case, out: Path) -> Files:
    """What is at the destination before the build."""
    if case.before == "nothing":
        return {}
    if case.to == "file":
        out.write_bytes(b"the one before")
    elif "tar=false" in case.output:
        blob = b'{"schemaVersion":2,"config":{},"layers":[]}'
        digest = hashlib.sha256(blob).hexdigest()
        entry = {
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": f"sha256:{digest}",
            "size": len(blob),
        }
        (out / "blobs" / "sha256").mkdir(parents=True)
        (out / "blobs" / "sha256" / digest).write_bytes(blob)
        (out / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
        (out / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    else:
        out.mkdir()
        (out / "big").write_bytes(b"the one before")
        (out / "other").write_bytes(b"another")
    return files(out)


def files(path: Path) -> Files:
    """The content of a file, or that of the files of a folder by their names in it."""
    if path.is_file():
        return {"": path.read_bytes()}
    return {str(found.relative_to(path)): found.read_bytes() for found in path.rglob("*") if found.is_file()}


def assert_nothing_temporary(work: Path) -> None:
    assert {*os.listdir(work)} - {".local"} == {"disk", "tmp"}  # where the client has its state
    assert os.listdir(work / "tmp") == []
    assert {*os.listdir(work / "disk")} <= {"out", "stdout"}
    hidden = {path.name for path in work.rglob("*") if path.name.startswith(".")}
    assert hidden <= {".local"}


def assert_unfinished(now: Files, previous: Files) -> None:
    assert previous.items() <= now.items()
    new = now.keys() - previous.keys()
    ingests = {name.split("/")[1] for name in new if name.startswith("ingest/")}
    assert len(ingests) == 1
    assert 0 < len(now[f"ingest/{ingests.pop()}/data"]) < DISK_BYTES
    for name in new:
        if not name.startswith("ingest/"):
            assert name == f"blobs/sha256/{hashlib.sha256(now[name]).hexdigest()}"


def assert_result(case: Case, now: Files, previous: Files, content: bytes) -> None:
    match case.output, case.to:
        case "local", _:
            assert now == {**previous, "big": content}
        case "tar", _:
            assert unpacked(now[""]) == {"big": content}
        case "oci", _:
            assert only_layer(unpacked(now[""])) == {"big": content}
        case "docker", _:
            archive = unpacked(now[""])
            (image,) = json.loads(archive["manifest.json"])
            (layer,) = image["Layers"]
            assert unpacked(archive[layer]) == {"big": content}
            assert image["Config"] in archive
        case _:  # layouts
            assert not any(name.startswith("ingest/") for name in now)
            kept = {name: data for name, data in previous.items() if name != "index.json"}
            assert kept.items() <= now.items()
            entries = json.loads(previous.get("index.json", b'{"manifests":[]}'))["manifests"]
            assert json.loads(now["index.json"])["manifests"][:-1] == entries
            assert only_layer(now) == {"big": content}


def only_layer(layout: Mapping[str, bytes]) -> Files:
    """The files of the one layer of the image that was entered last; every blob is what it claims to be."""
    for name, data in layout.items():
        if name.startswith("blobs/"):
            assert name == f"blobs/sha256/{hashlib.sha256(data).hexdigest()}"
    assert json.loads(layout["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}
    manifest = json.loads(blob(layout, json.loads(layout["index.json"])["manifests"][-1]))
    assert json.loads(blob(layout, manifest["config"]))["rootfs"]["type"] == "layers"
    (layer,) = manifest["layers"]
    return unpacked(blob(layout, layer))


def blob(layout: Mapping[str, bytes], descriptor: Mapping[str, Any]) -> bytes:
    data = layout["blobs/" + descriptor["digest"].replace(":", "/")]
    assert len(data) == descriptor["size"]
    return data


def unpacked(data: bytes) -> Files:
    """The files of a whole archive, compressed or not."""
    if data.startswith(b"\x1f\x8b"):
        data = gzip.decompress(data)
    assert data.endswith(bytes(1024)), "an archive ends with two empty blocks"
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
        return {
            member.name: file.read()
            for member in archive
            if member.isfile() and (file := archive.extractfile(member)) is not None
        }


def is_in(engine: Engine, name: str) -> bool:
    return any(name in (image["RepoTags"] or ()) for image in json.loads(engine.get("/images/json")))


def test_one_output_of_two_is_no_success(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n")
    ran = run(
        *("--addr", f"docker://{engine.socket}", "build", "--frontend", "dockerfile.v0"),
        *("--local", "context=.", "--local", "dockerfile=."),
        *("--output", "type=local,dest=out", "--output", "type=tar,dest=out.tar"),
        cwd=tmp_path,
    )
    assert (tmp_path / "out" / "Dockerfile").exists()
    if engine.buildkit == "0.8":
        assert ran.exit == 1
        assert ran.stderr.endswith(
            "error: failed to solve: the daemon delivered nothing for output type=tar\n"
        )
    else:
        assert ran.exit == 0
        assert (tmp_path / "out.tar").exists()
