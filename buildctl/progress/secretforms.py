"""The forms in which a secret, or a line of it, shows up in logs: as it is, quoted, and as encoders write it.

No form has a newline in it, so that a log can be searched line by line.
"""

from __future__ import annotations

import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterator
from string import ascii_letters, digits

from buildctl.model.quote import quote

SHORTEST = 4
"""Bytes of a secret, or of a line of it, that are worth hiding: what is shorter is found in every text."""
PIECE = 1024
"""Bytes of a form; longer ones are looked for in pieces, which bounds what is kept of a line for later."""
_ENCODED_LINES = 256
"""Lines of a secret of which each is looked for encoded, too; of longer secrets only the whole is."""
_WRAPPED_BYTES = 64 << 10
"""A secret of which each line of its encoding is looked for; a longer one has too many."""
_WIDTHS = (76, 64)
"""Characters of a line of base64: coreutils and MIME, OpenSSL and PEM."""
_HEX_WIDTH = 60
"""Digits of a line of `xxd -p`."""
_UNRESERVED = ascii_letters + digits + "-._~"
_KEPT_BY_ENCODERS = ("", "/", "!'()*", "$&+=:@", "*")
"""What is left as it is besides unreserved characters: RFC 3986, Python, JavaScript, Go's paths, forms."""


def secret_forms(secret: bytes) -> set[bytes]:
    """Every form of at least `SHORTEST` bytes; none for a secret that is shorter than that."""
    lines = {line.strip(b"\r") for line in secret.split(b"\n")}
    stripped = secret.strip(b"\r\n")
    whole = {secret, stripped} if len(stripped) >= SHORTEST else set()
    encoded = whole | lines if len(lines) <= _ENCODED_LINES else whole
    forms = set(lines)
    for value in encoded:
        if len(value) >= SHORTEST:
            forms.update(_quoted(value), _base64(value), _hexadecimal(value), _percent(value))
    return {piece for form in forms for piece in _pieces(form) if len(piece) >= SHORTEST}


def _pieces(form: bytes) -> Iterator[bytes]:
    """The form in pieces of `PIECE` bytes, the last one up to twice as long; lines apart."""
    if b"\n" in form:
        return
    last = max(len(form) // PIECE - 1, 0) * PIECE
    for start in range(0, last, PIECE):
        yield form[start : start + PIECE]
    yield form[last:]


def _quoted(value: bytes) -> Iterator[bytes]:
    """As Go's %q, with which BuildKit quotes commands, and JSON write it."""
    text = value.decode("utf-8", "surrogateescape")
    for quoted in (quote(text), json.dumps(text), json.dumps(text, ensure_ascii=False)):
        yield quoted[1:-1].encode("utf-8", "surrogateescape")


def _base64(value: bytes) -> Iterator[bytes]:
    for encode in (b64encode, urlsafe_b64encode):
        padded = encode(value)
        yield padded
        yield padded.rstrip(b"=")
        for width in _WIDTHS if len(value) <= _WRAPPED_BYTES else ():
            yield from (padded[start : start + width] for start in range(0, len(padded), width))
        for before in range(3):
            # With bytes around it, the characters that no neighbour has a bit of.
            first, last = -(-8 * before // 6), 8 * (before + len(value)) // 6
            yield encode(bytes(before) + value)[first:last]


def _hexadecimal(value: bytes) -> Iterator[bytes]:
    """Digits without anything between them; pieces of lines count only where they say `SHORTEST` bytes."""
    lower = value.hex().encode()
    for text in (lower, lower.upper()):
        yield text
        for start in range(0, len(text), _HEX_WIDTH) if len(value) <= _WRAPPED_BYTES else ():
            if len(line := text[start : start + _HEX_WIDTH]) >= 2 * SHORTEST:
                yield line


def _percent(value: bytes) -> Iterator[bytes]:
    for kept in _KEPT_BY_ENCODERS:
        plain = frozenset((_UNRESERVED + kept).encode())
        for escape in (b"%%%02X", b"%%%02x"):
            forms = [bytes((byte,)) if byte in plain else escape % byte for byte in range(256)]
            text = b"".join(map(forms.__getitem__, value))
            yield text
            yield text.replace(b"%20", b"+")
