"""Clocks that are set and daemons that sleep: no burst, no call at a wrong hour, none twice."""

import asyncio
import json
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Final

import pytest

from dialer.clock import MS
from dialer.hours_format import DAYS
from dialer.rehearsal import free_port
from dialer.store import migrate
from tests.support import postgres
from tests.support.changes import ClockSet, Crumbs
from tests.support.forked import Change, Forked, forked
from tests.support.promises import check_promises
from tests.support.stage import WITHIN_S, Stage

GivenStage = Callable[..., Stage]

SPEED: Final = 100
MINUTE: Final = 60 * MS
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
CALLS_PER_SECOND: Final = 0.3
#: So many requests may leave together after a machine was too busy to let them leave in time.
BUNCHED: Final = 10

#: On this clock: doubts about calls are over after less than two seconds of ours.
BOUNDS: Final = {
    "calls_per_second": str(CALLS_PER_SECOND),
    "request_timeout_s": "30",
    "patience_s": "20",
    "accept_bound_s": "60",
    "list_bound_s": "20",
    "quarantine_s": "200",
}
#: As long as a doubt may last nobody is called, from when the last orders have left.
HOLD_S: Final = 30 + 60 + 20
CAMPAIGN: Final = {
    "contacts": 80,
    "numbers": 2,
    "call_interval_s": 0,
    "max_concurrent": 100,
    "completion_timeout_s": 5,
    "max_retries": 0,
    "retry_intervals_s": (60,),
}
#: Hardly anybody answers, so that nobody has to be waited for who likes to talk.
TERSE: Final = "cold_b2b"
#: The exit code of a daemon that must not go on.
WRONG_STATE: Final = 5


@dataclass(frozen=True)
class Departure:
    """A request for a call that left: at the daemon's time (UTC ms), and at a true one."""

    at: int
    true_s: float


class Town:
    """A stage with a clock that anybody can set, and a campaign with hours.

    Open from an hour ago until a little less than three hours from now, every day.
    """

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        folder = stage.rehearsal.folder
        self._clock = ClockSet(folder / "clock", folder / "departures")
        self._clock.departures.touch()
        self._opens_at = (stage.clock.now() - HOUR) // MINUTE * MINUTE
        self._open_ms = 4 * HOUR - 5 * MINUTE
        self.set_clock(0)
        stage.given_campaign(
            now=stage.clock.now() - 2 * DAY,  # so that members are due on every clock
            schedule_body=self._schedule(),
            **CAMPAIGN,
        )
        stage.carrier("--cps", "1000", "--profile", TERSE, "--faults", "realistic")

    def set_clock(self, ahead_ms: int) -> None:
        """Let the machine's clock be ahead of the true time by so much."""
        self._clock.by(ahead_ms / MS / SPEED)

    def daemon(self, *changes: Change) -> Forked:
        """A daemon that is coming up with the machine's time, and with *changes*."""
        return forked(self.stage, self._clock, *changes)

    def departures(self) -> list[Departure]:
        """Every request for a call, in the order they left."""
        lines = self._clock.departures.read_text().splitlines()
        return [Departure(int(at), float(true_s)) for at, true_s in map(str.split, lines)]

    def until_more_calls(self) -> None:
        """Wait until some calls have left from here on."""
        before = len(self.departures())
        self.stage.until(lambda: len(self.departures()) > before + 5)

    def check(self) -> None:
        """Fail unless everything was as on a day on which no clock was touched."""
        check_promises(self.stage)
        departures = self.departures()
        assert [each for each in departures if not self._is_open(each.at)] == []
        assert most_beyond_the_pace(departures) <= BUNCHED

    def _schedule(self) -> str:
        begin, end = (
            datetime.fromtimestamp(at / MS, UTC).strftime("%H:%M")
            for at in (self._opens_at, self._opens_at + self._open_ms)
        )
        return json.dumps({"zone": "UTC", "weekly": {day: [f"{begin}-{end}"] for day in DAYS}})

    def _is_open(self, at: int) -> bool:
        return (at - self._opens_at) % DAY < self._open_ms


def most_beyond_the_pace(departures: list[Departure]) -> float:
    """By how many calls any stretch of time has had more than the account's pace allows."""
    worst, level, before_s = 0.0, 0.0, 0.0
    for each in departures:
        allowed = (each.true_s - before_s) * SPEED * CALLS_PER_SECOND
        level, before_s = max(0.0, level - allowed) + 1, each.true_s
        worst = max(worst, level)
    return worst


