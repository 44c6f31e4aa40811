"""PEM armour as people have it: pasted into forms and variables, through editors and other systems.

What came is not always what was written: lines end in CR LF or CR, are indented, or have become one line with
blanks or with `\\n` in their place; text stands before. The base64 within is the same.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from typing import NamedTuple

_BEGIN = b"-----BEGIN "
_HEAD = re.compile(rb"(?P<kind>[^-\r\n]*)-----")
_HEADERS = re.compile(rb"\A(?:[^\r\n:]+:[^\r\n]*(?:\r\n|\r|\n))+[ \t]*(?:\r\n|\r|\n)")
_BOM = b"\xef\xbb\xbf"
_LINE = 64


class Block(NamedTuple):
    """What stands between BEGIN and END."""

    kind: str
    """Such as `CERTIFICATE`."""
    content: bytes
    """Decoded; empty where `encrypted`."""
    encrypted: bool = False
    """Whether its headers say so (RFC 1421)."""

    def armoured(self) -> bytes:
        """The block as every reader takes it."""
        text = base64.b64encode(self.content)
        lines = [text[start : start + _LINE] for start in range(0, len(text), _LINE)]
        kind = self.kind.encode("utf-8", "surrogateescape")
        return b"\n".join((b"-----BEGIN %b-----" % kind, *lines, b"-----END %b-----\n" % kind))


def has_bom(data: bytes) -> bool:
    """Whether a byte order mark is at the beginning, as some editors leave it."""
    return data.startswith(_BOM)


def blocks(data: bytes) -> Iterator[Block]:
    """The blocks that are whole, in their order; what is none is passed over."""
    for part in data.split(_BEGIN)[1:]:
        head = _HEAD.match(part)
        if head is None:
            continue
        body, end, _ = part[head.end() :].partition(b"-----END %b-----" % head["kind"])
        if not end:
            continue
        kind = head["kind"].decode("utf-8", "surrogateescape")
        if b"\n" not in body:
            body = body.replace(rb"\r", b"").replace(rb"\n", b"\n")
        body = body.lstrip()
        if b"ENCRYPTED" in body and b":" in body:
            yield Block(kind, b"", encrypted=True)
            continue
        if headers := _HEADERS.match(body):
            body = body[headers.end() :]
        try:
            yield Block(kind, base64.b64decode(b"".join(body.split()), validate=True))
        except binascii.Error:
            continue
