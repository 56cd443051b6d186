"""The lives of members, attempts and campaigns: the tables, and everything tied to them."""

import importlib
import re
from collections.abc import Callable, Collection, Mapping
from enum import StrEnum
from typing import Any, TypeAlias

import pytest

from amd.verdict import Detector, MachineKind, Verdict
from dialer import intents
from dialer.errors import IllegalTransitionError, WrongStateError
from dialer.model import AgentKind, AmdMode, CarrierStatus, EventSource, FailReason, OnMachine
from dialer.people.person import Priority
from dialer.states import (
    ATTEMPT_TRANSITIONS,
    CAMPAIGN_TRANSITIONS,
    FINAL_MEMBER_STATES,
    MEMBER_TRANSITIONS,
    OPEN_ATTEMPT_STATES,
    WAITING_MEMBER_STATES,
    AttemptEvent,
    AttemptState,
    CampaignEvent,
    CampaignStatus,
    MemberEvent,
    MemberState,
    advance_attempt,
    advance_campaign,
    advance_member,
)
from dialer.store.queries import Dialect, load
from retries.outcome import Outcome
from rotation.strategies import Strategy

M, ME = MemberState, MemberEvent
A, AE = AttemptState, AttemptEvent
C, CE = CampaignStatus, CampaignEvent

Table: TypeAlias = Mapping[Any, StrEnum]
MACHINES: list[Any] = [
    pytest.param(MEMBER_TRANSITIONS, advance_member, M, ME, id="member"),
    pytest.param(ATTEMPT_TRANSITIONS, advance_attempt, A, AE, id="attempt"),
    pytest.param(CAMPAIGN_TRANSITIONS, advance_campaign, C, CE, id="campaign"),
]
DIALECTS: tuple[Dialect, ...] = ("sqlite", "postgres")
QUERIES = {dialect: load(dialect) for dialect in DIALECTS}

MODES = importlib.import_module("dialer.store.migrations.versions.v0005_who_answered")
SCHEMA = importlib.import_module("dialer.store.migrations.versions.v0001_first_schema")


def followers(table: Table, state: StrEnum, without: Collection[StrEnum] = ()) -> set[StrEnum]:
    return {to for (of, event), to in table.items() if of is state and event not in without}


def reachable(table: Table, start: StrEnum) -> set[StrEnum]:
    found, frontier = {start}, [start]
    while frontier:
        new = followers(table, frontier.pop()) - found
        found |= new
        frontier += new
    return found


def sources(table: Table, event: StrEnum) -> set[str]:
    return {of.value for of, each in table if each is event}


# -- the tables ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("table", "advance", "states", "events"), MACHINES)
def test_a_move_is_what_its_row_says_and_any_other_raises_naming_both(
    table: Table,
    advance: Callable[[StrEnum, StrEnum], StrEnum],
    states: type[StrEnum],
    events: type[StrEnum],
) -> None:
    for state in states:
        for event in events:
            if (state, event) in table:
                assert advance(state, event) is table[state, event]
                continue
            with pytest.raises(IllegalTransitionError) as caught:
                advance(state, event)
            assert repr(state.value) in caught.value.message
            assert repr(event.value) in caught.value.message
            assert (caught.value.state, caught.value.event) == (state, event)
            assert isinstance(caught.value, WrongStateError)


@pytest.mark.parametrize(("table", "advance", "states", "events"), MACHINES)
def test_every_state_is_reached_from_the_first_one_and_every_event_is_used(
    table: Table, advance: object, states: type[StrEnum], events: type[StrEnum]
) -> None:
    first = next(iter(states))

    assert reachable(table, first) == set(states)
    assert {event for _, event in table} == set(events)


@pytest.mark.parametrize(("table", "advance", "states", "events"), MACHINES)
def test_a_table_cannot_be_changed(table: Any, advance: object, states: Any, events: Any) -> None:
    with pytest.raises(TypeError):
        table[next(iter(states)), next(iter(events))] = next(iter(states))


