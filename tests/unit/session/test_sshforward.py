"""Agents are forwarded so that a step may use their keys and nothing more; with real agents and sockets."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

from buildctl._pb.sshforward_pb2 import BytesMessage, CheckAgentRequest, CheckAgentResponse
from buildctl.errors import BuildctlError, UsageError
from buildctl.model.offer import AgentSource
from buildctl.session.agentprotocol import MAX_MESSAGE_BYTES, frame
from buildctl.session.sshagent import PrivateKeys, find_agents, serve_agents
from buildctl.session.sshforward import ForwardedSocket, SSHForward
from tests.support.session import listening
from tests.support.ssh import agents_below, new_key, running_agent

SERVICE = "/moby.sshforward.v1.SSH/"
FAILURE = frame(b"\x05")
ENVIRON = {"PATH": os.environ["PATH"]}


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder whose sockets have paths short enough."""
    folder = Path(subprocess.check_output(["mktemp", "-d", "/tmp/ssh-XXXXXX"], text=True).strip())
    yield folder
    shutil.rmtree(folder)


@contextlib.asynccontextmanager
async def served(folder: Path, service: SSHForward) -> AsyncIterator[Any]:
    async with (
        listening(service.methods, folder) as listener,
        grpc.aio.insecure_channel(listener.target) as channel,
    ):
        yield channel


@contextlib.asynccontextmanager
async def forwarded(folder: Path, service: SSHForward, name: str = "default") -> AsyncIterator[Path]:
    """A socket as the daemon mounts it into a step: each connection is one ForwardAgent."""
    async with served(folder, service) as channel:

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            call = channel.stream_stream(SERVICE + "ForwardAgent", None, BytesMessage.FromString)(
                metadata=(("buildkit.ssh.id", name),)
            )

            async def outward() -> None:
                while data := await reader.read(4096):
                    await call.write(BytesMessage(data=data).SerializeToString())
                await call.done_writing()

            sending = asyncio.create_task(outward())
            try:
                async for message in call:
                    writer.write(message.data)
            finally:
                sending.cancel()
                writer.close()

        path = folder / "step.sock"
        server = await asyncio.start_unix_server(connected, str(path))
        try:
            yield path
        finally:
            server.close()
            await asyncio.sleep(0.05)


async def ssh_add(socket: Path, *arguments: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *("ssh-add", *arguments),
        env={**ENVIRON, "SSH_AUTH_SOCK": str(socket)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


async def exchange(channel: Any, data: bytes, count: int, name: str = "default") -> bytes:
    """What `count` bytes of answer a step gets for bytes."""
    call = channel.stream_stream(SERVICE + "ForwardAgent", None, BytesMessage.FromString)(
        metadata=(("buildkit.ssh.id", name),)
    )
    await call.write(BytesMessage(data=data).SerializeToString())
    answer = b""
    while len(answer) < count:
        answer += (await call.read()).data
    await call.done_writing()
    assert await call.code() is grpc.StatusCode.OK
    return answer


async def test_a_step_lists_and_uses_keys(short: Path) -> None:
    key = new_key(short)
    with running_agent(short / "agent", key):
        service = SSHForward({"default": ForwardedSocket(str(short / "agent"))})
        async with forwarded(short, service) as socket:
            assert (await ssh_add(socket, "-l"))[1].endswith(" id (ED25519)\n")
            assert await ssh_add(socket, "-T", f"{key}.pub") == (0, "")  # signs and checks


async def test_a_step_changes_nothing(short: Path) -> None:
    key, other = new_key(short), new_key(short, "other")
    with running_agent(short / "agent", key):
        service = SSHForward({"default": ForwardedSocket(str(short / "agent"))})
        async with forwarded(short, service) as socket:
            for change in ([str(other)], ["-t", "60", str(other)], ["-d", str(key)], ["-D"]):
                assert (await ssh_add(socket, *change))[0] == 1
            assert (await ssh_add(socket, "-l"))[1].count("\n") == 1


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        (b"\x01", frame(b"\x02\0\0\0\0")),
        (b"\x09", frame(b"\x06")),
        (b"\x11key", FAILURE),
        (b"\x12", FAILURE),
        (b"\x13", FAILURE),
        (b"\x14card", FAILURE),
        (b"\x16\0\0\0\1x", FAILURE),
        (b"\x17\0\0\0\1x", FAILURE),
        (b"\x19", FAILURE),
        (b"\x1b\0\0\0\x18session-bind@openssh.com", frame(b"\x1c")),
        (b"\x1b\0\0\0\1x", frame(b"\x1c")),
        (b"\x7f", FAILURE),
    ],
)
async def test_what_the_agent_never_sees(short: Path, request_: bytes, answer: bytes) -> None:
    seen: list[bytes] = []

    async def agent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.read())
        writer.close()

    async with await asyncio.start_unix_server(agent, str(short / "agent")):
        service = SSHForward({"default": ForwardedSocket(str(short / "agent"))})
        async with served(short, service) as channel:
            assert await exchange(channel, frame(request_), len(answer)) == answer
        await asyncio.sleep(0.05)
    assert seen == [b""]


