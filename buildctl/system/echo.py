"""Keys typed while a picture is on the terminal: not shown, and shown again on every way out.

The terminal stays in line mode: Ctrl-C and Ctrl-Z work, and what is typed ahead is there for the shell.
"""

from __future__ import annotations

import contextlib
import os
import termios

_LOCAL_FLAGS = 3  # in what termios.tcgetattr returns

_hushed: set[int] = set()
"""Terminals that showed keys before `hush`."""


def hush(descriptor: int) -> None:
    """Have the terminal show no keys, if it is ours to ask: a program in the background leaves it alone."""
    with contextlib.suppress(OSError, termios.error):
        if not _is_foreground(descriptor):
            return
        attributes = termios.tcgetattr(descriptor)
        if attributes[_LOCAL_FLAGS] & termios.ECHO:
            attributes[_LOCAL_FLAGS] &= ~termios.ECHO
            _hushed.add(descriptor)
            termios.tcsetattr(descriptor, termios.TCSANOW, attributes)


def restore(descriptor: int) -> None:
    """Have the terminal show keys again if `hush` has ended that."""
    if descriptor not in _hushed:
        return
    _hushed.discard(descriptor)
    with contextlib.suppress(OSError, termios.error):
        if _is_foreground(descriptor):  # in the background, the shell has put it right
            attributes = termios.tcgetattr(descriptor)
            attributes[_LOCAL_FLAGS] |= termios.ECHO
            termios.tcsetattr(descriptor, termios.TCSANOW, attributes)


def restore_all() -> None:
    """Put every terminal right: for a process that ends at once."""
    for descriptor in tuple(_hushed):
        restore(descriptor)


def _is_foreground(descriptor: int) -> bool:
    """Whether changing the terminal would not stop this process (SIGTTOU)."""
    try:
        return os.tcgetpgrp(descriptor) == os.getpgrp()
    except OSError:  # a terminal that controls no process
        return True
