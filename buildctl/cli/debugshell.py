"""`--on-error=shell` and `--debug-shell`: a shell in a step of the build, on the user's terminal.

Whatever is done in it, the build ends as it would have without it.
"""

from __future__ import annotations

import asyncio
import contextlib
import posixpath
from collections.abc import Sequence
from typing import TYPE_CHECKING

from buildctl.cli.console import Console
from buildctl.cli.flags.shell import ShellOptions
from buildctl.errors import BuildctlError, SolveError, UnsupportedError, UsageError
from buildctl.progress.harmless import harmless

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from buildctl.client.gateway.build import Build
    from buildctl.client.gateway.container import Container, ContainerMount
    from buildctl.client.gateway.plan import PlannedStep
    from buildctl.client.gateway.reference import Reference
    from buildctl.progress.display import Display

_SHELLS = ("/bin/sh", "/bin/bash", "/bin/ash", "/busybox/sh", "/bin/busybox")
_MULTICALL = ("busybox", "toybox")
"""Programs that are a shell when they are told so."""
_SHELL_FOLDER = "/run/buildctl-shell"
"""Where `--shell-image` is mounted."""


class DebugShell:
    """An inspector of a build (`Client.solve`) that opens shells; `display` stands aside for them."""

    def __init__(self, options: ShellOptions, display: Display) -> None:
        self._options = options
        self._display = display

    async def planned(self, build: Build) -> None:
        """Stop at the step that was asked for. Raises `UsageError` where there is none of that name."""
        if not self._options.step:
            return
        steps = build.planned_steps()
        step = next((step for step in steps if self._options.step in step.name), None)
        if step is None:
            names = "; ".join(step.name for step in steps) or "none that runs a command"
            raise UsageError(
                f"no step's name has {self._options.step!r} in it", hint=f"the build's steps: {names}"
            )
        await self._visit(build, step, None, f"before {step.name}")

    async def failed(self, build: Build, error: SolveError) -> None:
        """Open the step that failed, if that is wanted and can be."""
        failed = error.step
        if not self._options.on_error or failed is None:
            return
        step = next((step for step in build.planned_steps() if step.digest == failed.digest), None)
        await self._visit(build, step, error, f"in {failed.name or failed.digest}, which failed")

    async def _visit(
        self, build: Build, step: PlannedStep | None, error: SolveError | None, where: str
    ) -> None:
        async with self._display.aside(), Console() as console:
            await console.write(b"\r\n")
            visit = _Visit(build, step, error, self._options.image, console)
            try:
                await visit.run(where)
            except BuildctlError as failure:  # which is not the build's
                await console.write(_line(f"no shell: {failure}"))
                if failure.hint:
                    await console.write(_line(f"hint: {failure.hint}"))


