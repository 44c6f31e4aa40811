"""`buildctl build`: flags become a `SolveOpt`, the client solves it, the display shows it.

The order in which flags are read, and so which of two mistakes is reported, is the reference's
(cmd/buildctl/build.go); unlike it, nothing is created before the daemon delivers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import click

from buildctl.cli import log
from buildctl.cli.app import App
from buildctl.cli.build_flags import BuildFlags, build_flags
from buildctl.cli.build_inputs import (
    check_layouts,
    check_local,
    content_records,
    read_definition,
    read_source_policy,
)
from buildctl.cli.build_outputs import check_caches, check_destination, check_files
from buildctl.cli.ci import CIReport
from buildctl.cli.display import build_mode, display_on
from buildctl.cli.flags.cache import parse_export_cache, parse_import_cache
from buildctl.cli.flags.contexts import parse_context_check, parse_on_unreadable
from buildctl.cli.flags.entitlement import parse_entitlement
from buildctl.cli.flags.keyvalue import parse_locals, parse_oci_layouts, parse_opts
from buildctl.cli.flags.output import parse_output
from buildctl.cli.flags.shell import ShellOptions, parse_shell
from buildctl.cli.grammar import Command
from buildctl.cli.insight import find_insight
from buildctl.cli.metadata import format_metadata
from buildctl.cli.offers import Offers, find_offers, offered_values, serve_offers
from buildctl.cli.place import Start, platforms_of, project_key
from buildctl.cli.recordings import Recordings
from buildctl.cli.retries import Retries
from buildctl.cli.shortform import ShortForm, add_short_form, is_short
from buildctl.errors import BuildctlError, SolveError, UsageError
from buildctl.model.identity import new_id
from buildctl.model.quote import quote
from buildctl.model.solve import SolveOpt
from buildctl.progress.masking import mask_error
from buildctl.progress.mode import Mode
from buildctl.system.outfile import write_whole

if TYPE_CHECKING:
    from buildctl.client.gateway.build import Inspector
    from buildctl.model.solve import SolveResult
    from buildctl.progress.display import Display
    from buildctl.session.stream import Attachable


@click.command(
    "build",
    cls=Command,
    argument="[PATH|URL|-]",
    epilog="""
    $ buildctl build -t registry.example/me/app --push .
    $ buildctl build --frontend dockerfile.v0 --local context=. --local dockerfile=. \\
        --output type=local,dest=out
    $ buildctl build --frontend dockerfile.v0 --opt target=test --opt build-arg:VERSION=1.2 \\
        --local context=. --local dockerfile=. --output type=image,name=registry.example/me/app,push=true
    $ buildctl build --frontend dockerfile.v0 --local context=. --local dockerfile=. -o type=tar > rootfs.tar
    """,
)
@build_flags
def command(app: App, flags: BuildFlags, args: tuple[str, ...]) -> None:
    """Build a folder with a Dockerfile, from another frontend, or from LLB on standard input."""
    if flags.dry_run:
        dry_run(app, flags, args)
        return
    insight = find_insight(app.environment, flags)
    recordings = Recordings(
        app.output,
        trace=flags.trace,
        session_log=flags.session_log,
        metrics=flags.metrics,
        insight=insight,
        events=flags.events,
        log_dir=flags.log_dir,
    )
    with recordings.concluded():
        build(app, flags, args, recordings)


def dry_run(app: App, flags: BuildFlags, args: tuple[str, ...]) -> None:
    """Tell what a build would do. Raises `BuildctlError`; asks no daemon."""
    from buildctl.cli.dryrun import describe, format_description
    from buildctl.model import gojson
    from buildctl.transport.discovery import choose_address

    if flags.style not in ("", "text", "json"):
        raise UsageError(f"invalid format {quote(flags.style)}", hint="use text or json")
    opt = read_opt(app, flags, args).opt
    address = choose_address(app.flags.addr, app.environment.variables).address
    description = describe(opt, flags, address.text)
    if flags.style == "json":
        app.output.write(gojson.encode(description, indent=1, escape_html=False) + b"\n")
    else:
        app.output.write(format_description(description))


def build(app: App, flags: BuildFlags, args: tuple[str, ...], recordings: Recordings) -> None:
    """Build, with what is recorded of it. Raises `BuildctlError`."""
    masker = app.output.masker
    offers = find_offers(
        app.output,
        tls_contexts=flags.tls_contexts,
        auth_hosts=flags.auth_hosts,
        ssh=flags.ssh,
        secrets=flags.secrets,
    )
    for value in offered_values(offers.secrets, app.environment.variables):
        masker.learn(value)
    opt, extra = read_opt(app, flags, args)
    shells = parse_shell(
        flags.on_error,
        flags.debug_shell,
        flags.shell_image,
        has_console=app.environment.has_console(),
    )
    if offers.auth_hosts is not None:
        from buildctl.cli.buildhosts import admitted_hosts

        offers = offers._replace(admits=admitted_hosts(offers.auth_hosts, opt))

    if app.output.stderr_is_terminal:
        from buildctl.cli.hints import option_hints

        for hint in option_hints(opt.frontend, opt.frontend_attrs):
            app.output.say(f"hint: {hint}\n")
    retries = Retries(flags.retries, opt.ref, app.output.say)
    try:
        mode = build_mode(app.environment, flags.progress)
        recordings.begin(opt)
        asserted = None
        if flags.assert_cached not in ("", "false"):
            from buildctl.cli.assertcached import CacheAssertion

            asserted = CacheAssertion(flags.assert_cached)
        report = CIReport(app.output, mode, opt)
        sinks = (*recordings.sinks, *report.sinks, *([asserted.update] if asserted else []))

        def open_display() -> Display:
            return display_on(
                app.output,
                app.environment.stderr,
                mode,
                also=sinks,
                locate=report.locate,
            )

        with report:
            key = flags.sticky or project_key(opt)
            result = solve(app, opt, offers, open_display, recordings, retries, shells, extra, key=key)
        recordings.note_result(result)
        if flags.metadata_file and result.exporter_response:
            write_whole(flags.metadata_file, format_metadata(result.exporter_response, app.output.mask))
        if asserted is not None:
            cached = asserted
            app.run(lambda: cached.check(app, retries.ref))
        if flags.iidfile:
            write_whole(flags.iidfile, image_id(result).encode())
        if "requestid" in opt.frontend_attrs:
            app.output.write(subrequest_text(result))
    finally:
        if flags.ref_file:
            write_whole(flags.ref_file, retries.ref.encode())
        recordings.report(opt.on_unreadable)
    if mode is Mode.TTY:
        app.output.say(told_outcome(app, opt, result))


def told_outcome(app: App, opt: SolveOpt, result: SolveResult) -> str:
    """Where the result is, for a person at a terminal."""
    from buildctl.cli.outcome import outcome_lines
    from buildctl.progress.terminal import TerminalOptions

    glyphs = TerminalOptions.from_variables(app.environment.variables).glyphs
    return "".join(f"{line}\n" for line in outcome_lines(opt, result, ascii_only=not glyphs))


def image_id(result: SolveResult) -> str:
    """What docker calls an image's id: the digest of its configuration, else of its manifest."""
    response = result.exporter_response
    return response.get("containerimage.config.digest") or response.get("containerimage.digest", "")


