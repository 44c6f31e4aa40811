"""The Auth service, answered without credentials: the daemon pulls and pushes as nobody in particular.

This is what a program offers that says nothing of registries. Without the token methods the daemon fetches
tokens itself (util/resolver/authorizer of the reference).
"""

from __future__ import annotations

from collections.abc import Mapping

from buildctl._pb.auth_pb2 import CredentialsRequest, CredentialsResponse
from buildctl.errors import Code, ServiceError
from buildctl.session.auth import paths
from buildctl.session.stream import Handler, ServerStream
from buildctl.session.unary import unary


class AnonymousAuth:
    """Attachable: no user and no secret for any host."""

    @property
    def methods(self) -> Mapping[str, Handler]:
        return {
            paths.CREDENTIALS: unary(CredentialsRequest, _credentials),
            paths.FETCH_TOKEN: _unsupported,
            paths.GET_TOKEN_AUTHORITY: _unsupported,
            paths.VERIFY_TOKEN_AUTHORITY: _unsupported,
        }


async def _credentials(request: CredentialsRequest) -> CredentialsResponse:
    return CredentialsResponse()


async def _unsupported(stream: ServerStream) -> None:
    raise ServiceError(Code.UNIMPLEMENTED, "tokens are fetched by the daemon")
