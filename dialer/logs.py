"""Structured logs: one line per fact, phone numbers masked whichever way they come in.

A number is found by the name of its field, whatever its type, and by its looks in every text: in
lists and mappings, in errors, in tracebacks, in what libraries log and in the last words of a
process that dies of a defect. What else is said of people is left out by the name of its field.
Secrets are found by their looks, and those of the settings in whatever line they turn up.
"""

import json
import logging
import os
import re
import sys
import threading
from collections.abc import Collection, Mapping, MutableMapping, Sequence
from contextlib import suppress
from enum import StrEnum
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import TracebackType
from typing import Any, Final, TextIO, cast

import structlog
from structlog.dev import ConsoleRenderer, plain_traceback

from dialer import lazy_log, masking
from dialer.errors import UnreachableError


class Level(StrEnum):
    """How much is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


_LEVELS: Final = {Level.DEBUG: 10, Level.INFO: 20, Level.WARNING: 30, Level.ERROR: 40}
#: This process's level, one number. No logger of the standard library keeps it: any library may
#: disable those it finds, and the log would fall silent.
_LEVEL: Final = [logging.INFO]
_BY_METHOD: Final = {level.value: number for level, number in _LEVELS.items()}
#: Fields that hold a phone number, or several, in whatever notation.
_PHONE_FIELDS: Final = frozenset(
    [
        "called",
        "callee",
        "callees",
        "caller",
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
#: Fields that say who somebody is, or what is known of them: no log is about people.
_PERSONAL_FIELDS: Final = frozenset(
    ["contact", "contact_name", "email", "full_name", "note", "notes", "tags", "variables"]
)
#: So many digits are a number that can be called; fewer are an id.
_CALLABLE_DIGITS: Final = 7
_DIGITS_BUT_THREE: Final = re.compile(r"\d(?=(?:\D*\d){3})")
#: The plus of a number in an address, as the carrier's callbacks carry it.
_ENCODED_PLUS: Final = re.compile(r"%2B(?=\d)", re.IGNORECASE)
#: Log files that are kept beside the one that is written.
OLD_FILES: Final = 4
_MB: Final = 1_000_000
#: What is shorter is found in too many words to be hidden wherever it stands.
_SHORTEST_SECRET: Final = 6
#: Libraries speak up about troubles only; their details are no facts of ours.
_LIBRARIES_FROM: Final = logging.WARNING


def mask(text: str) -> str:
    """Hide the middle of every phone number in *text*, and secrets: +15551234567 becomes
    +1555***567.
    """
    return masking.hide_secrets(masking.mask(_ENCODED_PLUS.sub("+", text)))


def masked(value: Any, field: str = "") -> Any:
    """A copy of *value* fit for a log: without phone numbers, be it one of a *field* of them.

    What is neither a text, a number nor a collection becomes the text that describes it.
    """
    if value is None or isinstance(value, bool | float):
        return value
    if field in _PERSONAL_FIELDS and not isinstance(value, int):
        return masking.HIDDEN
    if isinstance(value, Mapping):
        return {mask(str(key)): masked(each, str(key)) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [masked(each, field) for each in value]
    text = value if isinstance(value, str) else _described(value)
    if field in _PHONE_FIELDS:
        return _hidden(text)
    return value if isinstance(value, int) else mask(text)


def configure(
    log_format: str,
    level: str,
    *,
    file: Path | None = None,
    file_mb: int = 64,
    secrets: Collection[str] = (),
) -> None:
    """Set logging up for this process: words go to stderr, data never does.

    They go to *file* as well, as JSON, until it has *file_mb* megabytes and gives way to a new
    one. *secrets* are hidden wherever they stand. What libraries log, warnings and uncaught errors
    take the same way. Raises UnreachableError for a file that cannot be written.
    """
    keep = () if file is None else (_Keep(_opened(file, file_mb), _HIDE),)
    _HIDE.only(secrets)
    _log_to_stderr(log_format, level, for_good=True, keep=keep, hide=_HIDE)
    _take_in_libraries()
    _take_in_last_words()


def hide(secrets: Collection[str]) -> None:
    """Hide *secrets*, too, wherever they stand, from now on."""
    _HIDE.also(secrets)


def set_level(level: str) -> None:
    """Log from *level* on, from now on."""
    _LEVEL[0] = _LEVELS[Level(level)]


def configure_command(log_format: str) -> None:
    """Set logging up for a command: it tells of troubles, and its errors go to whoever runs it."""
    _log_to_stderr(log_format, Level.WARNING, for_good=False)


def _log_to_stderr(
    log_format: str,
    level: str,
    *,
    for_good: bool,
    keep: Collection["_Keep"] = (),
    hide: "_Hide | None" = None,
) -> None:
    lazy_log.is_set_up()
    set_level(level)
    as_json = log_format == "json" or (log_format == "auto" and not sys.stderr.isatty())
    structlog.configure(
        processors=[
            _loud_enough,
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
            structlog.processors.format_exc_info,
            _masked,
            *keep,
            structlog.processors.JSONRenderer()
            if as_json
            # A traceback with the values of variables would show what was masked.
            else ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain_traceback),
            *((hide,) if hide is not None else ()),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG),
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


class _Hide:
    """The last look at a line: the secrets of the settings are in none."""

    def __init__(self) -> None:
        self._secrets: Sequence[str] = ()  # the longest first, for one may hold another

    def only(self, secrets: Collection[str]) -> None:
        """Look for these, and no others any more."""
        self._secrets = ()
        self.also(secrets)

    def also(self, secrets: Collection[str]) -> None:
        """Look for these, too: what was one before may still be said."""
        known = [secret for secret in secrets if len(secret) >= _SHORTEST_SECRET]
        as_written = {json.dumps(secret)[1:-1] for secret in known}
        self._secrets = sorted({*self._secrets, *known, *as_written}, key=len, reverse=True)

    def __call__(self, _logger: object, _method: str, line: str) -> str:
        for secret in self._secrets:
            line = line.replace(secret, masking.HIDDEN)
        return line


#: Of this process, whose loggers are kept once made.
_HIDE: Final = _Hide()


class _LogFile(RotatingFileHandler):
    """A file for its owner alone; what cannot be written to it is lost, and nothing else is."""

    def _open(self) -> TextIOWrapper:
        def for_owner(path: str, flags: int) -> int:
            return os.open(path, flags, 0o600)

        return open(self.baseFilename, "a", encoding="utf-8", opener=for_owner)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  the library's name
        """Say nothing: stderr has the line."""


class _Keep:
    """Writes every line to a file, too, whatever stderr gets."""

    def __init__(self, file: _LogFile, hide: _Hide) -> None:
        self._file = file
        self._hide = hide
        self._render = structlog.processors.JSONRenderer()

    def __call__(
        self, logger: object, method: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        line = self._hide(logger, method, str(self._render(logger, method, {**event})))
        self._file.handle(logging.makeLogRecord({"msg": line}))
        return event


def _opened(file: Path, file_mb: int) -> _LogFile:
    try:
        return _LogFile(file, maxBytes=file_mb * _MB, backupCount=OLD_FILES, encoding="utf-8")
    except OSError as error:
        raise UnreachableError(
            f"log file {file} cannot be written: {error.strerror}",
            next_step="check DIALER_LOG_FILE, and that its folder exists and is writable",
        ) from error


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


def _loud_enough(
    _logger: object, method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Whether to go on: loggers are kept once made, so that the level is looked up each time."""
    if _BY_METHOD.get(method, logging.CRITICAL) < _LEVEL[0]:
        raise structlog.DropEvent
    return event


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
