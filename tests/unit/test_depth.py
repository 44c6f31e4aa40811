"""What others nest, nested a hundred thousand deep: answers, records, definitions, folders.

Python's own recursion ends near a thousand, so that each of these could be a traceback.
"""

from __future__ import annotations

import ast
import base64
import contextlib
import functools
import hashlib
import os
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from buildctl._pb import ops_pb2
from buildctl.cli.flags.source_policy import parse_source_policy
from buildctl.cli.metadata import format_metadata
from buildctl.client.engineload import _errors
from buildctl.errors import BuildctlError, UsageError
from buildctl.fsutil.diskwriter import DiskWriter
from buildctl.llb.dump import dump_dot, dump_json
from buildctl.llb.loaded import read_definition
from buildctl.llb.read import parse_definition
from buildctl.llb.values import image_config_changes
from buildctl.model.result import embedded
from buildctl.session.auth.accounts import _parse
from buildctl.system.folders import make_folders
from buildctl.template import parse

PACKAGE = Path(__file__).parents[2] / "buildctl"
DEPTH = 100_000
LISTS = "[" * DEPTH + "]" * DEPTH
OBJECTS = '{"a":' * (DEPTH // 10) + "1" + "}" * (DEPTH // 10)
BARELY = '{"a":' * 900 + "1" + "}" * 900
"""What json.loads takes."""

# Those that call themselves, and why they end.
BOUNDED = {
    "boltdb.py:_page_items": "a tree deeper than 64 is refused",
    "cli/app.py:select_exporter": "no data",
    "cli/completion/tables.py:walk": "our own commands",
    "cli/debug/dump_metadata.py:format_bucket": "buckets deeper than 64 are refused",
    "cli/metadata.py:_masked": "the caller takes a RecursionError",
    "model/address.py:parse_address": "the members of a list, which have no lists",
    "model/repair.py:repair_text": "a limit of its own",
    "transport/pool/members.py:find_members": "the members of a list, which have no lists",
    "cli/reference/generate.py:_pages": "our own commands",
    "cli/reference/library.py:_entry": "our own classes",
    "llb/dump.py:_plain": "protobuf takes messages up to a hundred deep",
    "progress/intervals.py:seconds": "of what is negative, once",
    "progress/masking.py:_alternation": "a trie of one secret's forms",
    "progress/rawjson.py:_plain": "protobuf takes messages up to a hundred deep",
    "sync/build.py:_bare": "the caller's own values",
    "template/parser.py:_branch": "a limit of a hundred",
    "template/sprint.py:_value": "as deep as our own types, and the executor takes a RecursionError",
    "template/values.py:_order": "an interface's value",
}


@functools.cache
def trees() -> dict[str, ast.Module]:
    return {
        str(path.relative_to(PACKAGE)): ast.parse(path.read_text())
        for path in sorted(PACKAGE.rglob("*.py"))
        if "_pb" not in path.parts
    }


def functions() -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for path, tree in trees().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{path}:{node.name}", node


def calls_itself(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """By its bare name in a module, or on `self`; methods that hand on to another object's do not count."""
    on_self = bool(function.args.args) and function.args.args[0].arg == "self"
    for node in ast.walk(function):
        if isinstance(node, ast.Call):
            called = node.func
            if not on_self and isinstance(called, ast.Name) and called.id == function.name:
                return True
            if (
                on_self
                and isinstance(called, ast.Attribute)
                and isinstance(called.value, ast.Name)
                and (called.value.id, called.attr) == ("self", function.name)
            ):
                return True
    return False


def test_whatever_calls_itself_is_known_to_end() -> None:
    assert {name for name, function in functions() if calls_itself(function)} <= BOUNDED.keys()


def test_whoever_reads_json_expects_it_to_be_nested_too_deep() -> None:
    """There is a handler, or a `suppress`, around each call of json.loads."""
    for path, tree in trees().items():
        guarded: set[ast.AST] = set()
        unguarded: list[ast.AST] = []
        for node in ast.walk(tree):
            parts: Sequence[ast.ExceptHandler | ast.withitem] = ()
            if isinstance(node, ast.Try):
                parts = node.handlers
            elif isinstance(node, ast.With):
                parts = node.items
            if any(map(_takes_depth, parts)):
                guarded.update(ast.walk(node))
            if isinstance(node, ast.Attribute) and ast.unparse(node) == "json.loads":
                unguarded.append(node)
        assert guarded.issuperset(unguarded), path


def _takes_depth(part: ast.ExceptHandler | ast.withitem) -> bool:
    caught = part.type if isinstance(part, ast.ExceptHandler) else part.context_expr
    text = ast.unparse(caught) if caught else ""
    return "RecursionError" in text or text == "_UNREADABLE"  # which has it


@pytest.mark.parametrize("text", [LISTS, OBJECTS, BARELY], ids=["lists", "objects", "barely"])
def test_json(text: str) -> None:
    packed = base64.b64encode(text.encode()).decode()
    assert embedded(packed)
    assert format_metadata({"key": packed}).startswith(b'{\n  "key": ')
    for policy in (b'{"rules": [{"x": %b}]}', b'{"rules": %b}', b'{"rules": [{"selector": %b}]}'):
        with contextlib.suppress(UsageError):  # members that nobody knows are passed over
            parse_source_policy(policy % text.encode())
    assert _errors(text.encode() + b'\n{"error":"why"}') == ["why"]
    if text != BARELY:
        with pytest.raises(UsageError):
            parse_source_policy(text.encode())
        with pytest.raises(UsageError):
            image_config_changes(text)
        with pytest.raises(BuildctlError, match="its answer is no JSON object"):
            _parse("docker-credential-x", text)


@pytest.mark.parametrize(
    "text",
    ["{{if 1}}" * DEPTH, "{{" + "(" * DEPTH, "{{if 1}}" + "{{else if 1}}" * DEPTH, "{{" + "a|" * DEPTH],
    ids=["branches", "parentheses", "else", "pipes"],
)
def test_templates(text: str) -> None:
    with pytest.raises(UsageError):
        parse(text)


def digest_of(op: bytes) -> str:
    return f"sha256:{hashlib.sha256(op).hexdigest()}"


def chain(length: int, width: int = 1) -> ops_pb2.Definition:
    """Ops of which each takes the one before so many times."""
    ops: list[bytes] = []
    for number in range(length):
        inputs = [ops_pb2.Input(digest=digest_of(ops[-1]))] * width if ops else []
        ops.append(ops_pb2.Op(inputs=inputs, source={"identifier": f"x://{number}"}).SerializeToString())
    ops.append(ops_pb2.Op(inputs=[ops_pb2.Input(digest=digest_of(ops[-1]))]).SerializeToString())
    return definition_of(ops)


def definition_of(ops: list[bytes]) -> ops_pb2.Definition:
    definition = ops_pb2.Definition()
    getattr(definition, "def").extend(ops)
    return definition


@pytest.mark.parametrize(("length", "width"), [(2_000, 1), (60, 2)], ids=["chain", "ladder"])
def test_definitions(length: int, width: int) -> None:
    bounded_definition(length, width)


@pytest.mark.long
def test_definitions_of_a_hundred_thousand_ops() -> None:
    bounded_definition(DEPTH, 1)


def bounded_definition(length: int, width: int) -> None:
    data = chain(length, width).SerializeToString()
    assert sum(1 for _ in dump_json(data)) == length + 1
    assert sum(1 for _ in dump_dot(data)) == (length + 1) + (length - 1) * width + 1 + 2
    assert len(read_definition(data).state().marshal().ops) == length + 1


def test_definitions_inside_of_definitions() -> None:
    data = b""
    for _ in range(5000):
        for number in (3, 2, 3):  # SourceInfo.definition, Source.infos, Definition.Source
            size, left = b"", len(data)
            while left > 0x7F:
                size, left = size + bytes((left & 0x7F | 0x80,)), left >> 7
            data = bytes((number << 3 | 2,)) + size + bytes((left,)) + data
    for read in (read_definition, parse_definition, lambda it: list(dump_json(it))):
        with pytest.raises(UsageError):
            read(data)


def test_an_op_that_takes_itself_is_shown() -> None:
    """A digest cannot be in what it is of, but a definition can say so of anything."""
    op = ops_pb2.Op(inputs=[ops_pb2.Input(digest="sha256:" + "0" * 64)]).SerializeToString()
    data = definition_of([op, op]).SerializeToString()
    assert b"".join(dump_dot(data)).count(b" -> ") == 2
    with pytest.raises(UsageError, match="unknown op"):
        read_definition(data).state().marshal()


def test_ops_that_all_name_the_same_lines_end() -> None:
    definition = chain(20)
    definition.Source.infos.add(filename="f.py", language="Python", data=b"\n" * 200_000)
    for op in getattr(definition, "def"):
        place = definition.Source.locations[digest_of(op)].locations.add(sourceIndex=0)
        place.ranges.add(start={"line": 1}, end={"line": 2**31 - 1})
    shown = list(dump_json(definition.SerializeToString()))
    assert len(shown) == 21
    assert sum(map(len, shown)) < 20_000_000


def test_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    deep = "d/" * 1900
    make_folders(deep, 0o700)
    assert os.path.isdir(deep)
    writer = DiskWriter("e/" * 1900, max_open_files=1)
    writer.open()
    writer.close()
    assert os.path.isdir("e/" * 1900)
    with pytest.raises(OSError, match="too long"):
        make_folders("f/" * DEPTH, 0o700)
    assert not os.path.exists("f")
    subprocess.run(["rm", "-r", "d", "e"], check=True)  # pytest's own removal is a recursion
