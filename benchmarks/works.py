"""The works that are measured, and what each is held to.

A build's own steps must not be part of what is measured: each client does every work once beforehand, so that
the steps are cached by the content of their files, while contexts are sent as often as the work says.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count as counting
from pathlib import Path
from typing import TypeAlias

from benchmarks import trees
from benchmarks.bench import Bench
from benchmarks.clients import Build
from benchmarks.pairs import LIMIT_SECONDS, Contest, measure
from benchmarks.usage_server import usage_daemon

FILES = 50_000
MANY_FILES = 500_000
GROWTH = (1_000, 10_000, 100_000)
GIB = 1 << 30
SLOW_BYTES = 128 << 20
SLOW_FILES = 5_000
CHANGED_FILES = 20
RECORDS = 20_000
EXPORT_LIMIT_SECONDS = 30
"""docker-buildx hangs in many exports of many files; docs/performance.md says why."""
EXPORTS_HUNG_AT_MOST = 20
FIRST = "first time"
AGAIN = "nothing changed"

_COPY_ALL = "FROM scratch\nCOPY . /\n"

Opened: TypeAlias = AbstractContextManager[Contest]


@dataclass(frozen=True, slots=True)
class Targets:
    """Ours to the peer's at most; `peak` in bytes, ours alone. None is for what nothing was promised of."""

    wall: float | None = None
    cpu: float | None = None
    peak: int | None = None


@dataclass(frozen=True, slots=True)
class Work:
    """One row of the results; `key` begins with the letter or word by which works are chosen."""

    key: str
    title: str
    open: Callable[[Bench, str], Opened]
    targets: Targets = field(default=Targets())
    against: str = "docker-buildx"
    files: int = 0
    curve: str = ""
    """Which curve of the plot it is a point of."""
    payload: int = 0
    """Bytes that must cross the slow link."""


@contextlib.contextmanager
def _first_time(
    bench: Bench, key: str, *, make: Callable[[Path], None], slow: bool = False, engine: bool = False
) -> Iterator[Contest]:
    """A context that the daemon has never seen; `engine` lets ours use the engine's own socket."""
    with _context(bench, key, make) as build:
        ours, peer = bench.commands(build, slow=slow)
        if engine:
            ours = bench.ours.build(build, f"docker://{bench.daemon.engine}")
        yield Contest(ours, peer, before_run=bench.forget_contexts, daemon_cpu=bench.daemon.idle_cpu)


@contextlib.contextmanager
def _unchanged(
    bench: Bench, key: str, *, make: Callable[[Path], None], slow: bool = False
) -> Iterator[Contest]:
    """A context of which the daemon has every file."""
    with _context(bench, key, make) as build:
        ours, peer = bench.commands(build, slow=slow)
        yield Contest(ours, peer, daemon_cpu=bench.daemon.idle_cpu)


@contextlib.contextmanager
def _changed(bench: Bench, key: str, *, make: Callable[[Path], None]) -> Iterator[Contest]:
    """A context of which the daemon has all but 20 files, of which it has older versions."""
    with _context(bench, key, make) as build:
        ours, peer = bench.commands(build)
        versions = counting()

        def change() -> None:
            trees.change_files(build.context, CHANGED_FILES, next(versions))

        # Files alternate between two contents: after these runs the build's steps are cached for both.
        for _ in range(2):
            change()
            measure(ours)
            measure(peer)
        yield Contest(ours, peer, before_pair=change, daemon_cpu=bench.daemon.idle_cpu)


