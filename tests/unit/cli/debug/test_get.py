"""Digests in the words of opencontainers/go-digest."""

import pytest

from buildctl.cli.debug.get import parse_digest
from buildctl.errors import UsageError


def test_digests() -> None:
    for digest in ("sha256:" + "0a" * 32, "sha384:" + "0a" * 48, "sha512:" + "0a" * 64):
        assert parse_digest(digest) == digest


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("zzz", "invalid checksum digest format"),
        (":a", "invalid checksum digest format"),
        ("sha256:", "invalid checksum digest format"),
        ("SHA256:aa", "invalid checksum digest format"),
        ("sha256:aa", "invalid checksum digest length"),
        ("sha256:" + "0A" * 32, "invalid checksum digest format"),
        ("sha256:" + "zz" * 32, "invalid checksum digest format"),
        ("md5:" + "aa" * 16, "unsupported digest algorithm"),
    ],
)
def test_refuse(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_digest(text)
    assert str(caught.value) == message
