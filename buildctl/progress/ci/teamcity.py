"""TeamCity: service messages.

https://www.jetbrains.com/help/teamcity/service-messages.html: `##teamcity[` is looked for anywhere in a
line. A notice is a message with a status, which marks the line; only the exit status fails the build.
"""

from __future__ import annotations

from buildctl.progress.ci.service import Service, notice_text
from buildctl.progress.dialect import Level, Place

_ESCAPES = {"|": "||", "'": "|'", "[": "|[", "]": "|]", "\n": "|n", "\r": "|r"}


class TeamCity(Service):
    """`##teamcity[blockOpened …]` and `##teamcity[message …]`."""

    _name = ""

    def opening(self, title: str, now_ns: int) -> str:
        self._name = escape(title)
        return f"##teamcity[blockOpened name='{self._name}']\n"

    def closing(self, now_ns: int, *, failed: bool) -> str:
        return f"##teamcity[blockClosed name='{self._name}']\n"

    def notice(self, level: Level, place: Place | None, message: str) -> str:
        where = "" if place is None else f"{place}: "
        return f"##teamcity[message text='{escape(notice_text(where + message))}' status='{level.upper()}']\n"


def escape(text: str) -> str:
    """A value of a service message; what is not ASCII as `|0xNNNN`, in UTF-16 code units."""
    return "".join(map(_escape, text))


def _escape(character: str) -> str:
    if character.isascii():
        return _ESCAPES.get(character, character)
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"|0x{units[at : at + 2].hex().upper()}" for at in range(0, len(units), 2))
