"""A forecast, and what the same campaign then really comes to."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

import pytest

from dialer.clock import MS
from tests.support.given import FIRST_PHONE
from tests.support.stage import Stage

GivenStage = Callable[..., Stage]

SPEED: Final = 120.0
BUSY: Final = 1.1
#: The callees of the simulator, who answer by the profile that the forecast goes by.
CALLEES: Final = ("--profile", "mixed", "--seed", "3", "--cps", "1000")
#: Toll-free numbers live in no zone, so that it does not matter at what hour a test runs.
NOWHERE: Final = 18_005_550_000 - FIRST_PHONE

#: Long enough that each run of the forecast calls a sample of it.
CONTACTS: Final = 220


def test_the_finish_lies_within_the_band(given_stage: GivenStage) -> None:
    stage = given_stage(SPEED, calls_per_second="0")
    stage.given_campaign(
        first_contact=NOWHERE,
        contacts=CONTACTS,
        numbers=8,
        call_interval_s=10,
        max_retries=2,
        retry_intervals_s=(600,),
        completion_timeout_s=120,
    )

    told = stage.cli("forecast", "Renewals", "--json").ok().json
    stage.carrier(*CALLEES)
    stage.ready_daemon()
    stage.until_over()

    (forecast,) = told["forecasts"]
    assert told["people_per_person"] > 1
    took_s = (
        stage.value("SELECT (SELECT ended_at FROM campaigns) - min(intent_at) FROM attempts") / MS
    )
    low_s, high_s = (seconds(told["from"], forecast["finish"][end]) for end in ("low", "high"))
    # A busy machine is slow, and each of its tenths of a second counts twelve here.
    assert low_s <= took_s <= high_s * BUSY
    calls = stage.value("SELECT count(*) FROM attempts WHERE sid IS NOT NULL")
    assert forecast["calls"]["middle"] == pytest.approx(calls, rel=0.1)
    reached = stage.value("SELECT count(*) FROM members WHERE state = 'completed'")
    assert forecast["reached"]["middle"] == pytest.approx(reached, rel=0.25)


def seconds(from_: str, until: str) -> float:
    """The seconds between two times as JSON has them."""
    return (datetime.fromisoformat(until) - datetime.fromisoformat(from_)).total_seconds()
