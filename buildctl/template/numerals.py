"""Numbers as digits: what strconv and fmt make of integers and floats."""

from __future__ import annotations

import math
from dataclasses import dataclass

_BASES = {"b": 2, "o": 8, "O": 8, "d": 10, "v": 10, "x": 16, "X": 16}
_FORMATS = {2: "b", 8: "o", 10: "d", 16: "x"}
_PREFIXES = {"b": "0b", "x": "0x", "X": "0X"}


@dataclass(slots=True)
class Flags:
    """What stands between `%` and the verb."""

    width: int | None = None
    precision: int | None = None
    minus: bool = False
    plus: bool = False
    sharp: bool = False
    space: bool = False
    zero: bool = False
    plus_v: bool = False
    """`%+v`: with the names of fields."""
    sharp_v: bool = False
    """`%#v`: as Go source."""

    def pad(self, text: str, *, zeros: bool = True) -> str:
        """The text at the width asked for; on the left, zeros may fill it."""
        if not self.width:
            return text
        if self.minus:
            return text.ljust(self.width)
        return text.rjust(self.width, "0" if self.zero and zeros else " ")


def format_integer(number: int, verb: str, flags: Flags) -> str:
    """`%d %b %o %O %x %X`, and %v for `v`."""
    base = _BASES[verb]
    negative = number < 0
    digits = format(abs(number), _FORMATS[base])
    if flags.precision is not None:
        if flags.precision == 0 and number == 0:
            return " " * (flags.width or 0)
        digits = digits.zfill(flags.precision)
    elif flags.zero and not flags.minus and flags.width:
        digits = digits.zfill(flags.width - (negative or flags.plus or flags.space))
    if flags.sharp:
        if base == 8 and digits[0] != "0":
            digits = "0" + digits
        digits = _PREFIXES.get(verb, "") + digits
    if verb == "X":
        digits = digits.upper()
    if verb == "O":
        digits = "0o" + digits
    return flags.pad(_sign(negative, flags) + digits, zeros=False)


def _sign(negative: bool, flags: Flags) -> str:
    if negative:
        return "-"
    return "+" if flags.plus else " " if flags.space else ""


def format_unicode(number: int, flags: Flags) -> str:
    """`%U`: `U+0078`, with the character if `#` asks for it."""
    text = f"U+{number % 2**64:0{max(flags.precision or 0, 4)}X}"
    if flags.sharp and 0 <= number <= 0x10FFFF and chr(number).isprintable():
        text += f" '{chr(number)}'"
    return flags.pad(text, zeros=False)


def format_float(number: float, verb: str, flags: Flags) -> str:
    """`%e %E %f %F %g %G %b %x %X`, and %v for `v`."""
    default = None if verb in "vgGbxX" else 6
    precision = flags.precision if flags.precision is not None else default
    if math.isinf(number) or math.isnan(number):
        sign = "-" if number < 0 else " " if flags.space and not flags.plus else "+"
        if math.isnan(number):
            return flags.pad((sign if flags.space or flags.plus else "") + "NaN", zeros=False)
        return flags.pad(sign + "Inf", zeros=False)
    negative = math.copysign(1, number) < 0
    digits = float_digits(abs(number), "g" if verb == "v" else verb, precision)
    if flags.sharp and verb != "b":
        digits = _with_point(digits, verb, precision)
    sign = _sign(negative, flags)
    if sign and flags.zero and not flags.minus and flags.width:
        return sign + digits.zfill(flags.width - 1)
    return flags.pad(sign + digits)


def float_digits(number: float, verb: str, precision: int | None) -> str:
    """strconv.FormatFloat of a number that is not negative; a precision of None is the shortest exact one."""
    match verb:
        case "b":
            return _binary(number)
        case "x" | "X":
            digits = _hexadecimal(number, precision)
            return digits.upper() if verb == "X" else digits
        case "g" | "G":
            digits = _shortest(number) if precision is None else format(number, f".{precision or 1}g")
        case "e" | "E":
            digits = _exponential(number) if precision is None else format(number, f".{precision}e")
        case _:
            digits = _plain(number) if precision is None else format(number, f".{precision}f")
    return digits.upper() if verb in "GE" else digits


def _shortest(number: float) -> str:
    _, exponent = shortest_digits(number)
    return _plain(number) if -4 <= exponent < 6 else _exponential(number)


def shortest_digits(number: float) -> tuple[str, int]:
    """The fewest digits that mean this number, and the decimal exponent of the first."""
    if number == 0:
        return "0", 0
    digits, _, power = repr(number).partition("e")
    whole, _, fraction = digits.partition(".")
    fraction = "" if fraction == "0" else fraction
    exponent = int(power or 0) + len(whole) - 1
    stripped = (whole + fraction).lstrip("0")
    exponent -= len(whole + fraction) - len(stripped)
    return stripped.rstrip("0") or "0", exponent


def _plain(number: float) -> str:
    """Without an exponent."""
    mantissa, exponent = shortest_digits(number)
    if exponent < 0:
        return "0." + "0" * (-exponent - 1) + mantissa
    whole, fraction = mantissa[: exponent + 1].ljust(exponent + 1, "0"), mantissa[exponent + 1 :]
    return f"{whole}.{fraction}" if fraction else whole


def _exponential(number: float) -> str:
    mantissa, exponent = shortest_digits(number)
    point = f".{mantissa[1:]}" if len(mantissa) > 1 else ""
    return f"{mantissa[0]}{point}e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"


def _binary(number: float) -> str:
    """The mantissa as an integer and the power of two: `4503599627370496p-52`."""
    mantissa, exponent = _parts(number)
    return f"{mantissa}p{exponent:+d}"


def _parts(number: float) -> tuple[int, int]:
    fraction, exponent = math.frexp(number)
    if number == 0:
        return 0, -1074
    shift = min(53, 1074 + exponent)  # fewer bits where the number is subnormal
    return int(math.ldexp(fraction, shift)), exponent - shift


def _hexadecimal(number: float, precision: int | None) -> str:
    fraction, exponent = math.frexp(number)
    exponent = exponent - 1 if number else 0
    bits = int(math.ldexp(fraction, 53))  # one bit before the point, 52 behind it
    if precision is not None and precision < 13:
        drop = 52 - 4 * precision
        bits, rest = bits >> drop, bits & ((1 << drop) - 1)
        half = 1 << (drop - 1)
        bits += rest > half or (rest == half and bits & 1)
        bits <<= drop
        if bits >= 1 << 53:
            bits >>= 1
            exponent += 1
    digits = f"{bits & ((1 << 52) - 1):013x}"
    digits = digits.rstrip("0") if precision is None else digits[:precision].ljust(precision, "0")
    return f"0x{bits >> 52}{'.' if digits else ''}{digits}p{'-' if exponent < 0 else '+'}{abs(exponent):02d}"


def _with_point(digits: str, verb: str, precision: int | None) -> str:
    """`#`: a decimal point in any case, and for %g the zeros that it leaves out."""
    mark = "p" if verb in "xX" else "e"
    position = digits.lower().find(mark)
    number, tail = (digits, "") if position < 0 else (digits[:position], digits[position:])
    wanted = 0
    if verb in "vgGx":
        wanted = 6 if precision is None else precision
    shown = number[2:] if number.lower().startswith("0x") else number
    significant = shown.replace(".", "").lstrip("0")
    wanted -= len(significant)
    if "." not in number:
        if number == "0":
            wanted -= 1
        number += "."
    return number + "0" * max(wanted, 0) + tail
