"""The Auth service as the daemon calls it, and what the user gets to see of it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf.message import Message

from buildctl._pb import auth_pb2
from buildctl.model.offer import RegistryTLS
from buildctl.model.status import SolveStatus
from buildctl.session.auth.authority import public_key, sign
from buildctl.session.auth.dockerconfig import Account, DockerConfig
from buildctl.session.auth.service import Auth
from tests.support.session import listening
from tests.support.token_server import token_server

SERVICE = "/moby.filesync.v1.Auth/"


class Daemon:
    """Asks the service."""

    def __init__(self, channel: Any) -> None:
        self._channel = channel

    async def ask(self, method: str, request: Message) -> Any:
        response = getattr(auth_pb2, f"{method}Response")
        call = self._channel.unary_unary(SERVICE + method, None, response.FromString)
        return await call(request.SerializeToString())

    async def refusal(self, method: str, request: Message) -> tuple[grpc.StatusCode, str | None]:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await self.ask(method, request)
        return caught.value.code(), caught.value.details()


class Seen:
    """What the display is told, by a clock of ten nanoseconds a look."""

    def __init__(self) -> None:
        self.statuses: list[SolveStatus] = []
        self.secrets: list[bytes] = []
        self.now = 0

    def now_ns(self) -> int:
        self.now += 10
        return self.now

    @property
    def lines(self) -> list[tuple[str, int | None, int | None]]:
        return [
            (vertex.name, vertex.started_ns, vertex.completed_ns)
            for status in self.statuses
            for vertex in status.vertexes
        ]


@contextlib.asynccontextmanager
async def daemon(
    folder: Path,
    accounts: Mapping[str, Account],
    seen: Seen | None = None,
    tls: Mapping[str, RegistryTLS] | None = None,
    admits: Callable[[str], bool] = lambda host: True,
    **environ: str,
) -> AsyncIterator[Daemon]:
    seen = seen or Seen()
    config = DockerConfig(str(folder), accounts)
    service = Auth(
        config,
        environ,
        tls=tls,
        admits=admits,
        on_status=seen.statuses.append,
        on_secret=seen.secrets.append,
        now_ns=seen.now_ns,
    )
    async with (
        listening(service.methods, folder) as listener,
        grpc.aio.insecure_channel(listener.target) as channel,
    ):
        yield Daemon(channel)


async def test_credentials(tmp_path: Path) -> None:
    accounts = {"user.example": Account("u", "p"), "token.example": Account("u", "p", identity_token="t")}
    seen = Seen()
    async with daemon(tmp_path, accounts, seen) as asking:
        answers = [
            await asking.ask("Credentials", auth_pb2.CredentialsRequest(Host=host))
            for host in ("user.example", "token.example", "nobody.example", "user.example")
        ]
    assert [(answer.Username, answer.Secret) for answer in answers] == [
        ("u", "p"),
        ("", "t"),
        ("", ""),
        ("u", "p"),
    ]
    assert seen.lines == [
        ("[auth] sharing credentials for user.example", 10, None),
        ("[auth] sharing credentials for user.example", 10, 20),
        ("[auth] sharing credentials for token.example", 30, None),
        ("[auth] sharing credentials for token.example", 30, 40),
    ]
    assert seen.secrets == [b"p", b"t", b"p"]
    digests = [status.vertexes[0].digest for status in seen.statuses]
    assert digests[0] == digests[1] != digests[2]
    assert digests[0].startswith("sha256:")
    assert len(digests[0]) == 71


async def test_tokens(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    seen = Seen()
    accounts = {"user.example": Account("u", "p"), "static.example": Account("u", "p", registry_token="r")}
    with token_server() as server:
        server.accounts["u"] = "p"

        def request(host: str) -> auth_pb2.FetchTokenRequest:
            scopes = ["repository:a/b:pull", "repository:c:push"]
            return auth_pb2.FetchTokenRequest(
                ClientID="x", Host=host, Realm=server.url, Service="s", Scopes=scopes
            )

        async with daemon(tmp_path, accounts, seen) as asking:
            answer = await asking.ask("FetchToken", request("user.example"))
            assert answer.Token == "token for u to repository:a/b:pull repository:c:push"
            assert (answer.ExpiresIn, answer.IssuedAt) == (300, 1795348800)
            answer = await asking.ask("FetchToken", request("static.example"))
            assert (answer.Token, answer.ExpiresIn, answer.IssuedAt) == ("r", 60, 0)
            answer = await asking.ask("FetchToken", request("nobody.example"))
            assert answer.Token == "token for  to repository:a/b:pull repository:c:push"
            assert seen.secrets == [b"token for u to repository:a/b:pull repository:c:push", b"r"]
            server.answer = (500, b"broken")
            assert await asking.refusal("FetchToken", request("user.example")) == (
                grpc.StatusCode.UNKNOWN,
                f"failed to fetch oauth token: unexpected status from POST request to {server.url}: "
                "500 Internal Server Error",
            )
            assert [message for message in caplog.messages if "broken" in message] == [
                "user.example: failed to fetch oauth token: unexpected status from POST request to "
                f"{server.url}: 500 Internal Server Error: broken"
            ]
        assert [asked.user for asked in server.asked] == ["u", "", "u"]
    name = "[auth] a/b:pull c:push token for user.example"
    assert seen.lines == [(name, 10, None), (name, 10, 20), (name, 30, None), (name, 30, 40)]


async def test_the_authority_of_a_user(tmp_path: Path) -> None:
    async with daemon(tmp_path, {"user.example": Account("u", "p")}) as asking:
        ask_key = auth_pb2.GetTokenAuthorityRequest(Host="user.example", Salt=b"salt")
        key = (await asking.ask("GetTokenAuthority", ask_key)).PublicKey
        verify = auth_pb2.VerifyTokenAuthorityRequest(Host="user.example", Salt=b"salt", Payload=b"payload")
        signed = (await asking.ask("VerifyTokenAuthority", verify)).Signed
        assert len(key) == 32
        assert key != public_key(b"salt", b"")
        assert signed[64:] == b"payload"
        again = (await asking.ask("GetTokenAuthority", ask_key)).PublicKey
        assert again == key


async def test_nobody_in_particular_has_the_same_key_everywhere(tmp_path: Path) -> None:
    async with daemon(tmp_path, {}) as asking:
        for host in ("a.example", "b.example"):
            request = auth_pb2.GetTokenAuthorityRequest(Host=host, Salt=b"salt")
            assert (await asking.ask("GetTokenAuthority", request)).PublicKey == public_key(b"salt", b"")
            verify = auth_pb2.VerifyTokenAuthorityRequest(Host=host, Salt=b"salt", Payload=b"p")
            assert (await asking.ask("VerifyTokenAuthority", verify)).Signed == sign(b"p", b"salt", b"")


@pytest.mark.parametrize("method", ["GetTokenAuthority", "VerifyTokenAuthority"])
async def test_authority_switched_off(tmp_path: Path, method: str) -> None:
    request = getattr(auth_pb2, f"{method}Request")(Host="a", Salt=b"s")
    async with daemon(tmp_path, {}, BUILDKIT_NO_CLIENT_TOKEN="1") as asking:
        message = "rpc error: code = Unavailable desc = client side tokens disabled"
        assert await asking.refusal(method, request) == (grpc.StatusCode.UNAVAILABLE, message)
    other = tmp_path / "other"  # grpc remembers a socket whose server has gone
    other.mkdir()
    async with daemon(other, {}, BUILDKIT_NO_CLIENT_TOKEN="maybe") as asking:
        assert await asking.ask(method, request)


async def test_a_bad_tls_file_is_named(tmp_path: Path) -> None:
    tls = {"r.example": RegistryTLS((str(tmp_path / "gone.pem"),))}
    async with daemon(tmp_path, {}, tls=tls) as asking:
        request = auth_pb2.FetchTokenRequest(Host="r.example", Realm="https://localhost:1/")
        code, message = await asking.refusal("FetchToken", request)
    assert code is grpc.StatusCode.UNKNOWN
    assert message == f"could not read ca certificate: open {tmp_path}/gone.pem: no such file or directory"


async def test_a_flood_of_hosts_leaves_nothing(tmp_path: Path) -> None:
    """Neither on the disk nor in memory, where no account is."""
    async with daemon(tmp_path, {"user.example": Account("u", "p")}) as asking:
        for number in range(60):
            request = auth_pb2.GetTokenAuthorityRequest(Host=f"h{number}.example", Salt=b"salt")
            assert (await asking.ask("GetTokenAuthority", request)).PublicKey == public_key(b"salt", b"")
        assert not (tmp_path / ".token_seed").exists()
        for host in ("h" * 301, "a\nb", "a\x1b]0;b"):
            for method in ("Credentials", "FetchToken", "GetTokenAuthority", "VerifyTokenAuthority"):
                code, _ = await asking.refusal(method, getattr(auth_pb2, f"{method}Request")(Host=host))
                assert code is grpc.StatusCode.INVALID_ARGUMENT


async def test_hosts_that_are_not_admitted_get_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    accounts = {
        "r.example": Account("u", "p"),
        "evil.example": Account("v", "q"),
        "static.example": Account("w", "s", registry_token="t"),
    }
    seen = Seen()
    with token_server() as server:
        server.accounts |= {"u": "p", "v": "q"}
        async with daemon(tmp_path, accounts, seen, admits="r.example".__eq__) as asking:
            for host, user in (("r.example", "u"), ("evil.example", ""), ("static.example", "")):
                answer = await asking.ask("Credentials", auth_pb2.CredentialsRequest(Host=host))
                assert (answer.Username, bool(answer.Secret)) == (user, bool(user))
                question = auth_pb2.FetchTokenRequest(Host=host, Realm=server.url)
                assert (await asking.ask("FetchToken", question)).Token == f"token for {user} to "
                key = auth_pb2.GetTokenAuthorityRequest(Host=host, Salt=b"s")
                public = (await asking.ask("GetTokenAuthority", key)).PublicKey
                assert (public == public_key(b"s", b"")) == (not user)
    warnings = [message for message in caplog.messages if "--registry-auth-hosts" in message]
    assert [message.partition(":")[0] for message in warnings] == ["evil.example", "static.example"]
    assert set(seen.secrets) == {b"p", b"token for u to "}
    assert list(json.loads((tmp_path / ".token_seed").read_text())) == ["r.example"]


async def test_an_account_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    async with daemon(tmp_path, {"r.example": Account("u", "\udce9")}) as asking:
        answer = await asking.refusal("Credentials", auth_pb2.CredentialsRequest(Host="r.example"))
    assert answer == (grpc.StatusCode.UNKNOWN, "the account for r.example has bytes that are not UTF-8")
