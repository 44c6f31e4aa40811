"""A template's text becomes tokens.

Trim markers and comments end here. A mistake is a token too: the parser says where it was met.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from buildctl.model.quote import quote

_LEFT = "{{"
_RIGHT = "}}"
_SPACES = " \t\r\n"


class T(enum.Enum):
    """What a token is."""

    ERROR = enum.auto()
    EOF = enum.auto()
    TEXT = enum.auto()
    LEFT = enum.auto()
    RIGHT = enum.auto()
    SPACE = enum.auto()
    ASSIGN = enum.auto()
    DECLARE = enum.auto()
    PIPE = enum.auto()
    OPEN = enum.auto()
    CLOSE = enum.auto()
    CHAR = enum.auto()
    """A printable character without a meaning of its own; the comma has one after `range`."""
    BOOL = enum.auto()
    NUMBER = enum.auto()
    CHARACTER = enum.auto()
    STRING = enum.auto()
    RAW_STRING = enum.auto()
    IDENTIFIER = enum.auto()
    FIELD = enum.auto()
    VARIABLE = enum.auto()
    DOT = "."
    NIL = "nil"
    BLOCK = "block"
    BREAK = "break"
    CONTINUE = "continue"
    DEFINE = "define"
    ELSE = "else"
    END = "end"
    IF = "if"
    RANGE = "range"
    TEMPLATE = "template"
    WITH = "with"

    @property
    def is_keyword(self) -> bool:
        return isinstance(self.value, str)


_KEYWORDS = {str(token.value): token for token in T if token.is_keyword}
_SINGLE = {"=": T.ASSIGN, "|": T.PIPE}


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the text; of an ERROR, `text` is the message."""

    type: T
    position: int
    text: str
    line: int

    def __str__(self) -> str:
        if self.type is T.EOF:
            return "EOF"
        if self.type is T.ERROR:
            return self.text
        if self.type.is_keyword:
            return f"<{self.text}>"
        return (
            f"{quote(self.text[:10])}..."
            if len(self.text.encode(errors="replace")) > 10
            else quote(self.text)
        )


def lex(text: str) -> Iterator[Token]:
    """The text's tokens, lazily; the last, EOF or ERROR, again and again."""
    return _Lexer(text).tokens()


class _MistakeError(Exception):
    pass


