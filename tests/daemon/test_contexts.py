"""What real BuildKits are sent of local directories when projects and clients take turns."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from buildctl.client.client import Client
from buildctl.model.address import parse_address
from buildctl.model.solve import DirectoryDestination, Export, SolveOpt
from buildctl.model.transfer import Transfer
from buildctl.session.sharedkey import shared_key
from tests.support.engines import Engine

FILES = 30


def project(folder: Path, text: str) -> Path:
    folder.mkdir()
    (folder / "Dockerfile").write_text("FROM scratch\nCOPY . /\n")
    for number in range(FILES):
        (folder / f"{number}").write_text(f"{text} {number}")
    return folder


async def sent(engine: Engine, opt: SolveOpt) -> int:
    """Build, and count the files of the context that were sent."""
    async with Client.connect(parse_address(f"docker://{engine.socket}")) as client:
        result = await client.solve(opt)
    transfers: list[Transfer] = [one for one in result.transfers if one.name == "context"]
    return sum(one.files_sent for one in transfers)


def build_of(folder: Path, key: str) -> SolveOpt:
    local_dirs = {"context": str(folder), "dockerfile": str(folder)}
    return SolveOpt("dockerfile.v0", local_dirs=local_dirs, shared_key=key)


def keyed(folder: Path, client: str) -> SolveOpt:
    return build_of(folder, shared_key(client, {"context": str(folder), "dockerfile": str(folder)}))


async def test_projects_that_take_turns_keep_their_contexts(engine: Engine, tmp_path: Path) -> None:
    one, two = project(tmp_path / "one", "one"), project(tmp_path / "two", "two")
    assert [await sent(engine, keyed(folder, "me")) for folder in (one, two)] == [FILES + 1] * 2
    assert [await sent(engine, keyed(folder, "me")) for folder in (one, two)] == [0, 0]
    assert await sent(engine, keyed(one, "you")) == FILES + 1


async def test_with_one_key_they_take_each_others_place(engine_26: Engine, tmp_path: Path) -> None:
    one, two = project(tmp_path / "one", "one"), project(tmp_path / "two", "two")
    counts = [await sent(engine_26, build_of(folder, "shared")) for folder in (one, two, one)]
    assert counts == [FILES + 1] * 3


async def built(engine: Engine, opt: SolveOpt, out: Path) -> str:
    """What the build makes of the file `7`."""
    export = Export("local", destination=DirectoryDestination(str(out)))
    async with Client.connect(parse_address(f"docker://{engine.socket}")) as client:
        await client.solve(replace(opt, exports=(export,)))
    return (out / "7").read_text()


def write_unseen(path: Path, text: str) -> None:
    """Change a file so that its size and its time stay."""
    before = path.stat()
    path.write_text(text)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size


async def test_a_change_that_metadata_does_not_show(engine: Engine, tmp_path: Path) -> None:
    """Without looking at contents a daemon bakes the old file, as it does for every client."""
    folder = project(tmp_path / "one", "one")
    plain = keyed(folder, "me")
    checked = replace(plain, content_records=str(tmp_path / "records"))
    for opt in (plain, checked):
        assert await built(engine, opt, tmp_path / "out") == "one 7"
    write_unseen(folder / "7", "two 7")
    assert await built(engine, plain, tmp_path / "out") == "one 7"
    assert await built(engine, checked, tmp_path / "out") == "two 7"
    assert await sent(engine, checked) == 0
    write_unseen(folder / "7", "one 7")
    assert await built(engine, checked, tmp_path / "out") == "one 7"
    write_unseen(folder / "7", "two 7")
    assert await sent(engine, checked) == 0
    assert await built(engine, checked, tmp_path / "out") == "two 7"
