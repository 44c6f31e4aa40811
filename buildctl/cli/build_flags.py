"""The flags of `buildctl build`: what is typed, and what came of it as one record."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any

from buildctl.cli.app import App, pass_app
from buildctl.cli.grammar import BOOL, INT, OPTIONAL, SWITCH, flag

WHAT = "Flags for what is built"
CACHES = "Flags for caches"
OFFERS = "Flags for what the daemon may use"
RECORDS = "Flags for what is written about the build"
RUNNING = "Flags for how it runs"
"""Titles of the help's sections; the flags that people use first have none, and come first."""


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
        group=WHAT,
    )
    opts: tuple[str, ...] = declared(
        "--opt",
        multiple=True,
        metavar="KEY=VALUE",
        help="Option of the frontend: target=STAGE, build-arg:NAME=VALUE.",
        group=WHAT,
    )
    local_dirs: tuple[str, ...] = declared(
        "--local",
        multiple=True,
        metavar="NAME=DIR",
        help="Let the build read a folder: context=., dockerfile=.",
        group=WHAT,
    )
    context_check: str = declared(
        "--context-check",
        default="metadata",
        metavar="WHAT",
        help="What tells that a file has changed: metadata, or content (keeps digests).",
        group=WHAT,
    )
    on_unreadable: str = declared(
        "--on-unreadable",
        default="error",
        metavar="ACTION",
        help="Files and folders that cannot be read: error, skip (leave out) or empty.",
        group=WHAT,
    )
    shared_key: str = declared(
        "--shared-key",
        metavar="KEY",
        help="Key under which the daemon keeps the folders' files for the next build.",
        group=WHAT,
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
        group=CACHES,
    )
    cache_imports: tuple[str, ...] = declared(
        "--import-cache",
        multiple=True,
        metavar="ATTRIBUTES",
        help="Where a cache comes from: type=registry,ref=NAME or type=local,src=cache.",
        group=CACHES,
    )
    oci_layouts: tuple[str, ...] = declared(
        "--oci-layout",
        multiple=True,
        metavar="ID=DIR",
        help="Let the build read an OCI layout: --opt context:NAME=oci-layout://ID@DIGEST.",
        group=WHAT,
    )
    no_cache: bool = declared("--no-cache", type=BOOL, help="Run every step, cached or not.")
    assert_cached: str = declared(
        "--assert-cached",
        type=OPTIONAL,
        metavar="GLOB",
        help="Fail, with exit code 4, if steps ran; with a value only those whose names match.",
        group=CACHES,
    )
    retries: int = declared(
        "--retries",
        type=INT,
        metavar="N",
        help="Run a build again, N times at most, when the daemon or the way to it was lost.",
        group=RUNNING,
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
        group=OFFERS,
    )
    tls_contexts: tuple[str, ...] = declared(
        "--registry-auth-tlscontext",
        multiple=True,
        metavar="ATTRIBUTES",
        help="Trust a registry's token server: host=HOST,ca=FILE, cert=FILE,key=FILE or insecure=true.",
        group=OFFERS,
    )
    auth_hosts: tuple[str, ...] = declared(
        "--registry-auth-hosts",
        multiple=True,
        metavar="HOSTS",
        help="Registries the daemon may ask your accounts for: HOST,..., auto or none. Default: all.",
        group=OFFERS,
    )
    entitlements: tuple[str, ...] = declared(
        "--allow",
        multiple=True,
        metavar="ENTITLEMENT",
        help="Grant network.host, security.insecure or device.",
        group=WHAT,
    )
    source_policy_file: str = declared(
        "--source-policy-file",
        metavar="FILE",
        help="Allow, deny or replace sources by rules in JSON.",
        group=WHAT,
    )
    proxy_network: bool = declared(
        "--proxy-network",
        type=BOOL,
        help="Let steps reach the network through the daemon's proxy only.",
        group=WHAT,
    )
    metadata_file: str = declared(
        "--metadata-file",
        metavar="FILE",
        help="Write what the exporters answer, such as digests, as JSON.",
        group=RECORDS,
    )
    ref_file: str = declared("--ref-file", metavar="FILE", help="Write the build's ref.", group=RECORDS)
    on_error: str = declared(
        "--on-error",
        metavar="ACTION",
        help="When a step fails: fail, or shell (open one in it, on this terminal, before the build ends).",
        group=RUNNING,
    )
    debug_shell: str = declared(
        "--debug-shell",
        metavar="STEP",
        help="Open a shell before the step runs whose name has STEP in it, such as 'RUN make'.",
        group=RUNNING,
    )
    shell_image: str = declared(
        "--shell-image",
        metavar="IMAGE",
        help="Image whose static shell these two use, such as busybox:musl. Default: the step's own.",
        group=RUNNING,
    )
    summary: bool | None = declared(
        "--summary",
        type=SWITCH,
        help="Tell where the time went. Default: true on a terminal with the live display.",
        group=RECORDS,
    )
    timings: str = declared(
        "--timings",
        metavar="FILE",
        help="Write the times of all steps and the critical path as JSON.",
        group=RECORDS,
    )
    timelines: tuple[str, ...] = declared(
        "--timeline",
        multiple=True,
        metavar="FILE",
        help="Write a chart of the build: a page (FILE.html), or events for Perfetto (FILE.json).",
        group=RECORDS,
    )
    trace: str = declared(
        "--trace", metavar="FILE", help="Append all that the build says as lines of JSON.", group=RECORDS
    )
    session_log: str = declared(
        "--session-log",
        metavar="FILE",
        help="Append what the daemon asked of this machine, and how that ended, as lines of JSON.",
        group=RECORDS,
    )
    events: str = declared(
        "--events",
        metavar="FILE",
        help="Write the build as lines of JSON for programs, to a file, fd:N for an open descriptor, or -.",
        group=RECORDS,
    )
    log_dir: str = declared(
        "--log-dir",
        metavar="DIR",
        help="Keep the log of each step, and the events, as files in a new folder below DIR.",
        group=RECORDS,
    )
    tags: tuple[str, ...] = declared(
        "--tag", "-t", multiple=True, metavar="NAME", help="Name of the image, as with docker build."
    )
    file: str = declared(
        "--file", "-f", metavar="FILE", help="The Dockerfile; - is standard input. Default: PATH/Dockerfile."
    )
    target: str = declared("--target", metavar="STAGE", help="The stage to build.")
    build_args: tuple[str, ...] = declared(
        "--build-arg",
        multiple=True,
        metavar="NAME[=VALUE]",
        help="Build argument; without value, the variable's.",
    )
    labels: tuple[str, ...] = declared(
        "--label", multiple=True, metavar="NAME=VALUE", help="Label of the image.", group=WHAT
    )
    annotations: tuple[str, ...] = declared(
        "--annotation",
        multiple=True,
        metavar="NAME=VALUE",
        help="Annotation of the image's manifest.",
        group=WHAT,
    )
    platforms: tuple[str, ...] = declared(
        "--platform", multiple=True, metavar="PLATFORM", help="What is built for: linux/amd64,linux/arm64."
    )
    push: bool = declared("--push", type=BOOL, help="Push the image to its registry.")
    load: bool = declared("--load", type=BOOL, help="Load the image into the Docker Engine here.")
    pull: bool = declared("--pull", type=BOOL, help="Look for newer base images.", group=WHAT)
    build_contexts: tuple[str, ...] = declared(
        "--build-context",
        multiple=True,
        metavar="NAME=PLACE",
        help="A folder, URL or image as a named context.",
        group=WHAT,
    )
    no_cache_filter: tuple[str, ...] = declared(
        "--no-cache-filter",
        multiple=True,
        metavar="STAGE",
        help="Run every step of these stages.",
        group=WHAT,
    )
    iidfile: str = declared("--iidfile", metavar="FILE", help="Write the digest of the image.", group=RECORDS)
    dry_run: bool = declared(
        "--dry-run",
        type=BOOL,
        help="Build nothing; tell the long form, and what would be sent and written.",
        group=RUNNING,
    )
    style: str = declared("--format", metavar="FORMAT", help="Of --dry-run: text or json.", group=RUNNING)
    metrics: str = declared(
        "--debug-json-cache-metrics",
        metavar="FILE",
        help="Write how much came from the cache as JSON, to a file, stdout or stderr.",
        group=RECORDS,
    )


def build_flags(function: Callable[[App, BuildFlags, tuple[str, ...]], None]) -> Callable[..., None]:
    """Declare the flags on a command's function, which gets them as one record between the running `App` and
    the positional arguments."""

    @functools.wraps(function)
    def with_record(app: App, args: tuple[str, ...], **given: Any) -> None:
        function(app, BuildFlags(**given), args)

    command = pass_app(with_record)
    for one in reversed(fields(BuildFlags)):
        command = flag(*one.metadata["names"], one.name, **one.metadata["attributes"])(command)
    return command
