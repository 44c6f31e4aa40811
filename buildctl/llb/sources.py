"""Where files come from: images, folders of the client, git, HTTP, OCI layouts and single blobs.

Identifiers, attributes and capabilities are those of client/llb/source.go, solver/pb/attr.go and
solver/pb/caps.go.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, Unpack

from buildctl._pb import ops_pb2
from buildctl.errors import UsageError
from buildctl.llb import arguments, gopath
from buildctl.llb.base import Encoded, Inputs, Output, Vertex
from buildctl.llb.constraints import ConstraintArgs, Constraints, MarshalOptions, constraints_of
from buildctl.llb.giturl import git_remote
from buildctl.llb.reference import parse_reference
from buildctl.llb.state import State
from buildctl.model.gojson import encode as encode_json
from buildctl.model.platform import Platform

if TYPE_CHECKING:
    from collections.abc import Awaitable

_PLATFORM_SPECIFIC = ("docker-image://", "oci-layout://")
_LOCAL = "local://"
_TOKEN_SECRET = "GIT_AUTH_TOKEN"  # noqa: S105 - the name of one
_HEADER_SECRET = "GIT_AUTH_HEADER"  # noqa: S105
_RESOLVE_MODES = ("default", "pull", "local")
_DIFFERS = ("", "none", "metadata")
_MTIMES = ("", "commit", "checkout")


class ImageAnswer(Protocol):
    """What a resolver says of an image."""

    @property
    def ref(self) -> str:
        """The reference, possibly another one."""
        ...

    @property
    def digest(self) -> str:
        """The image's digest, or an empty text."""
        ...

    @property
    def config(self) -> bytes:
        """The image's configuration, JSON."""
        ...


class Resolver(Protocol):
    """What finds out about images; a function with the same parameters, async or not, will do, too."""

    def resolve_image(
        self, ref: str, *, platform: Platform, resolve_mode: str
    ) -> ImageAnswer | tuple[str, str, bytes] | Awaitable[ImageAnswer | tuple[str, str, bytes]]:
        """Reference, digest and configuration of the image that `ref` names."""
        ...


class _Source(Vertex):
    __slots__ = ("_attrs", "_caps", "_constraints", "_identifier", "_unique_id")

    def __init__(
        self,
        identifier: str,
        attrs: Mapping[str, str],
        caps: Sequence[str],
        constraints: Constraints,
        unique_id: str = "",
    ) -> None:
        if not identifier:
            raise UsageError("source identifier can't be empty")
        self._identifier = identifier
        self._attrs = dict(attrs)
        self._caps = frozenset(caps)
        self._constraints = constraints
        self._unique_id = unique_id

    def encode(self, graph: Inputs) -> Encoded:
        op = ops_pb2.Op()
        op.source.identifier = self._identifier
        op.source.attrs.update(self._attrs)
        caps = self._caps
        if self._identifier.startswith(_LOCAL) and "local.session" not in self._attrs:
            op.source.attrs["local.unique"] = self._unique_id or graph.options.local_unique_id
            caps |= {"source.local.unique"}
        specific = self._identifier.startswith(_PLATFORM_SPECIFIC)
        return graph.finish(op, self._constraints, caps, with_platform=specific)


class _Attributes:
    """Attributes and capabilities of a source while they are gathered."""

    def __init__(self, *caps: str) -> None:
        self.attrs: dict[str, str] = {}
        self.caps = list(caps)

    def set(self, name: str, value: str, *caps: str) -> None:
        """An attribute, unless its value is empty."""
        if value:
            self.attrs[name] = value
            self.caps += caps

    def set_list(self, name: str, argument: str, values: object, *caps: str) -> None:
        """An attribute that is a list in JSON, unless it is empty."""
        if checked := arguments.texts(argument, values):
            self.set(name, encode_json(list(checked)).decode(), *caps)

    def set_file(self, filename: object, mode: object, uid: object, gid: object, caps: bool) -> None:
        """How the one file that the source is shall look."""
        self.set("http.filename", arguments.text("filename", filename))
        permissions = 0 if mode is None else arguments.number("mode", mode, range(1 << 32)) & 0o777
        if permissions:
            self.set("http.perm", f"0{permissions:o}", *(("source.http.perm",) if caps else ()))
        for name, value in (("uid", uid), ("gid", gid)):
            if arguments.number(name, value):
                self.set(
                    f"http.{name}", str(value), *(("soruce.http.uidgid",) if caps else ())
                )  # as it is spelt

    def state(self, identifier: str, args: Mapping[str, Any], unique_id: str = "") -> State:
        """The source with these attributes as a state."""
        constraints = constraints_of(args)
        vertex = _Source(identifier, self.attrs, self.caps, constraints, unique_id)
        return State.of(Output(vertex, 0, constraints.platform))


