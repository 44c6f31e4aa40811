"""One build in the words that `docker build` has for its parts, and its way to a `SolveOpt`.

`Client.build` and whatever else speaks these words goes this one way. Nothing here talks to a daemon; folders
and files are looked at, and nothing is changed. Sources: buildx, build/opt.go and util/buildflags; the
options of the Dockerfile frontend, frontend/dockerui/config.go of BuildKit.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, TypeAlias, cast

from buildctl.errors import BuildctlError, UsageError
from buildctl.model.context import Context, Tree, is_remote
from buildctl.model.definable import Definable, Marshallable, Serializable
from buildctl.model.offer import AgentSource, SecretSource
from buildctl.model.output import Output
from buildctl.model.quote import quote
from buildctl.model.solve import CacheEntry, Export, SolveOpt, StreamDestination
from buildctl.session.secrets import MAX_SECRET_BYTES

if TYPE_CHECKING:
    from buildctl.session.upload import Uploads

PathText: TypeAlias = str | os.PathLike[str]
SecretValue: TypeAlias = str | bytes | Path | SecretSource
Agents: TypeAlias = "Sequence[str | AgentSource] | Mapping[str, PathText | Sequence[PathText]]"

_NAMED = "context:"
_HAS_NAME = frozenset({"image", "oci", "docker", "moby"})
_ANNOTATED = frozenset({"image", "oci"})
_ANNOTATION = re.compile(
    r"(?P<kind>manifest|index|manifest-descriptor|index-descriptor)(?P<platform>\[[^]]*\])?:"
)
_DOCKERFILE = "Dockerfile"
_IGNORE = ".dockerignore"
_IS_TEXT = re.compile(r"\s*(FROM|ARG)\s", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class DockerBuild:
    """What is asked for; each field is the parameter of `Client.build` with its name."""

    context: PathText | Context | None = None
    dockerfile: PathText | None = None
    target: str = ""
    tags: Sequence[str] = ()
    push: bool = False
    load: bool | str = False
    output: Export | Sequence[Export] = ()
    build_args: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    platforms: Sequence[str] = ()
    secrets: Mapping[str, SecretValue] = field(default_factory=dict, repr=False)
    ssh: Agents = ()
    contexts: Mapping[str, PathText | Context | Definable] = field(default_factory=dict)
    cache_from: Sequence[str | CacheEntry] = ()
    cache_to: Sequence[str | CacheEntry] = ()
    no_cache: bool | Sequence[str] = False
    pull: bool = False
    network: str = ""
    frontend: str = "dockerfile.v0"
    attrs: Mapping[str, str] = field(default_factory=dict)
    provenance: bool | str | None = None
    sbom: bool | str | None = None
    entitlements: Sequence[str] = ()
    ref: str = ""


class Prepared(NamedTuple):
    """A build that is ready to be solved, and what it offers besides folders."""

    opt: SolveOpt
    secrets: tuple[SecretSource, ...]
    agents: tuple[AgentSource, ...]
    uploads: Uploads | None
    """Serves the archives that the build reads."""


def prepare(build: DockerBuild, *, on_engine: bool, load_stream: StreamDestination | None = None) -> Prepared:
    """What `build` means. Raises `UsageError` for what cannot be meant or is not there.

    `on_engine` says that the daemon is the BuildKit inside a Docker Engine, which has its own exporter for
    its store; `load_stream` is where an image that is to be loaded elsewhere goes, as an archive.
    """
    return _Preparation(build).run(on_engine, load_stream)


class _Preparation:
    def __init__(self, build: DockerBuild) -> None:
        self._build = build
        self._attrs: dict[str, str] = {}
        self._locals: dict[str, str | Tree] = {}
        self._layouts: dict[str, str] = {}
        self._inputs: dict[str, Definable] = {}
        self._uploads: Uploads | None = None

    def run(self, on_engine: bool, load_stream: StreamDestination | None) -> Prepared:
        build = self._build
        context = _context(build.context)
        self._add_main(context)
        for name, named in build.contexts.items():
            self._add_named(name, named)
        entitlements = list(build.entitlements)
        if build.network == "host" and "network.host" not in entitlements:
            entitlements.append("network.host")  # as buildx: who asks for it allows it
        self._add_options()
        opt = SolveOpt(
            frontend=build.frontend,
            frontend_attrs={**self._attrs, **build.attrs},
            local_dirs=self._locals,
            oci_layouts=self._layouts,
            frontend_inputs=self._inputs,
            exports=exports(build, on_engine=on_engine, load_stream=load_stream),
            cache_exports=tuple(map(_cache, _strings("cache_to", build.cache_to))),
            cache_imports=tuple(map(_cache, _strings("cache_from", build.cache_from))),
            entitlements=tuple(entitlements),
            on_unreadable=context.on_unreadable if context else "error",
            ref=build.ref,
        )
        secrets = tuple(_secret(name, value) for name, value in build.secrets.items())
        return Prepared(opt, secrets, _agents(build.ssh), self._uploads)

    def _add_main(self, context: Context | None) -> None:
        """The context, and the Dockerfile that goes with it."""
        dockerfile = self._build.dockerfile
        if context is None:
            if dockerfile is None:
                return  # a frontend that reads neither
            context = Context.files({})
        if context.tree is None:
            self._attrs["context"] = self._remote(context)
            if dockerfile is not None and not self._take_dockerfile(dockerfile, context):
                self._attrs["filename"] = os.fspath(dockerfile)  # within the context
            elif dockerfile is not None:
                self._attrs["dockerfilekey"] = "dockerfile"
            return
        self._locals["context"] = _folder(_with(context.tree, _IGNORE, context.ignore))
        if dockerfile is not None and self._take_dockerfile(dockerfile, context):
            return
        name = _DOCKERFILE if dockerfile is None else os.fspath(dockerfile)
        if dockerfile is not None:
            self._attrs["filename"] = name
        self._locals["dockerfile"] = _folder(_with(context.tree, name + _IGNORE, context.ignore))

    def _take_dockerfile(self, dockerfile: PathText, context: Context) -> bool:
        """Offer a Dockerfile that is text or a file of its own; False for one that the context has."""
        ignore = context.ignore
        if isinstance(dockerfile, str) and is_dockerfile_text(dockerfile):
            tree = Tree({_DOCKERFILE: dockerfile})
            self._locals["dockerfile"] = _with(tree, _DOCKERFILE + _IGNORE, ignore)
            return True
        path = os.fspath(dockerfile)
        tree_has = context.tree is not None and os.path.normpath(path) in context.tree.nodes
        base = context.tree.base if context.tree else ""
        if tree_has:
            return False
        for candidate in (path, os.path.join(base, path) if base else path):
            if os.path.isfile(candidate):
                folder, name = os.path.split(candidate)
                self._locals["dockerfile"] = _folder(_with(Tree({}, folder or "."), name + _IGNORE, ignore))
                self._attrs["filename"] = name
                return True
        if context.tree is None:
            return False
        where = f" or below {base}" if base and not os.path.isabs(path) else ""
        raise UsageError(
            f"there is no Dockerfile {quote(path)} in this folder{where}",
            hint="a Dockerfile as text begins with FROM or has several lines",
        )

    def _add_named(self, name: str, value: PathText | Context | Definable) -> None:
        if not name or "=" in name:
            raise UsageError(f"invalid name of a context: {quote(name)}", hint='use one such as "base"')
        self._attrs.setdefault("frontend.caps", "moby.buildkit.frontend.contexts+forward")
        key = _NAMED + name
        if isinstance(value, str):
            if value.startswith("oci-layout://"):
                self._attrs[key] = self._layout(name, value.removeprefix("oci-layout://"))
                return
            if value.startswith("docker-image://"):
                self._attrs[key] = value
                return
        if isinstance(value, Marshallable | Serializable | bytes):
            self._attrs[key] = f"input:{name}"
            self._inputs[name] = value
            return
        context = _context(value)
        assert context is not None, "a value was given"
        if context.tree is None:
            self._attrs[key] = self._remote(context)
            return
        local = name
        while local in ("context", "dockerfile") or local in self._locals:
            local += "-named"
        self._attrs[key] = f"local:{local}"
        self._locals[local] = _folder(_with(context.tree, _IGNORE, context.ignore))

    def _layout(self, name: str, text: str) -> str:
        """`PATH@DIGEST` or `PATH:TAG`, the digest looked up where it is not given."""
        path, at, digest = text.partition("@")
        tag = ""
        if not at and not os.path.isdir(path):
            path, _, tag = path.rpartition(":")
        if not os.path.isdir(path):
            raise UsageError(f"there is no OCI layout at {quote(path or text)}", hint="name a folder")
        store = f"context-{name}"
        self._layouts[store] = path
        return f"oci-layout://{store}@{digest or _digest_in(path, tag or 'latest')}"

    def _remote(self, context: Context) -> str:
        """The URL of what the daemon fetches: elsewhere, or an archive from here."""
        if context.archive is None:
            return context.remote
        from buildctl.session.upload import Uploads

        self._uploads = self._uploads or Uploads()
        return self._uploads.add(_opened(context.archive))

    def _add_options(self) -> None:
        build, attrs = self._build, self._attrs
        if build.target:
            attrs["target"] = build.target
        for kind, values in (("build-arg", build.build_args), ("label", build.labels)):
            for name, value in values.items():
                if not isinstance(value, str):
                    raise TypeError(f"the value of {kind} {quote(name)} is text, not {type(value).__name__}")
                attrs[f"{kind}:{name}"] = value
        if platforms := _strings("platforms", build.platforms):
            attrs["platform"] = ",".join(platforms)
        if build.no_cache is True:
            attrs["no-cache"] = ""
        elif build.no_cache:
            attrs["no-cache"] = ",".join(_strings("no_cache", build.no_cache))
        if build.pull:
            attrs["image-resolve-mode"] = "pull"
        if build.network not in ("", "default"):
            if build.network not in ("host", "none"):
                raise UsageError(f"unsupported network {quote(build.network)}", hint="use host or none")
            attrs["force-network-mode"] = build.network
        for kind, given in (("provenance", build.provenance), ("sbom", build.sbom)):
            if given:
                attrs[f"attest:{kind}"] = "" if given is True else given


def exports(
    build: DockerBuild, *, on_engine: bool, load_stream: StreamDestination | None
) -> tuple[Export, ...]:
    """Where the result goes. Raises `UsageError` for an image without a name to push, and the like."""
    outputs = [build.output] if isinstance(build.output, Export) else list(build.output)
    tags = _strings("tags", build.tags)
    for tag in tags:
        if not tag or tag != tag.strip() or "," in tag:
            raise UsageError(f"invalid tag {quote(tag)}", hint="use one such as example.org/app:1")
    names = {"name": ",".join(tags)} if tags else {}
    own_store = "moby" if on_engine else "image"
    outputs = [_named(output, names) if output.type in _HAS_NAME else output for output in outputs]
    if (tags or build.push) and not outputs and not load_stream:
        outputs = [Output(own_store, names)]
    if build.push:
        if not any(output.type in ("image", "moby") for output in outputs):
            outputs.append(Output(own_store, names))
        outputs = [
            replace(output, attrs={**output.attrs, "push": "true"})
            if output.type in ("image", "moby")
            else output
            for output in outputs
        ]
        if any(output.attrs.get("push") == "true" and not output.attrs.get("name") for output in outputs):
            raise UsageError("an image without a name cannot be pushed", hint="give it tags")
    if load_stream:
        outputs.append(Output("docker", names, load_stream))
    elif build.load and not any(output.type == own_store for output in outputs):
        outputs.append(Output(own_store, names))
    if build.annotations:
        if not any(output.type in _ANNOTATED | {"moby"} for output in outputs):
            raise UsageError("annotations need an image", hint="give tags, or an output of type image or oci")
        added = dict(_annotation(name, value) for name, value in build.annotations.items())
        outputs = [
            replace(output, attrs={**output.attrs, **added})
            if output.type in _ANNOTATED | {"moby"}
            else output
            for output in outputs
        ]
    return tuple(outputs)


def is_dockerfile_text(text: str) -> bool:
    """Whether a text is a Dockerfile, not its path: it has several lines, or begins with FROM or ARG."""
    return "\n" in text or _IS_TEXT.match(text) is not None


def _context(context: PathText | Context | None) -> Context | None:
    match context:
        case None | Context():
            return context
        case str() if is_remote(context):
            return Context.url(context)
        case str() | os.PathLike():
            return Context.directory(context)
    raise TypeError(f"a context is a path, a URL or a Context, not {type(context).__name__}")


def _with(tree: Tree, name: str, text: str | None) -> Tree:
    """The tree with an ignore file's text, if one is to hold."""
    return tree if text is None else Tree({**tree.nodes, name: text}, tree.base)


