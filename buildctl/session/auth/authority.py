"""Keys by which a daemon knows this user again, so that it may use a token of an earlier session.

The key for a registry follows from a seed that is kept beside Docker's configuration and from the daemon's
salt: the daemon can neither choose nor guess it. Source: authprovider/tokenseed.go of the reference.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import fcntl
import hmac
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from buildctl.model import gojson
from buildctl.system.beside import replace_file
from buildctl.system.folders import make_private

if TYPE_CHECKING:
    from nacl.signing import SigningKey

_SEED_BYTES = 16


def public_key(salt: bytes, seed: bytes) -> bytes:
    """The Ed25519 key that signatures made with the same salt and seed are checked with."""
    return bytes(_key(salt, seed).verify_key)


def sign(payload: bytes, salt: bytes, seed: bytes) -> bytes:
    """The payload behind its signature, as NaCl's crypto_sign puts them."""
    return bytes(_key(salt, seed).sign(payload))


def _key(salt: bytes, seed: bytes) -> SigningKey:
    from nacl.signing import SigningKey  # slow to load, and few registries ask for it

    return SigningKey(hmac.digest(salt, seed, "sha256"))


class Seeds:
    """The seeds in a folder, by host; blocking. Where they cannot be kept they last as long as this."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._known: dict[str, bytes] = {}

    def seed(self, host: str) -> bytes:
        """The host's seed, made when it has none."""
        if host not in self._known:
            with contextlib.suppress(OSError):
                make_private(self._folder)
            path = os.path.join(self._folder, ".token_seed")
            with _locked(path + ".lock"):
                kept = _read(path)
                self._known[host] = _seed_of(kept.get(host)) or secrets.token_bytes(_SEED_BYTES)
                kept[host] = {"Seed": base64.b64encode(self._known[host]).decode()}
                with contextlib.suppress(OSError):  # a read-only home
                    _write(path, gojson.encode(dict(sorted(kept.items())), indent=2))
        return self._known[host]


@contextlib.contextmanager
def _locked(path: str) -> Iterator[None]:
    """Under the reference's lock, where there can be one."""
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError:
        yield
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _read(path: str) -> dict[str, Any]:
    """All seeds; none of a file that is missing or was left half written."""
    try:
        with open(path, "rb") as file:
            kept = json.load(file)
    except (OSError, ValueError):
        return {}
    return kept if isinstance(kept, dict) else {}


def _seed_of(entry: object) -> bytes:
    seed = entry.get("Seed") if isinstance(entry, Mapping) else None
    try:
        return base64.b64decode(seed, validate=True) if isinstance(seed, str) else b""
    except binascii.Error:
        return b""


def _write(path: str, data: bytes) -> None:
    replace_file(os.path.realpath(path), [data], 0o600)
