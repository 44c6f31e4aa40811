"""Recorded conversations with a daemon (tests/golden/cases), read back and played at any clock."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from buildctl._pb import control_pb2
from buildctl.client.convert.status import solve_status
from buildctl.model.status import SolveStatus
from buildctl.progress.clock import ClientClock
from buildctl.progress.pump import Pump
from buildctl.progress.renderer import Renderer

CASES = Path(__file__).parent.parent / "golden" / "cases"
STATUS = "/moby.buildkit.v1.Control/Status"


@dataclass
class Recording:
    """One recorded call. Instants are seconds since the command began."""

    method: str
    started: float
    ended: float
    responses: list[tuple[float, bytes]] = field(default_factory=list)
    code: str = "OK"
    details: str = ""
    trailers: list[tuple[str, str | bytes]] = field(default_factory=list)


@dataclass
class Case:
    """A command line of the reference, the calls it made, and what it printed."""

    name: str
    argv: list[str]
    exit: int
    stdout: bytes
    stderr: bytes
    calls: list[Recording]

    def statuses(self) -> list[tuple[int, SolveStatus]]:
        """The build's Status stream: nanoseconds since the command began, and the message."""
        responses = [response for call in self.calls if call.method == STATUS for response in call.responses]
        return [
            (round(at * 1e9), solve_status(control_pb2.StatusEnvelope.FromString(data)))
            for at, data in responses
        ]


def load(name: str) -> Case:
    folder = CASES / name
    case = json.loads((folder / "case.json").read_text())
    return Case(
        name,
        case["argv"],
        case["exit"],
        (folder / "stdout").read_bytes(),
        (folder / "stderr").read_bytes(),
        list(_recordings(folder / "calls.jsonl")),
    )


def _recordings(path: Path) -> Iterator[Recording]:
    calls: dict[int, Recording] = {}
    for line in filter(None, path.read_text().splitlines()):
        event = json.loads(line)
        at: float = event["t"]
        if event["event"] == "start":
            calls[event["call"]] = Recording(event["method"], at, at)
            continue
        call = calls[event["call"]]
        call.ended = at
        if event["event"] == "response" and "data" in event:
            call.responses.append((at, base64.b64decode(event["data"])))
        elif event["event"] == "status":
            call.code, call.details = event["code"], event["details"] or ""
            call.trailers = [
                (key, base64.b64decode(value) if key.endswith("-bin") else value)
                for key, value in event["trailers"]
            ]
    return iter(calls.values())


def play(renderer: Renderer, statuses: list[tuple[int, SolveStatus]], *, began_ns: int = 0) -> bytes:
    """What a display writes that sees `statuses` at their instants: no time passes in fact."""
    clock = ClientClock(began_ns)
    pump = Pump(renderer, began_ns)
    out = bytearray()
    now_ns = began_ns
    for now_ns, status in statuses:
        while pump.due_ns < now_ns:
            out += pump.refresh(pump.due_ns)
        out += pump.update(clock.adjust(status), now_ns)
    return bytes(out + pump.finish(now_ns))
