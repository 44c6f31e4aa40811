"""Build records as rows for people."""

from __future__ import annotations

from buildctl.cli.environment import Environment
from buildctl.cli.listing import Cell, Column
from buildctl.model.buildname import build_name
from buildctl.model.history import BuildRecord

COLUMNS = (
    Column("REF"),
    Column("BUILD", flexible=True),
    Column("STATE"),
    Column("STARTED"),
    Column("TOOK", numeric=True),
    Column("CACHED", numeric=True),
    Column("PINNED"),
)
_REF_ON_TERMINAL = 10
"""Characters of a ref that a person needs: one may be named by how it begins."""
_STYLES = {"running": "blue", "completed": "green", "canceled": "yellow", "failed": "red"}


def record_row(record: BuildRecord, environment: Environment) -> tuple[str | Cell, ...]:
    """A record as the cells of `COLUMNS`; instants as ages on a terminal, else in RFC 3339."""
    return (
        shown_ref(record.ref, environment),
        build_name(record),
        Cell(record.state, _STYLES[record.state]),
        started(record, environment),
        took(record, environment),
        f"{record.cached_steps}/{record.total_steps}" if record.total_steps else "",
        "*" if record.pinned else "",
    )


def shown_ref(ref: str, environment: Environment) -> str:
    """The ref, on a terminal as much of it as names it."""
    return ref[:_REF_ON_TERMINAL] if environment.is_terminal(environment.stdout) else ref


def started(record: BuildRecord, environment: Environment) -> str:
    """When it began: `2 hours ago` on a terminal."""
    if record.created_at_ns is None:
        return ""
    if not environment.is_terminal(environment.stdout):
        return environment.local_time(record.created_at_ns)
    return age(record.created_at_ns, environment)


def age(instant_ns: int, environment: Environment) -> str:
    """How long ago an instant was, such as `2 hours ago`; by this machine's clock."""
    import humanize

    seconds = min(max(0.0, (environment.now_ns() - instant_ns) / 1e9), 1e11)
    return humanize.naturaltime(seconds)


def took(record: BuildRecord, environment: Environment) -> str:
    """How long it took, or has taken so far: `1m02s`."""
    if record.created_at_ns is None:
        return ""
    duration_ns = record.duration_ns
    if duration_ns is None:
        duration_ns = max(0, environment.now_ns() - record.created_at_ns)
    from buildctl.progress.row import format_elapsed

    return format_elapsed(duration_ns)
