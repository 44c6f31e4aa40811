"""Builds in the marks of each CI service, read back as the service reads a job's log."""

from __future__ import annotations

import re
from collections import defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from buildctl.model.status import (
    Position,
    Range,
    SolveStatus,
    SourceInfo,
    Vertex,
    VertexLog,
    VertexStatus,
    VertexWarning,
)
from buildctl.progress.ci.inert import inert_line
from buildctl.progress.dialect import Dialect, Level, Place
from buildctl.progress.modes import Mode, dialect_of
from buildctl.progress.sections import SectionPrinter
from tests.support import replay
from tests.support.ci_logs import READERS, JobLog
from tests.support.statuses import any_statuses, log, vertex

SERVICES = sorted(READERS)
COLORS = re.compile(r"\x1b\[[0-9;:]*m")


def dialect(service: str) -> Dialect:
    found = dialect_of(Mode(service), lambda filename: f"app/{filename}")
    assert found is not None
    return found


def read(service: str, text: bytes) -> JobLog:
    """The log as its service reads it; a service that looks past colours finds the same."""
    decoded = text.decode()
    found = READERS[service](decoded)
    blank = READERS[service](COLORS.sub("", decoded))
    assert found.other_commands == blank.other_commands == []
    assert len(found.sections) == len(blank.sections)
    assert len(found.annotations) == len(blank.annotations)
    return found


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("name", ["build-parallel", "build-fail", "build-warnings", "v0.8-build-fail"])
def test_recorded_builds(service: str, name: str) -> None:
    case = replay.load(name)
    statuses = case.statuses()
    seen = read(service, replay.play(SectionPrinter(dialect(service)), statuses))
    names = {one.digest: one.name for _, status in statuses for one in status.vertexes}
    logs: dict[str, bytes] = defaultdict(bytes)
    for _, status in statuses:
        for one in status.logs:
            logs[names[one.vertex]] += one.data
    for step, data in logs.items():
        (section,) = [section for section in seen.sections if section.title.partition(" ")[2] == step]
        shown = [line.split(" ", 2)[2] for line in section.lines if re.match(r"#\d+ \d+\.\d+ ", line)]
        said = data.decode().removesuffix("\n").split("\n")
        assert shown == [line.rstrip("\r").rpartition("\r")[2] for line in said]
    if name == "build-warnings":
        (section,) = [section for section in seen.sections if section.title == "5 warnings"]
        assert len(section.lines) == 5
        assert section.lines[1].startswith("WARN: app/Dockerfile:5: Maintainer")
        places = [(one.level, one.path, one.line) for one in seen.annotations]
        expected = [("warning", "app/Dockerfile", line) for line in (1, 5, 1, 4, 7)]
        assert places == ([] if service in ("gitlab", "buildkite") else expected)


HOSTILE = st.sampled_from(
    [
        b"::set-output name=x::y ",
        b"::endgroup::",
        b"::stop-commands::x",
        b"##[endgroup]",
        b"##[error]boom ",
        b"##vso[task.setvariable variable=x]y ",
        b"##VSO[task.complete result=Succeeded;]",
        b"##teamcity[blockClosed name='x']",
        b"###[group]x ",
        b"section_end:0:x\r\x1b[0K",
        b"section_start:0:x\r\x1b[0K",
        b"+++ x ",
        b"--- x ",
        b"~~~ x ",
        b"^^^ +++",
        b"\r",
        b"\x1b[31m",
        b"\x1b[0m",
        b"\x1b[2K",
        b"\x1b]0;title\x07",
        b"\x08",
        b"\x00",
        b"\t",
        b" ",
        b"##\x1b[1mvso[x]",
        b"##\x00[x]",
        b":\x1b[m:error::x",
        b"\xe2\x80\xae",
        b"caf\xc3\xa9 ",
        b"\xff",
    ]
)


