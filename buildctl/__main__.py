"""The program: what the script `buildctl` runs, and `python -m buildctl` where that is not on PATH."""

from __future__ import annotations

import atexit
import gc
import os

_GARBAGE_THRESHOLD = 100_000
"""New containers before a search for cycles, of which little here makes any; by default it is 700."""


def entry() -> None:
    """Run the command line; it does not return.

    Loading modules makes many containers and no garbage, and by default the collector of cycles would search
    again and again meanwhile: so it is told before anything is loaded, which saves a tenth of the CPU time of
    `--version`. At the end Python would take all modules apart. By then every stream is written and closed,
    so only what was registered for the end is run.
    """
    gc.set_threshold(_GARBAGE_THRESHOLD)
    from buildctl.cli.main import main

    status = main()
    atexit._run_exitfuncs()
    os._exit(status)


if __name__ == "__main__":
    entry()
