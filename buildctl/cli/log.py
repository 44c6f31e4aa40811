"""Log lines as logrus writes them, on standard error: text, coloured on a terminal, or JSON.

The project's modules log to loggers below `buildctl`; `configure` decides what becomes of it. Forms:
github.com/sirupsen/logrus, text_formatter.go and json_formatter.go.
"""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Iterator, Mapping

from buildctl.cli.output import Output
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

    def __init__(self, output: Output, log_format: str) -> None:
        super().__init__()
        self._output = output
        self._line = _json if log_format == "json" else _colored if output.stderr_is_terminal else _text
        self._held: list[str] | None = None

    def emit(self, record: logging.LogRecord) -> None:
        clean = self._output.clean
        time = self._output.environment.local_time(int(record.created * 1e9))
        fields = {clean(name): clean(text) for name, text in _fields(record).items()}
        line = self._line(record, time, clean(record.getMessage()), fields) + "\n"
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
            self._output.say_as_it_is(text)


def configure(output: Output, log_format: str, *, debug: bool) -> None:
    """Send what the project logs to standard error, debug messages only if wanted.

    What others log, and Python would write there itself, goes the same way from warnings on.
    """
    logger = logging.getLogger("buildctl")
    handler = LogrusHandler(output, log_format)
    logger.handlers = [handler]
    logging.lastResort = LogrusHandler(output, log_format)
    logging.lastResort.setLevel(logging.WARNING)
    logger.setLevel(logging.DEBUG if debug else logging.INFO)
    logger.propagate = False


def held(*, when: bool) -> contextlib.AbstractContextManager[None]:
    """Keep lines back while the block runs, if so wanted."""
    ours = _handler()
    return ours.held() if when and ours else contextlib.nullcontext()


def _handler() -> LogrusHandler | None:
    handlers = logging.getLogger("buildctl").handlers
    return next((one for one in handlers if isinstance(one, LogrusHandler)), None)


def _text(record: logging.LogRecord, time: str, message: str, fields: Mapping[str, str]) -> str:
    level = _level(record)[0]
    members = {"time": time, "level": level, "msg": message, **fields}
    return " ".join(f"{name}={_value(text)}" for name, text in members.items())


def _colored(record: logging.LogRecord, time: str, message: str, fields: Mapping[str, str]) -> str:
    _, level, color = _level(record)
    message = message.removesuffix("\n")
    colored = "".join(f" \x1b[{color}m{name}\x1b[0m={_value(text)}" for name, text in fields.items())
    return f"\x1b[{color}m{level}\x1b[0m[{time}] {message:<44} {colored}"


def _json(record: logging.LogRecord, time: str, message: str, fields: Mapping[str, str]) -> str:
    from buildctl.model import gojson

    level = _level(record)[0]
    members = {"level": level, "msg": message, "time": time, **fields}
    return gojson.encode(dict(sorted(members.items()))).decode()


def _level(record: logging.LogRecord) -> tuple[str, str, int]:
    """Of levels with names of others', the next below."""
    return _LEVELS.get(record.levelno - record.levelno % 10, _LEVELS[logging.WARNING])


def _fields(record: logging.LogRecord) -> dict[str, str]:
    """What a record was given as `extra={"fields": …}`, by name."""
    fields: Mapping[str, str] = getattr(record, "fields", {})
    return dict(sorted(fields.items()))


def _value(text: str) -> str:
    return text if re.fullmatch(_PLAIN, text) else quote(text)
