"""What a daemon says it can do, in its answer to a Ping (util/apicaps)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from buildctl._pb import caps_pb2
from buildctl.errors import SolveError

FIRST_FRONTEND_CAPS = ("solve.base", "solve.inlinereturn", "resolveimage", "readfile")
"""What a gateway can do that names no capability: a list that was closed when they came into being."""

FIRST_LLB_CAPS = (
    *("source.image", "source.local", "source.local.unique", "source.local.sessionid"),
    *("source.local.includepatterns", "source.local.followpaths", "source.local.excludepatterns"),
    *("source.local.sharedkeyhint", "source.git", "source.git.keepgitdir", "source.git.fullurl"),
    *(
        "source.http",
        "source.http.checksum",
        "source.http.perm",
        "soruce.http.uidgid",
    ),  # misspelt on the wire
    *("source.buildop.llbfilename", "exec.meta.base", "exec.meta.proxyenv", "exec.mount.bind"),
    *("exec.mount.cache", "exec.mount.cache.sharing", "exec.mount.selector", "exec.mount.tmpfs"),
    *("exec.mount.secret", "constraints", "platform"),
    *("meta.ignorecache", "meta.description", "meta.exportcache"),
)
"""The same of definitions."""

_PRERELEASE = frozenset({"file.base"})
"""Every other capability of definitions is experimental to BuildKit."""
_NAMES = {"exporter.sourcedateepoch": "(source date epoch)"}


class Capabilities(Collection[str]):
    """A set of capability ids; what the daemon has switched off is not in it."""

    def __init__(self, announced: Iterable[caps_pb2.APICap], first: Iterable[str]) -> None:
        self._announced = {cap.ID: cap for cap in announced}
        self._first = frozenset() if self._announced else frozenset(first)

    def __contains__(self, cap: object) -> bool:
        return cap in self._first or (cap in self._announced and self._announced[str(cap)].Enabled)

    def __iter__(self) -> Iterator[str]:
        return iter(self._first or (cap for cap in self._announced if cap in self))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def require(self, cap: str) -> None:
        """Raise `SolveError`, in the reference's words, unless the daemon can: `caps.require("readfile")`."""
        if cap in self:
            return
        kind = "prerelease" if cap in _PRERELEASE else "experimental"
        if cap not in self._announced:
            reason = " is not supported by build server, please update buildkit"
        elif message := self._announced[cap].DisabledReasonMsg:
            reason = f" has been disabled on the build server: {message}"
        else:
            reason = " has been disabled on the build server"
        raise SolveError(f"requested {kind} feature {cap} {_NAMES.get(cap, '')}{reason}")
