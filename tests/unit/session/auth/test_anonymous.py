"""What a registry's host gets to know of a user without configuration: nothing."""

from __future__ import annotations

from pathlib import Path

import grpc
import grpc.aio
import pytest

from buildctl._pb import auth_pb2
from buildctl.session.auth.anonymous import AnonymousAuth
from tests.support.session import listening

SERVICE = "/moby.filesync.v1.Auth/"


async def ask(folder: Path, method: str, request: bytes) -> bytes:
    async with (
        listening(AnonymousAuth().methods, folder) as listener,
        grpc.aio.insecure_channel(listener.target) as channel,
    ):
        answer: bytes = await channel.unary_unary(SERVICE + method, None, None)(request)
        return answer


async def test_credentials_are_empty_for_every_host(tmp_path: Path) -> None:
    request = auth_pb2.CredentialsRequest(Host="registry-1.docker.io").SerializeToString()
    answer = auth_pb2.CredentialsResponse.FromString(await ask(tmp_path, "Credentials", request))
    assert (answer.Username, answer.Secret) == ("", "")


@pytest.mark.parametrize("method", ["FetchToken", "GetTokenAuthority", "VerifyTokenAuthority"])
async def test_tokens_are_left_to_the_daemon(method: str, tmp_path: Path) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await ask(tmp_path, method, b"")
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_what_is_no_request_is_refused(tmp_path: Path) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await ask(tmp_path, "Credentials", b"\xff")
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
