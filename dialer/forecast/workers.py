"""Runs beside each other: one process for each core, which ends with the block that started it.

A process shares nothing with another and a run draws from its own seed, so what comes out does
not depend on how many there are, nor on who runs what. Ctrl-C is for the process that started
them; theirs is blocked, and they are ended from outside.
"""

import gc
import multiprocessing
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Final, Self, TypeAlias

from dialer.errors import DialerError
from dialer.forecast.problem import Problem
from dialer.forecast.tally import Tally
from dialer.simulation.children import cores, interrupts_blocked

#: Generic for type checkers alone.
Pipe: TypeAlias = "Connection[object, object]"
#: A run that is not over counts as this much of one at the most.
NEARLY: Final = 0.99


class Crew:
    """Processes that run problems. They start when its block is entered, and get ready at once."""

    def __init__(self, size: int | None = None) -> None:
        """*size* processes; without it, one for each core that this process may use."""
        self._size = size or cores()
        self._context = multiprocessing.get_context("spawn")
        self._processes: dict[Pipe, SpawnProcess] = {}

    def __enter__(self) -> Self:
        with interrupts_blocked():
            for _ in range(self._size):
                ours, theirs = self._context.Pipe()
                process = self._context.Process(target=_work, args=(theirs,), daemon=True)
                process.start()
                theirs.close()
                self._processes[ours] = process
        return self

    def __exit__(self, *_exception: object) -> None:
        for process in self._processes.values():
            process.terminate()
        for connection, process in self._processes.items():
            process.join()
            connection.close()

    @property
    def processes(self) -> list[SpawnProcess]:
        """Those that were started."""
        return [*self._processes.values()]

    def run(self, problems: Sequence[Problem], tell: Callable[[float], None]) -> list[Tally]:
        """The tallies of *problems* in their order; *tell* hears which share of them is done.

        Raises DialerError when a run fails, or its process ends.
        """
        waiting = list(enumerate(problems))[::-1]
        at_work: dict[Pipe, int] = {}
        done: dict[int, Tally] = {}
        shares = [0.0] * len(problems)

        def give(connection: Pipe) -> None:
            if waiting:
                at_work[connection], problem = waiting.pop()
                try:
                    connection.send(problem)
                except OSError as error:
                    raise self._gone(connection) from error

        for connection in self._processes:
            give(connection)
        while at_work:
            for ready in wait([*at_work]):
                assert isinstance(ready, Connection), "only these are waited for"
                place, news = at_work[ready], self._news(ready)
                if isinstance(news, Tally):
                    done[place] = news
                    del at_work[ready]
                    give(ready)
                expected = max(1.0, problems[place].expected_calls)
                shares[place] = 1.0 if isinstance(news, Tally) else min(NEARLY, news / expected)
            tell(sum(shares) / len(shares))
        return [done[place] for place in range(len(problems))]

    def _news(self, connection: Pipe) -> Tally | int:
        try:
            news = connection.recv()
        except (EOFError, OSError) as error:
            raise self._gone(connection) from error
        if isinstance(news, str):
            raise DialerError(f"a run of the forecast failed: {news}")
        assert isinstance(news, Tally | int), "nothing else is sent"
        return news

    def _gone(self, connection: Pipe) -> DialerError:
        process = self._processes[connection]
        process.join()
        return DialerError(
            f"a process of the forecast ended by itself (exit code {process.exitcode})",
            next_step="if memory has run out, leave out --full: a sample takes little of it",
        )


def _work(connection: Pipe) -> None:
    """Run what comes until nobody sends any more."""
    from dialer import logs
    from dialer.forecast.run import simulate  # all of the engine; meanwhile the list is read
    from dialer.timezones import pin_zone_data

    logs.configure("json", "error")
    pin_zone_data()
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)
    with suppress(EOFError, BrokenPipeError):
        while True:
            problem = connection.recv()
            assert isinstance(problem, Problem), "nothing else is sent"
            try:
                connection.send(simulate(problem, connection.send))
            except BrokenPipeError:
                raise
            except Exception as error:  # whatever it is, whoever waits must hear of it
                connection.send(f"{type(error).__name__}: {error}")
