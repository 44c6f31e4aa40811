"""Which display is chosen, and what the environment has to say in it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from subprocess import run

import pytest

from buildctl.errors import UsageError
from buildctl.progress.modes import Mode, choose_mode, open_display, parse_rate
from tests.support.statuses import vertex


@pytest.mark.parametrize(
    ("value", "is_terminal", "variables", "mode"),
    [
        ("auto", True, {}, Mode.TTY),
        ("auto", False, {}, Mode.PLAIN),
        ("", True, {}, Mode.TTY),
        ("", False, {}, Mode.PLAIN),
        ("auto", True, {"BUILDKIT_PROGRESS": "plain"}, Mode.PLAIN),
        ("auto", True, {"BUILDKIT_PROGRESS": ""}, Mode.TTY),
        ("auto", True, {"BUILDKIT_PROGRESS": "auto"}, Mode.TTY),
        ("", True, {"BUILDKIT_PROGRESS": "plain"}, Mode.TTY),
        ("rawjson", True, {"BUILDKIT_PROGRESS": "plain"}, Mode.RAWJSON),
        ("plain", True, {}, Mode.PLAIN),
        ("quiet", True, {}, Mode.QUIET),
        ("tty", True, {"TERM": "dumb"}, Mode.PLAIN),
        ("auto", True, {"TERM": "dumb"}, Mode.PLAIN),
    ],
)
def test_a_mode_is_chosen(value: str, is_terminal: bool, variables: Mapping[str, str], mode: Mode) -> None:
    assert choose_mode(value, is_terminal=is_terminal, variables=variables) is mode


@pytest.mark.parametrize(
    ("value", "is_terminal", "variables", "mode"),
    [
        ("auto", False, {"GITHUB_ACTIONS": "true"}, Mode.GITHUB),
        ("auto", False, {"GITLAB_CI": "true"}, Mode.GITLAB),
        ("auto", False, {"BUILDKITE": "true"}, Mode.BUILDKITE),
        ("auto", False, {"TF_BUILD": "True"}, Mode.AZURE),
        ("auto", False, {"TEAMCITY_VERSION": "2024.07"}, Mode.TEAMCITY),
        ("auto", True, {"GITHUB_ACTIONS": "true"}, Mode.TTY),
        ("auto", True, {"BUILDKITE": "true"}, Mode.BUILDKITE),
        ("auto", False, {"GITHUB_ACTIONS": "false", "GITLAB_CI": ""}, Mode.PLAIN),
        ("auto", False, {"GITHUB_ACTIONS": "true", "BUILDKIT_PROGRESS": "plain"}, Mode.PLAIN),
        ("auto", False, {"GITHUB_ACTIONS": "true", "BUILDKIT_PROGRESS": "auto"}, Mode.GITHUB),
        ("", False, {"GITHUB_ACTIONS": "true"}, Mode.PLAIN),
        ("grouped", False, {"GITHUB_ACTIONS": "true"}, Mode.GROUPED),
        ("github", True, {}, Mode.GITHUB),
    ],
)
def test_a_mode_is_chosen_in_a_ci_job(
    value: str, is_terminal: bool, variables: Mapping[str, str], mode: Mode
) -> None:
    assert choose_mode(value, is_terminal=is_terminal, variables=variables, in_ci=True) is mode


def test_what_is_no_job_log_stays_as_it_is() -> None:
    assert choose_mode("auto", is_terminal=False, variables={"GITHUB_ACTIONS": "true"}) is Mode.PLAIN


@pytest.mark.parametrize(
    ("value", "variables", "message"),
    [
        ("none", {}, "invalid progress mode none"),
        ("PLAIN", {}, "invalid progress mode PLAIN"),
        ("auto", {"BUILDKIT_PROGRESS": "fancy"}, "invalid progress mode fancy"),
        ("tty", {}, "failed to get console: provided file is not a console"),
        ("auto", {"BUILDKIT_PROGRESS": "tty"}, "failed to get console: provided file is not a console"),
    ],
)
def test_a_mode_is_refused(value: str, variables: Mapping[str, str], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        choose_mode(value, is_terminal=False, variables=variables)
    assert str(caught.value) == message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("", None),
        ("50", 50),
        ("+50", 50),
        ("0", None),
        ("-5", None),
        ("fast", None),
        ("1_0", None),
        ("٣", None),
    ],
)
def test_the_rate_is_a_positive_number(text: str, rate: int | None) -> None:
    assert parse_rate({"TTY_DISPLAY_RATE": text}) == rate


@pytest.mark.parametrize(
    ("mode", "variables", "printed"),
    [
        (Mode.PLAIN, {}, f"#1 {'n' * 80}\n#1 DONE 1.0s\n"),
        (Mode.PLAIN, {"PROGRESS_NO_TRUNC": "0"}, f"#1 {'n' * 72}...\n#1 DONE 1.0s\n"),
        (
            Mode.RAWJSON,
            {},
            f'{{"vertexes":[{{"digest":"a","name":"{"n" * 80}","started":"1970-01-01T00:00:00Z",'
            '"completed":"1970-01-01T00:00:01Z"}]}\n',
        ),
        (Mode.QUIET, {}, ""),
        (Mode.ERRORS, {}, ""),
        (Mode.GROUPED, {}, f"#1 {'n' * 80}\n#1 DONE 1.0s\n"),
        (Mode.GITHUB, {}, f"#1 {'n' * 80}: DONE 1.0s\n"),
    ],
)
async def test_a_display_is_opened(mode: Mode, variables: Mapping[str, str], printed: str) -> None:
    source, sink = os.pipe()
    with os.fdopen(source, "rb") as reader:
        display = open_display(mode, sink, began_ns=0, size=lambda: (80, 24), variables=variables)
        async with display:
            display.update(vertex("a", 0, 1, name="n" * 80))
        os.close(sink)
        assert reader.read().decode() == printed


def test_rich_is_imported_by_the_live_display_alone() -> None:
    code = (
        "import sys, buildctl.progress.modes, buildctl.progress.plain\n"
        "sys.exit(any(name.partition('.')[0] in ('rich', 'google') for name in sys.modules))"
    )
    assert run([sys.executable, "-c", code], check=False).returncode == 0
