"""A command's page in Markdown, and the index of all of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from buildctl.cli.page import Page, Section

NOTICE = "<!-- Generated from the commands by `make docs`; edit those. -->\n"

_HEADS = {
    "Commands": ("Command", "What it does"),
    "Environment": ("Variable", "What it is for"),
    "Flags": ("Flag", "Meaning"),
    "Global flags": ("Flag", "Meaning"),
}


def markdown_page(page: Page) -> str:
    """The whole page."""
    parts = [
        f"# {page.name}",
        NOTICE.rstrip(),
        page.description,
        _block(f"{page.name} {page.arguments}", "text"),
    ]
    if page.examples:
        parts += ["## Examples", _block("\n".join(page.examples), "console")]
    for section in page.sections:
        parts += [f"## {section.title}", _table(section, page)]
    return "\n\n".join(parts) + "\n"


def markdown_index(pages: Iterable[tuple[Page, bool]]) -> str:
    """The pages with their first sentences; at its end those of commands that help does not list."""
    listed: list[str] = []
    more: list[str] = []
    for page, visible in pages:
        (listed if visible else more).append(f"- [`{page.name}`]({file_name(page.path)}): {summary(page)}")
    return "\n".join(
        [
            "# Reference",
            "",
            NOTICE,
            *listed,
            "",
            "For scripts and shells, and not listed by `--help`:",
            "",
            *more,
            "",
        ]
    )


def summary(page: Page) -> str:
    """The first sentence of its description, on one line."""
    return " ".join(page.description.partition("\n\n")[0].split())


def file_name(path: Sequence[str]) -> str:
    """Where the page of a command is: `buildctl-debug-logs.md`."""
    return "-".join(path) + ".md"


def _block(text: str, language: str) -> str:
    return f"```{language}\n{text}\n```"


def _table(section: Section, page: Page) -> str:
    heads = _HEADS.get(section.title, ("Word", "Meaning"))
    lines = [f"| {' | '.join(heads)} |", "| --- | --- |"]
    for term, meaning in section.rows:
        name = f"`{term}`"
        if section.title == "Commands" and not term.startswith("help"):
            name = f"[{name}]({file_name((*page.path, term.partition(',')[0]))})"
        lines.append(f"| {name} | {_cell(meaning)} |")
    return "\n".join(lines)


def _cell(text: str) -> str:
    """Text in which nothing is taken for markup; what is already marked as code stays so."""
    pieces = re.split(r"(`[^`]*`)", text.replace("|", "\\|"))
    return "".join(
        piece if piece.startswith("`") else re.sub(r"([*_<>\[\]~])", r"\\\1", piece) for piece in pieces
    )
