"""A build context that is in memory, on real BuildKits."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from buildctl import Client, DirectoryDestination, Export, SolveOpt, parse_address
from buildctl.session.upload import Uploads
from tests.support.engines import Engine

pytestmark = pytest.mark.daemon


async def test_a_context_is_pulled_from_the_session(engine: Engine, tmp_path: Path) -> None:
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as archive:
        for name, text in (("Dockerfile", b"FROM scratch\nCOPY greeting /\n"), ("greeting", b"hello\n")):
            member = tarfile.TarInfo(name)
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text))
    context.seek(0)
    uploads = Uploads()
    opt = SolveOpt(
        "dockerfile.v0",
        {"context": uploads.add(context)},
        exports=(Export("local", destination=DirectoryDestination(str(tmp_path / "out"))),),
    )
    async with Client.connect(parse_address(f"docker://{engine.socket}")) as client:
        await client.solve(opt, attachables=[uploads])
    assert (tmp_path / "out" / "greeting").read_bytes() == b"hello\n"
    assert context.closed
