"""The noun of the vocabulary: a word with its meaning and with what may follow it."""

from __future__ import annotations

from typing import NamedTuple


class Word(NamedTuple):
    """A word that can be typed, or the beginning of one: a text such as `dest=` wants more.

    `value` says how what follows is completed: nothing for a whole word, `free` for a text that nobody can
    guess, `file`, `dir`, `dockerfile`, `targets`, `args`, `refs`, `workers`, `builds` (files and refs); or
    `words SET`, `list SET` (with commas between), `fields SET` (attributes, those of `SET.TYPE` once the
    type is known). `*=` is any key.
    """

    text: str
    help: str = ""
    value: str = ""
    types: tuple[str, ...] = ()
    """Of an attribute: the exporter or cache types that have it."""

    @property
    def name(self) -> str:
        """The word without the sign that wants more: `dest` of `dest=`."""
        return self.text.removesuffix("=")


BOOLEANS = (Word("true"), Word("false"))
