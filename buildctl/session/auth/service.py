"""The Auth service with the user's accounts: `moby.filesync.v1.Auth` (session/auth/authprovider).

The daemon asks for tokens first, which this client fetches itself, so that it need not give a secret away;
where a registry wants the secret, the daemon gets it, and the user is told.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
from collections.abc import Callable, Mapping

from buildctl._pb.auth_pb2 import (
    CredentialsRequest,
    CredentialsResponse,
    FetchTokenRequest,
    FetchTokenResponse,
    GetTokenAuthorityRequest,
    GetTokenAuthorityResponse,
    VerifyTokenAuthorityRequest,
    VerifyTokenAuthorityResponse,
)
from buildctl.errors import BuildctlError, Code, ServiceError, UsageError
from buildctl.fsutil.worker import Worker
from buildctl.model.boolean import parse_bool
from buildctl.model.identity import new_id
from buildctl.model.offer import RegistryTLS
from buildctl.model.status import SolveStatus, Vertex
from buildctl.session.auth import paths
from buildctl.session.auth.accounts import Accounts
from buildctl.session.auth.authority import Seeds, public_key, sign
from buildctl.session.auth.dockerconfig import Account, DockerConfig
from buildctl.session.auth.recent import Recent
from buildctl.session.stream import Handler
from buildctl.session.unary import unary

_REGISTRY_TOKEN_SECONDS = 60
_MOST_TOLD = 50
_LONGEST_HOST = 300
"""Of a name with a port: names have 253 characters at most (RFC 1035)."""

_LOG = logging.getLogger("buildctl")


class Auth:
    """Attachable: the user's accounts and tokens for registries."""

    def __init__(
        self,
        config: DockerConfig,
        environ: Mapping[str, str],
        *,
        tls: Mapping[str, RegistryTLS] | None = None,
        admits: Callable[[str], bool] = lambda host: True,
        on_status: Callable[[SolveStatus], None] | None = None,
        on_secret: Callable[[bytes], None] | None = None,
        now_ns: Callable[[], int] = lambda: 0,
    ) -> None:
        """`environ` is for helpers and proxies; `tls` says by host how token servers are trusted.

        For hosts that `admits` says no to, the user is nobody in particular, whatever accounts there are.
        `on_status` is told what is done with the user's secrets, with instants that `now_ns` gives;
        `on_secret` each password, and each token of an account, before the daemon gets it.
        """
        self._accounts = Accounts(config, environ)
        self._seeds = Seeds(config.directory)
        self._environ = environ
        self._tls = tls or {}
        self._on_status = on_status
        self._on_secret = on_secret
        self._now_ns = now_ns
        self._admits = admits
        self._shared_with: Recent[str, bool] = Recent(_MOST_TOLD)
        self._warned: Recent[tuple[str, str], bool] = Recent(_MOST_TOLD)
        self._warnings = 0

    @property
    def methods(self) -> Mapping[str, Handler]:
        return {
            paths.CREDENTIALS: unary(CredentialsRequest, self._credentials),
            paths.FETCH_TOKEN: unary(FetchTokenRequest, self._fetch_token),
            paths.GET_TOKEN_AUTHORITY: unary(GetTokenAuthorityRequest, self._get_token_authority),
            paths.VERIFY_TOKEN_AUTHORITY: unary(VerifyTokenAuthorityRequest, self._verify_token_authority),
        }

    async def _credentials(self, request: CredentialsRequest) -> CredentialsResponse:
        username, secret = (await self._account(request.Host)).login
        _check_text(request.Host, username, secret)
        if secret and not self._shared_with.get(request.Host):
            self._shared_with.put(request.Host, True)
            self._tell(f"[auth] sharing credentials for {request.Host}")
        self._give(secret)
        return CredentialsResponse(Username=username, Secret=secret)

    async def _fetch_token(self, request: FetchTokenRequest) -> FetchTokenResponse:
        account = await self._account(request.Host)
        if account.registry_token:
            _check_text(request.Host, account.registry_token)
            self._give(account.registry_token)
            return FetchTokenResponse(Token=account.registry_token, ExpiresIn=_REGISTRY_TOKEN_SECONDS)
        username, secret = account.login
        if secret:
            scopes = " ".join(scope.removeprefix("repository:") for scope in request.Scopes)
            self._tell(f"[auth] {scopes} token for {request.Host}")
        with contextlib.closing(Worker(f"token for {request.Host}")) as worker:
            try:
                response = await worker.run(self._fetch, request, username, secret)
            except BuildctlError as error:
                # What the server says is not for the daemon, which may have named any server.
                self._warn(request.Host, f"{error}: {said}" if (said := getattr(error, "said", "")) else "")
                raise
        if secret:  # others' tokens are nobody's secret
            self._give(response.Token)
        return response

    def _fetch(self, request: FetchTokenRequest, username: str, secret: str) -> FetchTokenResponse:
        from buildctl.session.auth.http import trust  # which most builds do without
        from buildctl.session.auth.tokens import TokenQuestion, fetch_token

        question = TokenQuestion(request.Realm, request.Service, tuple(request.Scopes), username, secret)
        tls = trust(self._tls[request.Host]) if request.Host in self._tls else None
        token = fetch_token(question, tls=tls, environ=self._environ)
        return FetchTokenResponse(
            Token=token.value, ExpiresIn=token.expires_seconds, IssuedAt=token.issued_at
        )

    async def _get_token_authority(self, request: GetTokenAuthorityRequest) -> GetTokenAuthorityResponse:
        seed = await self._seed(request.Host)
        return GetTokenAuthorityResponse(PublicKey=public_key(request.Salt, seed))

    async def _verify_token_authority(
        self, request: VerifyTokenAuthorityRequest
    ) -> VerifyTokenAuthorityResponse:
        seed = await self._seed(request.Host)
        return VerifyTokenAuthorityResponse(Signed=sign(request.Payload, request.Salt, seed))

    async def _seed(self, host: str) -> bytes:
        """Nobody in particular has the same key everywhere: the seed of one without a secret is empty."""
        with contextlib.suppress(UsageError):
            if parse_bool(self._environ.get("BUILDKIT_NO_CLIENT_TOKEN", "")):
                message = "rpc error: code = Unavailable desc = client side tokens disabled"
                raise ServiceError(Code.UNAVAILABLE, message)
        if not (await self._account(host)).login[1]:
            return b""
        with contextlib.closing(Worker("token seeds")) as worker:
            return await worker.run(self._seeds.seed, host)

    async def _account(self, host: str) -> Account:
        """The account that the daemon may use for a host, empty where there is none for it."""
        if len(host) > _LONGEST_HOST or not host.isprintable():
            raise ServiceError(Code.INVALID_ARGUMENT, "that is not the name of a host")
        if not self._admits(host):
            self._warn(
                host, "the daemon asked for an account, and --registry-auth-hosts does not name the host"
            )
            return Account()
        return await self._accounts.find(host)

    def _warn(self, host: str, text: str) -> None:
        """Tell the user in the log, of each host once and of so many at most."""
        if not text or self._warned.get((host, text)) or self._warnings >= _MOST_TOLD:
            return
        self._warned.put((host, text), True)
        self._warnings += 1
        _LOG.warning("%s: %s", host, text)

    def _give(self, secret: str) -> None:
        if self._on_secret is not None and secret:
            self._on_secret(secret.encode("utf-8", "surrogateescape"))

    def _tell(self, name: str) -> None:
        """Show a step that has been taken."""
        if self._on_status is None:
            return
        digest = f"sha256:{hashlib.sha256(new_id().encode()).hexdigest()}"
        started = self._now_ns()
        self._on_status(SolveStatus((Vertex(digest, name, started_ns=started),)))
        done = Vertex(digest, name, started_ns=started, completed_ns=self._now_ns())
        self._on_status(SolveStatus((done,)))


def _check_text(host: str, *texts: str) -> None:
    """Raise `ServiceError` for bytes of Docker's configuration that no message of gRPC can have."""
    try:
        "".join(texts).encode()
    except UnicodeEncodeError:
        raise ServiceError(Code.UNKNOWN, f"the account for {host} has bytes that are not UTF-8") from None
