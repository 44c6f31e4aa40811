"""The one stream that carries all processes of a build's containers, each message with its process's id.

A message that the daemon does not expect, of a process or descriptor that is not there, ends the stream's use
for the rest of the build, and nobody is told: the daemon goes on reading and answers nothing. So what is
sent is checked here first, and the start of a process has a limit.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from buildctl._pb import gateway_pb2
from buildctl.errors import BuildctlError, ClosedError

if TYPE_CHECKING:
    from buildctl.client.gateway.gateway import Gateway
    from buildctl.client.gateway.process import Process
    from buildctl.client.rpc import Duplex


class Processes:
    """The processes of one build; the stream is opened for the first."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._by_id: dict[str, Process] = {}
        self._stream: asyncio.Future[Duplex[gateway_pb2.ExecMessage, gateway_pb2.ExecMessage]] | None = None
        self._writing = asyncio.Lock()

    async def add(self, process: Process, init: gateway_pb2.InitMessage) -> None:
        """Have a process started, and deliver what comes of it to it from now on."""
        self._gateway.check_open()
        if self._stream is None:
            self._stream = asyncio.get_running_loop().create_future()
            self._gateway.start(self._serve(self._stream))
        self._by_id[process.id] = process
        await self.send(process, Init=init)

    def forget(self, process: Process) -> None:
        """Drop what may still come of a process whose container is gone."""
        self._by_id.pop(process.id, None)

    async def send(self, process: Process, **message: object) -> None:
        """Send a message of a process that the daemon knows. Raises `ClosedError` and `RPCError`."""
        if self._stream is None or process.id not in self._by_id:
            raise ClosedError("the process has ended")
        stream = await asyncio.shield(self._stream)
        async with self._writing:
            if process.id in self._by_id:
                request = gateway_pb2.ExecMessage(ProcessID=process.id, **message)  # type: ignore[arg-type]
                await stream.write(request)

    async def _serve(
        self, opened: asyncio.Future[Duplex[gateway_pb2.ExecMessage, gateway_pb2.ExecMessage]]
    ) -> None:
        failure: BuildctlError = ClosedError("the build has ended")
        try:
            async with self._gateway.duplex() as stream:
                opened.set_result(stream)
                while (message := await stream.read()) is not None:
                    if process := self._by_id.get(message.ProcessID):
                        await process.take(message)
                        if process.is_done:
                            del self._by_id[message.ProcessID]
            failure = ClosedError("the daemon ended the stream of all processes")
        except BuildctlError as error:
            failure = error
        finally:
            if not opened.done():
                opened.set_exception(failure)
            with contextlib.suppress(BaseException):
                opened.exception()
            for process in self._by_id.values():
                process.fail(failure)
            self._by_id.clear()
