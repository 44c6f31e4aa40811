"""`buildctl check`: what the frontend's linter finds in a Dockerfile."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import click

from buildctl import __version__
from buildctl.cli.app import App, pass_app
from buildctl.cli.frontendquery import Question, ask, check_style, question_flags, show
from buildctl.cli.grammar import BOOL, Command, flag
from buildctl.errors import BuildctlError

_QUESTION = Question("frontend.lint", "0.15")
_STYLES = ("text", "json", "sarif", "github")
_SARIF = "https://json.schemastore.org/sarif-2.1.0.json"


class Finding(NamedTuple):
    """One thing that the linter says."""

    level: str
    """`error` or `warning`."""
    message: str
    rule: str = ""
    description: str = ""
    url: str = ""
    file: str = ""
    lines: tuple[int, int] | None = None
    """First and last, from 1."""


@click.command(
    "check",
    cls=Command,
    argument="[PATH|URL|-]",
    epilog="""
    $ buildctl check
    $ buildctl check --strict --format github app     # in a workflow: annotations, and failure
    $ buildctl check --format sarif > check.sarif
    """,
)
@question_flags
@flag("--format", "style", default="text", metavar="FORMAT", help="text, json, sarif or github.")
@flag("--strict", type=BOOL, help="Warnings fail, too.")
@pass_app
def command(
    app: App,
    args: tuple[str, ...],
    file: str,
    target: str,
    build_args: tuple[str, ...],
    style: str,
    strict: bool,
) -> None:
    """Let the daemon's Dockerfile frontend look for mistakes; the exit code is 1 if there are errors."""
    check_style(style, _STYLES)
    answer = ask(app, _QUESTION, args, file, target, build_args)
    folder = args[0] if args and args[0] != "-" else "."
    findings = list(read_findings(answer.fields, _Locator("." if "://" in folder else folder, file)))
    if style == "sarif":
        app.output.write(format_sarif(findings))
    elif style == "github":
        app.output.write(format_github(findings))
    elif style == "json" or findings:
        show(app, answer, style)
    else:
        app.output.write("no warnings\n")
    errors = [finding for finding in findings if finding.level == "error"]
    if errors or (strict and findings):
        count = len(errors) or len(findings)
        kind = "error" if errors else "warning"
        raise BuildctlError(f"{count} {kind}{'s' * (count != 1)} in the Dockerfile")


class _Locator(NamedTuple):
    """Turns the frontend's name of the file into its path here."""

    folder: str
    file: str

    def __call__(self, name: str) -> str:
        if self.file and self.file != "-":
            return self.file
        path = os.path.normpath(os.path.join(self.folder, name))
        return path if not os.path.isabs(name) and not path.startswith("..") else name


def read_findings(fields: Mapping[str, Any], locate: _Locator) -> Iterator[Finding]:
    """What the linter's answer says, as far as it can be read: an error that ended it comes first."""
    sources = [source for source in _list(fields, "sources") if isinstance(source, dict)]

    def place(location: Any) -> tuple[str, tuple[int, int] | None]:
        if not isinstance(location, dict):
            return "", None
        index = location.get("sourceIndex", 0)
        inside = isinstance(index, int) and 0 <= index < len(sources)
        name = str(sources[index].get("filename", "")) if inside else ""
        numbers = [
            line
            for one in _list(location, "ranges")
            if isinstance(one, dict)
            for end in ("start", "end")
            if isinstance(one.get(end), dict) and isinstance(line := one[end].get("line"), int)
        ]
        return locate(name) if name else "", (min(numbers), max(numbers)) if numbers else None

    error = fields.get("error") or fields.get("buildError")
    if isinstance(error, dict):
        file, lines = place(error.get("location"))
        yield Finding("error", str(error.get("message", "the file cannot be built")), file=file, lines=lines)
    for warning in _list(fields, "warnings"):
        if not isinstance(warning, dict):
            continue
        file, lines = place(warning.get("location"))
        yield Finding(
            "warning",
            str(warning.get("detail") or warning.get("description", "")),
            str(warning.get("ruleName", "")),
            str(warning.get("description", "")),
            str(warning.get("url", "")),
            file,
            lines,
        )


def format_github(findings: Sequence[Finding]) -> str:
    """Workflow commands that make annotations."""

    def escaped(text: str, more: str = "") -> str:
        for character in "%\r\n" + more:
            text = text.replace(character, f"%{ord(character):02X}")
        return text

    lines = []
    for finding in findings:
        properties = {"file": finding.file, "title": finding.rule}
        if finding.lines:
            properties |= {"line": str(finding.lines[0]), "endLine": str(finding.lines[1])}
        shown = ",".join(f"{key}={escaped(value, ':,')}" for key, value in properties.items() if value)
        lines.append(f"::{finding.level} {shown}::{escaped(finding.message)}\n")
    return "".join(lines)


def format_sarif(findings: Sequence[Finding]) -> bytes:
    """A SARIF 2.1.0 log with one run."""
    from buildctl.model import gojson

    rules = {finding.rule: finding for finding in findings if finding.rule}
    fields = {
        "$schema": _SARIF,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "buildctl check",
                        "version": __version__,
                        "rules": [
                            {
                                "id": name,
                                "shortDescription": {"text": rule.description or name},
                                **({"helpUri": rule.url} if rule.url else {}),
                            }
                            for name, rule in sorted(rules.items())
                        ],
                    }
                },
                "results": [_sarif_result(finding) for finding in findings],
            }
        ],
    }
    return gojson.encode(fields, indent=1, escape_html=False) + b"\n"


def _sarif_result(finding: Finding) -> dict[str, Any]:
    result: dict[str, Any] = {"level": finding.level, "message": {"text": finding.message}}
    if finding.rule:
        result["ruleId"] = finding.rule
    if finding.file:
        where: dict[str, Any] = {"artifactLocation": {"uri": finding.file}}
        if finding.lines:
            where["region"] = {"startLine": finding.lines[0], "endLine": finding.lines[1]}
        result["locations"] = [{"physicalLocation": where}]
    return result


def _list(fields: Mapping[str, Any], name: str) -> list[Any]:
    value = fields.get(name)
    return value if isinstance(value, list) else []
