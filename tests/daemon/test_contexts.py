"""What real BuildKits are sent of local directories when projects and clients take turns."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from buildctl.client.client import Client
from buildctl.model.address import parse_address
from buildctl.model.solve import DirectoryDestination, Export, SolveOpt
from buildctl.model.transfer import Transfer
from buildctl.session.sharedkey import shared_key
from tests.support import program
from tests.support.engines import Engine
from tests.support.slow_disk import NAME, needs_fuse, slow_disk

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


def test_what_is_listed_is_what_a_daemon_gets(engine_26: Engine, tmp_path: Path) -> None:
    """With the rules of an ignore file; and after the build the only difference is what changes then."""
    folder = project(tmp_path / "context", "one")
    (folder / ".dockerignore").write_text("# numbers\n/1*\n!12\ndeep\n!deep/*/kept\n*/*.log\n")
    for name in ("deep/er/kept", "deep/er/lost", "other/a.log", "other/é", "other/sub/b.log"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    (folder / "link").symlink_to("other")
    out = tmp_path / "out"
    build = ["build", "--frontend", "dockerfile.v0", "--local", f"context={folder}"]
    build += ["--local", f"dockerfile={folder}", "--output", f"type=local,dest={out}"]
    address = f"docker://{engine_26.socket}"
    ran = program.run("--addr", address, *build, "--progress", "quiet", cwd=tmp_path)
    assert ran.exit == 0, ran.stderr
    listed = program.run("context", "ls", "context", "--format", "json", cwd=tmp_path)
    entries = json.loads(listed.stdout)["entries"]
    assert {entry["path"] for entry in entries} == {str(path.relative_to(out)) for path in out.rglob("*")}
    (folder / "12").write_text("changed")
    (folder / "11").write_text("changed and excluded")
    difference = program.run("context", "diff", "context", "--format", "json", cwd=tmp_path)
    changes = json.loads(difference.stdout)["changes"]
    assert [(change["kind"], change["path"]) for change in changes] == [("changed", "12")]


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


@needs_fuse
@pytest.mark.parametrize("policy", ["error", "skip", "empty"])
def test_a_disk_that_breaks_in_the_middle_of_a_file_fails_the_build(
    engine: Engine, tmp_path: Path, policy: str
) -> None:
    """With the file's path, whatever the policy is; and no build gets what the daemon has of it."""
    recipe = tmp_path / "recipe"
    recipe.mkdir()
    (recipe / "Dockerfile").write_text(f"FROM scratch\nCOPY {NAME} /\n")
    out = tmp_path / "out"

    def build(disk: Path) -> program.Ran:
        arguments = ["--addr", f"docker://{engine.socket}", "build", "--frontend", "dockerfile.v0"]
        arguments += ["--local", f"context={disk}", "--local", f"dockerfile={recipe}"]
        arguments += [f"--on-unreadable={policy}", "--shared-key", f"disk-{policy}", "--progress", "quiet"]
        return program.run(*arguments, "--output", f"type=local,dest={out}", cwd=tmp_path)

    with slow_disk(tmp_path / "disk", 1 << 20, broken_at=600 << 10) as disk:
        ran = build(disk)
        assert ran.exit == 1
        assert f"read {disk / NAME}: input/output error" in ran.stderr
        assert not out.exists()
    whole = tmp_path / "whole"
    whole.mkdir()
    (whole / NAME).write_bytes(b"whole" * 1000)
    again = build(whole)
    assert again.exit == 0, again.stderr
    assert (out / NAME).read_bytes() == b"whole" * 1000
