"""Log lines: logrus's forms, and none in the middle of a picture."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from buildctl.cli import log
from buildctl.cli.environment import Environment
from buildctl.cli.output import Output

LOG = logging.getLogger("buildctl.test")


class Terminal(Environment):
    """An environment whose streams all count as terminals."""

    def is_terminal(self, descriptor: int) -> bool:
        return True


@pytest.fixture
def stderr(tmp_path: Path) -> Iterator[Path]:
    logger = logging.getLogger("buildctl")
    before = logger.handlers, logger.level, logger.propagate
    yield tmp_path / "stderr"
    logger.handlers, level, logger.propagate = before
    logger.setLevel(level)


def environment(path: Path, kind: type[Environment] = Environment) -> Environment:
    return kind(stderr=os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND))


def test_text(stderr: Path) -> None:
    log.configure(Output(environment(stderr)), "text", debug=False)
    LOG.warning("one=%s", 1)
    LOG.warning("plain")
    LOG.debug("unwanted")
    LOG.info("with fields", extra={"fields": {"path": "/a/b", "error": 'no "x"'}})
    first, second, third = stderr.read_text().splitlines()
    assert first.startswith('time="20')
    assert first.endswith('" level=warning msg="one=1"')
    assert second.endswith(" level=warning msg=plain")
    assert third.endswith(r' level=info msg="with fields" error="no \"x\"" path=/a/b')


def test_debug_messages_where_they_are_wanted(stderr: Path) -> None:
    log.configure(Output(environment(stderr)), "", debug=True)
    LOG.debug("wanted")
    assert stderr.read_text().endswith(" level=debug msg=wanted\n")


def test_json(stderr: Path) -> None:
    log.configure(Output(environment(stderr)), "json", debug=False)
    LOG.error("a<b", extra={"fields": {"error": "why"}})
    line = stderr.read_text()
    assert line.startswith(r'{"error":"why","level":"error","msg":"a\u003cb","time":"20')
    assert json.loads(line)["msg"] == "a<b"


def test_terminals_get_colours(stderr: Path) -> None:
    log.configure(Output(environment(stderr, Terminal)), "text", debug=False)
    LOG.warning("careful", extra={"fields": {"error": "why"}})
    line = stderr.read_text()
    assert line.startswith("\x1b[33mWARN\x1b[0m[20")
    assert line.endswith("careful".ljust(44) + "  \x1b[33merror\x1b[0m=why\n")


def test_lines_that_are_held_come_afterwards(stderr: Path) -> None:
    log.configure(Output(environment(stderr)), "text", debug=False)
    with log.held(when=True):
        LOG.warning("one")
        LOG.warning("two")
        assert stderr.read_text() == ""
    assert [line[-3:] for line in stderr.read_text().splitlines()] == ["one", "two"]
    with log.held(when=False):
        LOG.warning("three")
        assert stderr.read_text().endswith("three\n")
