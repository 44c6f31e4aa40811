"""What errors advise: the library's users have no flags."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import buildctl
from buildctl.cli.main import with_flags

PACKAGE = Path(buildctl.__file__).parent
# What only commands do, though it is below them: reading LLB from standard input, and saved builds.
COMMANDS_ALONE = {"llb/read.py", "progress/saved.py"}
# kubectl's own flags, in a command to type.
OTHERS = {"transport/pool/members.py"}


def advice(tree: ast.AST) -> list[str]:
    """The literal parts of all hints of a module."""
    found: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg == "hint":
            values: list[ast.AST] = [node.value]
        elif isinstance(node, ast.Assign) and any("hint" in ast.unparse(one).lower() for one in node.targets):
            values = [node.value]
        else:
            continue
        for value in values:
            found += [
                part.value
                for part in ast.walk(value)
                if isinstance(part, ast.Constant) and isinstance(part.value, str)
            ]
    return found


def test_the_command_line_names_its_flags() -> None:
    assert with_flags("give the authority (ca)") == "give the authority (--tlscacert)"


def test_hints_of_the_library_speak_of_no_flags() -> None:
    modules = [path for path in PACKAGE.rglob("*.py") if path.relative_to(PACKAGE).parts[0] != "cli"]
    said = {
        str(path.relative_to(PACKAGE)): text
        for path in modules
        for text in advice(ast.parse(path.read_text(encoding="utf-8")))
        if re.search(r"(?<!-)--[a-z]", text)
    }
    assert len(modules) > 150
    assert set(said) <= COMMANDS_ALONE | OTHERS, said
