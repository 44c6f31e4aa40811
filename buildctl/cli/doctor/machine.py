"""What on this machine a build depends on: accounts, helpers, proxies, agents, folders, the terminal."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from buildctl.cli.doctor.finding import Finding, Verdict

if TYPE_CHECKING:
    from buildctl.cli.environment import Environment

_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
_HELPER = "docker-credential-"


def examine_registries(variables: Mapping[str, str]) -> Iterator[Finding]:
    """Which file, which helper, for which host; no account is looked into."""
    from buildctl.session.auth.dockerconfig import load_docker_config

    config = load_docker_config(variables)
    path = os.path.join(config.directory, "config.json")
    there = os.path.exists(path)
    yield Finding("registry", "configuration", path if there else f"{path} (not there)")
    for warning in config.warnings:
        yield Finding("registry", "configuration", warning, Verdict.WARNING, "mend the file, or log in again")
    for host in config.accounts:
        yield Finding("registry", "account", f"{host}: in the file")
    helpers = dict(config.helpers)
    if config.store:
        helpers["every other host"] = config.store
    for host, name in helpers.items():
        program = _HELPER + name
        found = shutil.which(program, path=variables.get("PATH", ""))
        yield Finding(
            "registry",
            "account",
            f"{host}: {program}" + ("" if found else " (not found)"),
            Verdict.OK if found else Verdict.ERROR,
            "" if found else f"install {program}, or take it out of {path}: such registries cannot be used",
        )
    if config.overrides:
        hosts = ", ".join(config.overrides)
        yield Finding("registry", "account", f"{hosts}: DOCKER_AUTH_CONFIG, which counts more than the file")
    if not (config.accounts or helpers or config.overrides):
        yield Finding(
            "registry", "account", "none", Verdict.NOTE, "public images only; docker login writes accounts"
        )


def examine_network(variables: Mapping[str, str], endpoint: str) -> Iterator[Finding]:
    """Proxies of this client; those of build steps are build arguments."""
    from buildctl.errors import BuildctlError
    from buildctl.transport.proxy import environment_proxy

    named = {
        name: value for name in _PROXIES if (value := variables.get(name) or variables.get(name.lower()))
    }
    for name in named:
        yield Finding("network", name, "set")
    if not endpoint:
        if named:
            yield Finding("network", "proxy", "not used: the daemon is not reached by TCP", Verdict.NOTE)
        return
    try:
        proxy = environment_proxy("https", endpoint, variables)
    except BuildctlError as error:
        yield Finding("network", "proxy", str(error), Verdict.ERROR, error.hint)
        return
    yield Finding("network", "proxy", f"of {endpoint}: {'by HTTPS_PROXY' if proxy else 'none'}")


def examine_machine(environment: Environment) -> Iterator[Finding]:
    """What of this machine builds may use, and how they are shown."""
    from buildctl.progress.terminal import TerminalOptions
    from buildctl.session.statefolder import state_folder

    variables = environment.variables
    agent = variables.get("SSH_AUTH_SOCK", "")
    if agent and not os.path.exists(agent):
        yield Finding(
            "here",
            "SSH agent",
            f"{agent} (not there)",
            Verdict.WARNING,
            "start ssh-agent; --ssh default fails",
        )
    else:
        yield Finding("here", "SSH agent", agent or "none, so --ssh needs keys")
    folder = state_folder(variables)
    writable = bool(folder) and os.access(_existing(folder), os.W_OK)
    yield Finding(
        "here",
        "state",
        folder or "no place",
        Verdict.OK if writable else Verdict.WARNING,
        ""
        if writable
        else "set HOME or XDG_STATE_HOME: without it projects take turns in the daemon's cache",
    )
    options = TerminalOptions.from_variables(variables)
    if environment.is_terminal(environment.stderr):
        columns, lines = environment.terminal_size(environment.stderr)
        characters = "UTF-8" if options.utf8 else "ASCII"
        colors = options.color_system or "no"
        yield Finding(
            "here",
            "terminal",
            f"{variables.get('TERM', 'unknown')}, {columns} by {lines}, {characters}, {colors} colours",
            Verdict.OK if options.moves_cursor else Verdict.NOTE,
            ""
            if options.moves_cursor
            else "TERM says that the cursor cannot move: builds are shown as lines",
        )
    else:
        yield Finding("here", "terminal", "none: builds are shown as lines")
    for warning in options.warnings:
        yield Finding("here", "terminal", warning, Verdict.WARNING)


def _existing(folder: str) -> str:
    """The folder, or the nearest above it that exists."""
    while not os.path.exists(folder) and os.path.dirname(folder) != folder:
        folder = os.path.dirname(folder)
    return folder
