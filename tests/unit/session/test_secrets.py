"""Secrets are read when they are asked for, are never too big, and are only those that were offered."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import grpc
import grpc.aio
import pytest

from buildctl._pb.secrets_pb2 import GetSecretRequest, GetSecretResponse
from buildctl.model.offer import SecretSource
from buildctl.session.secrets import MAX_SECRET_BYTES, Secrets
from tests.support.session import listening

GET_SECRET = "/moby.buildkit.secrets.v1.Secrets/GetSecret"


Ask = Callable[[str], Awaitable[bytes]]


@contextlib.asynccontextmanager
async def serving(folder: Path, service: Secrets) -> AsyncIterator[Ask]:
    async with (
        listening(service.methods, folder) as listener,
        grpc.aio.insecure_channel(listener.target) as channel,
    ):
        call = channel.unary_unary(GET_SECRET, None, GetSecretResponse.FromString)

        async def ask(name: str) -> bytes:
            response: GetSecretResponse = await call(GetSecretRequest(ID=name).SerializeToString())
            return response.data

        yield ask


async def refusal(ask: Ask, name: str) -> tuple[grpc.StatusCode, str | None]:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await ask(name)
    return caught.value.code(), caught.value.details()


async def test_a_file_is_read_again_each_time(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    async with serving(tmp_path, Secrets([SecretSource("a", path=str(file))], {})) as ask:
        for content in (b"one", b"", b"\0\xff" * 1000):
            file.write_bytes(content)
            assert await ask("a") == content


async def test_each_value_is_told_before_it_is_given(tmp_path: Path) -> None:
    told: list[bytes] = []
    service = Secrets([SecretSource("a", env="V")], {"V": "x", "W": "y"}, on_secret=told.append)
    async with serving(tmp_path, service) as ask:
        await refusal(ask, "b")
        assert told == []
        await ask("a")
        assert told == [b"x"]


async def test_a_variable_goes_before_a_file(tmp_path: Path) -> None:
    variables = {"V": "from the environment", "BYTES": os.fsdecode(b"\xff\x01")}
    service = Secrets(
        [
            SecretSource("both", path="/nonexistent", env="V"),
            SecretSource("unset", env="UNSET"),
            SecretSource("bytes", env="BYTES"),
            SecretSource("twice", env="BYTES"),
            SecretSource("twice", env="V"),
        ],
        variables,
    )
    async with serving(tmp_path, service) as ask:
        assert await ask("both") == b"from the environment"
        assert await ask("unset") == b""
        assert await ask("bytes") == b"\xff\x01"
        assert await ask("twice") == b"from the environment"
        variables["V"] = "changed"
        assert await ask("both") == b"changed"


async def test_what_was_not_offered_is_refused(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "buildctl")
    async with serving(tmp_path, Secrets([SecretSource("a", env="V")], {"V": "x", "b": "y"})) as ask:
        for name in ("b", "V", "", "A", "../a"):
            answer = await refusal(ask, name)
            assert answer == (grpc.StatusCode.NOT_FOUND, "rpc error: code = NotFound desc = not found")
    assert "refused secret 'V': it was not offered" in caplog.messages


@pytest.mark.parametrize("size", [MAX_SECRET_BYTES, MAX_SECRET_BYTES + 1, MAX_SECRET_BYTES + 100_000])
async def test_the_size_limit(tmp_path: Path, size: int) -> None:
    file = tmp_path / "secret"
    file.write_bytes(b"x" * size)
    service = Secrets([SecretSource("file", path=str(file)), SecretSource("env", env="V")], {"V": "x" * size})
    async with serving(tmp_path, service) as ask:
        for name in ("file", "env"):
            if size <= MAX_SECRET_BYTES:
                assert len(await ask(name)) == size
            else:
                assert await refusal(ask, name) == (grpc.StatusCode.UNKNOWN, f"invalid secret size {size}")


async def test_an_endless_file_is_not_read_to_its_end(tmp_path: Path) -> None:
    async with serving(tmp_path, Secrets([SecretSource("a", path="/dev/zero")], {})) as ask:
        expected = (grpc.StatusCode.UNKNOWN, f"invalid secret size {MAX_SECRET_BYTES + 1}")
        assert await refusal(ask, "a") == expected


async def test_a_file_that_has_gone(tmp_path: Path) -> None:
    service = Secrets([SecretSource("a", path="gone"), SecretSource("d", path=str(tmp_path))], {})
    unknown = grpc.StatusCode.UNKNOWN
    async with serving(tmp_path, service) as ask:
        assert await refusal(ask, "a") == (unknown, "open gone: no such file or directory")
        assert await refusal(ask, "d") == (unknown, f"read {tmp_path}: is a directory")


async def test_a_pipe_that_nobody_writes_holds_up_nobody_else(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    service = Secrets([SecretSource("pipe", path=str(pipe)), SecretSource("v", env="V")], {"V": "x"})
    async with serving(tmp_path, service) as ask:
        waiting = asyncio.ensure_future(ask("pipe"))
        await asyncio.sleep(0.05)
        assert await ask("v") == b"x"
        assert not waiting.done()
        await asyncio.to_thread(pipe.write_bytes, b"late")
        assert await waiting == b"late"
