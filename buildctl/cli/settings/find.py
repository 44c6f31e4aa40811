"""Where settings files lie, and whether there are any: all that a command line without them pays for."""

from __future__ import annotations

import os
from collections.abc import Mapping

PROJECT_FILE = "buildctl.toml"
_USER_FILE = "buildctl/config.toml"


def is_off(variables: Mapping[str, str]) -> bool:
    """Whether no settings are wanted: BUILDCTL_CONFIG=off."""
    return variables.get("BUILDCTL_CONFIG", "") == "off"


def has_settings(variables: Mapping[str, str]) -> bool:
    """Whether there is a file to read."""
    path = user_file(variables)
    return not is_off(variables) and (os.path.lexists(PROJECT_FILE) or bool(path and os.path.lexists(path)))


def user_file(variables: Mapping[str, str]) -> str:
    """`buildctl/config.toml` below XDG_CONFIG_HOME or ~/.config; empty where no place is known."""
    folder = variables.get("XDG_CONFIG_HOME", "")
    if not os.path.isabs(folder):  # others are to be ignored (XDG Base Directory Specification)
        home = variables.get("HOME", "")
        folder = os.path.join(home, ".config") if os.path.isabs(home) else ""
    return os.path.join(folder, _USER_FILE) if folder else ""
