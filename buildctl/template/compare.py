"""What is true, what is equal and what is less: Go's rules, in which types matter."""

from __future__ import annotations

from buildctl.template.sprint import sprint_verb
from buildctl.template.values import BOOL, CallError, Kind, Value, indirect_interface, to_bytes

_BASIC = (Kind.BOOL, Kind.INT, Kind.UINT, Kind.FLOAT, Kind.STRING)


def is_true(value: Value | None) -> bool:
    """Whether `if` takes the value for true: it is neither zero, empty nor nil. Structs always are."""
    if value is None:
        return False
    if value.kind is Kind.STRUCT:
        return True
    if value.kind in (Kind.POINTER, Kind.INTERFACE, Kind.FUNCTION):
        return value.data is not None
    return bool(value.data)  # NaN too, as in Go


def equal(first: Value | None, *others: Value | None) -> Value:
    """`eq a b c`: whether a is b or c."""
    first = indirect_interface(first)
    if not others:
        raise CallError("missing argument for comparison")
    return Value(BOOL, any(_equal(first, indirect_interface(other)) for other in others))


def not_equal(first: Value | None, second: Value | None) -> Value:
    return _not(equal(first, second))


def less(first: Value | None, second: Value | None) -> Value:
    first, second = indirect_interface(first), indirect_interface(second)
    if first is None or second is None or {first.kind, second.kind} - set(_BASIC):
        raise CallError("invalid type for comparison")
    if first.kind is not second.kind and {first.kind, second.kind} != {Kind.INT, Kind.UINT}:
        raise CallError(f"incompatible types for comparison: {first.type} and {second.type}")
    if first.kind is Kind.BOOL:
        raise CallError("invalid type for comparison")
    if first.kind is Kind.STRING:
        return Value(BOOL, to_bytes(first.data) < to_bytes(second.data))
    return Value(BOOL, first.data < second.data)


def less_or_equal(first: Value | None, second: Value | None) -> Value:
    result = less(first, second)
    return result if result.data else equal(first, second)


def greater(first: Value | None, second: Value | None) -> Value:
    return _not(less_or_equal(first, second))


def greater_or_equal(first: Value | None, second: Value | None) -> Value:
    return _not(less(first, second))


def _not(value: Value) -> Value:
    return Value(BOOL, not value.data)


def _equal(first: Value | None, second: Value | None) -> bool:
    kinds = [value.kind if value is not None and value.kind in _BASIC else None for value in (first, second)]
    if first is None or second is None:
        other = first if second is None else second
        return (other is None or (other.type.nillable and other.is_nil)) and kinds[0] is kinds[1]
    if kinds[0] is not kinds[1] and set(kinds) != {Kind.INT, Kind.UINT}:
        raise CallError(f"incompatible types for comparison: {first.type} and {second.type}")
    if kinds[0] is not None:
        return bool(first.data == second.data)
    if first.kind is not second.kind:
        shown = sprint_verb("s", first), sprint_verb("v", second)
        raise CallError(f"non-comparable types {shown[0]}: {first.type}, {second.type}: {shown[1]}")
    if (first.type.nillable and first.is_nil) or (second.type.nillable and second.is_nil):
        return bool(first.is_nil == second.is_nil)
    if not second.type.comparable:
        raise CallError(f"non-comparable type {sprint_verb('s', second)}: {second.type}")
    if first.type is not second.type:
        return False
    return first.data is second.data if first.kind is Kind.POINTER else bool(first.data == second.data)
