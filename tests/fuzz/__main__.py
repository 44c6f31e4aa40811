"""Runs the harnesses, or those that are named, one after another."""

from __future__ import annotations

import argparse

from tests.fuzz.driver import run
from tests.fuzz.harnesses import HARNESSES


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="how long each runs (60)")
    parser.add_argument("--seed", type=int, help="the one that a find was printed with")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(HARNESSES))
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(HARNESSES):
        parser.error(f"there is no {', '.join(sorted(unknown))}")
    for name in arguments.names or HARNESSES:
        print(run(HARNESSES[name], arguments.seconds, arguments.seed), flush=True)


if __name__ == "__main__":
    main()
