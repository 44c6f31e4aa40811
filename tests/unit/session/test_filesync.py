"""FileSync: which directory a call gets, and what of it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from buildctl.errors import Code, ServiceError, TransferError
from buildctl.model.transfer import Transfer
from buildctl.session.filesync import FileSync
from tests.support.fsutil_receiver import Received, receive, request
from tests.support.streams import stream_pair

DIFF_COPY = "/moby.filesync.v1.FileSync/DiffCopy"


async def call(service: FileSync, metadata: Sequence[tuple[str, str]]) -> Received:
    ours, theirs = stream_pair(metadata)
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        group.create_task(_run(service, ours))
        receiving = group.create_task(receive(theirs))
    return receiving.result()


async def _run(service: FileSync, stream: object) -> None:
    await service.methods[DIFF_COPY](stream)  # type: ignore[arg-type]


@pytest.fixture
def offered(tmp_path: Path) -> Mapping[str, str]:
    for path in ("one/a.txt", "one/b.md", "one/ä b.txt", "two/c/d.txt", "two/c/e.txt", "secret/key"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(path)
    (tmp_path / "two/link").symlink_to("c/d.txt")
    return {"context": str(tmp_path / "one"), "zwei ü": str(tmp_path / "two")}


async def test_the_methods(offered: Mapping[str, str]) -> None:
    assert set(FileSync(offered).methods) == {DIFF_COPY, "/moby.filesync.v1.FileSync/TarStream"}


async def test_a_whole_directory(offered: Mapping[str, str]) -> None:
    received = await call(FileSync(offered), [("dir-name", "context")])
    assert received.contents == {
        b"a.txt": b"one/a.txt",
        b"b.md": b"one/b.md",
        "ä b.txt".encode(): "one/ä b.txt".encode(),
    }


async def test_patterns_repeat(offered: Mapping[str, str]) -> None:
    metadata = [("dir-name", "context"), ("include-patterns", "*.txt"), ("include-patterns", "*.md")]
    metadata += [("exclude-patterns", "a*"), ("exclude-patterns", "b.md"), ("exclude-patterns", "!b.md")]
    received = await call(FileSync(offered), metadata)
    assert received.paths == [b"b.md", "ä b.txt".encode()]


async def test_encoded_values(offered: Mapping[str, str]) -> None:
    metadata = [("dir-name", "zwei+%C3%BC"), ("dir-name-encoded", "1"), ("followpaths", "link")]
    assert (await call(FileSync(offered), metadata)).paths == [b"c", b"c/d.txt", b"link"]
    metadata = [("dir-name", "context"), ("followpaths", "%C3%A4+b.txt"), ("followpaths-encoded", "1")]
    assert (await call(FileSync(offered), metadata)).paths == ["ä b.txt".encode()]


async def test_thousands_of_include_patterns(tmp_path: Path) -> None:
    """What a build with many COPY instructions asks for: each is looked up, none is tried on every path."""
    names = [f"d{number % 50}/f{number}" for number in range(5_000)]
    for folder in range(50):
        (tmp_path / f"d{folder}").mkdir()
    for name in names:
        (tmp_path / name).touch()
    metadata = [("dir-name", "x"), *(("followpaths", name) for name in names[::2])]
    received = await call(FileSync({"x": str(tmp_path)}), metadata)
    assert set(received.contents) == {name.encode() for name in names[::2]}


@pytest.mark.parametrize(
    ("metadata", "name"),
    [
        ([("dir-name", "secret")], '"secret"'),
        ([("dir-name", "../secret")], '"../secret"'),
        ([("dir-name", "")], '""'),
        ([], '""'),
        ([("dir-name", "a%0A%FF%C3%BC"), ("dir-name-encoded", "1")], '"a\\n\\xffü"'),
    ],
)
async def test_no_other_directory(
    offered: Mapping[str, str], metadata: Sequence[tuple[str, str]], name: str
) -> None:
    ours, _ = stream_pair(metadata)
    with pytest.raises(ServiceError) as raised:
        await FileSync(offered).methods[DIFF_COPY](ours)
    assert raised.value.code is Code.NOT_FOUND
    assert str(raised.value) == f"rpc error: code = NotFound desc = no access allowed to dir {name}"


async def test_tar_stream_is_refused(offered: Mapping[str, str]) -> None:
    ours, _ = stream_pair([("dir-name", "context")])
    with pytest.raises(ServiceError, match="failed to negotiate protocol") as raised:
        await FileSync(offered).methods["/moby.filesync.v1.FileSync/TarStream"](ours)
    assert raised.value.code is Code.UNKNOWN


async def test_what_a_transfer_did(offered: Mapping[str, str]) -> None:
    seen: list[Transfer] = []
    service = FileSync(offered, on_transfer=seen.append)
    await call(service, [("dir-name", "zwei ü"), ("exclude-patterns", "c/e.txt")])
    (transfer,) = seen
    assert (transfer.name, transfer.complete) == ("zwei ü", True)
    assert (transfer.files_walked, transfer.folders_walked, transfer.entries) == (3, 2, 3)
    assert (transfer.files_requested, transfer.files_sent) == (1, 1)
    assert transfer.bytes_sent == len("two/c/d.txt")
    assert 0 < transfer.began <= transfer.began + transfer.took <= asyncio.get_running_loop().time()


async def test_a_transfer_that_fails_is_told_too(offered: Mapping[str, str]) -> None:
    folder = Path(offered["context"])
    seen: list[Transfer] = []
    ours, theirs = stream_pair([("dir-name", "context")])
    sending = asyncio.create_task(_run(FileSync(offered, on_transfer=seen.append), ours))
    await theirs.receive_messages()
    (folder / "b.md").unlink()
    await theirs.send_messages([request(1)])
    with pytest.raises(TransferError, match=r"b\.md"):
        await sending
    (transfer,) = seen
    assert (transfer.complete, transfer.entries) == (False, 3)
    assert (transfer.files_requested, transfer.files_sent, transfer.bytes_sent) == (1, 0, 0)