def read_opt(app: App, flags: BuildFlags, args: tuple[str, ...] = ()) -> ShortForm:
    """What is to be built, by the flags. Raises `UsageError`; reads the files that the flags name."""
    allowed = tuple(map(parse_entitlement, flags.entitlements))
    exports = tuple(check_destination(app, parse_output(text)) for text in flags.outputs)
    variables = app.environment.variables
    exported = tuple(parse_export_cache(text, variables) for text in flags.cache_exports)
    imported = tuple(parse_import_cache(text, variables) for text in flags.cache_imports)
    source_policy = read_source_policy(flags.source_policy_file) if flags.source_policy_file else None
    attrs = parse_opts(flags.opts, variables)
    directories = {name: check_local(path) for name, path in parse_locals(flags.local_dirs).items()}
    layouts = check_layouts(parse_oci_layouts(flags.oci_layouts))
    short = is_short(flags, args)
    takes_frontend = bool(flags.frontend) or short
    definition = None if takes_frontend else read_definition(app, no_cache=flags.no_cache)
    if takes_frontend and flags.no_cache:
        attrs["no-cache"] = ""
    check_caches(exported)
    check_files(flags, exports, exported, stdout=app.environment.stdout)
    opt = SolveOpt(
        frontend=flags.frontend,
        frontend_attrs=attrs,
        definition=definition,
        local_dirs=directories,
        oci_layouts=layouts,
        exports=exports,
        cache_exports=exported,
        cache_imports=imported,
        entitlements=allowed,
        source_policy=source_policy,
        proxy_network=flags.proxy_network,
        content_records=content_records(variables) if parse_context_check(flags.context_check) else "",
        on_unreadable=parse_on_unreadable(flags.on_unreadable),
        shared_key=flags.shared_key,
        ref=new_id(),
    )
    form = add_short_form(app, opt, flags, args) if short else ShortForm(opt)
    if not form.opt.local_dirs:
        return form
    from buildctl.client.defaults import with_own_places  # which may read and write files

    return form._replace(opt=with_own_places(form.opt, variables))


