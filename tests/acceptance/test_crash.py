"""Kill -9, again and again, on either side: no contact is lost, no attempt dials twice.

``DIALER_CRASH_SEEDS=1,2,3`` tries other moments, callees and faults than the usual ones; the seed
is part of a test's name. A seed fixes what the carrier does and when we strike, not how the
machine shares its processors out: the same seed may fail once and not again.
"""

import os
import random
from collections import Counter
from collections.abc import Callable
from typing import Final

import pytest

from dialer.clock import real_sleep
from tests.support.promises import check_promises
from tests.support.stage import SHORT_DOUBT, Stage

GivenStage = Callable[..., Stage]

SEEDS: Final = [int(seed) for seed in os.environ.get("DIALER_CRASH_SEEDS", "7").split(",")]
KILLS: Final = 8
CONTACTS: Final = 150
RETRIES: Final = 1

SPEED: Final = 100
#: A call may be accepted late and listed later still, but within the bounds.
HARSH: Final = "harsh,list_lag=190"


@pytest.mark.parametrize("seed", SEEDS)
def test_a_daemon_killed_again_and_again_loses_nobody_and_dials_nobody_twice(
    given_stage: GivenStage, seed: int
) -> None:
    rng = random.Random(seed)
    stage = given_stage(SPEED, calls_per_second="0", **SHORT_DOUBT)
    stage.given_campaign(
        contacts=CONTACTS,
        numbers=5,
        call_interval_s=0,
        max_concurrent=30,
        completion_timeout_s=20,
        max_retries=RETRIES,
        retry_intervals_s=(60,),
    )
    stage.carrier("--cps", "1000", "--seed", str(seed), "--faults", HARSH)

    for _ in range(KILLS):
        daemon = stage.daemon()
        stage.until_accepted(stage.accepted() + rng.randint(1, 20))
        real_sleep(rng.uniform(0, 0.1))
        stage.kill(daemon)
        assert stage.status() == "active", "the campaign was over before the last kill"
    daemon = stage.daemon()
    stage.until_over()

    assert stage.end(daemon) == 0
    check_promises(stage)
    assert stage.value("SELECT count(*) FROM members") == CONTACTS
    calls_of_a_callee = Counter(call.to for call in stage.truth())
    assert max(calls_of_a_callee.values()) == 1 + RETRIES
    assert stage.rows("PRAGMA integrity_check") == [("ok",)]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_carrier_killed_and_gone_for_a_while_costs_no_contact(
    given_stage: GivenStage, seed: int
) -> None:
    rng = random.Random(seed)
    stage = given_stage(SPEED, calls_per_second="0", **SHORT_DOUBT)
    stage.given_campaign(
        contacts=50,
        numbers=2,
        call_interval_s=0,
        max_concurrent=20,
        completion_timeout_s=20,
        max_retries=RETRIES,
        retry_intervals_s=(60,),
    )
    flags = ("--cps", "1000", "--seed", str(seed), "--faults", "realistic")
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
