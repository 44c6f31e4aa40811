"""Log lines as logrus writes them, on standard error: text, coloured on a terminal, or JSON.

The project's modules log to loggers below `buildctl`; `configure` decides what becomes of it. Forms:
github.com/sirupsen/logrus, text_formatter.go and json_formatter.go.
"""

from __future__ import annotations

import logging
import re

from buildctl.cli.environment import Environment
from buildctl.model import gojson
from buildctl.model.quote import quote

_LEVELS = {
    logging.DEBUG: ("debug", "DEBU", 37),
    logging.INFO: ("info", "INFO", 36),
    logging.WARNING: ("warning", "WARN", 33),
    logging.ERROR: ("error", "ERRO", 31),
    logging.CRITICAL: ("fatal", "FATA", 31),
}
"""Name, short name, and colour by its number in ECMA-48."""
_PLAIN = re.compile(r"[A-Za-z0-9._/@^+-]+")


class LogrusHandler(logging.Handler):
    """Writes each record as a line of `log_format`, `text` or `json`."""

    def __init__(self, environment: Environment, log_format: str) -> None:
        super().__init__()
        self._environment = environment
        colored = environment.is_terminal(environment.stderr)
        self._line = _json if log_format == "json" else _colored if colored else _text

    def emit(self, record: logging.LogRecord) -> None:
        try:
            time = self._environment.local_time(int(record.created * 1e9))
            self._environment.write_stderr(self._line(record, time) + "\n")
        except OSError:
            pass  # a message is no reason to fail


def configure(environment: Environment, log_format: str, *, debug: bool) -> None:
    """Send what the project logs to standard error, debug messages only if wanted."""
    logger = logging.getLogger("buildctl")
    logger.handlers = [LogrusHandler(environment, log_format)]
    logger.setLevel(logging.DEBUG if debug else logging.INFO)
    logger.propagate = False


def _text(record: logging.LogRecord, time: str) -> str:
    message = record.getMessage()
    shown = message if _PLAIN.fullmatch(message) else quote(message)
    return f"time={quote(time)} level={_LEVELS[record.levelno][0]} msg={shown}"


def _colored(record: logging.LogRecord, time: str) -> str:
    _, level, color = _LEVELS[record.levelno]
    message = record.getMessage().removesuffix("\n")
    return f"\x1b[{color}m{level}\x1b[0m[{time}] {message:<44} "


def _json(record: logging.LogRecord, time: str) -> str:
    fields = {"level": _LEVELS[record.levelno][0], "msg": record.getMessage(), "time": time}
    return gojson.encode(fields).decode()
