"""Graphs described in Python build what they say, on real BuildKits, and share the cache with Go's."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from buildctl import (
    Client,
    DirectoryDestination,
    Export,
    Secrets,
    SecretSource,
    SolveError,
    SolveOpt,
    SolveStatus,
    format_excerpt,
    llb,
    parse_address,
)
from tests.support.engines import Engine
from tests.support.llb_corpus import entries

pytestmark = pytest.mark.daemon

Files = dict[str, str]
CONTEXT = llb.local("ctx")
SHELL = llb.scratch().file(llb.mkdir("/out").mkdir("/tmp").copy(CONTEXT, "/busybox", "/busybox"))


def sh(state: llb.State, script: str, **options: object) -> llb.Exec:
    """A step on no network, which the engines here do not have."""
    return state.run(["/busybox", "sh", "-c", script], network="none", **options)  # type: ignore[arg-type]


def of(state: llb.State, folder: str = "/out") -> llb.State:
    """A folder of the state alone."""
    return llb.scratch().copy(state, folder, "/", contents_only=True)


def two_branches() -> llb.State:
    left, right = sh(SHELL, "echo l > /out/l"), sh(SHELL, "echo r > /out/r")
    return of(left.copy(right, "/out/r", "/out/"))


def through_a_mount() -> llb.State:
    made = sh(SHELL, "echo m > /mnt/m", mounts=[llb.mount("/mnt", llb.scratch())])
    return made.output("/mnt")


def a_read_only_mount() -> llb.State:
    mounts = [llb.mount("/src", CONTEXT, readonly=True, source_path="dir"), llb.mount("/o", llb.scratch())]
    script = "cp /src/inner /o; touch /src/x 2>/dev/null || echo refused > /o/refused"
    return sh(SHELL, script, mounts=mounts).output("/o")


def a_cache() -> llb.State:
    key = uuid.uuid4().hex
    first = sh(SHELL, "echo kept > /c/kept", mounts=[llb.cache("/c", key)])
    return of(sh(first, "cat /c/kept > /out/found", mounts=[llb.cache("/c", key, sharing="shared")]))


def loaded() -> llb.State:
    definition = sh(SHELL, "echo first > /out/a").marshal(platform="linux/amd64", local_unique_id=UNIQUE)
    return of(sh(llb.Definition.from_bytes(definition.to_bytes()).state(), "echo second > /out/b"))


def late() -> llb.State:
    return of(sh(SHELL.async_(lambda state: state.env("LATE", "yes")), "echo $LATE > /out/late"))


UNIQUE = uuid.uuid4().hex
GRAPHS: dict[str, tuple[Callable[[], llb.State], Files]] = {
    "a file": (lambda: llb.scratch().mkfile("/a", 0o644, "x"), {"a": "x"}),
    "bytes": (lambda: llb.scratch().mkfile("/ü", 0o600, b"\xc3\xa9"), {"ü": "é"}),
    "folders": (
        lambda: llb.scratch().file(llb.mkdir("/a/b", parents=True).mkfile("/a/b/c", 0o644, "")),
        {"a/b/c": ""},
    ),
    "a relative path": (
        lambda: llb.scratch().file(llb.mkdir("/d")).dir("/d").file(llb.mkfile("e", 0o644, "1")),
        {"d/e": "1"},
    ),
    "removal": (
        lambda: llb.scratch().file(llb.mkfile("/a", 0o644, "").mkfile("/b", 0o644, "").rm("/a")),
        {"b": ""},
    ),
    "a local folder": (lambda: llb.scratch().copy(CONTEXT, "/dir", "/"), {"dir/inner": "inner\n"}),
    "patterns": (
        lambda: llb.local("ctx", include=["*.txt"], exclude=["b.txt"], shared_key_hint="patterns"),
        {"a.txt": "a\n"},
    ),
    "a wildcard": (
        lambda: llb.scratch().copy(CONTEXT, "/*.txt", "/", wildcard=True),
        {"a.txt": "a\n", "b.txt": "b\n"},
    ),
    "a copy of actions": (
        lambda: llb.scratch().copy(llb.mkfile("/q", 0o644, "q").with_state(llb.scratch()), "/q", "/r"),
        {"r": "q"},
    ),
    "a command": (lambda: of(sh(SHELL, "echo hi > /out/hi")), {"hi": "hi\n"}),
    "variables": (
        lambda: of(sh(SHELL.env("A", "1").envs(B="2"), "echo $A$B$C > /out/v", env={"C": "3"})),
        {"v": "123\n"},
    ),
    "a folder": (lambda: of(sh(SHELL.dir("/out"), "pwd > where")), {"where": "/out\n"}),
    "a host name": (lambda: of(sh(SHELL.hostname("there"), "hostname > /out/h")), {"h": "there\n"}),
    "a user": (
        lambda: of(sh(SHELL.file(llb.mkdir("/out/u", owner=(7, 8))).user("7:8"), "id -u > /out/u/id")),
        {"u/id": "7\n"},
    ),
    "two branches": (two_branches, {"l": "l\n", "r": "r\n"}),
    "a mount": (through_a_mount, {"m": "m\n"}),
    "a read-only mount": (a_read_only_mount, {"inner": "inner\n", "refused": "refused\n"}),
    "a cache": (a_cache, {"found": "kept\n"}),
    "a tmpfs": (
        lambda: of(sh(SHELL, "echo t > /t/t; cat /t/t > /out/t", mounts=[llb.tmpfs("/t")])),
        {"t": "t\n"},
    ),
    "a secret": (
        lambda: of(sh(SHELL, "cat /run/s > /out/s", secrets=[llb.secret("/run/s", id="tok")])),
        {"s": "hush"},
    ),
    "a definition that is loaded": (loaded, {"a": "first\n", "b": "second\n"}),
    "a function": (late, {"late": "yes\n"}),
}
NEWER: dict[str, tuple[Callable[[], llb.State], Files]] = {
    "a merge": (
        lambda: llb.merge(llb.scratch().mkfile("/a", 0o644, "a"), llb.scratch().mkfile("/b", 0o644, "b")),
        {"a": "a", "b": "b"},
    ),
    "a diff": (lambda: llb.diff(SHELL, SHELL.mkfile("/new", 0o644, "n")), {"new": "n"}),
    "merged diffs": (
        lambda: llb.merge(
            llb.scratch().mkfile("/base", 0o644, ""),
            llb.diff(SHELL, sh(SHELL, "echo a > /out/a")),
            llb.diff(SHELL, sh(SHELL, "echo b > /out/b")),
        ),
        {"base": "", "out/a": "a\n", "out/b": "b\n"},
    ),
}


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory, engine_26: Engine) -> Path:
    folder = tmp_path_factory.mktemp("context")
    shutil.copy(engine_26.busybox, folder / "busybox")
    (folder / "dir").mkdir()
    (folder / "dir" / "inner").write_text("inner\n")
    for name in ("a", "b"):
        (folder / f"{name}.txt").write_text(f"{name}\n")
    return folder


async def built(
    engine: Engine, context: Path, definition: bytes, out: Path
) -> tuple[Files, list[SolveStatus]]:
    """What the definition exports, and what was said while it was built."""
    statuses: list[SolveStatus] = []
    export = Export("local", destination=DirectoryDestination(str(out)))
    opt = SolveOpt(definition=definition, local_dirs={"ctx": str(context)}, exports=(export,))
    secret = Secrets([SecretSource("tok", path=str(context.parent / "token"))], {})
    (context.parent / "token").write_text("hush")
    async with Client.connect(parse_address(f"docker://{engine.socket}")) as client:
        await client.solve(opt, on_status=statuses.append, attachables=[secret])
    files = {
        str(path.relative_to(out)): path.read_text()
        for path in out.rglob("*")
        if path.is_file() and path.name not in ("resolv.conf", "hosts")
    }
    return files, statuses


async def all_build(
    graphs: dict[str, tuple[Callable[[], llb.State], Files]], engine: Engine, context: Path, tmp_path: Path
) -> None:
    found = {}
    for number, (name, (graph, _)) in enumerate(graphs.items()):
        data = graph().marshal(platform="linux/amd64", local_unique_id=UNIQUE).to_bytes()
        found[name], _ = await built(engine, context, data, tmp_path / str(number))
    assert found == {name: files for name, (_, files) in graphs.items()}


async def test_graphs_build_what_they_say(engine: Engine, context: Path, tmp_path: Path) -> None:
    assert len(GRAPHS) >= 20
    await all_build(GRAPHS, engine, context, tmp_path)


async def test_merges_and_diffs(engine_26: Engine, context: Path, tmp_path: Path) -> None:
    await all_build(NEWER, engine_26, context, tmp_path)


async def test_what_go_made_is_found_in_the_cache(engine: Engine, context: Path, tmp_path: Path) -> None:
    (context / "a").write_text("a")
    entry = next(entry for entry in entries() if entry.name == "copy-to-scratch")
    ours = entry.evaluate()
    cached = []
    for number, data in enumerate((base64.b64decode(entry.definition), ours.to_bytes())):
        _, statuses = await built(engine, context, data, tmp_path / str(number))
        vertexes = [vertex for status in statuses for vertex in status.vertexes]
        cached.append(any(vertex.cached and vertex.digest == ours.digest for vertex in vertexes))
    assert cached == [False, True]


async def test_a_failed_step_shows_the_line_that_asked_for_it(
    engine_26: Engine, context: Path, tmp_path: Path
) -> None:
    state = sh(SHELL, "exit 3", location=llb.here())
    line = test_a_failed_step_shows_the_line_that_asked_for_it.__code__.co_firstlineno + 3
    data = state.marshal(platform="linux/amd64", local_unique_id=UNIQUE).to_bytes()
    with pytest.raises(SolveError, match="exit code: 3") as caught:
        await built(engine_26, context, data, tmp_path / "out")
    (excerpt,) = caught.value.excerpts
    shown = format_excerpt(excerpt)
    assert f"test_llb.py:{line}\n" in shown
    assert f'{line} | >>>     state = sh(SHELL, "exit 3", location=llb.here())\n' in shown


_PROGRAM = """\
import sys
from buildctl import llb

shell = llb.scratch().copy(llb.local("ctx"), "/busybox", "/busybox")
step = shell.run(["/busybox", "false"], network="none", location=llb.here())
sys.stdout.buffer.write(step.marshal().to_bytes())
"""


def test_the_command_line_builds_what_a_program_writes(
    engine_26: Engine, context: Path, tmp_path: Path
) -> None:
    (tmp_path / "graph.py").write_text(_PROGRAM)
    environment = os.environ | {"PYTHONPATH": str(Path.cwd())}
    definition = subprocess.run(
        [sys.executable, "graph.py"], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, check=True
    ).stdout
    address = ("--addr", f"docker://{engine_26.socket}")
    run = subprocess.run(
        [
            sys.executable,
            "-m",
            "buildctl",
            *address,
            "build",
            "--local",
            f"ctx={context}",
            "--progress=plain",
        ],
        input=definition,
        capture_output=True,
        check=False,
    )
    shown = run.stderr.decode()
    assert run.returncode == 1
    assert "graph.py:5" in shown
    assert '   5 | >>> step = shell.run(["/busybox", "false"]' in shown
