"""The daemon that is measured: a real engine whose data is on tmpfs, reached through a unix socket.

docker-buildx's driver `remote` needs a socket that speaks gRPC at once, which an engine does only after an
HTTP upgrade. A relay upgrades each connection and then moves bytes in the kernel. Both clients go through it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from benchmarks.clients import Ours
from benchmarks.pairs import measure
from benchmarks.slowlink import slow_link
from buildctl.transport.engine import engine_socket_dialer
from buildctl.transport.relay import open_relay
from tests.support import packages
from tests.support.engines import Engine

_Opened = TypeVar("_Opened")

_TICK_SECONDS = 1 / os.sysconf("SC_CLK_TCK")
_QUIET_SECONDS = 0.25
_SETTLE_SECONDS = 30.0
# Without it the daemon would remove contexts while they are measured: they exceed a tenth of its disk.
_NO_GC = {"builder": {"gc": {"enabled": False}}}


class Daemon:
    """A running engine: where clients find it, and what it has used.

    `engine` is the engine's own socket, `direct` one that speaks gRPC, `slow` the same behind the slow link.
    """

    def __init__(self, engine: Engine, direct: Path, slow: Path) -> None:
        self._engine = engine
        self.engine = engine.socket
        self.direct = direct
        self.slow = slow
        self.version = f"{engine.version}, BuildKit {engine.buildkit}"

    def idle_cpu(self) -> float:
        """CPU seconds of all its processes so far, once it has done nothing for a quarter of a second."""
        deadline = time.monotonic() + _SETTLE_SECONDS
        used = self._cpu()
        while time.monotonic() < deadline:
            time.sleep(_QUIET_SECONDS)
            before, used = used, self._cpu()
            if used - before <= _TICK_SECONDS:
                break
        return used

    def forget_contexts(self, client: Ours) -> None:
        """Remove every context that it keeps, and nothing else."""
        self._prune(client, "--filter", "type==source.local")

    def forget_everything(self, client: Ours) -> None:
        """Remove all of its cache."""
        self._prune(client, "--all")

    def _prune(self, client: Ours, *arguments: str) -> None:
        command = client.command("prune", *arguments, address=f"unix://{self.direct}")
        measure(command)

    def _cpu(self) -> float:
        return sum(_cpu_ticks(pid) for pid in self._engine.processes()) * _TICK_SECONDS


def _cpu_ticks(pid: int) -> int:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return sum(map(int, fields[11:15]))  # utime, stime, and those of its ended children


@contextlib.contextmanager
def running_daemon(folder: Path) -> Iterator[Daemon]:
    """Docker Engine 26.1 (BuildKit 0.13) with all that it writes in `folder`, while the block runs."""
    release = packages.ENGINE_26
    release = replace(release, config={**release.config, **_NO_GC})
    with Engine(release, parent=folder) as engine:
        dial = engine_socket_dialer(str(engine.socket))
        with in_thread(lambda: open_relay(dial, {"TMPDIR": str(folder)})) as relay:
            # Its name is a descriptor of this process; to the clients it has to be that of this one.
            direct = Path(relay.path.replace("/proc/self/", f"/proc/{os.getpid()}/"))
            with in_thread(lambda: slow_link(direct, folder / "slow.sock")) as slow:
                yield Daemon(engine, direct, slow)


@contextlib.contextmanager
def in_thread(opened: Callable[[], AbstractAsyncContextManager[_Opened]]) -> Iterator[_Opened]:
    """What an asynchronous context manager gives, open in an event loop of another thread."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        manager = opened()
        value = asyncio.run_coroutine_threadsafe(manager.__aenter__(), loop).result()
        try:
            yield value
        finally:
            asyncio.run_coroutine_threadsafe(manager.__aexit__(None, None, None), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
