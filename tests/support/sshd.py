"""Debian's OpenSSH server on loopback, and a client that reaches it without a question.

The server lives in namespaces of its own, where a private /run has the folder that it wants there and a
private /etc/passwd the user it drops its privileges to. It dies with the tests, and nothing of it is left.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support import packages
from tests.support.debian import UnavailableError

_START_SECONDS = 20
_SECLUDED = """
set -e
mount --no-mtab -t tmpfs private /run
mkdir -m 755 /run/sshd
cp /etc/passwd /run/passwd
grep -q ^sshd: /run/passwd || echo 'sshd:x:65533:65534::/run/sshd:/usr/sbin/nologin' >>/run/passwd
mount --no-mtab --bind /run/passwd /etc/passwd
exec "$@"
"""
_ALONE = ("setpriv", "--pdeathsig", "KILL")
_NAMESPACES = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")


@dataclass(frozen=True, slots=True)
class Host:
    """A host that root may log in to."""

    port: int
    path: str
    """The folder with an `ssh` that knows the host and has a key for it; it notes its arguments beside."""

    @property
    def asked(self) -> list[str]:
        """The command lines that `ssh` was given."""
        return Path(self.path, "asked").read_text().splitlines()


@contextlib.contextmanager
def ssh_host(folder: Path, remote_path: str) -> Iterator[Host]:
    """A host on which `remote_path` is PATH; keys and settings lie in `folder`, which only root may write."""
    if os.geteuid() != 0:
        raise UnavailableError("an SSH server for tests needs root")
    programs = packages.openssh()
    environ = {
        "PATH": f"{programs.path}:/usr/sbin:/usr/bin:/sbin:/bin",
        "LD_LIBRARY_PATH": programs.library_path,
    }
    for name in ("host_key", "key"):
        keygen = ("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name))
        subprocess.run(keygen, check=True, env=environ)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    config = folder / "sshd_config"
    config.write_text(_server_config(folder, port, remote_path, programs))
    sshd = (str(programs.tree / "usr/sbin/sshd"), "-D", "-e", "-f", str(config))
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [*_ALONE, *_NAMESPACES, "sh", "-c", _SECLUDED, "sh", *sshd],
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        _wait_for(port, server, folder / "log")
        yield Host(port, str(_client(folder, port, programs)))
    finally:
        server.kill()  # the namespace's first process takes all others with it
        server.wait()


def _server_config(folder: Path, port: int, remote_path: str, programs: packages.Programs) -> str:
    lines = [f"Port {port}", "ListenAddress 127.0.0.1", f"HostKey {folder}/host_key", "PidFile none"]
    lines += [f"AuthorizedKeysFile {folder}/key.pub", "StrictModes no", "UsePAM no", "PermitRootLogin yes"]
    lines += [f"SetEnv PATH={remote_path}"]
    for option, name in (("SshdSessionPath", "sshd-session"), ("SshdAuthPath", "sshd-auth")):
        program = programs.tree / "usr/lib/openssh" / name
        if program.exists():  # OpenSSH 9.8 and later have taken sshd apart
            lines.append(f"{option} {program}")
    return "\n".join([*lines, ""])


def _client(folder: Path, port: int, programs: packages.Programs) -> Path:
    """ssh reads no variable for its settings, so it is given them by a script of its name."""
    key = (folder / "host_key.pub").read_text()
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {key}")
    options = f"-F none -i {folder}/key -o UserKnownHostsFile={folder}/known_hosts -o BatchMode=yes"
    client = folder / "client"
    client.mkdir()
    script = client / "ssh"
    script.write_text(
        f'#!/bin/sh\necho "$@" >>{client}/asked\n'
        f'export LD_LIBRARY_PATH={programs.library_path}\nexec {programs.tree}/usr/bin/ssh {options} "$@"\n'
    )
    script.chmod(0o755)
    return client


def _wait_for(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        if server.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"sshd does not answer; it said:\n{log.read_text(errors='replace')}")
        time.sleep(0.05)
