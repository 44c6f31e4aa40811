"""The ways of showing a build, and which of them belongs to the CI service that a job runs in.

Apart from `modes`, which opens displays: every command asks where it runs, and this loads nothing.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping


class Mode(enum.StrEnum):
    """A way of showing a build; the values are what the user types."""

    TTY = "tty"
    PLAIN = "plain"
    RAWJSON = "rawjson"
    QUIET = "quiet"
    ERRORS = "errors"
    GROUPED = "grouped"
    GITHUB = "github"
    GITLAB = "gitlab"
    BUILDKITE = "buildkite"
    AZURE = "azure"
    TEAMCITY = "teamcity"


_SERVICES = {
    "GITHUB_ACTIONS": Mode.GITHUB,
    "GITLAB_CI": Mode.GITLAB,
    "BUILDKITE": Mode.BUILDKITE,
    "TF_BUILD": Mode.AZURE,
    "TEAMCITY_VERSION": Mode.TEAMCITY,
}
"""What a CI service sets in its jobs, and its mode."""
SERVICES = frozenset(_SERVICES.values())
_UNSET = frozenset({"", "false", "False", "0"})


def service_of(variables: Mapping[str, str]) -> Mode | None:
    """The mode of the CI service that the variables name."""
    return next((mode for name, mode in _SERVICES.items() if variables.get(name, "") not in _UNSET), None)
