"""Two daemons on one PostgreSQL database: one campaign, one set of limits, no call twice."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate, pairwise
from typing import Final

import pytest

from dialer.carrier_sim.truth import Call
from dialer.rehearsal import free_port
from dialer.store import migrate
from tests.support import postgres
from tests.support.promises import check_promises
from tests.support.stage import Stage

SPEED: Final = 60
CALLS_PER_SECOND: Final = 0.5
MAX_CONCURRENT: Final = 12
CONTACTS: Final = 60
NUMBERS: Final = 3

#: On this clock: a lease of four seconds of ours, and a rest shorter than the default.
LEASES: Final = {"lease_s": "240", "quarantine_s": "300"}


def migrated(dsn: str) -> None:
    asyncio.run(migrate.upgrade(dsn))


@pytest.fixture
def stage(
    given_stage: Callable[..., Stage], postgres_databases: postgres.Databases
) -> Iterator[Stage]:
    """A carrier, and a campaign whose limits leave no call to spare."""
    with postgres_databases.fresh(migrated) as dsn:
        stage = given_stage(SPEED, database=dsn, calls_per_second=str(CALLS_PER_SECOND), **LEASES)
        stage.given_campaign(
            contacts=CONTACTS,
            numbers=NUMBERS,
            max_calls_per_day=CONTACTS // NUMBERS,
            max_concurrent=MAX_CONCURRENT,
            call_interval_s=0,
            completion_timeout_s=5,
            max_retries=0,
            retry_intervals_s=(60,),
            start=False,
        )
        stage.carrier("--cps", "1000", "--faults", "realistic")
        yield stage
        stage.close()  # before the database goes away


def test_two_daemons_share_a_campaign_and_its_limits(stage: Stage) -> None:
    stage.ready_daemon(log="one.log")
    stage.ready_daemon(free_port(), log="other.log")
    stage.cli("campaign", "start", "Renewals").ok()

    stage.until_over()

    check_promises(stage)
    calls = stage.truth()
    assert stage.value("SELECT count(DISTINCT owner) FROM attempts") == 2
    assert most_at_once(calls) <= MAX_CONCURRENT
    assert Counter(call.from_ for call in calls).most_common(1)[0][1] <= CONTACTS // NUMBERS
    slots = [at for (at,) in stage.rows("SELECT send_at FROM attempts ORDER BY send_at")]
    assert min(later - at for at, later in pairwise(slots)) >= 1000 / CALLS_PER_SECOND - 1


def test_the_work_of_a_daemon_that_was_killed_is_taken_over(stage: Stage) -> None:
    killed = stage.ready_daemon(log="killed.log")
    stage.ready_daemon(free_port(), log="other.log")
    stage.cli("campaign", "start", "Renewals").ok()
    stage.until(lambda: stage.rows("SELECT 1 FROM attempts WHERE closed_at IS NULL AND owner = 1"))
    stage.until_accepted(10)

    stage.kill(killed)
    left_behind = stage.rows("SELECT id FROM attempts WHERE closed_at IS NULL AND owner = 1")
    stage.until_over()

    assert left_behind, "nothing was left to take over"
    assert "attempts.adopted" in stage.events("other.log")
    check_promises(stage)
    assert most_at_once(stage.truth()) <= MAX_CONCURRENT


def most_at_once(calls: Sequence[Call]) -> int:
    """The greatest number of calls that were under way at any time."""
    starts = [(call.accepted_at, 1) for call in calls]
    ends = [(call.ended_at or call.accepted_at, -1) for call in calls]
    return max(accumulate(change for _, change in sorted(starts + ends)))
