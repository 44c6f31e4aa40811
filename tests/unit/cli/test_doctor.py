"""What `doctor` says of this machine, and of a daemon that is not there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from buildctl.cli.doctor.finding import Verdict
from buildctl.cli.doctor.machine import examine_network, examine_registries
from tests.support.program import run


def test_without_a_daemon_the_rest_is_looked_at(tmp_path: Path) -> None:
    ran = run("--addr", "unix:///nowhere", "doctor", "--format", "json", cwd=tmp_path)
    assert ran.exit == 1
    assert ran.stderr == "error: 1 thing would make builds fail\n"
    found = json.loads(ran.stdout)
    assert [one["name"] for one in found if one["verdict"] == "error"] == ["connection"]
    assert {one["area"] for one in found} == {"daemon", "registry", "here"}


def test_a_format_that_does_not_exist(tmp_path: Path) -> None:
    assert run("doctor", "--format", "xml", cwd=tmp_path).stderr == 'error: invalid format "xml"\n'


def test_accounts(tmp_path: Path) -> None:
    config = {
        "auths": {"registry.example": {"auth": "dTpw"}},
        "credHelpers": {"ghcr.io": "nosuch"},
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    found = list(examine_registries({"DOCKER_CONFIG": str(tmp_path), "PATH": str(tmp_path)}))
    values = {one.value: one.verdict for one in found}
    assert values["registry.example: in the file"] is Verdict.OK
    assert values["ghcr.io: docker-credential-nosuch (not found)"] is Verdict.ERROR


def test_a_configuration_that_is_broken(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{")
    found = list(examine_registries({"DOCKER_CONFIG": str(tmp_path)}))
    assert any(one.verdict is Verdict.WARNING for one in found)


@pytest.mark.parametrize(
    ("variables", "endpoint", "said"),
    [
        ({}, "builder:1234", "of builder:1234: none"),
        ({"HTTPS_PROXY": "http://u:p@proxy:3128"}, "builder:1234", "of builder:1234: by HTTPS_PROXY"),
        (
            {"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": "builder"},
            "builder:1234",
            "of builder:1234: none",
        ),
        ({"HTTP_PROXY": "http://proxy:3128"}, "", "not used: the daemon is not reached by TCP"),
    ],
)
def test_proxies(variables: dict[str, str], endpoint: str, said: str) -> None:
    found = list(examine_network(variables, endpoint))
    assert found[-1].value == said
    assert "u:p" not in "".join(one.value + one.advice for one in found)
