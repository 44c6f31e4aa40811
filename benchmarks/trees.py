"""Makes the files that are measured, the same bytes, names and times on every machine.

Times differ from file to file, as they do in a checkout: a tree of uniform times would be a special case.
"""

from __future__ import annotations

import os
import random
import tarfile
from collections.abc import Sequence
from pathlib import Path

FILES_IN_FOLDER = 50
SMALLEST = 200
LARGEST = 6 * 1024
EPOCH = 1_700_000_000
"""When the first file was changed, in Unix seconds; each later one a second after it."""

IGNORED = """\
.git
.hg
.svn
.idea
.vscode
.DS_Store
**/.DS_Store
**/node_modules
**/bower_components
**/__pycache__
**/*.py[cod]
**/*.egg-info
.venv
venv*
.tox
.nox
.mypy_cache
.pytest_cache
.coverage*
htmlcov
build/*
dist
target
out
vendor/*
*.log
**/*.log
**/*.tmp
**/*.bak
**/*.swp
**/*~
docs/_build
*.md
Dockerfile*
docker-compose*.yml
.env*
**/secrets/*.pem
coverage/**
tmp/*
**/Thumbs.db
!README.md
!vendor/folder-0000
!build/folder-0001
!**/keep.log
!.env.example
!docs/_build/index.html
"""
"""40 patterns and 6 exceptions. An exception begins with `**`: no excluded folder may be left unseen."""


def make_small_files(
    root: Path, count: int, *, prefixes: Sequence[str] = ("",), in_folder: int = FILES_IN_FOLDER
) -> None:
    """Fill `root`, which is created, with `count` files of 0.2 to 6 KB, `in_folder` to a folder.

    `prefixes` are the folders above, one after the other, for the folders of files in turn.
    """
    chance = random.Random(5)
    pool = chance.randbytes(1024 * 1024)
    root.mkdir(parents=True)
    for number in range(0, count, in_folder):
        index = number // in_folder
        folder = root / prefixes[index % len(prefixes)] / f"folder-{index:04}"
        folder.mkdir(parents=True)
        for place in range(min(in_folder, count - number)):
            start = chance.randrange(len(pool) - LARGEST)
            size = chance.randint(SMALLEST, LARGEST)
            _write(folder / f"file-{place:02}.txt", pool[start : start + size], EPOCH + number + place)
    for path, _, _ in os.walk(root, topdown=False):
        os.utime(path, (EPOCH, EPOCH))


def make_mostly_ignored(root: Path, count: int, *, in_folder: int = FILES_IN_FOLDER) -> None:
    """Fill `root` with `count` files, of which `.dockerignore` (`IGNORED`) keeps one in a hundred."""
    folders = count // in_folder
    kept = folders // 100
    assert kept > 2
    # What is kept: folder 0 in vendor, folder 1 in build, and the others of src.
    prefixes = ["vendor", "build", *["src"] * (kept - 2)]
    ignored = ("web/node_modules", "vendor", "build", ".git/objects", "node_modules")
    prefixes += [ignored[index % len(ignored)] for index in range(folders - kept)]
    make_small_files(root, count, prefixes=prefixes, in_folder=in_folder)
    _write(root / ".dockerignore", IGNORED.encode(), EPOCH)


def make_large_file(path: Path, size: int) -> None:
    """One file of bytes that cannot be compressed; the folder is created."""
    path.parent.mkdir(parents=True)
    chance = random.Random(7)
    with path.open("wb") as file:
        while size > 0:
            size -= file.write(chance.randbytes(min(size, 16 * 1024 * 1024)))
    os.utime(path, (EPOCH, EPOCH))


def change_files(root: Path, count: int, version: int) -> None:
    """Give `count` files of a tree of small files, one a folder, the content and time of `version`."""
    for index in range(count):
        content = f"version {version % 2} of file {index}\n".encode() * 40
        _write(
            root / f"folder-{index:04}" / "file-00.txt", content, EPOCH * 11 // 10 + version * count + index
        )


def pack(root: Path, archive: Path) -> None:
    """The tree as an uncompressed tar, entries sorted."""
    with tarfile.open(archive, "w") as tar:
        tar.add(root, arcname=".", filter=_owned_by_nobody)
    os.utime(archive, (EPOCH, EPOCH))


def _owned_by_nobody(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry


def _write(path: Path, content: bytes, changed_at: int) -> None:
    path.write_bytes(content)
    os.utime(path, (changed_at, changed_at))
