"""The program: what the script `buildctl` runs, and `python -m buildctl` where that is not on PATH.

Variables that the caller has set for other Python programs are not for this one. Until that is settled,
nothing is imported but what every Python has loaded when it begins.
"""

from __future__ import annotations

import os
import sys

_GARBAGE_THRESHOLD = 100_000
"""New containers before a search for cycles, of which little here makes any; by default it is 700."""

_MISLEADING = (
    "PYTHONASYNCIODEBUG",
    "PYTHONDEVMODE",
    "PYTHONHOME",
    "PYTHONOPTIMIZE",  # 2 takes the texts of help pages away
    "PYTHONPATH",
    "PYTHONWARNINGS",  # `error` makes an exception of what some library warns of
)
"""What changes which modules are found, or how they behave. Other variables of Python do no harm."""

_HOME = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
"""The folder, or zip file, that this package was found in: what else is in it may be imported, too."""

_AGAIN = "import sys; sys.path.append(sys.argv.pop(1)); from buildctl.__main__ import entry; entry()"


def entry() -> None:
    """Run the command line; it does not return.

    Loading modules makes many containers and no garbage, and by default the collector of cycles would search
    again and again meanwhile: so it is told before anything is loaded, which saves a tenth of the CPU time of
    `--version`. At the end Python would take all modules apart. By then every stream is written and closed,
    so only what was registered for the end is run.
    """
    _stand_alone()
    import atexit
    import gc

    gc.set_threshold(_GARBAGE_THRESHOLD)
    from buildctl.cli.main import main

    status = main()
    atexit._run_exitfuncs()
    os._exit(status)


def _stand_alone() -> None:
    """Take no module from the working folder or the script's, and begin anew where a variable misleads.

    The variables stay as they are for programs that this one starts.
    """
    if not sys.flags.ignore_environment and any(map(_misleads, _MISLEADING)):
        writes_nothing = ["-B"] * sys.flags.dont_write_bytecode
        python = [sys.executable, "-E", "-P", *writes_nothing, "-c", _AGAIN, _HOME]
        os.execv(sys.executable, [*python, *sys.argv[1:]])  # noqa: S606  # the same program
    if not sys.flags.safe_path and sys.path and os.path.abspath(sys.path[0]) != _HOME:
        del sys.path[0]


def _misleads(variable: str) -> bool:
    value = os.environ.get(variable, "")
    if variable == "PYTHONPATH":
        return any(os.path.abspath(folder) != _HOME for folder in value.split(os.pathsep) if value)
    return bool(value)


if __name__ == "__main__":
    entry()