class _Visit:
    """One shell, or what stands for it."""

    def __init__(
        self, build: Build, step: PlannedStep | None, error: SolveError | None, image: str, console: Console
    ) -> None:
        self._build, self._step, self._error = build, step, error
        self._image, self._console = image, console

    async def run(self, where: str) -> None:
        root = await self._root()
        shell, mounts = await self._shell(root)
        if not shell:
            await self._browse(root, where)
            return
        try:
            async with self._open(mounts) as container:
                await self._console.write(_line(f"a shell {where}; leave it with exit or Ctrl-D"))
                await self._talk(container, shell)
        except UnsupportedError as lacking:
            if self._step is None or self._error is None:
                raise
            await self._console.write(_line(f"{lacking}; this is what the step started from"))
            async with self._build.at_step(self._step, mounts=mounts) as container:
                await self._talk(container, shell)

    def _open(self, mounts: dict[str, ContainerMount]) -> AbstractAsyncContextManager[Container]:
        if self._error is not None:
            return self._build.debug(self._error, mounts=mounts)
        assert self._step is not None
        return self._build.at_step(self._step, mounts=mounts)

    async def _root(self) -> Reference | None:
        """The step's root before it ran, in which can be seen what there is."""
        if self._step is None:
            return None
        from buildctl._pb import ops_pb2

        op = ops_pb2.Op.FromString(self._step.op)
        inputs = await self._build.step_inputs(self._step)
        root = next((mount.input for mount in op.exec.mounts if mount.dest == "/"), -1)
        return inputs[root] if 0 <= root < len(inputs) else None

    async def _shell(self, root: Reference | None) -> tuple[list[str], dict[str, ContainerMount]]:
        """The shell's arguments, and what is to be mounted for it; none where there is no shell."""
        if self._image:
            from buildctl import llb
            from buildctl.client.gateway.container import ContainerMount

            ref = (await self._build.solve(llb.image(self._image))).single()
            found = await _find_shell(ref, _SHELLS)
            if not found:
                raise UsageError(f"there is no shell in {self._image}", hint="use one such as busybox")
            words = [_SHELL_FOLDER + found[0], *found[1:]]
            return words, {_SHELL_FOLDER: ContainerMount(ref, readonly=True)}
        own = _own_shell(self._step.command if self._step else ())
        if root is None:  # it cannot be seen what there is
            return [own or _SHELLS[0]], {}
        return await _find_shell(root, (own, *_SHELLS) if own else _SHELLS), {}

    async def _talk(self, container: Container, shell: Sequence[str]) -> None:
        """Run a shell on the terminal until it ends."""
        console = self._console
        console.make_raw()
        try:
            process = await container.start(shell, tty=True, stdin="pipe", stdout=console.write)
            assert process.stdin is not None
            resizing = asyncio.Event()
            resizing.set()
            console.watch_size(resizing.set)

            async def resize() -> None:
                while True:
                    await resizing.wait()
                    resizing.clear()
                    await process.resize(*console.size)

            async def type_in() -> None:
                while data := await console.read():
                    await process.stdin.write(data)  # type: ignore[union-attr]
                await process.stdin.aclose()  # type: ignore[union-attr]

            others = [asyncio.create_task(resize()), asyncio.create_task(type_in())]
            try:
                await process.wait()
            finally:
                for task in others:
                    task.cancel()
                await asyncio.gather(*others, return_exceptions=True)
        finally:
            console.watch_size(None)
            console.restore()
            with contextlib.suppress(Exception):
                await console.write(b"\r\n")

    async def _browse(self, root: Reference | None, where: str) -> None:
        """Let files be listed and read where there is no shell: of what the step started from."""
        console = self._console
        if root is None:
            await console.write(_line("the step has an empty root: there is nothing to look at"))
            return
        await console.write(
            _line(
                f"you are {where}; there is no shell in it (--shell-image brings one). These are the files"
                " it started from: ls [PATH], cat PATH, cd PATH, exit"
            )
        )
        folder = "/"
        while True:
            await console.write(f"{harmless(folder)}> ".encode())
            words = (await self._read_line()).split(None, 1)
            if not words or words[0] == "exit":
                return
            path = posixpath.normpath(posixpath.join(folder, words[1].strip() if len(words) > 1 else "."))
            try:
                if words[0] == "ls":
                    for entry in await root.iterdir(path):
                        link = f" -> {entry.link}" if entry.is_symlink else "/" if entry.is_dir else ""
                        await console.write(_line(f"{entry.size:>12}  {entry.name}{link}"))
                elif words[0] == "cat":
                    text = (await root.read_bytes(path)).decode(errors="replace")
                    for line in text.splitlines():
                        await console.write(_line(line))
                elif words[0] == "cd":
                    await root.iterdir(path)
                    folder = path
                else:
                    await console.write(_line("ls [PATH], cat PATH, cd PATH, exit"))
            except BuildctlError as error:
                await console.write(_line(str(error)))

    async def _read_line(self) -> str:
        """A line as the terminal gives it; `exit` at its end."""
        data = await self._console.read()
        return data.decode(errors="replace") if data else "exit"


def _own_shell(command: Sequence[str]) -> str:
    """The shell that a step was to be run by, such as that of a Dockerfile's SHELL."""
    is_shell = len(command) > 2 and command[0].startswith("/") and command[1] in ("-c", "-ec", "-lc")
    return command[0] if is_shell else ""


async def _find_shell(ref: Reference, candidates: Sequence[str]) -> list[str]:
    """The arguments of the first shell that there is, links resolved; empty where there is none."""
    for candidate in candidates:
        resolved = await ref.resolve(candidate)
        if resolved is not None:
            return [resolved, "sh"] if posixpath.basename(resolved) in _MULTICALL else [resolved]
    return []


def _line(text: str) -> bytes:
    return f"{harmless(text)}\r\n".encode(errors="replace")
