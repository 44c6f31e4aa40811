"""Any file given as a private key is one in clean armour, which is read as itself, or an error in words.

The same bytes are tried as certificates: what is found is PEM, and reads as itself.
"""

from __future__ import annotations

from buildctl.errors import UsageError
from buildctl.model.pem import blocks
from buildctl.session.privatekey import parse_private_key
from tests.fuzz.driver import Harness, words


def check(data: bytes) -> str:
    found = list(blocks(data))
    for block in found:
        if not block.encrypted:
            assert list(blocks(block.armoured())) == [block]
    try:
        key = parse_private_key(data)
    except UsageError as error:
        return str(error)
    assert parse_private_key(key) == key
    assert key.isascii()
    return f"{len(found)} {key[:40]!r}"


HARNESS = Harness(
    "private_keys",
    check,
    lambda: [
        b"-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJj3ghsPc4Wr/PBrdpRoYGAGzyNKOElVci7RfV/LdwAB\n"
        b"-----END PRIVATE KEY-----\n",
        b"-----BEGIN RSA PRIVATE KEY-----\r\nProc-Type: 4,ENCRYPTED\r\nDEK-Info: AES-128-CBC,00\r\n\r\n"
        b"AAAA\r\n-----END RSA PRIVATE KEY-----\r\n",
        b"-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAA=\n"
        b"-----END OPENSSH PRIVATE KEY-----",
        rb"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n",
    ],
    words=words(
        r"-----BEGIN -----END ----- PRIVATE KEY CERTIFICATE ENCRYPTED AAAA = : \n \r\n ssh-ed25519 PuTTY",
        *(b"\xef\xbb\xbf", b"\r\n", b"\r", b"\n\n", b"\t", b"\xff", b"-----BEGIN " * 300),
    ),
)
