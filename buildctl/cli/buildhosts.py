"""Which registries a build names, as far as can be told beforehand: for `--registry-auth-hosts auto`."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator

from buildctl.cli.dockerfile import Images, images_of
from buildctl.cli.flags.authhosts import AuthHosts
from buildctl.errors import BuildctlError
from buildctl.model.imagename import registry_of
from buildctl.model.solve import SolveOpt
from buildctl.system.failure import errno_text
from buildctl.system.smallfile import read_found

_IMAGE = "docker-image://"
_SCANNER = "docker/buildkit-syft-scanner"
_MOST_BYTES = 1 << 20

_LOG = logging.getLogger(__name__)


def admitted_hosts(hosts: AuthHosts, opt: SolveOpt) -> Callable[[str], bool]:
    """Says of a host whether the daemon of this build may ask for an account there; reads the Dockerfile."""
    if not hosts.auto:
        return hosts.admits
    found = _dockerfile(opt)
    for image in found.unclear:
        _LOG.warning(
            "--registry-auth-hosts=auto cannot tell the registry of %s; name it if it needs an account",
            image,
        )
    names = {*found.names, *_named(opt)}
    admitted = hosts._replace(named=frozenset(map(registry_of, names)))
    shown = ", ".join((*hosts.patterns, *sorted(admitted.named)))
    _LOG.debug("the daemon may ask for accounts at %s", shown or "no registry")
    return admitted.admits


def _named(opt: SolveOpt) -> Iterator[str]:
    """The images of the command line, of LLB and of a source policy."""
    for export in opt.exports:
        if export.type == "image":
            yield from filter(None, export.attrs.get("name", "").split(","))
    for cache in (*opt.cache_exports, *opt.cache_imports):
        if cache.type == "registry" and cache.attrs.get("ref"):
            yield cache.attrs["ref"]
    attrs = opt.frontend_attrs
    if opt.frontend == "gateway.v0" and attrs.get("source"):
        yield attrs["source"]
    for name, value in attrs.items():
        if name.startswith("context:") and value.startswith(_IMAGE):
            yield value.removeprefix(_IMAGE)
        elif name == "attest:sbom":
            yield next((one[10:] for one in value.split(",") if one.startswith("generator=")), _SCANNER)
    definition = opt.definition if isinstance(opt.definition, bytes) else None
    for identifier in (*_sources(definition), *_replacements(opt.source_policy)):
        if identifier.startswith(_IMAGE):
            yield identifier.removeprefix(_IMAGE)


def _sources(definition: bytes | None) -> Iterator[str]:
    if definition is None:
        return
    from buildctl.llb.read import decode_definition, decode_op

    ops = getattr(decode_definition(definition, ""), "def")
    for op in ops:
        try:
            yield decode_op(op, "").source.identifier
        except BuildctlError:  # which the daemon will say
            continue


def _replacements(policy: bytes | None) -> Iterator[str]:
    if policy is None:
        return
    from buildctl._pb.sourcepolicy_pb2 import Policy

    for rule in Policy.FromString(policy).rules:
        yield rule.updates.identifier


def _dockerfile(opt: SolveOpt) -> Images:
    """The images of the Dockerfile, where it is in a folder that is offered."""
    if not opt.frontend:
        return Images(frozenset())
    folder = opt.local_dirs.get("dockerfile") or opt.local_dirs.get("context")
    if not isinstance(folder, str):
        return Images(frozenset(), ("the Dockerfile, which is not in a folder of this build,",))
    path = os.path.join(folder, opt.frontend_attrs.get("filename", "Dockerfile"))
    try:
        text = read_found(path, limit=_MOST_BYTES).decode("utf-8", "replace")
    except OSError as error:
        return Images(frozenset(), (f"{path} ({errno_text(error)})",))
    arguments = {
        name.removeprefix("build-arg:"): value
        for name, value in opt.frontend_attrs.items()
        if name.startswith("build-arg:")
    }
    return images_of(text, arguments)
