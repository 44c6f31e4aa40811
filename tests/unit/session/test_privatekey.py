"""Which files are private keys, in the words of golang.org/x/crypto/ssh."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from buildctl.errors import UsageError
from buildctl.session.privatekey import check_private_key

PROTECTED = "ssh: this private key is passphrase protected"


def generated(folder: Path, *arguments: str, passphrase: str = "") -> bytes:
    path = folder / "key"
    subprocess.run(["ssh-keygen", "-q", "-N", passphrase, "-f", str(path), *arguments], check=True)
    return path.read_bytes()


@pytest.mark.parametrize("form", ["RFC4716", "PEM", "PKCS8"])
@pytest.mark.parametrize("kind", ["rsa", "ecdsa", "ed25519"])
def test_keys_of_openssh(tmp_path: Path, kind: str, form: str) -> None:
    check_private_key(generated(tmp_path, "-t", kind, "-m", form))


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ("RFC4716", PROTECTED),
        ("PEM", PROTECTED),
        ("PKCS8", 'ssh: unsupported key type "ENCRYPTED PRIVATE KEY"'),
    ],
)
def test_protected_keys(tmp_path: Path, form: str, message: str) -> None:
    key = generated(tmp_path, "-t", "ecdsa", "-m", form, passphrase="geheim")
    with pytest.raises(UsageError) as caught:
        check_private_key(key)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "ssh: no key found"),
        (b"FROM scratch\n", "ssh: no key found"),
        (b"-----BEGIN PRIVATE KEY-----\n", "ssh: no key found"),
        (b"-----BEGIN PRIVATE KEY-----\nno base64!\n-----END PRIVATE KEY-----\n", "ssh: no key found"),
        (
            b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            'ssh: unsupported key type "CERTIFICATE"',
        ),
    ],
)
def test_what_is_no_key(data: bytes, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_private_key(data)
    assert str(caught.value) == message


def test_text_around_a_key(tmp_path: Path) -> None:
    key = generated(tmp_path, "-t", "ed25519")
    check_private_key(b"a comment\r\n" + key.replace(b"\n", b"\r\n") + b"more\n")
