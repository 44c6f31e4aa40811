"""A folder with everything in it goes into a build and comes back the same, as files and as a tar."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from buildctl import Client, SolveOpt, parse_address
from tests.support import packages
from tests.support.engines import Engine
from tests.support.program import run
from tests.support.tree import Entry, describe, describe_tar, make_tree

pytestmark = pytest.mark.daemon

BUILD = ("build", "--frontend", "dockerfile.v0", "--progress", "plain")


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("context")
    make_tree(folder)
    return folder


@pytest.fixture(scope="module")
def dockerfile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dockerfile")
    (folder / "Dockerfile").write_text("FROM scratch\nCOPY . /tree/\n")
    return folder


def build(engine: Engine, context: Path, dockerfile: Path, output: str, cwd: Path) -> str:
    ran = run(
        *("--addr", f"docker://{engine.socket}", *BUILD),
        *("--local", f"context={context}", "--local", f"dockerfile={dockerfile}", "--output", output),
        cwd=cwd,
    )
    assert ran.exit == 0, ran.stderr
    return ran.stderr


def test_files(engine: Engine, context: Path, dockerfile: Path, tmp_path: Path) -> None:
    build(engine, context, dockerfile, "type=local,dest=out,keep-privileged=true", tmp_path)
    tree = describe(context)
    assert len(tree) >= 2_000
    assert_same(comparable(engine, tree), comparable(engine, describe(tmp_path / "out" / "tree")))


def test_tar(engine: Engine, context: Path, dockerfile: Path, tmp_path: Path) -> None:
    build(engine, context, dockerfile, "type=tar,dest=out.tar", tmp_path)
    archived = {
        name.removeprefix("tree/"): _without_prefix(entry)
        for name, entry in describe_tar(tmp_path / "out.tar").items()
        if name != "tree"
    }
    tree = {name: _in_whole_seconds(entry) for name, entry in describe(context).items()}
    assert_same(comparable(engine, tree), comparable(engine, archived))


def assert_same(expected: dict[str, Entry], found: dict[str, Entry]) -> None:
    assert found.keys() == expected.keys()
    assert {name: (found[name], entry) for name, entry in expected.items() if found[name] != entry} == {}


def comparable(engine: Engine, tree: dict[str, Entry]) -> dict[str, Entry]:
    """What must be equal after COPY: all of it, but for what BuildKit 0.8 does not keep for any client.

    It copies no fifo and gives folders the time of the copy.
    """
    if engine.release is not packages.ENGINE_20:
        return tree
    kept = {name: entry for name, entry in tree.items() if entry.kind != "fifo"}
    return {
        name: replace(entry, mtime_ns=0) if entry.kind == "folder" else entry for name, entry in kept.items()
    }


def _without_prefix(entry: Entry) -> Entry:
    return replace(entry, held=entry.held.removeprefix("tree/"))


def _in_whole_seconds(entry: Entry) -> Entry:
    """As Go's archive/tar writes times without a format that has fractions: rounded to the nearest second."""
    return replace(entry, mtime_ns=(entry.mtime_ns + 500_000_000) // 1_000_000_000 * 1_000_000_000)


async def test_a_second_build_sends_no_content(engine: Engine, context: Path, dockerfile: Path) -> None:
    (context / "new-to-the-daemon").write_text(engine.release.name)
    opt = SolveOpt("dockerfile.v0", local_dirs={"context": str(context), "dockerfile": str(dockerfile)})
    requested = []
    for _ in range(2):
        async with Client.connect(parse_address(f"docker://{engine.socket}")) as client:
            result = await client.solve(opt)
        sent = {transfer.name: transfer for transfer in result.transfers}["context"]
        assert sent.entries >= 2_000
        assert (sent.files_sent, sent.complete) == (sent.files_requested, True)
        requested.append((sent.files_sent, sent.bytes_sent))
    assert requested[0][0] >= 1
    assert requested[1] == (0, 0)
