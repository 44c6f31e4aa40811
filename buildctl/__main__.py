"""`python -m buildctl`: the program, where the script is not on PATH."""

from buildctl.cli.main import entry

entry()
