"""What to do where a socket cannot be opened."""

from __future__ import annotations

import errno
import grp
import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from buildctl.errors import ConnectError
from buildctl.transport.dial import _unix_hint, dial_unix

DENIED = OSError(errno.EACCES, "permission denied")


@pytest.fixture
def path() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as one:
        name = str(Path(folder) / "docker.sock")
        one.bind(name)
        yield name


def test_a_socket_of_a_group(path: str) -> None:
    mine = {os.getegid(), *os.getgroups()}
    other = next((one for one in grp.getgrall() if one.gr_gid and one.gr_gid not in mine), None)
    if os.geteuid() != 0 or other is None:
        pytest.skip("needs root, to give a file to a group")
    os.chown(path, 0, other.gr_gid)
    os.chmod(path, 0o660)
    hint = _unix_hint(DENIED, path)
    assert f"the group {other.gr_name}" in hint
    assert f"sudo usermod -aG {other.gr_name} $USER" in hint
    os.chmod(path, 0o600)
    assert "for root alone" in _unix_hint(DENIED, path)


def test_a_socket_that_cannot_be_looked_at() -> None:
    assert "sudo" in _unix_hint(DENIED, "/nope/buildkitd.sock")


async def test_nobody_listens(path: str) -> None:
    for name, what in ((path, "systemctl start docker"), ("/nope/buildkitd.sock", "start buildkitd")):
        with pytest.raises(ConnectError) as caught:
            await dial_unix(name)
        assert what in caught.value.hint
