"""`buildctl build`: flags become a `SolveOpt`, the client solves it, the display shows it.

The order in which flags are read, and so which of two mistakes is reported, is the reference's
(cmd/buildctl/build.go); unlike it, nothing is created before the daemon delivers.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from buildctl.cli import log
from buildctl.cli.app import App, pass_app
from buildctl.cli.build_inputs import (
    check_destination,
    check_local,
    read_definition,
    read_source_policy,
)
from buildctl.cli.display import display_on
from buildctl.cli.flags.cache import parse_export_cache, parse_import_cache
from buildctl.cli.flags.entitlement import parse_entitlement
from buildctl.cli.flags.keyvalue import parse_locals, parse_oci_layouts, parse_opts
from buildctl.cli.flags.output import parse_output
from buildctl.cli.grammar import BOOL, Command, flag
from buildctl.cli.metadata import format_metadata
from buildctl.cli.offers import Offers, find_offers, serve_offers
from buildctl.cli.outfile import write_whole
from buildctl.cli.recordings import Recordings
from buildctl.errors import SolveError
from buildctl.model.identity import new_id
from buildctl.model.solve import SolveOpt

if TYPE_CHECKING:
    from buildctl.model.solve import SolveResult
    from buildctl.progress.display import Display


EXPORTERS = ("image", "local", "tar", "oci", "docker")


@click.command(
    "build",
    cls=Command,
    epilog="""
    $ buildctl build --frontend dockerfile.v0 --local context=. --local dockerfile=. \\
        --output type=local,dest=out
    $ buildctl build --frontend dockerfile.v0 --opt target=test --opt build-arg:VERSION=1.2 \\
        --local context=. --local dockerfile=. --output type=image,name=registry.example/me/app,push=true
    $ buildctl build --frontend dockerfile.v0 --local context=. --local dockerfile=. -o type=tar > rootfs.tar
    """,
)
@flag(
    "--frontend",
    metavar="NAME",
    help="What reads the build: dockerfile.v0, or gateway.v0 with --opt source=IMAGE.",
)
@flag(
    "--opt",
    "opts",
    multiple=True,
    metavar="KEY=VALUE",
    help="Option of the frontend: target=STAGE, build-arg:NAME=VALUE.",
)
@flag(
    "--local",
    "local_dirs",
    multiple=True,
    metavar="NAME=DIR",
    help="Let the build read a folder: context=., dockerfile=.",
)
@flag(
    "--output",
    "-o",
    "outputs",
    multiple=True,
    metavar="ATTRIBUTES",
    help="Where the result goes: type=local,dest=out.",
)
@flag(
    "--export-cache",
    "cache_exports",
    multiple=True,
    metavar="ATTRIBUTES",
    help="Where the cache goes: type=registry,ref=NAME,mode=max or type=local,dest=cache.",
)
@flag(
    "--import-cache",
    "cache_imports",
    multiple=True,
    metavar="ATTRIBUTES",
    help="Where a cache comes from: type=registry,ref=NAME or type=local,src=cache.",
)
@flag(
    "--oci-layout",
    "oci_layouts",
    multiple=True,
    metavar="ID=DIR",
    help="Let the build read an OCI layout: --opt context:NAME=oci-layout://ID@DIGEST.",
)
@flag("--no-cache", type=BOOL, help="Run every step, cached or not.")
@flag("--progress", default="auto", metavar="MODE", help="Display: auto, tty, plain, rawjson or quiet.")
@flag(
    "--secret",
    "secrets",
    multiple=True,
    metavar="ATTRIBUTES",
    help="Offer a secret: id=npm,src=.npmrc or id=token,env=TOKEN.",
)
@flag(
    "--ssh",
    multiple=True,
    metavar="ID[=PATHS]",
    help="Offer your SSH agent, another's socket, or private keys: default, git=id_ed25519.",
)
@flag(
    "--registry-auth-tlscontext",
    "tls_contexts",
    multiple=True,
    metavar="ATTRIBUTES",
    help="Trust a registry's token server: host=HOST,ca=FILE, cert=FILE,key=FILE or insecure=true.",
)
@flag(
    "--allow",
    "entitlements",
    multiple=True,
    metavar="ENTITLEMENT",
    help="Grant network.host, security.insecure or device.",
)
@flag("--source-policy-file", metavar="FILE", help="Allow, deny or replace sources by rules in JSON.")
@flag("--proxy-network", type=BOOL, help="Let steps reach the network through the daemon's proxy only.")
@flag("--metadata-file", metavar="FILE", help="Write what the exporters answer, such as digests, as JSON.")
@flag("--ref-file", metavar="FILE", help="Write the build's ref.")
@flag("--trace", metavar="FILE", help="Append all that the build says as lines of JSON.")
@flag(
    "--debug-json-cache-metrics",
    "metrics",
    metavar="FILE",
    help="Write how much came from the cache as JSON, to a file, stdout or stderr.",
)
@pass_app
def command(
    app: App,
    frontend: str,
    opts: tuple[str, ...],
    local_dirs: tuple[str, ...],
    outputs: tuple[str, ...],
    cache_exports: tuple[str, ...],
    cache_imports: tuple[str, ...],
    oci_layouts: tuple[str, ...],
    no_cache: bool,
    progress: str,
    secrets: tuple[str, ...],
    ssh: tuple[str, ...],
    tls_contexts: tuple[str, ...],
    entitlements: tuple[str, ...],
    source_policy_file: str,
    proxy_network: bool,
    metadata_file: str,
    ref_file: str,
    trace: str,
    metrics: str,
) -> None:
    """Build from a frontend such as a Dockerfile, or from LLB on standard input."""
    recordings = Recordings(app.environment, trace=trace, metrics=metrics)
    offers = find_offers(app.environment, tls_contexts=tls_contexts, ssh=ssh, secrets=secrets)
    allowed = tuple(map(parse_entitlement, entitlements))
    exports = tuple(check_destination(app, parse_output(text)) for text in outputs)
    variables = app.environment.variables
    exported = tuple(parse_export_cache(text, variables) for text in cache_exports)
    imported = tuple(parse_import_cache(text, variables) for text in cache_imports)
    source_policy = read_source_policy(source_policy_file) if source_policy_file else None
    attrs = parse_opts(opts, variables)
    directories = {name: check_local(path) for name, path in parse_locals(local_dirs).items()}
    layouts = parse_oci_layouts(oci_layouts)
    definition = None if frontend else read_definition(app, no_cache=no_cache)
    if frontend and no_cache:
        attrs["no-cache"] = ""
    opt = SolveOpt(
        frontend=frontend,
        frontend_attrs=attrs,
        definition=definition,
        local_dirs=directories,
        oci_layouts=layouts,
        exports=exports,
        cache_exports=exported,
        cache_imports=imported,
        entitlements=allowed,
        source_policy=source_policy,
        proxy_network=proxy_network,
        ref=new_id(),
    )
    try:
        display = display_on(app.environment, app.environment.stderr, progress, also=recordings.sinks)
        result = solve(app, opt, offers, display, recordings)
        if metadata_file and result.exporter_response:
            write_whole(metadata_file, format_metadata(result.exporter_response))
        if "requestid" in attrs:
            app.environment.write_stdout(subrequest_text(result))
    finally:
        if ref_file:
            write_whole(ref_file, opt.ref.encode())
        recordings.report()


def solve(app: App, opt: SolveOpt, offers: Offers, display: Display, recordings: Recordings) -> SolveResult:
    """Solve, with the display on standard error. Raises `SolveError`."""

    async def run() -> SolveResult:
        serving = serve_offers(offers, app.environment, display.update_own)
        async with serving as attachables, app.connect() as client, recordings, display:
            return await client.solve(opt, display.update, attachables=attachables)

    # A live picture must not be written into.
    try:
        with log.held(when=app.environment.is_terminal(app.environment.stderr)):
            return app.run(run, interrupted="failed to solve: Canceled: context canceled")
    except SolveError as error:
        error.hint = error.hint or hint_for(opt)
        raise


def hint_for(opt: SolveOpt) -> str:
    """What to look at first when a build of this kind fails, from what was asked; often nothing."""
    unusual = [export.type for export in opt.exports if export.type not in EXPORTERS]
    if unusual:
        return f"--output type={unusual[0]} is unusual; daemons know {', '.join(EXPORTERS)}"
    if opt.frontend.startswith("dockerfile") and not opt.local_dirs and "context" not in opt.frontend_attrs:
        return "no folder was offered: add --local context=. --local dockerfile=."
    missing = [path for path in opt.oci_layouts.values() if not Path(path).is_dir()]
    if missing:
        return f"--oci-layout names a folder that does not exist: {missing[0]}"
    return ""


def subrequest_text(result: SolveResult) -> bytes:
    """What a subrequest answers: `result.txt`, or every `result.*` key with its value."""
    metadata = result.frontend_metadata
    if "result.txt" in metadata:
        return metadata["result.txt"]
    keys = sorted(key for key in metadata if key.startswith("result."))
    return b"".join(key.encode() + b"\n" + metadata[key] + b"\n" for key in keys)
