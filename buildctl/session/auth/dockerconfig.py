"""Docker's `config.json`: who the user is to which registry, and who knows. Read, never written.

It forgives what Go's readers of JSON and base64 do, and a byte order mark. Source: docker/cli, cli/config
(configfile/file.go, credentials/file_store.go).
"""

from __future__ import annotations

import binascii
import codecs
import contextlib
import json
import os
import pwd
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple

from buildctl.errors import UsageError
from buildctl.model.url import parse_url
from buildctl.system.failure import errno_text
from buildctl.system.smallfile import read_found
from buildctl.transport.dial import join_host_port

_HUB_KEY = "https://index.docker.io/v1/"
_HUB_HOSTS = ("registry-1.docker.io", "docker.io", "index.docker.io")
_ENVIRONMENT_KEY = "DOCKER_AUTH_CONFIG"
_HELPER = "docker-credential-"
_MOST_BYTES = 16 << 20
_JSON_SPACE = " \t\r\n"


@dataclass(frozen=True, slots=True)
class Account:
    """Who the user is to one registry. All empty for nobody in particular."""

    username: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)
    """Stands for user and password at a token server."""
    registry_token: str = field(default="", repr=False)
    """To be given to the registry as it is."""

    @property
    def login(self) -> tuple[str, str]:
        """User name and secret; no user name with an identity token."""
        return ("", self.identity_token) if self.identity_token else (self.username, self.password)


class DockerConfig(NamedTuple):
    """What the configuration says of registries."""

    directory: str
    accounts: Mapping[str, Account] = MappingProxyType({})
    """By registry, as `docker login` wrote it."""
    store: str = ""
    """The helper for all registries without one of their own: NAME of docker-credential-NAME."""
    helpers: Mapping[str, str] = MappingProxyType({})
    """Helpers by registry."""
    overrides: Mapping[str, Account] = MappingProxyType({})
    """Accounts of DOCKER_AUTH_CONFIG, which go first."""
    warnings: tuple[str, ...] = ()
    """Lines for the user: what could not be read, and so does not count."""

    def key(self, host: str) -> str:
        """Under what a registry's host is entered in the configuration.

        entry = config.key("registry-1.docker.io")
        """
        return _HUB_KEY if host in _HUB_HOSTS else host

    def helper(self, key: str) -> str:
        """Who is to be asked for an account; empty where only the file knows.

        program = config.helper("registry.example")
        """
        return _HELPER + name if (name := self.helpers.get(key, self.store)) else ""

    def account(self, key: str) -> Account:
        """The file's account; a key with a scheme or a path, as old files have, stands for its host.

        account = config.account("registry.example")
        """
        if key in self.accounts:
            return self.accounts[key]
        return next((found for name, found in self.accounts.items() if _host(name) == key), Account())


def load_docker_config(environ: Mapping[str, str]) -> DockerConfig:
    """The user's configuration. What is wrong with it becomes warnings, as in the reference.

    auth = Auth(load_docker_config(os.environ), os.environ)
    """
    directory = environ.get("DOCKER_CONFIG") or os.path.join(_home(environ), ".docker")
    warnings: list[str] = []
    path = os.path.join(directory, "config.json")
    settings = _read(path, warnings)
    warnings += [f"WARNING: Error parsing config file ({path}): {misfit}" for misfit in _misfits(settings)]
    accounts = _accounts(settings, warnings, path)
    helpers = {key: name for key, name in _table(settings, "credhelpers").items() if isinstance(name, str)}
    store = _text(settings, "credsstore")
    if not (accounts or helpers or store):
        store = _platform_store(environ)
    overrides = _overrides(environ.get(_ENVIRONMENT_KEY, ""), warnings)
    return DockerConfig(directory, accounts, store, helpers, overrides, tuple(warnings))


def _home(environ: Mapping[str, str]) -> str:
    if home := environ.get("HOME"):
        return home
    try:
        return pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        return "/"


class _Object(list[tuple[str, Any]]):
    """A JSON object as it was written: Go takes the members one after the other, whatever their case."""

    def values(self, name: str) -> Iterator[Any]:
        """Those of the members that Go takes for `name`, which is in lower case."""
        return (value for key, value in self if key.casefold() == name)


def _parse(text: str) -> tuple[Any, str]:
    """The first value of JSON, and what follows it. Raises `ValueError`."""
    decoder = json.JSONDecoder(
        object_pairs_hook=_Object,
        parse_constant=_refuse_constant,
        parse_int=lambda _: 0,  # however many digits: no number matters here
    )
    try:
        value, end = decoder.raw_decode(text.lstrip(_JSON_SPACE))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    return value, text.lstrip(_JSON_SPACE)[end:]


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _read(path: str, warnings: list[str]) -> _Object:
    try:
        data = read_found(path, limit=_MOST_BYTES)
    except FileNotFoundError:
        return _Object()
    except OSError as error:
        reason = errno_text(error)
        warnings.append(f"WARNING: Error loading config file: open {path}: {reason}")
        return _Object()
    try:
        if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise ValueError("it is UTF-16; save it as UTF-8")
        text = data.removeprefix(codecs.BOM_UTF8).decode("utf-8", "replace")
        settings = _parse(text)[0] if text.strip(_JSON_SPACE) else None
        if not isinstance(settings, _Object | None):
            raise ValueError("it is not a JSON object")
    except ValueError as error:
        warnings.append(f"WARNING: Error parsing config file ({path}): {error}")
        return _Object()
    return settings or _Object()


