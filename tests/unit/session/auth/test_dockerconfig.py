"""Docker's configuration as Docker reads it, and what is wrong with it in words."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest

from buildctl.session.auth.dockerconfig import Account, DockerConfig, load_docker_config

HUB = "https://index.docker.io/v1/"


def auth(user: str, password: str) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}


def load(folder: Path, settings: Any = None, **variables: str) -> DockerConfig:
    if settings is not None:
        text = settings if isinstance(settings, str) else json.dumps(settings)
        (folder / "config.json").write_text(text)
    return load_docker_config({"DOCKER_CONFIG": str(folder), "PATH": str(folder), **variables})


@pytest.mark.parametrize(
    ("entry", "account"),
    [
        (auth("u", "p"), Account("u", "p")),
        (auth("u", "p:q"), Account("u", "p:q")),
        (auth("u", "p\0\0"), Account("u", "p")),
        (auth("u", ""), Account("u", "")),
        (auth("u", "p") | {"identitytoken": "t"}, Account("u", "p", identity_token="t")),
        ({"registrytoken": "r"}, Account(registry_token="r")),
        ({"username": "u", "password": "p"}, Account("u", "p")),
        ({"Auth": auth("u", "p")["auth"], "IdentityToken": "t"}, Account("u", "p", identity_token="t")),
        ({}, Account()),
    ],
)
def test_an_entry(tmp_path: Path, entry: dict[str, str], account: Account) -> None:
    config = load(tmp_path, {"auths": {"r.example": entry}})
    assert config.account("r.example") == account
    assert config.warnings == ()


@pytest.mark.parametrize(
    ("entered", "host"),
    [
        ("r.example", "r.example"),
        ("r.example:5000", "r.example:5000"),
        ("https://r.example", "r.example"),
        ("https://r.example/v1/", "r.example"),
        ("http://r.example:5000/v2/x", "r.example:5000"),
        ("r.example/v1/", "r.example"),
        ("HTTPS://r.example:443/", "r.example:443"),
        ("https://r.example:/v2/", "r.example"),
        ("https://u:p@r.example/v1/", "r.example"),
        ("https://[::1]:5000/v1/", "[::1]:5000"),
        ("http://[::1]/", "::1"),
        ("https://r.example?x=1", "r.example"),
        (HUB, "docker.io"),
        (HUB, "index.docker.io"),
        (HUB, "registry-1.docker.io"),
    ],
)
def test_how_a_host_is_entered(tmp_path: Path, entered: str, host: str) -> None:
    config = load(tmp_path, {"auths": {entered: auth("u", "p"), "other.example": auth("x", "y")}})
    assert config.account(config.key(host)) == Account("u", "p")


@pytest.mark.parametrize(("entered", "host"), [("r.example:1", "r.example"), ("r.example", "r.example:1")])
def test_a_port_is_part_of_a_host(tmp_path: Path, entered: str, host: str) -> None:
    config = load(tmp_path, {"auths": {entered: auth("u", "p")}})
    assert config.account(config.key(host)) == Account()


def test_an_exact_entry_goes_first(tmp_path: Path) -> None:
    entries = {"https://r.example/v1/": auth("old", "o"), "r.example": auth("new", "n")}
    assert load(tmp_path, {"auths": entries}).account("r.example") == Account("new", "n")


ENTRY = json.dumps(auth("u", "p"))


@pytest.mark.parametrize(
    "text",
    [
        f'{{"auths":{{"r":{ENTRY}}}}} trailing',
        f'{{"auths":{{"r":{ENTRY}}}}}{{"auths":{{"r":{{}}}}}}',
        f'\ufeff{{"auths":{{"r":{ENTRY}}}}}',
        f' \r\n\t{{"AUTHS":{{"r":{ENTRY}}}}}',
        f'{{"auths":{{"r":{{"auth":"eDp5"}}}},"auths":{{"r":{ENTRY}}}}}',  # the last one counts
        f'{{"auths":{{"r":{ENTRY}}},"Auths":{{"s":{{"auth":"eDp5"}}}}}}',  # both count
        f'{{"auths":{{"r":{{"auth":"eDp5"}},"r":{ENTRY}}}}}',
        f'{{"auths":null,"auths":{{"r":{ENTRY}}}}}',
        f'{{"auths":{{"r":{ENTRY},"s":null}},"credsStore":null,"credHelpers":null}}',
        '{"auths":{"r":{"auth":"dTpw","auth":null,"email":1}}}',
        '{"auths":{"r":{"auth":"eDp5","Auth":"dTpw"}}}',
        f'{{"auths":{{"r":{ENTRY}}},"new":[{{"x":1e999}}],"big":{"9" * 5000}}}',
        f'{{"auths":{{"r":{ENTRY}}},"s":"\\ud800"}}',
    ],
)
def test_what_the_reader_of_go_forgives(tmp_path: Path, text: str) -> None:
    config = load(tmp_path, text)
    assert config.warnings == ()
    assert config.account("r") == Account("u", "p")


@pytest.mark.parametrize(
    ("encoded", "account"),
    [
        ("dTpw", Account("u", "p")),
        ("dT\npw", Account("u", "p")),
        ("dTpw\r\n", Account("u", "p")),
        ("\ndTpw\n\n", Account("u", "p")),
        (" dT pw\t", Account("u", "p")),
        ("dTpwcQ=\n=", Account("u", "pq")),
        ("dTpwcR==", Account("u", "pq")),  # bits that are left over
        ("dToAcAAA", Account("u", "p")),
        ("dTrDqQ==", Account("u", "é")),
        ("dTrp", Account("u", "\udce9")),  # Latin-1
    ],
)
def test_base64(tmp_path: Path, encoded: str, account: Account) -> None:
    config = load(tmp_path, {"auths": {"r": {"auth": encoded}}})
    assert (config.account("r"), config.warnings) == (account, ())


@pytest.mark.parametrize("encoded", ["dTpwcQ", "dTpwcQ=", "dT-w", "dTpw!", "dTpé"])
def test_what_is_not_base64(tmp_path: Path, encoded: str) -> None:
    (warning,) = load(tmp_path, {"auths": {"r": {"auth": encoded}}}).warnings
    assert "auth is not base64" in warning


def test_bytes_that_are_not_utf8_spoil_nothing(tmp_path: Path) -> None:
    text = b'{"auths":{"r":' + ENTRY.encode() + b'},"psFormat":"\xff"}'
    (tmp_path / "config.json").write_bytes(text)
    assert load(tmp_path).account("r") == Account("u", "p")
    (tmp_path / "config.json").write_bytes(text.decode("latin-1").encode("utf-16"))
    (warning,) = load(tmp_path).warnings
    assert "it is UTF-16; save it as UTF-8" in warning


def test_helpers(tmp_path: Path) -> None:
    config = load(tmp_path, {"credsStore": "desktop", "credHelpers": {"a.example": "ecr", "b.example": ""}})
    assert config.helper("a.example") == "docker-credential-ecr"
    assert config.helper("b.example") == ""
    assert config.helper("c.example") == "docker-credential-desktop"


def test_the_platforms_store_where_nothing_is_configured(tmp_path: Path) -> None:
    def install(name: str) -> None:
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)

    assert load(tmp_path).helper("r") == ""
    install("docker-credential-pass")
    assert load(tmp_path).helper("r") == ""  # without pass(1) itself
    install("docker-credential-secretservice")
    assert load(tmp_path).helper("r") == "docker-credential-secretservice"
    install("pass")
    assert load(tmp_path).helper("r") == "docker-credential-pass"
    assert load(tmp_path, {"auths": {"r": auth("u", "p")}}).helper("r") == ""


@pytest.mark.parametrize(
    "text", ["", " \n", "{}", '{"auths": null}', '{"credsStore": null, "psFormat": 1}', "{} trailing"]
)
def test_nothing_in_it(tmp_path: Path, text: str) -> None:
    config = load(tmp_path, text)
    assert (config.account("r"), config.helper("r"), config.warnings) == (Account(), "", ())


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        ("[]", "it is not a JSON object"),
        ("x", "Expecting value: line 1 column 1 (char 0)"),
        ('{"auths": }', "Expecting value: line 1 column 11 (char 10)"),
    ],
)
def test_what_is_no_configuration(tmp_path: Path, text: str, reason: str) -> None:
    """As Python's json says it."""
    path = tmp_path / "config.json"
    assert load(tmp_path, text).warnings == (f"WARNING: Error parsing config file ({path}): {reason}",)


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        ({"auths": []}, "auths is not a JSON object"),
        ({"Auths": "r"}, "Auths is not a JSON object"),
        ({"credHelpers": ["pass"]}, "credHelpers is not a JSON object"),
        ({"credsStore": {"r": "pass"}}, "credsStore is not a string"),
    ],
)
def test_a_setting_of_another_kind_is_told(tmp_path: Path, setting: dict[str, Any], reason: str) -> None:
    config = load(tmp_path, setting)
    path = tmp_path / "config.json"
    assert config.warnings == (f"WARNING: Error parsing config file ({path}): {reason}",)
    assert (config.account("r"), config.helper("r")) == (Account(), "")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("!", "auth is not base64"),
        (base64.b64encode(b"nobody").decode(), "invalid auth configuration file"),
        (base64.b64encode(b":p").decode(), "invalid auth configuration file"),
    ],
)
def test_a_bad_entry_does_not_spoil_the_others(tmp_path: Path, value: str, reason: str) -> None:
    config = load(tmp_path, {"auths": {"bad": {"auth": value}, "good": auth("u", "p")}})
    (warning,) = config.warnings
    assert reason in warning
    assert config.account("bad") == Account()
    assert config.account("good") == Account("u", "p")


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "config.json").mkdir()
    path = tmp_path / "config.json"
    assert load(tmp_path).warnings == (f"WARNING: Error loading config file: open {path}: is a directory",)
    path.rmdir()
    os.mkfifo(path)
    (warning,) = load(tmp_path).warnings
    assert warning.endswith("it is not a regular file")
    path.unlink()
    path.symlink_to("/dev/zero")
    (warning,) = load(tmp_path).warnings
    assert warning.endswith("it is not a regular file")
    path.unlink()
    with path.open("wb") as file:
        file.truncate((16 << 20) + 1)
    (warning,) = load(tmp_path).warnings
    assert warning.endswith("it has more than 16777216 bytes, the most that is read of it")


