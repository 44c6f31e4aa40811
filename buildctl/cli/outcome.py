"""Where the result of a build is, in a line for each output, for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from buildctl.model.bytesize import format_bytes
from buildctl.model.solve import DirectoryDestination, FileDestination, LayoutDestination

if TYPE_CHECKING:
    from collections.abc import Mapping

    from buildctl.model.solve import Export, SolveOpt, SolveResult

_DIGEST, _NAME = "containerimage.digest", "image.name"


def outcome_lines(opt: SolveOpt, result: SolveResult, *, ascii_only: bool = False) -> list[str]:
    """`→ out, 3 files, 1.99MB`, `→ out.tar, 1.99MB` or `→ NAME@DIGEST`; nothing of what went elsewhere."""
    arrow = "->" if ascii_only else "→"
    response = result.exporter_response
    return [
        f"{arrow} {place}"
        for number, export in enumerate(opt.exports)
        for place in _places(number, export, result, response)
    ]


def _places(number: int, export: Export, result: SolveResult, response: Mapping[str, str]) -> Iterator[str]:
    delivery = result.deliveries.get(number)
    digest = response.get(_DIGEST, "")
    match export.destination:
        case DirectoryDestination(path) if delivery is not None:
            files = "1 file" if delivery.files == 1 else f"{delivery.files:,} files"
            yield f"{path}, {files}, {format_bytes(delivery.bytes_received)}"
        case FileDestination(path) if delivery is not None:
            yield f"{path}, {format_bytes(delivery.bytes_received)}"
        case LayoutDestination(path):
            yield f"{path}, {digest}" if digest else path
        case None:
            names = export.attrs.get("name") or response.get(_NAME, "")
            at = f"@{digest}" if digest else ""
            yield from (f"{name.strip()}{at}" for name in names.split(",") if name.strip())
            if digest and not names:
                yield digest
