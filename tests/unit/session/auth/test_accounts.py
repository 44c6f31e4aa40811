"""Accounts from helpers, which are real executables, and how long they count."""

from __future__ import annotations

import asyncio
import json
import os
import time
from pathlib import Path

import pytest

from buildctl.errors import BuildctlError
from buildctl.session.auth.accounts import Accounts
from buildctl.session.auth.dockerconfig import Account, DockerConfig

HUB = "https://index.docker.io/v1/"


class Helpers:
    """A folder on PATH with credential helpers that note what they are asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "log"
        self.environ = {"PATH": f"{folder}:{os.environ['PATH']}", "LOG": str(self.log)}

    def add(self, name: str, script: str) -> None:
        path = self.folder / f"docker-credential-{name}"
        path.write_text(f'#!/bin/sh\nkey=$(cat)\necho "$1 $key" >> "$LOG"\n{script}\n')
        path.chmod(0o755)

    def accounts(self, *, seconds: float = 10, **config: object) -> Accounts:
        settings = DockerConfig(str(self.folder), **config)  # type: ignore[arg-type]
        return Accounts(settings, self.environ, helper_seconds=seconds)

    @property
    def asked(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []


@pytest.fixture
def helpers(tmp_path: Path) -> Helpers:
    return Helpers(tmp_path)


def says(**answer: str) -> str:
    return f"echo '{json.dumps(answer)}'"


async def test_a_helper_is_asked_by_docker_s_rules(helpers: Helpers) -> None:
    helpers.add("all", says(ServerURL="x", Username="u", Secret="s"))
    helpers.add("hub", says(Username="<token>", Secret="t"))
    accounts = helpers.accounts(store="all", helpers={HUB: "hub"})
    assert await accounts.find("r.example:5000") == Account("u", "s")
    assert await accounts.find("registry-1.docker.io") == Account(identity_token="t")
    assert helpers.asked == ["get r.example:5000", f"get {HUB}"]


async def test_what_it_says_is_kept(helpers: Helpers) -> None:
    helpers.add("all", says(Username="u", Secret="s"))
    accounts = helpers.accounts(store="all")
    await asyncio.gather(*(accounts.find(host) for host in ("a", "b", "a", "a")))
    assert sorted(helpers.asked) == ["get a", "get b"]


async def test_it_counts_for_five_minutes_less_a_little(
    helpers: Helpers, monkeypatch: pytest.MonkeyPatch
) -> None:
    helpers.add("all", says(Username="u", Secret="s"))
    accounts = helpers.accounts(store="all")
    loop = asyncio.get_running_loop()
    started = loop.time()
    for passed, count in ((0, 1), (289, 1), (291, 2), (500, 2), (582, 3)):
        monkeypatch.setattr(loop, "time", lambda passed=passed: started + passed)
        await accounts.find("a")
        monkeypatch.undo()
        assert len(helpers.asked) == count


async def test_the_order_of_sources(helpers: Helpers) -> None:
    helpers.add("all", says(Username="helper", Secret="s"))
    accounts = helpers.accounts(
        store="all",
        helpers={"file.example": ""},
        accounts={
            "file.example": Account("file", "f"),
            "both.example": Account("file", "f", registry_token="r"),
        },
        overrides={"env.example": Account("env", "e")},
    )
    assert await accounts.find("env.example") == Account("env", "e")
    assert await accounts.find("file.example") == Account("file", "f")
    assert await accounts.find("both.example") == Account("helper", "s", registry_token="r")


async def test_a_helper_that_knows_nothing(helpers: Helpers) -> None:
    helpers.add("all", "echo credentials not found in native keychain; exit 1")
    assert await helpers.accounts(store="all").find("a") == Account()


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo locked; exit 3", "docker-credential-bad: exit status 3, out: `locked`"),
        ("exit 1", "docker-credential-bad: exit status 1, out: ``"),
        (
            "echo hello",
            "docker-credential-bad: its answer is no JSON object with Username and Secret, out: ``",
        ),
        (
            "echo '[]'",
            "docker-credential-bad: its answer is no JSON object with Username and Secret, out: ``",
        ),
        (
            "echo '{\"Username\": 1}'",
            "docker-credential-bad: its answer is no JSON object with Username and Secret, out: ``",
        ),
    ],
)
async def test_a_helper_that_fails_is_named(helpers: Helpers, script: str, message: str) -> None:
    helpers.add("bad", script)
    with pytest.raises(BuildctlError) as caught:
        await helpers.accounts(store="bad").find("a")
    assert str(caught.value) == f"error getting credentials - err: {message}"


async def test_a_helper_that_is_missing_or_cannot_be_run(helpers: Helpers) -> None:
    with pytest.raises(BuildctlError) as caught:
        await helpers.accounts(store="gone").find("a")
    reason = 'exec: "docker-credential-gone": executable file not found in $PATH'
    assert str(caught.value) == f"error getting credentials - err: {reason}, out: ``"
    (helpers.folder / "docker-credential-flat").write_text("no program")
    (helpers.folder / "docker-credential-flat").chmod(0o755)
    with pytest.raises(BuildctlError, match="fork/exec docker-credential-flat: exec format error"):
        await helpers.accounts(store="flat").find("a")


async def test_a_helper_that_hangs_is_ended_and_named(helpers: Helpers) -> None:
    helpers.add("slow", 'echo $$ > "$LOG.pid"; exec sleep 60')
    started = time.monotonic()
    with pytest.raises(BuildctlError, match="docker-credential-slow did not answer within 0.3 seconds"):
        await helpers.accounts(store="slow", seconds=0.3).find("a")
    assert time.monotonic() - started < 5
    pid = int((helpers.folder / "log.pid").read_text())
    async with asyncio.timeout(5):
        while Path(f"/proc/{pid}").exists():
            await asyncio.sleep(0.02)


async def test_a_failure_is_not_kept(helpers: Helpers) -> None:
    helpers.add("all", "exit 1")
    accounts = helpers.accounts(store="all")
    with pytest.raises(BuildctlError):
        await accounts.find("a")
    helpers.add("all", says(Username="u", Secret="s"))
    assert await accounts.find("a") == Account("u", "s")


async def test_a_flood_of_hosts_is_forgotten_and_accounts_are_not(helpers: Helpers) -> None:
    helpers.add("some", f"case $key in real*) {says(Username='u', Secret='s')};; *) echo '{{}}';; esac")
    accounts = helpers.accounts(store="some")
    assert await accounts.find("real") == Account("u", "s")
    for number in range(140):
        assert await accounts.find(f"no{number}") == Account()
    assert len(helpers.asked) == 141
    assert await accounts.find("real") == Account("u", "s")
    assert await accounts.find("no139") == Account()
    assert len(helpers.asked) == 141
    assert (len(accounts._known), len(accounts._nobody)) == (1, 128)


async def test_hosts_that_no_helper_is_asked_for_are_not_kept(helpers: Helpers) -> None:
    accounts = helpers.accounts(accounts={"real": Account("u", "s")})
    for number in range(1000):
        await accounts.find(f"no{number}")
    assert await accounts.find("real") == Account("u", "s")
    assert (len(accounts._known), len(accounts._nobody)) == (1, 0)
