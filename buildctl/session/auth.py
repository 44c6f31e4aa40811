"""The Auth service, answered without credentials: the daemon pulls and pushes as nobody in particular.

This is what the reference answers where no registry is configured. Without the token methods the daemon
fetches tokens itself (util/resolver/authorizer).
"""

from __future__ import annotations

from collections.abc import Mapping

from google.protobuf.message import DecodeError

from buildctl._pb import auth_pb2
from buildctl.errors import Code, ServiceError
from buildctl.session.stream import Handler, ServerStream

CREDENTIALS_PATH = "/moby.filesync.v1.Auth/Credentials"


class AnonymousAuth:
    """Attachable: no user and no secret for any host."""

    @property
    def methods(self) -> Mapping[str, Handler]:
        return {
            CREDENTIALS_PATH: _credentials,
            "/moby.filesync.v1.Auth/FetchToken": _unsupported,
            "/moby.filesync.v1.Auth/GetTokenAuthority": _unsupported,
            "/moby.filesync.v1.Auth/VerifyTokenAuthority": _unsupported,
        }


async def _credentials(stream: ServerStream) -> None:
    messages = await stream.receive_messages()
    try:
        auth_pb2.CredentialsRequest.FromString(b"".join(messages[:1]))
    except DecodeError:
        raise ServiceError(Code.INVALID_ARGUMENT, "the request is no CredentialsRequest") from None
    await stream.send_messages([auth_pb2.CredentialsResponse().SerializeToString()])


async def _unsupported(stream: ServerStream) -> None:
    raise ServiceError(Code.UNIMPLEMENTED, "tokens are fetched by the daemon")
