"""Registries that want to know who pushes and pulls: basic authentication, tokens, helpers; real ones."""

from __future__ import annotations

import base64
import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.engines import Engine
from tests.support.program import Ran, run
from tests.support.registry import PASSWORD, USER, Registry, basic_auth, running_registry, token_auth
from tests.support.token_server import TokenServer, token_server

pytestmark = pytest.mark.daemon


@pytest.fixture
def folder(tmp_path: Path, engine_26: Engine) -> Path:
    shutil.copy(engine_26.busybox, tmp_path / "busybox")
    return tmp_path


@pytest.fixture
def basic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    home = tmp_path_factory.mktemp("registry")
    with running_registry(home, basic_auth(home)) as registry:
        yield registry


@pytest.fixture
def tokens() -> Iterator[TokenServer]:
    with token_server() as server:
        yield server


@pytest.fixture
def guarded(tmp_path_factory: pytest.TempPathFactory, tokens: TokenServer) -> Iterator[Registry]:
    home = tmp_path_factory.mktemp("registry")
    with running_registry(home, token_auth(home, tokens)) as registry:
        yield registry


def build(engine: Engine, folder: Path, *flags: str, base: str = "scratch", **variables: str) -> Ran:
    lines = [f"FROM {base}", "COPY busybox /", f'RUN ["/busybox", "echo", "{time.time_ns()}"]', ""]
    (folder / "Dockerfile").write_text("\n".join(lines))
    local = ["--local", "context=.", "--local", "dockerfile=.", "--opt", "force-network-mode=none"]
    return run(
        *("--addr", f"docker://{engine.socket}", "build", "--frontend", "dockerfile.v0", *local),
        *("--progress=plain", *flags),
        cwd=folder,
        variables={"DOCKER_CONFIG": str(folder), **variables},
    )


def log_in(folder: Path, registry: Registry, password: str = PASSWORD) -> None:
    auth = base64.encodebytes(f"{USER}:{password}".encode()).decode()  # with a line break, as base64(1)
    (folder / "config.json").write_text(json.dumps({"auths": {registry.host: {"auth": auth}}}))


def pushed(registry: Registry) -> tuple[str, str]:
    return "-o", f"type=image,name={registry.host}/team/app:1,push=true"


def succeeded(ran: Ran) -> str:
    assert ran.exit == 0, ran.stderr
    return ran.stderr


def test_basic_authentication(engine_26: Engine, folder: Path, basic: Registry) -> None:
    log_in(folder, basic)
    said = succeeded(build(engine_26, folder, *pushed(basic)))
    assert f"[auth] sharing credentials for {basic.host}" in said
    succeeded(build(engine_26, folder, base=f"{basic.host}/team/app:1"))


@pytest.mark.parametrize("password", ["", "wrong"])
def test_wrong_credentials(engine_26: Engine, folder: Path, basic: Registry, password: str) -> None:
    if password:
        log_in(folder, basic, password)
    ran = build(engine_26, folder, *pushed(basic))
    assert ran.exit == 1
    assert "401 Unauthorized" in ran.stderr.splitlines()[-1]


def test_a_credential_helper(engine_26: Engine, folder: Path, basic: Registry) -> None:
    (folder / "config.json").write_text(json.dumps({"credHelpers": {basic.host: "test"}}))
    helper = folder / "docker-credential-test"
    answer = json.dumps({"ServerURL": basic.host, "Username": USER, "Secret": PASSWORD})
    helper.write_text(f"#!/bin/sh\ncat >> '{folder}/asked'; echo >> '{folder}/asked'; echo '{answer}'\n")
    helper.chmod(0o755)
    succeeded(build(engine_26, folder, *pushed(basic), PATH=f"{folder}:/usr/bin:/bin"))
    assert (folder / "asked").read_text().splitlines() == [basic.host]
    helper.write_text("#!/bin/sh\necho the keyring is locked\nexit 2\n")
    ran = build(engine_26, folder, *pushed(basic), PATH=f"{folder}:/usr/bin:/bin")
    assert ran.exit == 1
    assert "docker-credential-test: exit status 2, out: `the keyring is locked`" in ran.stderr


def test_tokens(engine_26: Engine, folder: Path, guarded: Registry, tokens: TokenServer) -> None:
    log_in(folder, guarded)
    said = succeeded(build(engine_26, folder, *pushed(guarded)))
    assert f"[auth] team/app:pull,push token for {guarded.host}" in said
    assert "sharing credentials" not in said
    assert {asked.user for asked in tokens.asked} == {USER}
    assert len({asked.scopes for asked in tokens.asked}) == len(tokens.asked)
    succeeded(build(engine_26, folder, base=f"{guarded.host}/team/app:1"))


def test_a_cache_behind_tokens(
    engine_26: Engine, folder: Path, guarded: Registry, tokens: TokenServer
) -> None:
    log_in(folder, guarded)
    ref = f"type=registry,ref={guarded.host}/team/cache"
    succeeded(build(engine_26, folder, "--export-cache", f"{ref},mode=max"))
    assert f"importing cache manifest from {guarded.host}/team/cache" in succeeded(
        build(engine_26, folder, "--import-cache", ref)
    )
    scopes = [asked.scopes for asked in tokens.asked]
    assert ("repository:team/cache:pull,push",) in scopes


def test_wrong_credentials_for_a_token(engine_26: Engine, folder: Path, guarded: Registry) -> None:
    log_in(folder, guarded, "wrong")
    ran = build(engine_26, folder, *pushed(guarded))
    assert ran.exit == 1
    assert "401 Unauthorized: unauthorized: authentication required - no such user" in ran.stderr


def test_an_old_engine_pulls_with_credentials(
    engine_20: Engine, engine_26: Engine, folder: Path, basic: Registry
) -> None:
    log_in(folder, basic)
    succeeded(build(engine_26, folder, *pushed(basic)))
    succeeded(build(engine_20, folder, base=f"{basic.host}/team/app:1"))
    (folder / "config.json").unlink()
    assert build(engine_20, folder, base=f"{basic.host}/team/app:1").exit == 1


def test_only_registries_that_are_named_get_an_account(
    engine_26: Engine, folder: Path, basic: Registry
) -> None:
    log_in(folder, basic)
    refused = build(engine_26, folder, *pushed(basic), "--registry-auth-hosts", "none")
    assert refused.exit == 1
    assert f"{basic.host}: the daemon asked for an account" in refused.stderr
    assert "sharing credentials" not in refused.stderr
    succeeded(build(engine_26, folder, *pushed(basic), "--registry-auth-hosts", "auto"))
    base = f"{basic.host}/team/app:1"
    succeeded(build(engine_26, folder, "--registry-auth-hosts=auto", base=base))
    succeeded(build(engine_26, folder, f"--registry-auth-hosts=x.example,{basic.host}", base=base))
