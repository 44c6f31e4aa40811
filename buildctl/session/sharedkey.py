"""Under which key a daemon keeps what it was sent of local directories, for the next build of the same ones.

The daemon looks for the local name, a hint of the frontend, and the one key that a session has
(source/local/source.go of the reference). What it finds it changes into what the next build sends, so two
projects with one key send everything each time they take turns.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from buildctl.model.context import Tree

_DOCKERFILE = "dockerfile"


def shared_key(client_id: str, local_dirs: Mapping[str, str | Tree]) -> str:
    """The key for these directories, sent by this client: 64 hexadecimal digits; empty without directories.

    `local_dirs` are paths by local name, or trees, which are known by their base and the names in them; the
    file system is asked for the canonical paths. The one named `dockerfile` counts only where it is alone:
    little is sent of it, and many may share one context.

        SolveOpt(..., shared_key=shared_key("my service", local_dirs))
    """
    if not local_dirs:
        return ""
    names = [name for name in sorted(local_dirs) if name != _DOCKERFILE] or [_DOCKERFILE]
    digest = hashlib.sha256(os.fsencode(client_id))
    for name in names:
        for part in (os.fsencode(name), *_identity(local_dirs[name])):
            digest.update(b"\0%d:%b" % (len(part), part))
    return digest.hexdigest()


def _identity(source: str | Tree) -> list[bytes]:
    if isinstance(source, str):
        return [os.path.realpath(os.fsencode(source))]
    base = os.path.realpath(os.fsencode(source.base)) if source.base else b""
    return [base, *(path.encode("utf-8", "surrogateescape") for path in sorted(source.nodes))]
