"""What callers pass is checked where they pass it, so that the traceback shows the line that is wrong.

A value of a wrong type is a `TypeError` that names the argument, as from Python's own functions; a value
that cannot be meant is a `UsageError`, in Go's words where Go has some.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from buildctl.errors import UsageError
from buildctl.model.platform import Platform

StrPath: TypeAlias = "str | os.PathLike[str]"
"""A path in a container, as text or as a path object."""

INT32 = range(-(1 << 31), 1 << 31)
UINT32 = range(1 << 32)
INT64 = range(-(1 << 63), 1 << 63)
UINT64 = range(1 << 64)


def wrong_type(name: str, expected: str, value: object) -> TypeError:
    """That `value` is not what the argument `name` takes."""
    return TypeError(f"{name} must be {expected}, not {type(value).__name__}")


def text(name: str, value: object) -> str:
    """Text that can be written as UTF-8."""
    if type(value) is not str and not isinstance(value, str):
        raise wrong_type(name, "str", value)
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise _not_utf8(name) from None
    return value


def path(name: str, value: object) -> str:
    """Text, or a path object."""
    return text(name, os.fspath(value) if isinstance(value, os.PathLike) else value)


def blob_text(name: str, value: object) -> str:
    """Bytes, or text, that are written as text."""
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise _not_utf8(name) from None
    if not isinstance(value, str):
        raise wrong_type(name, "bytes", value)
    return text(name, value)


def flag(name: str, value: object) -> bool:
    """True or False."""
    if not isinstance(value, bool):
        raise wrong_type(name, "bool", value)
    return value


def number(name: str, value: object, allowed: range = INT64) -> int:
    """A whole number that the field can hold; not a bool."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise wrong_type(name, "int", value)
    if value not in allowed:
        raise UsageError(f"{name} is {value}, which is not between {allowed[0]} and {allowed[-1]}")
    return int(value)


def texts(name: str, values: object) -> tuple[str, ...]:
    """A sequence of texts, which a text by itself is not."""
    return tuple(text(f"{name}[{index}]", value) for index, value in enumerate(sequence(name, values)))


def sequence(name: str, values: object, of: str = "str") -> Sequence[Any]:
    """A list, a tuple or the like; not text, nor a set, which has no order."""
    if isinstance(values, str | bytes | Mapping | set | frozenset) or not isinstance(values, Iterable):
        raise wrong_type(name, f"a sequence of {of}", values)
    return values if isinstance(values, Sequence) else tuple(values)


def collection(name: str, values: object) -> frozenset[str]:
    """Texts in any order."""
    if isinstance(values, str | bytes) or not isinstance(values, Collection):
        raise wrong_type(name, "a collection of str", values)
    return frozenset(text(name, value) for value in values)


def pairs(name: str, values: object) -> dict[str, str]:
    """A mapping of text to text, in its order."""
    if not isinstance(values, Mapping):
        raise wrong_type(name, "a mapping of str to str", values)
    return {text(f"a key of {name}", key): text(f"{name}[{key!r}]", value) for key, value in values.items()}


def choice(name: str, value: object, choices: Mapping[str, int] | Collection[str]) -> str:
    """One of a few words."""
    word = text(name, value)
    if word not in choices:
        words = ", ".join(repr(each) for each in choices)
        raise UsageError(f"{name} is {word!r}, which is not one of {words}")
    return word


def platform(name: str, value: object) -> Platform:
    """A platform, or its text."""
    if isinstance(value, str):
        return Platform.parse(text(name, value))
    if not isinstance(value, Platform):
        raise wrong_type(name, "a Platform or str", value)
    for part in ("os", "architecture", "variant", "os_version"):
        text(f"{name}.{part}", getattr(value, part))
    texts(f"{name}.os_features", value.os_features)
    return value


def _not_utf8(name: str) -> UsageError:
    return UsageError(
        "string field contains invalid UTF-8", hint=f"{name} is not text that UTF-8 can express"
    )
