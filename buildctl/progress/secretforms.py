"""The forms in which a secret, or a line of it, shows up in logs: as it is, quoted, and as encoders write it.

No form has a newline in it, so that a log can be searched line by line.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterator
from urllib.parse import quote_from_bytes

from buildctl.model.quote import quote

SHORTEST = 4
"""Bytes of a secret, or of a line of it, that are worth hiding: what is shorter is found in every text."""
PIECE = 1024
"""Bytes of a form; longer ones are looked for in pieces, which bounds what is kept of a line for later."""
_ENCODED_LINES = 256
"""Lines of a secret of which each is looked for encoded, too; of longer secrets only the whole is."""
_WIDTHS = (76, 64)
"""Characters of a line of base64: coreutils and MIME, OpenSSL and PEM."""
_HEX_WIDTH = 60
"""Digits of a line of `xxd -p`."""
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
    while len(form) >= 2 * PIECE:
        yield form[:PIECE]
        form = form[PIECE:]
    yield form


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
        for width in _WIDTHS:
            yield from (padded[start : start + width] for start in range(0, len(padded), width))
        for before in range(3):
            # With bytes around it, the characters that no neighbour has a bit of.
            first, last = -(-8 * before // 6), 8 * (before + len(value)) // 6
            yield encode(bytes(before) + value)[first:last]


def _hexadecimal(value: bytes) -> Iterator[bytes]:
    """Digits without anything between them; pieces of lines count only where they say `SHORTEST` bytes."""
    lower = value.hex()
    for digits in (lower, lower.upper()):
        yield digits.encode()
        for start in range(0, len(digits), _HEX_WIDTH):
            if len(line := digits[start : start + _HEX_WIDTH]) >= 2 * SHORTEST:
                yield line.encode()


def _percent(value: bytes) -> Iterator[bytes]:
    for kept in _KEPT_BY_ENCODERS:
        upper = quote_from_bytes(value, kept)
        lower = re.sub("%..", lambda found: found[0].lower(), upper)
        for text in (upper, lower):
            yield text.encode()
            yield text.replace("%20", "+").encode()
