"""`buildctl debug workers`: who builds, and how its cache is kept. Layout: cmd/buildctl/debug/workers.go."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import click

from buildctl.cli.app import App, pass_app
from buildctl.cli.flags.duration import format_duration
from buildctl.cli.format import format_flag, parse_format, write_formatted
from buildctl.cli.grammar import BOOL, Command, flag
from buildctl.cli.table import align_tabs
from buildctl.model.bytesize import format_bytes_short

if TYPE_CHECKING:
    from buildctl.cli.environment import Environment
    from buildctl.model.workers import CDIDevice, GCPolicy, Platform, WorkerRecord

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

            write_formatted(parsed, worker_infos(workers), app.environment.write_stdout)
            return
        environment = app.environment
        if environment.is_terminal(environment.stdout) and not verbose:
            environment.write_stdout(format_for_people(workers, environment))
        else:
            environment.write_stdout(format_verbose(workers) if verbose else format_table(workers))

    app.run(run)


def format_table(workers: Iterable[WorkerRecord]) -> str:
    """A header and a line a worker."""
    rows = (f"{worker.id}\t{format_platforms(worker.platforms)}\n" for worker in workers)
    return align_tabs("ID\tPLATFORMS\n" + "".join(rows))


def format_for_people(workers: Iterable[WorkerRecord], environment: Environment) -> str:
    """A line a worker, as wide as the window; what it builds for last, for that may be long."""
    from buildctl.cli.listing import Column, format_listing

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
    return format_listing(environment, [*columns, Column("PLATFORMS", flexible=True)], rows)


def format_verbose(workers: Iterable[WorkerRecord]) -> str:
    """A block a worker: identity, labels, devices, rules; each ended by an empty line."""
    return align_tabs("".join(line for worker in workers for line in _worker_lines(worker)))


def _worker_lines(worker: WorkerRecord) -> Iterator[str]:
    yield f"ID:\t{worker.id}\n"
    yield f"Platforms:\t{format_platforms(worker.platforms)}\n"
    version = worker.buildkit_version
    yield (
        f"BuildKit:\t{version.package} {version.version} {version.revision}\n"
        if version
        else "BuildKit:\t  \n"
    )
    if version and version.dockerfile_version:
        yield f"Dockerfile:\t{version.dockerfile_version}\n"
    yield "Labels:\n"
    yield from (f"\t{key}:\t{value}\n" for key, value in sorted(worker.labels.items()))
    if worker.cdi_devices:
        yield "Devices:\n"
        for device in worker.cdi_devices:
            yield from _device_lines(device)
        yield "\n"
    for number, policy in enumerate(worker.gc_policies):
        yield f"GC Policy rule#{number}:\n"
        yield from _policy_lines(policy)
    yield "\n"


def _device_lines(device: CDIDevice) -> Iterator[str]:
    yield f"\tName:\t{device.name}\n"
    yield "\tOnDemand:\ttrue\n" if device.on_demand else f"\tAutoAllow:\t{str(device.auto_allow).lower()}\n"
    yield from (f"\tAnnotations:\t{key}:\t{value}\n" for key, value in sorted(device.annotations.items()))


def _policy_lines(policy: GCPolicy) -> Iterator[str]:
    yield f"\tAll:\t{str(policy.all).lower()}\n"
    if policy.filters:
        yield f"\tFilters:\t{' '.join(policy.filters)}\n"
    if policy.keep_duration_ns > 0:
        yield f"\tKeep duration:\t{format_duration(policy.keep_duration_ns)}\n"
    limits = {
        "Reserved space": policy.reserved_space_bytes,
        "Minimum free space": policy.min_free_space_bytes,
        "Maximum used space": policy.max_used_space_bytes,
    }
    yield from (f"\t{name}:\t{format_bytes_short(size)}\n" for name, size in limits.items() if size > 0)


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
