"""What stops dialing stops it: a word of the operator's, and a store that keeps nothing."""

from dataclasses import replace
from typing import Any

import pytest

from dialer.audit.records import Brake, Command, StoreEffect
from tests.support.evidence import (
    BOUNDS,
    CAMPAIGN,
    DAY,
    HOUR,
    MINUTE,
    NOW,
    blind,
    dial,
    evidence,
    found,
    notes,
)

ASKED = dial().call.arrived_at
REACTION = BOUNDS.reaction_ms


# -- I11: a pause stops new calls -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("paused_at", "violations"), [(ASKED - REACTION - 1, 1), (ASKED - REACTION, 0)]
)
@pytest.mark.parametrize(
    ("status", "field"),
    [("paused", "paused_at"), ("completed", "ended_at"), ("cancelled", "ended_at")],
)
def test_nothing_is_asked_for_once_a_pause_or_an_end_holds(
    status: str, field: str, paused_at: int, violations: int
) -> None:
    change: dict[str, Any] = {"status": status, "ended_at": None} | {field: paused_at}
    campaign = replace(CAMPAIGN, **change)

    late = found(evidence(dial(), campaigns=[campaign]), "I11")

    assert [each.attempt for each in late] == ["attempt-1"] * violations


@pytest.mark.parametrize(("started_at", "violations"), [(ASKED, 0), (ASKED + 1, 1), (None, 0)])
def test_nothing_is_asked_for_before_the_start(started_at: int | None, violations: int) -> None:
    campaign = replace(CAMPAIGN, started_at=started_at)

    assert len(found(evidence(dial(), campaigns=[campaign]), "I11")) == violations


@pytest.mark.parametrize(
    ("commands", "violations"),
    [
        ([Command(1, ASKED - MINUTE, may_dial=False)], 1),
        ([Command(1, ASKED - MINUTE, may_dial=False), Command(1, ASKED, may_dial=True)], 0),
        ([Command(1, ASKED - MINUTE, may_dial=False), Command(1, ASKED + 1, may_dial=True)], 1),
        ([Command(1, ASKED, may_dial=True), Command(1, ASKED - MINUTE, may_dial=False)], 0),
        ([Command(1, ASKED + 1, may_dial=False)], 0),
        ([Command(1, ASKED - MINUTE, may_dial=True)], 0),
        ([Command(2, ASKED - MINUTE, may_dial=False)], 0),
    ],
)
def test_a_log_of_commands_tells_of_pauses_the_database_forgot(
    commands: list[Command], violations: int
) -> None:
    assert len(found(evidence(dial(), commands=commands), "I11")) == violations


HOLD, RELEASE = "dialing.hold", "dialing.release"


@pytest.mark.parametrize(
    ("brakes", "violations"),
    [
        ([(ASKED - MINUTE, HOLD)], 1),
        ([(ASKED - REACTION, HOLD)], 0),
        ([(ASKED - MINUTE, HOLD), (ASKED, RELEASE)], 0),
        ([(ASKED - MINUTE, HOLD), (ASKED + 1, RELEASE)], 1),
        ([(ASKED - HOUR, HOLD), (ASKED - MINUTE, HOLD), (ASKED + 1, RELEASE)], 1),
        ([(ASKED - HOUR, HOLD), (ASKED - MINUTE, RELEASE), (ASKED + 1, HOLD)], 0),
        ([(ASKED - MINUTE, RELEASE)], 0),
        ([], 0),
    ],
)
def test_nothing_is_asked_for_while_everything_is_held(
    brakes: list[tuple[int, str]], violations: int
) -> None:
    told = [Brake(number, at, action) for number, (at, action) in enumerate(brakes)]

    late = found(evidence(dial(), brakes=told), "I11")

    assert len(late) == violations
    assert all("held since" in each.text for each in late)


def test_a_request_that_left_in_time_may_be_accepted_late() -> None:
    slow = dial().really(accepted_at=NOW + MINUTE)
    paused = [Command(1, NOW + 10_000, may_dial=False)]

    assert found(evidence(slow, commands=paused), "I11") == []


def test_clocks_that_may_differ_widen_what_is_let_through() -> None:
    commands = [Command(1, ASKED - MINUTE, may_dial=False)]
    bounds = replace(BOUNDS, skew_ms=MINUTE)

    assert found(evidence(dial(), commands=commands, bounds=bounds), "I11") == []


def test_without_a_log_earlier_pauses_are_unknown() -> None:
    assert notes(evidence(dial(), commands=None), "I11")
    assert not notes(evidence(dial()), "I11")


# -- I16: a failed store stops new calls ----------------------------------------------------------


def effects(*given: tuple[int, bool], **more: Any) -> list[StoreEffect]:
    return [StoreEffect(at, committed=committed, **more) for at, committed in given]


@pytest.mark.parametrize(
    ("seen", "violations"),
    [
        (effects((ASKED - REACTION - 1, False)), 1),
        (effects((ASKED - REACTION, False)), 0),  # it had left by then
        (effects((ASKED - MINUTE, False), (ASKED, True)), 0),
        (effects((ASKED - MINUTE, False), (ASKED + 1, True)), 1),
        (effects((ASKED - MINUTE, False), owner=1), 1),
        (effects((ASKED - MINUTE, False), owner=2), 0),
        (effects((ASKED - MINUTE, False), owner=1) + effects((ASKED - 1, True), owner=2), 1),
        (effects((ASKED - HOUR, True)), 0),
    ],
)
def test_nothing_is_asked_for_from_a_failed_commit_until_one_succeeds(
    seen: list[StoreEffect], violations: int
) -> None:
    late = found(evidence(dial(), store_effects=seen), "I16")

    assert [each.attempt for each in late] == ["attempt-1"] * violations


@pytest.mark.parametrize(("lost", "violations"), [("attempt-1", 1), ("attempt-2", 0)])
def test_a_lost_intent_never_becomes_a_call(lost: str, violations: int) -> None:
    seen = [
        StoreEffect(NOW - 1, committed=False, attempt_id=lost),
        StoreEffect(NOW, committed=True),
    ]

    assert len(found(evidence(dial(), store_effects=seen), "I16")) == violations


def test_whoever_was_claimed_before_an_outage_may_be_called_in_it() -> None:
    slow = dial().really(asked_at=NOW + MINUTE, accepted_at=NOW + MINUTE)

    assert found(evidence(slow, store_effects=effects((NOW, False))), "I16") == []
    assert len(found(evidence(slow, store_effects=effects((NOW - 1, False))), "I16")) == 1


@pytest.mark.parametrize(
    "seen",
    [effects((ASKED - MINUTE, False)), effects((ASKED - HOUR, False), (ASKED + MINUTE, True))],
)
def test_clocks_that_may_differ_widen_an_outage(seen: list[StoreEffect]) -> None:
    bounds = replace(BOUNDS, skew_ms=MINUTE)

    assert found(evidence(dial(), store_effects=seen, bounds=bounds), "I16") == []


def test_an_orphan_in_an_outage_is_found_too() -> None:
    seen = effects((NOW - MINUTE, False))
    orphan = dial().really(token=None)
    given = evidence(orphan, store_effects=seen, attempts=(), news=())

    (violation,) = found(given, "I16")

    assert (violation.attempt, violation.callee) == (None, orphan.call.to)


def test_where_nobody_watched_the_commits_nothing_is_said() -> None:
    given = evidence(dial(), store_effects=None, as_of_at=NOW + DAY)

    assert "nobody has noted" in str(blind(given, "I16"))
