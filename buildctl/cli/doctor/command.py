"""`buildctl doctor`: everything a build depends on, looked at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from buildctl.cli.app import App, pass_app
from buildctl.cli.doctor.finding import Finding, Verdict
from buildctl.cli.grammar import Command, flag
from buildctl.errors import BuildctlError, UsageError
from buildctl.model.quote import quote

if TYPE_CHECKING:
    from buildctl.cli.output import Output

_MARKS = {
    Verdict.OK: ("✓", "+", "green"),
    Verdict.NOTE: ("·", ".", "blue"),
    Verdict.WARNING: ("!", "!", "yellow"),
    Verdict.ERROR: ("✗", "x", "red"),
}


@click.command(
    "doctor",
    cls=Command,
    epilog="""
    $ buildctl doctor
    $ buildctl --addr tcp://builder:1234 --tlsdir certs doctor
    $ buildctl doctor --format json
    """,
)
@flag("--format", "style", default="text", metavar="FORMAT", help="text or json.")
@pass_app
def command(app: App, style: str) -> None:
    """Look at the daemon, its cache, registry accounts, proxies and this machine.

    Each line says what is there; where something is wrong, what it means and what to do. The exit code is 1
    if anything would make builds fail. One small build is made, to see the daemon's clock.
    """
    if style not in ("text", "json"):
        raise UsageError(f"invalid format {quote(style)}", hint="use text or json")
    findings = app.run(lambda: _examine(app))
    if style == "json":
        app.output.write(_json(findings))
    else:
        show_findings(app.output, findings)
    errors = sum(finding.verdict is Verdict.ERROR for finding in findings)
    if errors:
        raise BuildctlError(f"{errors} thing{'s' * (errors != 1)} would make builds fail")


async def _examine(app: App) -> list[Finding]:
    import asyncio

    from buildctl.cli.doctor.daemon import examine_daemon
    from buildctl.cli.doctor.machine import examine_machine, examine_network, examine_registries
    from buildctl.transport.discovery import choose_address

    environment = app.environment
    choice = choose_address(app.flags.addr, environment.variables)
    findings = [Finding("daemon", "address", choice.address.text, Verdict.OK, choice.notice)]
    try:
        async with app.connect() as client:
            await client.workers()
            findings += [finding async for finding in examine_daemon(client, environment.now_ns)]
    except BuildctlError as error:
        findings.append(Finding("daemon", "connection", str(error), Verdict.ERROR, error.hint))
    endpoint = choice.address.endpoint if choice.address.scheme in ("tcp", "") else ""
    findings += await asyncio.to_thread(lambda: [*examine_registries(environment.variables)])
    findings += [*examine_network(environment.variables, endpoint), *examine_machine(environment)]
    return findings


def show_findings(output: Output, findings: list[Finding]) -> None:
    """Write a section an area, a line a finding, advice below it."""
    from rich.text import Text

    from buildctl.cli.listing import show_styled
    from buildctl.progress.terminal import TerminalOptions

    glyphs = TerminalOptions.from_variables(output.environment.variables).glyphs
    width = max(len(finding.name) for finding in findings)
    area = ""
    for finding in findings:
        if finding.area != area:
            output.write(("\n" if area else "") + finding.area.upper() + "\n")
            area = finding.area
        mark = _MARKS[finding.verdict][0 if glyphs else 1]
        line = f"{finding.name:<{width}}  {output.clean_cell(finding.value)}"
        if output.stdout_is_terminal:
            show_styled(output, Text.assemble((mark, _MARKS[finding.verdict][2]), " ", line))
        else:
            output.write(f"{mark} {line}\n")
        if finding.advice:
            output.write(f"    {output.clean_cell(finding.advice)}\n")


def _json(findings: list[Finding]) -> bytes:
    from buildctl.model import gojson

    return gojson.encode([finding._asdict() for finding in findings], indent=1, escape_html=False) + b"\n"
