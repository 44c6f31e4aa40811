"""Which build is meant: a ref, how one begins, `^N`, or a `.dockerbuild` file; and where its parts are."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from buildctl.errors import BuildctlError, Code, RPCError, UsageError
from buildctl.model.history import BuildHistoryEventType, BuildRecord
from buildctl.model.quote import quote

if TYPE_CHECKING:
    from buildctl.cli.app import App
    from buildctl.client.client import Client
    from buildctl.client.recordfile import SavedBuild
    from buildctl.model.status import SolveStatus

_OFFSET = re.compile(r"\^[0-9]{0,6}")
_LIST_HINT = "buildctl history ls lists the builds"
_AMBIGUOUS_SHOWN = 3


@dataclass(frozen=True, slots=True)
class ChosenBuild:
    """One build: of the daemon that `client` talks to, or of a file."""

    record: BuildRecord
    client: Client | None = None
    saved: SavedBuild | None = None

    async def statuses(self) -> AsyncGenerator[SolveStatus, None]:
        """What it has said, and goes on to say. Raises `BuildctlError`."""
        if self.saved is not None:
            for status in self.saved.statuses():
                yield status
            return
        assert self.client is not None
        async with contextlib.aclosing(self.client.status(self.record.ref)) as messages:
            async for status in messages:
                yield status

    async def collect(self) -> SavedBuild:
        """It with all its blobs. Raises `BuildctlError`."""
        if self.saved is not None:
            return self.saved
        from buildctl.client.recordfile import collect_build

        assert self.client is not None
        return await collect_build(self.record, self.client.read_content)


async def list_records(client: Client, *, active_only: bool = False) -> list[BuildRecord]:
    """What the daemon knows of builds, the newest first. Raises `RPCError`; old daemons know of none."""
    records: dict[str, BuildRecord] = {}
    events = client.listen_build_history(early_exit=True, active_only=active_only)
    try:
        async with contextlib.aclosing(events):
            async for event in events:
                if event.record is None or event.type == BuildHistoryEventType.DELETED:
                    continue
                records[event.record.ref] = event.record
    except RPCError as error:
        if error.code is Code.UNIMPLEMENTED:
            raise BuildctlError(
                "the daemon keeps no history of builds", hint="BuildKit 0.11 and later do"
            ) from error
        raise
    return sorted(records.values(), key=lambda record: record.created_at_ns or 0, reverse=True)


def choose_record(records: Sequence[BuildRecord], ref: str) -> BuildRecord:
    """The record that `ref` means among those given, the newest first. Raises `UsageError`."""
    if not ref or _OFFSET.fullmatch(ref):
        offset = int(ref[1:] or 0)
        if offset >= len(records):
            many = f"has {len(records)} build{'s' * (len(records) != 1)}" if records else "is empty"
            raise UsageError(f"no build {ref or '^0'}: the history {many}", hint=_LIST_HINT)
        return records[offset]
    found = [record for record in records if record.ref.startswith(ref)]
    exact = [record for record in found if record.ref == ref]
    if len(exact or found) == 1:
        return (exact or found)[0]
    if not found:
        raise UsageError(f"no build {quote(ref)} in the history", hint=_LIST_HINT)
    shown = ", ".join(record.ref for record in found[:_AMBIGUOUS_SHOWN])
    more = ", ..." if len(found) > _AMBIGUOUS_SHOWN else ""
    raise UsageError(f"{quote(ref)} begins the refs of {len(found)} builds: {shown}{more}")


@contextlib.asynccontextmanager
async def chosen_builds(
    app: App, refs: Sequence[str], *, completed_only: bool = False
) -> AsyncIterator[list[ChosenBuild]]:
    """The builds that are meant, while the block runs; none of `refs` is the newest one.

    Files and imported builds need no daemon. Raises `BuildctlError`.
    """
    wanted = list(refs) or [""]
    saved = {ref: await _saved(app, ref) for ref in wanted}
    if all(saved.values()):
        yield [ChosenBuild(one.record, saved=one) for one in saved.values() if one is not None]
        return
    async with app.connect() as client:
        records = await list_records(client)
        if completed_only:
            records = [record for record in records if record.completed_at_ns is not None]
        yield [
            ChosenBuild(one.record, saved=one)
            if (one := saved[ref]) is not None
            else ChosenBuild(choose_record(records, ref), client)
            for ref in wanted
        ]


async def _saved(app: App, ref: str) -> SavedBuild | None:
    """The build of a file: one that is named, or one that was imported under that very ref."""
    from buildctl.cli.history.imported import imported_file, read_builds

    path = ref if ref.endswith(".dockerbuild") or os.sep in ref else imported_file(app.environment, ref)
    if not path:
        return None
    builds = await asyncio.to_thread(read_builds, path)
    if len(builds) > 1:
        raise UsageError(
            f"{path} has {len(builds)} builds", hint="buildctl history import keeps them, each by its ref"
        )
    return builds[0]
