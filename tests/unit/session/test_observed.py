"""What is told of a daemon's calls: what they were about and how they ended, and nothing that was in them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

from buildctl._pb import auth_pb2, content_pb2, secrets_pb2, sshforward_pb2
from buildctl.model.offer import SecretSource
from buildctl.model.sessionrequest import SessionRequest
from buildctl.session.filesync import FileSync
from buildctl.session.observed import Observed, refused
from buildctl.session.secrets import Secrets
from buildctl.session.stream import Handler, ServerStream
from buildctl.session.unary import unary
from tests.support.session import listening

AUTH = "/moby.filesync.v1.Auth/"
CONTENT = "/containerd.services.content.v1.Content/"
GET_SECRET = "/moby.buildkit.secrets.v1.Secrets/GetSecret"


class Answering:
    """Attachable: every call of one method gets the same answer."""

    def __init__(self, path: str, answer: bytes) -> None:
        self._path = path
        self._answer = answer

    @property
    def methods(self) -> Mapping[str, Handler]:
        return {self._path: self._handle}

    async def _handle(self, stream: ServerStream) -> None:
        await stream.receive_messages()
        await stream.send_messages([self._answer])


async def call(
    folder: Path, service: Any, path: str, message: bytes, metadata: tuple[tuple[str, str], ...] = ()
) -> SessionRequest:
    """What is told of one call, whatever comes of it."""
    told: list[SessionRequest] = []
    observed = Observed(service, told.append)
    async with (
        listening(observed.methods, folder) as listener,
        grpc.aio.insecure_channel(listener.target) as channel,
    ):
        begin = channel.stream_stream(path, None, None)
        # A channel to where another listener was may be in no hurry to connect.
        stream = begin(iter([message]), metadata=metadata, wait_for_ready=True)
        try:
            async for _ in stream:
                pass
        except grpc.aio.AioRpcError:
            pass
    (request,) = told
    return request


@pytest.mark.parametrize(
    ("path", "message", "asked"),
    [
        (AUTH + "Credentials", auth_pb2.CredentialsRequest(Host="h"), {"host": "h"}),
        (
            AUTH + "FetchToken",
            auth_pb2.FetchTokenRequest(
                Host="h", Realm="https://u:hidden@r:1/t?x=hidden", Service="s", Scopes=["a", "b"]
            ),
            {"host": "h", "realm": "r", "service": "s", "scopes": ["a", "b"]},
        ),
        (AUTH + "FetchToken", auth_pb2.FetchTokenRequest(Host="h", Realm="//["), {"host": "h"}),
        (AUTH + "VerifyTokenAuthority", auth_pb2.VerifyTokenAuthorityRequest(Host="h"), {"host": "h"}),
    ],
)
async def test_accounts(tmp_path: Path, path: str, message: Any, asked: dict[str, Any]) -> None:
    told = await call(tmp_path, Answering(path, b"hidden"), path, message.SerializeToString())
    _, service, method = path.split("/")
    assert told == SessionRequest(service, method, asked, "OK", given=True)


@pytest.mark.parametrize(
    ("path", "message", "metadata", "asked"),
    [
        (
            CONTENT + "Read",
            content_pb2.ReadContentRequest(digest="sha256:d"),
            (("buildkit-attachable-store-id", "local:x"),),
            {"store": "local:x", "digest": "sha256:d"},
        ),
        (
            CONTENT + "Write",
            content_pb2.WriteContentRequest(ref="r", expected="sha256:d", data=b"hidden"),
            (),
            {"store": "", "ref": "r", "expected": "sha256:d"},
        ),
        (
            "/moby.sshforward.v1.SSH/CheckAgent",
            sshforward_pb2.CheckAgentRequest(ID="git"),
            (),
            {"id": "git"},
        ),
        ("/moby.sshforward.v1.SSH/ForwardAgent", None, (), {"id": "default"}),
        ("/moby.upload.v1.Upload/Pull", None, (("urlpath", "/abc"),), {"url_path": "/abc"}),
        ("/moby.filesync.v1.FileSend/DiffCopy", None, (), {"exporter": "0"}),
    ],
)
async def test_what_moves_bytes(
    tmp_path: Path, path: str, message: Any, metadata: tuple[tuple[str, str], ...], asked: dict[str, Any]
) -> None:
    sent = message.SerializeToString() if message is not None else b"hidden"
    told = await call(tmp_path, Answering(path, b"answer"), path, sent, metadata)
    _, service, method = path.split("/")
    assert told == SessionRequest(service, method, asked, "OK", sent_bytes=6, received_bytes=len(sent))


async def test_secrets_by_id_and_nothing_of_their_values(tmp_path: Path) -> None:
    service = Secrets([SecretSource("a", env="V")], {"V": "hidden"})
    outcomes = {}
    for name in ("a", "b", "x" * 1000):
        message = secrets_pb2.GetSecretRequest(ID=name).SerializeToString()
        told = await call(tmp_path, service, GET_SECRET, message)
        assert told.sent_bytes is None
        outcomes[told.asked["id"]] = (told.outcome, told.given)
    assert outcomes == {"a": ("OK", True), "b": ("NOT_FOUND", False), "x" * 256: ("NOT_FOUND", False)}


async def test_bytes_that_are_no_request(tmp_path: Path) -> None:
    told = await call(tmp_path, Secrets([], {}), GET_SECRET, b"\xff")
    assert (told.asked, told.outcome) == ({}, "INVALID_ARGUMENT")


async def test_a_folder_that_was_not_offered(tmp_path: Path) -> None:
    path = "/moby.filesync.v1.FileSync/DiffCopy"
    metadata = (("dir-name", "home"), ("include-patterns", "a"), ("include-patterns", "b"))
    told = await call(tmp_path, FileSync({"context": str(tmp_path)}), path, b"", metadata)
    assert told.outcome == "NOT_FOUND"
    assert told.asked == {"local": "home", "include_patterns": 2, "exclude_patterns": 0, "follow_paths": 0}


async def test_a_handler_that_fails_and_one_that_is_cancelled() -> None:
    async def fail(request: secrets_pb2.GetSecretRequest) -> secrets_pb2.GetSecretResponse:
        raise OSError("hidden")

    async def hang(request: secrets_pb2.GetSecretRequest) -> secrets_pb2.GetSecretResponse:
        await asyncio.sleep(60)
        raise AssertionError

    class Service:
        methods: Mapping[str, Handler] = {
            "/s/fail": unary(secrets_pb2.GetSecretRequest, fail),
            "/s/hang": unary(secrets_pb2.GetSecretRequest, hang),
        }

    class Stream:
        metadata = ()

        def narrow(self) -> None: ...

        async def receive_messages(self) -> list[bytes]:
            return [b""]

        async def send_messages(self, messages: object) -> None: ...

    told: list[SessionRequest] = []
    handlers = Observed(Service(), told.append).methods
    with pytest.raises(OSError, match="hidden"):
        await handlers["/s/fail"](Stream())
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(handlers["/s/hang"](Stream()), 0.01)
    assert [(one.method, one.outcome) for one in told] == [("fail", "UNKNOWN"), ("hang", "CANCELED")]
    assert "hidden" not in repr(told)


def test_what_nothing_is_offered_for() -> None:
    assert refused("/a.b.C/Do") == SessionRequest("a.b.C", "Do", {}, "UNIMPLEMENTED")
    assert refused("nonsense").service == ""
