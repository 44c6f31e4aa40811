"""The flags of `buildctl build`: what is typed, and what came of it as one record."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any

from buildctl.cli.app import App, pass_app
from buildctl.cli.grammar import BOOL, INT, SWITCH, flag


def declared(*names: str, **attributes: Any) -> Any:
    """A field that is read from a flag; `attributes` are those of `grammar.flag`."""
    return field(metadata={"names": names, "attributes": attributes})


@dataclass(frozen=True, eq=False, repr=False)  # of so many fields they take milliseconds to define
class BuildFlags:
    """One command line, not interpreted yet. The help lists the flags in this order."""

    frontend: str = declared(
        "--frontend",
        metavar="NAME",
        help="What reads the build: dockerfile.v0, or gateway.v0 with --opt source=IMAGE.",
    )
    opts: tuple[str, ...] = declared(
        "--opt",
        multiple=True,
        metavar="KEY=VALUE",
        help="Option of the frontend: target=STAGE, build-arg:NAME=VALUE.",
    )
    local_dirs: tuple[str, ...] = declared(
        "--local",
        multiple=True,
        metavar="NAME=DIR",
        help="Let the build read a folder: context=., dockerfile=.",
    )
    context_check: str = declared(
        "--context-check",
        default="metadata",
        metavar="WHAT",
        help="What tells that a file has changed: metadata, or content (keeps digests).",
    )
    on_unreadable: str = declared(
        "--on-unreadable",
        default="error",
        metavar="ACTION",
        help="Files and folders that cannot be read: error, skip (leave out) or empty.",
    )
    shared_key: str = declared(
        "--shared-key",
        metavar="KEY",
        help="Key under which the daemon keeps the folders' files for the next build.",
    )
    outputs: tuple[str, ...] = declared(
        "--output",
        "-o",
        multiple=True,
        metavar="ATTRIBUTES",
        help="Where the result goes: type=local,dest=out.",
    )
    cache_exports: tuple[str, ...] = declared(
        "--export-cache",
        multiple=True,
        metavar="ATTRIBUTES",
        help="Where the cache goes: type=registry,ref=NAME,mode=max or type=local,dest=cache.",
    )
    cache_imports: tuple[str, ...] = declared(
        "--import-cache",
        multiple=True,
        metavar="ATTRIBUTES",
        help="Where a cache comes from: type=registry,ref=NAME or type=local,src=cache.",
    )
    oci_layouts: tuple[str, ...] = declared(
        "--oci-layout",
        multiple=True,
        metavar="ID=DIR",
        help="Let the build read an OCI layout: --opt context:NAME=oci-layout://ID@DIGEST.",
    )
    no_cache: bool = declared("--no-cache", type=BOOL, help="Run every step, cached or not.")
    retries: int = declared(
        "--retries",
        type=INT,
        metavar="N",
        help="Run a build again, N times at most, when the daemon or the way to it was lost.",
    )
    sticky: str = declared(
        "--sticky",
        metavar="KEY",
        help="Project that picks one of several daemons; none is a random one. Default: the folders.",
    )
    progress: str = declared(
        "--progress",
        default="auto",
        metavar="MODE",
        help="Display: auto, tty, plain, rawjson, quiet, errors, grouped, or a CI service's, such as github.",
    )
    secrets: tuple[str, ...] = declared(
        "--secret",
        multiple=True,
        metavar="ATTRIBUTES",
        help="Offer a secret: id=npm,src=.npmrc or id=token,env=TOKEN.",
    )
    ssh: tuple[str, ...] = declared(
        "--ssh",
        multiple=True,
        metavar="ID[=PATHS]",
        help="Offer your SSH agent, another's socket, or private keys: default, git=id_ed25519.",
    )
    tls_contexts: tuple[str, ...] = declared(
        "--registry-auth-tlscontext",
        multiple=True,
        metavar="ATTRIBUTES",
        help="Trust a registry's token server: host=HOST,ca=FILE, cert=FILE,key=FILE or insecure=true.",
    )
    auth_hosts: tuple[str, ...] = declared(
        "--registry-auth-hosts",
        multiple=True,
        metavar="HOSTS",
        help="Registries the daemon may ask your accounts for: HOST,..., auto or none. Default: all.",
    )
    entitlements: tuple[str, ...] = declared(
        "--allow",
        multiple=True,
        metavar="ENTITLEMENT",
        help="Grant network.host, security.insecure or device.",
    )
    source_policy_file: str = declared(
        "--source-policy-file", metavar="FILE", help="Allow, deny or replace sources by rules in JSON."
    )
    proxy_network: bool = declared(
        "--proxy-network", type=BOOL, help="Let steps reach the network through the daemon's proxy only."
    )
    metadata_file: str = declared(
        "--metadata-file", metavar="FILE", help="Write what the exporters answer, such as digests, as JSON."
    )
    ref_file: str = declared("--ref-file", metavar="FILE", help="Write the build's ref.")
    on_error: str = declared(
        "--on-error",
        metavar="ACTION",
        help="When a step fails: fail, or shell (open one in it, on this terminal, before the build ends).",
    )
    debug_shell: str = declared(
        "--debug-shell",
        metavar="STEP",
        help="Open a shell before the step runs whose name has STEP in it, such as 'RUN make'.",
    )
    shell_image: str = declared(
        "--shell-image",
        metavar="IMAGE",
        help="Image whose static shell these two use, such as busybox:musl. Default: the step's own.",
    )
    summary: bool | None = declared(
        "--summary",
        type=SWITCH,
        help="Tell where the time went. Default: true on a terminal with the live display.",
    )
    timings: str = declared(
        "--timings", metavar="FILE", help="Write the times of all steps and the critical path as JSON."
    )
    timelines: tuple[str, ...] = declared(
        "--timeline",
        multiple=True,
        metavar="FILE",
        help="Write a chart of the build: a page (FILE.html), or events for Perfetto (FILE.json).",
    )
    trace: str = declared("--trace", metavar="FILE", help="Append all that the build says as lines of JSON.")
    session_log: str = declared(
        "--session-log",
        metavar="FILE",
        help="Append what the daemon asked of this machine, and how that ended, as lines of JSON.",
    )
    events: str = declared(
        "--events",
        metavar="FILE",
        help="Write the build as lines of JSON for programs, to a file, fd:N for an open descriptor, or -.",
    )
    log_dir: str = declared(
        "--log-dir",
        metavar="DIR",
        help="Keep the log of each step, and the events, as files in a new folder below DIR.",
    )
    metrics: str = declared(
        "--debug-json-cache-metrics",
        metavar="FILE",
        help="Write how much came from the cache as JSON, to a file, stdout or stderr.",
    )


def build_flags(function: Callable[[App, BuildFlags], None]) -> Callable[..., None]:
    """Declare the flags on a command's function, which gets them as one record after the running `App`."""

    @functools.wraps(function)
    def with_record(app: App, **given: Any) -> None:
        function(app, BuildFlags(**given))

    command = pass_app(with_record)
    for one in reversed(fields(BuildFlags)):
        command = flag(*one.metadata["names"], one.name, **one.metadata["attributes"])(command)
    return command