def _folder(tree: Tree) -> str | Tree:
    """A tree as it is offered: a bare folder as one. Raises `UsageError` where it is not there."""
    if tree.base and not os.path.isdir(tree.base):
        is_file = os.path.isfile(tree.base)
        raise UsageError(
            f"the context {quote(tree.base)} is {'a file' if is_file else 'not there'}",
            hint="an archive is given as Context.tar(path)" if is_file else "name a folder that exists",
        )
    return tree if tree.nodes or not tree.base else tree.base


def _opened(archive: bytes | BinaryIO | str) -> BinaryIO:
    if isinstance(archive, str):
        return cast(BinaryIO, _OpenedLate(archive))
    if isinstance(archive, bytes):
        import io

        return io.BytesIO(archive)
    return cast(BinaryIO, _LeftOpen(archive))


class _LeftOpen:
    """The user's file, which is read and not closed."""

    def __init__(self, file: BinaryIO) -> None:
        self.read = file.read

    def close(self) -> None:
        pass


class _OpenedLate:
    """A file that is opened when it is read first, for the build may never ask for it."""

    def __init__(self, path: str) -> None:
        if not os.path.isfile(path):
            raise UsageError(f"there is no archive {quote(path)}", hint="name a file that exists")
        self._path = path
        self._file: BinaryIO | None = None

    def read(self, size: int) -> bytes:
        if self._file is None:
            self._file = open(self._path, "rb")  # noqa: SIM115 - `close` ends it
        return self._file.read(size)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


