"""Whether a file is a private key that an agent can take without being asked for a passphrase.

Only what is needed to say no in the reference's words (golang.org/x/crypto/ssh, ParseRawPrivateKey): the
PEM armour, its type, and whether it is encrypted. What is inside is for OpenSSH to judge.
"""

from __future__ import annotations

import base64
import binascii
import re

from buildctl.errors import UsageError
from buildctl.model.quote import quote

_BLOCK = re.compile(
    rb"^-----BEGIN (?P<type>[^\r\n-]*)-----[ \t]*\r?\n(?P<body>.*?)^-----END (?P=type)-----",
    re.DOTALL | re.MULTILINE,
)
_HEADERS = re.compile(rb"\A(?:[^\r\n:]+:[^\r\n]*\r?\n)+\r?\n")
_TYPES = ("RSA PRIVATE KEY", "PRIVATE KEY", "EC PRIVATE KEY", "DSA PRIVATE KEY", "OPENSSH PRIVATE KEY")
_OPENSSH_MAGIC = b"openssh-key-v1\0"
_UNENCRYPTED = b"\x00\x00\x00\x04none"


def check_private_key(data: bytes) -> None:
    """Raise `UsageError` for what is no private key, and for one with a passphrase."""
    for block in _BLOCK.finditer(data):
        headers = _HEADERS.match(block["body"])
        body = block["body"][headers.end() :] if headers else block["body"]
        try:
            content = base64.b64decode(b"".join(body.split()), validate=True)
        except binascii.Error:
            continue
        kind = block["type"].decode("utf-8", "surrogateescape")
        if headers and b"ENCRYPTED" in headers[0]:
            raise _passphrase_missing()
        if kind not in _TYPES:
            raise UsageError(f"ssh: unsupported key type {quote(kind)}")
        inner = content.removeprefix(_OPENSSH_MAGIC)
        if kind == "OPENSSH PRIVATE KEY" and not inner.startswith(_UNENCRYPTED):
            raise _passphrase_missing()
        return
    raise UsageError("ssh: no key found", hint="name a private key file or an agent's socket")


def _passphrase_missing() -> UsageError:
    return UsageError(
        "ssh: this private key is passphrase protected",
        hint="load it into an agent with ssh-add, and forward the agent in place of the key",
    )
