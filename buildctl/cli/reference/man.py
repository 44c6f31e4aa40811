"""A command's man page, in the man macros that groff and mandoc know."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from buildctl.cli.page import Page
from buildctl.cli.reference.markdown import summary

NOTICE = '.\\" Generated from the commands by "make docs"; edit those.\n'


def man_page(page: Page, version: str, related: Sequence[str]) -> str:
    """The whole page, with the names of the pages to see also."""
    return NOTICE + "".join(f"{line}\n" for line in _lines(page, version, related))


def man_name(path: Sequence[str]) -> str:
    """What the page of a command is called: `buildctl-debug-logs`."""
    return "-".join(path)


def _lines(page: Page, version: str, related: Sequence[str]) -> Iterator[str]:
    name = man_name(page.path)
    yield f'.TH "{_text(name.upper())}" 1 "" "buildctl {version}" "buildctl"'
    yield ".SH NAME"
    yield f"{_text(name)} \\- {_text(summary(page).rstrip('.'))}"
    yield ".SH SYNOPSIS"
    yield f".B {_text(page.name)}"
    yield _text(page.arguments)
    yield ".SH DESCRIPTION"
    for index, paragraph in enumerate(page.description.split("\n\n")):
        if index:
            yield ".PP"
        yield _text(" ".join(paragraph.split()))
    if page.examples:
        yield from (".SH EXAMPLES", ".EX", *map(_text, page.examples), ".EE")
    for section in page.sections:
        yield f'.SH "{_text(section.title.upper())}"'
        for term, meaning in section.rows:
            yield from (".TP", f".B {_text(term)}", _text(meaning) or "\\&")
    yield ".SH EXIT STATUS"
    for status, meaning in (("0", "Success."), ("1", "Any error."), ("3", "No such command or help topic.")):
        yield from (".TP", f".B {status}", meaning)
    if related:
        yield ".SH SEE ALSO"
        yield ", ".join(f"{_text(other)}(1)" for other in related)


def _text(text: str) -> str:
    """Text as it is: no escapes, typewriter dashes and quotes, no line that is taken for a request."""
    for sign, escape in (("\\", "\\e"), ("-", "\\-"), ("'", "\\(aq"), ('"', "\\(dq"), ("`", "\\(ga")):
        text = text.replace(sign, escape)
    text = text.replace("^", "\\(ha").replace("~", "\\(ti")
    return f"\\&{text}" if text.startswith(".") else text
