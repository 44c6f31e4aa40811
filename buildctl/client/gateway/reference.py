"""A result that the daemon holds for a build: it can be run to its end, read, and built upon."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

from buildctl._pb import gateway_pb2
from buildctl.client.gateway.files import Files
from buildctl.client.gateway.gateway import EVALUATE, READ_DIR, READ_FILE, STAT_FILE, Gateway
from buildctl.model.filestat import FileStat

if TYPE_CHECKING:
    from buildctl.llb import State


class Reference:
    """What a solve came to. It is lazy: its steps run when something is read of it, or with `evaluate`.

    Every method raises `SolveError` where a step fails, `RPCError` where the daemon cannot do what it is
    asked, such as read a file that is not there, and `ClosedError` after the end of the build. Paths are
    from the root of the result; links in them are followed.

        result = await build.solve(llb.image("busybox"))
        names = [entry.name for entry in await result.single().iterdir("/bin")]
    """

    def __init__(self, gateway: Gateway, message: gateway_pb2.Ref) -> None:
        self._gateway = gateway
        self._is_evaluated = False
        self.message = message
        """As it is given back to the daemon."""

    @property
    def id(self) -> str:
        """By which the daemon knows it."""
        return self.message.id

    async def evaluate(self) -> None:
        """Run its steps, and return when they have ended.

        await ref.evaluate()
        """
        if "gateway.evaluate" in self._gateway.caps:
            request = gateway_pb2.EvaluateRequest(Ref=self.id)
            await self._gateway.solving(EVALUATE, request, runs_only=True)
        else:  # older daemons run what they are to look into
            self._gateway.require("statfile", "running the steps of a result")
            root = gateway_pb2.StatFileRequest(Ref=self.id, Path=".")
            await self._gateway.solving(STAT_FILE, root, runs_only=True)
        self._is_evaluated = True

    async def read_bytes(self, path: str, *, offset: int = 0, length: int = 0) -> bytes:
        """A file's content: `length` bytes from `offset` on, or all that follow where `length` is 0.

        head = await ref.read_bytes("/app", length=4)
        """
        return await (await self._files("readfile", "reading a file")).read_bytes(path, offset, length)

    async def read_text(self, path: str, encoding: str = "utf-8") -> str:
        """A file's content as text. Raises `UnicodeDecodeError` where it is none in this encoding.

        version = await ref.read_text("/etc/version")
        """
        return (await self.read_bytes(path)).decode(encoding)

    async def iterdir(self, path: str = "/", *, include: str = "") -> list[FileStat]:
        """What is in a folder, by name; `include` is a pattern that names are to match, such as `*.py`.

        names = [entry.name for entry in await ref.iterdir("/bin")]
        """
        return await (await self._files("readdir", "listing a folder")).iterdir(path, include)

    async def stat(self, path: str) -> FileStat:
        """What is known of one file without reading it. One that is not there is an `RPCError`.

        size = (await ref.stat("/app")).size
        """
        return await (await self._files("statfile", "looking at a file")).stat(path)

    async def exists(self, path: str) -> bool:
        """Whether there is anything at a path.

        if await ref.exists("/app"): ...
        """
        return await self.resolve(path) is not None

    async def resolve(self, path: str) -> str | None:
        """Where a path leads when links are followed, from the root; None where that is nowhere.

        shell = await ref.resolve("/bin/sh")
        """
        return await (await self._files("readdir", "listing a folder")).resolve(path)

    async def walk(self, path: str = "/") -> AsyncGenerator[FileStat, None]:
        """All that is below a folder, each folder before what is in it, its `path` being from there on.

        paths = [entry.path async for entry in ref.walk()]
        """
        async for entry in (await self._files("readdir", "listing a folder")).walk(path):
            yield entry

    def state(self) -> State:
        """The steps that it comes from, to build upon. Raises `UnsupportedError` where the daemon does not
        tell them.

            more = ref.state().sh("make install")
        """
        from buildctl.llb import Definition

        self._gateway.require("reference.output", "the state of a result")
        return Definition.from_bytes(self.definition).state()

    @property
    def definition(self) -> bytes:
        """The same as a serialized pb.Definition; empty where the daemon does not tell."""
        return getattr(self.message, "def").SerializeToString()  # type: ignore[no-any-return]

    async def _files(self, cap: str, what: str) -> Files:
        self._gateway.check_open()
        self._gateway.require(cap, what)
        if not self._is_evaluated and "gateway.evaluate" not in self._gateway.caps:
            await (
                self.evaluate()
            )  # such daemons do not say of a failed call whether it was a step that failed
        call = self._gateway.solving
        return Files(call, self.id, read=READ_FILE, listing=READ_DIR, stat=STAT_FILE)
