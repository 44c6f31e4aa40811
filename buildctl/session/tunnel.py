"""A session: the services that a daemon may call on this client, through the bytes of `Control.Session`.

The daemon is the HTTP/2 client and this end the server. How the call is made is not known here: see
`client.socketcall` and `client.channelcall`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager

from buildctl.errors import Code, RPCError, SessionLostError
from buildctl.session.health import Health
from buildctl.session.server import ByteStream, Server
from buildctl.session.stream import Attachable

_EXPOSE = "x-docker-expose-session-"
_LOST_HINT = (
    "the daemon gives up a client that answers no health check for about half a minute: one that sleeps, is "
    "stopped, or is cut off; its log may say more. Run the build again"
)


class Session:
    """What is offered to the daemon, under an id that a build names."""

    def __init__(
        self,
        attachables: Iterable[Attachable],
        session_id: str,
        *,
        shared_key: str = "",
        on_unknown: Callable[[str], None] | None = None,
    ) -> None:
        """`on_unknown` is told the paths of calls that nothing is offered for."""
        self._health = Health()
        methods = {
            path: handler for one in (self._health, *attachables) for path, handler in one.methods.items()
        }
        self._server = Server(methods, on_unknown, self._health.note_going_away)
        self.metadata: tuple[tuple[str, str], ...] = (
            (_EXPOSE + "uuid", session_id),
            (_EXPOSE + "sharedkey", shared_key),
            *((_EXPOSE + "grpc-method", path) for path in methods),
        )
        """What `Control.Session` is to be called with."""

    @property
    def last_health_check(self) -> float | None:
        """When the daemon last asked whether this client is there, by `health.now`."""
        return self._health.last_check

    @property
    def in_doubt(self) -> bool:
        """Whether the daemon may have given this client up, and the end of the stream be on its way."""
        return self._health.in_doubt

    async def given_up(self) -> SessionLostError | None:
        """The error that the daemon has given this session up and leaves it open all the same, if it has.

        After a pause of this process it takes some seconds to know.
        """
        if not await self._health.is_given_up():
            return None
        return self._lost(Code.ABORTED, "the daemon has given it up")

    def account(self) -> str:
        """What is known of the daemon's health checks, as half a sentence."""
        return self._health.account()

    async def run(self, call: AbstractAsyncContextManager[ByteStream]) -> None:
        """Serve on the bytes of a call of `Control.Session` until `close` and then the daemon's end.

        Raises `SessionLostError` when it ends before, and `ProtocolError` when the daemon breaks HTTP/2.
        """
        watching = asyncio.create_task(self._health.watch())
        try:
            async with call as stream:
                if not self._server.is_closing:
                    await self._server.serve(stream)
        except RPCError as error:
            if not self._server.is_closing and error.code is not Code.OK:  # which ends a write as well
                raise self._lost(error.code, error.message) from error
        finally:
            watching.cancel()
        if not self._server.is_closing:
            raise self._lost(Code.ABORTED, "the daemon ended it")

    def close(self) -> None:
        """Half-close; `run` returns when the daemon has ended the stream, which has a few seconds."""
        self._server.close()

    def _lost(self, code: Code, message: str) -> SessionLostError:
        return SessionLostError(code, f"session lost: {message}; {self.account()}", hint=_LOST_HINT)
