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
from buildctl.session.auth.recent import Recent
from buildctl.system.beside import replace_file
from buildctl.system.folders import make_private
from buildctl.system.smallfile import read_found

if TYPE_CHECKING:
    from nacl.signing import SigningKey

_SEED_BYTES = 16
_LONGEST_SEED = 1024
_MOST_HOSTS = 1000
_LONGEST_HOST = 300
_MOST_BYTES = 4 << 20


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
        self._known: Recent[str, bytes] = Recent(_MOST_HOSTS)

    def seed(self, host: str) -> bytes:
        """The host's seed, made when it has none."""
        seed = self._known.get(host)
        if seed is None:
            with contextlib.suppress(OSError):
                make_private(self._folder)
            path = os.path.join(self._folder, ".token_seed")
            with _locked(path + ".lock"):
                kept = _read(path)
                seed = _seed_of(kept.get(host))
                if not seed:
                    seed = secrets.token_bytes(_SEED_BYTES)
                    while len(kept) >= _MOST_HOSTS:
                        del kept[next(iter(kept))]
                    kept[host] = {"Seed": base64.b64encode(seed).decode()}
                    with contextlib.suppress(OSError):  # a read-only home
                        _write(path, gojson.encode(dict(sorted(kept.items())), indent=2))
            self._known.put(host, seed)
        return seed


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
        kept = json.loads(read_found(path, limit=_MOST_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    entries = kept.items() if isinstance(kept, dict) else ()
    return {host: entry for host, entry in entries if len(host) <= _LONGEST_HOST and _seed_of(entry)}


def _seed_of(entry: object) -> bytes:
    seed = entry.get("Seed") if isinstance(entry, Mapping) else None
    try:
        known = isinstance(seed, str) and len(seed) <= _LONGEST_SEED
        return base64.b64decode(seed, validate=True) if known and isinstance(seed, str) else b""
    except binascii.Error:
        return b""


def _write(path: str, data: bytes) -> None:
    """The file with this in it, whole at once; where it is a link, what that leads to."""
    replace_file(os.path.realpath(path), [data], 0o600)
