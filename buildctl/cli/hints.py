"""What a person who stumbled should do next: the near name of what was typed, why a step could not copy.

Hints are made of what was asked for and of what lies here, never of the text of an error. They are shown on
terminals alone; scripts read what the reference prints.
"""

from __future__ import annotations

import difflib
import json
import os
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from buildctl.model.quote import quote

if TYPE_CHECKING:
    from buildctl.errors import SolveError
    from buildctl.model.solve import SolveOpt

EXPORTERS = ("image", "local", "tar", "oci", "docker")
_MORE_EXPORTERS = ("moby", "cacheonly")
_FRONTENDS = ("dockerfile.v0", "gateway.v0")
_CLOSE = 0.6
_LOOKED_AT = 10_000
"""Names in a folder that are compared at most."""
_COPIES = re.compile(r"\s*(?:ONBUILD\s+)?(?:COPY|ADD)\s+(?P<rest>.*)", re.IGNORECASE | re.DOTALL)
_NOT_HERE = re.compile(r"[*?\[$]|^[a-z]+://|^git@", re.IGNORECASE)
"""Wildcards, variables and URLs, of which it is not known here what they stand for."""


def nearest(typed: str, known: Iterable[str]) -> str:
    """The known word that is most like the typed one; empty where none is like it."""
    found = difflib.get_close_matches(typed, list(known), n=1, cutoff=_CLOSE)
    return found[0] if found and found[0] != typed else ""


def did_you_mean(typed: str, known: Iterable[str], prefix: str = "") -> str:
    """`did you mean --frontend?`, or nothing."""
    found = nearest(typed, known)
    return f"did you mean {prefix}{found}?" if found else ""


def option_hints(frontend: str, attrs: Mapping[str, str]) -> Iterator[str]:
    """A line for each option that the Dockerfile frontend does not know and that is like one it knows."""
    if not frontend.startswith("dockerfile"):
        return
    from buildctl.cli.vocabulary.frontend import OPT_KEYS

    known = {word.text.rstrip("=:") for word in OPT_KEYS}
    for name in attrs:
        head = name.partition(":")[0]
        if head in known or (found := nearest(head, known)) == "":
            continue
        yield f"--opt {name}: the Dockerfile frontend knows no such option; did you mean {found}?"


def failed_build_hint(opt: SolveOpt, error: SolveError) -> str:
    """What to look at first when a build of this kind fails; often nothing."""
    for export in opt.exports:
        if export.type not in (*EXPORTERS, *_MORE_EXPORTERS):
            near = did_you_mean(export.type, EXPORTERS, "type=")
            return f"--output type={export.type} is unusual; {near or 'daemons know ' + ', '.join(EXPORTERS)}"
    if opt.frontend not in ("", *_FRONTENDS):
        return did_you_mean(opt.frontend, _FRONTENDS, "--frontend ")
    if opt.frontend == "dockerfile.v0":
        return _dockerfile_hint(opt, error)
    missing = [path for path in opt.oci_layouts.values() if not os.path.isdir(path)]
    return f"--oci-layout names a folder that does not exist: {missing[0]}" if missing else ""


def _dockerfile_hint(opt: SolveOpt, error: SolveError) -> str:
    remote = "context" in opt.frontend_attrs
    if not opt.local_dirs and not remote:
        return "no folder was offered: add --local context=. --local dockerfile=."
    folder = opt.local_dirs.get(opt.frontend_attrs.get("dockerfilekey", "dockerfile"))
    if folder is None and not remote:
        return "no folder with the Dockerfile was offered: add --local dockerfile=."
    name = opt.frontend_attrs.get("filename", "Dockerfile")
    if isinstance(folder, str) and not os.path.lexists(os.path.join(folder, name)):
        near = [one for one in _names(folder) if "dockerfile" in one.lower()]
        other = f"; there is {', '.join(map(quote, near[:3]))}, which --opt filename= names" if near else ""
        return f"there is no {quote(name)} in {folder}{other}"
    context = opt.local_dirs.get(opt.frontend_attrs.get("contextkey", "context"))
    if context is None and not remote:
        return "no context was offered: add --local context=."
    if isinstance(context, str):
        for source in _copied(error):
            if hint := _source_hint(
                context, source, os.path.join(folder, name) if isinstance(folder, str) else ""
            ):
                return hint
    return ""


def _copied(error: SolveError) -> Iterator[str]:
    """What the COPY and ADD instructions that the error points at take from the context."""
    for excerpt in error.excerpts:
        lines = excerpt.data.decode(errors="replace").split("\n")
        for first, last in excerpt.ranges:
            text = "\n".join(lines[max(0, first - 1) : max(first, last)])
            found = _COPIES.fullmatch(text.replace("\\\n", " "))
            if found:
                yield from _sources(found["rest"])


def _sources(rest: str) -> Iterator[str]:
    try:
        words = json.loads(rest) if rest.lstrip().startswith("[") else shlex.split(rest)
    except (ValueError, RecursionError):
        return
    words = [word for word in words if isinstance(word, str)]
    flags = [word for word in words if word.startswith("--")]
    if any(word.startswith("--from=") for word in flags):
        return
    for word in [word for word in words if not word.startswith("--")][:-1]:
        if not _NOT_HERE.search(word) and not word.startswith("<<"):
            yield word


def _source_hint(context: str, source: str, dockerfile: str) -> str:
    """Why a path of the context could not be copied, if that can be seen here."""
    from buildctl.errors import BuildctlError
    from buildctl.fsutil import ignorefile
    from buildctl.fsutil.ruling import rule_on

    path = os.path.normpath("/" + source).lstrip("/")
    if not path:
        return ""
    here = os.path.join(context, path)
    if not os.path.lexists(here):
        folder, name = os.path.split(path)
        near = nearest(name, _names(os.path.join(context, folder)))
        return f"{quote(path)} is not in the context {context}" + (
            f"; did you mean {quote(os.path.join(folder, near))}?" if near else ""
        )
    try:
        found = ignorefile.find(context, dockerfile or os.path.join(context, "Dockerfile"))
        ruling = rule_on(path, found.patterns, is_folder=os.path.isdir(here))
    except BuildctlError:
        return ""
    if not ruling.dropped or not ruling.holds:
        return ""
    rule = found.rules[ruling.holds[-1].rule]
    where = os.path.relpath(found.path, context) if found.path else ".dockerignore"
    return f"{quote(path)} is excluded by {where}:{rule.line}: {rule.text}"


def _names(folder: str) -> list[str]:
    try:
        with os.scandir(folder) as found:
            return sorted(entry.name for entry, _ in zip(found, range(_LOOKED_AT), strict=False))
    except OSError:
        return []
