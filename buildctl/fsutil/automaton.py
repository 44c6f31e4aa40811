"""Matches a path in one pass, whatever the pattern: RE2's way, for patterns that `re` would be slow at.

`re` tries one way after another with the interpreter's lock held, and a pattern of a few stars can have more
ways on a long path than there is time. Here all places that a pattern may have come to are the bits of one
number, and what a character makes of such a number is worked out when it is first seen (Thompson's
construction, https://swtch.com/~rsc/regexp/regexp1.html).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from buildctl.fsutil.glob import PatternError
from buildctl.fsutil.re2 import FOLDERS, Atom

_MOST_PLACES = 4_000
_MOST_ROWS = 2_000
_AT_START = ("^", r"\A")
_AT_END = (r"\Z",)
_ANYTHING = r"[\s\S]"


class Automaton:
    """A compiled expression: branches of atoms, of which one has to be found somewhere in the text."""

    def __init__(self, branches: Sequence[Sequence[Atom]]) -> None:
        self._size = 0
        self._takes: dict[str, int] = {}  # places by the expression of the one character that they take
        self._goes_on = self._stays = 0  # what a place does when it has taken one
        self._skips = self._skips_start = self._skips_end = 0  # to the next place, taking nothing
        self._skips_folders = 0  # three places
        self._first = self._last = 0
        self._masks: dict[str, int] = {}
        self._rows: dict[int, _Row] = {}
        for branch in branches:
            self._first |= self._place(_ANYTHING, stays=True, skips=True)
            for atom in branch:
                self._add(atom)
            self._last |= self._place(_ANYTHING, stays=True)

    def matches(self, text: str) -> bool:
        """Whether the expression is found in the text."""
        row = self._row(self._closure(self._first, self._skips_start))
        for character in text:
            row = row[character]
        at_end = self._skips_end if text else self._skips_end | self._skips_start
        return self._closure(row.places, at_end) & self._last != 0

    def _add(self, atom: Atom) -> None:
        if atom == FOLDERS:  # nothing, or anything and a slash
            self._skips_folders |= self._place("", skips=True)
            self._place(".", stays=True, skips=True)
            self._place("/", goes_on=True)
        elif atom.is_assertion:
            if atom.source not in (*_AT_START, *_AT_END):
                raise PatternError("word boundaries are not supported in a pattern of so many parts")
            place = self._place("", skips=atom.low == 0)
            if atom.source in _AT_START:
                self._skips_start |= place
            else:
                self._skips_end |= place
        else:
            for _ in range(atom.low):
                self._place(atom.source, goes_on=True)
            if atom.high is None:
                self._place(atom.source, stays=True, skips=True)
            else:
                for _ in range(atom.high - atom.low):
                    self._place(atom.source, goes_on=True, skips=True)

    def _place(self, takes: str, *, goes_on: bool = False, stays: bool = False, skips: bool = False) -> int:
        place = 1 << self._size
        self._size += 1
        if self._size > _MOST_PLACES:
            raise PatternError("expression too large")
        if takes:
            self._takes[takes] = self._takes.get(takes, 0) | place
        self._goes_on |= place * goes_on
        self._stays |= place * stays
        self._skips |= place * skips
        return place

    def step(self, places: int, character: str) -> _Row:
        """Where a character leads to."""
        mask = self._masks.get(character)
        if mask is None:
            mask = 0
            for source, takers in self._takes.items():
                if re.fullmatch(source, character):
                    mask |= takers
            self._masks[character] = mask
        places &= mask
        return self._row(self._closure((places & self._goes_on) << 1 | places & self._stays))

    def _closure(self, places: int, conditional: int = 0) -> int:
        skips = self._skips | conditional
        while (more := places | (places & skips) << 1 | (places & self._skips_folders) << 3) != places:
            places = more
        return places

    def _row(self, places: int) -> _Row:
        row = self._rows.get(places)
        if row is None:
            if len(self._rows) >= _MOST_ROWS:  # begin anew: there may be as many as there are numbers
                for old in self._rows.values():
                    old.clear()
                self._rows.clear()
                self._masks.clear()
            row = self._rows[places] = _Row(self, places)
        return row


class _Row(dict[str, "_Row"]):
    """Where each character leads to from one set of places, as far as it is known."""

    __slots__ = ("_automaton", "places")

    def __init__(self, automaton: Automaton, places: int) -> None:
        self._automaton = automaton
        self.places = places

    def __missing__(self, character: str) -> _Row:
        row = self[character] = self._automaton.step(self.places, character)
        return row