def test_a_member_that_is_done_is_moved_by_an_operator_or_by_a_call_that_turned_up_alone() -> None:
    from_outside = {ME.REQUEUE, ME.FOUND}

    for state in M:
        by_itself = followers(MEMBER_TRANSITIONS, state, without=from_outside)
        assert bool(by_itself) == (state not in FINAL_MEMBER_STATES), state


def test_who_waits_for_a_claim_may_be_claimed_and_nobody_else() -> None:
    assert sources(MEMBER_TRANSITIONS, ME.CLAIM) == WAITING_MEMBER_STATES


def test_a_member_leaves_the_waiting_states_only_into_a_call_or_for_good() -> None:
    for state in WAITING_MEMBER_STATES:
        assert followers(MEMBER_TRANSITIONS, state) <= {M.DIALING} | FINAL_MEMBER_STATES


def test_an_attempt_is_open_until_it_can_no_longer_become_or_stay_a_call() -> None:
    correction = {AE.ACCEPT}  # a late callback proves that there was a call after all

    for state in A:
        moves_on = followers(ATTEMPT_TRANSITIONS, state, without=correction)
        assert bool(moves_on) == (state in OPEN_ATTEMPT_STATES), state
    assert followers(ATTEMPT_TRANSITIONS, A.NOT_PLACED) == {A.PLACED}


def test_doubt_is_resolved_by_looking_and_never_by_asking_again() -> None:
    assert A.INTENT not in ATTEMPT_TRANSITIONS.values()
    assert followers(ATTEMPT_TRANSITIONS, A.UNKNOWN) == {A.PLACED, A.NOT_PLACED}


def test_a_claim_is_given_back_only_before_the_carrier_was_asked() -> None:
    assert sources(ATTEMPT_TRANSITIONS, AE.RELEASE) == {A.INTENT}


def test_a_cancelled_campaign_stays_so() -> None:
    assert followers(CAMPAIGN_TRANSITIONS, C.CANCELLED) == set()
    assert sources(CAMPAIGN_TRANSITIONS, CE.CANCEL) == {C.DRAFT, C.ACTIVE, C.PAUSED}


# -- what SQL says of states ---------------------------------------------------------------------


def literals(query: str, condition: str, dialect: Dialect = "sqlite") -> set[str]:
    """The words a query compares with, where *condition* comes before them."""
    text = QUERIES[dialect][query].text
    found = re.search(condition + r"\s*(?:=|IN)\s*\(?((?:'\w+'(?:,\s*)?)+)\)?", text)
    assert found, f"{query} has no {condition}"
    return set(re.findall(r"'(\w+)'", found[1]))


@pytest.mark.parametrize("dialect", DIALECTS)
def test_cancelling_moves_exactly_the_members_whose_row_allows_it_at_once(
    dialect: Dialect,
) -> None:
    moved = literals("cancel_members", r"\bAND state", dialect)

    assert moved == WAITING_MEMBER_STATES
    assert {advance_member(M(state), ME.CANCEL) for state in moved} == {M.FAILED}
    assert literals("cancel_members", r"\bSET state", dialect) == {M.FAILED}
    assert literals("cancel_members", r"\breason", dialect) == {FailReason.CANCELLED}
    # The third row is for a member whose outcome is not final yet; its settlement applies it.
    assert sources(MEMBER_TRANSITIONS, ME.CANCEL) == moved | {M.CALLED}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("query", ["adopt_from_ended", "adopt_from_expired"])
def test_adopting_doubts_intents_and_leaves_other_states(query: str, dialect: Dialect) -> None:
    text = QUERIES[dialect][query].text
    doubted = re.search(r"state = CASE WHEN state = '(\w+)' THEN '(\w+)' ELSE state END", text)

    assert doubted
    assert advance_attempt(A(doubted[1]), AE.DOUBT) is A(doubted[2])
    assert sources(ATTEMPT_TRANSITIONS, AE.DOUBT) == {doubted[1]}
    assert literals(query, r"check_at = CASE WHEN state", dialect) == {A.PLACED}
    assert {A.INTENT, A.UNKNOWN, A.PLACED} == OPEN_ATTEMPT_STATES  # no other state is adopted


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("query", ["claim_due", "claim_queues"])
def test_a_claim_looks_at_the_members_it_may_take(query: str, dialect: Dialect) -> None:
    assert literals(query, r"m\.state", dialect) == WAITING_MEMBER_STATES


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_claim_looks_at_members_of_every_priority(dialect: Dialect) -> None:
    (ranks,) = re.findall(r"CROSS JOIN \((.*)\) ranks", QUERIES[dialect]["claim_queues"].text)

    assert sorted(map(int, re.findall(r"\d+", ranks))) == sorted(each.rank for each in Priority)


