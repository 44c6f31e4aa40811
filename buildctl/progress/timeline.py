"""The timeline as a page for browsers: one file that needs no network and runs nothing but its own script.

What a build says is hostile here. It stands in the page as JSON in which `<`, `>` and `&` are escaped, the
script shows it as text only, and the page's policy allows this one script and style by their digests.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from collections.abc import Mapping
from importlib import resources
from typing import Any

from buildctl.model import gojson
from buildctl.progress.log import Log
from buildctl.progress.summary import summary
from buildctl.progress.survey import State
from buildctl.progress.timings import StepTiming, Timings
from buildctl.progress.trace import VertexTrace
from buildctl.progress.vt import PLAIN, read_line

LOG_BYTES = 8 << 20
"""Bytes of logs in a page at most, before they are encoded."""
_STEP_LOG_BYTES = 1 << 20
"""The same for one step."""
_NAME_LIMIT = 4096  # characters of a name or an error


def encode_timeline(timings: Timings) -> bytes:
    """The page. Of logs that are too long the end is shown; every step gets its share of `LOG_BYTES`."""
    template = resources.files("buildctl.progress").joinpath("timeline.html").read_text()
    data = gojson.encode(_build(timings)).decode()
    page = template.replace("@POLICY@", _policy(template))
    before, after = page.split("@DATA@")
    return (before + data + after).encode()


def _policy(template: str) -> str:
    """Nothing from anywhere, but for the style and the script that are in the template."""
    style, script = (
        b64encode(hashlib.sha256(_between(template, tag).encode()).digest()).decode()
        for tag in ("style", "script")
    )
    return (
        f"default-src 'none'; style-src 'sha256-{style}'; script-src 'sha256-{script}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _between(template: str, tag: str) -> str:
    matched = re.search(f"<{tag}>(.*?)</{tag}>", template, re.DOTALL)
    assert matched is not None, f"the template has no <{tag}>"
    return matched[1]


def _build(timings: Timings) -> dict[str, Any]:
    index = {step.vertex: number for number, step in enumerate(timings.steps)}
    shares = _shares(timings)
    return {
        "wall_ms": round(timings.wall_ns / 1e6, 3),
        "summary": summary(timings, slowest=0),
        "steps": [_step(step, timings.start_ns, index, shares[step.vertex]) for step in timings.steps],
    }


def _step(step: StepTiming, origin_ns: int, index: Mapping[VertexTrace, int], share: int) -> dict[str, Any]:
    vertex = step.vertex
    kept = _kept(vertex.log)  # give or take a few bytes: logs that nobody looked at yet are measured roughly
    limit = share if share < kept else _STEP_LOG_BYTES
    log = vertex.log.tail(limit) if limit else b""
    unseen = max(kept - len(log), 0) if len(log) >= limit else 0
    return {
        "stage": step.name.stage,
        "label": step.name.label,
        "name": vertex.name[:_NAME_LIMIT],
        "digest": vertex.digest,
        "state": step.state.name.lower() if step.state is not State.QUEUED else "queued",
        "intervals": [
            [round((start - origin_ns) / 1e6, 3), round(((stop or start) - origin_ns) / 1e6, 3)]
            for start, stop in step.intervals
        ],
        "duration_ms": round(step.duration_ns / 1e6, 3),
        "inputs": [index[needed] for needed in step.inputs],
        "bytes": step.size_bytes,
        "critical": step.critical,
        "error": vertex.error[-_NAME_LIMIT:],
        "log": _text(log),
        "clipped": vertex.log.dropped_bytes + unseen,
    }


def _shares(timings: Timings) -> dict[VertexTrace, int]:
    """How many bytes of each step's log are shown: small logs whole, the rest of the room evenly."""
    room = LOG_BYTES
    shares: dict[VertexTrace, int] = {}
    # What failed is served first, then small logs: what they leave goes to the larger ones.
    steps = sorted(timings.steps, key=lambda step: (step.state is not State.FAILED, _kept(step.vertex.log)))
    for number, step in enumerate(steps):
        even = room if step.state is State.FAILED else room // (len(steps) - number)
        shares[step.vertex] = share = min(_kept(step.vertex.log), _STEP_LOG_BYTES, even)
        room -= share
    return shares


def _kept(log: Log) -> int:
    return log.total_bytes - log.dropped_bytes


def _text(log: bytes) -> str:
    """A log as it would look on a terminal, without colours."""
    ink, lines = PLAIN, []
    for line in log.split(b"\n"):
        if line.isascii() and (text := line.decode()).isprintable():
            lines.append(text)
            continue
        spans, ink = read_line(line, ink)
        lines.append("".join(span.text for span in spans))
    return "\n".join(lines).rstrip("\n")
