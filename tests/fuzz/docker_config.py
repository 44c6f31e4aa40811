"""Any config.json and any DOCKER_AUTH_CONFIG are accounts and warnings of one line, and never an exception.

An input is the file, and after a NUL byte the variable.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from buildctl.session.auth.dockerconfig import load_docker_config
from tests.fuzz.driver import Harness, words


def check(data: bytes) -> str:
    file, _, variable = data.partition(b"\0")
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        Path(folder, "config.json").write_bytes(file)
        environ = {
            "DOCKER_CONFIG": folder,
            "DOCKER_AUTH_CONFIG": variable.replace(b"\0", b"").decode("utf-8", "surrogateescape"),
            "PATH": "",
        }
        config = load_docker_config(environ)
    for host in (
        "docker.io",
        "registry.example",
        "registry.example:5000",
        *config.accounts,
        *config.overrides,
    ):
        key = config.key(host)
        assert isinstance(config.helper(key), str)
        for account in (config.account(key), config.overrides.get(key)):
            assert account is None or all(isinstance(text, str) for text in account.login)
    for warning in config.warnings:
        assert warning.encode("utf-8", "surrogateescape")
    return f"{len(config.warnings)} {len(config.accounts)} {len(config.overrides)} {len(config.helpers)}"


HARNESS = Harness(
    "docker_config",
    check,
    lambda: [
        b'{"auths":{"https://index.docker.io/v1/":{"auth":"dTpw"},"registry.example":{"auth":"YTpi\xc3\xa9"}}}',
        b'{"auths":{"registry.example":{"username":"u","password":"p","identitytoken":"t"}},"credsStore":"pass"}',
        b'{"credHelpers":{"registry.example":"ecr","docker.io":1},"HttpHeaders":{"a":"b"}}',
        b'{"auths":{"http://u@registry.example:5000/v1":{"registrytoken":"t"},"http://[":{}}}',
        b'{}\0{"auths":{"registry.example":{"auth":"dTpw"}}}',
    ],
    words=words(
        '{ } [ ] " : , null true 1e999 -0 NaN "\\ud800" "\\u0000" "auths" "auth" "" {"auths": "credHelpers":',
        *(b"\xef\xbb\xbf", b"\xff", b"[" * 3000, b'{"a":' * 3000, b"9" * 5000),
    ),
)
