"""Values with Go types: as much of Go's package reflect as templates can see.

A `Value` is a type and plain Python data. What the data is depends on the type's kind:

    bool, int…, uint…, float64   bool, int, int, float
    string                       str; bytes that are not UTF-8 as Python keeps them (`surrogateescape`)
    slice                        a sequence of such data, bytes for []uint8; None is the nil slice
    map                          a mapping of such data; None is the nil map
    struct                       any object, of which the type's fields know how to read it
    pointer                      the data of what is pointed at; None is nil
    interface                    a Value; None is nil

A Go value that does not exist at all (reflect's invalid Value: an untyped nil, a missing map entry) is None.
"""

from __future__ import annotations

import enum
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias


class Kind(enum.Enum):
    """What a type is made of."""

    BOOL = enum.auto()
    INT = enum.auto()
    UINT = enum.auto()
    FLOAT = enum.auto()
    STRING = enum.auto()
    SLICE = enum.auto()
    MAP = enum.auto()
    STRUCT = enum.auto()
    POINTER = enum.auto()
    INTERFACE = enum.auto()
    FUNCTION = enum.auto()


@dataclass(eq=False, slots=True)
class GoType:
    """A Go type; two are the same type only if they are one object."""

    name: str
    """As `%T` prints it: `[]*client.UsageInfo`."""
    kind: Kind
    elem: GoType | None = None
    key: GoType | None = None
    fields: tuple[Field, ...] = ()
    methods: Mapping[str, Function] = field(default_factory=dict)
    to_json: Callable[[Any], Any] | None = None
    """json.Marshaler: from the data to a string or number."""
    go_string: Callable[[Any], str] | None = None
    """fmt.GoStringer."""

    def __str__(self) -> str:
        return self.name

    @property
    def nillable(self) -> bool:
        return self.kind in _NILLABLE

    @property
    def comparable(self) -> bool:
        """Whether Go's == is defined for it."""
        if self.kind is Kind.STRUCT:
            return all(field.type.comparable for field in self.fields)
        return self.kind not in (Kind.SLICE, Kind.MAP, Kind.FUNCTION)

    def field(self, name: str) -> Field | None:
        return next((field for field in self.fields if field.name == name), None)


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a struct: how it is read from the struct's data, and how encoding/json writes it."""

    name: str
    type: GoType
    read: Callable[[Any], Any]
    json: str = ""
    omitempty: bool = False

    @property
    def exported(self) -> bool:
        return self.name[0].isupper()


@dataclass(frozen=True, slots=True)
class Function:
    """A function, or a method without its receiver: its signature, and what it does with Values.

    A parameter of None takes any value, a missing one too (reflect.Value in Go). `call` is given a Value or
    None for each argument, after the receiver if it has one, and raises `CallError`.
    """

    call: Callable[..., Value | None]
    parameters: tuple[GoType | None, ...] = ()
    variadic: bool = False
    """Whether the last parameter takes all that remain."""
    results: tuple[GoType | None, ...] = (None,)


@dataclass(frozen=True, slots=True)
class Value:
    """Something of a Go type."""

    type: GoType
    data: Any

    @property
    def kind(self) -> Kind:
        return self.type.kind

    @property
    def is_nil(self) -> bool:
        return self.data is None

    def field(self, field: Field) -> Value:
        return Value(field.type, field.read(self.data))

    def target(self) -> Value | None:
        """What a pointer points at, or an interface holds; None for nil."""
        if self.data is None:
            return None
        if self.kind is Kind.INTERFACE:
            held: Value = self.data
            return held
        assert self.type.elem is not None
        return Value(self.type.elem, self.data)

    def length(self) -> int:
        """How many bytes, elements or entries a string, slice or map has."""
        if self.data is None:
            return 0
        return len(to_bytes(self.data) if self.kind is Kind.STRING else self.data)

    def elements(self) -> Iterator[Value]:
        """A slice's elements."""
        assert self.type.elem is not None
        for data in self.data or ():
            yield Value(self.type.elem, data)

    def entries(self) -> list[tuple[Value, Value]]:
        """A map's entries, by key."""
        key, elem = self.type.key, self.type.elem
        assert key is not None
        assert elem is not None
        return [
            (Value(key, name), Value(elem, self.data[name])) for name in sorted(self.data or (), key=_order)
        ]


