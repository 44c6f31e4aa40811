"""Log lines as logrus writes them, on standard error: text, coloured on a terminal, or JSON.

The project's modules log to loggers below `buildctl`; `configure` decides what becomes of it. Forms:
github.com/sirupsen/logrus, text_formatter.go and json_formatter.go.
"""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Callable, Iterator, Mapping

from buildctl.cli.environment import Environment
from buildctl.model.quote import quote

_LEVELS = {
    logging.DEBUG: ("debug", "DEBU", 37),
    logging.INFO: ("info", "INFO", 36),
    logging.WARNING: ("warning", "WARN", 33),
    logging.ERROR: ("error", "ERRO", 31),
    logging.CRITICAL: ("fatal", "FATA", 31),
}
"""Name, short name, and colour by its number in ECMA-48."""
_PLAIN = r"[A-Za-z0-9._/@^+-]*"  # compiled with the first line, which few builds log


class LogrusHandler(logging.Handler):
    """Writes each record as a line of `log_format`, `text` or `json`."""

    def __init__(self, environment: Environment, log_format: str) -> None:
        super().__init__()
        self._environment = environment
        colored = environment.is_terminal(environment.stderr)
        self._line = _json if log_format == "json" else _colored if colored else _text
        self._held: list[str] | None = None
        self.mask: Callable[[str], str] = str
        """What hides secrets in a line."""

    def emit(self, record: logging.LogRecord) -> None:
        time = self._environment.local_time(int(record.created * 1e9))
        line = self.mask(self._line(record, time)) + "\n"
        if self._held is not None:
            self._held.append(line)
        else:
            self._write(line)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Keep lines back while the block runs."""
        self._held = []
        try:
            yield
        finally:
            held, self._held = self._held, None
            self._write("".join(held))

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError):  # a message is no reason to fail
            self._environment.write_stderr(text)


def configure(environment: Environment, log_format: str, *, debug: bool) -> None:
    """Send what the project logs to standard error, debug messages only if wanted."""
    logger = logging.getLogger("buildctl")
    logger.handlers = [LogrusHandler(environment, log_format)]
    logger.setLevel(logging.DEBUG if debug else logging.INFO)
    logger.propagate = False


def held(*, when: bool) -> contextlib.AbstractContextManager[None]:
    """Keep lines back while the block runs, if so wanted."""
    ours = _handler()
    return ours.held() if when and ours else contextlib.nullcontext()


def mask_by(mask: Callable[[str], str]) -> None:
    """Hide secrets in all lines from now on."""
    if ours := _handler():
        ours.mask = mask


def _handler() -> LogrusHandler | None:
    handlers = logging.getLogger("buildctl").handlers
    return next((one for one in handlers if isinstance(one, LogrusHandler)), None)


def _text(record: logging.LogRecord, time: str) -> str:
    level = _LEVELS[record.levelno][0]
    members = {"time": time, "level": level, "msg": record.getMessage(), **_fields(record)}
    return " ".join(f"{name}={_value(text)}" for name, text in members.items())


def _colored(record: logging.LogRecord, time: str) -> str:
    _, level, color = _LEVELS[record.levelno]
    message = record.getMessage().removesuffix("\n")
    fields = "".join(f" \x1b[{color}m{name}\x1b[0m={_value(text)}" for name, text in _fields(record).items())
    return f"\x1b[{color}m{level}\x1b[0m[{time}] {message:<44} {fields}"


def _json(record: logging.LogRecord, time: str) -> str:
    from buildctl.model import gojson

    level = _LEVELS[record.levelno][0]
    members = {"level": level, "msg": record.getMessage(), "time": time, **_fields(record)}
    return gojson.encode(dict(sorted(members.items()))).decode()


def _fields(record: logging.LogRecord) -> dict[str, str]:
    """What a record was given as `extra={"fields": …}`, by name."""
    fields: Mapping[str, str] = getattr(record, "fields", {})
    return dict(sorted(fields.items()))


def _value(text: str) -> str:
    return text if re.fullmatch(_PLAIN, text) else quote(text)
