"""The text of `--metadata-file`: what the exporters answered, as Go's encoding/json writes it.

A value that is base64 of a non-empty JSON object (a descriptor, a provenance statement) is embedded as that
object, its keys in their own order. Source: cmd/buildctl/build.go, writeMetadataFile.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

_HTML_ESCAPES = str.maketrans(
    {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
)


def format_metadata(response: Mapping[str, str]) -> bytes:
    """A JSON object with sorted keys, two spaces a level, HTML escaped, no newline at the end."""
    members = {key: _embedded(value) for key, value in sorted(response.items())}
    text = json.dumps(members, indent=2, ensure_ascii=False)
    return text.translate(_HTML_ESCAPES).encode("utf-8", "surrogateescape")


def _embedded(value: str) -> Any:
    try:
        decoded = json.loads(base64.b64decode(value, validate=True))
    except (binascii.Error, ValueError):
        return value
    return decoded if isinstance(decoded, dict) and decoded else value
