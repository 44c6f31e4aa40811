"""Reading the metadata of a call: repeated keys, and values that the daemon had to encode.

A header value is ASCII. When one value of a key is not, the daemon escapes all values of the key as in a
URL's query and says so in `<key>-encoded` (session/filesync of the reference).
"""

from __future__ import annotations

from collections.abc import Sequence

_TRUE = frozenset(("1", "t", "T", "TRUE", "true", "True"))  # strconv.ParseBool


def values(metadata: Sequence[tuple[str, str]], key: str) -> list[str]:
    """All values of a key, in order and decoded; bytes that are no UTF-8 are kept as `os.fsdecode` does."""
    found = [value for name, value in metadata if name == key]
    marker = key + "-encoded"
    encoded = next((value for name, value in metadata if name == marker), "")
    return [_unescape(value) for value in found] if encoded in _TRUE else found


def value(metadata: Sequence[tuple[str, str]], key: str, default: str = "") -> str:
    """The first value of a key."""
    return next(iter(values(metadata, key)), default)


def _unescape(text: str) -> str:
    from urllib.parse import unquote_to_bytes  # which few calls need

    return unquote_to_bytes(text.replace("+", " ")).decode("utf-8", "surrogateescape")
