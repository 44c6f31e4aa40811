"""What a build offers the daemon of this machine, and whether what it was to deliver has come."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from buildctl.errors import BuildctlError, SolveError
from buildctl.fsutil.worker import Worker
from buildctl.model.solve import (
    Delivery,
    DirectoryDestination,
    FileDestination,
    SolveOpt,
    StdoutDestination,
    StreamDestination,
)
from buildctl.model.transfer import Transfer
from buildctl.session.auth import paths as auth
from buildctl.session.filesync import FileSync, Watch
from buildctl.session.observed import Observed, RequestSink
from buildctl.session.stream import Attachable, Handler, ServerStream

if TYPE_CHECKING:
    from buildctl.oci.store import Store
    from buildctl.session.filesend import FileSend

TransferSink: TypeAlias = Callable[[Transfer], None]

_BY_FILE_SEND = DirectoryDestination | FileDestination | StdoutDestination | StreamDestination


@contextlib.asynccontextmanager
async def checking_contents(opt: SolveOpt, disk: Worker) -> AsyncIterator[tuple[str, Watch | None]]:
    """The shared key and what sees transfers, where contents are to be compared."""
    folders = [path for path in opt.local_dirs.values() if isinstance(path, str)]
    if not (opt.content_records and folders):
        yield opt.shared_key, None
        return
    from buildctl.session.contentcheck import ContentCheck  # with sqlite3, which few builds need

    check = ContentCheck(opt.content_records, folders)
    try:
        yield await disk.run(check.shared_key, opt.shared_key), check.watcher
    finally:
        await disk.run(check.close)


def session_services(
    opt: SolveOpt,
    attachables: Sequence[Attachable] = (),
    stores: Mapping[str, Store] | None = None,
    watch: Watch | None = None,
    on_transfer: TransferSink | None = None,
    on_request: RequestSink | None = None,
) -> list[Attachable]:
    """What a build offers the daemon: folders, stores, destinations, and whatever is given besides."""
    services: list[Attachable] = list(attachables)
    if not any(auth.CREDENTIALS in service.methods for service in services):
        from buildctl.session.auth.anonymous import AnonymousAuth

        services.append(AnonymousAuth())
    if opt.local_dirs:
        services.append(
            FileSync(
                opt.local_dirs,
                on_unreadable=opt.on_unreadable,
                watch=watch,
                records=opt.transfer_records,
                on_transfer=on_transfer,
                on_request=on_request,
            )
        )
    if stores:
        from buildctl.session.content import ContentService

        services.append(ContentService(stores))
    if any(isinstance(export.destination, _BY_FILE_SEND) for export in opt.exports):
        from buildctl.session.filesend import FileSend

        services.append(FileSend(opt.exports))
    return [Observed(one, on_request) for one in services] if on_request else services


def senders(services: Sequence[Attachable]) -> list[FileSend]:
    from buildctl.session.filesend import FileSend

    bare = [service.service if isinstance(service, Observed) else service for service in services]
    return [service for service in bare if isinstance(service, FileSend)]


def deliveries(opt: SolveOpt, services: Sequence[Attachable]) -> Mapping[int, Delivery]:
    """What has arrived here, by the index of the export."""
    if not any(isinstance(export.destination, _BY_FILE_SEND) for export in opt.exports):
        return {}
    return {number: one for sender in senders(services) for number, one in sender.deliveries.items()}


def check_delivery(opt: SolveOpt, services: Sequence[Attachable]) -> None:
    """Raise `SolveError` where the daemon calls a build a success and its outputs are not whole.

    That it left out the only one is for the user to see: the reference says nothing of it either.
    """
    if not any(isinstance(export.destination, _BY_FILE_SEND) for export in opt.exports):
        return
    found = senders(services)
    for sender in found:
        if sender.incomplete:
            destination, error = sender.incomplete
            why = str(error) if error else "the daemon ended the build before"
            raise SolveError(
                f"failed to solve: {destination} is not complete: {why}",
                hint=error.hint if error else "the daemon's log may say more",
            ) from error
    missing = [export.type for sender in found for export in sender.missing]
    if missing and len(opt.exports) > 1:
        raise SolveError(
            f"failed to solve: the daemon delivered nothing for output type={', type='.join(missing)}",
            hint="BuildKit before 0.13 takes one output; build once for each",
        )


class Noting(NamedTuple):
    """Attachable: another one, whose failures are noted: the daemon gives back their text only."""

    service: Attachable
    note: Callable[[BuildctlError], None]

    @property
    def methods(self) -> Mapping[str, Handler]:
        return {path: self._noting(handler) for path, handler in self.service.methods.items()}

    def _noting(self, handler: Handler) -> Handler:
        async def handle(stream: ServerStream) -> None:
            try:
                await handler(stream)
            except BuildctlError as error:
                self.note(error)
                raise

        return handle
