"""Gives a harness inputs that were good until bytes of them were changed, and says which one broke it.

Seeds go first, as they are: an input that once broke something is a file in `tests/fuzz/corpus/HARNESS`, and
so is tried in every run. The rest comes from one random number, which is printed.
"""

from __future__ import annotations

import random
import resource
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"

CPU_SECONDS = 10.0
"""Of one input, on a busy machine too: what takes longer does not end in reasonable time."""
MEMORY_BYTES = 200 << 20
"""What one input may add to the memory of the process."""
INPUT_BYTES = 64 << 10
"""Of one input at most: repeating what was repeated would make them ever longer."""

_INTERESTING = (0, 1, 0x7F, 0x80, 0xFE, 0xFF)


@dataclass(frozen=True)
class Harness:
    """What is tried, on what, and made of what."""

    name: str
    check: Callable[[bytes], object]
    """Raises where an input breaks the invariant; what it returns tells outcomes apart."""
    seeds: Callable[[], Sequence[bytes]]
    """Good inputs, beside the files of the corpus."""
    words: Sequence[bytes] = ()
    """What inputs are made of, so that chance finds more than broken ones."""
    made: Callable[[random.Random], bytes] | None = None
    """A new good input; where there is one, every second input begins as such."""

    def corpus(self) -> list[bytes]:
        files = sorted((CORPUS / self.name).glob("*"))
        return [*self.seeds(), *(file.read_bytes() for file in files)]


def words(text: str, *more: bytes) -> list[bytes]:
    """What stands between spaces, and more."""
    return [*text.encode().split(), *more]


class TooSlowError(BaseException):
    """Past every `except Exception` of what is tried."""


@dataclass(frozen=True)
class Summary:
    """What a run did."""

    name: str
    seed: int
    inputs: int
    outcomes: int

    def __str__(self) -> str:
        return f"{self.name}: {self.inputs} inputs, {self.outcomes} different outcomes, seed {self.seed}"


def run(harness: Harness, seconds: float, seed: int | None = None) -> Summary:
    """Try all seeds, and then inputs for so long. What breaks is raised with a note of the input."""
    seed = random.randrange(1 << 32) if seed is None else seed
    source = random.Random(seed)
    corpus = harness.corpus()
    end = time.monotonic() + seconds
    outcomes = set()
    count = 0
    for count, data in enumerate(_inputs(harness, corpus, source), 1):
        outcomes.add(_try(harness, data, f"{harness.name}, seed {seed}, input {count}"))
        if count >= len(corpus) and time.monotonic() >= end:
            break
    return Summary(harness.name, seed, count, len(outcomes))


def _inputs(harness: Harness, corpus: Sequence[bytes], source: random.Random) -> Iterator[bytes]:
    yield from corpus
    while True:
        if harness.made is not None and source.random() < 0.5:
            base = harness.made(source)
        else:
            base = source.choice(corpus)
        for _ in range(source.choice((0, 1, 1, 2, 4, 8))):
            base = mutated(base, corpus, harness.words, source)
        yield base[:INPUT_BYTES]


def mutated(data: bytes, corpus: Sequence[bytes], words: Sequence[bytes], source: random.Random) -> bytes:
    """The input with one change."""
    at = source.randrange(len(data) + 1)
    length = source.choice((1, 1, 2, 4, 8, source.randrange(1, len(data) // 2 + 2)))
    after = data[at + length :]
    match source.randrange(8 if words else 7):
        case 0:
            if at == len(data):
                return data + bytes([source.randrange(256)])
            return data[:at] + bytes([data[at] ^ 1 << source.randrange(8)]) + data[at + 1 :]
        case 1:
            return (
                data[:at]
                + bytes([source.choice(_INTERESTING)]) * source.choice((1, 1, 4, 8))
                + data[at + 1 :]
            )
        case 2:
            return data[:at] + after
        case 3:
            return data[:at]
        case 4:
            return data[:at] + data[at : at + length] * source.choice((2, 2, 3, 100)) + after
        case 5:
            other = source.choice(corpus)
            start = source.randrange(len(other) + 1)
            return data[:at] + other[start : start + length] + after
        case 6:
            other = source.choice(corpus)
            return data[:at] + other[source.randrange(len(other) + 1) :]
        case _:
            return data[:at] + source.choice(words) + data[source.choice((at, at + length)) :]


def _try(harness: Harness, data: bytes, which: str) -> object:
    try:
        before = _peak_bytes()
        with _limited():
            outcome = harness.check(data)
        grown = _peak_bytes() - before
        assert grown < MEMORY_BYTES, f"{grown >> 20} MiB of memory"
    except BaseException as error:
        error.add_note(f"{which}: bytes.fromhex({data.hex()!r})")
        raise
    return outcome


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@contextmanager
def _limited() -> Iterator[None]:
    """Raise `TooSlowError` in what takes the processor for too long."""

    def stop(*_: object) -> None:
        raise TooSlowError(f"more than {CPU_SECONDS:g} seconds of processor time")

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, CPU_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
