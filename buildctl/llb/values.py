"""What a state remembers for the commands to come: folder, variables, user and the like, none of it in an op
yet."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeAlias

from buildctl.errors import UsageError
from buildctl.llb import gopath
from buildctl.model.platform import Platform


class Link(NamedTuple):
    """A list that grows at its end and shares its beginning: a thousand settings are a thousand links."""

    before: Link | None
    item: tuple[Any, ...]


class Values(NamedTuple):
    """The values of one state (client/llb/meta.go)."""

    dir: str = "/"
    env: Link | None = None
    """Names and values as they were set."""
    user: str = ""
    hostname: str = ""
    cgroup_parent: str = ""
    extra_hosts: Link | None = None
    ulimits: Link | None = None
    network: int = 0
    security: int = 0
    platform: Platform | None = None
    """Normalized."""

    def with_dir(self, path: str) -> Values:
        """An absolute path as it is, a relative one below the folder so far."""
        return self._replace(dir=path if path.startswith("/") else gopath.join(self.dir or "/", path))

    def with_env(self, name: str, value: str) -> Values:
        """The variable is set, and goes to the end."""
        return self._replace(env=Link(self.env, (name, value)))

    def with_platform(self, platform: Platform | None) -> Values:
        """The platform in its normal form; the same values for none."""
        return self if platform is None else self._replace(platform=platform.normalized())


Change: TypeAlias = Callable[[Values], Values]
INITIAL = Values()


def items(link: Link | None) -> list[tuple[Any, ...]]:
    """The items in the order in which they were added."""
    return list(_backwards(link))[::-1]


def environment(link: Link | None) -> dict[str, str]:
    """Each variable with its last value, in the order of these last settings."""
    latest: dict[str, str] = {}
    for name, value in _backwards(link):
        latest.setdefault(name, value)
    return dict(reversed(latest.items()))


def image_config_changes(config: bytes | str) -> list[Change]:
    """What an image's configuration says of variables, folder and platform.

    Its user, command and labels are not taken (client/llb/state.go, WithImageConfig). Raises `UsageError`.
    """
    try:
        parsed = json.loads(config.decode(errors="replace") if isinstance(config, bytes) else config)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"the image's configuration is not JSON: {error}") from None
    image = _members(parsed, "the image's configuration")
    inner = _members(image.get("config") or {}, "its member config")
    changes: list[Change] = []
    for entry in _texts(inner, "env"):
        name, _, value = entry.partition("=")
        if name:
            changes.append(_env_change(name, value))
    folder = _text(inner, "workingdir")
    changes.append(lambda values: values.with_dir(folder))
    if _text(image, "architecture") and _text(image, "os"):
        platform = Platform(
            _text(image, "os"),
            _text(image, "architecture"),
            _text(image, "variant"),
            _text(image, "os.version"),
            tuple(_texts(image, "os.features")),
        )
        changes.append(lambda values: values.with_platform(platform))
    return changes


def _env_change(name: str, value: str) -> Change:
    return lambda values: values.with_env(name, value)


def _backwards(link: Link | None) -> Iterator[tuple[Any, ...]]:
    while link is not None:
        yield link.item
        link = link.before


def _members(value: object, what: str) -> dict[str, object]:
    """By lower-case name: Go's JSON does not distinguish, and the last of equal names counts."""
    if not isinstance(value, dict):
        raise UsageError(f"{what} is not a JSON object")
    return {name.lower(): member for name, member in value.items()}


def _text(members: dict[str, object], name: str) -> str:
    value = members.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise UsageError(f"{name} in the image's configuration is not text")
    return _utf8(value)


def _texts(members: dict[str, object], name: str) -> list[str]:
    value = members.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise UsageError(f"{name} in the image's configuration is not a list of texts")
    return [_utf8(each) for each in value]


def _utf8(text: str) -> str:
    """What Go's JSON makes of halves of surrogate pairs."""
    return "".join("\ufffd" if "\ud800" <= char <= "\udfff" else char for char in text)
