"""Structured logs, with CPR numbers redacted last.

Redaction is the last thing that happens to a line before it is written, in
structlog and in the standard library's logging alike, since numbers leak
through tracebacks and foreign libraries otherwise (design.md section 5).
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, Final, TextIO

import orjson
import structlog

# Ten digits whose first four are a day and a month, with or without the dash,
# also with 60 added to the day (replacement numbers); never inside a longer number.
CPR_PATTERN: Final = re.compile(
    r"(?<![0-9A-Za-z])(?:0[1-9]|[12]\d|3[01]|6[1-9]|[78]\d|9[01])(?:0[1-9]|1[0-2])\d{2}"
    r"[- ]?(?:\d{4}|\d{2}[A-Z]{2}|[0-9A-Z]\d?[A-Z]{2}\d)(?![0-9A-Za-z])"
)
REDACTED: Final = "[CPR]"


def redact(text: str) -> str:
    """Replace everything that looks like a CPR number by ``[CPR]``."""
    return CPR_PATTERN.sub(REDACTED, text)


def _render(_: Any, __: str, event: MutableMapping[str, Any]) -> str:
    return redact(orjson.dumps(event, default=str).decode())


def _render_for_people(logger: Any, name: str, event: MutableMapping[str, Any]) -> str:
    rendered = structlog.dev.ConsoleRenderer(colors=False)(logger, name, event)
    return redact(str(rendered))


class _Redacting(logging.Handler):
    """Writes records of the standard library in the same form and redacted."""

    def __init__(self, stream: TextIO, as_json: bool) -> None:
        super().__init__()
        self._stream = stream
        self._as_json = as_json

    def emit(self, record: logging.LogRecord) -> None:
        event: dict[str, Any] = {
            "event": record.getMessage(),
            "logger": record.name,
            "level": record.levelname.lower(),
        }
        if record.exc_info:
            event["exception"] = logging.Formatter().formatException(record.exc_info)
        line = (
            orjson.dumps(event, default=str).decode()
            if self._as_json
            else " ".join(f"{key}={value}" for key, value in event.items())
        )
        self._stream.write(redact(line) + "\n")
        self._stream.flush()


def configure_logging(
    *, as_json: bool = True, level: int = logging.INFO, stream: TextIO | None = None
) -> None:
    """Set up both logging worlds for this process."""
    target = stream or sys.stderr
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _render if as_json else _render_for_people,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(target),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers[:] = [_Redacting(target, as_json)]
    root.setLevel(max(level, logging.WARNING))
