"""One line of RFC 4180 as Go's csvvalue reads it: the attributes of `--output`, caches and secrets.

Python's csv module accepts what Go refuses and words its errors otherwise. A field is quoted only if it
starts with a quote; columns in errors are 1-based bytes. Source: tonistiigi/go-csvvalue, Go's encoding/csv.
"""

from __future__ import annotations

from buildctl.errors import UsageError


def parse_fields(text: str) -> list[str]:
    """The fields of one line. Raises `UsageError` with `EOF` for an empty line and for bad quoting."""
    line = text.removesuffix("\n").removesuffix("\r") if text.endswith("\n") else text
    if not line:
        raise UsageError("EOF")
    fields: list[str] = []
    at = 0
    while True:
        field, at = _quoted(line, at + 1) if line[at : at + 1] == '"' else _bare(line, at)
        fields.append(field)
        if at >= len(line):
            return fields
        at += 1  # the comma


def _bare(line: str, start: int) -> tuple[str, int]:
    end = line.find(",", start)
    end = len(line) if end < 0 else end
    quote = line.find('"', start, end)
    if quote >= 0:
        raise UsageError(f'parse error on line 1, column {_column(line, quote)}: bare " in non-quoted-field')
    return line[start:end], end


def _quoted(line: str, start: int) -> tuple[str, int]:
    parts: list[str] = []
    while True:
        quote = line.find('"', start)
        if quote < 0:
            raise _extraneous(line, start)  # where the quotation, or what follows its last "", begins
        parts.append(line[start:quote])
        following = line[quote + 1 : quote + 2]
        if following == '"':
            parts.append('"')
            start = quote + 2
        elif following in ("", ","):
            return "".join(parts), quote + 1
        else:
            raise _extraneous(line, quote)


def _extraneous(line: str, at: int) -> UsageError:
    message = f'parse error on line 1, column {_column(line, at)}: extraneous or missing " in quoted-field'
    return UsageError(message)


def _column(line: str, at: int) -> int:
    return len(line[:at].encode(errors="surrogateescape")) + 1


def parse_attributes(text: str) -> dict[str, str]:
    """The line's `key=value` fields: keys in lower case, values untouched, the last of a key wins.

    Raises `UsageError` with `invalid value FIELD` for a field without `=`.
    """
    attributes: dict[str, str] = {}
    for field in parse_fields(text):
        key, equals, value = field.partition("=")
        if not equals:
            raise UsageError(f"invalid value {field}")
        attributes[key.lower()] = value
    return attributes
