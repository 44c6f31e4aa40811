"""What CI services make of a job's log: sections, annotations, commands, found as their readers find them.

Written from the services' documentation and the source of their runners, not from the code under test. A log
whose sections overlap or stay open is an error.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Section:
    title: str
    lines: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Annotation:
    level: str
    path: str
    line: int
    message: str


@dataclass
class JobLog:
    """A log as it was understood."""

    sections: list[Section] = field(default_factory=list)
    loose: list[str] = field(default_factory=list)
    """Lines in no section."""
    annotations: list[Annotation] = field(default_factory=list)
    other_commands: list[str] = field(default_factory=list)
    """Commands that are neither sections nor annotations: none of them is ours."""
    _open: Section | None = None

    def begin(self, title: str) -> None:
        assert self._open is None, f"{title!r} begins within {self._open!r}"
        self._open = Section(title)
        self.sections.append(self._open)

    def end(self) -> None:
        assert self._open is not None, "a section ends that never began"
        self._open = None

    def say(self, line: str) -> None:
        (self.loose if self._open is None else self._open.lines).append(line)

    def close(self) -> None:
        assert self._open is None, f"{self._open!r} never ends"


def read_github(text: str) -> JobLog:
    """actions/runner: lines end at CR or LF; `::name props::data` after spaces, `##[name]data` anywhere."""
    log = JobLog()
    for line in re.split(r"\r\n|\r|\n", text):
        if found := re.match(r"\s*::([^:\s]+)(?: ([^:]*(?::[^:]+)*?))?::(.*)", line):
            _github_command(log, found[1], found[2] or "", found[3])
        elif line.lstrip().startswith("::") or "##[" in line:
            log.other_commands.append(line)
        else:
            log.say(line)
    log.close()
    return log


def _github_command(log: JobLog, name: str, properties: str, data: str) -> None:
    def decoded(value: str) -> str:
        for escape, plain in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
            value = value.replace(escape, plain)
        return value

    if name == "group":
        log.begin(decoded(data))
    elif name == "endgroup":
        log.end()
    elif name in ("error", "warning"):
        values = dict(one.split("=", 1) for one in properties.split(",") if one)
        log.annotations.append(
            Annotation(name, decoded(values.get("file", "")), int(values.get("line", 0)), decoded(data))
        )
    else:
        log.other_commands.append(f"{name} {data}")


def read_gitlab(text: str) -> JobLog:
    """GitLab's Ansi2json: section markers anywhere, followed by CR and erase-in-line; names are unique."""
    log = JobLog()
    names: list[str] = []
    marker = re.compile(r"section_(start|end):(\d+):([a-zA-Z0-9_.-]+)(\[[^\]\r]*\])?\r\x1b\[0K")
    for line in text.split("\n"):
        position = 0
        begun = False
        for found in marker.finditer(line):
            if found[1] == "start":
                assert found[3] not in names, f"section {found[3]} twice"
                assert found[4] == "[collapsed=true]"
                names.append(found[3])
                log.begin(line[found.end() :])
                begun = True
            else:
                assert names[-1:] == [found[3]], f"{found[3]} is not the section that is open"
                log.end()
            position = found.end()
        if position == 0:
            assert "\r" not in line
            if note := re.fullmatch(r"(\S+):(\d+): (error|warning): (.*)", line):
                log.annotations.append(Annotation(note[3], note[1], int(note[2]), note[4]))
            else:
                log.say(line)
        elif not begun:
            assert line[position:] == ""
    log.close()
    return log


def read_buildkite(text: str) -> JobLog:
    """Buildkite: a header at a line's start, after colours, ends the group before; `^^^ +++` opens one."""
    log = JobLog()
    for line in re.split(r"[\r\n]", text):
        bare = re.sub(r"^(?:\x1b\[[\d;]*[mK])*", "", line)
        if found := re.match(r"(?:---|\+\+\+|~~~)\s+(.*)", bare):
            if log._open is not None:
                log.end()
            log.begin(found[1])
        elif re.match(r"\^\^\^\s+\+\+\+", bare):
            assert log._open is not None
        elif note := re.fullmatch(r"(\S+):(\d+): (error|warning): (.*)", line):
            log.annotations.append(Annotation(note[3], note[1], int(note[2]), note[4]))
        else:
            log.say(line)
    if log._open is not None:
        log.end()
    return log


def read_azure(text: str) -> JobLog:
    """Azure's agent: `##vso[area.action props]message` anywhere; `##[group]`."""
    log = JobLog()

    def decoded(value: str) -> str:
        for escape, plain in (("%3B", ";"), ("%5D", "]"), ("%0D", "\r"), ("%0A", "\n"), ("%AZP25", "%")):
            value = value.replace(escape, plain)
        return value

    for line in re.split(r"\r\n|\r|\n", text):
        if found := re.search(r"##vso\[([\w.]+)(?: ([^\]]*))?\](.*)", line, re.IGNORECASE):
            values = dict(one.split("=", 1) for one in (found[2] or "").split(";") if "=" in one)
            if found[1] != "task.logissue" or found.start() != 0:
                log.other_commands.append(line)
                continue
            path, at = decoded(values.get("sourcepath", "")), int(values.get("linenumber", 0))
            log.annotations.append(Annotation(values["type"], path, at, decoded(found[3])))
        elif line.startswith("##[group]"):
            log.begin(line.removeprefix("##[group]"))
        elif line == "##[endgroup]":
            log.end()
        elif "##[" in line or "##vso[" in line.lower():
            log.other_commands.append(line)
        else:
            log.say(line)
    log.close()
    return log


def read_teamcity(text: str) -> JobLog:
    """TeamCity: `##teamcity[name key='value' …]` anywhere in a line, with `|` as the escape."""
    log = JobLog()
    message = re.compile(r"##teamcity\[(\w+)((?:\s+\w+='(?:[^'|\[\]\n\r]|\|.)*')*)\s*\]")
    open_name = ""
    for line in re.split(r"\r\n|\r|\n", text):
        found = message.fullmatch(line)
        if found is None:
            (log.other_commands.append if "##teamcity[" in line.lower() else log.say)(line)
            continue
        pairs = re.findall(r"(\w+)='((?:[^'|]|\|.)*)'", found[2])
        values = {key: _teamcity_value(value) for key, value in pairs}
        if found[1] == "blockOpened":
            log.begin(open_name := values["name"])
        elif found[1] == "blockClosed":
            assert values["name"] == open_name
            log.end()
        elif found[1] == "message":
            place = re.match(r"(\S+?):(\d+): ", values["text"])
            path, at = (place[1], int(place[2])) if place else ("", 0)
            log.annotations.append(Annotation(values["status"].lower(), path, at, values["text"]))
        else:
            log.other_commands.append(line)
    log.close()
    return log


def _teamcity_value(text: str) -> str:
    def plain(found: re.Match[str]) -> str:
        return chr(int(found[1], 16)) if found[1] else {"n": "\n", "r": "\r"}.get(found[2], found[2])

    units = re.sub(r"\|(?:0x([0-9A-Fa-f]{4})|(.))", plain, text)
    return units.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


READERS: dict[str, Callable[[str], JobLog]] = {
    "github": read_github,
    "gitlab": read_gitlab,
    "buildkite": read_buildkite,
    "azure": read_azure,
    "teamcity": read_teamcity,
}