@st.composite
def parallel_builds(draw: st.DrawFn) -> tuple[list[SolveStatus | None], dict[str, list[str]]]:
    """Messages of steps that run side by side, None where the display may draw; and each step's lines."""
    queues: list[list[SolveStatus]] = []
    tokens: dict[str, list[str]] = {}
    for digest in "abcd"[: draw(st.integers(1, 4))]:
        count = draw(st.integers(0, 5))
        tokens[digest] = [f"<{digest}{number}>" for number in range(count)]
        hostile = [b"".join(draw(st.lists(HOSTILE, max_size=4))) for _ in range(count)]
        text = b"".join(
            junk + token.encode() + b"\n" for junk, token in zip(hostile, tokens[digest], strict=True)
        )
        if text and draw(st.booleans()):
            text = text[:-1]  # the last line has no end
        cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=4)))
        pieces = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
        began = draw(st.integers(0, 5))
        error = draw(st.sampled_from(["", "exit code: 1", "context canceled", "::error::x\n::endgroup::"]))
        queue = [vertex(digest, began), *(log(digest, piece, began) for piece in pieces)]
        if draw(st.booleans()):
            queue.append(vertex(digest, began, began + 2, error=error))
        queues.append(queue)
    messages: list[SolveStatus | None] = []
    while any(queues):
        queue = draw(st.sampled_from([queue for queue in queues if queue]))
        messages.append(queue.pop(0))
        if draw(st.booleans()):
            messages.append(None)
    return messages, tokens


@settings(max_examples=60, deadline=None)
@given(build=parallel_builds(), waiting_limit=st.sampled_from([0, 300, 1 << 20]))
def test_every_line_is_in_its_own_section_and_no_command_survives(
    build: tuple[list[SolveStatus | None], dict[str, list[str]]], waiting_limit: int
) -> None:
    for service in SERVICES:
        check_sections(service, *build, waiting_limit)


def check_sections(
    service: str, messages: list[SolveStatus | None], tokens: dict[str, list[str]], waiting_limit: int
) -> None:
    printer = SectionPrinter(dialect(service), waiting_limit=waiting_limit)
    out = b""
    for message in messages:
        out += printer.render(10**9) if message is None else printer.absorb(message, 10**9)
    seen = read(service, out + printer.finish(10**9))
    found: dict[str, list[str]] = {digest: [] for digest in tokens}
    for section in seen.sections:
        title = re.fullmatch(r"#\d+ step (\w)(?: \(continued\))?(?:: .*)?", section.title)
        texts = "\n".join(line for line in section.lines if line.startswith("#"))
        if title is None:  # of Buildkite, the group of a failed step's last lines or of the build's end
            assert (service, texts) == ("buildkite", ""), section
            continue
        assert set(re.findall(r"<(\w)\d>", texts)) <= {title[1]}
        found[title[1]] += re.findall(r"<\w\d>", texts)
    assert found == tokens


@settings(max_examples=40, deadline=None)
@given(statuses=any_statuses)
def test_any_messages_give_whole_sections(statuses: list[SolveStatus]) -> None:
    for service in SERVICES:
        printer = SectionPrinter(dialect(service), waiting_limit=100)
        out = b""
        for status in statuses:
            out += printer.absorb(status, 0) + printer.render(0)
        read(service, out + printer.finish(0))


@pytest.mark.parametrize("service", SERVICES)
def test_a_display_that_is_given_up_closes_its_section(service: str) -> None:
    printer = SectionPrinter(dialect(service))
    printer.absorb(vertex("a", 0), 0)
    printer.absorb(log("a", b"one\n"), 0)
    shown = printer.render(0)
    (section,) = read(service, shown + printer.restore).sections
    assert section.title == "#1 step a"
    assert [line for line in section.lines if line] == ["#1 0.000 one"]


@pytest.mark.parametrize("service", SERVICES)
def test_a_name_is_no_command_either(service: str) -> None:
    name = "RUN x\r::error::y\n##vso[task.complete]%0A::set-env::'] ##teamcity[x 'é😀"
    printer = SectionPrinter(dialect(service))
    for cached in (False, True):
        printer.absorb(vertex(f"a{cached}", 0, 1, name=name, cached=cached), 0)
        if not cached:
            printer.absorb(log("aFalse", b"one\n"), 0)
    counter = VertexStatus("##[x]", "aFalse", "", 1, 1, 0, 0, 0)
    printer.absorb(SolveStatus(statuses=(counter,)), 0)
    seen = read(service, printer.finish(0))
    assert seen.sections[0].title.startswith("#1 RUN x ::error::y ")
    assert seen.sections[0].title.endswith("é😀")


