"""Structured logs: one line per fact, phone numbers and secrets masked."""

import re
import sys
from collections.abc import MutableMapping
from contextlib import suppress
from enum import StrEnum
from typing import Any, Final, TextIO, cast

import structlog


class Level(StrEnum):
    """How much is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


_LEVELS: Final = {Level.DEBUG: 10, Level.INFO: 20, Level.WARNING: 30, Level.ERROR: 40}
_PHONE: Final = re.compile(r"\+(\d{4})(\d{2,8})(\d{3})(?!\d)")


def mask(text: str) -> str:
    """Hide the middle of every phone number in *text*: +15551234567 becomes +1555***567."""
    return _PHONE.sub(r"+\1***\3", text)


class _Words:
    """Standard error as logs need it: what cannot be written is lost, and nothing else is.

    The disk that keeps the log may be full, or its reader gone; calls go on all the same.
    """

    def write(self, text: str) -> None:
        with suppress(OSError):
            sys.stderr.write(text)

    def flush(self) -> None:
        with suppress(OSError):
            sys.stderr.flush()


def configure(log_format: str, level: str) -> None:
    """Set logging up for this process: words go to stderr, data never does."""
    as_json = log_format == "json" or (log_format == "auto" and not sys.stderr.isatty())
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
            structlog.processors.format_exc_info,
            _masked,
            structlog.processors.JSONRenderer()
            if as_json
            else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[Level(level)]),
        logger_factory=structlog.PrintLoggerFactory(cast(TextIO, _Words())),
        cache_logger_on_first_use=True,
    )


def _masked(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = mask(value)
    return event