async def test_requests_in_pieces_and_in_one_piece(short: Path) -> None:
    with running_agent(short / "agent"):
        service = SSHForward({"default": ForwardedSocket(str(short / "agent"))})
        async with served(short, service) as channel:
            no_keys = frame(b"\x0c\0\0\0\0")
            twice = await exchange(channel, frame(b"\x0b") * 2 + frame(b"\x13"), 2 * len(no_keys) + 5)
            assert twice == no_keys * 2 + FAILURE
            call = channel.stream_stream(SERVICE + "ForwardAgent", None, BytesMessage.FromString)()
            for byte in frame(b"\x0b"):
                await call.write(BytesMessage(data=bytes([byte])).SerializeToString())
            assert (await call.read()).data == no_keys
            call.cancel()


@pytest.mark.parametrize("size", [0, MAX_MESSAGE_BYTES + 1, 0xFFFFFFFF])
async def test_impossible_messages_end_the_call(short: Path, size: int) -> None:
    with running_agent(short / "agent"):
        service = SSHForward({"default": ForwardedSocket(str(short / "agent"))})
        async with served(short, service) as channel:
            call = channel.stream_stream(SERVICE + "ForwardAgent", None, BytesMessage.FromString)()
            await call.write(BytesMessage(data=size.to_bytes(4, "big") + b"x").SerializeToString())
            assert await call.code() is grpc.StatusCode.UNKNOWN
            assert await call.details() == f"an ssh agent message of {size} bytes"


async def test_a_raw_socket_takes_anything(short: Path) -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        everything = await reader.read()  # half-closing comes through
        writer.write(everything[::-1])
        writer.close()

    content = os.urandom(300_000)
    async with await asyncio.start_unix_server(echo, str(short / "raw")):
        service = SSHForward({"any": ForwardedSocket(str(short / "raw"), raw=True)})
        async with served(short, service) as channel:
            call = channel.stream_stream(SERVICE + "ForwardAgent", None, BytesMessage.FromString)(
                metadata=(("buildkit.ssh.id", "any"),)
            )
            for start in range(0, len(content), 30_000):
                await call.write(BytesMessage(data=content[start : start + 30_000]).SerializeToString())
            await call.done_writing()
            answer = b"".join([message.data async for message in call])
            assert await call.code() is grpc.StatusCode.OK
    assert answer == content[::-1]


async def test_only_what_was_offered(short: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "buildctl")
    async with served(short, SSHForward({"git": ForwardedSocket(str(short / "gone"))})) as channel:
        check = channel.unary_unary(
            SERVICE + "CheckAgent", CheckAgentRequest.SerializeToString, CheckAgentResponse.FromString
        )
        assert await check(CheckAgentRequest(ID="git")) == CheckAgentResponse()
        for name in ("", "default", "other"):
            with pytest.raises(grpc.aio.AioRpcError, match=f"unset ssh forward key {name or 'default'}"):
                await check(CheckAgentRequest(ID=name))
        call = channel.stream_stream(SERVICE + "ForwardAgent", None, BytesMessage.FromString)()
        assert await call.details() == "unset ssh forward key default"
        call = channel.stream_stream(SERVICE + "ForwardAgent", None, BytesMessage.FromString)(
            metadata=(("buildkit.ssh.id", "git"),)
        )
        assert await call.details() == (
            f"failed to dial agent git: failed to connect to {short}/gone: "
            f"dial unix {short}/gone: connect: no such file or directory"
        )
    assert "refused ssh agent 'other': it was not offered with --ssh" in caplog.messages


async def test_private_keys_have_an_agent_of_their_own(short: Path) -> None:
    first, second = new_key(short, "first"), new_key(short, "second", "ecdsa")
    first.chmod(0o644)  # ssh-add would refuse the file
    agents = find_agents([AgentSource("git", (str(first), str(second)))], {})
    async with serve_agents(agents, {**ENVIRON, "TMPDIR": str(short)}) as service:
        (folder,) = short.glob("buildctl-*")
        assert folder.stat().st_mode & 0o777 == 0o700
        async with forwarded(short, service, "git") as socket:
            assert (await ssh_add(socket, "-l"))[1].count("\n") == 2
            assert await ssh_add(socket, "-T", f"{second}.pub") == (0, "")
            for change in (["-D"], [str(short / "first")], ["-x"]):
                assert (await ssh_add(socket, *change))[0] == 1
            assert (await ssh_add(socket, "-l"))[1].count("\n") == 2
    assert list(short.glob("buildctl-*")) == []
    assert not agents_below(short)


