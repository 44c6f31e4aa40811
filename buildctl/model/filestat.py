"""What is known of a file in a result or a container without reading it."""

from __future__ import annotations

import stat as st
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class FileStat:
    """A file, folder, link or device; a symbolic link is not followed."""

    path: str
    """Its own name as listed or looked at, its path from where a walk began."""
    mode: int
    """Type and permissions as `os.stat_result.st_mode` has them, for `stat.S_ISDIR` and the like."""
    size: int = 0
    """In bytes."""
    uid: int = 0
    gid: int = 0
    mtime_ns: int = 0
    """Nanoseconds since the Unix epoch."""
    link: str = ""
    """A symbolic link's target, as it is written."""
    devmajor: int = 0
    devminor: int = 0
    xattrs: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rstrip("/").rpartition("/")[2]

    @property
    def is_dir(self) -> bool:
        return st.S_ISDIR(self.mode)

    @property
    def is_file(self) -> bool:
        return st.S_ISREG(self.mode)

    @property
    def is_symlink(self) -> bool:
        return st.S_ISLNK(self.mode)
