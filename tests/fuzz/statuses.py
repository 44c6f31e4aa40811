"""Any Status stream is shown by every display, which obeys no control of it and leaves the screen in order.

An input is messages, each after its length in two bytes. Plain progress passes controls on, as it has to.
"""

from __future__ import annotations

import io
import json
import random
import re
from collections.abc import Iterator
from functools import cache
from itertools import islice

from google.protobuf.message import DecodeError

from buildctl._pb import control_pb2
from buildctl.client.convert.status import solve_status
from buildctl.model.status import SolveStatus
from buildctl.progress.ci.azure import Azure
from buildctl.progress.ci.github import GitHub
from buildctl.progress.ci.gitlab import GitLab
from buildctl.progress.ci.teamcity import TeamCity
from buildctl.progress.clock import ClientClock
from buildctl.progress.dialect import Dialect
from buildctl.progress.failures import FailurePrinter
from buildctl.progress.plain import PlainPrinter
from buildctl.progress.quiet import QuietRenderer
from buildctl.progress.rawjson import RawJSONRenderer
from buildctl.progress.renderer import Renderer
from buildctl.progress.saved import read_saved
from buildctl.progress.sections import SectionPrinter
from buildctl.progress.terminal import TerminalOptions
from buildctl.progress.tty import TTYRenderer
from tests.fuzz.driver import Harness
from tests.support import replay
from tests.support.screen import Terminal

OURS = re.compile(r"\x1b\[(?:[0-9;]*m|[0-9]+A|2K|J|\?(?:25|7|2026)[hl])|\r\n|\r")
RECORDINGS = ("build-fail", "build-warnings", "v0.8-build-fail", "build-cached")
STEP_NS = 300_000_000
SHIFTS = (-(1 << 40), -60, -1, 1, 60, 1 << 40)
CONTROLS = (
    "\x1b[2J",
    "\x1b[9A",
    "\x1b]0;t\x07",
    "\x1b[31m",
    "\x9b2J",
    "\x1b",
    "\r",
    "\n",
    "\t",
    "\0",
    "\x08",
)
MARKS = (
    "##[x]",
    "::error::",
    "##teamcity[x",
    "|'",
    "[x 1/2] ",
    "\u202e",
    "\u200d",
    "\u2028",
    "\u0301",
    "日",
    "👩",
)
HOSTILE = (*CONTROLS, *MARKS)


def check(data: bytes) -> str:
    stream = messages(data)
    live(stream)
    for renderer in (PlainPrinter(), QuietRenderer(), FailurePrinter()):
        shown(renderer, stream)
    written = shown(RawJSONRenderer(), stream)
    if written:
        assert len(list(read_saved(io.BytesIO(written), "x"))) == written.count(b"\n")
    for line in written.splitlines():
        json.loads(line)
    for dialect in (Dialect(str), GitHub(str), GitLab(str), Azure(str), TeamCity(str)):
        text = shown(SectionPrinter(dialect), stream).decode()
        rest = re.sub(r"\x1b\[[0-9;:]*[mK]|[\r\n\t]", "", text)
        assert not rest or rest.isprintable(), rest
    return f"{len(stream)} {len(written.splitlines())}"


def messages(data: bytes) -> list[SolveStatus]:
    """The messages until one that cannot be read, where grpc ends the call."""
    clock = ClientClock(0)
    return [clock.adjust(solve_status(message)) for message in islice(envelopes(data), 12)]


def envelopes(data: bytes) -> Iterator[control_pb2.StatusEnvelope]:
    at = 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 2], "big")
        try:
            yield control_pb2.StatusEnvelope.FromString(data[at + 2 : at + 2 + size])
        except DecodeError:
            return
        at += 2 + size


def shown(renderer: Renderer, stream: list[SolveStatus]) -> bytes:
    out = bytearray()
    for number, status in enumerate(stream):
        out += renderer.absorb(status, number * STEP_NS)
        if number % 4 == 0:
            out += renderer.render(number * STEP_NS)
    return bytes(out + renderer.finish(len(stream) * STEP_NS))


def live(stream: list[SolveStatus]) -> None:
    """On a terminal, with a row of an earlier command above."""
    terminal = Terminal(40, 8)
    terminal.feed(b"$ earlier\r\n")
    data = shown(TTYRenderer(lambda: (40, 8), TerminalOptions()), stream)
    rest = OURS.sub("", data.decode())
    assert not rest or rest.isprintable(), rest
    terminal.feed(data)
    assert terminal.all_rows[0] == "$ earlier"
    assert not terminal.cursor_hidden()
    assert terminal.screen.cursor.x == 0


def recorded(name: str) -> Iterator[bytes]:
    responses = [
        data for call in replay.load(name).calls if call.method == replay.STATUS for _, data in call.responses
    ]
    for start in range(0, len(responses), 6):
        batch = [data for data in responses[start : start + 6] if len(data) < 4000]
        yield b"".join(len(data).to_bytes(2, "big") + data for data in batch)


@cache
def seeds() -> list[bytes]:
    """Recorded builds, six messages an input."""
    return [data for name in RECORDINGS for data in recorded(name)]


def made(source: random.Random) -> bytes:
    """A recorded build in disorder, of which some says what it should not."""
    out = b""
    for message in envelopes(source.choice(seeds())):
        for vertex in message.vertexes:
            if source.random() < 0.3:
                vertex.name = changed(vertex.name, source)
            if source.random() < 0.1:
                vertex.error = changed("exit code: 1", source)
            if source.random() < 0.2:
                vertex.started.seconds += source.choice(SHIFTS)
            if source.random() < 0.1:
                vertex.completed.nanos = source.choice((-(1 << 31), -1, 1 << 30))
            if source.random() < 0.1:
                vertex.progressGroup.id = source.choice(("", "g", vertex.digest))
                vertex.progressGroup.name = changed("group", source)
        for counter in message.statuses:
            if source.random() < 0.3:
                counter.ID = changed(counter.ID, source)
                counter.total = source.choice((-(1 << 63), 0, 1, (1 << 63) - 1))
        logs = [control_pb2.VertexLog.FromString(data) for data in message.logs]
        for log in logs:
            if source.random() < 0.3:
                log.msg = changed(log.msg.decode(errors="replace"), source).encode()
        message.logs[:] = [log.SerializeToString() for log in logs]
        if message.vertexes and source.random() < 0.1:
            message.warnings.add(vertex=message.vertexes[0].digest, short=changed("w", source).encode())
        data = message.SerializeToString()
        out += len(data).to_bytes(2, "big") + data
    return out


def changed(text: str, source: random.Random) -> str:
    at = source.randrange(len(text) + 1)
    return (text[:at] + source.choice(HOSTILE) * source.choice((1, 1, 2, 30)) + text[at:])[:2000]


HARNESS = Harness(
    "statuses",
    check,
    seeds,
    made=made,
    words=[*map(str.encode, HOSTILE), b"\xff", b"\xff" * 9 + b"\x01"],
)
