"""A template applied to a value: the only module that knows what actions do.

What goes wrong raises `UsageError`, in Go's words and with the place. There is an end to everything: actions
are counted, templates invoke each other to a depth, and output has a size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from buildctl.errors import UsageError
from buildctl.model.quote import quote
from buildctl.template import nodes
from buildctl.template.compare import is_true
from buildctl.template.evaluate import Evaluator
from buildctl.template.functions import BUILTINS, printable
from buildctl.template.parser import parse_trees
from buildctl.template.sprint import sprint
from buildctl.template.values import INT, Function, Kind, Value, indirect, indirect_interface

MAX_DEPTH = 100
"""How deep templates may invoke each other; 100000 in Go."""
MAX_STEPS = 2_000_000
"""How many actions are executed, about twenty seconds' worth."""
MAX_OUTPUT = 256 * 1024 * 1024
"""How many characters a run may write."""


class Template:
    """A parsed template and those it defines."""

    def __init__(
        self, source: str, trees: Mapping[str, list[nodes.Node]], functions: Mapping[str, Function]
    ) -> None:
        self.source = source
        self.trees = trees
        self.functions = functions

    def execute(self, value: Value | None) -> Iterator[str]:
        """The output for a value. Raises `UsageError` after what was produced before it."""
        parts: list[str] = []
        try:
            _Execution(self, value, parts.append).run()
        finally:
            yield "".join(parts)


def parse(source: str, functions: Mapping[str, Function] | None = None) -> Template:
    """A template that may call `functions` besides the predefined ones. Raises `UsageError`."""
    known = {**BUILTINS, **(functions or {})}
    return Template(source, parse_trees(source, known), known)


class _Jump(Exception):  # noqa: N818  no error
    def __init__(self, keyword: str) -> None:
        self.keyword = keyword


class _Execution:
    """One run of a template: what it writes, and what it has spent."""

    def __init__(self, template: Template, value: Value | None, write: Callable[[str], object]) -> None:
        self._template = template
        self._write = write
        self._root = value
        self._values = Evaluator(template.source, template.functions, value)
        self._depth = 0
        self._steps = 0
        self._size = 0

    def run(self) -> None:
        try:
            self._walk_all(self._root, self._template.trees[""])
        except RecursionError:
            raise self._too_deep() from None

    def _walk_all(self, dot: Value | None, body: Iterable[nodes.Node]) -> None:
        for node in body:
            self._walk(dot, node)

    def _walk(self, dot: Value | None, node: nodes.Node) -> None:
        self._values.node = node
        self._step()
        if isinstance(node, nodes.Text):
            self._emit(node.text)
        elif isinstance(node, nodes.Action):
            value = self._values.pipeline(dot, node.pipeline)
            if not node.pipeline.variables:
                self._values.node = node
                self._print(node, value)
        elif isinstance(node, nodes.Jump):
            raise _Jump(node.keyword)
        elif isinstance(node, nodes.Invocation):
            self._invoke(dot, node)
        else:
            known = len(self._values.variables)
            if node.keyword == "range":
                self._range(dot, node)
            else:
                self._branch(dot, node)
            del self._values.variables[known:]

    def _print(self, node: nodes.Action, value: Value | None) -> None:
        shown = printable(value)
        if shown.kind is Kind.FUNCTION:
            raise self._values.failure(f"can't print {node} of type {shown.type}")
        self._emit(sprint([shown]))

    def _emit(self, output: str) -> None:
        self._size += len(output)
        if self._size > MAX_OUTPUT:
            raise self._values.failure(f"more than {MAX_OUTPUT} characters written")
        self._write(output)

    def _step(self) -> None:
        self._steps += 1
        if self._steps > MAX_STEPS:
            raise self._values.failure(f"more than {MAX_STEPS} actions executed")

    def _branch(self, dot: Value | None, node: nodes.Branch) -> None:
        value = self._values.pipeline(dot, node.pipeline)
        if is_true(indirect_interface(value)):
            self._walk_all(value if node.keyword == "with" else dot, node.body)
        elif node.otherwise is not None:
            self._walk_all(dot, node.otherwise)

    def _range(self, dot: Value | None, node: nodes.Branch) -> None:
        value, _ = indirect(self._values.pipeline(dot, node.pipeline))
        mark = len(self._values.variables)
        ran = False
        try:
            for key, element in self._iterate(value, node.pipeline):
                ran = True
                self._step()
                self._set_range_variables(node.pipeline, key, element)
                try:
                    self._walk_all(element, node.body)
                except _Jump as jump:
                    if jump.keyword == "break":
                        raise
                del self._values.variables[mark:]
        except _Jump:
            return
        if not ran and node.otherwise is not None:
            self._walk_all(dot, node.otherwise)

    def _iterate(
        self, value: Value | None, pipeline: nodes.Pipeline
    ) -> Iterator[tuple[Value | None, Value | None]]:
        if value is None:
            return
        if value.kind in (Kind.INT, Kind.UINT):
            if len(pipeline.variables) > 1:
                raise self._values.failure(
                    f"can't use {sprint([value])} to iterate over more than one variable"
                )
            for number in range(value.data):
                yield None, Value(value.type, number)
        elif value.kind is Kind.SLICE:
            for index, element in enumerate(value.elements()):
                yield Value(INT, index), element
        elif value.kind is Kind.MAP:
            yield from value.entries()
        else:
            raise self._values.failure(f"range can't iterate over {sprint([value])}")

    def _set_range_variables(
        self, pipeline: nodes.Pipeline, key: Value | None, element: Value | None
    ) -> None:
        """One variable takes the element; of two, the first takes the index or key."""
        variables = self._values.variables
        declared = [variable.variable for variable in pipeline.variables]
        values = (key, element) if len(declared) > 1 else (element,)
        if pipeline.assigns:
            for name, value in zip(declared, values, strict=False):
                self._values.assign(name, value)
        elif declared:
            variables[-len(declared) :] = zip(declared, values, strict=True)

    def _invoke(self, dot: Value | None, node: nodes.Invocation) -> None:
        body = self._template.trees.get(node.name)
        if body is None:
            raise self._values.failure(f"template {quote(node.name)} not defined")
        if self._depth >= MAX_DEPTH:
            raise self._too_deep()
        value = self._values.pipeline(dot, node.pipeline) if node.pipeline else None
        caller = self._values.name, self._values.variables
        self._values.name, self._values.variables = node.name, [("$", value)]
        self._depth += 1
        self._walk_all(value, body)
        self._depth -= 1
        self._values.name, self._values.variables = caller

    def _too_deep(self) -> UsageError:
        return self._values.failure(f"exceeded maximum template depth ({MAX_DEPTH})")
