"""The forms in which a secret, or a line of it, shows up in logs: as it is, quoted, and as encoders write it.

No form has a newline in it, so that a log can be searched line by line.
"""

from __future__ import annotations

import contextlib
import json
import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterable, Iterator
from string import ascii_letters, digits
from typing import Any

from buildctl.model.quote import quote
from buildctl.progress.visiblebytes import VisibleBytes, is_all_visible

SHORTEST = 4
"""Bytes of a secret, or of a line of it, that are worth hiding: what is shorter is found in every text."""
PIECE = 1024
"""Bytes of a form; longer ones are looked for in pieces, which bounds what is kept of a line for later."""
_ENCODED_LINES = 256
"""Lines of a secret, or values in it, of which each is looked for encoded; of more only the whole is."""
_WRAPPED_BYTES = 64 << 10
"""A secret of which each line of its encoding is looked for; a longer one has too many."""
_PARSED_BYTES = 64 << 10
"""A secret in which values are looked for."""
_INTEGER_DIGITS = 1000
_BOM = b"\xef\xbb\xbf"
_MEANING = re.compile(rb"[0-9A-Za-z\x80-\xff]")
_ASSIGNED = re.compile(
    rb"""^(?:
      (?:(?:export|set|env)\s+)? [^=\s?&;]{1,256} \s*=\s*
    | [^:=?&;]{1,256} :\s+
    | [\w.-]{1,64} :
    | (?:.{0,256}\s)? (?:password|passwd|token|account)\s+
    ) (.+)$""",
    re.VERBOSE,
)
"""The value of an assignment: shells, .npmrc, INI; YAML, headers; `user:password`; netrc."""
_EVERYDAY = frozenset((b"true", b"false", b"null", b"none", b"http", b"https"))
"""Values that are in every log and no secret."""
_WIDTHS = (76, 64)
"""Characters of a line of base64: coreutils and MIME, OpenSSL and PEM."""
_HEX_WIDTH = 60
"""Digits of a line of `xxd -p`."""
_UNRESERVED = ascii_letters + digits + "-._~"
_KEPT_BY_ENCODERS = ("", "/", "!'()*", "$&+=:@", "*")
"""What is left as it is besides unreserved characters: RFC 3986, Python, JavaScript, Go's paths, forms."""


def secret_forms(secret: bytes) -> set[bytes]:
    """Every form of at least `SHORTEST` bytes that has a letter or digit; none for a shorter secret."""
    lines = {line.strip() for line in secret.split(b"\n")}
    stripped = secret.strip(b"\r\n")
    whole = {secret, stripped, secret.strip()} if len(stripped) >= SHORTEST else set()
    values = set(_values(secret, lines)) if len(secret) <= _PARSED_BYTES else set()
    encoded = set(whole)
    for parts in (lines, values):
        if len(parts) <= _ENCODED_LINES:
            encoded |= parts
    forms = lines | values
    for value in encoded:
        if len(value) >= SHORTEST and _says_something(value):
            forms.update(_quoted(value), _base64(value), _hexadecimal(value), _percent(value))
            forms.update(_wide(value))
    forms |= {VisibleBytes(form).text for form in forms if not is_all_visible(form)}
    found = {piece for form in forms for piece in _pieces(form)}
    return {piece for piece in found if len(piece) >= SHORTEST and _says_something(piece)}


def _says_something(text: bytes) -> bool:
    """Whether there is a letter or digit, of any script: blanks, rules and brackets are in every log."""
    return _MEANING.search(text) is not None


def _values(secret: bytes, lines: Iterable[bytes]) -> Iterator[bytes]:
    """What a secret that is JSON, or has lines such as `KEY=value` and `key: value`, is kept for."""
    found = list(_json_values(secret))
    if not found:
        for line in lines:
            for value in filter(None, _ASSIGNED.findall(line)):
                found += (value, value.strip(b"\"',;"))
    for value in found:
        if value.lower() not in _EVERYDAY and not re.fullmatch(rb"[0-9.]{1,5}", value):
            yield value


def _json_values(secret: bytes) -> Iterator[bytes]:
    """Every string and long number of a JSON document, and the lines and values within such a string."""
    if not secret.lstrip(_BOM).lstrip().startswith((b"{", b"[")):
        return
    try:
        waiting: list[Any] = [json.loads(secret.removeprefix(_BOM))]
    except (ValueError, RecursionError):
        return
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one
        elif isinstance(one, str):
            for line in (one, *one.split("\n")):
                yield line.strip().encode("utf-8", "surrogatepass")
        elif isinstance(one, int) and not isinstance(one, bool) and abs(one) < 10**_INTEGER_DIGITS:
            yield b"%d" % one


def _wide(value: bytes) -> Iterator[bytes]:
    """UTF-16, of which zero bytes and other controls are taken out before anything is looked for."""
    if not value.isascii():
        with contextlib.suppress(UnicodeError):
            text = value.decode()
            yield from (text.encode("utf-16-le"), text.encode("utf-16-be"))


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
