"""Trees in memory, alone and in front of a folder: what a receiver gets of them."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from buildctl._pb.fsutil_pb2 import Stat
from buildctl.errors import UsageError
from buildctl.fsutil import filemode
from buildctl.fsutil.send import send
from buildctl.model.context import File, Folder, Symlink, Tree
from tests.support import fsutil_receiver as receiver
from tests.support.fsutil_receiver import Received
from tests.support.streams import stream_pair


async def transfer(root: str | Tree, **options: Any) -> Received:
    ours, theirs = stream_pair()
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        group.create_task(send(ours.receive_messages, ours.send_messages, root, **options))
        receiving = group.create_task(receiver.receive(theirs))
    return receiving.result()


def told(received: Received) -> list[tuple[bytes, int, int, bytes, bytes | None]]:
    """What was sent, but for times: path, mode, size, link and content of each entry."""
    return [
        (
            stat.path,
            stat.mode,
            0 if stat.mode & filemode.SYMLINK else stat.size,
            stat.linkname,
            received.contents.get(stat.path),
        )
        for stat in received.stats
    ]


async def test_files_in_memory() -> None:
    tree = Tree(
        {
            "z.sh": File("#!/bin/sh\n", mode=0o755),
            "a/b/c": b"deep",
            "a-b": "text is UTF-8: é",
            "link": Symlink("a/b/c"),
            "empty": Folder(mode=0o700),
            "big": bytes(700_000),
        }
    )
    received = await transfer(tree)
    assert received.paths == [b"a", b"a/b", b"a/b/c", b"a-b", b"big", b"empty", b"link", b"z.sh"]
    assert received.contents[b"a-b"] == "text is UTF-8: é".encode()
    assert received.contents[b"big"] == bytes(700_000)
    assert received.stat("z.sh").mode == 0o755
    assert received.stat("empty").mode == filemode.DIR | 0o700
    assert received.stat("link").linkname == b"a/b/c"


async def test_equal_content_has_one_time_and_other_content_another() -> None:
    def times(stats: Sequence[Stat]) -> dict[bytes, int]:
        return {stat.path: stat.modTime for stat in stats}

    first = times((await transfer(Tree({"a": "one", "b": "one", "c": "two"}))).stats)
    again = times((await transfer(Tree({"a": "one", "b": "two", "c": "two"}))).stats)
    assert first[b"a"] == again[b"a"] == first[b"b"]
    assert first[b"b"] != again[b"b"], "of one size and name: only the time tells a daemon"
    assert all(1980 <= 1970 + time / 31_557_600e9 < 2015 and time % 10**9 for time in first.values())
    given = (await transfer(Tree({"a": File("x", mtime_ns=5)}))).stats
    assert given[0].modTime == 5


@pytest.mark.parametrize("seed", range(40))
async def test_a_layered_folder_is_sent_as_if_it_were_on_disk(seed: int, tmp_path: Path) -> None:
    """Against the folder that somebody would have made by hand, with random patterns."""
    chance = random.Random(seed)
    base, whole = tmp_path / "base", tmp_path / "whole"
    base.mkdir()
    names = [f"{a}{b}" for a in ("d1", "d1/d2", "d3", "f1", "f-2") for b in ("", "/x", "/y.log", "/k/z")]
    for name in chance.sample(names, 10):
        on_disk: list[bytes | Symlink | Folder] = [b"disk", b"", Symlink("d1/x"), Folder(0o750)]
        put(base, name, chance.choice(on_disk))
    nodes: dict[str, Any] = {}
    for name in chance.sample(names, 6):
        below = [other for other in nodes if other.startswith(f"{name}/") or name.startswith(f"{other}/")]
        if not below:
            nodes[name] = chance.choice(
                [b"memory", None, File(b"x", mode=0o600), Symlink("d3"), Folder(0o711)]
            )
    shutil.copytree(base, whole, symlinks=True)
    for name, node in nodes.items():
        if node is None:
            clear(whole / name)
    for name, node in nodes.items():
        if node is not None:
            put(whole, name, node)
    patterns: Mapping[str, Any] = chance.choice(
        [
            {},
            {"excludes": ["**/*.log", "d1", "!d1/d2/x"]},
            {"includes": ["d1/**", "f1"]},
            {"follow_paths": ["d1/x", "f*", "d3/k"]},
            {"includes": ["d*"], "excludes": ["d3/k"], "follow_paths": ["f1/x"]},
        ]
    )
    tree = Tree(nodes, str(base))
    assert told(await transfer(tree, **patterns)) == told(await transfer(str(whole), **patterns))


def clear(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    elif path.is_symlink() or path.exists():
        path.unlink()


def put(root: Path, name: str, node: bytes | File | Symlink | Folder) -> None:
    """Make a node on disk, in the place of what is there."""
    path = root / name
    for parent in reversed(path.relative_to(root).parents[:-1]):
        above = root / parent
        if above.is_symlink() or not above.is_dir():
            clear(above)
            above.mkdir(mode=0o755)
    if isinstance(node, Folder):
        if path.is_symlink() or not path.is_dir():
            clear(path)
            path.mkdir()
        path.chmod(node.mode)
        return
    clear(path)
    if isinstance(node, Symlink):
        path.symlink_to(node.target)
        return
    data = node if isinstance(node, bytes) else node.data
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    path.chmod(0o644 if isinstance(node, bytes) else node.mode)


async def test_a_hard_link_to_a_replaced_file_is_sent_whole(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("disk")
    os.link(tmp_path / "a", tmp_path / "b")
    received = await transfer(Tree({"a": "memory"}, str(tmp_path)))
    assert received.contents == {b"a": b"memory", b"b": b"disk"}
    assert received.stat("b").linkname == b""


@pytest.mark.parametrize("name", ["", "/abs", "a/../b", "..", "a//b", "./", "a\0b"])
def test_paths_that_leave_the_tree_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="not a path in a tree"):
        Tree({name: b""})


def test_a_file_is_not_a_folder_too() -> None:
    with pytest.raises(UsageError, match='"a/b" is below "a", which is not a folder'):
        Tree({"a": b"", "a/b": b""})
    with pytest.raises(UsageError, match="invalid mode"):
        Tree({"a": File(b"", mode=0o100644)})
    with pytest.raises(TypeError):
        Tree({"a": 5})  # type: ignore[dict-item]


def test_what_is_in_files_is_not_in_repr() -> None:
    assert "s3cret" not in repr(Tree({"a": "s3cret"})) + repr(File("s3cret"))
