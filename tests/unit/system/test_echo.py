"""Keys typed on a terminal: hushed, and shown again."""

from __future__ import annotations

import os
import pty
import termios
from collections.abc import Iterator

import pytest

from buildctl.system import echo


@pytest.fixture
def terminal() -> Iterator[int]:
    master, slave = pty.openpty()
    yield slave
    os.close(master)
    os.close(slave)


def shows_keys(descriptor: int) -> bool:
    return bool(termios.tcgetattr(descriptor)[3] & termios.ECHO)


def test_back_and_forth(terminal: int) -> None:
    before = termios.tcgetattr(terminal)
    echo.hush(terminal)
    assert not shows_keys(terminal)
    assert termios.tcgetattr(terminal)[3] & (termios.ICANON | termios.ISIG)  # Ctrl-C and type-ahead
    echo.restore(terminal)
    assert termios.tcgetattr(terminal) == before


def test_one_that_showed_none_before_shows_none_afterwards(terminal: int) -> None:
    attributes = termios.tcgetattr(terminal)
    attributes[3] &= ~termios.ECHO
    termios.tcsetattr(terminal, termios.TCSANOW, attributes)
    echo.hush(terminal)
    echo.restore_all()
    assert not shows_keys(terminal)


def test_what_changes_meanwhile_stays(terminal: int) -> None:
    echo.hush(terminal)
    attributes = termios.tcgetattr(terminal)
    attributes[3] &= ~termios.ICANON
    termios.tcsetattr(terminal, termios.TCSANOW, attributes)
    echo.restore_all()
    assert shows_keys(terminal)
    assert not termios.tcgetattr(terminal)[3] & termios.ICANON


def test_what_is_no_terminal_is_left_alone() -> None:
    reader, writer = os.pipe()
    echo.hush(writer)
    echo.restore_all()
    os.close(reader)
    os.close(writer)
