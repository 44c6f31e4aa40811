"""The page on `buildctl.llb`, made of its docstrings."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

from buildctl import llb

_GROUPS = {
    "Where files come from": (
        "scratch image local git http oci_layout image_blob oci_layout_blob scan_ssh_host Resolver "
        "ImageAnswer"
    ),
    "States": "State Exec",
    "What a command is given": "mount tmpfs cache secret secret_env ssh device ProxyEnv Ulimit split",
    "Files without commands": "mkdir mkfile rm symlink copy FileAction",
    "Several states as one": "merge diff passthrough",
    "What every op takes": "ConstraintArgs ProgressGroup Resources Platform",
    "Places in build files": "here SourceMap Location Position Range",
    "Definitions": "Definition Op OpMetadata Sources SourceInfo SourceLocation MarshalArgs MarshalOptions",
    "Values that functions give": "Mount Secret SSH Device",
    "Errors": "UsageError AsyncStateError",
}


def llb_page() -> str:
    """The text of the page."""
    lines = [
        "# `buildctl.llb`",
        "",
        "Made from the docstrings by `make docs`; docs/llb.md is where to begin.",
        "",
        f"`llb.BUILDKIT` is `{llb.BUILDKIT!r}`: the BuildKit release whose builder makes the same bytes.",
    ]
    for title, names in _GROUPS.items():
        lines += ["", f"## {title}"]
        for name in names.split():
            lines += _entry(f"llb.{name}", getattr(llb, name), 3)
    return "\n".join(lines) + "\n"


def _entry(name: str, thing: Any, level: int) -> Iterator[str]:
    yield from ("", f"{'#' * level} `{name}`", "")
    if inspect.isclass(thing):
        yield from _doc(thing)
        for member, value in vars(thing).items():
            shown = member == "__init__" and name == "llb.SourceMap"
            if (member.startswith("_") and not shown) or member in getattr(thing, "_fields", ()):
                continue
            function = getattr(value, "__func__", value)
            if inspect.isfunction(function):
                yield from _entry(f"{name.removeprefix('llb.')}.{member}", function, level + 1)
            elif isinstance(value, property):
                yield from ("", f"`{member}`: {inspect.getdoc(value)}")
        fields = [each for each in inspect.get_annotations(thing) if not each.startswith("_")]
        if fields:
            yield from (
                "",
                "Fields: " + ", ".join(f"`{each}: {_type(thing, each)}`" for each in fields) + ".",
            )
        return
    yield from ("```python", f"{thing.__name__}{_signature(thing)}", "```", "")
    yield from _doc(thing)


def _type(thing: Any, name: str) -> str:
    return str(thing.__annotations__[name])


def _signature(function: Any) -> str:
    signature = inspect.signature(function)
    parts: list[str] = []
    kinds = [each.kind for each in signature.parameters.values()]
    for index, each in enumerate(signature.parameters.values()):
        if each.kind is each.KEYWORD_ONLY and each.kind not in kinds[:index]:
            parts.append("*")
        parts.append(_parameter(each))
        positional_ends = each.kind is each.POSITIONAL_ONLY and each.kind not in kinds[index + 1 :]
        if positional_ends:
            parts.append("/")
    result = f" -> {signature.return_annotation}"
    line = f"({', '.join(parts)}){result}"
    return line if len(line) < 90 else "(\n" + "".join(f"    {part},\n" for part in parts) + f"){result}"


def _parameter(parameter: inspect.Parameter) -> str:
    text = str(parameter).partition(":")[0].partition("=")[0].strip()  # with its stars
    if parameter.annotation is not parameter.empty:
        text += f": {_ALIASES.get(parameter.annotation, parameter.annotation)}"
    if parameter.default is not parameter.empty:
        is_mode = parameter.name == "mode" and isinstance(parameter.default, int)
        text += f" = {oct(parameter.default) if is_mode else repr(parameter.default)}"
    return text


_NETWORK = 'Literal["sandbox", "host", "none"]'
_SECURITY = 'Literal["sandbox", "insecure"]'
_ALIASES = {
    "_Network": _NETWORK,
    "_Network | None": f"{_NETWORK} | None",
    "_Security": _SECURITY,
    "_Security | None": f"{_SECURITY} | None",
}


def _doc(thing: Any) -> Iterator[str]:
    """The docstring, in which what is indented is code, or the meaning of the word above it."""
    for block in (inspect.getdoc(thing) or "").split("\n\n"):
        first, _, rest = block.partition("\n")
        if rest.startswith("    ") and not first.startswith(" "):
            term = ""
            for line in block.split("\n"):
                if not line.startswith(" "):
                    term = ", ".join(f"`{word}`" for word in line.split(", "))
                elif term:
                    yield f"- {term}: {line.strip()}"
                    term = ""
                else:
                    yield f"  {line.strip()}"
        elif block.startswith("    "):
            yield from ("```python", inspect.cleandoc(block), "```")
        else:
            yield block
        yield ""
