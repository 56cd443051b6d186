"""Calls to be replayed: from the campaign's own history, or from a carrier profile."""

import math
from collections import Counter
from dataclasses import replace
from itertools import repeat
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.carrier_sim.profiles import PROFILES, Profile
from dialer.forecast.cards import CLASSES, Card, Dealer, Deck, noisy_size
from dialer.forecast.history import ENOUGH_FURTHER, deck_from, first_calls
from dialer.forecast.profile import PEOPLE, Callees
from dialer.forecast.snapshot import PastCall, Setup
from dialer.model import Agent, AgentKind, AmdMode, OnMachine
from retries.outcome import Outcome
from tests.support.engine import NOW
from tests.support.forecasting import MESSAGE, given_member, given_setup

HUMAN = Card(Outcome.HUMAN, 8.0, 40.0)
SILENT = Card(Outcome.NO_ANSWER, 33.0)
INVALID = Card(Outcome.INVALID_NUMBER, 3.0, error_code=13224)

outcomes = st.sampled_from([Outcome.HUMAN, Outcome.MACHINE, Outcome.NO_ANSWER, Outcome.BUSY])
cards = st.builds(Card, outcomes, st.floats(1, 40), st.floats(0, 90))
decks = st.lists(cards, min_size=1, max_size=60).map(lambda some: Deck([some] * CLASSES))


def past(outcome: Outcome, calls_before: int = 0, **facts: Any) -> PastCall:
    usual = PastCall(outcome, None, 0, 30.0, True, calls_before)
    return usual._replace(**facts)


# -- dealing --------------------------------------------------------------------------------------


@given(deck=decks, seed=st.integers(0, 100), calls=st.integers(1, 400))
def test_an_even_deal_keeps_to_the_shares_at_any_time(deck: Deck, seed: int, calls: int) -> None:
    dealer = Dealer(deck, Random(seed), evenly=True)

    dealt = Counter(dealer.deal(0).outcome for _ in range(calls))

    for outcome in Outcome:
        assert abs(dealt[outcome] - calls * deck.share(outcome)) < 4


@given(deck=decks, seed=st.integers(0, 100))
def test_a_deal_by_chance_deals_nothing_but_the_cards_of_its_class(deck: Deck, seed: int) -> None:
    later = Deck([[SILENT], *deck.classes[1:]])
    dealer = Dealer(later, Random(seed), evenly=False)

    assert {dealer.deal(0) for _ in range(20)} == {SILENT}
    assert {dealer.deal(7) for _ in range(20)} <= set(deck.of(7))


def test_the_same_chances_deal_the_same_cards() -> None:
    deck = Deck([[HUMAN, SILENT, INVALID]] * CLASSES)
    one, other = (Dealer(deck, Random(3), evenly=False) for _ in range(2))

    assert [one.deal(0) for _ in range(50)] == [other.deal(0) for _ in range(50)]


def test_a_shorter_ring_timeout_makes_no_answer_of_those_who_take_longer() -> None:
    deck = Deck([[HUMAN, SILENT, Card(Outcome.MACHINE, 25.0, 5.0)]] * CLASSES).cut(20)

    assert deck.of(0) == [HUMAN, Card(Outcome.NO_ANSWER, 20), Card(Outcome.NO_ANSWER, 20)]


def test_a_refused_request_does_not_ring_at_all() -> None:
    refused = Card(Outcome.NOT_PLACED, 60.0, made=False)

    assert refused.cut(5) == refused


