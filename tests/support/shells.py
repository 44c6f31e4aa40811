"""bash, zsh and fish, unpacked from Debian's packages and driven as a user does: type, complete, look.

bash and zsh run interactively on a terminal of their own. Completions are found where the wheel puts them, by
each shell's own search. Answers come back through a pipe, so that no screen has to be read.
"""

from __future__ import annotations

import contextlib
import os
import pty
import shutil
import subprocess
import threading
import time
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from tests.support import packages

ROOT = Path(__file__).parents[2]


def install_shared_data(prefix: Path) -> None:
    """Copy the files that the wheel carries beside the package to where it puts them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    shared: dict[str, str] = project["tool"]["hatch"]["build"]["targets"]["wheel"]["shared-data"]
    for source, destination in shared.items():
        target = prefix / destination
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, target, dirs_exist_ok=True)
        else:
            shutil.copyfile(ROOT / source, target)


class Shell:
    """A running shell that completes lines; `seconds` is how long its last answer took, seen from outside."""

    def __init__(
        self, argv: Sequence[str], environment: Mapping[str, str], folder: Path, *, terminal: bool
    ) -> None:
        answers, theirs = os.pipe()
        self._keys, stdin = pty.openpty() if terminal else os.pipe()[::-1]
        self._process = subprocess.Popen(
            argv,
            env={**environment, "ANSWERS": str(theirs), "TERM": "xterm"},
            cwd=folder,
            stdin=stdin,
            stdout=stdin if terminal else None,
            stderr=stdin if terminal else None,
            pass_fds=[theirs],
            start_new_session=True,
        )
        os.close(theirs)
        os.close(stdin)
        # What is echoed and listed has to go somewhere, or the shell would wait for it.
        self._drainer = threading.Thread(target=self._drain, daemon=True)
        if terminal:
            self._drainer.start()
        self._answers = answers
        self.seconds = 0.0
        assert self._read() == "ready"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self._process.kill()
        self._process.wait()
        if self._drainer.ident:
            self._drainer.join()
        os.close(self._keys)
        os.close(self._answers)

    def answers(self, line: str) -> set[str]:
        """What may stand where the last word of the line stands."""
        raise NotImplementedError

    def ask(self, keys: str) -> str:
        """What the shell reports after these keys."""
        began = time.perf_counter()
        os.write(self._keys, keys.encode())
        text = self._read()
        self.seconds = time.perf_counter() - began
        return text

    def _drain(self) -> None:
        with contextlib.suppress(OSError):  # the terminal is closed
            while os.read(self._keys, 1 << 16):
                pass

    def _read(self) -> str:
        text = b""
        while not text.endswith(b"\0"):
            data = os.read(self._answers, 1 << 16)
            assert data, "the shell has ended"
            text += data
        return text[:-1].decode()


_BASHRC = r"""
PS1=
. {tree}/usr/share/bash-completion/bash_completion
bind 'set completion-query-items 0'
bind 'set bell-style none'
report() {{ printf '%s\0' "$READLINE_LINE" >&$ANSWERS; READLINE_LINE=; READLINE_POINT=0; }}
bind -x '"\C-xr": report'
bind '"\C-xi": insert-completions'
bind '"\C-xc": complete'
printf 'ready\0' >&$ANSWERS
"""


class Bash(Shell):
    """bash with bash-completion, which loads ours from XDG_DATA_DIRS."""

    def __init__(self, environment: Mapping[str, str], folder: Path, prefix: Path, home: Path) -> None:
        rc = home / "bashrc"
        rc.write_text(_BASHRC.format(tree=packages.shells().tree))
        argv = ["bash", "--noprofile", "--rcfile", str(rc), "-i"]
        super().__init__(argv, {**environment, "XDG_DATA_DIRS": f"{prefix}/share"}, folder, terminal=True)

    def answers(self, line: str) -> set[str]:
        """Readline puts all answers into the line, in the place of what follows its last word break."""
        start = max(line.rfind(sign) for sign in " =:@") + 1
        inserted = self.ask(f"{line}\x18i\x18r")
        assert inserted.startswith(line[:start])
        if inserted == line:
            return set()  # an answer would have been followed by a blank
        settled = line[line.rfind(" ") + 1 : start]
        return {settled + answer for answer in inserted[start:].split(" ") if answer}

    def tab(self, line: str) -> str:
        """The line after Tab."""
        return self.ask(f"{line}\x18c\x18r")


_ZSHENV = """
module_path=({tree}/usr/lib/*/zsh/*(N))
fpath=({prefix}/share/zsh/site-functions {tree}/usr/share/zsh/functions/**/*(N/))
"""

_ZSHRC = r"""
PS1=
setopt no_beep
unsetopt list_ambiguous
autoload -Uz compinit && compinit -D -u
LISTMAX=100000
compadd() {
    if [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\ * ]]; then
        builtin compadd "$@"
        return
    fi
    local -a matching
    local folder=${@[${@[(i)-p]}+1]}
    builtin compadd -O matching "$@"
    answers+=("${(@)matching/#/$IPREFIX$folder}")
    builtin compadd "$@"
}
report-answers() { answers=(); zle list-choices; printf '%s\0' "${(F)answers}" >&$ANSWERS; BUFFER=; }
report-line() { zle complete-word; printf '%s\0' "$BUFFER" >&$ANSWERS; BUFFER=; }
zle -N report-answers
zle -N report-line
bindkey '^Xi' report-answers
bindkey '^Xc' report-line
typeset -ga answers
precmd() { printf 'ready\0' >&$ANSWERS; precmd() { : } }
"""


class Zsh(Shell):
    """zsh with its own completion system."""

    def __init__(self, environment: Mapping[str, str], folder: Path, prefix: Path, home: Path) -> None:
        tree = packages.shells().tree
        (home / ".zshenv").write_text(_ZSHENV.format(tree=tree, prefix=prefix))
        (home / ".zshrc").write_text(_ZSHRC)
        argv = [str(tree / "bin" / "zsh"), "-d", "-i"]
        super().__init__(argv, {**environment, "ZDOTDIR": str(home)}, folder, terminal=True)

    def answers(self, line: str) -> set[str]:
        """What the completion system is given, and finds to match."""
        return set(filter(None, self.ask(f"{line}\x18i").split("\n")))

    def tab(self, line: str) -> str:
        """The line after Tab."""
        return self.ask(f"{line}\x18c")


_FISH = r"""
printf 'ready\0' >&$ANSWERS
while read -l line
    begin
        complete -C $line
        printf '\0'
    end >&$ANSWERS
end
"""


class Fish(Shell):
    """fish, asked by its own `complete -C`; ours are found in XDG_DATA_DIRS.

    It looks for its own files beside its program, as they lie in an installed system.
    """

    def __init__(self, environment: Mapping[str, str], folder: Path, prefix: Path, home: Path) -> None:
        programs = packages.shells()
        (home / "bin").mkdir()
        (home / "etc").symlink_to(programs.tree / "etc")
        (home / "share").symlink_to(programs.tree / "usr" / "share")
        program = shutil.copy(programs.tree / "usr/bin/fish", home / "bin")
        argv = [str(program), "-c", _FISH]
        found = {"LD_LIBRARY_PATH": programs.library_path, "XDG_DATA_DIRS": f"{prefix}/share"}
        variables = {**environment, **found, "HOME": str(home)}
        super().__init__(argv, variables, folder, terminal=False)

    def answers(self, line: str) -> set[str]:
        """The words that fish would list."""
        return {answer.partition("\t")[0] for answer in self.ask(f"{line}\n").splitlines()}