def test_a_claim_takes_members_where_their_table_says() -> None:
    assert {
        state: advance_member(M(state), ME.CLAIM).value for state in WAITING_MEMBER_STATES
    } == intents.CLAIMED_STATE


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("query", ["outcomes_due", "next_outcome_due"])
def test_outcomes_become_final_where_a_call_is_over(query: str, dialect: Dialect) -> None:
    called = literals(query, r"(?:m\.|WHERE )state", dialect)

    assert called == {advance_member(M.DIALING, ME.END)}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("query", ["unfinished_member", "waiting_counts"])
def test_a_campaign_is_done_when_every_member_is(query: str, dialect: Dialect) -> None:
    assert literals(query, r"AND state", dialect) == set(M) - FINAL_MEMBER_STATES


def test_a_request_leaves_for_an_intent_of_an_active_campaign_alone() -> None:
    for dialect in DIALECTS:
        assert literals("sendable", r"a\.state", dialect) == sources(
            ATTEMPT_TRANSITIONS, AE.RELEASE
        )
        assert literals("sendable", r"c\.status", dialect) == sources(
            CAMPAIGN_TRANSITIONS, CE.PAUSE
        )


def test_campaigns_that_dial_or_may_dial_one_day() -> None:
    ended = {C.COMPLETED, C.CANCELLED}

    assert literals("active_plans", r"c\.status") == {C.ACTIVE}
    assert literals("open_plans", r"c\.status") == set(C) - ended
    assert literals("move_campaign", r"ended_at = CASE WHEN \S+") == ended
    assert literals("move_campaign", r"paused_at = CASE WHEN \S+") == {C.PAUSED}
    assert literals("move_campaign", r"started_at = CASE WHEN \S+") == {C.ACTIVE}


def test_the_checks_know_which_states_are_open() -> None:
    assert literals("attempts_half_closed", r"state") == OPEN_ATTEMPT_STATES
    assert literals("dialing_without_attempt", r"m\.state") == {M.DIALING}
    assert literals("called_without_outcome", r"m\.state") == {M.CALLED}
    assert literals("waiting_in_ended_campaigns", r"m\.state") == WAITING_MEMBER_STATES
    assert literals("waiting_in_ended_campaigns", r"c\.status") == {C.COMPLETED, C.CANCELLED}


# -- what the schema says ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("known", "enum"),
    [
        (SCHEMA.MEMBER_STATES, M),
        (SCHEMA.ATTEMPT_STATES, A),
        (SCHEMA.CAMPAIGN_STATUSES, C),
        (SCHEMA.OUTCOMES, Outcome),
        (SCHEMA.STRATEGIES, Strategy),
        (SCHEMA.AGENT_KINDS, AgentKind),
        (MODES.AMD_MODES, AmdMode),
        (MODES.VERDICTS, Verdict),
        (MODES.MACHINE_KINDS, MachineKind),
        (MODES.DETECTORS, Detector),
        (SCHEMA.ON_MACHINE, OnMachine),
        (SCHEMA.CARRIER_STATUSES, CarrierStatus),
    ],
)
def test_the_schema_admits_exactly_what_the_engine_knows(
    known: tuple[str, ...], enum: type[StrEnum]
) -> None:
    assert known == tuple(enum)


def test_the_inbox_takes_news_from_outside_alone() -> None:
    assert set(MODES.EVENT_SOURCES) == set(EventSource) - {EventSource.REQUEST}
