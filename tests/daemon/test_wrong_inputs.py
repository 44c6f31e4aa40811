"""What a new user gets wrong: each ends soon, with cause and next step, and leaves nothing half-written.

Every command line runs on a terminal, where the next step is shown too.
"""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from tests.support import packages
from tests.support.debian import UnavailableError
from tests.support.engines import Engine
from tests.support.program import COMMAND, Ran, environment, run_in_terminal

pytestmark = pytest.mark.daemon

LIMIT_SECONDS = 10.0
BUILD = ("build", "--frontend", "dockerfile.v0", "--local", "context=.", "--local", "dockerfile=.")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A context that builds, with 3 MB to export."""
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY big /\n")
    (tmp_path / "big").write_bytes(os.urandom(3_000_000))
    return tmp_path


def fails(*arguments: str, cwd: Path, limit: float = LIMIT_SECONDS) -> Ran:
    began = time.monotonic()
    ran = run_in_terminal(*arguments, cwd=cwd, timeout=40)
    assert time.monotonic() - began < limit
    assert ran.exit == 1, ran.stdout
    assert "Traceback" not in ran.stdout
    return ran


def test_no_daemon(folder: Path) -> None:
    for address, cause in (
        ("unix:///nonexistent.sock", "dial unix /nonexistent.sock: connect: no such file or directory"),
        ("tcp://127.0.0.1:1", "dial tcp 127.0.0.1:1: connect: connection refused"),
        ("docker:///nonexistent.sock", "dial unix /nonexistent.sock: connect: no such file or directory"),
    ):
        for command in (("du",), ("prune",), ("debug", "workers"), BUILD):
            ran = fails("--addr", address, *command, cwd=folder)
            assert cause in ran.stdout
            assert "hint: is a daemon running? start buildkitd, or name another with --addr" in ran.stdout


@contextlib.contextmanager
def listener(tmp_path: Path, answer: bytes) -> Iterator[str]:
    """A socket that answers every connection with some bytes, or for none stays silent, until the end."""
    with socket.socket(socket.AF_UNIX) as server:
        path = str(tmp_path / "other.sock")
        server.bind(path)
        server.listen()
        kept: list[socket.socket] = []

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    if answer:
                        connection.sendall(answer)
                        connection.close()
                    else:
                        kept.append(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"unix://{path}"
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()
            for connection in kept:
                connection.close()


@pytest.mark.parametrize(
    "answer", [b"220 mail.example ESMTP\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x00" * 64]
)
def test_a_socket_that_is_no_daemon(folder: Path, answer: bytes) -> None:
    with listener(folder, answer) as address:
        ran = fails("--addr", address, "du", cwd=folder)
    assert "error: failed to call diskusage: Unavailable: connection error: desc = " in ran.stdout
    assert "hint: " in ran.stdout


def test_an_engine_s_socket_taken_for_a_daemon_s(engine_26: Engine, folder: Path) -> None:
    ran = fails("--addr", f"unix://{engine_26.socket}", "du", cwd=folder)
    assert f"reach the BuildKit inside it at docker://{engine_26.socket}" in ran.stdout


def test_the_wrong_ca(folder: Path) -> None:
    certificate = trustme.CA().issue_cert("127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["h2"])
    certificate.configure_cert(context)
    trustme.CA().cert_pem.write_to_path(str(folder / "ca.pem"))
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(LIMIT_SECONDS)

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    with contextlib.suppress(OSError), context.wrap_socket(connection, server_side=True):
                        pass

        thread = threading.Thread(target=serve)
        thread.start()
        port = server.getsockname()[1]
        ran = fails("--addr", f"tcp://127.0.0.1:{port}", "--tlscacert", "ca.pem", "du", cwd=folder)
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
    assert "x509: certificate signed by unknown authority" in ran.stdout
    assert "hint: " in ran.stdout


def test_missing_folders_and_files(folder: Path) -> None:
    ran = fails(*BUILD, "--local", "x=missing", cwd=folder)
    assert "error: invalid local: resolve : lstat missing: no such file or directory" in ran.stdout
    assert "hint: --local NAME=DIR needs an existing folder" in ran.stdout
    ran = fails("--tlscacert", "missing.pem", "du", cwd=folder)
    assert "error: could not read ca certificate: open missing.pem: no such file or directory" in ran.stdout


def test_an_unknown_output_type(engine: Engine, folder: Path) -> None:
    ran = fails("--addr", f"docker://{engine.socket}", *BUILD, "--output", "type=nope", cwd=folder)
    assert 'error: failed to solve: exporter "nope" could not be found' in ran.stdout
    assert "hint: --output type=nope is unusual; daemons know image, local, tar, oci, docker" in ran.stdout


def test_no_folder_offered(engine: Engine, folder: Path) -> None:
    ran = fails("--addr", f"docker://{engine.socket}", "build", "--frontend", "dockerfile.v0", cwd=folder)
    assert "no local sources enabled" in ran.stdout
    assert "hint: no folder was offered: add --local context=. --local dockerfile=." in ran.stdout


@contextlib.contextmanager
def small_disk(path: Path) -> Iterator[Path]:
    """A file system of 1 MB."""
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", path], check=True)
    try:
        yield path
    finally:
        subprocess.run(["umount", path], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
@pytest.mark.parametrize("output", ["type=local,dest=small/out", "type=tar,dest=small/out.tar"])
def test_a_full_disk(engine: Engine, folder: Path, output: str) -> None:
    (folder / ".dockerignore").write_text("small\n")
    with small_disk(folder / "small") as disk:
        (disk / "out.tar").write_text("the one before")
        ran = fails("--addr", f"docker://{engine.socket}", *BUILD, "--output", output, cwd=folder)
        assert "no space left on device" in ran.stdout
        files = {str(path.relative_to(disk)) for path in disk.rglob("*") if path.is_file()}
        assert files == {"out.tar"}
        assert (disk / "out.tar").read_text() == "the one before"


@pytest.mark.parametrize(
    "release", [packages.ENGINE_20, packages.ENGINE_26], ids=lambda release: release.name
)
def test_a_daemon_killed_in_the_middle(release: packages.Release, folder: Path) -> None:
    (folder / "Dockerfile").write_text('FROM scratch\nCOPY busybox /\nRUN ["/busybox", "sleep", "60"]\n')
    try:
        engine = Engine(release)
    except UnavailableError as missing:
        pytest.skip(str(missing))
    (folder / "busybox").write_bytes(engine.busybox.read_bytes())
    (folder / "busybox").chmod(0o755)
    arguments = [*BUILD, "--progress", "plain", "--opt", "force-network-mode=none"]
    with engine:
        process = subprocess.Popen(
            [*COMMAND, "--addr", f"docker://{engine.socket}", *arguments, "--output", "type=local,dest=out"],
            cwd=folder,
            env=environment(folder),
            stderr=subprocess.PIPE,
        )
        assert process.stderr is not None
        for line in process.stderr:
            if b"[2/2] RUN" in line:
                break
        engine.kill()
        killed = time.monotonic()
        rest = process.stderr.read().decode()
        assert process.wait() == 1
        process.stderr.close()
    assert time.monotonic() - killed < LIMIT_SECONDS
    assert rest.rstrip().splitlines()[-1].startswith("error: failed to ")
    assert "Unavailable" in rest
    assert not (folder / "out").exists()
