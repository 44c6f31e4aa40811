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

_AGAIN = "import sys; sys.path += sys.argv.pop(1).splitlines(); from buildctl.__main__ import entry; entry()"


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
    if not sys.flags.safe_path and sys.path and os.path.abspath(sys.path[0]) != _HOME:
        del sys.path[0]
    if sys.executable and not sys.flags.ignore_environment and any(map(_misleads, _MISLEADING)):
        strange = _python_path() - {_HOME}
        # What is installed may be in folders that only this process was told of, as by pex or shiv.
        kept = [folder for folder in (*sys.path, _HOME) if os.path.abspath(folder) not in strange]
        writes_nothing = ["-B"] * sys.flags.dont_write_bytecode
        python = [sys.executable, "-E", "-P", *writes_nothing, "-c", _AGAIN, "\n".join(kept)]
        os.execv(sys.executable, [*python, *sys.argv[1:]])  # noqa: S606  # the same program


def _misleads(variable: str) -> bool:
    if variable == "PYTHONPATH":
        return bool(_python_path() - {_HOME})
    return bool(os.environ.get(variable))


def _python_path() -> set[str]:
    value = os.environ.get("PYTHONPATH", "")
    return {os.path.abspath(folder) for folder in value.split(os.pathsep)} if value else set()


if __name__ == "__main__":
    entry()