# -- a clock is set -------------------------------------------------------------------------------


def test_a_clock_that_is_set_and_set_right_again_stops_calls_for_a_while(
    given_stage: GivenStage,
) -> None:
    town = Town(given_stage(SPEED, **BOUNDS))
    town.daemon()
    town.until_more_calls()

    town.set_clock(HOUR)
    town.stage.until(lambda: "clock.set" in town.stage.events())
    for ahead_ms in (-HOUR, DAY, -DAY, 0):
        town.set_clock(ahead_ms)
    town.stage.until_over()

    town.check()
    pauses = [later.at - each.at for each, later in pairwise(town.departures())]
    assert max(pauses) > HOLD_S * MS


def test_a_clock_that_was_set_for_good_is_believed_by_the_next_daemon(
    given_stage: GivenStage,
) -> None:
    town = Town(given_stage(SPEED, **BOUNDS))
    daemon = town.daemon()
    town.until_more_calls()

    def until_closed() -> None:
        town.stage.until(lambda: "outside_hours" in town.stage.waiting())

    for ahead_ms, until_seen in (
        (3 * HOUR, until_closed),
        (0, town.until_more_calls),
        (-DAY, town.until_more_calls),
        (0, town.until_more_calls),
    ):
        town.set_clock(ahead_ms)
        town.stage.expect_end(daemon)
        assert daemon.wait(WITHIN_S) == WRONG_STATE
        daemon = town.daemon()
        until_seen()

    town.stage.until_over()
    town.check()


# -- a daemon sleeps ------------------------------------------------------------------------------


def asleep_at(stage: Stage, step: str, *, at_rest: bool = False) -> Crumbs:
    """A daemon will be stopped at a step that begins so, after some calls."""
    path = stage.rehearsal.folder / "crumbs"
    return Crumbs(path, 6, step, signal.SIGSTOP, at_rest)


def sleep_past_the_lease(stage: Stage, asleep: Crumbs) -> None:
    """Wait until a daemon is *asleep*, and longer than its lease is valid."""
    stage.until(asleep.fallen)
    lease_until = stage.value("SELECT lease_until FROM daemons")
    stage.until(lambda: stage.clock.now() > lease_until)


def test_a_daemon_that_slept_past_its_lease_sends_nothing_late_and_goes_on(
    given_stage: GivenStage,
) -> None:
    town = Town(given_stage(SPEED, lease_s="200", **BOUNDS))
    stage = town.stage
    # Between the last look at the store and the request: the worst moment there is.
    asleep = asleep_at(stage, "call wanted")
    daemon = town.daemon(asleep)
    sleep_past_the_lease(stage, asleep)

    os.kill(daemon.pid, signal.SIGCONT)
    stage.until_over()

    town.check()
    assert stage.rows("SELECT id FROM attempts WHERE state = 'released'"), "sent after its sleep"


@pytest.fixture
def shared_database(postgres_databases: postgres.Databases) -> Iterator[str]:
    """A database that two daemons may use at the same time."""

    def migrated(dsn: str) -> None:
        asyncio.run(migrate.upgrade(dsn))

    with postgres_databases.fresh(migrated) as dsn:
        yield dsn


def test_what_a_daemon_had_when_it_fell_asleep_is_taken_over_and_it_ends_when_it_wakes(
    shared_database: str, given_stage: GivenStage
) -> None:
    # The driver's own time limits run on the fast clock too.
    stage = given_stage(SPEED / 2, database=shared_database, lease_s="200", **BOUNDS)
    stage.given_campaign(**CAMPAIGN)
    stage.carrier("--cps", "1000", "--profile", TERSE, "--faults", "realistic")
    # With claims in hand and nothing locked: what is, the server frees in half a minute.
    asleep = asleep_at(stage, "committed claim_members", at_rest=True)
    sleeper = forked(stage, asleep, log="sleeper.log")
    stage.expect_end(sleeper)
    sleep_past_the_lease(stage, asleep)
    forked(stage, port=free_port(), log="other.log")
    stage.until(lambda: "attempts.adopted" in stage.events("other.log"))

    os.kill(sleeper.pid, signal.SIGCONT)
    assert sleeper.wait(WITHIN_S) == WRONG_STATE
    forked(stage, log="sleeper.log")  # as its supervisor would

    stage.until_over()
    check_promises(stage)
    assert stage.value("SELECT count(*) FROM attempts WHERE taken_over_at IS NOT NULL")
    stage.close()  # before the database goes away
