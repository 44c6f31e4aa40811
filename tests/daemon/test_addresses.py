"""Every kind of address, by the program as a user runs it, with a real BuildKit at its far end."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import os
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from buildctl.transport.engine import engine_socket_dialer
from buildctl.transport.relay import open_relay
from tests.support.debian import UnavailableError
from tests.support.engines import Engine
from tests.support.program import ROOT, Ran, run, start
from tests.support.proxies import port_in_front_of, socket_in_front_of
from tests.support.sshd import Host, ssh_host

pytestmark = pytest.mark.daemon

PATH = os.environ["PATH"]
UNAVAILABLE = "error: failed to list workers: Unavailable: connection error: desc = "
HANDSHAKE = f'{UNAVAILABLE}"transport: authentication handshake failed: tls: '


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder whose path leaves room for the names of sockets."""
    made = Path(tempfile.mkdtemp(prefix="addresses-", dir="/tmp"))
    yield made
    shutil.rmtree(made)


@contextlib.asynccontextmanager
async def plain_socket(engine: Engine, folder: Path) -> AsyncIterator[str]:
    """The socket of an engine's BuildKit, as buildkitd has it."""
    async with open_relay(engine_socket_dialer(str(engine.socket)), {"TMPDIR": str(folder)}) as relay:
        path = str(folder / "buildkitd.sock")
        async with socket_in_front_of(relay.path, path):
            yield path


@pytest.fixture
async def buildkit(engine_26: Engine, folder: Path) -> AsyncIterator[str]:
    """A BuildKit's socket."""
    async with plain_socket(engine_26, folder) as path:
        yield path


async def workers(address: str, folder: Path, *flags: str, variables: Mapping[str, str] | None = None) -> Ran:
    """Ask for the workers, a call that BuildKit of any age answers."""
    arguments = ("--addr", address, *flags, "debug", "workers")
    return await asyncio.to_thread(run, *arguments, cwd=folder, variables=variables)


def assert_answered(ran: Ran) -> None:
    assert ran.stderr == ""
    assert ran.exit == 0
    assert "linux/amd64" in ran.stdout or "linux/arm64" in ran.stdout


# Sockets and ports


async def test_a_socket(engine: Engine, folder: Path) -> None:
    async with plain_socket(engine, folder) as path:
        for address in (f"unix://{path}", f"unix:{os.path.relpath(path, folder)}"):
            assert_answered(await workers(address, folder))


async def test_an_abstract_socket(buildkit: str, folder: Path) -> None:
    async with socket_in_front_of(buildkit, f"\0{folder.name}"):
        for form in ("unix-abstract:{}", "unix:@{}"):
            assert_answered(await workers(form.format(folder.name), folder))


@pytest.mark.parametrize(
    "address",
    [
        "tcp://127.0.0.1:{}",
        "tcp://localhost:{}",
        "localhost:{}",
        "dns:///localhost:{}",
        "dns:127.0.0.1:{}",
        "passthrough:///localhost:{}",
    ],
)
async def test_a_port(buildkit: str, folder: Path, address: str) -> None:
    async with port_in_front_of(buildkit) as port:
        assert_answered(await workers(address.format(port), folder))


# TLS


