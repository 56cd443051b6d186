"""The log as everybody writes it; its library is imported when there is something to say.

Most commands say nothing, and are done before that library would have been loaded. Whoever would
set the log up leaves word here, and it is done before the first line, whatever is imported when.
"""

from collections.abc import Callable
from typing import Any, Final

#: What has to be done before the next line: one thing, or nothing.
_awaited: Final[list[Callable[[], None]]] = []


def before_first_line(configure: Callable[[], None]) -> None:
    """Have *configure* set the log up when there is a line to write, and not at all otherwise."""
    _awaited[:] = [configure]


def set_up_now() -> None:
    """Set the log up, if that was put off."""
    if _awaited:
        _awaited.pop()()


def is_set_up() -> None:
    """Tell that the log has been set up otherwise: what was put off is not done any more."""
    _awaited.clear()


class Log:
    """A logger, made when it is used first: ``log.info("event.name", field=…)``."""

    def __init__(self) -> None:
        self._logger: Any = None

    def __getattr__(self, method: str) -> Any:
        set_up_now()
        if self._logger is None:
            import structlog

            self._logger = structlog.get_logger()
        return getattr(self._logger, method)
