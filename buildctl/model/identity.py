"""Random ids as BuildKit makes them, for builds, sessions and vertexes (its identity.NewID)."""

from __future__ import annotations

import os

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_LENGTH = 25


def new_id() -> str:
    """25 random digits and lower-case letters.

    They are the number of 17 random bytes in base 36; its top bit is set, so that there are 26 or 27 digits,
    and the first, which is far from random, is left out.
    """
    number = int.from_bytes(os.urandom(17), "big") | 1 << 135
    digits = []
    while number:
        number, digit = divmod(number, 36)
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))[1 : _LENGTH + 1]