@dataclass(frozen=True)
class Certificates:
    """An authority, and below the folder: its certificate, one of a client, one of a stranger's authority."""

    authority: trustme.CA
    folder: Path

    def server(self, name: str, *, expired: bool = False, mutual: bool = False) -> ssl.SSLContext:
        """How a server with a certificate for `name` ends TLS."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        past = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC) if expired else None
        self.authority.issue_cert(name, not_after=past).configure_cert(context)
        context.set_alpn_protocols(["h2"])
        if mutual:
            self.authority.configure_trust(context)
            context.verify_mode = ssl.CERT_REQUIRED
        return context


@pytest.fixture
def certificates(folder: Path) -> Certificates:
    authority, stranger = trustme.CA(), trustme.CA()
    (folder / "own").mkdir()
    client = authority.issue_cert("client")
    authority.cert_pem.write_to_path(folder / "own" / "ca.pem")
    client.cert_chain_pems[0].write_to_path(folder / "own" / "cert.pem")
    client.private_key_pem.write_to_path(folder / "own" / "key.pem")
    stranger.cert_pem.write_to_path(folder / "stranger.pem")
    return Certificates(authority, folder)


TRUST = ("--tlscacert", "own/ca.pem")
PAIR = ("--tlscert", "own/cert.pem", "--tlskey", "own/key.pem")


@pytest.mark.parametrize(
    ("server", "flags"),
    [
        ({"name": "127.0.0.1"}, TRUST),
        ({"name": "buildkit.example"}, (*TRUST, "--tlsservername", "buildkit.example")),
        ({"name": "127.0.0.1", "mutual": True}, (*TRUST, *PAIR)),
        ({"name": "127.0.0.1", "mutual": True}, ("--tlsdir", "own")),
    ],
)
async def test_tls(
    buildkit: str, certificates: Certificates, server: dict[str, str], flags: tuple[str, ...]
) -> None:
    async with port_in_front_of(buildkit, certificates.server(**server)) as port:  # type: ignore[arg-type]
        assert_answered(await workers(f"tcp://127.0.0.1:{port}", certificates.folder, *flags))


@pytest.mark.parametrize(
    ("server", "flags", "message"),
    [
        (
            {"name": "127.0.0.1"},
            ("--tlscacert", "stranger.pem"),
            f'{HANDSHAKE}failed to verify certificate: x509: certificate signed by unknown authority"\n',
        ),
        (
            {"name": "127.0.0.1"},
            PAIR,
            f'{HANDSHAKE}failed to verify certificate: x509: certificate signed by unknown authority"\n',
        ),
        (
            {"name": "buildkit.example"},
            TRUST,
            f"{HANDSHAKE}failed to verify certificate: x509: certificate is valid for buildkit.example, "
            'not 127.0.0.1"\n',
        ),
        (
            {"name": "127.0.0.1", "expired": True},
            TRUST,
            f'{HANDSHAKE}failed to verify certificate: x509: certificate has expired or is not yet valid"\n',
        ),
        (
            {"name": "127.0.0.1", "mutual": True},
            TRUST,
            f'{UNAVAILABLE}"error reading server preface: remote error: tls: certificate required"\n',
        ),
    ],
    ids=["wrong authority", "no authority", "wrong name", "expired", "no client certificate"],
)
async def test_tls_that_fails(
    buildkit: str,
    certificates: Certificates,
    server: dict[str, str],
    flags: tuple[str, ...],
    message: str,
) -> None:
    async with port_in_front_of(buildkit, certificates.server(**server)) as port:  # type: ignore[arg-type]
        ran = await workers(f"tcp://127.0.0.1:{port}", certificates.folder, *flags)
    assert (ran.exit, ran.stdout, ran.stderr) == (1, "", message)


# Containers and pods

_HELPER = """#!/bin/sh
for argument in "$0" "$@"; do printf '%s\\n' "$argument"; done >>{folder}/asked
echo $$ >>{folder}/pids
exec {python} -m buildctl --addr unix://{socket} dial-stdio
"""


@dataclass(frozen=True)
class Helpers:
    """The folder of programs that bring one into a container or pod, where a BuildKit is."""

    folder: Path

    @property
    def variables(self) -> dict[str, str]:
        return {"PATH": f"{self.folder}:{PATH}", "TMPDIR": str(self.folder)}

    @property
    def asked(self) -> list[str]:
        """How the one that ran was called."""
        program, *arguments = (self.folder / "asked").read_text().splitlines()
        return [os.path.basename(program), *arguments]

    @property
    def running(self) -> list[int]:
        """Which of those that ran still do."""
        pids = [int(line) for line in (self.folder / "pids").read_text().split()]
        return [pid for pid in pids if os.path.exists(f"/proc/{pid}")]


@pytest.fixture
def helpers(buildkit: str, folder: Path) -> Helpers:
    (folder / "bin").mkdir()
    for name in ("docker", "podman", "nerdctl", "kubectl"):
        program = folder / "bin" / name
        program.write_text(_HELPER.format(folder=program.parent, python=sys.executable, socket=buildkit))
        program.chmod(0o755)
    return Helpers(folder / "bin")


@pytest.mark.parametrize(
    ("address", "asked"),
    [
        ("docker-container://box", "docker exec -i box buildctl dial-stdio"),
        ("docker-container://box?context=far", "docker --context=far exec -i box buildctl dial-stdio"),
        ("podman-container://box", "podman exec -i box buildctl dial-stdio"),
        ("podman-container://box?context=far", "podman exec -i box buildctl dial-stdio"),
        ("nerdctl-container://box", "nerdctl exec -i box buildctl dial-stdio"),
        (
            "nerdctl-container://box?namespace=k8s.io",
            "nerdctl exec --namespace k8s.io -i box buildctl dial-stdio",
        ),
        (
            "kube-pod://pod",
            "kubectl --context= --namespace= exec --container= -i pod -- buildctl dial-stdio",
        ),
        (
            "kube-pod://pod?context=far&namespace=ci&container=box",
            "kubectl --context=far --namespace=ci exec --container=box -i pod -- buildctl dial-stdio",
        ),
    ],
)
async def test_a_container(folder: Path, helpers: Helpers, address: str, asked: str) -> None:
    assert_answered(await workers(address, folder, variables=helpers.variables))
    assert helpers.asked == asked.split(" ")
    assert helpers.running == []


async def test_a_helper_that_fails(folder: Path, helpers: Helpers) -> None:
    program = helpers.folder / "docker"
    program.write_text("#!/bin/sh\necho Error: No such container: box >&2\nexit 1\n")
    ran = await workers("docker-container://box", folder, variables=helpers.variables)
    assert ran.exit == 1
    assert ran.stderr == (
        f'{UNAVAILABLE}"error reading server preface: command [docker exec -i box buildctl dial-stdio] has '
        "exited with exit status 1, make sure the URL is valid, and Docker 18.09 or later is installed on "
        'the remote host: stderr=Error: No such container: box\\n"\n'
    )


async def test_a_daemon_that_is_not_in_the_container(folder: Path, helpers: Helpers) -> None:
    program = helpers.folder / "docker"
    program.write_text(_HELPER.format(folder=program.parent, python=sys.executable, socket="/nowhere"))
    ran = await workers("docker-container://box", folder, variables=helpers.variables)
    assert ran.stderr.endswith('stderr=error: dial unix /nowhere: connect: no such file or directory\\n"\n')
    assert helpers.running == []


@contextlib.asynccontextmanager
async def long_build(
    engine: Engine, address: str, folder: Path, variables: Mapping[str, str]
) -> AsyncIterator[subprocess.Popen[bytes]]:
    """A build that is in the middle of a step of a minute."""
    work = folder / "work"
    work.mkdir()
    (work / "Dockerfile").write_text('FROM scratch\nCOPY busybox /\nRUN ["/busybox", "sleep", "60"]\n')
    shutil.copy(engine.busybox, work / "busybox")
    arguments = ("build", "--progress", "plain", "--frontend", "dockerfile.v0", "--no-cache")
    folders = ("--local", "context=.", "--local", "dockerfile=.", "--opt", "force-network-mode=none")
    build = start("--addr", address, *arguments, *folders, cwd=work, variables=variables)
    assert build.stderr is not None
    try:
        said = b""
        while b"[2/2] RUN" not in said:
            line = await asyncio.to_thread(build.stderr.readline)
            assert line, f"the build ended before its long step: {said.decode()}"
            said += line
        yield build
    finally:
        build.kill()
        await asyncio.to_thread(build.communicate)


async def rest_of(build: subprocess.Popen[bytes]) -> str:
    _, stderr = await asyncio.to_thread(build.communicate)
    return stderr.decode()


async def gone(helpers: Helpers) -> None:
    async with asyncio.timeout(10):
        while helpers.running:
            await asyncio.sleep(0.05)


async def test_no_helper_stays_after_a_ctrl_c(engine_26: Engine, folder: Path, helpers: Helpers) -> None:
    async with long_build(engine_26, "docker-container://box", folder, helpers.variables) as build:
        build.send_signal(signal.SIGINT)
        stderr = await rest_of(build)
        assert helpers.running == []
    assert stderr.endswith("error: failed to solve: Canceled: context canceled\n")


async def test_no_helper_stays_after_a_kill(engine_26: Engine, folder: Path, helpers: Helpers) -> None:
    async with long_build(engine_26, "kube-pod://pod", folder, helpers.variables) as build:
        build.kill()
        await rest_of(build)
        await gone(helpers)


async def test_a_helper_that_dies_in_mid_build(engine_26: Engine, folder: Path, helpers: Helpers) -> None:
    async with long_build(engine_26, "podman-container://box", folder, helpers.variables) as build:
        os.kill(helpers.running[0], signal.SIGKILL)
        stderr = await rest_of(build)
        assert build.returncode == 1
    assert stderr.endswith(
        "error reading from server: command [podman exec -i box buildctl dial-stdio] has exited with "
        "signal: killed, make sure the URL is valid, "
        "and Docker 18.09 or later is installed on the remote host: stderr=\n"
    )


# ssh


@pytest.fixture
def host(folder: Path) -> Iterator[Host]:
    """A host with buildctl on its PATH."""
    remote, keys = folder / "remote", folder / "keys"
    remote.mkdir()
    keys.mkdir(0o700)
    program = remote / "buildctl"
    program.write_text(f'#!/bin/sh\nexport PYTHONPATH={ROOT}\nexec {sys.executable} -m buildctl "$@"\n')
    program.chmod(0o755)
    try:
        with ssh_host(keys, f"{remote}:/usr/bin:/bin") as found:
            yield found
    except UnavailableError as missing:
        pytest.skip(str(missing))


async def test_ssh(buildkit: str, folder: Path, host: Host) -> None:
    variables = {"PATH": f"{host.path}:{PATH}"}
    address = f"ssh://root@127.0.0.1:{host.port}{buildkit}"
    assert_answered(await workers(address, folder, variables=variables))
    remote = f"buildctl --addr unix://{buildkit} dial-stdio"
    assert host.asked == [f"-l root -p {host.port} -- 127.0.0.1 {remote}"]


async def test_a_build_over_ssh(buildkit: str, folder: Path, host: Host) -> None:
    (folder / "Dockerfile").write_text("FROM scratch\nCOPY data /\n")
    (folder / "data").write_bytes(os.urandom(8 << 20))
    arguments = (
        "build",
        "--progress",
        "plain",
        "--frontend",
        "dockerfile.v0",
        "--output",
        "type=local,dest=out",
    )
    folders = ("--local", "context=.", "--local", "dockerfile=.")
    ran = await asyncio.to_thread(
        run,
        *("--addr", f"ssh://root@127.0.0.1:{host.port}{buildkit}", *arguments, *folders),
        cwd=folder,
        variables={"PATH": f"{host.path}:{PATH}"},
    )
    assert ran.exit == 0, ran.stderr
    assert (folder / "out" / "data").read_bytes() == (folder / "data").read_bytes()


async def test_ssh_that_fails(folder: Path, host: Host) -> None:
    variables = {"PATH": f"{host.path}:{PATH}"}
    nobody = await workers(f"ssh://nobody@127.0.0.1:{host.port}", folder, variables=variables)
    assert "has exited with exit status 255" in nobody.stderr
    assert "Permission denied (publickey" in nobody.stderr
    nowhere = await workers(f"ssh://root@127.0.0.1:{host.port}/no.sock", folder, variables=variables)
    assert nowhere.stderr.endswith(
        'stderr=error: dial unix /no.sock: connect: no such file or directory\\n"\n'
    )