@contextlib.contextmanager
def _export(
    bench: Bench,
    key: str,
    *,
    make: Callable[[Path], None],
    kind: str,
    engine: bool = False,
    limit: int = LIMIT_SECONDS,
) -> Iterator[Contest]:
    """A result that comes back; the context is one file of which the daemon has everything.

    `make` fills a folder that becomes a tar, which the build unpacks. `engine` lets both use the engine's own
    socket.
    """
    with bench.work_folder(key) as folder:
        source = folder / "source"
        make(source)
        context = folder / f"context-{key}"
        context.mkdir()
        trees.pack(source, context / "tree.tar")
        shutil.rmtree(source)
        destination = folder / "out"
        dockerfile = _dockerfile(folder, "FROM scratch\nADD tree.tar /\n")
        build = Build(context, dockerfile, f"type={kind},dest={destination}")
        ours, peer = bench.commands(build)
        if engine:
            ours = bench.ours.build(build, f"docker://{bench.daemon.engine}")
            peer = bench.peer.build_in_engine(build, bench.daemon.engine)

        def remove() -> None:
            if destination.is_dir():
                shutil.rmtree(destination)
            destination.unlink(missing_ok=True)

        yield Contest(
            ours,
            peer,
            before_run=remove,
            daemon_cpu=bench.daemon.idle_cpu,
            limit=limit,
            hung_at_most=EXPORTS_HUNG_AT_MOST,
        )


@contextlib.contextmanager
def _context(bench: Bench, key: str, make: Callable[[Path], None]) -> Iterator[Build]:
    with bench.work_folder(key) as folder:
        context = folder / f"context-{key}"
        make(context)
        yield Build(context, _dockerfile(folder, _COPY_ALL))


def _dockerfile(folder: Path, text: str) -> Path:
    """The folder with a Dockerfile of this text, outside of the context."""
    place = folder / "dockerfile"
    place.mkdir()
    (place / "Dockerfile").write_text(text)
    return place


@contextlib.contextmanager
def _du(bench: Bench, key: str, *, ours: tuple[str, ...], peer: tuple[str, ...]) -> Iterator[Contest]:
    with bench.work_folder(key) as folder, usage_daemon(RECORDS, folder / "usage.sock") as socket:
        command = bench.ours.command("du", *ours, address=f"unix://{socket}")
        yield Contest(command, bench.peer.command("du", *peer, socket=socket))


@contextlib.contextmanager
def _start(bench: Bench, key: str, *, arguments: tuple[str, ...], imports: str) -> Iterator[Contest]:
    """Start-up, against the interpreter with the libraries alone."""
    with bench.work_folder(key) as folder, usage_daemon(2, folder / "usage.sock") as socket:
        ours = bench.ours.command(*arguments, address=f"unix://{socket}")
        yield Contest(ours, bench.ours.python(f"import {imports}"))


_SMALL = partial(trees.make_small_files, count=FILES)
_IGNORED = partial(trees.make_mostly_ignored, count=FILES)
_MANY = partial(trees.make_small_files, count=MANY_FILES)


def _large(root: Path, size: int = GIB) -> None:
    trees.make_large_file(root / "large.bin", size)


_FIRST = Targets(wall=0.9, cpu=0.7)
_AGAIN = Targets(wall=0.6, cpu=0.5)
_LISTING = Targets(wall=1.5)
_START = Targets(wall=1.25)
_MANY_PEAK = 250 * 1000 * 1000
_IMPORTS = "click, grpc.aio, google.protobuf.message"

