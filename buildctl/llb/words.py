"""A command as text becomes words, by the rules of the library that Go's builder uses
(github.com/google/shlex)."""

from __future__ import annotations

from buildctl.llb import arguments

_SPACES = " \t\r\n"


def split(command: str) -> list[str]:
    """The words of a command line, without a shell: quotes and backslashes are read, variables are not.

    `#` begins a comment where a word would begin. A last word whose quote is not closed is dropped, as in Go.
    """
    words: list[str] = []
    word: list[str] | None = None
    quote = ""
    characters = iter(arguments.text("command", command))
    for character in characters:
        if quote == "'":
            if character == "'":
                quote = ""
            elif word is not None:
                word.append(character)
        elif character == "\\":
            following = next(characters, None)
            if following is None:
                return words
            word = [] if word is None else word
            word.append(following)
        elif quote:
            if character == '"':
                quote = ""
            elif word is not None:
                word.append(character)
        elif character in "'\"":
            quote = character
            word = [] if word is None else word
        elif character in _SPACES:
            if word is not None:
                words.append("".join(word))
                word = None
        elif character == "#" and word is None:
            for skipped in characters:
                if skipped == "\n":
                    break
        else:
            word = [] if word is None else word
            word.append(character)
    if word is not None and not quote:
        words.append("".join(word))
    return words