class CallError(Exception):
    """What a function or method says when it cannot do its work; the executor tells where."""


def _order(data: Any) -> Any:
    """Map keys in Go's order: strings by their bytes; of an interface first by kind."""
    if isinstance(data, Value):
        return (_KEY_KINDS.index(data.kind), _order(data.data))
    return to_bytes(data) if isinstance(data, str) else data


BOOL = GoType("bool", Kind.BOOL)
INT = GoType("int", Kind.INT)
INT32 = GoType("int32", Kind.INT)
INT64 = GoType("int64", Kind.INT)
UINT8 = GoType("uint8", Kind.UINT)
UINT64 = GoType("uint64", Kind.UINT)
FLOAT64 = GoType("float64", Kind.FLOAT)
STRING = GoType("string", Kind.STRING)
ANY = GoType("interface {}", Kind.INTERFACE)
ERROR = GoType("error", Kind.INTERFACE)

_NILLABLE = frozenset((Kind.SLICE, Kind.MAP, Kind.POINTER, Kind.INTERFACE, Kind.FUNCTION))
_KEY_KINDS = (Kind.INT, Kind.UINT, Kind.STRING, Kind.FLOAT, Kind.BOOL)


@functools.cache
def pointer_to(elem: GoType) -> GoType:
    return GoType(f"*{elem.name}", Kind.POINTER, elem)


@functools.cache
def slice_of(elem: GoType) -> GoType:
    return GoType(f"[]{elem.name}", Kind.SLICE, elem)


@functools.cache
def map_of(key: GoType, elem: GoType) -> GoType:
    return GoType(f"map[{key.name}]{elem.name}", Kind.MAP, elem, key)


BYTES = slice_of(UINT8)
STRINGS = slice_of(STRING)
STRING_MAP = map_of(STRING, STRING)

Parameters: TypeAlias = Sequence[GoType]


def method(result: GoType, call: Callable[..., Any], *parameters: GoType) -> Function:
    """A method of data: `call` takes and returns what Values hold."""

    def on_values(receiver: Value, *arguments: Value) -> Value:
        return Value(result, call(receiver.data, *(argument.data for argument in arguments)))

    return Function(on_values, parameters, results=(result,))


def text(value: str) -> Value:
    """A string; halves of a character that came together are one again."""
    return Value(STRING, value if value.isascii() else from_bytes(to_bytes(value)))


def indirect(value: Value | None) -> tuple[Value | None, bool]:
    """What is at the end of pointers and interfaces, or the nil on the way and True."""
    while value is not None and value.kind in (Kind.POINTER, Kind.INTERFACE):
        if value.is_nil:
            return value, True
        value = value.target()
    return value, False


def indirect_interface(value: Value | None) -> Value | None:
    """The value in an interface, none in a nil one; any other value as it is."""
    return value.target() if value is not None and value.kind is Kind.INTERFACE else value


def zero(go_type: GoType) -> Value:
    """The zero value of a type that maps hold."""
    return Value(go_type, None if go_type.nillable else _ZEROS.get(go_type.kind))


_ZEROS = {Kind.BOOL: False, Kind.INT: 0, Kind.UINT: 0, Kind.FLOAT: 0.0, Kind.STRING: ""}


def to_bytes(data: str) -> bytes:
    """A Go string's bytes."""
    return data.encode("utf-8", "surrogateescape")


def from_bytes(data: bytes) -> str:
    """A Go string of these bytes."""
    return data.decode("utf-8", "surrogateescape")
