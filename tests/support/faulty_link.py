"""A unix socket in front of another, over a link with every fault: cut, half-closed, silent, slow, late."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

Way = Literal["up", "down"]
"""Towards the daemon, and from it."""

_CHUNK_BYTES = 16 * 1024


class FaultyLink:
    """Listens on `path` while the block runs and carries what comes to `target`, which may come and go."""

    def __init__(self, target: Path, path: Path) -> None:
        self.target = target
        self.path = path
        self.rate: dict[Way, float] = {"up": 0, "down": 0}
        """Bytes a second; 0 is as fast as it goes."""
        self.delay_seconds = 0.0
        """How much later everything arrives, each way."""
        self.carried: dict[Way, int] = {"up": 0, "down": 0}
        """Bytes so far."""
        self._open = threading.Event()
        self._open.set()
        self._changed = threading.Condition()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.socket(socket.AF_UNIX)

    def __enter__(self) -> Self:
        self._listener.bind(str(self.path))
        self._listener.listen()
        self._start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self.release()
        self.cut()
        for thread in self._threads:
            thread.join()
        for end in (self._listener, *(end for pair in self._pairs for end in pair)):
            end.close()
        self.path.unlink()

    @property
    def taken(self) -> int:
        """How many connections have been taken."""
        return len(self._pairs)

    def hold(self) -> None:
        """Carry nothing more, as when a cable is pulled: nobody is told."""
        self._open.clear()

    def release(self) -> None:
        """Carry on."""
        self._open.set()

    def cut(self) -> None:
        """End every connection at both ends."""
        for pair in tuple(self._pairs):
            for end in pair:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def half_close(self) -> None:
        """End what comes from the daemon, while what goes to it is still taken."""
        for near, _ in tuple(self._pairs):
            with contextlib.suppress(OSError):
                near.shutdown(socket.SHUT_WR)

    def wait_for(self, way: Way, count: int, seconds: float = 40) -> None:
        """Return once so many bytes have been carried. Raises `TimeoutError`."""
        with self._changed:
            if not self._changed.wait_for(lambda: self.carried[way] >= count, seconds):
                raise TimeoutError(f"{self.carried[way]} of {count} bytes went {way} in {seconds} s")

    def _start(self, function: object, *arguments: object) -> None:
        thread = threading.Thread(target=function, args=arguments)  # type: ignore[arg-type]  # any callable
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.socket(socket.AF_UNIX)
                try:
                    far.connect(str(self.target))
                except OSError:
                    near.close()
                    far.close()
                    continue
                self._pairs.append((near, far))
                self._start(self._carry, near, far, "up")
                self._start(self._carry, far, near, "down")

    def _carry(self, source: socket.socket, sink: socket.socket, way: Way) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(_CHUNK_BYTES):
                time.sleep(self.delay_seconds + (len(data) / self.rate[way] if self.rate[way] else 0))
                self._open.wait()
                sink.sendall(data)
                with self._changed:
                    self.carried[way] += len(data)
                    self._changed.notify_all()
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)
        with contextlib.suppress(OSError):
            source.shutdown(socket.SHUT_RD)
