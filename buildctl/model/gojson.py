"""JSON as Go's encoding/json writes it: members in their order, HTML escaped, what is not UTF-8 replaced.

Source: Go's documentation of encoding/json, func Marshal and type Encoder.
"""

from __future__ import annotations

import json
import re
from typing import Any

# None of these stands outside a string in JSON, so the whole text can be translated.
_LINE_ENDS = {"\u2028": "\\u2028", "\u2029": "\\u2029"}
_PLAIN = str.maketrans(_LINE_ENDS)
_HTML = str.maketrans(_LINE_ENDS | {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})
_NOT_UTF8 = "[\ud800-\udfff]"  # how Python keeps such bytes; compiled where it is used, which is seldom


def encode(value: Any, *, indent: int | None = None, escape_html: bool = True) -> bytes:
    """The value as JSON without a newline at the end: compact, or with so many spaces a level."""
    separators = (",", ":") if indent is None else (",", ": ")
    text = json.dumps(value, ensure_ascii=False, separators=separators, indent=indent)
    text = text.translate(_HTML if escape_html else _PLAIN)
    try:
        return text.encode()
    except UnicodeEncodeError:
        return re.sub(_NOT_UTF8, r"\\ufffd", text).encode()