def scratch() -> State:
    """A state without any file."""
    return State.of(None)


def image(
    ref: str,
    *,
    resolve_mode: Literal["default", "pull", "local"] = "default",
    internal: bool = False,
    layer_limit: int | None = None,
    checksum: str = "",
    config: bytes | None = None,
    resolver: Resolver | Callable[..., Any] | None = None,
    resolve_digest: bool = False,
    **constraints: Unpack[ConstraintArgs],
) -> State:
    """The files of an image in a registry.

    `ref` is a reference as `docker pull` takes it: `busybox` is `docker.io/library/busybox:latest`.
    `resolve_mode` says where the daemon looks: `pull` always asks the registry, `local` prefers an image
    that the daemon has. `internal` keeps the image out of lists of what was used, `layer_limit` takes so
    many of its layers only, and `checksum` is the digest that it has to have.

    An image's variables, folder and platform are not known from its name. They are taken from `config`, the
    image's configuration in JSON, or from what `resolver` answers when the state is marshalled
    (`Build.resolve_image` is one); with `resolve_digest` the digest it answers becomes part of the
    reference.

    Raises `UsageError` for a reference that is not one, and `TypeError`.
    """
    parsed = parse_reference(arguments.text("ref", ref)).with_default_tag()
    attributes = _Attributes("source.image")
    mode = arguments.choice("resolve_mode", resolve_mode, _RESOLVE_MODES)
    if mode != "default":
        attributes.set("image.resolvemode", mode, *(("source.image.resolvemode",) if mode == "pull" else ()))
    if arguments.flag("internal", internal):
        attributes.set("image.recordtype", "internal")
    if layer_limit is not None:
        limit = arguments.number("layer_limit", layer_limit)
        attributes.set("image.layerlimit", str(limit), "source.image.layerlimit")
    attributes.set("image.checksum", arguments.text("checksum", checksum), "source.image.checksum")
    state = attributes.state(f"docker-image://{parsed}", constraints)
    if config is not None:
        state = state.with_image_config(config)
    own_digest = arguments.flag("resolve_digest", resolve_digest)
    if resolver is None:
        if own_digest:
            raise UsageError("resolve_digest needs a resolver")
        return state
    platform = constraints_of(constraints).platform
    ask = _Question(resolver, str(parsed), platform, mode)
    if parsed.digest or not own_digest:
        return state.async_(
            lambda known, options: ask(options, lambda answer: known.with_image_config(answer.config))
        )

    def named(answer: _Answer) -> State:
        found = parse_reference(answer.ref).with_digest(answer.digest)
        return attributes.state(f"docker-image://{found}", constraints).with_image_config(answer.config)

    return scratch().async_(lambda _, options: ask(options, named))


class _Answer(NamedTuple):
    ref: str
    digest: str
    config: bytes


class _Question(NamedTuple):
    """What a resolver is asked when a state is marshalled."""

    resolver: Any
    ref: str
    platform: Platform | None
    mode: str

    def __call__(self, options: MarshalOptions, then: Callable[[_Answer], State]) -> Any:
        """What `then` makes of the answer, or something to await that gives it."""
        ask = getattr(self.resolver, "resolve_image", self.resolver)
        given = ask(self.ref, platform=self.platform or options.platform, resolve_mode=self.mode)
        if not hasattr(given, "__await__"):
            return then(_answer(given))

        async def later() -> State:
            return then(_answer(await given))

        return later()


def _answer(given: Any) -> _Answer:
    if isinstance(given, tuple):
        return _Answer(*given[:3])
    return _Answer(given.ref, given.digest, given.config)


def image_blob(
    ref: str,
    *,
    filename: str = "",
    mode: int | None = None,
    uid: int = 0,
    gid: int = 0,
    **constraints: Unpack[ConstraintArgs],
) -> State:
    """One blob of a repository in a registry, as a file.

    `ref` is a reference with a digest and without a tag. Raises `UsageError` and `TypeError`.
    """
    attributes = _Attributes("source.imageblob")
    attributes.set_file(filename, mode, uid, gid, caps=False)
    return attributes.state(f"docker-image+blob://{_blob_reference(ref)}", constraints)


def oci_layout_blob(
    ref: str,
    *,
    session_id: str = "",
    store_id: str = "",
    filename: str = "",
    mode: int | None = None,
    uid: int = 0,
    gid: int = 0,
    **constraints: Unpack[ConstraintArgs],
) -> State:
    """One blob of an OCI layout of the client, as a file.

    `ref` is a reference with a digest and without a tag; the layout is `store_id`, or what `ref` names, of
    the session `session_id`, or of the build's own. Raises `UsageError` and `TypeError`.
    """
    attributes = _Attributes("source.imageblob")
    attributes.set_file(filename, mode, uid, gid, caps=False)
    attributes.set("oci.session", arguments.text("session_id", session_id))
    attributes.set("oci.store", arguments.text("store_id", store_id))
    return attributes.state(f"oci-layout+blob://{_blob_reference(ref)}", constraints)


