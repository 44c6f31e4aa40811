"""What a build's command line lets the daemon ask of this machine: accounts, SSH agents, secrets."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from buildctl.cli.environment import Environment
from buildctl.cli.output import Output
from buildctl.errors import UsageError
from buildctl.system.failure import errno_text
from buildctl.system.smallfile import read_found

if TYPE_CHECKING:
    from buildctl.cli.flags.authhosts import AuthHosts
    from buildctl.model.offer import RegistryTLS, SecretSource
    from buildctl.model.status import SolveStatus
    from buildctl.session.auth.dockerconfig import DockerConfig
    from buildctl.session.sshagent import PrivateKeys
    from buildctl.session.sshforward import ForwardedSocket
    from buildctl.session.stream import Attachable


class Offers(NamedTuple):
    """What was found where the flags point to."""

    docker_config: DockerConfig
    tls: Mapping[str, RegistryTLS]
    agents: Mapping[str, ForwardedSocket | PrivateKeys]
    secrets: Sequence[SecretSource]
    auth_hosts: AuthHosts | None = None
    """None for all."""
    admits: Callable[[str], bool] = lambda host: True
    """Whether the daemon gets an account for a host."""


def find_offers(
    output: Output,
    *,
    tls_contexts: Sequence[str],
    auth_hosts: Sequence[str],
    ssh: Sequence[str],
    secrets: Sequence[str],
) -> Offers:
    """Look up what the flags name, in the reference's order. Raises `UsageError`; warns on standard error."""
    from buildctl.session.auth.dockerconfig import load_docker_config

    environment = output.environment
    config = load_docker_config(environment.variables)
    for warning in config.warnings:
        output.say(f"{warning}\n")
    tls = _tls(tls_contexts)
    hosts = _auth_hosts(auth_hosts)
    agents = _agents(ssh, environment.variables)
    return Offers(config, tls, agents, _secrets(secrets, environment.variables), hosts)


def _tls(tls_contexts: Sequence[str]) -> Mapping[str, RegistryTLS]:
    if not tls_contexts:
        return {}
    from buildctl.cli.flags.tlscontext import parse_tls_contexts

    return parse_tls_contexts(tls_contexts)


def _auth_hosts(values: Sequence[str]) -> AuthHosts | None:
    if not values:
        return None
    from buildctl.cli.flags.authhosts import parse_auth_hosts

    return parse_auth_hosts(values)


def _agents(ssh: Sequence[str], variables: Mapping[str, str]) -> Mapping[str, ForwardedSocket | PrivateKeys]:
    if not ssh:
        return {}
    from buildctl.cli.flags.ssh import parse_agent
    from buildctl.session.sshagent import find_agents

    return find_agents([parse_agent(text) for text in ssh], variables)


def _secrets(secrets: Sequence[str], variables: Mapping[str, str]) -> Sequence[SecretSource]:
    if not secrets:
        return ()
    from buildctl.cli.flags.secret import complete_secret, parse_secret

    written = [parse_secret(text) for text in secrets]
    return [_checked(complete_secret(source, variables)) for source in written]


def _checked(source: SecretSource) -> SecretSource:
    """The source, if its file is there and not too big. Raises `UsageError`."""
    from buildctl.session.secrets import MAX_SECRET_BYTES

    if source.path:
        try:
            size = os.stat(source.path).st_size
        except OSError as error:
            reason = errno_text(error)
            raise UsageError(
                f"failed to stat {source.path}: stat {source.path}: {reason}",
                hint=f"name the file with src=FILE, or a variable with env=NAME, for the secret {source.id}",
            ) from None
        if size > MAX_SECRET_BYTES:
            raise UsageError(f"secret {source.id} too big. max size {MAX_SECRET_BYTES // 1024}KiB")
    return source


def offered_values(secrets: Sequence[SecretSource], variables: Mapping[str, str]) -> Iterator[bytes]:
    """What the secrets are now, as far as it can be read more than once: a step may ask for another value."""
    if not secrets:
        return
    from buildctl.session.secrets import MAX_SECRET_BYTES

    for source in secrets:
        if source.env:
            yield variables.get(source.env, "").encode("utf-8", "surrogateescape")
        elif os.path.isfile(source.path):
            with contextlib.suppress(OSError):
                yield read_found(source.path, limit=MAX_SECRET_BYTES)


@contextlib.asynccontextmanager
async def serve_offers(
    offers: Offers,
    environment: Environment,
    on_status: Callable[[SolveStatus], None],
    on_secret: Callable[[bytes], None],
) -> AsyncIterator[list[Attachable]]:
    """The services of one build; agents that were started for it have ended when the block does.

    `on_status` is told what is done with the user's accounts, `on_secret` each value before the daemon gets
    it. Raises `BuildctlError`.
    """
    from buildctl.session.auth import paths
    from buildctl.session.deferred import Deferred

    variables = environment.variables

    def auth() -> Attachable:
        from buildctl.session.auth.service import Auth

        return Auth(
            offers.docker_config,
            variables,
            tls=offers.tls,
            admits=offers.admits,
            on_status=on_status,
            on_secret=on_secret,
            now_ns=environment.now_ns,
        )

    services: list[Attachable] = [Deferred(paths.ALL, auth)]
    async with contextlib.AsyncExitStack() as stack:
        if offers.agents:
            from buildctl.session.sshagent import serve_agents

            services.append(await stack.enter_async_context(serve_agents(offers.agents, variables)))
        if offers.secrets:
            from buildctl.session.secrets import Secrets

            services.append(Secrets(offers.secrets, variables, on_secret=on_secret))
        yield services
