"""Text for HTML and for JavaScript strings, as Go's template functions of these names escape it."""

from __future__ import annotations

_HTML = str.maketrans({'"': "&#34;", "'": "&#39;", "&": "&amp;", "<": "&lt;", ">": "&gt;", "\0": "\ufffd"})
_JS = {
    "\\": "\\\\",
    "'": "\\'",
    '"': '\\"',
    "<": "\\u003C",
    ">": "\\u003E",
    "&": "\\u0026",
    "=": "\\u003D",
}


def escape_html(text: str) -> str:
    return text.translate(_HTML)


def escape_js(text: str) -> str:
    return "".join(_JS.get(char) or _js(char) for char in text)


def _js(char: str) -> str:
    kept = char.isprintable() or char == "\x7f" or "\udc80" <= char <= "\udcff"  # bytes that are not UTF-8
    return char if kept else f"\\u{ord(char):04X}"
