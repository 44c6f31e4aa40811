"""Docker's `config.json`: who the user is to which registry, and who knows. Read, never written.

Source: docker/cli, cli/config (configfile/file.go, credentials/file_store.go).
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import pwd
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple

_HUB_KEY = "https://index.docker.io/v1/"
_HUB_HOSTS = ("registry-1.docker.io", "docker.io", "index.docker.io")
_ENVIRONMENT_KEY = "DOCKER_AUTH_CONFIG"
_HELPER = "docker-credential-"


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
    settings = _read(os.path.join(directory, "config.json"), warnings)
    accounts = _accounts(settings, warnings, os.path.join(directory, "config.json"))
    helpers = {key: name for key, name in _table(settings, "credHelpers").items() if isinstance(name, str)}
    store = _member(settings, "credsStore")
    store = store if isinstance(store, str) else ""
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


def _read(path: str, warnings: list[str]) -> Mapping[str, Any]:
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read().lstrip(" \t\r\n")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        reason = (error.strerror or "").lower() if isinstance(error, OSError) else "it is not UTF-8"
        warnings.append(f"WARNING: Error loading config file: open {path}: {reason}")
        return {}
    try:
        settings = json.JSONDecoder().raw_decode(text)[0] if text else {}
        if not isinstance(settings, dict):
            raise ValueError("it is no JSON object")
    except (ValueError, RecursionError) as error:
        warnings.append(f"WARNING: Error parsing config file ({path}): {error}")
        return {}
    return settings


def _accounts(settings: Mapping[str, Any], warnings: list[str], path: str) -> dict[str, Account]:
    accounts = {}
    for name, entry in _table(settings, "auths").items():
        try:
            accounts[name] = _account(entry)
        except ValueError as error:
            warnings.append(f"WARNING: Error parsing config file ({path}): {error}")
    return accounts


def _account(entry: Any) -> Account:
    """Raises `ValueError`."""
    username, password, identity, registry, auth = (
        value if isinstance(value := _member(entry, name), str) else ""
        for name in ("username", "password", "identitytoken", "registrytoken", "auth")
    )
    if auth:
        username, password = _decode(auth)
    return Account(username, password, identity, registry)


def _decode(auth: str) -> tuple[str, str]:
    """User and password of base64 `user:password`. Raises `ValueError`."""
    try:
        text = base64.b64decode(auth, validate=True).decode("utf-8", "surrogateescape")
    except binascii.Error as error:
        raise ValueError(f"auth is not base64: {error}") from None
    username, colon, password = text.partition(":")
    if not colon or not username:
        raise ValueError("invalid auth configuration file")
    return username, password.strip("\0")


def _overrides(text: str, warnings: list[str]) -> dict[str, Account]:
    if not text:
        return {}
    try:
        settings = json.loads(text)
        if not isinstance(settings, dict) or set(settings) - {"auths"}:
            raise ValueError("it has more than auths")
        accounts = {}
        for name, entry in _table(settings, "auths").items():
            if not isinstance(entry, dict) or set(entry) - {"auth"}:
                raise ValueError(f"the entry for {name} has more than auth")
            if not entry.get("auth"):
                raise ValueError(f"DOCKER_AUTH_CONFIG environment variable is missing key `auth` for {name}")
            accounts[name] = _account(entry)
    except (ValueError, RecursionError) as error:
        warnings.append(f"Failed to create credential store from DOCKER_AUTH_CONFIG:  {error}")
        return {}
    return accounts


def _member(table: Any, name: str) -> Any:
    """A member of a JSON object, whatever the case of its name, as Go finds it."""
    if not isinstance(table, dict):
        return None
    return table.get(name, next((table[key] for key in table if key.lower() == name.lower()), None))


def _table(settings: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    table = _member(settings, name)
    return table if isinstance(table, dict) else {}


def _host(key: str) -> str:
    """The host, with its port, of a key that may be a URL."""
    if "://" in key:
        from urllib.parse import urlsplit  # which few configurations need

        try:
            if netloc := urlsplit(key).netloc.rpartition("@")[2]:
                return netloc
        except ValueError:
            pass
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
