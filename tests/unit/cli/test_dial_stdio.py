"""dial-stdio as a process between its standard streams and a real socket."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from buildctl.cli.dial_stdio import parse_socket_path
from buildctl.errors import UsageError
from tests.support.program import COMMAND, environment, run

Conversation = Callable[[socket.socket], None]


@contextlib.contextmanager
def daemon(path: str, conversation: Conversation) -> Iterator[None]:
    """A listener on `path` that has one conversation."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        listener.settimeout(20)

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                conversation(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        yield
        thread.join()


def start(address: str, cwd: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*COMMAND, "--addr", address, "dial-stdio"],
        cwd=cwd,
        env=environment(cwd),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def receive_all(connection: socket.socket) -> bytes:
    return b"".join(iter(lambda: connection.recv(65536), b""))


@pytest.mark.parametrize("form", ["unix://{}/d.sock", "unix://d.sock"])
def test_the_end_of_input_is_passed_on_and_the_answer_still_comes(form: str, tmp_path: Path) -> None:
    sent = b"question " * 300_000
    heard = []

    def conversation(connection: socket.socket) -> None:
        heard.append(receive_all(connection))  # which ends with our input
        connection.sendall(b"answer " * 300_000)

    with daemon(str(tmp_path / "d.sock"), conversation):
        process = start(form.format(tmp_path), tmp_path)
        out, err = process.communicate(sent, timeout=30)
    assert heard == [sent]
    assert (out, err, process.returncode) == (b"answer " * 300_000, b"", 0)


def test_both_ways_at_once_and_at_once(tmp_path: Path) -> None:
    def conversation(connection: socket.socket) -> None:
        while data := connection.recv(100):
            connection.sendall(data.upper())

    with daemon(str(tmp_path / "d.sock"), conversation):
        process = start(f"unix://{tmp_path}/d.sock", tmp_path)
        assert process.stdin is not None
        assert process.stdout is not None
        for word in (b"one\n", b"two\n"):
            process.stdin.write(word)
            process.stdin.flush()
            assert process.stdout.readline() == word.upper()
        assert process.communicate(timeout=10) == (b"", b"")
    assert process.returncode == 0


def test_the_daemon_s_end_ends_it_though_input_stays_open(tmp_path: Path) -> None:
    with daemon(str(tmp_path / "d.sock"), lambda connection: connection.sendall(b"bye")):
        process = start(f"unix://{tmp_path}/d.sock", tmp_path)
        assert process.stdout is not None
        assert process.stdout.read() == b"bye"
        assert process.wait(10) == 0
    process.communicate()


def test_a_file_may_be_standard_input(tmp_path: Path) -> None:
    (tmp_path / "input").write_bytes(b"from a file")
    heard = []
    serving = daemon(str(tmp_path / "d.sock"), lambda connection: heard.append(receive_all(connection)))
    with serving, (tmp_path / "input").open("rb") as file:
        subprocess.run(
            [*COMMAND, "--addr", f"unix://{tmp_path}/d.sock", "dial-stdio"],
            cwd=tmp_path,
            env=environment(tmp_path),
            stdin=file,
            check=True,
            timeout=30,
        )
    assert heard == [b"from a file"]


def test_an_abstract_socket(tmp_path: Path) -> None:
    name = f"buildctl-{time.monotonic_ns()}"
    with daemon("\0" + name, lambda connection: connection.sendall(b"hello")):
        process = start(f"unix://@{name}", tmp_path)
        assert process.communicate(timeout=10) == (b"hello", b"")


def test_nobody_reads_the_output(tmp_path: Path) -> None:
    def conversation(connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection.sendall(b"more")

    with daemon(str(tmp_path / "d.sock"), conversation):
        process = start(f"unix://{tmp_path}/d.sock", tmp_path)
        assert process.stdout is not None
        process.stdout.read(4)
        process.stdout.close()
        assert process.wait(10) == 1
    assert process.stdin is not None
    process.stdin.close()
    assert process.stderr is not None
    assert process.stderr.read() == b""
    process.stderr.close()


def test_an_interrupt_ends_it(tmp_path: Path) -> None:
    def conversation(connection: socket.socket) -> None:
        connection.sendall(b"x")
        receive_all(connection)

    with daemon(str(tmp_path / "d.sock"), conversation):
        process = start(f"unix://{tmp_path}/d.sock", tmp_path)
        assert process.stdout is not None
        process.stdout.read(1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 1
        process.communicate()


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("foo", "invalid address foo"),
        ("tcp://x", "invalid address tcp://x (expected unix://, got tcp://)"),
        ("unix:/x", "invalid address unix:/x"),
    ],
)
def test_only_a_unix_socket_will_do(address: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_socket_path(address)
    assert str(caught.value) == message


def test_no_socket(tmp_path: Path) -> None:
    ran = run("--addr", "unix:///nope", "dial-stdio", cwd=tmp_path)
    assert (ran.exit, ran.stderr) == (1, "error: dial unix /nope: connect: no such file or directory\n")
    (tmp_path / "file").touch()
    ran = run("--addr", "unix://file", "dial-stdio", cwd=tmp_path)
    assert (ran.exit, ran.stderr) == (1, "error: dial unix file: connect: connection refused\n")
    ran = run("--addr", "unix:///" + "x" * 200, "dial-stdio", cwd=tmp_path)
    assert ran.exit == 1
    assert ran.stderr.endswith("xxx: connect: invalid argument\n")


def test_a_full_socket_is_given_up_after_the_timeout(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "d.sock"))
        listener.listen(0)
        waiting = []
        while True:
            one = socket.socket(socket.AF_UNIX)
            waiting.append(one)
            one.setblocking(False)
            if one.connect_ex(str(tmp_path / "d.sock")):
                break
        ran = run("--timeout", "1", "--addr", "unix://d.sock", "dial-stdio", cwd=tmp_path)
        for one in waiting:
            one.close()
    assert (ran.exit, ran.stderr) == (
        1,
        "error: dial unix d.sock: connect: resource temporarily unavailable\n",
    )
