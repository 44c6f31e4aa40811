"""`buildctl context explain`: which rule of which file decides whether a path is sent."""

from __future__ import annotations

import os
import stat
from typing import NamedTuple

import click

from buildctl.cli.app import App, pass_app
from buildctl.cli.context.folder import check_folder, file_flag, find_ignore_file, lost_rules, printable
from buildctl.cli.format import format_flag, parse_format, write_formatted
from buildctl.cli.grammar import Command
from buildctl.cli.table import align_spaces
from buildctl.errors import UsageError
from buildctl.fsutil import glob, survey
from buildctl.fsutil.filter import Filter
from buildctl.fsutil.ignorefile import IgnoreFile, Rule
from buildctl.fsutil.ruling import Ruling, rule_on


class Verdict(NamedTuple):
    """What becomes of a path, and why."""

    path: str
    """In its shortest form, from the root of the context."""
    sent: bool
    kind: str
    """`file`, `folder`, `link`, or empty where nothing is there."""
    reason: str
    """In words, after `because`."""
    ignore_file: str
    """Empty where there is none."""
    inside: bool = True
    """Whether it is a path of the context at all."""
    rules: tuple[tuple[Rule, str], ...] = ()
    """The rules that hold, each with the path where it took hold; the last one decides."""


@click.command(
    "explain",
    cls=Command,
    argument="PATH [DIR]",
    epilog="""
    $ buildctl context explain src/app.log         # in the context .
    $ buildctl context explain src/app.log app     # in the context app: app/src/app.log
    $ buildctl context explain -f deploy/web.Dockerfile node_modules/
    """,
)
@file_flag
@format_flag
@pass_app
def command(app: App, args: tuple[str, ...], dockerfile: str, template: str) -> None:
    """Tell whether a path would be sent of a folder, and which rule of the ignore file decides.

    PATH counts from DIR, as in COPY, or is absolute. It need not exist; a slash at its end makes it a folder.
    """
    if len(args) not in (1, 2):
        raise UsageError("one path is needed", hint="buildctl context explain PATH [DIR]")
    parsed = parse_format(template)
    folder = check_folder(args[1] if len(args) == 2 else ".")
    found = find_ignore_file(folder, dockerfile)
    verdict = judge(args[0], folder, found)
    if parsed:
        from buildctl.cli.context.records import verdict_value

        write_formatted(parsed, verdict_value(verdict), app.output.write)
        return
    app.output.write(format_verdict(verdict))


def judge(given: str, folder: str, found: IgnoreFile) -> Verdict:
    """What becomes of a path. Raises `TransferError` for a rule that is no pattern."""
    path = _within(given, folder)
    if path == ".":
        return Verdict(path, True, "folder", "it is the context itself", found.path)
    if path == ".." or path.startswith(("../", "/")):
        return Verdict(path, False, "", "it is outside of the context", found.path, False)
    kind, blocked = _look(folder, path)
    if blocked:
        reason = f"{printable(blocked)} is no folder but a {_look(folder, blocked)[0]}"
        return Verdict(path, False, kind, reason, found.path)
    is_folder = kind == "folder" or (not kind and given.endswith("/"))
    ruling = rule_on(path, found.patterns, is_folder=is_folder)
    rules = tuple((found.rules[hold.rule], hold.path) for hold in ruling.holds)
    sent = not ruling.dropped
    holds_sent = False
    if ruling.dropped and ruling.walked and kind == "folder":
        sent = holds_sent = survey.is_sent(folder, Filter((), found.patterns), glob.encode(path))
    return Verdict(path, sent, kind, _reason(path, found, ruling, rules, holds_sent), found.path, rules=rules)


def _within(given: str, folder: str) -> str:
    """The path from the root of the context on; an absolute one stays so where it is elsewhere."""
    if not os.path.isabs(given):
        return glob.clean(given)
    root = os.path.realpath(folder)
    parent, name = os.path.split(glob.clean(given))
    path = os.path.join(os.path.realpath(parent), name)  # a link itself is what is sent
    return os.path.relpath(path, root) if path == root or path.startswith(f"{root.rstrip('/')}/") else path


def _look(folder: str, path: str) -> tuple[str, str]:
    """What is there, and what stands in the way: a component before the last that is no folder."""
    at = 0
    while (at := path.find("/", at + 1)) >= 0:
        kind = _kind(os.path.join(folder, path[:at]))
        if not kind:
            return "", ""
        if kind != "folder":
            return "", path[:at]
    return _kind(os.path.join(folder, path)), ""


def _kind(path: str) -> str:
    try:
        mode = os.lstat(path).st_mode
    except (OSError, ValueError):
        return ""
    if stat.S_ISLNK(mode):
        return "link"
    return "folder" if stat.S_ISDIR(mode) else "file"


def _reason(
    path: str, found: IgnoreFile, ruling: Ruling, rules: tuple[tuple[Rule, str], ...], holds_sent: bool
) -> str:
    if not found.path:
        return lost_rules(found) or "there is no ignore file"
    if not rules:
        return "no rule matches it"
    rule, where = rules[-1]
    what = "it" if where == path else f"the folder {printable(where)}"
    does = f"takes {what} back" if rule.pattern.startswith("!") else f"excludes {what}"
    reason = f"{printable(found.path)}:{rule.line} {does}"
    if holds_sent:
        return f"{reason}, but something in it is sent"
    if ruling.closed and ruling.closed != where:
        return f"{reason}, and {printable(ruling.closed)} is not looked into"
    return reason


def format_verdict(verdict: Verdict) -> str:
    """A sentence, and the rules that hold, in their order."""
    name = printable(verdict.path)
    if verdict.kind or not verdict.inside:
        fate = "is sent" if verdict.sent else "is not sent"
    else:
        fate = "does not exist; it would be sent" if verdict.sent else "does not exist; it would not be sent"
    text = f"{name} {fate}: {verdict.reason}\n"
    rows = "".join(
        f"  {printable(verdict.ignore_file)}:{rule.line}\t{printable(rule.text)}\tfor {printable(where)}\n"
        for rule, where in verdict.rules
    )
    return text + align_spaces(rows) if rows else text
