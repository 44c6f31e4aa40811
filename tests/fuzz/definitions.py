"""Any bytes are an LLB definition that is sent as one and dumped as JSON and as a graph, or a UsageError."""

from __future__ import annotations

import json
import random

from buildctl._pb import ops_pb2
from buildctl.errors import UsageError
from buildctl.llb.dump import dump_dot, dump_json
from buildctl.llb.read import parse_definition
from tests.fuzz.driver import Harness


def check(data: bytes) -> str:
    outcomes = []
    for ignore_cache in (False, True):
        try:
            sent = parse_definition(data, ignore_cache=ignore_cache)
            assert parse_definition(sent, ignore_cache=ignore_cache) == sent
            outcomes.append("sent")
        except UsageError as error:
            outcomes.append(str(error)[:40])
    try:
        for line in dump_json(data):
            assert line.count(b"\n") == 1
            assert json.loads(line)["Digest"].startswith("sha256:")
    except UsageError as error:
        outcomes.append(str(error)[:40])
    try:
        lines = b"".join(dump_dot(data)).decode().splitlines()
        assert (lines[0], lines[-1]) == ("digraph {", "}")
    except UsageError as error:
        outcomes.append(str(error)[:40])
    return "; ".join(outcomes)


def made(source: random.Random) -> bytes:
    """Ops of random kinds, some of them cut, on random inputs."""
    ops = []
    for _ in range(source.randrange(1, 5)):
        op = ops_pb2.Op()
        for _ in range(source.randrange(3)):
            op.inputs.add(
                digest=source.choice(("", "sha256:1", 'é\n"')), index=source.choice((0, -1, 1 << 40))
            )
        match source.randrange(6):
            case 0:
                op.source.identifier = source.choice(("local://src", "docker-image://x", '"\n'))
                op.source.attrs["k"] = "v"
            case 1:
                op.exec.meta.args.extend(["/bin/sh", "-c", "a<b"])
                op.exec.mounts.add(input=source.choice((-1, 0, 9)), dest="/src")
            case 2:
                copy = op.file.actions.add(secondaryInput=-1)
                copy.mkfile.data = b"\0\xff"
                copy.mkfile.owner.user.byID = 7
            case 3:
                op.build.SetInParent()
            case 4:
                op.merge.inputs.add(input=1)
            case _:
                op.platform.Architecture = "amd64"
        encoded = op.SerializeToString()
        ops.append(encoded[: source.choice((len(encoded), len(encoded), len(encoded) - 1))])
    message = ops_pb2.Definition()
    getattr(message, "def").extend(ops)
    message.metadata["sha256:1"].caps["source.local"] = True
    return message.SerializeToString()


HARNESS = Harness(
    "definitions",
    check,
    lambda: [b"", *(made(random.Random(number)) for number in range(20))],
    words=(
        b"\x0a\x00",
        b"\x12\x00",
        b"\x0b",
        b"\x0c",
        b"\xff" * 9 + b"\x01",
        b"\xff" * 10,
        b"\x0a\x7f",
        b"\x1a\x02" * 99,
    ),
    made=made,
)
