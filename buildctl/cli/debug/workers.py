"""`buildctl debug workers`: who builds, and how its cache is kept. Layout: cmd/buildctl/debug/workers.go."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import click

from buildctl.cli.app import App, pass_app
from buildctl.cli.flags.duration import format_duration
from buildctl.cli.format import format_flag, parse_format, write_formatted
from buildctl.cli.grammar import BOOL, Command, flag
from buildctl.cli.table import Row, align_tabs
from buildctl.model.bytesize import format_bytes_short

if TYPE_CHECKING:
    from buildctl.cli.output import Output
    from buildctl.model.platform import Platform
    from buildctl.model.workers import CDIDevice, GCPolicy, WorkerRecord

_ARCHITECTURES = {
    "i386": "386",
    "x86_64": "amd64",
    "x86-64": "amd64",
    "aarch64": "arm64",
    "armhf": "arm",
    "armel": "arm",
}


@click.command(
    "workers",
    cls=Command,
    epilog="""
    $ buildctl debug workers
    $ buildctl debug workers -v --filter id==l4nhpfnzql9obf6kvknylkioe
    """,
)
@flag(
    "--filter",
    "-f",
    "filters",
    multiple=True,
    metavar="FILTER",
    help="Only workers that match, e.g. id==NAME.",
)
@flag("--verbose", "-v", type=BOOL, help="Labels, versions, devices and garbage collection rules too.")
@format_flag
@pass_app
def command(app: App, filters: tuple[str, ...], verbose: bool, template: str) -> None:
    """List the daemon's workers and the platforms they build for."""

    async def run() -> None:
        async with app.connect() as client:
            workers = await client.workers(filters)
        if parsed := parse_format(template):
            from buildctl.cli.gorecords import worker_infos

            write_formatted(parsed, worker_infos(workers), app.output.write)
            return
        if app.output.stdout_is_terminal and not verbose:
            show_to_people(workers, app.output)
            return
        app.output.write_table(verbose_rows(workers) if verbose else table_rows(workers), align_tabs)

    app.run(run)


def table_rows(workers: Iterable[WorkerRecord]) -> Iterator[Row]:
    """A header and a line a worker."""
    yield "ID", "PLATFORMS"
    for worker in workers:
        yield worker.id, format_platforms(worker.platforms)


def show_to_people(workers: Iterable[WorkerRecord], output: Output) -> None:
    """A line a worker, as wide as the window; what it builds for last, for that may be long."""
    from buildctl.cli.listing import Column, show_listing

    rows = []
    for worker in workers:
        version = worker.buildkit_version
        labels = {key.rpartition(".")[2]: value for key, value in worker.labels.items()}
        rows.append(
            (
                worker.id,
                labels.get("hostname", ""),
                version.version if version else "",
                labels.get("snapshotter", ""),
                format_platforms(worker.platforms),
            )
        )
    columns = [Column("ID"), Column("HOST"), Column("BUILDKIT"), Column("SNAPSHOTTER")]
    show_listing(output, [*columns, Column("PLATFORMS", flexible=True)], rows)


def verbose_rows(workers: Iterable[WorkerRecord]) -> Iterator[Row]:
    """A block a worker: identity, labels, devices, rules; each ended by an empty line."""
    for worker in workers:
        yield from _worker_rows(worker)


def _worker_rows(worker: WorkerRecord) -> Iterator[Row]:
    yield "ID:", worker.id
    yield "Platforms:", format_platforms(worker.platforms)
    version = worker.buildkit_version
    yield "BuildKit:", f"{version.package} {version.version} {version.revision}" if version else "  "
    if version and version.dockerfile_version:
        yield "Dockerfile:", version.dockerfile_version
    yield ("Labels:",)
    for key, value in sorted(worker.labels.items()):
        yield "", f"{key}:", value
    if worker.cdi_devices:
        yield ("Devices:",)
        for device in worker.cdi_devices:
            yield from _device_rows(device)
        yield ("",)
    for number, policy in enumerate(worker.gc_policies):
        yield (f"GC Policy rule#{number}:",)
        yield from _policy_rows(policy)
    yield ("",)


def _device_rows(device: CDIDevice) -> Iterator[Row]:
    yield "", "Name:", device.name
    if device.on_demand:
        yield "", "OnDemand:", "true"
    else:
        yield "", "AutoAllow:", str(device.auto_allow).lower()
    for key, value in sorted(device.annotations.items()):
        yield "", "Annotations:", f"{key}:", value


def _policy_rows(policy: GCPolicy) -> Iterator[Row]:
    yield "", "All:", str(policy.all).lower()
    if policy.filters:
        yield "", "Filters:", " ".join(policy.filters)
    if policy.keep_duration_ns > 0:
        yield "", "Keep duration:", format_duration(policy.keep_duration_ns)
    limits = {
        "Reserved space": policy.reserved_space_bytes,
        "Minimum free space": policy.min_free_space_bytes,
        "Maximum used space": policy.max_used_space_bytes,
    }
    for name, size in limits.items():
        if size > 0:
            yield "", f"{name}:", format_bytes_short(size)


def format_platforms(platforms: Iterable[Platform]) -> str:
    """`linux/amd64,linux/arm/v7`, normalised as containerd's platforms package does."""
    return ",".join(map(_format_platform, platforms))


def _format_platform(platform: Platform) -> str:
    if not platform.os:
        return "unknown"
    system = platform.os.lower()
    architecture, variant = platform.architecture.lower(), platform.variant.lower()
    if architecture in ("armhf", "armel"):
        variant = "v7" if architecture == "armhf" else "v6"
    architecture = _ARCHITECTURES.get(architecture, architecture)
    if architecture == "arm64" and variant in ("8", "v8", "v8.0"):
        variant = ""
    elif architecture == "arm":
        variant = {"": "v7", "5": "v5", "6": "v6", "7": "v7", "8": "v8"}.get(variant, variant)
    elif architecture == "amd64" and variant == "v1":
        variant = ""
    return "/".join(filter(None, (system, architecture, variant)))
