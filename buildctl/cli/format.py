"""`--format`: what a command found, written through a Go template instead of a table."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from buildctl.cli.grammar import flag

if TYPE_CHECKING:
    from buildctl.template import Template
    from buildctl.template.values import Value

format_flag = flag(
    "--format",
    "template",
    metavar="TEMPLATE",
    help="Print through a Go template such as '{{range .}}{{.ID}} {{end}}', or all of it as json.",
)
"""The flag, with the template's text; empty where it is not set."""

_ALIASES = {"json": "{{json .}}"}


def parse_format(text: str) -> Template | None:
    """The template that `--format` says; None where it is not set. Raises `UsageError` in Go's words."""
    if not text:
        return None
    from buildctl.template import parse
    from buildctl.template.tojson import JSON

    return parse(_ALIASES.get(text, text), {"json": JSON})


def write_formatted(template: Template, value: Value, write: Callable[[str], object]) -> None:
    """Write a value through a template, and a newline.

    Raises `UsageError` when the value does not suit the template, after what came before it was written.
    """
    for part in template.execute(value):
        write(part)
    write("\n")
