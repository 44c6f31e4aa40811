"""What `buildctl context` says of a folder is what a real BuildKit takes of it, wherever the rules are."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

from buildctl.cli.context.explain import judge
from buildctl.cli.context.folder import find_ignore_file
from buildctl.client.client import Client
from buildctl.fsutil import survey
from buildctl.fsutil.filter import Filter
from buildctl.model.address import parse_address
from buildctl.model.solve import DirectoryDestination, Export, SolveOpt
from tests.support.engines import Engine


def plain(root: Path) -> None:
    (root / ".dockerignore").write_text("secret\n**/*.log\n!keep/a.log\n")


def linked(target: str, name: str = ".dockerignore") -> Callable[[Path], None]:
    def make(root: Path) -> None:
        (root.parent / "outer").write_text("secret\n")
        (root / "rules").write_text("keep\n")
        (root / "sub" / "to-rules").symlink_to("/rules")
        (root / name).symlink_to(target)

    return make


def of_dockerfile(root: Path) -> None:
    (root / ".dockerignore").write_text("keep\n")
    (root / "Dockerfile.dockerignore").write_text("secret\n")


def of_dockerfile_empty(root: Path) -> None:
    (root / ".dockerignore").write_text("keep\n")
    (root / "Dockerfile.dockerignore").write_text("")


def of_dockerfile_lost(root: Path) -> None:
    (root / ".dockerignore").write_text("keep\n")
    (root / "Dockerfile.dockerignore").symlink_to("../outer")


def of_dockerfile_folder(root: Path) -> None:
    (root / ".dockerignore").write_text("keep\n")
    (root / "Dockerfile.dockerignore").mkdir()


def folder(root: Path) -> None:
    (root / ".dockerignore").mkdir()


def odd_text(root: Path) -> None:
    (root / ".dockerignore").write_bytes(
        b"\xef\xbb\xbf# no rule\r\n/secret/\r\n sub/../keep/*.log \r\n\n! keep/a.log\r\n"
        b"**/\xff*\nsub/**\n!sub/deep/b"
    )


def all_but_one(root: Path) -> None:
    (root / ".dockerignore").write_text("*\n!keep/a.log\n!Dockerfile\n!sub/deep\nsub/deep/c\n")


def all_of_it(root: Path) -> None:
    (root / ".dockerignore").write_text(".\n!secret\n")


PLACES: tuple[Callable[[Path], None], ...] = (
    *(plain, of_dockerfile, of_dockerfile_empty, of_dockerfile_lost, of_dockerfile_folder),
    *(folder, odd_text, all_but_one, all_of_it),
)
TARGETS = ("rules", "/rules", "../../rules", "sub/to-rules", "../outer", "/outer", "nowhere", "sub")
TREES: dict[str, Callable[[Path], None]] = {
    **{make.__name__: make for make in PLACES},
    **{f"link to {target}": linked(target) for target in TARGETS},
}
TREES["a link of the Dockerfile's"] = linked("sub/to-rules", "Dockerfile.dockerignore")


def make_context(root: Path, rules: Callable[[Path], None]) -> None:
    (root / "sub" / "deep").mkdir(parents=True)
    (root / "keep").mkdir()
    (root / "Dockerfile").write_text("FROM scratch\nCOPY . /\n")
    for name in ("secret", "keep/a.log", "keep/b.log", "top.log", "sub/deep/b", "sub/deep/c", "sub/.hidden"):
        (root / name).write_text(name)
    (root / "sub" / os.fsdecode(b"\xff\xfe name")).write_text("not UTF-8")
    (root / "sub" / ("n" * 255)).write_text("as long as a name can be")
    (root / "sub" / "away").symlink_to("/nowhere")
    rules(root)


def paths_in(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*")}


def options(context: Path, out: Path) -> SolveOpt:
    return SolveOpt(
        "dockerfile.v0",
        local_dirs={"context": str(context), "dockerfile": str(context)},
        exports=(Export("local", destination=DirectoryDestination(str(out))),),
        shared_key=str(context),
    )


async def test_explain_and_ls_say_what_the_daemon_takes(engine: Engine, tmp_path: Path) -> None:
    places = {name: tmp_path / str(number) for number, name in enumerate(TREES)}
    for name, place in places.items():
        make_context(place / "context", TREES[name])
    async with Client.connect(parse_address(f"docker://{engine.socket}")) as client:
        builds = [client.solve(options(place / "context", place / "out")) for place in places.values()]
        results = await asyncio.gather(*builds)
    for (name, place), result in zip(places.items(), results, strict=True):
        context, taken = str(place / "context"), paths_in(place / "out")
        found = find_ignore_file(context, "")
        listed = {os.fsdecode(one.path) for one in survey.entries(context, Filter((), found.patterns))}
        assert (name, listed) == (name, taken)
        said = {path for path in paths_in(place / "context") if judge(path, context, found).sent}
        assert (name, said) == (name, taken)
        # The build tells of rules that are lost; which these are `context` says, too.
        told = {path for one in result.transfers for path, _ in one.lost_ignore_files}
        assert (name, told) == (name, {Path(path).name for path, _ in found.lost})


async def test_another_context_has_rules_of_its_own(engine_26: Engine, tmp_path: Path) -> None:
    """Those of its `.dockerignore`; what would belong to a Dockerfile there does not count."""
    main, other, out = tmp_path / "main", tmp_path / "other", tmp_path / "out"
    main.mkdir()
    make_context(other, of_dockerfile)
    (other / "Dockerfile").unlink()
    (main / "Dockerfile").write_text("FROM scratch\nCOPY --from=other . /\n")
    opt = SolveOpt(
        "dockerfile.v0",
        frontend_attrs={"context:other": "local:other"},
        local_dirs={"context": str(main), "dockerfile": str(main), "other": str(other)},
        exports=(Export("local", destination=DirectoryDestination(str(out))),),
    )
    async with Client.connect(parse_address(f"docker://{engine_26.socket}")) as client:
        await client.solve(opt)
    found = find_ignore_file(str(other), "")
    assert {path for path in paths_in(other) if judge(path, str(other), found).sent} == paths_in(out)
