"""The steps of a definition that is to be run: which there are, and what each of them starts from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256

from buildctl._pb import ops_pb2

_NAME = "llb.customname"


@dataclass(frozen=True)
class PlannedStep:
    """A step that runs a command."""

    digest: str
    name: str
    """What displays call it, such as `[2/3] RUN make`."""
    command: tuple[str, ...]
    op: bytes
    """A serialized pb.Op."""
    definition: bytes
    """That it stands in, a serialized pb.Definition."""

    def inputs(self) -> list[bytes]:
        """What it starts from: a serialized pb.Definition for each input of its op (`step.inputs()[0]`).

        Raises nothing: the op has been read before.
        """
        whole = ops_pb2.Definition.FromString(self.definition)
        by_digest = {_digest(data): data for data in getattr(whole, "def")}
        op = ops_pb2.Op.FromString(self.op)
        return [_part(whole, by_digest, one).SerializeToString() for one in op.inputs]


def planned_steps(definitions: Sequence[bytes]) -> Iterator[PlannedStep]:
    """The steps with a command, each once, inputs before what needs them."""
    seen: set[str] = set()
    for data in definitions:
        definition = ops_pb2.Definition.FromString(data)
        for serialized in getattr(definition, "def"):
            digest = _digest(serialized)
            op = ops_pb2.Op.FromString(serialized)
            if op.WhichOneof("op") != "exec" or digest in seen:
                continue
            seen.add(digest)
            command = tuple(op.exec.meta.args)
            name = definition.metadata[digest].description.get(_NAME, "") or " ".join(command)
            yield PlannedStep(digest, name, command, serialized, data)


def _part(whole: ops_pb2.Definition, by_digest: dict[str, bytes], head: ops_pb2.Input) -> ops_pb2.Definition:
    """The definition of one input: what it needs, in the order of the whole, and then itself."""
    needed: set[str] = set()
    waiting = [head.digest]
    while waiting:
        digest = waiting.pop()
        if digest not in needed and digest in by_digest:
            needed.add(digest)
            waiting += [one.digest for one in ops_pb2.Op.FromString(by_digest[digest]).inputs]
    part = ops_pb2.Definition()
    ops = getattr(part, "def")
    for digest, data in by_digest.items():
        if digest in needed:
            ops.append(data)
            part.metadata[digest].CopyFrom(whole.metadata[digest])
    ops.append(ops_pb2.Op(inputs=[head]).SerializeToString())
    return part


def _digest(data: bytes) -> str:
    return f"sha256:{sha256(data).hexdigest()}"
