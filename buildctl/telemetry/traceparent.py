"""A place in a distributed trace, as W3C Trace Context writes it (www.w3.org/TR/trace-context)."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import NamedTuple

Metadata = tuple[tuple[str, str], ...]

# Compiled when the environment names a trace.
_PARENT = r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?"
_SAMPLED = 1
_RANDOM = 2
_KEY = r"[a-z][a-z0-9_\-*/]{0,255}|[a-z0-9][a-z0-9_\-*/]{0,240}@[a-z][a-z0-9_\-*/]{0,13}"
_MEMBER = rf"({_KEY})=[ -+\--<>-~]{{0,255}}[!-+\--<>-~]"
_MEMBERS = 32


class TraceContext(NamedTuple):
    """A span of a trace: what the spans below it name as their parent."""

    trace_id: str
    span_id: str
    flags: int = _SAMPLED
    state: str = ""
    """What the tracing systems on the way have added; empty or valid."""

    @property
    def metadata(self) -> Metadata:
        """The headers of a call that is made within the span."""
        parent = ("traceparent", f"00-{self.trace_id}-{self.span_id}-{self.flags:02x}")
        return (parent, ("tracestate", self.state)) if self.state else (parent,)


def parse_trace_context(traceparent: str, tracestate: str = "") -> TraceContext | None:
    """The place that the two headers name; None where the first is not valid. A bad state is dropped."""
    found = re.fullmatch(_PARENT, traceparent) if traceparent else None
    if found is None:
        return None
    version, trace_id, span_id, flags, rest = found.groups()
    if version == "00" and rest:
        return None
    return TraceContext(trace_id, span_id, int(flags, 16) & (_SAMPLED | _RANDOM), _valid_state(tracestate))


def given_context(environ: Mapping[str, str]) -> TraceContext | None:
    """The place that the program was called from, by TRACEPARENT and TRACESTATE."""
    return parse_trace_context(environ.get("TRACEPARENT", ""), environ.get("TRACESTATE", ""))


def new_context() -> TraceContext:
    """The first span of a new trace."""
    return TraceContext(os.urandom(16).hex(), os.urandom(8).hex(), _SAMPLED | _RANDOM)


def _valid_state(text: str) -> str:
    """Its list members joined as one header; empty where any is not valid, as the specification wants it."""
    members = [member for part in text.split(",") if (member := part.strip(" \t"))]
    found = [re.fullmatch(_MEMBER, member) for member in members]
    keys = [match[1] for match in found if match]
    valid = len(keys) == len(members) == len(set(keys)) <= _MEMBERS
    return ",".join(members) if valid else ""