class _Lexer:
    """Where the reader of one text is: `start` of the token, `position` of what comes next."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._start = 0
        self._position = 0
        self._counted = (0, 1)
        self._depth = 0
        self._scanners: dict[str, Callable[[], T]] = {
            ":": self._declare,
            '"': self._quoted,
            "`": self._raw,
            "'": self._character,
            "$": self._variable,
            ".": self._dot,
            "(": self._open,
            ")": self._close,
        }

    def tokens(self) -> Iterator[Token]:
        try:
            while (left := self._text.find(_LEFT, self._position)) >= 0:
                yield from self._text_before(left)
                if self._starts_comment():
                    self._comment()
                    continue
                yield from self._action()
        except _MistakeError as mistake:
            while True:
                yield Token(T.ERROR, self._start, str(mistake), self._line())
        self._position = len(self._text)
        if self._position > self._start:
            yield self._token(T.TEXT)
        while True:
            yield Token(T.EOF, self._position, "EOF", self._line())

    def _text_before(self, left: int) -> Iterator[Token]:
        marker = self._text[left + 2 : left + 4]
        trim = marker[:1] == "-" and _is_space(marker[1:])
        text = self._text[self._start : left]
        kept = text.rstrip(_SPACES) if trim else text
        if kept:
            self._position = self._start + len(kept)
            yield self._token(T.TEXT)
        self._start = left
        self._position = left + 2

    def _starts_comment(self) -> bool:
        text = self._text
        trim = 2 if text[self._position : self._position + 1] == "-" and _is_space(self._at(1)) else 0
        if not text.startswith("/*", self._position + trim):
            return False
        self._start = self._position = self._position + trim
        return True

    def _comment(self) -> None:
        end = self._text.find("*/", self._position + 2)
        if end < 0:
            raise _MistakeError("unclosed comment")
        self._position = end + 2
        length, trim = self._right_delimiter()
        if not length:
            raise _MistakeError("comment ends before closing delimiter")
        self._leave(length, trim)

    def _action(self) -> Iterator[Token]:
        yield self._token(T.LEFT)
        if self._at(0) == "-" and _is_space(self._at(1)):
            self._start = self._position = self._position + 2
        self._depth = 0
        while True:
            length, trim = self._right_delimiter()
            if length:
                if self._depth:
                    raise _MistakeError("unclosed left paren")
                self._start += length - len(_RIGHT)
                self._position += length
                yield self._token(T.RIGHT)
                self._leave(0, trim)
                return
            yield self._token(self._inside())

    def _leave(self, length: int, trim: bool) -> None:
        self._position += length
        while trim and _is_space(self._at(0)):
            self._position += 1
        self._start = self._position

    def _inside(self) -> T:
        char = self._at(0)
        if not char:
            raise _MistakeError("unclosed action")
        if _is_space(char):
            return self._space()
        if char in "+-0123456789" or (char == "." and self._at(1) in "0123456789"):  # at the end, too
            return self._number()
        if is_word(char):
            return self._identifier()
        self._position += 1
        if char in _SINGLE:
            return _SINGLE[char]
        if char in self._scanners:
            return self._scanners[char]()
        if " " <= char <= "~":
            return T.CHAR
        raise _MistakeError(f"unrecognized character in action: {unicode_text(char)}")

    def _space(self) -> T:
        while _is_space(self._at(0)):
            self._position += 1
        if self._text.startswith(f"-{_RIGHT}", self._position):
            self._position -= 1  # the last one belongs to the trim marker
        return T.SPACE

    def _number(self) -> T:
        good = self._scan_number()
        if good and self._at(0) in ("+", "-"):
            self._scan_number()
            good = False  # a complex number
        if not good:
            raise _MistakeError(f"bad number syntax: {quote(self._text[self._start : self._position])}")
        return T.NUMBER

    def _scan_number(self) -> bool:
        match = _NUMBER.match(self._text, self._position)
        assert match is not None
        self._position = match.end()
        if is_word(self._at(0)):
            self._position += 1
            return False
        return True

    def _identifier(self) -> T:
        word = self._word()
        if word in ("true", "false"):
            return T.BOOL
        return _KEYWORDS.get(word, T.IDENTIFIER)

    def _word(self) -> str:
        """Everything up to what may follow a word."""
        while is_word(self._at(0)):
            self._position += 1
        if not self._at_terminator():
            raise _MistakeError(f"bad character {unicode_text(self._at(0))}")
        return self._text[self._start : self._position]

    def _variable(self) -> T:
        if not self._at_terminator():
            self._word()
        return T.VARIABLE

    def _dot(self) -> T:
        if self._at_terminator():
            return T.DOT
        self._word()
        return T.FIELD

    def _at_terminator(self) -> bool:
        char = self._at(0)
        return not char or char in " \t\r\n.,|:)(" or self._text.startswith(_RIGHT, self._position)

    def _declare(self) -> T:
        if self._at(0) != "=":
            raise _MistakeError("expected :=")
        self._position += 1
        return T.DECLARE

    def _open(self) -> T:
        self._depth += 1
        return T.OPEN

    def _close(self) -> T:
        self._depth -= 1
        if self._depth < 0:
            raise _MistakeError("unexpected right paren")
        return T.CLOSE

    def _quoted(self) -> T:
        self._until('"', "unterminated quoted string")
        return T.STRING

    def _character(self) -> T:
        self._until("'", "unterminated character constant")
        return T.CHARACTER

    def _until(self, end: str, mistake: str) -> None:
        while (char := self._at(0)) != end:
            self._position += 1
            if char == "\\":
                char = self._at(0)
                self._position += 1
            if char in ("", "\n"):
                raise _MistakeError(mistake)
        self._position += 1

    def _raw(self) -> T:
        end = self._text.find("`", self._position)
        if end < 0:
            raise _MistakeError("unterminated raw quoted string")
        self._position = end + 1
        return T.RAW_STRING

    def _right_delimiter(self) -> tuple[int, bool]:
        """How long the delimiter is that stands here, if any, and whether it trims."""
        if _is_space(self._at(0)) and self._text.startswith(f"-{_RIGHT}", self._position + 1):
            return 4, True
        return (len(_RIGHT), False) if self._text.startswith(_RIGHT, self._position) else (0, False)

    def _at(self, ahead: int) -> str:
        """The character so far ahead; none at the end."""
        return self._text[self._position + ahead : self._position + ahead + 1]

    def _token(self, token_type: T) -> Token:
        token = Token(token_type, self._start, self._text[self._start : self._position], self._line())
        self._start = self._position
        return token

    def _line(self) -> int:
        position, line = self._counted
        line += self._text.count("\n", position, self._start)
        self._counted = (self._start, line)
        return line


_NUMBER = re.compile(
    r"""
    [+-]? (?: 0[xX][0-9a-fA-F_]* (?:\.[0-9a-fA-F_]*)? (?:[pP][+-]?[0-9_]*)?
            | 0[oO][0-7_]* (?:\.[0-7_]*)?
            | 0[bB][01_]* (?:\.[01_]*)?
            | [0-9_]* (?:\.[0-9_]*)? (?:[eE][+-]?[0-9_]*)? ) i?
    """,
    re.VERBOSE,
)
"""More than the numbers there are; the parser knows which."""


def _is_space(char: str) -> bool:
    return char != "" and char in _SPACES


def is_word(char: str) -> bool:
    """Whether the character may be part of a name."""
    return char == "_" or char.isalpha() or char.isdecimal()


def unicode_text(char: str) -> str:
    """A character as Go's `%#U` prints it; the end of the text has none."""
    if not char:
        return "U+FFFFFFFFFFFFFFFF"
    if "\udc80" <= char <= "\udcff":  # a byte that is not UTF-8
        char = "\ufffd"
    return f"U+{ord(char):04X}" + (f" '{char}'" if char.isprintable() else "")
