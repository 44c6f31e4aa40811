"""What BuildKit attaches to an error: the places, reasons and types in google.rpc.Status.details.

Each detail wraps the error, the first innermost (solver/errdefs, util/grpcerrors). A detail comes from the
daemon and may hold anything; what is not of its type's shape says nothing.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from typing import Any

from buildctl.client.excerpt import format_excerpt
from buildctl.errors import ErrorDetail, RPCError, SolveError, SourceExcerpt

_STACK = "stack.Stack"
_SOURCE = "errdefs.Source"
_DECISION = "policysession.DecisionResponse"
_KNOWN = frozenset(
    {
        _SOURCE,
        _DECISION,
        "errdefs.Vertex",
        "errdefs.Solve",
        "errdefs.Frontend",
        "errdefs.FrontendCap",
        "errdefs.Subrequest",
        "errdefs.CompatibilityFeature",
        "errdefs.ProvenanceMaterialsIncomplete",
        "gatewayapi.ExitMessage",
    }
)
"""The types that wrap an error on its way through the reference."""


def wrapping(details: Iterable[ErrorDetail]) -> str:
    """What the details put in front of the error's text."""
    return "".join(reversed([text for detail in details if (text := _wrapping(detail))]))


def solve_error(error: RPCError, prefix: str = "") -> SolveError:
    """The failure of a call as the failure of a build, with all that the daemon said of it."""
    excerpts = [excerpt for detail in error.details if (excerpt := _excerpt(detail))]
    failure = SolveError(
        f"{prefix}{error}",
        code=error.code,
        excerpts=excerpts,
        denials=[message for detail in error.details for message in _denials(detail)],
        details=error.details,
        hint=error.hint,
    )
    failure.transient = error.transient
    failure.places = "".join(map(format_excerpt, excerpts))
    return failure


def is_of_a_step(error: RPCError) -> bool:
    """Whether the daemon says that a step failed, and not the call itself (of which it says `{}`)."""
    told = ("errdefs.Solve", "errdefs.Vertex")
    return any(detail.value for detail in error.details if detail.type_name in told)


def passed_on(details: Iterable[ErrorDetail]) -> list[ErrorDetail]:
    """Details in the order in which the reference's client sends them back: of the types that it
    unwraps, stacks come first and the others in reverse, after those that it does not know."""
    stacks: list[ErrorDetail] = []
    known: list[ErrorDetail] = []
    unknown: list[ErrorDetail] = []
    for detail in details:
        kind = stacks if detail.type_name == _STACK else known if detail.type_name in _KNOWN else unknown
        kind.append(detail)
    return unknown + stacks + known[::-1]


def _wrapping(detail: ErrorDetail) -> str:
    value = detail.value
    match detail.type_name:
        case "errdefs.FrontendCap":
            return f"unsupported frontend capability {_text(value, 'name')}: "
        case "errdefs.Subrequest":
            return f"unsupported request {_text(value, 'name')}: "
        case "errdefs.CompatibilityFeature":
            version, feature = _number(value, "version"), _text(value, "feature")
            return f"unsupported compatibility-version {version} feature {feature}: "
    return ""


def _excerpt(detail: ErrorDetail) -> SourceExcerpt | None:
    info = detail.value.get("info")
    if detail.type_name != _SOURCE or not isinstance(info, dict):
        return None
    try:
        data = base64.b64decode(_text(info, "data"), validate=True)
    except binascii.Error:
        return None
    ranges = tuple((_line(place, "start"), _line(place, "end")) for place in _objects(detail.value, "ranges"))
    return SourceExcerpt(_text(info, "filename"), data, ranges)


def _line(line_range: Mapping[str, Any], end: str) -> int:
    place = line_range.get(end)
    return _number(place, "line") if isinstance(place, dict) else 0


def _denials(detail: ErrorDetail) -> list[str]:
    if detail.type_name != _DECISION:
        return []
    return [text for message in _objects(detail.value, "denyMessages") if (text := _text(message, "message"))]


def _text(value: Mapping[str, Any], key: str) -> str:
    text = value.get(key)
    return text if isinstance(text, str) else ""


def _number(value: Mapping[str, Any], key: str) -> int:
    number = value.get(key)
    return number if isinstance(number, int) else 0


def _objects(value: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    items = value.get(key)
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
