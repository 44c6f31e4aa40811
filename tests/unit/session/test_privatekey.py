"""Which files are private keys, in the words of golang.org/x/crypto/ssh, and what OpenSSH gets of them."""

from __future__ import annotations

import base64
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from buildctl.errors import UsageError
from buildctl.model.pem import Block
from buildctl.session.privatekey import parse_private_key

PROTECTED = "ssh: this private key is passphrase protected"


def generated(folder: Path, *arguments: str, passphrase: str = "") -> bytes:
    path = folder / "key"
    subprocess.run(["ssh-keygen", "-q", "-N", passphrase, "-f", str(path), *arguments], check=True)
    return path.read_bytes()


@pytest.mark.parametrize("form", ["RFC4716", "PEM", "PKCS8"])
@pytest.mark.parametrize("kind", ["rsa", "ecdsa", "ed25519"])
def test_keys_of_openssh(tmp_path: Path, kind: str, form: str) -> None:
    parse_private_key(generated(tmp_path, "-t", kind, "-m", form))


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
        parse_private_key(key)
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
        parse_private_key(data)
    assert str(caught.value) == message


SPOILED: dict[str, Callable[[bytes], bytes]] = {
    "CR LF": lambda key: key.replace(b"\n", b"\r\n"),
    "CR alone": lambda key: key.replace(b"\n", b"\r"),
    "no last newline": lambda key: key.rstrip(b"\n"),
    "text before and after": lambda key: b"a comment: of mine\n" + key + b"more\n",
    "a byte order mark": lambda key: b"\xef\xbb\xbf" + key,
    "indentation of YAML": lambda key: b"".join(b"    " + line for line in key.splitlines(keepends=True)),
    "tabs": lambda key: b"".join(b"\t" + line for line in key.splitlines(keepends=True)),
    "blanks at the end of lines": lambda key: key.replace(b"\n", b" \t\n"),
    "empty lines": lambda key: key.replace(b"\n", b"\n\n"),
    "one line with blanks": lambda key: key.replace(b"\n", b" "),
    "one line with escapes": lambda key: key.replace(b"\n", rb"\n"),
    "escapes of CR LF, quoted": lambda key: b'"' + key.replace(b"\n", rb"\r\n") + b'"\n',
    "another block before": lambda key: (
        b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n" + key
    ),
    "the end of another before": lambda key: b"-----BEGIN PRIVATE KEY-----\n" + key,
}


@pytest.mark.parametrize("how", SPOILED)
def test_spoiled_armour_is_made_anew(tmp_path: Path, how: str) -> None:
    for kind, form in (("ed25519", "RFC4716"), ("rsa", "PEM")):
        folder = tmp_path / kind
        folder.mkdir()
        key = generated(folder, "-t", kind, "-m", form, *(("-b", "1024") if kind == "rsa" else ()))
        clean = parse_private_key(SPOILED[how](key))
        assert clean == parse_private_key(key)
        assert fingerprint(clean, folder) == fingerprint(key, folder)


def fingerprint(key: bytes, folder: Path) -> str:
    """As ssh-keygen sees the key: it reads what ssh-add reads."""
    path = folder / "seen"
    path.write_bytes(key)
    path.chmod(0o600)
    shown = subprocess.check_output(["ssh-keygen", "-y", "-f", str(path)], text=True)
    return " ".join(shown.split()[:2])


def test_ed25519_in_pkcs8_is_given_in_openssh_s_form(tmp_path: Path) -> None:
    """RFC 8410's example, whose public key is known; with and without the public half in it."""
    seed = bytes.fromhex("d4ee72dbf913584ad5b6d8f1f769f8ad3afe7c28cbf1d4fbe097a88f44755842")
    public = bytes.fromhex("19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1")
    for head, tail in (("302e020100", b""), ("3051020101", b"\x81\x21\x00" + public)):
        content = bytes.fromhex(head + "300506032b657004220420") + seed + tail
        clean = parse_private_key(Block("PRIVATE KEY", content).armoured())
        assert b"OPENSSH" in clean
        wire = base64.b64decode(fingerprint(clean, tmp_path).split()[1])
        assert wire.endswith(public)


@pytest.mark.parametrize(
    ("data", "hint"),
    [
        (b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 me@here\n", "public key"),
        (b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "public key"),
        (b"---- BEGIN SSH2 PUBLIC KEY ----\nAAAA\n---- END SSH2 PUBLIC KEY ----\n", "public key"),
        (b"PuTTY-User-Key-File-3: ssh-ed25519\n", "puttygen"),
        (base64.encodebytes(b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA"), "base64 -d"),
        (b"hello\n", "private key file or an agent's socket"),
    ],
)
def test_what_was_given_by_mistake_is_named(data: bytes, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_private_key(data)
    assert hint in caught.value.hint


def test_many_beginnings_cost_no_more_than_their_length() -> None:
    data = b"-----BEGIN PRIVATE KEY-----\n" * 200_000
    started = time.process_time()
    with pytest.raises(UsageError, match="no key found"):
        parse_private_key(data)
    assert time.process_time() - started < 5