ANNOTATION = Place("sub dir/Docker:file,50%.txt", 3, 5)
MESSAGE = "failed: a;b]c'd|e,f:g%h\n::endgroup::\n##vso[x]\r##teamcity[y] \x1b[2J"


@pytest.mark.parametrize("service", ["github", "azure", "teamcity"])
def test_an_annotation_has_its_place_whatever_is_in_it(service: str) -> None:
    text = dialect(service).notice(Level.ERROR, ANNOTATION, MESSAGE)
    assert text.count("\n") == 1
    (annotation,) = read(service, text.encode()).annotations
    assert annotation.level == "error"
    if service != "teamcity":  # where the place is a part of the text
        assert (annotation.path, annotation.line) == ("sub dir/Docker:file,50%.txt", 3)
    assert "failed: a;b]c'd|e,f:g%h\n" in annotation.message
    assert "\x1b" not in annotation.message


@pytest.mark.parametrize("service", SERVICES)
def test_an_error_names_file_and_line(service: str) -> None:
    printer = SectionPrinter(dialect(service))
    text = printer.finish(0).decode() + dialect(service).notice(
        Level.ERROR, Place("app/Dockerfile", 7, 7), "no"
    )
    (annotation,) = read(service, text.encode()).annotations
    assert (annotation.level, annotation.path, annotation.line) == ("error", "app/Dockerfile", 7)
    without = dialect(service).notice(Level.ERROR, None, "no")
    assert "no" in without


def test_warnings_are_said_once_and_counted() -> None:
    source = SourceInfo("Dockerfile", b"")
    one = VertexWarning(
        "a", b"bad\n::error::x", 1, source_info=source, ranges=(Range(Position(2), Position(4)),)
    )
    two = VertexWarning("a", b"bad", 1)
    printer = SectionPrinter(dialect("github"))
    printer.absorb(vertex("a", 0, 1), 0)
    printer.absorb(SolveStatus(warnings=(one, two, one)), 0)
    printer.absorb(SolveStatus(vertexes=(Vertex("b"),), logs=(VertexLog("b", b"x"),)), 0)
    assert printer.finish(0).decode() == (
        "#1 step a: DONE 1.0s\n"
        "::group::#2 \n#2 0.000 x\n#2 ...\n::endgroup::\n"
        "::group::2 warnings\n"
        "WARN: app/Dockerfile:2: bad ::error::x\n"
        "WARN: bad\n"
        "::endgroup::\n"
        "::warning file=app/Dockerfile,line=2,endLine=4,title=buildctl::bad ::error::x\n"
        "::warning title=buildctl::bad\n"
    )


@pytest.mark.parametrize(
    ("text", "inert"),
    [
        ("plain :: text", "plain :: text"),
        ("  ::error::x", "  : :error::x"),
        ("a ##[x] ##vso[y] ##TeamCity[z]", "a # #[x] # #vso[y] # #TeamCity[z]"),
        ("###[x]", "## #[x]"),
        ("--- x", "- -- x"),
        ("+++\tx", "+ ++\tx"),
        ("~~~ x", "~ ~~ x"),
        ("^^^ +++", "^ ^^ +++"),
        ("--------", "--------"),
        ("\x1b[1m##\x1b[0m[x]", "# #[x]"),
        ("\x1b[1m## [x]\x1b[0m", "\x1b[1m## [x]\x1b[0m"),
        ("section_start:12:x", "s ection_start:12:x"),
        ("my section_start", "my section_start"),
    ],
)
def test_commands_are_broken_and_nothing_else_is(text: str, inert: str) -> None:
    assert inert_line(text) == inert
