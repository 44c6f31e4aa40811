"""The environment variables that buildctl reads, and the commands that each one is for."""

from __future__ import annotations

from typing import NamedTuple


class Variable(NamedTuple):
    """One variable; without commands it is every command's."""

    name: str
    help: str
    commands: tuple[str, ...] = ()


_BUILD = ("build",)
_SHOW = ("build", "debug logs")

VARIABLES = (
    Variable("BUILDKIT_HOST", "The daemon's address; --addr counts more."),
    Variable("BUILDKIT_TLS_DIR", "As --tlsdir; so BUILDKIT_TLS_CACERT, _CERT, _KEY and _SERVERNAME."),
    Variable("XDG_CONFIG_HOME", "Where buildctl/config.toml is. Default: ~/.config."),
    Variable("BUILDCTL_CONFIG", "off leaves all settings files aside."),
    Variable("DOCKER_HOST", "The Docker Engine of docker://."),
    Variable("XDG_RUNTIME_DIR", "Where a rootless daemon's socket is looked for."),
    Variable("HTTPS_PROXY", "Proxy of tcp:// addresses; NO_PROXY names hosts without."),
    Variable("TRACEPARENT", "Trace to continue; TRACESTATE goes with it."),
    Variable("OTEL_TRACES_EXPORTER", "Where traces go: otlp (with buildctl[otel]) or none."),
    Variable("OTEL_EXPORTER_OTLP_ENDPOINT", "Collector of traces; the other OTEL_* variables hold too."),
    Variable("BUILDKIT_PROGRESS", "Display, if --progress is auto.", _SHOW),
    Variable(
        "GITHUB_ACTIONS",
        "Display of a CI service, if --progress is auto; so do GITLAB_CI, BUILDKITE, TF_BUILD, "
        "TEAMCITY_VERSION.",
        _BUILD,
    ),
    Variable("GITHUB_STEP_SUMMARY", "File that --progress=github appends a table of the steps to.", _BUILD),
    Variable(
        "GITHUB_WORKSPACE",
        "What annotations' paths are relative to; so CI_PROJECT_DIR, BUILDKITE_BUILD_CHECKOUT_PATH, "
        "BUILD_SOURCESDIRECTORY.",
        _BUILD,
    ),
    Variable("BUILDKIT_COLORS", "Colours: run=green:warning=yellow:error=red:cancel=255,165,0.", _SHOW),
    Variable("NO_COLOR", "No colours at all.", _SHOW),
    Variable("BUILDKIT_TTY_LOG_LINES", "Log lines of a running step on a terminal. Default: 6.", _SHOW),
    Variable("TTY_DISPLAY_RATE", "Milliseconds between two pictures.", _SHOW),
    Variable("PROGRESS_NO_TRUNC", "0 shortens names in plain progress.", _SHOW),
    Variable("XDG_CACHE_HOME", "Where --context-check=content keeps digests. Default: ~/.cache.", _BUILD),
    Variable("XDG_STATE_HOME", "This client's id, and what it sent. Default: ~/.local/state.", _BUILD),
    Variable("SOURCE_DATE_EPOCH", "Value of the build argument of that name.", _BUILD),
    Variable(
        "DOCKER_CONFIG", "Folder of config.json with the registries' credentials. Default: ~/.docker.", _BUILD
    ),
    Variable("DOCKER_AUTH_CONFIG", "The content of such a file; it counts more.", _BUILD),
    Variable("BUILDKIT_NO_CLIENT_TOKEN", "Let the daemon fetch registry tokens itself.", _BUILD),
    Variable("SSH_AUTH_SOCK", "Agent that --ssh offers.", _BUILD),
    Variable(
        "ACTIONS_RUNTIME_TOKEN",
        "Token of the gha cache; ACTIONS_CACHE_URL, ACTIONS_RESULTS_URL its server.",
        _BUILD,
    ),
)


def variables_of(path: str) -> list[Variable]:
    """The variables of a command, its words below `buildctl` joined by spaces; of the root, all of them."""
    return [
        variable for variable in VARIABLES if not path or not variable.commands or path in variable.commands
    ]
