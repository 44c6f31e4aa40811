"""Finds the account for a registry: the configuration, or the credential helper that it names.

Helpers run one at a time, and what they say is kept for a while, as a build asks for a host many times.
Sources: docker/docker-credential-helpers, client; authprovider/authconfigprovider.go of the reference.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Mapping
from dataclasses import replace

from buildctl.errors import BuildctlError
from buildctl.model.quote import quote
from buildctl.session.auth.dockerconfig import Account, DockerConfig
from buildctl.session.auth.recent import Recent
from buildctl.system.failure import errno_text

_MOST_KEPT = 128
_KEEP_SECONDS = 290.0
"""How long an account counts; some helpers hand out tokens that live for five minutes."""
_HELPER_SECONDS = 45.0
"""The daemon gives the whole answer a minute."""
_NOT_FOUND = "credentials not found in native keychain"
_TOKEN_USER = "<token>"  # noqa: S105  what helpers call an identity token's user


class Accounts:
    """The user's accounts by the registry's host."""

    def __init__(
        self, config: DockerConfig, environ: Mapping[str, str], *, helper_seconds: float = _HELPER_SECONDS
    ) -> None:
        """`environ` is what helpers are found and run with."""
        self._config = config
        self._environ = environ
        self._helper_seconds = helper_seconds
        self._known: Recent[str, tuple[float, Account]] = Recent(_MOST_KEPT)
        self._nobody: Recent[str, tuple[float, Account]] = Recent(_MOST_KEPT)
        """Hosts that a helper knows nobody for: apart, so that they do not push out those that exist."""
        self._one_at_a_time = asyncio.Lock()

    async def find(self, host: str) -> Account:
        """The account for a host, empty where there is none. Raises `BuildctlError` naming a bad helper."""
        async with self._one_at_a_time:
            now = asyncio.get_running_loop().time()
            kept = self._known.get(host) or self._nobody.get(host)
            if kept is not None and now - kept[0] <= _KEEP_SECONDS:
                return kept[1]
            key = self._config.key(host)
            account = await self._look_up(key)
            if account != Account():
                self._known.put(host, (now, account))
            elif self._config.helper(key):
                self._nobody.put(host, (now, account))
            return account

    async def _look_up(self, key: str) -> Account:
        if key in self._config.overrides:
            return self._config.overrides[key]
        account = self._config.account(key)
        if helper := self._config.helper(key):
            username, password, token = await ask_helper(
                helper, key, self._environ, seconds=self._helper_seconds
            )
            return replace(account, username=username, password=password, identity_token=token)
        return account


async def ask_helper(
    helper: str, key: str, environ: Mapping[str, str], *, seconds: float
) -> tuple[str, str, str]:
    """User, password and identity token that a helper has for a registry; empty where it has nothing.

    Its standard error is the user's. Raises `BuildctlError` naming it when it cannot be run, fails or hangs.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *(helper, "get"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=environ,
        )
    except FileNotFoundError:
        raise _failed(f"exec: {quote(helper)}: executable file not found in $PATH") from None
    except OSError as error:
        raise _failed(f"fork/exec {helper}: {errno_text(error)}") from None
    try:
        async with asyncio.timeout(seconds):
            output, _ = await process.communicate(key.encode("utf-8", "surrogateescape"))
    except TimeoutError:
        raise _failed(f"{helper} did not answer within {seconds:g} seconds") from None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
    said = output.decode("utf-8", "replace").strip()
    if process.returncode:
        if said == _NOT_FOUND:
            return "", "", ""
        raise _failed(f"{helper}: exit status {process.returncode}", said)
    return _parse(helper, said)


def _parse(helper: str, said: str) -> tuple[str, str, str]:
    try:
        answer = json.loads(said)
        username, secret = answer.get("Username", ""), answer.get("Secret", "")
        if not isinstance(username, str) or not isinstance(secret, str):
            raise ValueError
    except (ValueError, AttributeError, RecursionError):
        raise _failed(f"{helper}: its answer is no JSON object with Username and Secret") from None
    return ("", "", secret) if username == _TOKEN_USER else (username, secret, "")


def _failed(reason: str, said: str = "") -> BuildctlError:
    return BuildctlError(
        f"error getting credentials - err: {reason}, out: `{said[:1000]}`",
        hint="helpers are named by credsStore and credHelpers in Docker's config.json",
    )