def _strings(parameter: str, given: Sequence[str] | Sequence[str | CacheEntry]) -> list[str]:
    """The values of a sequence; text alone, whose letters nobody means, is a mistake."""
    if isinstance(given, str):
        raise TypeError(f"{parameter} is a sequence of texts: {parameter}=[{given!r}]")
    return cast("list[str]", list(given))


def _cache(entry: str | CacheEntry) -> CacheEntry:
    if isinstance(entry, CacheEntry):
        return entry
    if not entry or "=" in entry:
        raise UsageError(
            f"not the name of an image: {quote(entry)}",
            hint='other caches are given as CacheEntry("local", {"src": "cache"})',
        )
    return CacheEntry("inline") if entry == "inline" else CacheEntry("registry", {"ref": entry})


def _named(output: Export, names: Mapping[str, str]) -> Export:
    return replace(output, attrs={**names, **output.attrs})


def _annotation(name: str, value: str) -> tuple[str, str]:
    """buildx's `manifest[linux/amd64]:KEY` as the exporters' `annotation-manifest[linux/amd64].KEY`."""
    if (found := _ANNOTATION.match(name)) is None:
        return f"annotation.{name}", value
    return f"annotation-{found['kind']}{found['platform'] or ''}.{name[found.end() :]}", value


def _secret(name: str, value: SecretValue) -> SecretSource:
    match value:
        case SecretSource():
            source = value._replace(id=name)
        case str():
            source = SecretSource(name, value=value.encode())
        case bytes():
            source = SecretSource(name, value=value)
        case os.PathLike():
            source = SecretSource(name, path=os.fspath(value))
        case _:
            raise TypeError(f"secret {quote(name)} is text, bytes, a Path or a SecretSource")
    if source.value is None and source.path and not source.env:
        try:
            size = os.stat(source.path).st_size
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise UsageError(
                f"failed to stat {source.path}: {reason}",
                hint=f"a Path is the file that holds secret {name}; the secret itself is given as text",
            ) from None
    else:
        size = len(source.value or b"")
    if size > MAX_SECRET_BYTES:
        raise UsageError(f"secret {name} too big. max size {MAX_SECRET_BYTES // 1024}KiB")
    return source


def _agents(ssh: Agents) -> tuple[AgentSource, ...]:
    if isinstance(ssh, str):
        raise TypeError(f"ssh is a sequence of ids, or paths by id: ssh=[{ssh!r}]")
    if isinstance(ssh, Mapping):
        return tuple(AgentSource(name, _paths(paths)) for name, paths in ssh.items())
    return tuple(agent if isinstance(agent, AgentSource) else AgentSource(agent) for agent in ssh)


def _paths(paths: PathText | Sequence[PathText]) -> tuple[str, ...]:
    if isinstance(paths, str | os.PathLike):
        return (os.fspath(paths),)
    return tuple(os.fspath(path) for path in paths)


def _digest_in(path: str, tag: str) -> str:
    from buildctl.oci.index import find, read_index

    try:
        entries = read_index(path)
    except (FileNotFoundError, BuildctlError):
        entries = []
    found = find(entries, tag) or (entries[0] if len(entries) == 1 else {})
    if not (digest := found.get("digest")):
        raise UsageError(f"the OCI layout {quote(path)} has no image {quote(tag)}", hint="give its digest")
    return str(digest)