def _blob_reference(ref: str) -> str:
    parsed = parse_reference(arguments.text("ref", ref))
    if parsed.tag:
        raise UsageError("tagged image reference not allowed for blob reference")
    if not parsed.digest:
        raise UsageError("checksum required in blob reference")
    return str(parsed)


def oci_layout(
    ref: str,
    *,
    session_id: str = "",
    store_id: str = "",
    layer_limit: int | None = None,
    **constraints: Unpack[ConstraintArgs],
) -> State:
    """The files of an image in an OCI layout of the client, `NAME@DIGEST`.

    The layout is `store_id`, or what `ref` names, of the session `session_id`, or of the build's own.
    """
    attributes = _Attributes("source.ocilayout")
    attributes.set("oci.session", arguments.text("session_id", session_id))
    attributes.set("oci.store", arguments.text("store_id", store_id))
    if layer_limit is not None:
        attributes.set("oci.layerlimit", str(arguments.number("layer_limit", layer_limit)))
    return attributes.state(f"oci-layout://{arguments.text('ref', ref)}", constraints)


def local(
    name: str,
    /,
    *,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    follow_paths: Sequence[str] = (),
    shared_key_hint: str = "",
    session_id: str = "",
    unique_id: str = "",
    differ: Literal["", "none", "metadata"] = "",
    differ_required: bool = False,
    metadata_only: bool | Sequence[str] = False,
    **constraints: Unpack[ConstraintArgs],
) -> State:
    """A folder of the client, by the name under which the build offers it (`SolveOpt.local_dirs`, `--local`).

    `include` and `exclude` are patterns as in `.dockerignore`, `follow_paths` paths whose links are followed.
    `shared_key_hint` tells apart folders whose files the daemon keeps for later builds. The folder is that of
    the session `session_id`; else `unique_id`, or what the marshal call says, tells it from those of other
    builds. With `differ` `none` all files are sent each time, with `metadata` those whose size, time or
    mode has changed; `differ_required` refuses daemons that cannot. With `metadata_only` files come without
    their content, except those that match the patterns, if it is a sequence.
    """
    attributes = _Attributes("source.local")
    attributes.set("local.session", arguments.text("session_id", session_id), "source.local.sessionid")
    for attribute, argument, values in (
        ("local.includepattern", "include", include),
        ("local.followpaths", "follow_paths", follow_paths),
        ("local.excludepatterns", "exclude", exclude),
    ):
        cap = f"source.local.{'followpaths' if argument == 'follow_paths' else argument + 'patterns'}"
        attributes.set_list(attribute, argument, values, cap)
    hint = arguments.text("shared_key_hint", shared_key_hint)
    attributes.set("local.sharedkeyhint", hint, "source.local.sharedkeyhint")
    required = arguments.flag("differ_required", differ_required)
    attributes.set(
        "local.differ",
        arguments.choice("differ", differ, _DIFFERS),
        *(("source.local.differ",) if required else ()),
    )
    if metadata_only is not False:
        attributes.set("local.metadatatransfer", "true", "source.local.metadatatransfer")
        if not isinstance(metadata_only, bool):
            attributes.set_list("local.metadatatransferexclude", "metadata_only", metadata_only)
    unique = arguments.text("unique_id", unique_id)
    return attributes.state(_LOCAL + arguments.text("name", name), constraints, unique)


def http(
    url: str,
    *,
    checksum: str = "",
    filename: str = "",
    mode: int | None = None,
    uid: int = 0,
    gid: int = 0,
    auth_header_secret: str = "",
    accept: str | None = None,
    user_agent: str | None = None,
    pgp_key: bytes | None = None,
    pgp_signature: bytes | None = None,
    **constraints: Unpack[ConstraintArgs],
) -> State:
    """A file from a web server, downloaded by the daemon.

    `checksum` is the digest it has to have, `filename`, `mode` (nine permission bits), `uid` and `gid` are
    how it shall look. `auth_header_secret` names a secret that is the request's Authorization header;
    `accept` and `user_agent` are headers. With `pgp_key` and `pgp_signature` (both armored) its detached
    signature is verified.
    """
    attributes = _Attributes("source.http")
    attributes.set("http.checksum", arguments.text("checksum", checksum), "source.http.checksum")
    attributes.set_file(filename, mode, uid, gid, caps=True)
    secret = arguments.text("auth_header_secret", auth_header_secret)
    attributes.set("http.authheadersecret", secret, "source.http.auth")
    if accept is not None or user_agent is not None:
        attributes.caps.append("source.http.header")
        attributes.set("http.header.accept", arguments.text("accept", accept or ""))
        attributes.set("http.header.user-agent", arguments.text("user_agent", user_agent or ""))
    if pgp_key is not None or pgp_signature is not None:
        attributes.caps.append("source.http.signatureverify")
        attributes.set("http.sig.pubkey", arguments.blob_text("pgp_key", pgp_key or b""))
        attributes.set("http.sig.signature", arguments.blob_text("pgp_signature", pgp_signature or b""))
    return attributes.state(arguments.text("url", url), constraints)


