"""How far long work is, on stderr: a bar on a terminal, elsewhere a line now and then."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Protocol

from dialer.ports import Clock

#: Where nobody watches a bar, a line says this often how far it is.
LINE_EVERY_S: Final = 5
_MS: Final = 1000


class Tell(Protocol):
    """Told after each portion how much of all is *done*, and that in words."""

    def __call__(self, done: int, of: int, words: str) -> None:
        """Hear of a portion."""


def silence(done: int, of: int, words: str) -> None:
    """Tell nobody."""


@contextmanager
def shown(*, otherwise: Tell = silence, static: bool = False) -> Iterator[Tell]:
    """A bar, which vanishes at the end; where nobody sees one, or *static*, *otherwise* is told."""
    if static or not sys.stderr.isatty():
        yield otherwise
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    bar = Progress(
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.description}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    with bar:
        task = bar.add_task("")

        def tell(done: int, of: int, words: str) -> None:
            bar.update(task, completed=done, total=of, description=words)

        yield tell


def now_and_then(tell: Tell, clock: Clock) -> Tell:
    """*tell*, left alone until :data:`LINE_EVERY_S` have passed since it was told last."""
    told_at = clock.now()

    def told(done: int, of: int, words: str) -> None:
        nonlocal told_at
        now = clock.now()
        if now - told_at >= LINE_EVERY_S * _MS:
            told_at = now
            tell(done, of, words)

    return told
