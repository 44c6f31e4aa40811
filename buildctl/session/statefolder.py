"""Where this client keeps what is to last from one build to the next."""

from __future__ import annotations

import os
from collections.abc import Mapping


def home_folder(variables: Mapping[str, str]) -> str:
    """The user's home; empty where it is not there, such as the `/nonexistent` of users that have none. It is
    not to be made, which root could do."""
    home = variables.get("HOME", "")
    return home if os.path.isabs(home) and os.path.isdir(home) else ""


def state_folder(variables: Mapping[str, str]) -> str:
    """`buildctl` below XDG_STATE_HOME, which need not exist; empty where no place is known."""
    folder = variables.get("XDG_STATE_HOME", "")
    if not os.path.isabs(folder):  # others are to be ignored (XDG Base Directory Specification)
        folder = os.path.join(home_folder(variables), ".local", "state")
    return os.path.join(folder, "buildctl") if os.path.isabs(folder) else ""


def transfer_records(variables: Mapping[str, str]) -> str:
    """Where it is kept what builds sent of their folders; empty where no place is known."""
    folder = state_folder(variables)
    return os.path.join(folder, "sent") if folder else ""
