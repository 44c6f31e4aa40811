"""The place where works are measured: a folder on tmpfs, the two clients, and a daemon when one is needed."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from benchmarks.clients import Build, Ours, Peer
from benchmarks.daemon import Daemon, running_daemon
from benchmarks.pairs import Command

TMPFS = Path("/dev/shm")


class Bench:
    """Both clients and, once it is asked for, the daemon; `open_bench` makes it."""

    def __init__(self, folder: Path, stack: contextlib.ExitStack) -> None:
        self.folder = folder
        self.ours = Ours(folder)
        self.peer = Peer(folder)
        self._stack = stack

    @cached_property
    def daemon(self) -> Daemon:
        return self._stack.enter_context(running_daemon(self.folder))

    def commands(self, build: Build, *, slow: bool = False) -> tuple[Command, Command]:
        """The same build by both clients."""
        socket = self.daemon.slow if slow else self.daemon.direct
        return self.ours.build(build, f"unix://{socket}"), self.peer.build(build, socket)

    def forget_contexts(self) -> None:
        """Let the next build send its context as if it were the first; results of steps are kept."""
        self.daemon.forget_contexts(self.ours)

    @contextlib.contextmanager
    def work_folder(self, name: str) -> Iterator[Path]:
        """A folder on tmpfs for the files of one work, and a daemon without cache afterwards.

        Its name is new to the daemon: docker-buildx tells contexts apart by the last part of their path.
        """
        folder = self.folder / name
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder)
            if "daemon" in self.__dict__:
                self.daemon.forget_everything(self.ours)


@contextlib.contextmanager
def open_bench() -> Iterator[Bench]:
    """A bench in a new folder on tmpfs; everything of it is gone afterwards."""
    with (
        tempfile.TemporaryDirectory(prefix="bench-", dir=TMPFS) as folder,
        contextlib.ExitStack() as stack,
    ):
        yield Bench(Path(folder), stack)
