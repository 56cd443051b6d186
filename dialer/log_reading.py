"""Reading a log back: which of its lines somebody wants, and how a person reads them.

A log is somebody else's text by the time it is read: lines that are no JSON, halves of lines, and
numbers that a program without our care has put there. What cannot be read is passed on as it is,
masked like everything else.
"""

import json
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from io import TextIOWrapper
from pathlib import Path
from typing import Any, Final

from dialer import logs
from dialer.errors import NotFoundError, UnreachableError

MS: Final = 1000
#: Fields that name a call, or an attempt at one.
_CALLS: Final = ("attempt", "sid", "other", "attempts")
#: So much of a name tells it from others.
_LEAST_OF_A_NAME: Final = 6
#: Files that a log has given way to, the oldest first.
_OLD: Final = tuple(range(logs.OLD_FILES, 0, -1))
_RANKS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}
#: What a line begins with, in this order; the other fields follow by name.
_HEAD: Final = ("ts", "level", "event")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which lines somebody wants; None: it does not matter."""

    level: logs.Level | None = None  # at least
    call: str | None = None  # an attempt's id or the carrier's, or how it begins
    since_at: int | None = None  # UTC ms

    @property
    def everything(self) -> bool:
        return self.level is None and self.call is None and self.since_at is None

    def takes(self, entry: Mapping[str, Any] | None) -> bool:
        """Whether a line is wanted; one that cannot be read (None), if all are."""
        if entry is None:
            return self.everything
        return self._loud_enough(entry) and self._of_the_call(entry) and self._late_enough(entry)

    def _loud_enough(self, entry: Mapping[str, Any]) -> bool:
        rank = _RANKS.get(str(entry.get("level", "")), 0)
        return self.level is None or rank >= _RANKS[self.level]

    def _of_the_call(self, entry: Mapping[str, Any]) -> bool:
        if self.call is None:
            return True
        names = [entry.get(field) for field in _CALLS]
        flat = [each for name in names for each in (name if isinstance(name, list) else [name])]
        return any(isinstance(each, str) and _is_of(each, self.call) for each in flat)

    def _late_enough(self, entry: Mapping[str, Any]) -> bool:
        if self.since_at is None:
            return True
        at = _at(entry)
        return at is not None and at >= self.since_at


def _is_of(name: str, asked: str) -> bool:
    return name == asked or (len(asked) >= _LEAST_OF_A_NAME and name.startswith(asked))


def _at(entry: Mapping[str, Any]) -> int | None:
    try:
        at = datetime.fromisoformat(str(entry.get("ts", "")))
    except ValueError:
        return None
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * MS)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a log, masked again; *entry* is None where it cannot be read."""

    text: str
    entry: Mapping[str, Any] | None

    def as_json(self) -> str:
        """As programs read it, in one line."""
        entry = {"text": self.text} if self.entry is None else self.entry
        return json.dumps(entry, ensure_ascii=False, default=str)

    def as_text(self) -> str:
        """As people read it: when, how bad, what, and then the facts; a traceback follows below."""
        if self.entry is None:
            return _printable(self.text)
        at, level, event = (str(self.entry.get(name, "")) for name in _HEAD)
        facts = sorted((k, v) for k, v in self.entry.items() if k not in (*_HEAD, "exception"))
        words = [at.replace("T", " "), level.ljust(8), event.ljust(24)]
        words += [f"{name}={_value(value)}" for name, value in facts if value is not None]
        head = _printable(" ".join(words)).rstrip()
        below = str(self.entry.get("exception") or "").splitlines()
        return "\n".join([head, *(f"    {_printable(each)}" for each in below)])


def line_of(text: str) -> Line:
    """A line as it stands in a log."""
    try:
        entry = json.loads(text)
    except ValueError:
        entry = None
    if not isinstance(entry, dict):
        return Line(logs.mask(text), None)
    return Line("", logs.masked(entry))


def wanted_lines(texts: Iterable[str], wanted: Wanted) -> Iterator[Line]:
    """Those of a log's lines that somebody wants."""
    for text in texts:
        if text.strip():
            line = line_of(text.rstrip("\n"))
            if wanted.takes(line.entry):
                yield line


def last(lines: Iterable[Line], most: int | None) -> Iterable[Line]:
    """The last *most* lines; None: all of them."""
    return lines if most is None else deque(lines, maxlen=most)


def texts_of(file: Path, *, since_at: int | None = None) -> Iterator[str]:
    """The lines of a log file; with *since_at* (UTC ms) those of older files that may be of then.

    Raises NotFoundError when there is no such file.
    """
    if not file.is_file():
        raise NotFoundError(f"there is no log file {file}", next_step="dialer logs tail --help")
    older = [file.with_name(f"{file.name}.{number}") for number in _OLD]
    begun = [each for each in older if since_at is not None and _touched(each, since_at)]
    for each in (*begun, file):
        with _opened(each) as log:
            yield from log


def _touched(file: Path, since_at: int) -> bool:
    return file.is_file() and file.stat().st_mtime * MS >= since_at


def _opened(file: Path) -> TextIOWrapper:
    try:
        return file.open(encoding="utf-8", errors="replace")
    except OSError as error:
        raise UnreachableError(f"log file {file} cannot be read: {error.strerror}") from error


def followed(file: Path, pause: Callable[[], None]) -> Iterator[str]:
    """The lines that a log file gets from now on, for ever, also after it gave way to a new one.

    *pause* is called whenever there is nothing new.
    """
    log = _opened(file)
    try:
        log.seek(0, 2)
        begun = ""
        while True:
            begun += log.readline()
            if begun.endswith("\n"):
                yield begun
                begun = ""
            elif _gave_way(log, file):
                log.close()
                log, begun = _opened(file), ""
            else:
                pause()
    finally:
        log.close()


def _gave_way(log: TextIOWrapper, file: Path) -> bool:
    """Whether another file has the name by now."""
    try:
        return os.fstat(log.fileno()).st_ino != file.stat().st_ino
    except OSError:
        return False  # between the old one and the new one


def _value(value: object) -> str:
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False) if " " in value or not value else value
    return json.dumps(value, ensure_ascii=False, default=str)


def _printable(text: str) -> str:
    """*text* without what would command a terminal."""
    return "".join(each if each.isprintable() else " " for each in text)
