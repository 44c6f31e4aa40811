"""Reads the settings of the user and of the project in the current folder.

A user's file may say everything. A project's file comes with whatever was cloned: what in it could run a
program, send a credential or leave its folder holds only once it was allowed (`trust`). Without files nothing
is loaded to read them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from buildctl.cli.settings.find import PROJECT_FILE, is_off, user_file
from buildctl.errors import UsageError
from buildctl.model.quote import quote
from buildctl.system.failure import errno_text
from buildctl.system.smallfile import read_found

_LIMIT = 1 << 20
"""Bytes of a settings file."""
DAEMON_KEYS = ("addr", "tlscacert", "tlscert", "tlskey", "tlsdir", "tlsservername")
_TABLES = ("daemon", "daemons", "global", "flags")


class Source(NamedTuple):
    """One settings file."""

    path: str
    is_project: bool
    fields: Mapping[str, Any]
    data: bytes = b""

    @property
    def origin(self) -> str:
        """`project` or `user`, with the file."""
        return f"{'project' if self.is_project else 'user'} ({self.path})"


class Said(NamedTuple):
    """A value, and where it was said."""

    value: Any
    source: Source


class Settings(NamedTuple):
    """All files that hold, those that count more first."""

    sources: tuple[Source, ...] = ()

    def flag(self, path: str, name: str) -> Said | None:
        """What is said of a command's flag; `path` is the words below `buildctl`, empty for global flags."""
        for source in self.sources:
            table = source.fields.get("flags", {}) if path else source.fields.get("global", {})
            for word in path.split():
                table = table.get(word, {}) if isinstance(table, Mapping) else {}
            if isinstance(table, Mapping) and name in table:
                return Said(table[name], source)
        return None

    def all_flags(self) -> Iterator[tuple[str, str, Said]]:
        """Every flag that something is said of: its command's words, its name, and what holds."""
        seen: dict[tuple[str, str], None] = {}
        for source in self.sources:
            seen |= dict.fromkeys(("", name) for name in source.fields.get("global", {}))
            waiting = [("", source.fields.get("flags", {}))]
            while waiting:
                path, table = waiting.pop()
                for name, value in table.items():
                    if isinstance(value, Mapping):
                        waiting.append((f"{path} {name}".strip(), value))
                    elif path:
                        seen[path, name] = None
        for path, name in seen:
            if (said := self.flag(path, name)) is not None:
                yield path, name, said

    def daemon_name(self) -> Said | None:
        """The daemon that is used if no other is named."""
        return next(
            (Said(source.fields["daemon"], source) for source in self.sources if "daemon" in source.fields),
            None,
        )

    def daemon(self, name: str) -> Said | None:
        """What is said of a named daemon: a table with `DAEMON_KEYS`."""
        for source in self.sources:
            if name in source.fields.get("daemons", {}):
                return Said(source.fields["daemons"][name], source)
        return None

    def daemons(self) -> dict[str, Said]:
        """All named daemons."""
        names = dict.fromkeys(name for source in self.sources for name in source.fields.get("daemons", {}))
        return {name: said for name in names if (said := self.daemon(name)) is not None}


def load_settings(variables: Mapping[str, str]) -> Settings:
    """The settings that hold here. Raises `UsageError` for a file that cannot be read or understood."""
    if is_off(variables):
        return Settings()
    sources = []
    for path, is_project in ((PROJECT_FILE, True), (user_file(variables), False)):
        source = read_source(path, is_project=is_project) if path else None
        if source is not None:
            sources.append(source)
    return Settings(tuple(sources))


def read_source(path: str, *, is_project: bool) -> Source | None:
    """One file; None where there is none. Raises `UsageError`."""
    try:
        data = read_found(path, limit=_LIMIT)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise UsageError(f"open {path}: {errno_text(error)}") from None
    return Source(path, is_project, parse(data, path), data)


def parse(data: bytes, path: str) -> Mapping[str, Any]:
    """The fields of a file, in the shape that they must have. Raises `UsageError` that names file and key."""
    import tomllib  # only where there are settings

    try:
        fields = tomllib.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise UsageError(f"{path}: not UTF-8") from None
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise UsageError(f"{path}: {reason}") from None
    for problem in _problems(fields):
        raise UsageError(f"{path}: {problem}", hint="docs/settings.md says what a settings file can have")
    return fields


def _problems(fields: Mapping[str, Any]) -> Iterator[str]:
    for name, value in fields.items():
        if name not in _TABLES:
            yield f"there is no setting {quote(name)}; the tables are {', '.join(_TABLES)}"
        elif name == "daemon" and not isinstance(value, str):
            yield "daemon is the name of one of [daemons]"
        elif name != "daemon" and not isinstance(value, dict):
            yield f"{name} is a table: [{name}]"
    daemons = fields.get("daemons", {})
    for name, daemon in daemons.items() if isinstance(daemons, dict) else ():
        if not isinstance(daemon, dict) or not isinstance(daemon.get("addr"), str):
            yield f"daemons.{name} needs addr, an address as --addr takes it"
            continue
        for key, value in daemon.items():
            if key not in DAEMON_KEYS or not isinstance(value, str):
                yield f"daemons.{name}.{key}: a daemon has {', '.join(DAEMON_KEYS)}, which are texts"


def texts_of(said: Said, name: str) -> list[str]:
    """A flag's value as it would be typed, once for each element of a list. Raises `UsageError`."""
    values = said.value if isinstance(said.value, list) else [said.value]
    texts = []
    for value in values:
        if isinstance(value, bool):
            texts.append("true" if value else "false")
        elif isinstance(value, str | int | float):
            texts.append(str(value))
        else:
            raise UsageError(f"{said.source.path}: {name} is a text, a number, a boolean or a list of texts")
    return texts