def test_a_link_to_it_as_clusters_mount_secrets(tmp_path: Path) -> None:
    (tmp_path / "..data").mkdir()
    (tmp_path / "..data" / "config.json").write_text(json.dumps({"auths": {"r": auth("u", "p")}}))
    (tmp_path / "config.json").symlink_to("..data/config.json")
    assert load(tmp_path).account("r") == Account("u", "p")


def test_where_it_is_looked_for(tmp_path: Path) -> None:
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker" / "config.json").write_text(json.dumps({"auths": {"r": auth("home", "p")}}))
    assert load_docker_config({"HOME": str(tmp_path)}).account("r") == Account("home", "p")
    assert load_docker_config({"HOME": str(tmp_path), "DOCKER_CONFIG": ""}).account("r").username == "home"
    assert (
        load_docker_config({"HOME": str(tmp_path), "DOCKER_CONFIG": "/nonexistent"}).account("r") == Account()
    )
    assert load_docker_config({}).directory == os.path.expanduser("~root/.docker") or os.getuid()


class TestOverrides:
    """DOCKER_AUTH_CONFIG."""

    def test_it_goes_first(self, tmp_path: Path) -> None:
        text = json.dumps({"auths": {"r.example": auth("env", "e"), HUB: auth("hub", "h")}})
        config = load(tmp_path, {"auths": {"r.example": auth("file", "f")}}, DOCKER_AUTH_CONFIG=text)
        assert config.overrides == {"r.example": Account("env", "e"), HUB: Account("hub", "h")}
        assert config.warnings == ()

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("{", "Expecting property name"),
            ("[]", "it has more than auths"),
            ('{"auths": {}, "credsStore": "x"}', "it has more than auths"),
            ('{"auths": {"r": {"username": "u"}}}', "the entry for r has more than auth"),
            (
                '{"auths": {"r": {}}}',
                "DOCKER_AUTH_CONFIG environment variable is missing key `auth` for r",
            ),
            ('{"auths": {"r": {"auth": "eA=="}}}', "invalid auth configuration file"),
            ('{"auths": {}} {}', "extra data"),
        ],
    )
    def test_what_is_wrong_with_it(self, tmp_path: Path, text: str, reason: str) -> None:
        config = load(tmp_path, DOCKER_AUTH_CONFIG=text)
        assert config.overrides == {}
        (warning,) = config.warnings
        assert warning.startswith("Failed to create credential store from DOCKER_AUTH_CONFIG:  ")
        assert reason in warning


def test_secrets_are_not_shown() -> None:
    assert "p4ss" not in repr(Account("u", "p4ss", "p4ss", "p4ss"))