def _misfits(settings: _Object) -> Iterator[str]:
    """The settings of registries that are of another kind, which Go refuses; they count for nothing."""
    for name, value in settings:
        match name.casefold():
            case "auths" | "credhelpers" if not isinstance(value, _Object | None):
                yield f"{name} is not a JSON object"
            case "credsstore" if not isinstance(value, str | None):
                yield f"{name} is not a string"


def _accounts(settings: _Object, warnings: list[str], path: str) -> dict[str, Account]:
    accounts = {}
    for name, entry in _table(settings, "auths").items():
        try:
            accounts[name] = _account(entry)
        except ValueError as error:
            warnings.append(f"WARNING: Error parsing config file ({path}): {error}")
    return accounts


def _account(entry: Any) -> Account:
    """Raises `ValueError`."""
    members = entry if isinstance(entry, _Object) else _Object()
    username, password, identity, registry, auth = (
        _text(members, name) for name in ("username", "password", "identitytoken", "registrytoken", "auth")
    )
    if auth:
        username, password = _decode(auth)
    return Account(username, password, identity, registry)


def _decode(auth: str) -> tuple[str, str]:
    """User and password of base64 `user:password`. Raises `ValueError`."""
    try:
        # Go skips the line breaks that base64(1) makes; blanks can as little mean anything else.
        data = binascii.a2b_base64("".join(auth.split()), strict_mode=True)
    except ValueError as error:
        raise ValueError(f"auth is not base64: {error}") from None
    username, colon, password = data.decode("utf-8", "surrogateescape").partition(":")
    if not colon or not username:
        raise ValueError("invalid auth configuration file")
    return username, password.strip("\0")


def _overrides(text: str, warnings: list[str]) -> dict[str, Account]:
    if not text:
        return {}
    try:
        settings, rest = _parse(text)
        if rest.strip(_JSON_SPACE):
            raise ValueError("extra data behind it")
        settings = _Object() if settings is None else settings
        if not isinstance(settings, _Object) or _other_members(settings, "auths"):
            raise ValueError("it has more than auths")
        accounts = {}
        for name, entry in _table(settings, "auths").items():
            members = _Object() if entry is None else entry
            if not isinstance(members, _Object) or _other_members(members, "auth"):
                raise ValueError(f"the entry for {name} has more than auth")
            if not _text(members, "auth"):
                raise ValueError(f"DOCKER_AUTH_CONFIG environment variable is missing key `auth` for {name}")
            accounts[name] = _account(members)
    except ValueError as error:
        warnings.append(f"Failed to create credential store from DOCKER_AUTH_CONFIG:  {error}")
        return {}
    return accounts


def _other_members(table: _Object, name: str) -> bool:
    return any(key.casefold() != name for key, _ in table)


def _text(table: _Object, name: str) -> str:
    """The last text that is given for it; null gives none."""
    text = ""
    for value in table.values(name):
        text = value if isinstance(value, str) else text
    return _valid(text)


def _table(settings: _Object, name: str) -> dict[str, Any]:
    """All that is given for it by name; null forgets what was before."""
    table: dict[str, Any] = {}
    for value in settings.values(name):
        if value is None:
            table = {}
        elif isinstance(value, _Object):
            table.update((_valid(key), member) for key, member in value)
    return table


def _valid(text: str) -> str:
    """Without halves of surrogate pairs, which no UTF-8 has."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _host(key: str) -> str:
    """The host, with its port, of a key that may be a URL."""
    if "://" in key:
        with contextlib.suppress(UsageError):
            url = parse_url(key)
            if url.hostname:
                return join_host_port(url.hostname, url.port) if url.port else url.hostname
        key = key.partition("://")[2].rpartition("@")[2]
    return key.partition("/")[0]


def _platform_store(environ: Mapping[str, str]) -> str:
    """The store that this platform has, where the user has chosen none and it is installed."""
    folders = environ.get("PATH", os.defpath).split(os.pathsep)

    def installed(program: str) -> bool:  # shutil.which would load all kinds of compression
        paths = (os.path.join(folder, program) for folder in folders if folder)
        return any(os.path.isfile(path) and os.access(path, os.X_OK) for path in paths)

    if sys.platform == "darwin":
        name = "osxkeychain"
    else:
        name = "pass" if installed("pass") else "secretservice"
    return name if installed(_HELPER + name) else ""
