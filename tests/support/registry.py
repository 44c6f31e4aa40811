"""Debian's docker-registry on loopback: open to all, with basic authentication, or with a token server."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import secrets
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from tests.support import packages
from tests.support.token_server import Asked, TokenServer

USER, PASSWORD = "user", "geheim"
_HTPASSWD = f"{USER}:$2b$04$3Bq9u/ngvbBqRNCIQzZKM.ehGqv5DLoZzIqkhQUoJ3Kp2zOd6jsmi\n"
_START_SECONDS = 20


@dataclass(frozen=True)
class Registry:
    """A running registry."""

    host: str
    log: Path


@contextlib.contextmanager
def running_registry(folder: Path, auth: dict[str, dict[str, str]] | None = None) -> Iterator[Registry]:
    """A registry that keeps its things in `folder`; `auth` is that part of its configuration."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = {
        "version": "0.1",
        "log": {"level": "warn"},
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
        "http": {"addr": f"127.0.0.1:{port}"},
        **({"auth": auth} if auth else {}),
    }
    (folder / "config.yml").write_text(json.dumps(config))  # which is YAML too
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [packages.registry(), "serve", folder / "config.yml"], cwd=folder, stdout=output, stderr=output
        )
    try:
        deadline = time.monotonic() + _START_SECONDS
        while not _answers(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"docker-registry does not answer:\n{log.read_text()}")
            time.sleep(0.05)
        yield Registry(f"127.0.0.1:{port}", log)
    finally:
        process.terminate()
        process.wait()


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/v2/")
        connection.getresponse().read()
        return True
    except OSError:
        return False
    finally:
        connection.close()


def basic_auth(folder: Path) -> dict[str, dict[str, str]]:
    """For `running_registry`: one user, `USER` with `PASSWORD`."""
    (folder / "htpasswd").write_text(_HTPASSWD)
    return {"htpasswd": {"realm": "test", "path": str(folder / "htpasswd")}}


def token_auth(folder: Path, server: TokenServer) -> dict[str, dict[str, str]]:
    """For `running_registry`: tokens of `server`, which is made to sign them, and knows `USER`."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "tokens.pem"))
    issued = authority.issue_cert("tokens.example")
    certificate = x509.load_pem_x509_certificate(issued.cert_chain_pems[0].bytes())
    key = serialization.load_pem_private_key(issued.private_key_pem.bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    chain = [base64.b64encode(certificate.public_bytes(serialization.Encoding.DER)).decode()]

    def sign(asked: Asked) -> str:
        now = int(time.time())
        claims = {
            "iss": "tokens",
            "aud": asked.service,
            "sub": asked.user,
            "iat": now,
            "nbf": now - 60,
            "exp": now + 300,
            "jti": secrets.token_hex(8),
            "access": [_access(scope) for scope in asked.scopes] if asked.user else [],
        }
        signed = f"{_part({'typ': 'JWT', 'alg': 'ES256', 'x5c': chain})}.{_part(claims)}"
        numbers = decode_dss_signature(key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        signature = b"".join(number.to_bytes(32, "big") for number in numbers)
        return f"{signed}.{_encoded(signature)}"

    server.sign = sign
    server.accounts[USER] = PASSWORD
    bundle = str(folder / "tokens.pem")
    return {"token": {"realm": server.url, "service": "test", "issuer": "tokens", "rootcertbundle": bundle}}


def _access(scope: str) -> dict[str, object]:
    kind, name, actions = scope.split(":")
    return {"type": kind, "name": name, "actions": actions.split(",")}


def _part(content: object) -> str:
    return _encoded(json.dumps(content).encode())


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
