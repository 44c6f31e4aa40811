"""The images that a Dockerfile names, as far as its text tells without building it.

More names than a build uses do no harm, for they are those that the user's file has. Source: the reference
manual of the Dockerfile; frontend/dockerfile/parser of BuildKit.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

_DIRECTIVE = re.compile(r"(?:#|//)\s*([A-Za-z]+)\s*=\s*(.+)")
_FROM = re.compile(r"FROM\s+(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?", re.IGNORECASE)
_ARG = re.compile(r"ARG\s+(.*)", re.IGNORECASE)
_ASSIGNMENT = re.compile(r"""(\w+)(?:=("[^"]*"|'[^']*'|\S*))?""")
_COPY = re.compile(r"(?:ONBUILD\s+)?(?:COPY|ADD)\s.*?--from=(\S+)", re.IGNORECASE)
_MOUNT = re.compile(r"--mount=(\S+)")
_VARIABLE = re.compile(r"\$\{(\w+)(?:(:?[-+?])([^}]*))?\}|\$(\w+)")
_UNKNOWN = "\0"
_LONGEST = 1024
"""Of a name or value in characters; references have 255 at most."""


class Images(NamedTuple):
    """What was found."""

    names: frozenset[str]
    """Names of images, of which only the registry is certain: the rest may depend on the build."""
    unclear: tuple[str, ...] = ()
    """Names whose registry depends on what is not known, as they are written."""


def images_of(text: str, arguments: Mapping[str, str]) -> Images:
    """The images of a Dockerfile's text; `arguments` are the build arguments."""
    directives = dict(_directives(text))
    values: dict[str, str] = {}
    stages: set[str] = set()
    written = [arguments.get("BUILDKIT_SYNTAX") or directives.get("syntax", "")]
    for line in _instructions(text, directives.get("escape", "\\")):
        if found := _ARG.match(line):
            for name, value in _ASSIGNMENT.findall(found[1]):
                if name in arguments or value:
                    values[name] = arguments.get(name, _expanded(value.strip("\"'"), values))
        elif found := _FROM.match(line):
            if found[1].lower() not in stages:
                written.append(found[1])
            stages.add((found[2] or "").lower())
        elif found := _COPY.match(line):
            written.append(found[1])
        else:
            options = ",".join(_MOUNT.findall(line)).split(",")
            written += [option.removeprefix("from=") for option in options if option.startswith("from=")]
    names, unclear = set(), []
    for image in written:
        name = _expanded(image.strip("\"'"), values)
        if not name or name.lower() in stages or name == "scratch" or name.isdigit():
            continue
        known, cut, _ = name.partition(_UNKNOWN)
        if cut and not ("/" in known or ":" in known):
            unclear.append(image[:_LONGEST])
        else:
            names.add(known)
    return Images(frozenset(names), tuple(unclear))


def _directives(text: str) -> Iterator[tuple[str, str]]:
    for line in text.removeprefix("\ufeff").splitlines():
        found = _DIRECTIVE.match(line.strip())
        if found is None and not line.startswith("#!"):
            return
        if found is not None:
            yield found[1].lower(), found[2]


def _instructions(text: str, escape: str) -> Iterator[str]:
    """Lines with those that continue them, without comments."""
    parts: list[str] = []
    for line in text.removeprefix("\ufeff").splitlines():
        line = line.strip()
        if line.startswith("#") or not line:
            continue
        if line.endswith(escape):
            parts.append(line[: -len(escape)])
            continue
        yield " ".join((*parts, line))
        parts = []
    yield " ".join(parts)


def _expanded(text: str, values: Mapping[str, str]) -> str:
    """With its variables replaced, an unknown one by a NUL; so is what is too long to be read."""
    if len(text) > _LONGEST:
        return _UNKNOWN

    def value(found: re.Match[str]) -> str:
        name, operator, word = found[1] or found[4], found[2] or "", found[3] or ""
        known = values.get(name)
        if operator.endswith("-"):
            return known or word
        if operator.endswith("+"):
            return word if known else ""
        return _UNKNOWN if known is None else known

    return _VARIABLE.sub(value, text)[:_LONGEST]
