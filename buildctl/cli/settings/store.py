"""Changes the user's settings file, and keeps its comments and its order."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from buildctl.cli.settings.find import user_file
from buildctl.cli.settings.load import parse
from buildctl.errors import BuildctlError, UsageError
from buildctl.system.failure import errno_text
from buildctl.system.folders import make_folders
from buildctl.system.outfile import write_whole
from buildctl.system.smallfile import read_found

if TYPE_CHECKING:
    from tomlkit import TOMLDocument

_LIMIT = 1 << 20
_MODE = 0o600
"""It may name keys."""


class UserFile:
    """The file for a change: read at first, written by `save`."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        """Raises `UsageError` where no place is known or what is there cannot be understood."""
        import tomlkit

        self.path = user_file(variables)
        if not self.path:
            raise UsageError(
                "there is no place for settings", hint="set HOME, or XDG_CONFIG_HOME to an absolute path"
            )
        try:
            data = read_found(self.path, limit=_LIMIT)
        except FileNotFoundError:
            data = b""
        except OSError as error:
            raise UsageError(f"open {self.path}: {errno_text(error)}") from None
        parse(data, self.path)
        self._document: TOMLDocument = tomlkit.parse(data.decode("utf-8-sig"))

    @property
    def daemons(self) -> Mapping[str, Any]:
        """The named daemons."""
        table: Mapping[str, Any] = self._document.get("daemons", {})
        return table

    @property
    def default(self) -> str:
        """The daemon that is used unless another is named; mostly empty."""
        return str(self._document.get("daemon", ""))

    def add(self, name: str, daemon: Mapping[str, str]) -> None:
        """Enter a daemon, in place of one of that name."""
        import tomlkit

        if "daemons" not in self._document:
            self._document["daemons"] = tomlkit.table(is_super_table=True)
        table = tomlkit.table()
        table.update({key: value for key, value in daemon.items() if value})
        self._document["daemons"][name] = table

    def remove(self, name: str) -> None:
        """Forget a daemon; one that was the default is no longer."""
        self._document["daemons"].pop(name)
        if self.default == name:
            self._document.pop("daemon")

    def use(self, name: str) -> None:
        """Make a daemon the default; with an empty name there is none any more."""
        import tomlkit

        if not name:
            self._document.pop("daemon", None)
        elif "daemon" in self._document or not self._document.body:
            self._document["daemon"] = name
        else:  # above the tables, or it would belong to the last of them
            text = tomlkit.dumps({"daemon": name}) + tomlkit.dumps(self._document)
            self._document = tomlkit.parse(text)

    def save(self) -> None:
        """Write it, whole at once. Raises `BuildctlError`."""
        import tomlkit

        data = tomlkit.dumps(self._document).encode()
        parse(data, self.path)
        try:
            make_folders(os.path.dirname(self.path), 0o700)
        except OSError as error:
            raise BuildctlError(f"mkdir {self.path}: {errno_text(error)}") from None
        write_whole(self.path, data, mode=_MODE)
