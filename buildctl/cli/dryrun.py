"""`buildctl build --dry-run`: what a build would ask for, send and write, without a daemon."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from buildctl.model.bytesize import format_bytes
from buildctl.model.solve import (
    DirectoryDestination,
    Export,
    FileDestination,
    LayoutDestination,
    SolveOpt,
    StdoutDestination,
    StreamDestination,
)

if TYPE_CHECKING:
    from buildctl.cli.build_flags import BuildFlags


def describe(opt: SolveOpt, flags: BuildFlags, address: str) -> dict[str, Any]:
    """All of it as an object for JSON. Raises `BuildctlError` where a folder cannot be read.

    Of secrets there are the ids, never values.
    """
    return {
        "version": 1,
        "address": address,
        "command": ["buildctl", "build", *long_flags(opt, flags)],
        "request": {
            "frontend": opt.frontend,
            "attrs": dict(opt.frontend_attrs),
            "definition_bytes": len(opt.definition) if isinstance(opt.definition, bytes) else None,
            "exports": [{"type": one.type, "attrs": dict(one.attrs)} for one in opt.exports],
            "cache_exports": [{"type": one.type, "attrs": dict(one.attrs)} for one in opt.cache_exports],
            "cache_imports": [{"type": one.type, "attrs": dict(one.attrs)} for one in opt.cache_imports],
            "entitlements": list(opt.entitlements),
        },
        "sends": [_sent(name, folder, opt) for name, folder in opt.local_dirs.items()],
        "secrets": [_id_of(text) for text in flags.secrets],
        "ssh": [text.partition("=")[0] for text in flags.ssh],
        "writes": list(_writes(opt, flags)),
    }


def format_description(description: dict[str, Any]) -> str:
    """The same as text: the long form, then a line a thing."""
    lines = [_shown_command(description["command"]), ""]
    lines.append(f"daemon   {description['address']}")
    for one in description["sends"]:
        what = f"{one['files']:,} files, {format_bytes(one['bytes'])} at most"
        ignore = f", without what {one['ignore_file']} excludes" if one["ignore_file"] else ""
        lines.append(f"sends    {one['name']}: {one['folder']} ({what}{ignore})")
    lines += [f"secret   {name}" for name in description["secrets"]]
    lines += [f"ssh      {name}" for name in description["ssh"]]
    lines += [f"writes   {one}" for one in description["writes"]] or ["writes   nothing here"]
    from buildctl.progress.visible import visible

    return "".join(f"{visible(line) if number else line}\n" for number, line in enumerate(lines))


def long_flags(opt: SolveOpt, flags: BuildFlags) -> list[str]:
    """The build in the reference's flags. Folders in memory are named in angle brackets."""
    words: list[str] = []

    def add(flag: str, value: str) -> None:
        words.extend((flag, value))

    if opt.frontend:
        add("--frontend", opt.frontend)
    for name, folder in opt.local_dirs.items():
        add("--local", f"{name}={folder if isinstance(folder, str) else '<in memory>'}")
    for key, value in opt.frontend_attrs.items():
        if key == "no-cache" and not value and flags.no_cache:
            words.append("--no-cache")
        else:
            add("--opt", f"{key}={value}")
    for export in opt.exports:
        add("--output", _export_flag(export))
    for cache in opt.cache_exports:
        add("--export-cache", _fields({"type": cache.type, **cache.attrs}))
    for cache in opt.cache_imports:
        add("--import-cache", _fields({"type": cache.type, **cache.attrs}))
    for name, path in opt.oci_layouts.items():
        add("--oci-layout", f"{name}={path}")
    for text in flags.secrets:
        add("--secret", text)
    for text in flags.ssh:
        add("--ssh", text)
    for text in opt.entitlements:
        add("--allow", text)
    for flag, value in (("--metadata-file", flags.metadata_file), ("--ref-file", flags.ref_file)):
        if value:
            add(flag, value)
    return words


def _export_flag(export: Export) -> str:
    fields = {"type": export.type, **export.attrs}
    match export.destination:
        case DirectoryDestination(path) | FileDestination(path):
            fields["dest"] = path
        case LayoutDestination(path):
            fields |= {"tar": "false", "dest": path}
        case StdoutDestination():
            fields["dest"] = "-"
        case StreamDestination():
            fields["dest"] = "<the Docker Engine here>"
    return _fields(fields)


def _fields(fields: dict[str, str]) -> str:
    """Key=value fields as the flag takes them, which is a line of CSV."""
    return ",".join(
        f'"{text.replace(chr(34), chr(34) * 2)}"' if set(text) & set(',"\n\r') else text
        for text in (f"{key}={value}" for key, value in fields.items())
    )


def _shown_command(words: Sequence[str]) -> str:
    """A command line that a shell takes, a flag a line."""
    lines = [shlex.join(words[:2])]
    for word in words[2:]:
        if word.startswith("--"):
            lines.append(f"  {word}")
        else:
            lines[-1] += f" {shlex.quote(word)}"
    return " \\\n".join(lines)


def _sent(name: str, folder: Any, opt: SolveOpt) -> dict[str, Any]:
    """What of a folder could be sent; of the Dockerfile's own, what the frontend asks for."""
    from buildctl.cli.context.folder import find_ignore_file
    from buildctl.fsutil import survey
    from buildctl.fsutil.filter import Filter

    if not isinstance(folder, str):
        return {
            "name": name,
            "folder": "files in memory",
            "files": len(folder.nodes),
            "bytes": 0,
            "ignore_file": "",
        }
    if name == "dockerfile":
        wanted = (opt.frontend_attrs.get("filename", "Dockerfile"),)
        entries = survey.entries(folder, Filter((*wanted, f"{wanted[0]}.dockerignore", ".dockerignore"), ()))
        ignore_file = ""
    else:
        found = find_ignore_file(folder, "")
        entries = survey.entries(folder, Filter((), found.patterns))
        ignore_file = found.path
    held = survey.held_by_folder(entries)[b""]
    return {
        "name": name,
        "folder": folder,
        "files": held.files,
        "bytes": held.size,
        "ignore_file": ignore_file,
    }


def _writes(opt: SolveOpt, flags: BuildFlags) -> Iterator[str]:
    for export in opt.exports:
        match export.destination:
            case DirectoryDestination(path):
                yield f"files below {path}"
            case FileDestination(path):
                yield path
            case LayoutDestination(path):
                yield f"an OCI layout below {path}"
            case StdoutDestination():
                yield "standard output"
    for cache in opt.cache_exports:
        if cache.type == "local":
            yield f"a cache below {cache.attrs.get('dest', '')}"
    for path in (flags.metadata_file, flags.iidfile, flags.ref_file, flags.timings, *flags.timelines):
        if path:
            yield path
    for path in (flags.trace, flags.session_log, flags.events):
        if path:
            yield f"{path} (lines are added)"
    if flags.log_dir:
        yield f"a folder below {flags.log_dir}"


def _id_of(text: str) -> str:
    """The id of a secret, as its flag has it."""
    from buildctl.cli.flags.secret import parse_secret

    return parse_secret(text).id
