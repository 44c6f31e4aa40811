"""Values as text: Go's package fmt, its verbs and its complaints."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from buildctl.model.quote import quote
from buildctl.template.numerals import Flags, format_float, format_integer, format_unicode
from buildctl.template.values import ANY, BYTES, UINT8, Kind, Value, from_bytes, pointer_to, to_bytes

_MAX_NUMBER = 1_000_000
"""fmt's limit for widths and precisions."""
_SHOWN_BY_TEXT = frozenset("vsxXq")
_FLAGS = {"#": "sharp", "0": "zero", "+": "plus", "-": "minus", " ": "space"}


def sprint(values: Sequence[Value | None]) -> str:
    """fmt.Sprint: a space between two values of which neither is a string."""
    out: list[str] = []
    after_string = True
    for value in values:
        is_string = value is not None and value.kind is Kind.STRING
        if out and not is_string and not after_string:
            out.append(" ")
        out.append(sprint_verb("v", value))
        after_string = is_string
    return "".join(out)


def sprintln(values: Sequence[Value | None]) -> str:
    """fmt.Sprintln: a space between any two, and a newline."""
    return " ".join(sprint_verb("v", value) for value in values) + "\n"


def sprint_verb(verb: str, value: Value | None, flags: Flags | None = None) -> str:
    """One value in one verb."""
    return _Printer(flags or Flags()).argument(value, verb)


def sprintf(template: str, values: Sequence[Value | None]) -> str:
    """fmt.Sprintf."""
    return _Directives(template, values).expand()


class _Directives:
    """A format string being read: `%[flags][width][.precision][[index]]verb`."""

    def __init__(self, template: str, values: Sequence[Value | None]) -> None:
        self._text = template
        self._values = values
        self._position = 0
        self._argument = 0
        self._after_index = False
        self._reordered = False
        self._good_index = True
        self._out: list[str] = []

    def expand(self) -> str:
        while (percent := self._text.find("%", self._position)) >= 0:
            self._out.append(self._text[self._position : percent])
            self._position = percent + 1
            self._directive()
        self._out.append(self._text[self._position :])
        if not self._reordered and self._argument < len(self._values):
            extra = ", ".join(
                "<nil>" if value is None else f"{value.type}={sprint_verb('v', value)}"
                for value in self._values[self._argument :]
            )
            self._out.append(f"%!(EXTRA {extra})")
        return "".join(self._out)

    def _directive(self) -> None:
        flags = Flags()
        self._good_index, self._after_index = True, False
        while (char := self._char()) in _FLAGS and char:
            setattr(flags, _FLAGS[char], True)
            self._position += 1
        self._index()
        self._width(flags)
        if self._char() == "." and self._position + 1 < len(self._text):
            self._precision(flags)
        if not self._after_index:
            self._index()
        verb = self._char()
        if "\udc80" <= verb <= "\udcff":  # a byte that is not UTF-8
            verb = "\ufffd"
        self._position += 1
        if not verb:
            self._out.append("%!(NOVERB)")
        elif verb == "%":
            self._out.append("%")
        elif not self._good_index:
            self._out.append(f"%!{verb}(BADINDEX)")
        elif self._argument >= len(self._values):
            self._out.append(f"%!{verb}(MISSING)")
        else:
            if verb in "vw":
                flags.sharp_v, flags.sharp = flags.sharp, False
                flags.plus_v, flags.plus = flags.plus, False
            self._out.append(_Printer(flags).argument(self._values[self._argument], verb))
            self._argument += 1

    def _width(self, flags: Flags) -> None:
        if self._char() != "*":
            flags.width = self._number()
            if self._after_index and flags.width is not None:
                self._good_index = False
            return
        flags.width = self._number_argument()
        if flags.width is None:
            self._out.append("%!(BADWIDTH)")
        elif flags.width < 0:
            flags.width, flags.minus, flags.zero = -flags.width, True, False

    def _precision(self, flags: Flags) -> None:
        self._position += 1
        if self._after_index:
            self._good_index = False
        self._index()
        if self._char() != "*":
            flags.precision = self._number() or 0
            return
        flags.precision = self._number_argument()
        if flags.precision is None or flags.precision < 0:
            flags.precision = None
            self._out.append("%!(BADPREC)")

    def _number_argument(self) -> int | None:
        """`*`: the number is the next argument."""
        self._position += 1
        self._after_index = False
        if self._argument >= len(self._values):
            return None
        value = self._values[self._argument]
        self._argument += 1
        if value is None or value.kind not in (Kind.INT, Kind.UINT) or abs(value.data) > _MAX_NUMBER:
            return None
        number: int = value.data
        return number

    def _number(self) -> int | None:
        start = self._position
        number = 0
        while (char := self._char()) and char in "0123456789":
            if number > _MAX_NUMBER:
                self._position = len(self._text)
                return None
            number = number * 10 + int(char)
            self._position += 1
        return number if self._position > start else None

    def _index(self) -> None:
        """`[2]`: the argument to be used next, counted from one."""
        self._after_index = self._char() == "["
        if not self._after_index:
            return
        self._reordered = True
        end = self._text.find("]", self._position)
        if end < 0 or len(self._text) - self._position < 3:
            self._position += 1
            self._good_index = self._after_index = False
            return
        digits = self._text[self._position + 1 : end]
        self._position = end + 1
        short = digits.lstrip("0")[:8]  # of more, Python may read none
        is_number = digits.isascii() and digits.isdigit() and int(short or 0) <= _MAX_NUMBER
        if is_number and 1 <= int(short or 0) <= len(self._values):
            self._argument = int(short) - 1
        else:
            self._good_index = False
            self._after_index = is_number

    def _char(self) -> str:
        return self._text[self._position : self._position + 1]