async def test_the_agent_ends_even_if_its_owner_is_killed(short: Path) -> None:
    key = new_key(short)
    program = (
        "import asyncio, sys\n"
        "from buildctl.model.offer import AgentSource\n"
        "from buildctl.session.sshagent import find_agents, serve_agents\n"
        "async def main():\n"
        "    agents = find_agents([AgentSource('a', (sys.argv[1],))], {})\n"
        f"    async with serve_agents(agents, {{'PATH': '{ENVIRON['PATH']}', 'TMPDIR': '{short}'}}):\n"
        "        print('ready', flush=True)\n"
        "        await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    root = Path(__file__).parents[3]
    process = await asyncio.create_subprocess_exec(
        *("/usr/bin/env", f"PYTHONPATH={root}", sys.executable, "-c", program, str(key)),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"ready\n"
    assert agents_below(short)
    process.send_signal(signal.SIGKILL)
    await process.wait()
    async with asyncio.timeout(5):
        while agents_below(short) or any(short.glob("buildctl-*")):
            await asyncio.sleep(0.05)


async def test_a_folder_that_takes_no_socket_is_named() -> None:
    with pytest.raises(BuildctlError, match=r"^make a socket in /proc: no such file or directory$"):
        async with serve_agents({"a": PrivateKeys((("k", b""),))}, {**ENVIRON, "TMPDIR": "/proc"}):
            pass


async def test_without_openssh(short: Path) -> None:
    with pytest.raises(BuildctlError, match="needs ssh-agent: executable file not found"):
        async with serve_agents({"a": PrivateKeys((("k", b""),))}, {"PATH": str(short)}):
            pass


async def test_a_key_that_openssh_does_not_take(short: Path) -> None:
    garbage = b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
    with pytest.raises(BuildctlError, match="^failed to add k to agent: "):
        async with serve_agents({"a": PrivateKeys((("k", garbage),))}, {**ENVIRON, "TMPDIR": str(short)}):
            pass
    assert list(short.glob("buildctl-*")) == []


class TestFinding:
    """The messages of sshprovider.NewSSHAgentProvider."""

    def found(self, *sources: AgentSource, **environ: str) -> dict[str, ForwardedSocket | PrivateKeys]:
        return find_agents(sources, environ)

    @pytest.fixture(autouse=True)
    def _there(self, short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(short)

    async def test_sockets(self) -> None:
        async with await asyncio.start_unix_server(lambda *_: None, "s"):
            for paths in ((), ("",)):
                source = AgentSource("default", paths)
                assert self.found(source, SSH_AUTH_SOCK="s") == {"default": ForwardedSocket("s")}
            raw = AgentSource("a", ("s",), raw=True)
            assert self.found(AgentSource(), raw, SSH_AUTH_SOCK="s") == {
                "default": ForwardedSocket("s"),
                "a": ForwardedSocket("s", raw=True),
            }

    @pytest.mark.parametrize(
        ("source", "message"),
        [
            (
                AgentSource("a"),
                "{a [] false}: invalid empty ssh agent socket: make sure SSH_AUTH_SOCK is set",
            ),
            (
                AgentSource("a", ("",), raw=True),
                "{a [] true}: invalid empty ssh agent socket: make sure SSH_AUTH_SOCK is set",
            ),
            (
                AgentSource("a", ("", "k")),
                "{a [ k] false}: invalid empty ssh agent socket: make sure SSH_AUTH_SOCK is set",
            ),
            (AgentSource("a", ("no",)), '{a [no] false}: ID: "a": stat no: no such file or directory'),
            (
                AgentSource("a", ("k", "s")),
                '{a [k s] false}: ID: "a": invalid combination of keys and sockets',
            ),
            (AgentSource("a", ("s", "k")), '{a [s k] false}: ID: "a": only single socket allowed'),
            (AgentSource("a", ("s", "s")), '{a [s s] false}: ID: "a": only single socket allowed'),
            (
                AgentSource("a", ("k",), True),
                '{a [k] true}: ID: "a": raw mode only supported with socket paths',
            ),
            (AgentSource("a", (".",)), '{a [.] false}: ID: "a": failed to read .: read .: is a directory'),
            (AgentSource("a", ("t",)), '{a [t] false}: ID: "a": failed to parse t: ssh: no key found'),
        ],
    )
    async def test_what_cannot_be_offered(self, short: Path, source: AgentSource, message: str) -> None:
        new_key(short, "k")
        (short / "t").write_text("text")
        async with await asyncio.start_unix_server(lambda *_: None, "s"):
            with pytest.raises(UsageError) as caught:
                self.found(source)
        message = message.replace(" ID: ", " failed to convert agent config for ID: ")
        assert str(caught.value) == f"failed to convert agent config {message}"

    async def test_an_id_twice(self) -> None:
        async with await asyncio.start_unix_server(lambda *_: None, "s"):
            with pytest.raises(UsageError, match='^duplicate agent ID "a"$'):
                self.found(AgentSource("a", ("s",)), AgentSource("a", ("s",)))
