"""The agents that a command line offers: found before the build starts, served while it runs.

Private keys are served by an agent of OpenSSH that lives as long as the build, so that signing is done by
the code that does it everywhere. Source of the messages: session/sshforward/sshprovider of the reference.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import shutil
import signal
import stat
import tempfile
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass

from buildctl.errors import BuildctlError, UsageError
from buildctl.model.offer import AgentSource
from buildctl.model.quote import quote
from buildctl.session.privatekey import parse_private_key
from buildctl.session.sshforward import ForwardedSocket, SSHForward
from buildctl.system.failure import errno_text
from buildctl.system.smallfile import read_named
from buildctl.transport.relay import no_socket, socket_root

_KEY_BYTES = 100 * 1024
_AGENT_SECONDS = 10.0
_END_SECONDS = 2.0

# The agent outlives no end of this process: it waits for the end of a pipe from it. `-P ''` keeps whoever
# reaches it from naming a library for it to load.
_GUARDED_AGENT = """
ssh-agent -D -P '' -a "$1/agent.sock" </dev/null &
agent=$!
read -r end
kill "$agent"
wait "$agent"
rm -rf -- "$1"
"""


@dataclass(frozen=True, slots=True)
class PrivateKeys:
    """Key files that have been read: path, and the key as `ssh-add` takes it."""

    keys: tuple[tuple[str, bytes], ...]


def find_agents(
    sources: Iterable[AgentSource], environ: Mapping[str, str]
) -> dict[str, ForwardedSocket | PrivateKeys]:
    """What the sources mean, by id; keys are read, sockets looked at. Raises `UsageError`."""
    found: dict[str, ForwardedSocket | PrivateKeys] = {}
    for source in sources:
        if source.id in found:
            raise UsageError(
                f"duplicate agent ID {quote(source.id)}", hint="give each agent an id of its own"
            )
        shown = f"{{{source.id} [{' '.join(source.paths)}] {str(source.raw).lower()}}}"
        prefix = f"failed to convert agent config {shown}: "
        paths = source.paths if source.paths not in ((), ("",)) else (environ.get("SSH_AUTH_SOCK", ""),)
        if not paths[0]:
            raise UsageError(
                prefix + "invalid empty ssh agent socket: make sure SSH_AUTH_SOCK is set",
                hint='start an agent with eval "$(ssh-agent)", or name a key file (default=FILE)',
            )
        try:
            found[source.id] = _find(paths, source.raw)
        except UsageError as error:
            text = f"{prefix}failed to convert agent config for ID: {quote(source.id)}: {error}"
            raise UsageError(text, hint=error.hint) from None
    return found


def _find(paths: Sequence[str], raw: bool) -> ForwardedSocket | PrivateKeys:
    socket: ForwardedSocket | None = None
    keys = []
    for path in paths:
        if socket is not None:
            raise UsageError("only single socket allowed")
        try:
            is_socket = stat.S_ISSOCK(os.stat(path).st_mode)
        except OSError as error:
            raise UsageError(f"stat {path}: {_reason(error)}") from None
        if is_socket:
            socket = ForwardedSocket(path, raw=raw)
        elif raw:
            raise UsageError("raw mode only supported with socket paths")
        else:
            keys.append((path, _read_key(path)))
    if socket is None:
        return PrivateKeys(tuple(keys))
    if keys:
        raise UsageError("invalid combination of keys and sockets")
    return socket


def _read_key(path: str) -> bytes:
    try:
        data = read_named(path, limit=_KEY_BYTES)
    except OSError as error:
        if error.errno in (errno.EISDIR, errno.EFBIG):
            raise UsageError(f"failed to read {path}: read {path}: {_reason(error)}") from None
        raise UsageError(f"failed to open {path}: open {path}: {_reason(error)}") from None
    try:
        return parse_private_key(data)
    except UsageError as error:
        raise UsageError(f"failed to parse {path}: {error}", hint=error.hint) from None


def _reason(error: OSError) -> str:
    return errno_text(error)


@contextlib.asynccontextmanager
async def serve_agents(
    agents: Mapping[str, ForwardedSocket | PrivateKeys], environ: Mapping[str, str]
) -> AsyncIterator[SSHForward]:
    """The service for a build, with an agent started for each set of keys; gone when the block ends.

    Raises `BuildctlError` where OpenSSH is missing or does not take a key.
    """
    async with contextlib.AsyncExitStack() as stack:
        sockets = {}
        for name, agent in agents.items():
            if isinstance(agent, PrivateKeys):
                path = await stack.enter_async_context(_private_agent(agent, environ))
                sockets[name] = ForwardedSocket(path)
            else:
                sockets[name] = agent
        yield SSHForward(sockets)


@contextlib.asynccontextmanager
async def _private_agent(keys: PrivateKeys, environ: Mapping[str, str]) -> AsyncIterator[str]:
    """The socket of a fresh agent that holds the keys."""
    for program in ("ssh-agent", "ssh-add"):
        if shutil.which(program, path=environ.get("PATH")) is None:
            raise BuildctlError(
                f"--ssh with a private key needs {program}: executable file not found in $PATH",
                hint="install OpenSSH's client",
            )
    root = socket_root(environ)
    try:
        folder = tempfile.mkdtemp(prefix="buildctl-", dir=root)  # mode 0700
    except OSError as error:
        raise no_socket(root, error) from None
    try:
        guard = await asyncio.create_subprocess_exec(
            *("sh", "-c", _GUARDED_AGENT, "sh", folder),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=environ,
            umask=0o077,
            start_new_session=True,  # a Ctrl-C cancels the build first
        )
        try:
            socket = os.path.join(folder, "agent.sock")
            await _load(guard, keys, {**environ, "SSH_AUTH_SOCK": socket})
            yield socket
        finally:
            await _end(guard)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _load(guard: asyncio.subprocess.Process, keys: PrivateKeys, environ: Mapping[str, str]) -> None:
    assert guard.stdout is not None
    try:
        async with asyncio.timeout(_AGENT_SECONDS):
            if not await guard.stdout.readline():  # it says where it listens, once it does
                raise BuildctlError("ssh-agent did not start")
            for path, key in keys.keys:
                await _add(path, key, environ)
    except TimeoutError:
        raise BuildctlError(f"ssh-agent did not take the keys within {_AGENT_SECONDS:.0f} seconds") from None


async def _add(path: str, key: bytes, environ: Mapping[str, str]) -> None:
    process = await asyncio.create_subprocess_exec(
        *("ssh-add", "-q", "-"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env={**environ, "SSH_ASKPASS_REQUIRE": "never"},
        start_new_session=True,  # without a terminal to ask on
    )
    try:
        _, said = await process.communicate(key)
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        raise
    if process.returncode:
        why = " ".join(said[:1000].decode("utf-8", "replace").split())
        raise BuildctlError(f"failed to add {path} to agent: {why or 'ssh-add failed'}")


async def _end(guard: asyncio.subprocess.Process) -> None:
    """End the agent by the end of its pipe, and by force where that does not do."""
    assert guard.stdin is not None
    guard.stdin.close()
    try:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(guard.wait(), _END_SECONDS)
    finally:
        if guard.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(guard.pid, signal.SIGKILL)
            await guard.wait()