class _Printer:
    """Prints one argument under its flags."""

    def __init__(self, flags: Flags) -> None:
        self._flags = flags
        self._complaining = False

    def argument(self, value: Value | None, verb: str) -> str:
        """A value at the top, where pointers are followed and `%T` and `%p` have a meaning."""
        flags = self._flags
        if value is None:
            return flags.pad("<nil>") if verb in "Tv" else self._bad_verb(verb, None)
        if verb == "T":
            return self._string(str(value.type), "s")
        if verb == "p":
            return self._pointer(value, verb)
        if value.type is BYTES:
            return self._bytes(value, verb, "[]byte")
        return self._value(value, verb, top=True)

    def _value(self, value: Value, verb: str, *, top: bool = False, hidden: bool = False) -> str:
        """`hidden` values come from fields that are not exported: their methods may not be called."""
        if not hidden and (shown := self._by_method(value, verb)) is not None:
            return shown
        match value.kind:
            case Kind.BOOL:
                return (
                    self._flags.pad("true" if value.data else "false")
                    if verb in "tv"
                    else self._bad_verb(verb, value)
                )
            case Kind.INT | Kind.UINT:
                return self._integer(value, verb)
            case Kind.FLOAT:
                good = verb in "vbgGxXfFeE"
                return format_float(value.data, verb, self._flags) if good else self._bad_verb(verb, value)
            case Kind.STRING:
                return self._string(value.data, verb, value)
            case Kind.MAP:
                return self._map(value, verb, hidden)
            case Kind.STRUCT:
                return self._struct(value, verb, hidden)
            case Kind.SLICE:
                return self._slice(value, verb, hidden)
            case Kind.INTERFACE:
                return self._interface(value, verb, hidden)
            case Kind.POINTER:
                target = value.target() if top else None
                if target is not None and target.kind in (Kind.STRUCT, Kind.SLICE, Kind.MAP):
                    return "&" + self._value(target, verb, hidden=hidden)
        return self._pointer(value, verb)

    def _by_method(self, value: Value, verb: str) -> str | None:
        """The text that a value has of itself: String(), or GoString() for `%#v`."""
        if self._complaining:
            return None
        if verb == "w":
            return self._bad_verb(verb, value)
        is_pointer = value.kind is Kind.POINTER
        base = value.type.elem if is_pointer else value.type
        assert base is not None
        if self._flags.sharp_v:
            if base.go_string is None:
                return None
            return "<nil>" if value.is_nil and is_pointer else self._string(base.go_string(value.data), "s")
        method = base.methods.get("String")
        if is_pointer:
            method = pointer_to(base).methods.get("String", method)
        if verb not in _SHOWN_BY_TEXT or method is None:
            return None
        if is_pointer and value.is_nil:
            return "<nil>"
        result = method.call(value)
        assert result is not None
        return self._string(result.data, verb, result)

    def _bad_verb(self, verb: str, value: Value | None) -> str:
        if value is None:
            return f"%!{verb}(<nil>)"
        self._complaining = True
        shown = self._value(value, "v", top=True)
        self._complaining = False
        return f"%!{verb}({value.type}={shown})"

    def _integer(self, value: Value, verb: str) -> str:
        number: int = value.data
        flags = self._flags
        if verb == "v" and flags.sharp_v and value.kind is Kind.UINT:
            return format_integer(number, "x", dataclasses.replace(flags, sharp=True))
        if verb in "vdboOxX":
            return format_integer(number, verb, flags)
        char = chr(number) if 0 <= number <= 0x10FFFF and not 0xD800 <= number <= 0xDFFF else "\ufffd"
        match verb:
            case "c":
                return flags.pad(char)
            case "q":
                return flags.pad(quote_character(char, ascii_only=flags.plus))
            case "U":
                return format_unicode(number, flags)
        return self._bad_verb(verb, value)

    def _string(self, text: str, verb: str, value: Value | None = None) -> str:
        flags = self._flags
        if verb == "v":
            verb = "q" if flags.sharp_v else "s"
        match verb:
            case "s":
                return flags.pad(text[: flags.precision])
            case "q":
                text = text[: flags.precision]
                if flags.sharp and _can_backquote(text):
                    return flags.pad(f"`{text}`")
                return flags.pad(quote_ascii(text) if flags.plus else quote(text))
            case "x" | "X":
                return self._hexadecimal(to_bytes(text), verb)
        return self._bad_verb(verb, value)

    def _hexadecimal(self, data: bytes, verb: str) -> str:
        flags = self._flags
        prefix = "0x" if flags.sharp else ""
        pairs = [f"{byte:02x}" for byte in data[: flags.precision]]
        text = " ".join(prefix + pair for pair in pairs) if flags.space else prefix + "".join(pairs)
        return flags.pad((text if pairs else "").upper() if verb == "X" else text if pairs else "")

    def _bytes(self, value: Value, verb: str, name: str) -> str:
        data = bytes(value.data or b"")
        match verb:
            case "s":
                return self._string(from_bytes(data), "s")
            case "q":
                return self._string(from_bytes(data), "q")
            case "x" | "X":
                return self._hexadecimal(data, verb)
            case "v" | "d" if self._flags.sharp_v:
                return self._braced(name, value, [f"{byte:#x}" for byte in data])
            case "v" | "d":
                return f"[{' '.join(format_integer(byte, 'd', self._flags) for byte in data)}]"
        return self._slice(value, verb, hidden=False)

    def _slice(self, value: Value, verb: str, hidden: bool) -> str:
        if value.type.elem is UINT8 and verb in "sqxX":
            return self._bytes(value, verb, str(value.type))
        shown = [self._value(element, verb, hidden=hidden) for element in value.elements()]
        return self._braced(str(value.type), value, shown) if self._flags.sharp_v else f"[{' '.join(shown)}]"

    def _map(self, value: Value, verb: str, hidden: bool) -> str:
        shown = [
            f"{self._value(key, verb, hidden=hidden)}:{self._value(element, verb, hidden=hidden)}"
            for key, element in value.entries()
        ]
        return (
            self._braced(str(value.type), value, shown) if self._flags.sharp_v else f"map[{' '.join(shown)}]"
        )

    def _braced(self, name: str, value: Value, shown: list[str]) -> str:
        """Go source: `[]string{"a"}`, `[]string(nil)`."""
        return f"{name}(nil)" if value.is_nil else f"{name}{{{', '.join(shown)}}}"

    def _struct(self, value: Value, verb: str, hidden: bool) -> str:
        shown = []
        flags = self._flags
        for field in value.type.fields:
            inner = value.field(field)
            if field.type is ANY and inner.data is not None:
                inner = inner.data
            text = self._value(inner, verb, hidden=hidden or not field.exported)
            shown.append(f"{field.name}:{text}" if flags.plus_v or flags.sharp_v else text)
        return f"{value.type}{{{', '.join(shown)}}}" if flags.sharp_v else f"{{{' '.join(shown)}}}"

    def _interface(self, value: Value, verb: str, hidden: bool) -> str:
        held = value.target()
        if held is not None:
            return self._value(held, verb, hidden=hidden)
        return f"{value.type}(nil)" if self._flags.sharp_v else "<nil>"

    def _pointer(self, value: Value, verb: str) -> str:
        """An address: whatever distinguishes one object from another, as in Go."""
        if value.kind not in (Kind.POINTER, Kind.SLICE, Kind.MAP, Kind.FUNCTION):
            return self._bad_verb(verb, value)
        flags = self._flags
        address = 0 if value.is_nil else 0xC000000000 | (id(value.data) & 0xFFFFFFFF)
        prefixed = dataclasses.replace(flags, sharp=True)
        match verb:
            case "v" if flags.sharp_v:
                return f"({value.type})({format_integer(address, 'x', prefixed) if address else 'nil'})"
            case "v":
                return format_integer(address, "x", prefixed) if address else flags.pad("<nil>")
            case "p":
                return format_integer(address, "x", dataclasses.replace(flags, sharp=not flags.sharp))
            case "b" | "o" | "d" | "x" | "X":
                return format_integer(address, verb, flags)
        return self._bad_verb(verb, value)


def quote_ascii(text: str) -> str:
    """strconv.QuoteToASCII."""
    return "".join(char if char < "\x7f" else _escape(char) for char in quote(text))


def quote_character(char: str, *, ascii_only: bool) -> str:
    """strconv.QuoteRune, for one character."""
    quoted = {'"': '"', "'": "\\'"}.get(char) or (quote_ascii if ascii_only else quote)(char)[1:-1]
    return f"'{quoted}'"


def _escape(char: str) -> str:
    return f"\\u{ord(char):04x}" if ord(char) < 0x10000 else f"\\U{ord(char):08x}"


def _can_backquote(text: str) -> bool:
    return not any(
        char in "`\ufeff\x7f" or (char < " " and char != "\t") or "\udc80" <= char <= "\udcff"
        for char in text
    )