def git(
    url: str,
    *,
    ref: str = "",
    subdir: str = "",
    fragment: str = "",
    keep_git_dir: bool = False,
    auth_token_secret: str | None = None,
    auth_header_secret: str | None = None,
    known_ssh_hosts: Sequence[str] = (),
    ssh_socket: str = "",
    checksum: str = "",
    skip_submodules: bool = False,
    mtime: Literal["", "commit", "checkout"] = "",
    fetch_by_commit: bool = False,
    bundle: str = "",
    bundle_session_id: str = "",
    bundle_store_id: str = "",
    checkout_bundle: bool = False,
    **constraints: Unpack[ConstraintArgs],
) -> State:
    """The files of a git repository, cloned by the daemon.

    `url` is `https://…`, `ssh://…`, `git://…` or `user@host:path`; without a scheme it is https. `ref` is a
    branch, tag or commit, `subdir` the folder of it that is taken; `fragment` is both as `ref:subdir`, in
    Docker's older way. `checksum` is the commit that the ref has to name. `auth_token_secret` and
    `auth_header_secret` name secrets of the build, which are used if they exist; by default
    `GIT_AUTH_TOKEN` and `GIT_AUTH_HEADER`.

    For SSH, `known_ssh_hosts` are lines of a known_hosts file and `ssh_socket` names the agent, `default`
    if empty. Without known hosts none are recorded, and nothing is dialled to find them: `scan_ssh_host`
    asks the host for its keys.

    `bundle` takes the history from a git bundle, `docker-image+blob://…` or `oci-layout+blob://…`, instead
    of the remote; `checkout_bundle` gives a bundle instead of files.
    """
    remote = git_remote(arguments.text("url", url))
    given_ref, colon, folder = arguments.text("fragment", fragment).partition(":")
    ref = arguments.text("ref", ref) or given_ref
    subdir = arguments.text("subdir", subdir) or (gopath.join("/", folder).removeprefix("/") if colon else "")
    identifier = remote.identifier
    if remote.parsed and (ref or subdir):
        identifier += f"#{ref}" + (f":{subdir}" if subdir else "")
    attributes = _Attributes("source.git")
    if arguments.flag("keep_git_dir", keep_git_dir):
        attributes.set("git.keepgitdir", "true", "source.git.keepgitdir")
    attributes.set("git.fullurl", remote.url, "source.git.fullurl")
    chosen = auth_token_secret is not None or auth_header_secret is not None
    for attribute, argument, value, default in (
        ("git.authtokensecret", "auth_token_secret", auth_token_secret, _TOKEN_SECRET),
        ("git.authheadersecret", "auth_header_secret", auth_header_secret, _HEADER_SECRET),
    ):
        secret = default if value is None else arguments.text(argument, value)
        attributes.set(attribute, secret, *(("source.git.httpauth",) if chosen else ()))
    hosts = arguments.texts("known_ssh_hosts", known_ssh_hosts)
    socket = arguments.text("ssh_socket", ssh_socket)
    if remote.ssh:
        attributes.caps += ["source.git.knownsshhosts", "source.git.mountsshsock"]
        attributes.set("git.knownsshhosts", "".join(host.removesuffix("\n") + "\n" for host in hosts))
        attributes.set("git.mountsshsock", socket or "default")
    attributes.set("git.checksum", arguments.text("checksum", checksum), "source.git.checksum")
    if arguments.flag("skip_submodules", skip_submodules):
        attributes.set("git.skipsubmodules", "true", "source.git.skipsubmodules")
    attributes.set("git.mtime", arguments.choice("mtime", mtime, _MTIMES), "source.git.mtime")
    if arguments.flag("fetch_by_commit", fetch_by_commit):
        attributes.set("git.fetchbycommit", "true", "source.git.fetchbycommit")
    attributes.set("git.bundle", arguments.text("bundle", bundle), "source.git.bundle")
    attributes.set("oci.session", arguments.text("bundle_session_id", bundle_session_id))
    attributes.set("oci.store", arguments.text("bundle_store_id", bundle_store_id))
    if arguments.flag("checkout_bundle", checkout_bundle):
        attributes.set("git.checkoutbundle", "true", "source.git.checkoutbundle")
    return attributes.state(f"git://{identifier}", constraints)
