"""Digests of blobs, read so strictly that one may name a file. Source: opencontainers/go-digest."""

from __future__ import annotations

import re
from dataclasses import dataclass

from buildctl.errors import Code, ServiceError

CANONICAL = "sha256"
"""The algorithm where nobody asks for another."""

_HEX_DIGITS = {"sha256": 64, "sha384": 96, "sha512": 128}
_ANY_DIGEST = re.compile(r"[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[a-zA-Z0-9=_-]+")
_HEX = re.compile("[a-f0-9]*")


@dataclass(frozen=True, slots=True)
class Digest:
    """What content is known by; only `parse_digest` and hashes make one."""

    algorithm: str
    encoded: str

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.encoded}"


def is_algorithm(name: str) -> bool:
    """Whether blobs are verified by this algorithm here."""
    return name in _HEX_DIGITS


def parse_digest(text: str) -> Digest:
    """A digest from its text. Raises `ServiceError` (INVALID_ARGUMENT) for one that names no blob."""
    algorithm, colon, encoded = text.partition(":")
    if not (algorithm and colon and encoded):
        raise _invalid("invalid checksum digest format")
    if not is_algorithm(algorithm):
        known_form = _ANY_DIGEST.fullmatch(text)
        raise _invalid("unsupported digest algorithm" if known_form else "invalid checksum digest format")
    if len(encoded) != _HEX_DIGITS[algorithm]:
        raise _invalid("invalid checksum digest length")
    if not _HEX.fullmatch(encoded):
        raise _invalid("invalid checksum digest format")
    return Digest(algorithm, encoded)


def _invalid(reason: str) -> ServiceError:
    return ServiceError(Code.INVALID_ARGUMENT, reason)
