"""A host's keys are what ssh-keyscan says of them."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from buildctl import ConnectError, llb


def keyscan(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    program = folder / "ssh-keyscan"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


async def test_lines_are_those_of_a_known_hosts_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keyscan(
        tmp_path,
        'echo "# $*"; echo "h ssh-rsa B"; echo "h ssh-ed25519 A"; echo "$*" >"${0%/*}/asked"',
        monkeypatch,
    )
    assert await llb.scan_ssh_host("-h", port=2222) == ["h ssh-ed25519 A", "h ssh-rsa B"]
    assert (tmp_path / "asked").read_text() == "-T 10 -p 2222 -- -h\n"


async def test_no_answer_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keyscan(tmp_path, "exit 1", monkeypatch)
    with pytest.raises(ConnectError, match="no SSH host answered at there:22"):
        await llb.scan_ssh_host("there")


async def test_without_the_program_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConnectError, match="ssh-keyscan was not found"):
        await llb.scan_ssh_host("there")


async def test_who_gives_up_leaves_no_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keyscan(tmp_path, 'echo $$ >"${0%/*}/pid"; exec sleep 60', monkeypatch)
    task = asyncio.create_task(llb.scan_ssh_host("there"))
    while not ((tmp_path / "pid").exists() and (tmp_path / "pid").read_text().strip()):
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)
