"""Keys and agents of OpenSSH, as users have them."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.support import packages


def new_key(folder: Path, name: str = "id", kind: str = "ed25519") -> Path:
    """A private key without a passphrase; its public half is beside it."""
    path = folder / name
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", str(path), "-C", name], check=True)
    return path


@contextlib.contextmanager
def running_agent(socket: Path, *keys: Path) -> Iterator[None]:
    """An agent that listens on `socket` and holds the keys."""
    process = subprocess.Popen(["ssh-agent", "-D", "-a", str(socket)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    environ = {"PATH": os.environ["PATH"], "SSH_AUTH_SOCK": str(socket)}
    try:
        for key in keys:
            subprocess.run(["ssh-add", "-q", str(key)], env=environ, check=True)
        yield
    finally:
        process.terminate()
        process.communicate()


def agents_below(folder: Path) -> list[str]:
    """The process ids of agents that were told of a folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            line = process.read_bytes()
            if str(folder).encode() in line and b"ssh-agent" in line:
                found.append(process.parent.name)
    return found


def copy_program(name: str, root: Path) -> None:
    """Put a program of this machine with its libraries into a tree that has none; it lands at the top."""
    program, environ = shutil.which(name), dict(os.environ)
    assert program is not None
    if Path(program).read_bytes()[:2] == b"#!":  # put on PATH by packages.put_openssh_on_path
        unpacked = packages.openssh()
        program, environ["LD_LIBRARY_PATH"] = str(unpacked.tree / "usr" / "bin" / name), unpacked.library_path
    shutil.copy(program, root / name)
    ldd = subprocess.run(["ldd", program], capture_output=True, text=True, check=True, env=environ)
    libraries = ldd.stdout
    for library in re.findall(r"(/\S+) \(0x", libraries):
        target = root / library.removeprefix("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library, target)
