"""Small builds for many at once and many in a row; no step runs a program: the client is what is loaded."""

from __future__ import annotations

from pathlib import Path

from buildctl import Client, DirectoryDestination, Export, SolveError, SolveOpt, SolveResult

DOCKERFILE = "FROM scratch\nCOPY number /\nCOPY files /files\n"
BROKEN = "FROM scratch\nCOPY nowhere /\n"
FILES = 20


def make_context(folder: Path, number: int, dockerfile: str = DOCKERFILE) -> Path:
    """A context of a few files, one of which says the number."""
    files = folder / "files"
    files.mkdir(parents=True, exist_ok=True)
    for index in range(FILES):
        (files / f"{index}").write_text(f"{index}\n" * 50)
    (folder / "number").write_text(f"{number}\n")
    (folder / "Dockerfile").write_text(dockerfile)
    return folder


def build_opt(folder: Path, out: Path | None) -> SolveOpt:
    """Build a context, into a folder or for the cache alone."""
    destination = () if out is None else (Export("local", destination=DirectoryDestination(str(out))),)
    return SolveOpt(
        "dockerfile.v0",
        local_dirs={"context": str(folder), "dockerfile": str(folder)},
        exports=destination,
        shared_key=folder.name,
    )


async def build(client: Client, folder: Path, out: Path, number: int) -> SolveResult:
    """Build the context and check that what came out is it."""
    result = await client.solve(build_opt(folder, out))
    assert (out / "number").read_text() == f"{number}\n"
    assert len(list((out / "files").iterdir())) == FILES
    return result


async def fail(client: Client, folder: Path) -> None:
    """Build a context that cannot be built."""
    try:
        await client.solve(build_opt(folder, None))
    except SolveError:
        return
    raise AssertionError("a build of what is not there ended well")
