"""Graphs that BuildKit's Go builder has marshalled, and what it made of them: `tests/unit/llb/corpus.jsonl`.

A line of JSON a graph. `graph` is Python, statements separated by `;`, the last an expression that is a
state; `scope` says which names it may use. `marshal` are keyword arguments of `State.marshal`, by default
`MARSHAL`. `definition` is Go's definition in base64, in canonical order, or `error` the text of Go's error.
`go_only` says why Python does not follow.

`python -m tests.support.llb_corpus` compares all, so that another Python or another protobuf can be asked;
it prints the names that differ and how many are equal.
"""

from __future__ import annotations

import ast
import base64
import functools
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from buildctl import llb

MARSHAL = 'platform="linux/amd64", local_unique_id="corpus"'
_FILE = Path(__file__).parent.parent / "unit" / "llb" / "corpus.jsonl"
_DIGEST = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
_CONFIG = {
    "architecture": "arm64",
    "os": "linux",
    "variant": "v8",
    "config": {
        "Env": ["PATH=/bin", "EMPTY=", "NOVAL", "=x"],
        "WorkingDir": "/srv",
        "User": "app",
        "Cmd": ["sh"],
    },
}


class Entry(NamedTuple):
    """One graph."""

    name: str
    graph: str
    marshal: str = MARSHAL
    definition: str = ""
    error: str | None = None
    go_only: str = ""

    def evaluate(self) -> llb.Definition:
        """The definition that our builder makes. Raises what it raises."""
        names = scope()
        program = ast.parse(self.graph)
        last = program.body.pop()
        assert isinstance(last, ast.Expr)
        exec(compile(program, self.name, "exec"), names)
        state = eval(compile(ast.Expression(last.value), self.name, "eval"), names)
        definition: llb.Definition = state.marshal(**eval(f"dict({self.marshal})", names))
        return definition

    def differs(self) -> str:
        """How our builder differs from Go's; empty where it does not."""
        try:
            made = self.evaluate()
        except Exception as error:
            return "" if str(error) == self.error else f"raises {error!r}"
        if self.error is not None:
            return f"does not raise {self.error!r}"
        return "" if made.to_bytes() == base64.b64decode(self.definition) else "other bytes"


def entries() -> Iterator[Entry]:
    """All that Python follows."""
    with _FILE.open(encoding="utf-8") as lines:
        for line in lines:
            entry = Entry(**json.loads(line))
            if not entry.go_only:
                yield entry


def scope() -> dict[str, Any]:
    """The names that a graph may use."""
    config = json.dumps(_CONFIG).encode()

    def boom(state: llb.State) -> llb.State:
        raise RuntimeError("boom")

    def resolve(ref: str, *, platform: llb.Platform, resolve_mode: str) -> tuple[str, str, bytes]:
        return ref, _DIGEST, config

    build_map = functools.partial(llb.SourceMap, "build.py", b"line1\nline2\n", language="Python")
    return {
        "llb": llb,
        "functools": functools,
        "A": llb.image("a"),
        "B": llb.image("busybox"),
        "C": llb.local("ctx"),
        "S": llb.image("s"),
        "I1": llb.image("i1"),
        "I2": llb.image("i2"),
        "I3": llb.image("i3"),
        "T": 1577934245000000006,
        "CONFIG_A": config,
        "R": resolve,
        "boom": boom,
        "m": build_map(),
        "m2": build_map(),
        "o": llb.SourceMap("other.py", b"o"),
    }


def _main() -> int:
    equal = 0
    for entry in entries():
        if difference := entry.differs():
            print(f"{entry.name}: {difference}")
        else:
            equal += 1
    print(f"{equal} equal")
    return 0


if __name__ == "__main__":
    sys.exit(_main())
