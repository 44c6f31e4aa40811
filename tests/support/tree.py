"""A folder with everything that file transfer may meet, and what a folder is as a comparable value."""

from __future__ import annotations

import hashlib
import os
import random
import re
import stat
import tarfile
from dataclasses import dataclass
from pathlib import Path

FILE_SIZES = (0, 1, 32_768, 5_000_001)
ODD_TIMES_NS = (
    0,
    1,
    999_999_999,
    1_000_000_000,
    86_400_000_000_001,
    1_577_836_799_123_456_789,
    4_102_444_800_000_000_000,
)
ENTRIES = 2_000


@dataclass(frozen=True)
class Entry:
    """What a path is: its type and permissions, what it holds, when it was changed."""

    kind: str
    mode: int
    held: str
    """A digest of the content, a link's target, or for a further name of a file the first one."""
    mtime_ns: int


def make_tree(root: Path, *, entries: int = ENTRIES, seed: int = 1) -> None:
    """Fill an empty folder, the same way every time.

    Deep and empty folders, links of every kind, a fifo, all modes, long and foreign names, sizes around the
    borders of packets, times far off. An extended attribute where the file system takes one.
    """
    chance = random.Random(seed)
    _make_corner_cases(root, chance)
    folders = [path for path in root.rglob("*") if path.is_dir() and not path.is_symlink()]
    count = sum(1 for _ in root.rglob("*"))
    while count < entries:
        parent = chance.choice(folders)
        path = parent / f"{chance.choice(['a', 'a-b', 'a.b', 'B', 'é', '日本', 'x y'])}{count}"
        if chance.random() < 0.1 and len(path.relative_to(root).parts) < 12:
            path.mkdir()
            folders.append(path)
        else:
            path.write_bytes(chance.randbytes(chance.randrange(2_000)))
        count += 1
    _set_modes_and_times(root, chance)


def _make_corner_cases(root: Path, chance: random.Random) -> None:
    deep = root / "deep" / Path(*(f"level{number}" for number in range(30)))
    deep.mkdir(parents=True)
    (deep / "leaf").write_text("leaf")
    for name in ("empty", "a", "a-b", "folder with spaces", "ordner-ü", "日本語"):
        (root / name).mkdir()
    (root / "a" / "b").write_text("sorted before a-b")
    (root / "a.txt").write_text("sorted after a-b")
    for size in FILE_SIZES:
        (root / f"size-{size}").write_bytes(chance.randbytes(size))
    (root / ("n" * 255)).write_text("long")
    (root / ("é" * 127)).write_text("long in UTF-8")
    (root / "name with  spaces ").write_text("spaces")
    (root / "new\nline").write_text("newline")
    for name, target in (
        ("dangling", "nowhere"),
        ("absolute", "/etc/hostname"),
        ("to-folder", "a"),
        ("to-file", "a/b"),
        ("up-and-out", "../../../etc/passwd"),
        ("long-target", "missing/" * 200),
    ):
        (root / name).symlink_to(target)
    (root / "empty-too" / "inner").mkdir(parents=True)
    (root / "first-name").write_bytes(chance.randbytes(40_000))
    os.link(root / "first-name", root / "second-name")
    os.link(root / "first-name", root / "a" / "third-name")
    os.mkfifo(root / "fifo")
    for bits in range(0, 0o10000, 0o111):
        (root / "modes" / f"{bits:04o}").parent.mkdir(exist_ok=True)
        (root / "modes" / f"{bits:04o}").write_text("mode")
    for bits in (0o7777, 0o4755, 0o2755, 0o1777):
        (root / "modes" / f"folder-{bits:04o}").mkdir()


def _set_modes_and_times(root: Path, chance: random.Random) -> None:
    paths = sorted(root.rglob("*"), key=lambda path: len(path.parts), reverse=True)
    for path in paths:
        if re.fullmatch("(folder-)?[0-7]{4}", path.name):
            path.chmod(int(path.name.removeprefix("folder-"), 8))
        elif path.is_dir() and not path.is_symlink():
            path.chmod(chance.choice((0o755, 0o700, 0o777, 0o1777)))
        when = (
            chance.choice(ODD_TIMES_NS) if chance.random() < 0.2 else chance.randrange(2**31) * 1_000_000_007
        )
        os.utime(path, ns=(when, when), follow_symlinks=False)


def describe(root: Path) -> dict[str, Entry]:
    """Every path below a folder and what it is."""
    found: dict[str, Entry] = {}
    first_names: dict[int, str] = {}
    for path in sorted(root.rglob("*")):
        name, status = str(path.relative_to(root)), path.lstat()
        kind = _KINDS[stat.S_IFMT(status.st_mode)]
        held = ""
        if kind == "symlink":
            held = os.readlink(path)
        elif kind == "file" and status.st_nlink > 1 and first_names.setdefault(status.st_ino, name) != name:
            held = first_names[status.st_ino]
        elif kind == "file":
            held = hashlib.sha256(path.read_bytes()).hexdigest()
        found[name] = Entry(kind, stat.S_IMODE(status.st_mode), held, status.st_mtime_ns)
    return found


_KINDS = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "folder",
    stat.S_IFLNK: "symlink",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "character device",
    stat.S_IFBLK: "block device",
}


def describe_tar(path: Path) -> dict[str, Entry]:
    """The same of a tar archive; its times are whole seconds."""
    found: dict[str, Entry] = {}
    with tarfile.open(path) as archive:
        for member in archive:
            kind = next(name for name, is_kind in _MEMBER_KINDS if is_kind(member))
            held = member.linkname
            if member.isreg():
                content = archive.extractfile(member)
                assert content is not None
                held = hashlib.sha256(content.read()).hexdigest()
            name = member.name.removeprefix("./").rstrip("/")
            if name not in ("", "."):
                found[name] = Entry(kind, member.mode, held, int(member.mtime) * 1_000_000_000)
    return found


_MEMBER_KINDS = (
    ("file", lambda member: member.isreg() or member.islnk()),
    ("folder", tarfile.TarInfo.isdir),
    ("symlink", tarfile.TarInfo.issym),
    ("fifo", tarfile.TarInfo.isfifo),
)
