"""Completion scripts as text: a shell's engine with the tables put in; as a program, written to completions/.

Each engine is a script in its shell's language in this folder. `@TABLES@` in it becomes the cases of a
switch, one a set, with a row `text|value|help` a word; `@AWK@` what finds the names in a Dockerfile. So
whatever does not need the daemon is answered by the shell, without starting Python.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import resources
from pathlib import Path

from buildctl.cli.completion.tables import Tables, completion_tables
from buildctl.cli.vocabulary.word import Word

FILES = {"bash": "buildctl.bash", "fish": "buildctl.fish", "pwsh": "buildctl.ps1", "zsh": "_buildctl"}
"""The shells, and how their scripts are called."""

SEPARATOR = "|"

# What may stand in a Dockerfile is not what may stand on a command line: only names that BuildKit takes are
# offered, for a stage called `$(touch x)` would run at Enter. Of an ARG, quoted text is dropped first: what
# follows a blank in it is not a name. \047 is an apostrophe.
_AWK = r"""
    { sub(/\r$/, "") }
    want == "targets" && toupper($1) == "FROM" {
        for (i = 2; i < NF; i++)
            if (toupper($i) == "AS" && $(i + 1) ~ /^[A-Za-z][A-Za-z0-9_.-]*$/) print $(i + 1)
    }
    want == "args" && toupper($1) == "ARG" {
        gsub(/"[^"]*"|\047[^\047]*\047/, "")
        for (i = 2; i <= NF; i++) {
            sub(/=.*/, "", $i)
            if ($i ~ /^[A-Za-z_][A-Za-z0-9_]*$/ && !seen[$i]++) print $i "="
        }
    }
"""


def completion_script(shell: str) -> str:
    """The whole script for one of `FILES`."""
    from buildctl.cli.main import root

    engine = (resources.files(__package__) / f"engine.{shell}").read_text("utf-8")
    cases = _WRITERS[shell](completion_tables(root))
    return engine.replace("@AWK@", _AWK.strip("\n")).replace("@TABLES@", cases.rstrip("\n").lstrip())


def _row(word: Word, *, with_help: bool = True) -> str:
    cells = (word.text, word.value, word.help) if with_help else (word.text, word.value)
    assert not any(SEPARATOR in cell for cell in cells), f"{word.text} holds what separates cells"
    return SEPARATOR.join(cells)


def _posix(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _fish(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _pwsh(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _bash_cases(tables: Tables) -> str:
    def rows(words: tuple[Word, ...]) -> str:  # bash shows no help beside its answers
        return _posix("\n".join(_row(word, with_help=False) for word in words))

    return "".join(f"        {_posix(name)}) rows={rows(words)} ;;\n" for name, words in tables.items())


def _zsh_cases(tables: Tables) -> str:
    return "".join(
        f"        {_posix(name)}) rows=(\n{_lines(words, _posix)}        ) ;;\n"
        for name, words in tables.items()
    )


def _fish_cases(tables: Tables) -> str:
    return "".join(
        f"        case {_fish(name)}\n            printf '%s\\n' \\\n"
        + " \\\n".join(f"                {_fish(_row(word))}" for word in words)
        + "\n"
        for name, words in tables.items()
    )


def _pwsh_cases(tables: Tables) -> str:
    return "".join(
        f"        {_pwsh(name)} = @(\n{_lines(words, _pwsh)}        )\n" for name, words in tables.items()
    )


def _lines(words: tuple[Word, ...], quoted: Callable[[str], str]) -> str:
    return "".join(f"            {quoted(_row(word))}\n" for word in words)


_WRITERS: dict[str, Callable[[Tables], str]] = {
    "bash": _bash_cases,
    "fish": _fish_cases,
    "pwsh": _pwsh_cases,
    "zsh": _zsh_cases,
}


def main(folder: Path) -> None:
    """Write every shell's script into the folder."""
    for shell, name in FILES.items():
        (folder / name).write_text(completion_script(shell), "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "completions"))
