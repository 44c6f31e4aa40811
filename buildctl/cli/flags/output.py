"""`--output type=local,dest=out` becomes an `Export`; nothing is opened. Source: build/output.go."""

from __future__ import annotations

from buildctl.cli.flags.csv import parse_attributes
from buildctl.cli.flags.scalar import parse_bool
from buildctl.errors import UsageError
from buildctl.model.solve import (
    Destination,
    DirectoryDestination,
    Export,
    FileDestination,
    LayoutDestination,
    StdoutDestination,
)

_HINT = "for example --output type=local,dest=out or --output type=image,name=registry/name,push=true"


def parse_output(text: str) -> Export:
    """One export: its type, where it lands here, and every other attribute for the daemon.

    Raises `UsageError` where the type is missing or the destination does not suit it.
    """
    attrs = parse_attributes(text)
    exporter = attrs.pop("type", "")
    if not exporter:
        raise UsageError("--output requires type=<type>", hint=_HINT)
    if "output" in attrs:
        value = attrs["output"]
        raise UsageError(f"output={value} not supported for --output, you meant dest={value}?")
    destination = _destination(exporter, attrs)
    if destination is not None:
        attrs.pop("dest", None)
    return Export(exporter, attrs, destination)


def _destination(exporter: str, attrs: dict[str, str]) -> Destination | None:
    dest = attrs.get("dest", "")
    if exporter == "local":
        return DirectoryDestination(_directory(exporter, dest), _keeps_privileged(attrs))
    if exporter in ("oci", "docker") and not _is_tar(attrs.get("tar", "")):
        return LayoutDestination(_directory(exporter, dest))
    if exporter in ("tar", "oci", "docker"):
        return FileDestination(dest) if dest not in ("", "-") else StdoutDestination()
    if dest:
        raise UsageError(
            f"invalid output option: output: output {dest} is not supported by {exporter} exporter"
        )
    return None


def _keeps_privileged(attrs: dict[str, str]) -> bool:
    """`keep-privileged`, which is for this client alone."""
    text = attrs.pop("keep-privileged", "false")
    try:
        return parse_bool(text)
    except UsageError:
        message = f"invalid output option: keep-privileged={text}"
        raise UsageError(message, hint="use keep-privileged=true or false") from None


def _directory(exporter: str, dest: str) -> str:
    if not dest:
        message = f"invalid output option: output: output directory is required for {exporter} exporter"
        raise UsageError(message, hint=f"add ,dest=DIRECTORY to --output type={exporter}")
    return dest


def _is_tar(text: str) -> bool:
    try:
        return parse_bool(text)
    except UsageError:
        return True
