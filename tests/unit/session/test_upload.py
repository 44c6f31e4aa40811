"""Uploads: each once, whole, and none that was not added."""

from __future__ import annotations

import asyncio
import io
import os
from pathlib import Path

import pytest

from buildctl._pb.upload_pb2 import BytesMessage
from buildctl.errors import Code, ServiceError, TransferError
from buildctl.session.upload import Uploads
from tests.support.streams import stream_pair

PULL = "/moby.upload.v1.Upload/Pull"


async def pull(uploads: Uploads, path: str) -> list[bytes]:
    ours, theirs = stream_pair((("urlpath", path), ("urlhost", "buildkit-session")), limit=1 << 16)

    async def answer() -> None:
        try:
            await uploads.methods[PULL](ours)
        finally:
            await ours.half_close()

    task = asyncio.create_task(answer())
    received: list[bytes] = []
    while messages := await theirs.receive_messages():
        received += [BytesMessage.FromString(message).data for message in messages]
    await task
    return received


async def test_a_file_arrives_whole_and_once(tmp_path: Path) -> None:
    content = os.urandom(3_000_000)
    (tmp_path / "file").write_bytes(content)
    file = (tmp_path / "file").open("rb")
    uploads = Uploads()
    url = uploads.add(file)
    host, _, upload_id = url.rpartition("/")
    assert host == "http://buildkit-session"
    received = await pull(uploads, f"/{upload_id}")
    assert b"".join(received) == content
    assert max(map(len, received)) <= 3 << 20
    assert file.closed
    with pytest.raises(ServiceError) as caught:
        await pull(uploads, f"/{upload_id}")
    assert caught.value.code is Code.UNKNOWN
    assert str(caught.value) == f"no http response from session for {upload_id}"


@pytest.mark.parametrize("path", ["", "/", "/etc/passwd", "/../x"])
async def test_what_was_not_added_is_not_served(path: str) -> None:
    uploads = Uploads()
    uploads.add(io.BytesIO(b"x"))
    with pytest.raises(ServiceError, match="no http response from session for"):
        await pull(uploads, path)


async def test_several_at_once() -> None:
    uploads = Uploads()
    urls = [uploads.add(io.BytesIO(b"%d" % number)) for number in range(10)]
    received = await asyncio.gather(*(pull(uploads, url.removeprefix("http:/")) for url in urls))
    assert received == [[b"%d" % number] for number in range(10)]


async def test_a_file_that_fails_is_told() -> None:
    uploads = Uploads()
    file = io.BytesIO(b"x")
    url = uploads.add(file)
    file.close()
    with pytest.raises(TransferError, match="failed to read an upload: I/O operation on closed file"):
        await pull(uploads, url)


async def test_a_pull_that_breaks_off_closes_the_file() -> None:
    uploads = Uploads()
    file = io.BytesIO(bytes(10_000_000))
    url = uploads.add(file)
    ours, theirs = stream_pair((("urlpath", url),), limit=1000)
    task = asyncio.ensure_future(uploads.methods[PULL](ours))
    await theirs.receive_messages()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert file.closed
