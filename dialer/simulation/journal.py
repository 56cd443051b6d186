"""Everything that happened in a run, in order, and one hash over it."""

import hashlib
import sys
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import structlog

from dialer import lazy_log
from dialer.errors import DialerError
from dialer.simulation.processes import current

#: A run that goes wrong has this many entries of interest at its end.
LAST: Final = 40
_INFO: Final = 20


class Entry(NamedTuple):
    """One happening, *at_s* seconds into the run; *process* is empty for the world outside."""

    at_s: float
    process: str
    what: str
    facts: Mapping[str, Any]

    def __str__(self) -> str:
        facts = " ".join(f"{name}={value}" for name, value in self.facts.items())
        return f"{self.at_s:10.3f} {self.process or 'world':<10} {self.what} {facts}"


class Journal:
    """Takes notes until it is sealed; *folder*, which is another one in every run, is left out."""

    def __init__(self, folder: Path) -> None:
        #: The loop's time, once there is a loop.
        self.now_s: Callable[[], float] = float
        self.entries: list[Entry] = []
        #: Exceptions that no DialerError explains: defects, whatever the weather.
        self.defects: list[str] = []
        self.sealed = False
        self._folder = str(folder)
        self._hash = hashlib.sha256()

    def note(self, what: str, **facts: Any) -> None:
        """Take down what happens now."""
        if self.sealed:
            return
        process, now_s = current(), self.now_s()
        told = {name: self._without_folder(value) for name, value in facts.items()}
        entry = Entry(now_s, process.name if process else "", what, told)
        self.entries.append(entry)
        self._hash.update(repr(entry).encode())

    def seal(self) -> None:
        """Take nothing down any more: what the dead say while they are laid to rest is no news."""
        self.sealed = True
        self.now_s = float  # whoever keeps the notes shall not keep the loop and all that is in it

    @property
    def digest(self) -> str:
        """Equal for equal histories."""
        return self._hash.hexdigest()

    def about(self, *names: str, last: int = LAST) -> list[str]:
        """The last entries whose facts hold one of *names*; of all entries for no names."""
        found = [each for each in self.entries if not names or _holds(each, names)]
        return [str(entry) for entry in found[-last:]]

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Have everything that is logged meanwhile noted here, and printed nowhere."""
        lazy_log.set_up_now()  # and not later, in the place of what is set up here
        before = structlog.get_config()
        structlog.configure(
            processors=[self._hear],
            wrapper_class=structlog.make_filtering_bound_logger(_INFO),
            cache_logger_on_first_use=False,
        )
        try:
            yield
        finally:
            structlog.configure(**before)

    def _hear(
        self, _logger: object, method: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        said = event.pop("event")
        if event.pop("exc_info", None) and not self.sealed:
            self._suspect(said, method)
        self.note(said, **event)
        raise structlog.DropEvent

    def _suspect(self, said: str, method: str) -> None:
        """An exception was logged: something the engine knows of, or a defect."""
        error = sys.exc_info()[1]
        if not isinstance(error, DialerError | TimeoutError):
            self.defects.append(f"{method} {said}: {type(error).__name__}: {error}")

    def _without_folder(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._without_folder(each) for each in value]
        return value.replace(self._folder, "") if isinstance(value, str) else value


def _holds(entry: Entry, names: Sequence[str]) -> bool:
    return any(name in str(value) for value in entry.facts.values() for name in names)
