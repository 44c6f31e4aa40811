"""What builds get that do not say otherwise: the user's accounts, and a key that is this client's own.

The command line and `buildctl.connect` share it, so that both behave the same way.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from buildctl.model.solve import SolveOpt
from buildctl.model.status import SolveStatus
from buildctl.session.auth import paths
from buildctl.session.deferred import Deferred
from buildctl.session.stream import Attachable

if TYPE_CHECKING:
    from buildctl.session.auth.dockerconfig import DockerConfig

_LOG = logging.getLogger("buildctl")


def with_own_places(opt: SolveOpt, environ: Mapping[str, str]) -> SolveOpt:
    """The build with this client's key for its folders, and with the place where it is kept what was sent.

    What `opt` has of these is left. It reads and may write files below XDG_STATE_HOME.
    """
    if not opt.local_dirs:
        return opt
    from buildctl.session.clientid import client_id
    from buildctl.session.sharedkey import shared_key
    from buildctl.session.statefolder import transfer_records

    key = opt.shared_key or shared_key(client_id(environ), opt.local_dirs)
    return replace(opt, shared_key=key, transfer_records=opt.transfer_records or transfer_records(environ))


class Defaults:
    """The command line's ways, for the builds of one client."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        """`environ` says where the user's files are, and is what helper programs get."""
        self._environ = environ
        self._docker_config: DockerConfig | None = None

    async def complete(
        self,
        opt: SolveOpt,
        attachables: Sequence[Attachable],
        on_status: Callable[[SolveStatus], None] | None = None,
    ) -> tuple[SolveOpt, Sequence[Attachable]]:
        """What a build asks for and offers, completed; `on_status` is told what is done with accounts."""
        if opt.local_dirs:
            opt = await asyncio.to_thread(with_own_places, opt, self._environ)
        if any(paths.CREDENTIALS in service.methods for service in attachables):
            return opt, attachables

        def auth() -> Attachable:
            from buildctl.session.auth.dockerconfig import load_docker_config
            from buildctl.session.auth.service import Auth

            if self._docker_config is None:
                self._docker_config = load_docker_config(self._environ)
                for warning in self._docker_config.warnings:
                    _LOG.warning("%s", warning)
            return Auth(self._docker_config, self._environ, on_status=on_status, now_ns=time.time_ns)

        return opt, [*attachables, Deferred(paths.ALL, auth)]
