"""Expressions in a template: pipelines, variables, fields, methods and calls, each with its type.

What goes wrong raises `UsageError`, in Go's words and with the place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from buildctl.errors import UsageError
from buildctl.model.quote import quote
from buildctl.template import nodes
from buildctl.template.compare import is_true
from buildctl.template.constants import Number
from buildctl.template.functions import BUILTINS, call_function
from buildctl.template.values import (
    ANY,
    BOOL,
    FLOAT64,
    INT,
    STRING,
    CallError,
    Function,
    GoType,
    Kind,
    Value,
    indirect,
    indirect_interface,
    pointer_to,
    text,
    to_bytes,
)

MAX_TEXT = 64 * 1024 * 1024
"""How many characters a single value may print as."""

_Operands = Sequence[nodes.Operand]


class _Missing:
    """That no value comes down the pipeline, which is not the same as none."""


_MISSING = _Missing()
_Final = Value | None | _Missing


class Evaluator:
    """Evaluates what stands in one run of a template.

    `node` is where the run is, for errors; `name` the template that is executed, and `variables` what it has
    declared, the last one last.
    """

    def __init__(self, source: str, functions: Mapping[str, Function], root: Value | None) -> None:
        self._source = source
        self._functions = functions
        self.name = ""
        self.node: nodes.Node | nodes.Command | nodes.Operand | None = None
        self.variables: list[tuple[str, Value | None]] = [("$", root)]

    def pipeline(self, dot: Value | None, pipeline: nodes.Pipeline) -> Value | None:
        self.node = pipeline
        final: _Final = _MISSING
        for command in pipeline.commands:
            final = self._command(dot, command, final)
            if final is not None and final.type is ANY:
                final = final.target()
        assert not isinstance(final, _Missing)
        for variable in pipeline.variables:
            if pipeline.assigns:
                self.assign(variable.variable, final)
            else:
                self.variables.append((variable.variable, final))
        return final

    def assign(self, name: str, value: Value | None) -> None:
        index = self._find_variable(name)
        self.variables[index] = (name, value)

    def _find_variable(self, name: str) -> int:
        """Where the variable is that was declared last under this name."""
        for index in range(len(self.variables) - 1, -1, -1):
            if self.variables[index][0] == name:
                return index
        raise self.failure(f"undefined variable: {name}")

    def _command(self, dot: Value | None, command: nodes.Command, final: _Final) -> Value | None:
        first = command.operands[0]
        operands = command.operands
        match first:
            case nodes.FieldPath():
                return self._field_path(dot, first, operands, final)
            case nodes.Chain():
                return self._chain(dot, first, operands, final)
            case nodes.Identifier():
                return self._function(dot, first, operands, final, command)
            case nodes.Variable():
                return self._variable(dot, first, operands, final)
            case nodes.Pipeline():
                self._no_arguments(operands, final)
                return self.pipeline(dot, first)
        self.node = first
        self._no_arguments(operands, final)
        if isinstance(first, nodes.Nil):
            raise self.failure("nil is not a command")
        return self._constant(dot, first)

    def _no_arguments(self, operands: _Operands, final: _Final) -> None:
        if len(operands) > 1 or final is not _MISSING:
            raise self.failure(f"can't give argument to non-function {operands[0]}")

    def _constant(
        self, dot: Value | None, operand: nodes.Dot | nodes.Bool | nodes.NumberConstant | nodes.StringConstant
    ) -> Value | None:
        match operand:
            case nodes.Dot():
                return dot
            case nodes.Bool():
                return Value(BOOL, operand.value)
            case nodes.StringConstant():
                return text(operand.text)
            case nodes.NumberConstant():
                return self._number(operand.number)

    def _number(self, number: Number) -> Value:
        """A constant where its spelling alone says its type."""
        if number.is_float:
            return Value(FLOAT64, number.real)
        if number.integer is None:
            raise self.failure(f"{number.text} overflows int")
        return Value(INT, number.integer)

    def _field_path(
        self, dot: Value | None, node: nodes.FieldPath, operands: _Operands, final: _Final
    ) -> Value | None:
        self.node = node
        return self._fields(dot, dot, node, node.names, operands, final)

    def _chain(
        self, dot: Value | None, node: nodes.Chain, operands: _Operands, final: _Final
    ) -> Value | None:
        self.node = node
        if isinstance(node.operand, nodes.Nil):
            raise self.failure(f"indirection through explicit nil in {node}")
        receiver = self._argument(dot, None, node.operand)
        return self._fields(dot, receiver, node, node.names, operands, final)

    def _variable(
        self, dot: Value | None, node: nodes.Variable, operands: _Operands, final: _Final
    ) -> Value | None:
        self.node = node
        value = self.variables[self._find_variable(node.variable)][1]
        if not node.names:
            self._no_arguments(operands, final)
            return value
        return self._fields(dot, value, node, node.names, operands, final)

    def _function(
        self,
        dot: Value | None,
        node: nodes.Identifier,
        operands: _Operands,
        final: _Final,
        place: nodes.Command | nodes.Identifier,
    ) -> Value | None:
        self.node = node
        return self._call(dot, self._functions[node.name], place, node.name, operands, final)

    def _fields(
        self,
        dot: Value | None,
        receiver: Value | None,
        node: nodes.Operand,
        names: Sequence[str],
        operands: _Operands,
        final: _Final,
    ) -> Value | None:
        """`.A.B.C arguments`: the last name alone may be a method that takes some."""
        for name in names[:-1]:
            receiver = self._field(dot, receiver, node, name, (), _MISSING)
        return self._field(dot, receiver, node, names[-1], operands, final)

    def _field(
        self,
        dot: Value | None,
        receiver: Value | None,
        node: nodes.Operand,
        name: str,
        operands: _Operands,
        final: _Final,
    ) -> Value | None:
        if receiver is None:
            return None
        go_type = receiver.type
        value, is_nil = indirect(receiver)
        assert value is not None
        if is_nil and value.kind is Kind.INTERFACE:
            raise self.failure(f"nil pointer evaluating {go_type}.{name}")
        method = _find_method(value, name)
        if method is not None:
            return self._call(dot, method, node, name, operands, final)
        has_arguments = len(operands) > 1 or final is not _MISSING
        if value.kind is Kind.STRUCT and (field := value.type.field(name)):
            if not field.exported:
                raise self.failure(f"{name} is an unexported field of struct type {go_type}")
            if has_arguments:
                raise self.failure(f"{name} has arguments but cannot be invoked as function")
            return value.field(field)
        if value.kind is Kind.MAP and value.type.key in (STRING, ANY):
            if has_arguments:
                raise self.failure(f"{name} is not a method but has arguments")
            assert value.type.elem is not None
            entries = value.data or {}
            return Value(value.type.elem, entries[name]) if name in entries else None
        if value.kind is Kind.POINTER:
            assert value.type.elem is not None
            if value.type.elem.kind is not Kind.STRUCT or value.type.elem.field(name):
                raise self.failure(f"nil pointer evaluating {go_type}.{name}")
        raise self.failure(f"can't evaluate field {name} in type {go_type}", hint=_hint(value))

    def _call(
        self,
        dot: Value | None,
        function: Function,
        node: nodes.Operand | nodes.Command,
        name: str,
        operands: _Operands,
        final: _Final,
    ) -> Value | None:
        given = operands[1:]
        count = len(given) + (final is not _MISSING)
        parameters = function.parameters
        if function.variadic and count < len(parameters) - 1:
            raise self.failure(
                f"wrong number of args for {name}: want at least {len(parameters) - 1} got {len(given)}"
            )
        if not function.variadic and count != len(parameters):
            raise self.failure(f"wrong number of args for {name}: want {len(parameters)} got {count}")
        self._check_results(name, function)
        if function is BUILTINS.get(name) and name in ("and", "or"):
            return self._and_or(dot, name, given, final)
        types = [parameters[min(index, len(parameters) - 1)] for index in range(count)]
        arguments = [
            self._argument(dot, go_type, operand) for go_type, operand in zip(types, given, strict=False)
        ]
        if not isinstance(final, _Missing):
            arguments.append(self._fit(final, types[-1]))
        try:
            if function is BUILTINS["call"]:
                return call_function(str(given[0]) if given else "", arguments)
            result = function.call(*arguments)
        except CallError as error:
            self.node = node
            raise self.failure(f"error calling {name}: {error}") from None
        if result is not None and result.kind is Kind.STRING:
            self.bounded(result.data)
        return result

    def _check_results(self, name: str, function: Function) -> None:
        """Say so if the function is one that Go's templates refuse to call."""
        results = function.results
        if len(results) == 2:
            raise self.failure(
                f"invalid function signature for {name}: second return value should be error; is {results[1]}"
            )
        if len(results) != 1:
            raise self.failure(f"function {name} has {len(results)} return values; should be 1 or 2")

    def _and_or(self, dot: Value | None, name: str, given: _Operands, final: _Final) -> Value | None:
        """The first argument that decides, or the last; those behind it are not evaluated."""
        value: Value | None = None
        for operand in given:
            value = self._argument(dot, None, operand)
            if is_true(indirect_interface(value)) == (name == "or"):
                return value
        return value if isinstance(final, _Missing) else final

    def _argument(self, dot: Value | None, go_type: GoType | None, operand: nodes.Operand) -> Value | None:
        """An operand as a parameter of that type; None takes anything."""
        self.node = operand
        match operand:
            case nodes.Dot():
                return self._fit(dot, go_type)
            case nodes.Nil():
                if go_type is not None and not go_type.nillable:
                    raise self.failure(f"cannot assign nil to {go_type}")
                return self._fit(None, go_type)
            case nodes.FieldPath():
                return self._fit(self._field_path(dot, operand, (), _MISSING), go_type)
            case nodes.Variable():
                return self._fit(self._variable(dot, operand, (), _MISSING), go_type)
            case nodes.Pipeline():
                return self._fit(self.pipeline(dot, operand), go_type)
            case nodes.Identifier():
                return self._fit(self._function(dot, operand, (), _MISSING, operand), go_type)
            case nodes.Chain():
                return self._fit(self._chain(dot, operand, (), _MISSING), go_type)
        if go_type is None or go_type is ANY:
            return self._constant(dot, operand)
        return self._constant_of(go_type, operand)

    def _constant_of(
        self, go_type: GoType, operand: nodes.Bool | nodes.NumberConstant | nodes.StringConstant
    ) -> Value:
        """A constant where a type is asked for."""
        number = operand.number if isinstance(operand, nodes.NumberConstant) else None
        match go_type.kind:
            case Kind.BOOL:
                if isinstance(operand, nodes.Bool):
                    return Value(go_type, operand.value)
                raise self.failure(f"expected bool; found {operand}")
            case Kind.STRING:
                if isinstance(operand, nodes.StringConstant):
                    return Value(go_type, operand.text)
                raise self.failure(f"expected string; found {operand}")
            case Kind.INT:
                if number and number.integer is not None:
                    return Value(go_type, number.integer)
                raise self.failure(f"expected integer; found {operand}")
            case Kind.UINT:
                if number and number.unsigned is not None:
                    return Value(go_type, number.unsigned)
                raise self.failure(f"expected unsigned integer; found {operand}")
            case Kind.FLOAT:
                if number and number.real is not None:
                    return Value(go_type, number.real)
                raise self.failure(f"expected float; found {operand}")
        raise self.failure(f"can't handle {operand} for arg of type {go_type}")

    def _fit(self, value: Value | None, go_type: GoType | None) -> Value | None:
        """The value as a parameter of that type, through one pointer if need be."""
        if go_type is None:
            return value
        if go_type is ANY:
            return indirect_interface(value)
        if value is None:
            if go_type.nillable:
                return Value(go_type, None)
            raise self.failure(f"invalid value; expected {go_type}")
        if value.type is go_type:
            return value
        if value.kind is Kind.INTERFACE and not value.is_nil:
            value = value.target()
            assert value is not None
            if value.type is go_type:
                return value
        if value.kind is Kind.POINTER and value.type.elem is go_type:
            if value.is_nil:
                raise self.failure(f"dereference of nil pointer of type {go_type}")
            return value.target()
        if pointer_to(value.type) is go_type:
            return Value(go_type, value.data)
        raise self.failure(f"wrong type for value; expected {go_type}; got {value.type}")

    def bounded(self, output: str) -> str:
        if len(output) > MAX_TEXT:
            raise self.failure(f"a text of more than {MAX_TEXT} characters")
        return output

    def failure(self, message: str, *, hint: str = "") -> UsageError:
        assert self.node is not None
        before = self._source[: self.node.position]
        line = before.count("\n") + 1
        column = len(to_bytes(before[before.rfind("\n") + 1 :]))
        place = f"template: :{line}:{column}: executing {quote(self.name)} at <{self.node}>"
        return UsageError(f"{place}: {message}", hint=hint)


def _hint(value: Value) -> str:
    """What to write instead of a field that a value does not have."""
    if value.kind is Kind.SLICE:
        return "this is a list: go through it with {{range .}}…{{end}}, or take one with {{index . 0}}"
    go_type = value.type.elem if value.kind is Kind.POINTER else value.type
    names = [field.name for field in go_type.fields if field.exported] if go_type else []
    return f"it has {', '.join(names)}" if names else ""


def _find_method(value: Value, name: str) -> Function | None:
    """A method of a value or of a pointer to it, without its receiver."""
    nil = value.kind is Kind.POINTER
    go_type = value.type.elem if nil else value.type
    assert go_type is not None
    receiver = Value(pointer_to(go_type), value.data)
    method = pointer_to(go_type).methods.get(name)
    if method is None:
        method = go_type.methods.get(name)
        receiver = Value(go_type, value.data)
    if method is None:
        return None

    def call(*arguments: Value) -> Value | None:
        if nil and name not in pointer_to(go_type).methods:
            short = go_type.name.rpartition(".")[2]
            raise CallError(f"value method {go_type}.{name} called using nil *{short} pointer")
        return method.call(receiver, *arguments)

    return Function(call, method.parameters, method.variadic, method.results)
