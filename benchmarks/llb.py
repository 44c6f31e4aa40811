"""What it costs to marshal deep and wide graphs: `python -m benchmarks.llb [OPS]`.

For each graph: seconds of CPU to describe it, to marshal it, and to write the definition. Go's builder
(v0.32.2, one run on the same two cores) took 48 s to marshal the chain of 10,000 ops, since it looks every
value up through all states before it, 2.7 s for the ladder and 0.2 s for the merge.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence

from buildctl import llb


def chain(count: int) -> llb.State:
    """Commands, one after another."""
    state: llb.State = llb.image("busybox")
    for index in range(count):
        state = state.run(["step", str(index)])
    return state


def merge(count: int) -> llb.State:
    """Many sources side by side."""
    return llb.merge(*(llb.image(f"i{index}") for index in range(count)))


def ladder(count: int) -> llb.State:
    """Two sides, each rung needing both: paths to the bottom double with each rung."""
    left, right = llb.image("l"), llb.image("r")
    for index in range(count // 2):
        left, right = left.copy(right, "/a", f"/l{index}"), right.copy(left, "/b", f"/r{index}")
    return llb.merge(left, right)


GRAPHS: dict[str, Callable[[int], llb.State]] = {"chain": chain, "merge": merge, "ladder": ladder}


def measure(graph: Callable[[int], llb.State], count: int) -> tuple[float, float, float]:
    """Seconds to describe, to marshal, to write."""
    moments = [time.process_time()]
    state = graph(count)
    moments.append(time.process_time())
    definition = state.marshal(platform="linux/amd64", local_unique_id="u")
    moments.append(time.process_time())
    definition.to_bytes()
    moments.append(time.process_time())
    return moments[1] - moments[0], moments[2] - moments[1], moments[3] - moments[2]


def main(args: Sequence[str]) -> None:
    """Print a line for each graph and size."""
    most = int(args[0]) if args else 100_000
    for name, graph in GRAPHS.items():
        for count in (most // 10, most):
            described, marshalled, written = measure(graph, count)
            print(f"{name:7}{count:8} ops: {described:6.2f} {marshalled:6.2f} {written:6.2f} s")


if __name__ == "__main__":
    main(sys.argv[1:])
