"""A file of a private key becomes one that `ssh-add` takes without being asked for a passphrase.

What is wrong with it is said in the reference's words (golang.org/x/crypto/ssh, ParseRawPrivateKey). Armour
that editors, forms and variables have spoiled is made anew. What is inside is for OpenSSH to judge.
"""

from __future__ import annotations

import base64
import binascii
import re
import struct

from buildctl.errors import UsageError
from buildctl.model.pem import Block, blocks
from buildctl.model.quote import quote

_OPENSSH = "OPENSSH PRIVATE KEY"
_TYPES = ("RSA PRIVATE KEY", "PRIVATE KEY", "EC PRIVATE KEY", "DSA PRIVATE KEY", _OPENSSH)
_OPENSSH_MAGIC = b"openssh-key-v1\0"
_UNENCRYPTED = b"\x00\x00\x00\x04none"
_ED25519_SEED = bytes.fromhex("300506032b657004220420")  # the algorithm and the head of the key (RFC 8410)
_PUBLIC = re.compile(rb"\s*(ssh-|ecdsa-sha2-|sk-ssh-|sk-ecdsa-|---- BEGIN SSH2 PUBLIC KEY)")


def parse_private_key(data: bytes) -> bytes:
    """The first private key in `data`, in clean armour.

    Raises `UsageError` for what is not a private key, and for one with a passphrase.
    """
    found = list(blocks(data))
    # What stands before it, such as EC PARAMETERS or a certificate, does not make it another key.
    block = next((one for one in found if one.kind in _TYPES), found[0] if found else None)
    if block is None:
        raise UsageError("ssh: no key found", hint=_hint(data))
    if block.encrypted:
        raise _passphrase_missing()
    if block.kind == "ENCRYPTED PRIVATE KEY":
        raise UsageError(f"ssh: unsupported key type {quote(block.kind)}", hint=_passphrase_missing().hint)
    if block.kind not in _TYPES:
        raise UsageError(f"ssh: unsupported key type {quote(block.kind)}", hint=_hint(data))
    if block.kind == _OPENSSH and not block.content.removeprefix(_OPENSSH_MAGIC).startswith(_UNENCRYPTED):
        raise _passphrase_missing()
    if block.kind == "PRIVATE KEY":
        _, head, rest = block.content.partition(_ED25519_SEED)
        if head and len(rest) >= 32:
            block = _openssh_ed25519(rest[:32])
    return block.armoured()


def _openssh_ed25519(seed: bytes) -> Block:
    """The key in OpenSSH's own form: it reads Ed25519 in PKCS#8 since 9.6 only (PROTOCOL.key)."""
    from nacl.signing import SigningKey  # slow to load, and few keys need it

    def text(data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + data

    public = bytes(SigningKey(seed).verify_key)
    kind = text(b"ssh-ed25519") + text(public)
    private = bytes(8) + kind + text(seed + public) + text(b"")
    private += bytes(range(1, 1 + -len(private) % 8))
    none = text(b"none") * 2 + text(b"")
    return Block(_OPENSSH, _OPENSSH_MAGIC + none + struct.pack(">I", 1) + text(kind) + text(private))


def _hint(data: bytes) -> str:
    if _PUBLIC.match(data) or b"PUBLIC KEY-----" in data:
        return "this is a public key: name the private one, the file without .pub"
    if data.startswith(b"PuTTY-User-Key-File"):
        return "this is a key of PuTTY: convert it with puttygen KEY -O private-openssh -o FILE"
    try:
        if b"-----BEGIN " in base64.b64decode(b"".join(data.split()), validate=True):
            return "this is the base64 of a key file: decode it first, with base64 -d"
    except binascii.Error:
        pass
    return "name a private key file or an agent's socket"


def _passphrase_missing() -> UsageError:
    return UsageError(
        "ssh: this private key is passphrase protected",
        hint="load it into an agent with ssh-add, and forward the agent in place of the key",
    )
