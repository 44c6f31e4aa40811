"""Which daemon is taken where, and that the finding is said."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from buildctl.errors import UsageError
from buildctl.model import address
from buildctl.transport import discovery, engine
from buildctl.transport.discovery import choose_address


@pytest.fixture(autouse=True)
def bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with nothing at the default places; what is there is up to each test."""
    monkeypatch.setattr(discovery, "DEFAULT_ADDRESS", f"unix://{tmp_path}/default.sock")
    monkeypatch.setattr(engine, "DEFAULT_SOCKET", f"{tmp_path}/docker.sock")


def listen(path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))


def test_the_flag_wins(tmp_path: Path) -> None:
    listen(tmp_path / "default.sock")
    choice = choose_address("tcp://a:1", {"BUILDKIT_HOST": "tcp://b:1"})
    assert (choice.address.text, choice.notice) == ("tcp://a:1", "")


def test_an_empty_flag_is_the_default_and_no_search(tmp_path: Path) -> None:
    listen(tmp_path / "docker.sock")
    choice = choose_address("", {"BUILDKIT_HOST": "tcp://b:1", "DOCKER_HOST": "tcp://far:2375"})
    assert (choice.address.path, choice.notice) == ("/run/buildkit/buildkitd.sock", "")


def test_then_the_environment(tmp_path: Path) -> None:
    listen(tmp_path / "default.sock")
    choice = choose_address(None, {"BUILDKIT_HOST": "tcp://b:1"})
    assert (choice.address.text, choice.notice) == ("tcp://b:1", "")
    with pytest.raises(UsageError):
        choose_address(None, {"BUILDKIT_HOST": "://"})


def test_then_the_default_socket(tmp_path: Path) -> None:
    listen(tmp_path / "default.sock")
    listen(tmp_path / "docker.sock")
    choice = choose_address(None, {"BUILDKIT_HOST": "", "XDG_RUNTIME_DIR": str(tmp_path)})
    assert (choice.address.path, choice.notice) == (f"{tmp_path}/default.sock", "")


def test_then_the_rootless_socket(tmp_path: Path) -> None:
    listen(tmp_path / "buildkit" / "buildkitd.sock")
    listen(tmp_path / "docker.sock")
    choice = choose_address(None, {"XDG_RUNTIME_DIR": str(tmp_path)})
    assert choice.address.path == f"{tmp_path}/buildkit/buildkitd.sock"
    assert "rootless buildkitd" in choice.notice


def test_then_the_engine(tmp_path: Path) -> None:
    listen(tmp_path / "docker.sock")
    choice = choose_address(None, {})
    assert choice.address.text == "docker://"
    assert choice.notice == (
        f"{tmp_path}/default.sock does not exist; using the Docker Engine at unix://{tmp_path}/docker.sock"
    )


def test_an_engine_elsewhere() -> None:
    choice = choose_address(None, {"DOCKER_HOST": "tcp://far:2375"})
    assert choice.address.text == "docker://"
    assert "tcp://far:2375" in choice.notice


@pytest.mark.parametrize("host", ["unix:///nonexistent.sock", "fd://", "junk"])
def test_an_engine_that_is_not_there(host: str, tmp_path: Path) -> None:
    choice = choose_address(None, {"DOCKER_HOST": host})
    assert choice.address.path == f"{tmp_path}/default.sock"


@pytest.mark.parametrize(
    ("programs", "chosen"), [(("buildkitd", "dockerd"), "buildkitd"), (("dockerd",), "dockerd")]
)
def test_then_a_daemon_of_its_own(
    tmp_path: Path, programs: tuple[str, ...], chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    for name in programs:
        (tmp_path / name).touch(mode=0o755)
    choice = choose_address(None, {"PATH": str(tmp_path)})
    assert choice.address.text == "daemonless://"
    assert choice.notice == f"{tmp_path}/default.sock does not exist; starting {chosen} for this command"


def test_dockerd_is_no_help_to_a_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    (tmp_path / "dockerd").touch(mode=0o755)
    assert choose_address(None, {"PATH": str(tmp_path)}).address.scheme == "unix"


def test_else_the_default(tmp_path: Path) -> None:
    choice = choose_address(None, {"PATH": ""})
    assert (choice.address.path, choice.notice) == (f"{tmp_path}/default.sock", "")


def test_the_default_is_the_references() -> None:
    assert address.DEFAULT_ADDRESS == "unix:///run/buildkit/buildkitd.sock"
