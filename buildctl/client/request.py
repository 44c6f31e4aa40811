"""What a build asks for, as the daemon's requests: `SolveOpt` to Control.Solve and to LLBBridge.Solve.

A build with a gateway sends two requests. Control.Solve says who exports what and leaves the frontend empty,
which makes the daemon wait for a result; LLBBridge.Solve names the frontend or the definition that yields it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from typing import get_args

from google.protobuf.message import DecodeError

from buildctl._pb import control_pb2, gateway_pb2, ops_pb2, sourcepolicy_pb2
from buildctl.client.convert.text import valid_text
from buildctl.errors import UsageError
from buildctl.model import gojson
from buildctl.model.definable import Definable
from buildctl.model.quote import quote
from buildctl.model.solve import CacheEntry, Export, LayoutDestination, OnUnreadable, SolveOpt

_SUBREQUESTS = "moby.buildkit.frontend.subrequests"
_LOCAL_MODES = ("", "copy", "delete")
_MAX_KEY = 1024
"""Characters of a shared key; it travels as a header, whose size servers limit."""


def check(opt: SolveOpt, *, is_conversed: bool = False) -> None:
    """Raise `UsageError` for what the daemon would not be asked to do.

    One frontend or definition is to yield the result, unless it `is_conversed`: brought by other calls.
    """
    if not (opt.frontend or is_conversed) and opt.definition is None:
        raise UsageError("invalid empty definition", hint="name a frontend, such as dockerfile.v0")
    if opt.frontend and opt.definition is not None:
        raise UsageError(f"invalid definition for frontend {opt.frontend}")
    if len(opt.shared_key) > _MAX_KEY or not (opt.shared_key.isascii() and opt.shared_key.isprintable()):
        raise UsageError(
            f"invalid shared key {quote(opt.shared_key[:_MAX_KEY])}",
            hint=f"use up to {_MAX_KEY} printable ASCII characters",
        )
    if opt.on_unreadable not in get_args(OnUnreadable):
        raise UsageError(
            f"invalid way {quote(opt.on_unreadable)} to treat what is unreadable",
            hint="use error, skip or empty",
        )
    if uses_layouts(opt):
        from buildctl.client.stores import check_caches, check_layouts

        check_caches(opt)
        check_layouts(opt)
    for export in opt.exports:
        mode = export.attrs.get("mode", "")
        if export.type == "local" and mode.strip().lower() not in _LOCAL_MODES:
            raise UsageError(f"invalid local exporter mode {quote(mode)}", hint="use copy or delete")


def uses_layouts(opt: SolveOpt) -> bool:
    """Whether a build may read or fill a layout on this machine (`stores`)."""
    to_layouts = any(isinstance(export.destination, LayoutDestination) for export in opt.exports)
    return bool(to_layouts or opt.oci_layouts or opt.cache_imports or opt.cache_exports)


@valid_text()
def control_request(
    opt: SolveOpt, *, ref: str, session_id: str, imports: Sequence[CacheEntry] | None = None
) -> control_pb2.SolveRequest:
    """Control.Solve of a build whose result the gateway brings.

    `imports` are the caches that can be imported; None for all that are asked for.
    """
    imports = opt.cache_imports if imports is None else imports
    request = control_pb2.SolveRequest(
        Ref=ref,
        Session=session_id,
        FrontendAttrs=frontend_attrs(opt, imports),
        Cache=control_pb2.CacheOptions(
            Exports=_control_entries(opt.cache_exports), Imports=_control_entries(imports)
        ),
        Entitlements=opt.entitlements,
        Exporters=[
            control_pb2.Exporter(Type=export.type, Attrs=_exporter_attrs(export)) for export in opt.exports
        ],
        ProxyNetwork=opt.proxy_network,
    )
    if opt.exports:  # once more, for daemons that know of one export (before 0.13)
        request.ExporterDeprecated = opt.exports[0].type
        request.ExporterAttrsDeprecated.update(_exporter_attrs(opt.exports[0]))
    _add_inputs(request.FrontendInputs, opt)
    if opt.source_policy is not None:
        try:
            request.SourcePolicy.MergeFrom(sourcepolicy_pb2.Policy.FromString(opt.source_policy))
            request.SourcePolicy.SetInParent()  # one without rules is a policy too
        except DecodeError as error:
            raise UsageError(f"invalid source policy: {error}") from error
    return request


@valid_text()
def plain_request(
    opt: SolveOpt, *, ref: str, session_id: str, imports: Sequence[CacheEntry] | None = None
) -> control_pb2.SolveRequest:
    """Control.Solve of a build on a daemon without a gateway, which are those of 2018.

    They take registry caches alone, in fields of their own (`CacheOptions` of 0.3).
    """
    imports = opt.cache_imports if imports is None else imports
    request = control_request(opt, ref=ref, session_id=session_id, imports=imports)
    request.Frontend = opt.frontend
    if opt.definition is not None:
        request.Definition.CopyFrom(definition(opt.definition))
    for entry in opt.cache_exports:
        if entry.type == "registry":
            attrs = dict(entry.attrs)
            request.Cache.ExportRefDeprecated = attrs.pop("ref")
            request.Cache.ExportAttrsDeprecated.update(attrs)
    request.Cache.ImportRefsDeprecated.extend(
        entry.attrs["ref"] for entry in imports if entry.type == "registry"
    )
    return request


@valid_text()
def gateway_request(opt: SolveOpt, imports: Sequence[CacheEntry] | None = None) -> gateway_pb2.SolveRequest:
    """LLBBridge.Solve: the frontend or the definition, with its options.

    The message names all caches, its options those that can be imported (`imports`), as the reference does.
    """
    options = frontend_attrs(opt, opt.cache_imports if imports is None else imports)
    if "requestid" in options:
        options.setdefault("frontend.caps", _SUBREQUESTS)
    request = gateway_pb2.SolveRequest(
        Frontend=opt.frontend,
        FrontendOpt=options,
        allowResultReturn=True,
        allowResultArrayRef=True,
        CacheImports=[
            gateway_pb2.CacheOptionsEntry(Type=entry.type, Attrs=entry.attrs) for entry in opt.cache_imports
        ],
    )
    _add_inputs(request.FrontendInputs, opt)
    if opt.definition is not None:
        request.Definition.CopyFrom(definition(opt.definition))
    return request


def _add_inputs(inputs: MutableMapping[str, ops_pb2.Definition], opt: SolveOpt) -> None:
    for name, what in opt.frontend_inputs.items():
        inputs[name].CopyFrom(definition(what))


def definition(data: Definable) -> ops_pb2.Definition:
    """A serialized pb.Definition as a message."""
    assert isinstance(data, bytes), "others have been serialized"
    try:
        return ops_pb2.Definition.FromString(data)
    except DecodeError as error:
        raise UsageError(f"failed to parse input: {error}") from error


def frontend_attrs(opt: SolveOpt, imports: Iterable[CacheEntry]) -> dict[str, str]:
    """The frontend's options, with the caches to import as frontends look for them."""
    attrs = dict(opt.frontend_attrs)
    if entries := [_json_entry(entry) for entry in imports]:
        attrs["cache-imports"] = gojson.encode(entries).decode()
    return attrs


def _exporter_attrs(export: Export) -> Mapping[str, str]:
    """Without `tar=false` the daemon would deliver a layout as an archive."""
    is_layout = isinstance(export.destination, LayoutDestination)
    return {"tar": "false", **export.attrs} if is_layout else export.attrs


def _control_entries(entries: Iterable[CacheEntry]) -> list[control_pb2.CacheOptionsEntry]:
    return [control_pb2.CacheOptionsEntry(Type=entry.type, Attrs=entry.attrs) for entry in entries]


def _json_entry(entry: CacheEntry) -> Mapping[str, object]:
    """An entry as Go writes the message: fields in their order, empty ones left out, keys sorted."""
    fields: dict[str, object] = {}
    if entry.type:
        fields["Type"] = entry.type
    if entry.attrs:
        fields["Attrs"] = dict(sorted(entry.attrs.items()))
    return fields