WORKS: tuple[Work, ...] = (
    Work(
        "a",
        "50,000 small files, first time",
        partial(_first_time, make=_SMALL),
        _FIRST,
        files=FILES,
        curve=FIRST,
    ),
    Work(
        "a-docker",
        "the same, ours through `docker://`",
        partial(_first_time, make=_SMALL, engine=True),
        _FIRST,
        files=FILES,
    ),
    Work(
        "b",
        "50,000 small files, nothing changed",
        partial(_unchanged, make=_SMALL),
        _AGAIN,
        files=FILES,
        curve=AGAIN,
    ),
    Work("c", "50,000 small files, 20 changed", partial(_changed, make=_SMALL), _AGAIN, files=FILES),
    Work(
        "d", "one file of 1 GiB, first time", partial(_first_time, make=_large), Targets(wall=0.85, cpu=0.75)
    ),
    Work(
        "e-first",
        "500,000 small files, first time",
        partial(_first_time, make=_MANY),
        replace(_FIRST, peak=_MANY_PEAK),
        files=MANY_FILES,
        curve=FIRST,
    ),
    Work(
        "e-unchanged",
        "500,000 small files, nothing changed",
        partial(_unchanged, make=_MANY),
        replace(_AGAIN, peak=_MANY_PEAK),
        files=MANY_FILES,
        curve=AGAIN,
    ),
    Work(
        "f",
        "50,000 files of which `.dockerignore` keeps 500, first time",
        partial(_first_time, make=_IGNORED),
        Targets(wall=0.6),
    ),
    Work(
        "f-unchanged",
        "50,000 files of which `.dockerignore` keeps 500, nothing changed",
        partial(_unchanged, make=_IGNORED),
        Targets(wall=0.6),
    ),
    Work(
        "g",
        "`type=local` export of 50,000 small files",
        partial(_export, make=_SMALL, kind="local", limit=EXPORT_LIMIT_SECONDS),
        Targets(wall=0.8, cpu=0.7),
        files=FILES,
    ),
    Work(
        "g-docker",
        "the same, ours through `docker://`, the peer by its driver `docker`",
        partial(_export, make=_SMALL, kind="local", engine=True, limit=EXPORT_LIMIT_SECONDS),
        Targets(wall=0.8, cpu=0.7),
        files=FILES,
    ),
    Work(
        "h-local",
        "`type=local` export of 1 GiB",
        partial(_export, make=_large, kind="local"),
        Targets(wall=0.9, cpu=0.8),
    ),
    Work(
        "h-tar",
        "`type=tar` export of 1 GiB",
        partial(_export, make=_large, kind="tar"),
        Targets(wall=0.9, cpu=0.8),
    ),
    Work("i-plain", "`du` of 20,000 records", partial(_du, ours=(), peer=()), _LISTING),
    Work(
        "i-verbose",
        "`du --verbose` of 20,000 records",
        partial(_du, ours=("--verbose",), peer=("--verbose",)),
        _LISTING,
    ),
    Work(
        "i-json",
        "`du --format json` of 20,000 records (the peer, which has no JSON: `du --verbose`)",
        partial(_du, ours=("--format", "json"), peer=("--verbose",)),
        _LISTING,
    ),
    *(
        Work(
            f"j-{name}",
            f"start-up: `{' '.join(arguments)}`",
            partial(_start, arguments=arguments, imports=imports),
            targets,
            against=f'`python -c "import {imports}"`',
        )
        for name, arguments, imports, targets in (
            ("version", ("--version",), "click", _START),
            ("help", ("--help",), "click", _START),
            ("du", ("du",), _IMPORTS, _START),
            ("workers", ("debug", "workers"), _IMPORTS, Targets()),
        )
    ),
    Work(
        "k-large",
        "slow link: one file of 128 MiB, first time",
        partial(_first_time, make=partial(_large, size=SLOW_BYTES), slow=True),
        Targets(wall=1.0),
        payload=SLOW_BYTES,
    ),
    Work(
        "k-small",
        "slow link: 5,000 small files, first time",
        partial(_first_time, make=partial(trees.make_small_files, count=SLOW_FILES), slow=True),
        Targets(wall=1.0),
    ),
    Work(
        "k-unchanged",
        "slow link: 50,000 small files, nothing changed",
        partial(_unchanged, make=_SMALL, slow=True),
        Targets(wall=1.0),
    ),
    *(
        Work(
            f"growth-{count}-{name}",
            f"{count:,} small files, {curve}",
            partial(opened, make=partial(trees.make_small_files, count=count)),
            files=count,
            curve=curve,
        )
        for count in GROWTH
        for name, curve, opened in (
            ("first", FIRST, _first_time),
            ("unchanged", AGAIN, _unchanged),
        )
    ),
)
