"""Kill -9, hundreds of times, at every step and at any moment: nobody is lost or dialed twice.

``DIALER_CRASH_SEEDS=1,2,3`` tries other moments, callees and faults than the usual ones, and
``DIALER_CRASH_ROUNDS=30`` thirty times as many lives; the seed is part of a test's name. A seed
fixes what the carrier does and when we strike, not how the machine shares its processors out: the
same seed may fail once and not again.
"""

import os
import random
from collections import Counter
from collections.abc import Callable
from typing import Final

import pytest

from dialer.clock import real_sleep
from dialer.leases import Lease
from dialer.ports import Row
from dialer.reaper import Reaper
from tests.support.changes import put
from tests.support.crash import Lives, at_any_moment, at_every_step
from tests.support.forked import Change
from tests.support.given import write
from tests.support.promises import check_promises
from tests.support.stage import SHORT_DOUBT, Stage

GivenStage = Callable[..., Stage]

SEEDS: Final = [int(seed) for seed in os.environ.get("DIALER_CRASH_SEEDS", "7").split(",")]
ROUNDS: Final = int(os.environ.get("DIALER_CRASH_ROUNDS", "1"))

SPEED: Final = 100
RETRIES: Final = 1
#: A call may be accepted late and listed later still, but within the bounds.
HARSH: Final = "harsh,list_lag=190"
#: Hardly anybody answers, so that nobody has to be waited for who likes to talk.
TERSE: Final = "cold_b2b"
#: The steps between which a call comes about and becomes known.
STEPS_OF_A_CALL: Final = (
    "commit claim_members",
    "committed claim_members",
    "call wanted",
    "call sent",
    "call answered",
    "commit save_attempts",
    "committed save_attempts",
)


def given_lives(stage: Stage, seed: int, *changes: Change, faults: str) -> Lives:
    """A campaign under way, and the lives of its daemons."""
    campaign_id = stage.given_campaign(
        contacts=60,
        numbers=5,
        max_calls_per_day=1000,
        call_interval_s=0,
        max_concurrent=500,
        completion_timeout_s=20,
        max_retries=RETRIES,
        retry_intervals_s=(60,),
        callee_calls_per_day=100,  # whoever is dialed twice must not be saved by that
        callee_calls_per_week=100,
    )
    stage.carrier("--cps", "1000", "--seed", str(seed), "--profile", TERSE, "--faults", faults)
    return Lives(stage, campaign_id, *changes)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_daemon_killed_again_and_again_loses_nobody_and_dials_nobody_twice(
    given_stage: GivenStage, seed: int
) -> None:
    stage = given_stage(SPEED, calls_per_second="0", quarantine_s="300", **SHORT_DOUBT)
    lives = given_lives(stage, seed, faults=HARSH)

    for round_ in range(ROUNDS):
        lives.live(at_every_step(64))
        for step in STEPS_OF_A_CALL:
            lives.live(at_every_step(7, step))
        lives.live(at_any_moment(random.Random(seed + round_), 190, most_s=0.18))
    lives.recover()

    check_promises(stage)
    calls = stage.truth()
    rang = {call.token for call in calls}
    assert max(Counter(call.to for call in calls).values()) == 1 + RETRIES
    assert stage.rows("PRAGMA integrity_check") == [("ok",)]
    assert lives.last_steps.keys() >= set(STEPS_OF_A_CALL)
    assert lives.cut_off & rang, "no kill came between a call and the news of it"
    assert lives.cut_off - rang, "no kill came between an intent and its call"


# -- the judge has teeth: a daemon with a defect is found out -------------------------------------


def dialing_again() -> None:
    """What was under way when a daemon died is taken for never begun."""

    async def take_over(self: Lease, first_look_s: float, settled_s: float) -> int:
        async with self._database.write() as tx:
            for statement in (
                "UPDATE members SET state = 'pending' WHERE state = 'dialing'",
                "UPDATE attempts SET state = 'released', closed_at = 0 WHERE closed_at IS NULL",
            ):
                await write(tx, statement, [()])
        return 0

    put(Lease, "take_over", take_over)


def not_looking() -> None:
    """A call in doubt is taken for one that was never placed."""

    async def look_for(self: Reaper, row: Row) -> None:
        await self._batcher.apply(self._calls.absent, [row["id"]])

    put(Reaper, "_look_for", look_for)


@pytest.mark.parametrize("defect", [dialing_again, not_looking])
def test_a_daemon_that_would_dial_twice_is_found_out_within_a_few_lives(
    given_stage: GivenStage, defect: Change
) -> None:
    stage = given_stage(SPEED, calls_per_second="0", quarantine_s="0", **SHORT_DOUBT)
    lives = given_lives(stage, 7, defect, faults="none")

    lives.live(at_every_step(8, "call sent"))
    lives.recover()

    with pytest.raises(AssertionError, match=r"\bI[125]\b"):
        check_promises(stage)


# -- the other side -------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_a_carrier_killed_and_gone_for_a_while_costs_no_contact(
    given_stage: GivenStage, seed: int
) -> None:
    rng = random.Random(seed)
    stage = given_stage(SPEED, calls_per_second="0", quarantine_s="300", **SHORT_DOUBT)
    stage.given_campaign(
        contacts=50,
        numbers=2,
        call_interval_s=0,
        max_concurrent=20,
        completion_timeout_s=20,
        max_retries=RETRIES,
        retry_intervals_s=(60,),
    )
    flags = ("--cps", "1000", "--seed", str(seed), "--profile", TERSE, "--faults", "realistic")
    carrier = stage.carrier(*flags)
    stage.daemon()

    for _ in range(3):
        stage.until_accepted(stage.accepted() + rng.randint(1, 20))
        real_sleep(rng.uniform(0, 0.1))
        stage.kill(carrier)
        real_sleep(rng.uniform(0, 0.5))
        carrier = stage.carrier(*flags)

    stage.until_over()
    check_promises(stage)
    assert stage.value("SELECT count(*) FROM members") == 50
