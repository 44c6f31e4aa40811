"""The predefined functions: what they take, and what they say when it does not suit them."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote_plus

from buildctl.template import compare
from buildctl.template.escape import escape_html, escape_js
from buildctl.template.sprint import sprint, sprintf, sprintln
from buildctl.template.values import (
    ANY,
    BOOL,
    INT,
    STRING,
    UINT8,
    CallError,
    Function,
    GoType,
    Kind,
    Value,
    from_bytes,
    indirect,
    indirect_interface,
    pointer_to,
    text,
    to_bytes,
    zero,
)


def printable(value: Value | None) -> Value:
    """What the output shows of a value: what a pointer points at, unless the pointer has a text itself."""
    if value is not None and value.kind is Kind.POINTER:
        value, _ = indirect(value)
    if value is None:
        return text("<no value>")
    pointer = pointer_to(value.type)
    if "String" in pointer.methods and "String" not in value.type.methods:
        return Value(pointer, value.data)
    return value


def call_function(name: str, arguments: Sequence[Value | None]) -> Value | None:
    """`call`: no value that templates are given here is a function, so it says what it is instead.

    What came down the pipeline has no `name` in the template.
    """
    function = indirect_interface(arguments[0])
    if function is None:
        raise CallError("call of nil")
    if not name:
        name = function.data if function.kind is Kind.STRING else f"<{function.type} Value>"
    raise CallError(f"non-function {name} of type {function.type}")


def _length(value: Value | None) -> Value:
    value, is_nil = indirect(value)
    if is_nil:
        raise CallError("len of nil pointer")
    if value is None:
        raise CallError("reflect: call of reflect.Value.Type on zero Value")
    if value.kind not in (Kind.STRING, Kind.SLICE, Kind.MAP):
        raise CallError(f"len of type {value.type}")
    return Value(INT, value.length())


def _index(item: Value | None, *indexes: Value | None) -> Value | None:
    item = indirect_interface(item)
    if item is None:
        raise CallError("index of untyped nil")
    for raw in indexes:
        index = indirect_interface(raw)
        item, is_nil = indirect(item)
        if is_nil:
            raise CallError("index of nil pointer")
        assert item is not None
        if item.kind is Kind.MAP:
            item = _entry(item, index)
        elif item.kind in (Kind.STRING, Kind.SLICE):
            item = _element(item, _position(index, item.length()))
        else:
            raise CallError(f"can't index item of type {item.type}")
    return item


def _element(item: Value, position: int) -> Value:
    if position == item.length():
        kind = "string" if item.kind is Kind.STRING else "slice"
        raise CallError(f"reflect: {kind} index out of range")
    if item.kind is Kind.STRING:
        return Value(UINT8, to_bytes(item.data)[position])
    assert item.type.elem is not None
    return Value(item.type.elem, item.data[position])


def _entry(item: Value, key: Value | None) -> Value:
    key_type, elem = item.type.key, item.type.elem
    assert key_type is not None
    assert elem is not None
    if key is None:
        if not key_type.nillable:
            raise CallError(f"value is nil; should be of type {key_type}")
        return zero(elem)
    whole = (Kind.INT, Kind.UINT)
    if key_type is ANY:
        key = Value(ANY, key)
    elif key.type is not key_type and not (key.kind in whole and key_type.kind in whole):
        raise CallError(f"value has type {key.type}; should be {key_type}")
    entries = item.data or {}
    return Value(elem, entries[key.data]) if key.data in entries else zero(elem)


def _position(index: Value | None, limit: int) -> int:
    """An index up to the limit, which for slicing is a good one."""
    if index is None:
        raise CallError("cannot index slice/array with nil")
    if index.kind not in (Kind.INT, Kind.UINT):
        raise CallError(f"cannot index slice/array with type {index.type}")
    position: int = index.data
    if not 0 <= position <= limit:
        raise CallError(f"index out of range: {position}")
    return position


def _slice(item: Value | None, *indexes: Value | None) -> Value:
    item = indirect_interface(item)
    if item is None:
        raise CallError("slice of untyped nil")
    item, is_nil = indirect(item)
    if is_nil:
        raise CallError("slice of nil pointer")
    assert item is not None
    if len(indexes) > 3:
        raise CallError(f"too many slice indexes: {len(indexes)}")
    if item.kind is Kind.STRING and len(indexes) == 3:
        raise CallError("cannot 3-index slice a string")
    if item.kind not in (Kind.STRING, Kind.SLICE):
        raise CallError(f"can't slice item of type {item.type}")
    bounds = [_position(index, item.length()) for index in indexes]
    start, end, *capacity = (bounds + [0, item.length()][len(bounds) :]) if len(bounds) < 2 else bounds
    if start > end:
        raise CallError(f"invalid slice index: {start} > {end}")
    if capacity and end > capacity[0]:
        raise CallError(f"invalid slice index: {end} > {capacity[0]}")
    if item.kind is Kind.STRING:
        return text(from_bytes(to_bytes(item.data)[start:end]))
    return Value(item.type, None if item.is_nil else item.data[start:end])


def _not(value: Value | None) -> Value:
    return Value(BOOL, not compare.is_true(indirect_interface(value)))


def _printf(template: Value, *values: Value | None) -> Value:
    return text(sprintf(template.data, values))


def _joined(values: Sequence[Value | None]) -> str:
    """The arguments as the output would show them."""
    return sprint([printable(value) for value in values])


def _never(*values: Value | None) -> Value:
    raise AssertionError("the executor does this itself")


def _of_any(call: object) -> Function:
    return Function(call, (ANY,), variadic=True, results=(STRING,))  # type: ignore[arg-type]


def _of_values(
    call: object, parameters: int, *, variadic: bool = False, result: GoType | None = None
) -> Function:
    return Function(call, (None,) * parameters, variadic, (result,))  # type: ignore[arg-type]


BUILTINS: dict[str, Function] = {
    "and": _of_values(_never, 2, variadic=True),
    "or": _of_values(_never, 2, variadic=True),
    "not": _of_values(_not, 1, result=BOOL),
    "call": _of_values(_never, 2, variadic=True),
    "len": _of_values(_length, 1, result=INT),
    "index": _of_values(_index, 2, variadic=True),
    "slice": _of_values(_slice, 2, variadic=True),
    "eq": _of_values(compare.equal, 2, variadic=True, result=BOOL),
    "ne": _of_values(compare.not_equal, 2, result=BOOL),
    "lt": _of_values(compare.less, 2, result=BOOL),
    "le": _of_values(compare.less_or_equal, 2, result=BOOL),
    "gt": _of_values(compare.greater, 2, result=BOOL),
    "ge": _of_values(compare.greater_or_equal, 2, result=BOOL),
    "print": _of_any(lambda *values: text(sprint(values))),
    "println": _of_any(lambda *values: text(sprintln(values))),
    "printf": Function(_printf, (STRING, ANY), variadic=True, results=(STRING,)),
    "html": _of_any(lambda *values: text(escape_html(_joined(values)))),
    "js": _of_any(lambda *values: text(escape_js(_joined(values)))),
    "urlquery": _of_any(lambda *values: text(quote_plus(to_bytes(_joined(values))))),
}
"""By name. Comparisons take reflect.Values in Go, so that they see types; printing takes what they hold."""
