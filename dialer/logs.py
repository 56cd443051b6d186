"""Structured logs: one line per fact, phone numbers masked whichever way they come in.

A number is found by the name of its field, whatever its type, and by its looks in every text: in
lists and mappings, in errors, in tracebacks, in what libraries log and in the last words of a
process that dies of a defect.
"""

import logging
import re
import sys
import threading
from collections.abc import Mapping, MutableMapping
from contextlib import suppress
from enum import StrEnum
from types import TracebackType
from typing import Any, Final, TextIO, cast

import structlog
from structlog.dev import ConsoleRenderer, plain_traceback

from dialer import masking


class Level(StrEnum):
    """How much is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


_LEVELS: Final = {Level.DEBUG: 10, Level.INFO: 20, Level.WARNING: 30, Level.ERROR: 40}
#: Fields that hold a phone number, or several, in whatever notation.
_PHONE_FIELDS: Final = frozenset(
    [
        "callee",
        "callees",
        "caller_id",
        "from",
        "from_",
        "number",
        "numbers",
        "phone",
        "phones",
        "to",
    ]
)
#: So many digits are a number that can be called; fewer are an id.
_CALLABLE_DIGITS: Final = 7
_DIGITS_BUT_THREE: Final = re.compile(r"\d(?=(?:\D*\d){3})")
#: The plus of a number in an address, as the carrier's callbacks carry it.
_ENCODED_PLUS: Final = re.compile(r"%2B(?=\d)", re.IGNORECASE)
#: Libraries speak up about troubles only; their details are no facts of ours.
_LIBRARIES_FROM: Final = logging.WARNING


def mask(text: str) -> str:
    """Hide the middle of every phone number in *text*: +15551234567 becomes +1555***567."""
    return masking.mask(_ENCODED_PLUS.sub("+", text))


def masked(value: Any, field: str = "") -> Any:
    """A copy of *value* fit for a log: without phone numbers, be it one of a *field* of them.

    What is neither a text, a number nor a collection becomes the text that describes it.
    """
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, Mapping):
        return {mask(str(key)): masked(each, str(key)) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [masked(each, field) for each in value]
    text = value if isinstance(value, str) else _described(value)
    if field in _PHONE_FIELDS:
        return _hidden(text)
    return value if isinstance(value, int) else mask(text)


def configure(log_format: str, level: str) -> None:
    """Set logging up for this process: words go to stderr, data never does.

    What libraries log, warnings and uncaught errors take the same way.
    """
    _log_to_stderr(log_format, level, for_good=True)
    _take_in_libraries()
    _take_in_last_words()


def configure_command(log_format: str) -> None:
    """Set logging up for a command: it tells of troubles, and its errors go to whoever runs it."""
    _log_to_stderr(log_format, Level.WARNING, for_good=False)


def _log_to_stderr(log_format: str, level: str, *, for_good: bool) -> None:
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
            # A traceback with the values of variables would show what was masked.
            else ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain_traceback),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[Level(level)]),
        logger_factory=structlog.PrintLoggerFactory(cast(TextIO, _Words())),
        cache_logger_on_first_use=for_good,
    )


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


class _FromLibraries(logging.Handler):
    """Hands on what is logged by the standard library's means."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = record.getMessage()
        except Exception:  # a message and arguments that do not fit are no reason to stop
            text = str(record.msg)
        structlog.get_logger().log(
            record.levelno, "library.said", library=record.name, text=text, exc_info=record.exc_info
        )


def _take_in_libraries() -> None:
    root = logging.getLogger()
    for handler in root.handlers[:]:
        if isinstance(handler, _FromLibraries):
            root.removeHandler(handler)
    root.addHandler(_FromLibraries(_LIBRARIES_FROM))
    logging.captureWarnings(capture=True)


def _take_in_last_words() -> None:
    """Python prints an error that nobody catches together with its values; see that it does not."""
    sys.excepthook = _uncaught
    threading.excepthook = lambda args: _uncaught(args.exc_type, args.exc_value, args.exc_traceback)
    sys.unraisablehook = lambda args: _uncaught(args.exc_type, args.exc_value, args.exc_traceback)


def _uncaught(
    kind: type[BaseException], error: BaseException | None, traceback: TracebackType | None
) -> None:
    exc_info = (kind, error if error is not None else kind(), traceback)
    structlog.get_logger().critical("error.uncaught", exc_info=exc_info)


def _masked(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    return cast(MutableMapping[str, Any], masked(event))


def _described(value: object) -> str:
    return str(value) if isinstance(value, BaseException | int) else repr(value)


def _hidden(text: str) -> str:
    """The content of a field of numbers: masked by its looks, else all digits but the last."""
    by_looks = mask(text)
    if by_looks != text or sum(map(str.isdigit, text)) < _CALLABLE_DIGITS:
        return by_looks
    return _DIGITS_BUT_THREE.sub("*", text)