def solve(
    app: App,
    opt: SolveOpt,
    offers: Offers,
    open_display: Callable[[], Display],
    recordings: Recordings,
    retries: Retries,
    shells: ShellOptions,
    extra: Sequence[Attachable] = (),
    *,
    key: str = "none",
) -> SolveResult:
    """Solve, with a display on standard error for each attempt. Raises `BuildctlError`, without secrets."""

    masker = app.output.masker
    start = Start(app.output.say)

    async def attempt(ref: str) -> SolveResult:
        display = open_display()
        if not retries.limit:  # of many attempts only the last has the error that is shown at the end
            display.say_before_failures = partial(recordings.take_report, on_unreadable=opt.on_unreadable)
        serving = serve_offers(offers, app.environment, display.update_own, masker.learn_token)
        connecting = app.connect(sticky=key, platforms=platforms_of(opt), counts=True)
        async with serving as attachables, connecting as client, display:
            try:
                return await client.solve(
                    replace(opt, ref=ref),
                    start.watching(client, display.update),
                    on_transfer=recordings.note_transfer,
                    on_request=recordings.request_sink(ref),
                    attachables=[*attachables, *extra],
                    inspector=inspector_of(shells, display),
                )
            except SolveError as error:
                if app.output.stderr_is_terminal and not error.hint:
                    from buildctl.cli.platforms import platform_hint

                    error.hint = await platform_hint(client, opt)
                raise

    async def run() -> SolveResult:
        async with recordings:
            return await retries.run(partial(start.anywhere, attempt))

    # A live picture must not be written into.
    try:
        with log.held(when=app.output.stderr_is_terminal):
            return app.run(run, interrupted="failed to solve: Canceled: context canceled")
    except BuildctlError as error:
        if isinstance(error, SolveError):
            from buildctl.cli.hints import failed_build_hint

            error.hint = error.hint or failed_build_hint(opt, error)
        mask_error(masker, error)
        raise


def inspector_of(shells: ShellOptions, display: Display) -> Inspector | None:
    """What opens the shells that are asked for."""
    if not shells.is_wanted:
        return None
    from buildctl.cli.debugshell import DebugShell

    return DebugShell(shells, display)


def subrequest_text(result: SolveResult) -> bytes:
    """What a subrequest answers: `result.txt`, or every `result.*` key with its value."""
    metadata = result.frontend_metadata
    if "result.txt" in metadata:
        return metadata["result.txt"]
    keys = sorted(key for key in metadata if key.startswith("result."))
    return b"".join(key.encode() + b"\n" + metadata[key] + b"\n" for key in keys)