def test_a_sample_of_a_history_is_as_uncertain_as_the_history_is_short() -> None:
    def shares(calls: int) -> list[float]:
        deck = Deck([[HUMAN] * (calls // 5) + [SILENT] * (calls - calls // 5)] * CLASSES)
        return [deck.resampled(Random(seed)).share(Outcome.HUMAN) for seed in range(60)]

    short, long = shares(100), shares(2_000)

    assert max(short) - min(short) > 2 * (max(long) - min(long))
    assert 0.05 < min(short) < 0.15 < 0.25 < max(short) < 0.4


@given(sample=st.integers(1, 5_000), calls=st.floats(1, 1e6))
def test_few_calls_leave_more_open_than_a_long_history(sample: int, calls: float) -> None:
    size = noisy_size(sample, calls)

    assert 1 <= size <= min(sample, math.ceil(calls))
    assert 1 / size <= 1 / sample + 1 / calls < 1 / (size - 1 + 1e-9)
    assert noisy_size(sample, math.inf) == sample


def test_a_deck_for_few_calls_is_a_small_one() -> None:
    deck = Deck([[HUMAN] * 300, [SILENT] * 90, [SILENT] * 30])

    assert [len(cards) for cards in deck.resampled(Random(1), calls=150).classes] == [100, 30, 10]


def test_calls_ahead_end_with_a_person_or_with_the_last_retry() -> None:
    assert Deck([[SILENT]] * CLASSES).calls_ahead(0, max_retries=4) == 5
    assert Deck([[SILENT]] * CLASSES).calls_ahead(3, max_retries=4) == 2
    assert Deck([[SILENT]] * CLASSES).calls_ahead(5, max_retries=4) == 0
    assert Deck([[HUMAN, SILENT]] * CLASSES).calls_ahead(0, max_retries=2) == 1.75


# -- the campaign's own history -------------------------------------------------------------------


def test_every_past_call_is_a_card_with_its_times() -> None:
    talked = past(Outcome.HUMAN, talk_s=42, total_s=51.5)
    refused = past(Outcome.NOT_PLACED, made=False, error_code=21215, total_s=0.3)

    deck = deck_from([talked, refused])

    assert deck.of(0) == [
        Card(Outcome.HUMAN, 9.5, 42.0),
        Card(Outcome.NOT_PLACED, 0.3, 0.0, 21215, made=False),
    ]


def test_a_carrier_that_reports_more_talk_than_there_was_time_is_not_believed() -> None:
    (card,) = deck_from([past(Outcome.HUMAN, talk_s=60, total_s=20)]).of(0)

    assert card == Card(Outcome.HUMAN, 0.0, 20.0)


def test_further_calls_are_told_apart_once_there_are_enough_of_them() -> None:
    first = [past(Outcome.HUMAN)] * 10 + [past(Outcome.INVALID_NUMBER)] * 10
    second = [past(Outcome.BUSY, calls_before=1)] * ENOUGH_FURTHER
    few = second[1:]

    assert deck_from(first + second).share(Outcome.BUSY, calls_before=1) == 1.0
    assert deck_from(first + few).share(Outcome.BUSY, calls_before=1) == 0.0
    # Whoever is called again has a line, and is no fax.
    assert deck_from(first + few).share(Outcome.INVALID_NUMBER, calls_before=1) == 0.0
    assert deck_from(first + few).share(Outcome.HUMAN, calls_before=2) == 1.0
    assert first_calls(first + second) == 20


def test_a_history_of_nothing_but_bad_numbers_is_dealt_as_it_is() -> None:
    deck = deck_from([past(Outcome.INVALID_NUMBER)])

    assert deck.share(Outcome.INVALID_NUMBER, calls_before=2) == 1.0


# -- a carrier profile ----------------------------------------------------------------------------


def deck_of(
    profile: Profile, setup: Setup | None = None, agent: Agent = MESSAGE, seeds: int = 6
) -> Deck:
    """The decks of several runs in one."""
    people = [given_member(n) for n in range(50)]
    decks = [
        Callees(profile, setup or given_setup(), agent, repeat(NOW), Random(seed)).deck(people)
        for seed in range(seeds)
    ]
    return Deck([[c for deck in decks for c in deck.classes[n]] for n in range(CLASSES)])


@pytest.mark.parametrize("name", PROFILES)
def test_first_calls_go_as_the_profile_says(name: str) -> None:
    profile = PROFILES[name]
    off = given_setup(amd=AmdMode.OFF)  # so that nobody takes a machine for a person

    deck = deck_of(profile, off)

    assert len(deck.of(0)) == 6 * PEOPLE
    assert deck.share(Outcome.HUMAN) * 100 == pytest.approx(profile.human + profile.machine, abs=4)
    assert deck.share(Outcome.NO_ANSWER) * 100 == pytest.approx(profile.no_answer, abs=4)
    assert deck.share(Outcome.INVALID_NUMBER) * 100 == pytest.approx(profile.invalid, abs=2)


def test_later_calls_are_to_people_who_were_not_reached_before() -> None:
    deck = deck_of(PROFILES["mixed"])

    assert len(deck.of(0)) > len(deck.of(1)) > len(deck.of(2)) > 0
    assert deck.share(Outcome.INVALID_NUMBER, calls_before=1) == 0
    assert deck.share(Outcome.HUMAN, calls_before=1) < deck.share(Outcome.HUMAN)


def test_the_carrier_mistakes_some_people_for_machines_and_some_machines_for_people() -> None:
    flawed = PROFILES["warm"]
    deck, flawless = deck_of(flawed), deck_of(replace(flawed, amd=replace(flawed.amd, unknown=0.9)))

    assert deck.share(Outcome.MACHINE) * 100 == pytest.approx(flawed.machine, abs=4)
    assert flawless.share(Outcome.HUMAN) > 0.6  # whoever cannot be told apart is a person


def lines_of(deck: Deck, outcome: Outcome) -> list[float]:
    return [card.talk_s for card in deck.of(0) if card.outcome is outcome]


def test_a_call_is_as_long_as_what_is_heard_in_it() -> None:
    long = Agent(AgentKind.MESSAGE, "word " * 100, {})  # 40 s, and then silence for the verdict
    stream = Agent(AgentKind.STREAM, "wss://agent.example.com", {})

    assert max(lines_of(deck_of(PROFILES["warm"]), Outcome.HUMAN)) < 20
    assert max(lines_of(deck_of(PROFILES["warm"], agent=long), Outcome.HUMAN)) == 55
    assert max(lines_of(deck_of(PROFILES["warm"], agent=stream), Outcome.HUMAN)) > 100


@pytest.mark.parametrize(
    ("on_machine", "least", "most"),
    [
        (OnMachine.HANG_UP, 3.0, 6.0),
        (OnMachine.LEAVE_MESSAGE, 10.0, 27.0),
        (OnMachine.CONTINUE, 10.0, 20.0),
    ],
)
def test_a_machine_keeps_the_line_as_the_campaign_will_have_it(
    on_machine: OnMachine, least: float, most: float
) -> None:
    lengths = lines_of(
        deck_of(PROFILES["mixed"], given_setup(on_machine=on_machine)), Outcome.MACHINE
    )

    assert least < sorted(lengths)[len(lengths) // 2] < most
