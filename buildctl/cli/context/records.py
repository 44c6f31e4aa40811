"""Listings and verdicts as `--format` sees them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from buildctl.fsutil import filemode
from buildctl.fsutil.glob import decode
from buildctl.fsutil.survey import content_size
from buildctl.template.gotime import TIME, Time
from buildctl.template.values import (
    BOOL,
    INT,
    INT64,
    STRING,
    STRINGS,
    Field,
    GoType,
    Kind,
    Value,
    pointer_to,
    slice_of,
)

if TYPE_CHECKING:
    from buildctl.cli.context.diff import Difference
    from buildctl.cli.context.explain import Verdict
    from buildctl.cli.context.ls import Listing
    from buildctl.fsutil.changes import Change
    from buildctl.fsutil.walk import Entry


def listing_value(listing: Listing) -> Value:
    """What `context ls` gives to its template."""
    return Value(_LISTING, listing)


def verdict_value(verdict: Verdict) -> Value:
    """What `context explain` gives to its template."""
    return Value(_VERDICT, verdict)


def difference_value(difference: Difference) -> Value:
    """What `context diff` gives to its template."""
    return Value(_DIFFERENCE, difference)


def _kind(entry: Entry) -> str:
    kind = entry.mode & filemode.TYPE_MASK
    if kind == filemode.DIR:
        return "folder"
    return "link" if kind == filemode.SYMLINK else "file" if not kind else "special"


def _change_kind(change: Change) -> str:
    return "added" if change.before is None else "removed" if change.after is None else "changed"


def _struct(name: str, *fields: Field) -> GoType:
    return GoType(f"context.{name}", Kind.STRUCT, fields=fields)


def _sizes(listing: Any) -> list[tuple[Entry, int]]:
    """Each entry with the bytes of it, or of all that is in it."""
    held = listing.held
    return [
        (entry, held[entry.path].size if entry.mode & filemode.DIR else content_size(entry))
        for entry in listing.entries
    ]


_ENTRY = _struct(
    "Entry",
    Field("Path", STRING, lambda e: decode(e[0].path), "path"),
    Field("Type", STRING, lambda e: _kind(e[0]), "type"),
    Field("Size", INT64, lambda e: e[1], "size"),
    Field("Mode", STRING, lambda e: f"{filemode.permissions(e[0].mode):04o}", "mode"),
    Field("ModTime", TIME, lambda e: Time.from_unix_ns(e[0].mtime_ns), "modTime"),
    Field("Linkname", STRING, lambda e: decode(e[0].linkname), "linkname", omitempty=True),
)

_FOLDER = _struct(
    "Folder",
    Field("Path", STRING, lambda f: decode(f[0]), "path"),
    Field("Files", INT, lambda f: f[1].files, "files"),
    Field("Size", INT64, lambda f: f[1].size, "size"),
)

_RULE_USE = _struct(
    "RuleUse",
    Field("Line", INT, lambda r: r[0].line, "line"),
    Field("Text", STRING, lambda r: r[0].text, "text"),
    Field("Pattern", STRING, lambda r: r[0].pattern, "pattern"),
    Field("Paths", INT, lambda r: r[1].decided, "paths"),
    Field("Nanoseconds", INT64, lambda r: r[1].took_ns, "nanoseconds"),
)

_LISTING = pointer_to(
    _struct(
        "Listing",
        Field("Folder", STRING, lambda x: os.path.realpath(x.folder), "folder"),
        Field("IgnoreFile", STRING, lambda x: x.ignore_file, "ignoreFile"),
        Field("FilesWalked", INT, lambda x: x.walked.files, "filesWalked"),
        Field("FoldersWalked", INT, lambda x: x.walked.folders - 1, "foldersWalked"),
        Field("Files", INT, lambda x: x.held[b""].files, "files"),
        Field("Folders", INT, lambda x: len(x.held) - 1, "folders"),
        Field("Size", INT64, lambda x: x.held[b""].size, "size"),
        Field("Largest", slice_of(_FOLDER), lambda x: x.largest, "largest"),
        Field("Rules", slice_of(_RULE_USE), lambda x: x.rules or None, "rules", omitempty=True),
        Field("Entries", slice_of(_ENTRY), _sizes, "entries"),
    )
)

_CHANGE = _struct(
    "Change",
    Field("Path", STRING, lambda c: decode(c.path), "path"),
    Field("Kind", STRING, lambda c: _change_kind(c), "kind"),
    Field("What", STRINGS, lambda c: c.what or None, "what", omitempty=True),
    Field("Size", INT64, lambda c: content_size(c.after) if c.after else 0, "size"),
)

_DIFFERENCE = pointer_to(
    _struct(
        "Difference",
        Field("Folder", STRING, lambda d: os.path.realpath(d.folder), "folder"),
        Field("Built", STRING, lambda d: d.built, "built"),
        Field("RulesChanged", BOOL, lambda d: d.rules_changed, "rulesChanged"),
        Field("Files", INT, lambda d: d.files, "files"),
        Field("Size", INT64, lambda d: d.size, "size"),
        Field("Changes", slice_of(_CHANGE), lambda d: d.changes, "changes"),
    )
)

_HELD_RULE = _struct(
    "Rule",
    Field("Line", INT, lambda r: r[0].line, "line"),
    Field("Text", STRING, lambda r: r[0].text, "text"),
    Field("Pattern", STRING, lambda r: r[0].pattern, "pattern"),
    Field("For", STRING, lambda r: r[1], "for"),
)

_VERDICT = pointer_to(
    _struct(
        "Verdict",
        Field("Path", STRING, lambda v: v.path, "path"),
        Field("Sent", BOOL, lambda v: v.sent, "sent"),
        Field("Type", STRING, lambda v: v.kind, "type", omitempty=True),
        Field("Reason", STRING, lambda v: v.reason, "reason"),
        Field("IgnoreFile", STRING, lambda v: v.ignore_file, "ignoreFile"),
        Field("Rules", slice_of(_HELD_RULE), lambda v: v.rules, "rules"),
    )
)
