"""A daemon that asks for secrets, agents, accounts and blobs that were not offered, or delivers others."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from buildctl._pb import content_pb2 as pb
from buildctl._pb.auth_pb2 import (
    CredentialsRequest,
    CredentialsResponse,
    GetTokenAuthorityRequest,
    GetTokenAuthorityResponse,
)
from buildctl._pb.secrets_pb2 import GetSecretRequest
from buildctl._pb.sshforward_pb2 import CheckAgentRequest
from tests.hostile.case import Case, run
from tests.support.hostile_daemon import HostileDaemon, Script

SECRET = "/moby.buildkit.secrets.v1.Secrets/GetSecret"
CREDENTIALS = "/moby.filesync.v1.Auth/Credentials"
CONTENT = "/containerd.services.content.v1.Content/"
STORE = (("buildkit-attachable-store-id", "export"),)
LAYOUT = "type=oci,tar=false,dest=out"
DIGEST = "sha256:" + hashlib.sha256(b"promised").hexdigest()


def asks(path: str, *messages: bytes, metadata: tuple[tuple[str, str], ...] = ()) -> Script:
    async def script(daemon: HostileDaemon) -> None:
        await daemon.ask(path, *messages, metadata=metadata)

    return script


def asks_for_secret(name: str) -> Script:
    return asks(SECRET, GetSecretRequest(ID=name).SerializeToString())


def asks_for_account(host: str) -> Script:
    async def script(daemon: HostileDaemon) -> None:
        (answer,) = await daemon.ask(CREDENTIALS, CredentialsRequest(Host=host).SerializeToString())
        assert CredentialsResponse.FromString(answer) == CredentialsResponse()

    return script


async def asks_for_keys_of_many_hosts(daemon: HostileDaemon) -> None:
    """As would have a seed be kept of each; there is an account for one."""
    for number in range(60):
        host = "registry.example" if number == 30 else f"{'h' * 200}{number}.example"
        request = GetTokenAuthorityRequest(Host=host, Salt=b"salt").SerializeToString()
        (answer,) = await daemon.ask("/moby.filesync.v1.Auth/GetTokenAuthority", request)
        assert len(GetTokenAuthorityResponse.FromString(answer).PublicKey) == 32
    kept = Path(".token_seed").read_text()  # in the folder of Docker's configuration
    assert list(json.loads(kept)) == ["registry.example"]


def reads(digest: str) -> Script:
    request = pb.ReadContentRequest(digest=digest)
    return asks(CONTENT + "Read", request.SerializeToString(), metadata=STORE)


def writes(data: bytes, ref: str = "ref", expected: str = DIGEST) -> Script:
    request = pb.WriteContentRequest(action=pb.COMMIT, ref=ref, total=len(data), expected=expected, data=data)
    return asks(CONTENT + "Write", request.SerializeToString(), metadata=STORE)


OFFERS = [
    Case("a secret that was not offered", asks_for_secret("other"), "not found"),
    Case("a secret by its path", asks_for_secret("../outside/private"), "not found"),
    Case("a secret by the name of a variable", asks_for_secret("VARIABLE"), "not found"),
    Case(
        "an agent that was not offered",
        asks("/moby.sshforward.v1.SSH/CheckAgent", CheckAgentRequest(ID="other").SerializeToString()),
        "unset ssh forward key other",
    ),
    Case(
        "an agent without asking whether it is there", asks("/moby.sshforward.v1.SSH/ForwardAgent"), "unset"
    ),
    Case("an account for another registry", asks_for_account("other.example")),
    Case("an account for a registry of like name", asks_for_account("registry.example.other.example")),
    Case("an account for no registry", asks_for_account("")),
    Case("an account for what is no host", asks_for_account("h" * 60_000), "not the name of a host"),
    Case("keys of many hosts", asks_for_keys_of_many_hosts),
    Case("a service that does not exist", asks("/moby.buildkit.v1.Control/Solve"), "unknown method Solve"),
    Case(
        "a store that was not offered",
        asks(
            CONTENT + "Info",
            pb.InfoRequest(digest=DIGEST).SerializeToString(),
            metadata=(("buildkit-attachable-store-id", "local:../outside"),),
        ),
        "unknown method Info",
    ),
    Case("a blob that is another", writes(b"delivered"), "unexpected commit digest", ("ingest",), LAYOUT),
    Case("a blob by a path", reads("sha256:../../../outside/private"), "invalid", output=LAYOUT),
    Case(
        "a blob under a path", writes(b"x", "../../../outside/new"), "unexpected commit", ("ingest",), LAYOUT
    ),
    Case(
        "a blob with a path as its digest",
        writes(b"x", expected="sha256:../../../outside/new"),
        "invalid",
        output=LAYOUT,
    ),
    Case("a request that is none", asks(SECRET, b"\xff"), "is no GetSecretRequest"),
    Case("a request nested without end", asks(SECRET, b"\x1b" * 60_000), "is no GetSecretRequest"),
    Case("a request longer than any", asks(SECRET, bytes(100_000)), "larger than max"),
]


@pytest.mark.parametrize("case", OFFERS, ids=lambda case: case.name)
async def test_asks_for_what_was_not_offered(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await run(case, tmp_path, monkeypatch)
