"""A deck from a carrier profile, for campaigns without a history of their own.

Some of the campaign's people are called by the simulator's model of callees, each as often as the
campaign would, so that the shares of later calls are those of people who were not reached before.
Each run calls others: a profile is somebody else's experience, and is worth no more than so few
calls of one's own would be.
"""

import math
from collections.abc import Iterator, Sequence
from datetime import datetime
from random import Random
from typing import Final

from amd.verdict import Verdict, carrier_verdict
from dialer.campaigns import NewCampaign
from dialer.carrier_sim.hearing import AmdOrder, hear
from dialer.carrier_sim.profiles import CallPlan, Dial, Fate, Profile, plan_call
from dialer.carrier_sim.twiml import WORDS_PER_S
from dialer.forecast.cards import CLASSES, Card, Deck, class_of
from dialer.forecast.snapshot import Member, Setup
from dialer.model import Agent, AgentKind, AmdMode, OnMachine
from dialer.phones import zone_of
from dialer.scripts import GREETING_S, VERDICT_S
from dialer.timezones import zone
from retries.outcome import Outcome
from retries.policy import FINAL

MS: Final = 1000
#: So many are called to make a deck: where a fifth of them answers, two decks in three have
#: between 17.7 and 22.3 % who do.
PEOPLE: Final = 300
#: From the request to the carrier's answer, and from a call's end to the news of it, in seconds.
TRAVEL_S: Final = 0.5
#: From a verdict to the end of the call it is about, in seconds.
HANG_UP_S: Final = 0.5
#: After a spoken message the callee may still press a key, in seconds.
KEY_WAIT_S: Final = 5
#: Twilio's error code for a number that nobody can be reached at.
NO_SUCH_NUMBER: Final = 13224

_UNANSWERED: Final = {
    Fate.NO_ANSWER: Outcome.NO_ANSWER,
    Fate.BUSY: Outcome.BUSY,
    Fate.REJECTED: Outcome.REJECTED,
    Fate.INVALID: Outcome.INVALID_NUMBER,
    Fate.FAILED: Outcome.CARRIER_FAILED,
}
_ANSWERED: Final = {
    Verdict.HUMAN: Outcome.HUMAN,
    Verdict.UNKNOWN: Outcome.HUMAN,
    Verdict.MACHINE: Outcome.MACHINE,
    Verdict.FAX: Outcome.FAX,
}


def deck_from(
    profile: Profile,
    people: Sequence[Member],
    setup: Setup,
    agent: Agent,
    times: Iterator[int],
    rng: Random,
) -> Deck:
    """Call *people* in turn, under *setup*, at *times* (UTC ms): who answers depends on when."""
    classes: list[list[Card]] = [[] for _ in range(CLASSES)]
    for n in range(PEOPLE):
        # Somebody who is called twice is another person the second time.
        seed, member = rng.getrandbits(32), people[n % len(people)]
        for calls_before, card in enumerate(_life(profile, seed, member, setup, agent, times, rng)):
            classes[class_of(calls_before)].append(card)
    for kind, cards in enumerate(classes):
        cards.extend(() if cards else classes[kind - 1])
    return Deck(classes)


def _life(
    profile: Profile,
    seed: int,
    member: Member,
    setup: Setup,
    agent: Agent,
    times: Iterator[int],
    rng: Random,
) -> Iterator[Card]:
    """The calls of one callee until nobody calls any more."""
    zone_name = zone_of(member.phone)
    for calls_before in range(CLASSES):
        at = next(times)
        hour = datetime.fromtimestamp(at / MS, zone(zone_name)).hour if zone_name else None
        ring_timeout_s = setup.campaign.ring_timeout_s
        from_ = rng.choice(setup.numbers).phone
        dial = Dial(member.phone, from_, ring_timeout_s, calls_before, local_hour=hour)
        card = _card(plan_call(profile, seed, dial), profile, setup, agent, rng)
        yield card
        if FINAL[card.outcome]:
            return


def _card(plan: CallPlan, profile: Profile, setup: Setup, agent: Agent, rng: Random) -> Card:
    """What the engine will make of a call that goes as planned."""
    ring_s = TRAVEL_S + plan.setup_s + plan.post_dial_s + plan.ring_s
    if not plan.answered:
        code = NO_SUCH_NUMBER if plan.fate is Fate.INVALID else None
        return Card(_UNANSWERED[plan.fate], ring_s, error_code=code)
    campaign = setup.campaign
    says_s, message_s = _script_s(agent, campaign)
    line_s = min(plan.on_line_s, says_s)
    if campaign.amd is AmdMode.OFF:
        return Card(Outcome.HUMAN, ring_s, line_s)
    leaves_message = campaign.on_machine is OnMachine.LEAVE_MESSAGE
    order = AmdOrder(detect_message_end=leaves_message, asynchronous=True)
    heard = hear(plan, order, profile.amd, rng)
    if heard.after_s > line_s:  # the call ends before anybody knows: that counts as a person
        return Card(Outcome.HUMAN, ring_s, line_s)
    outcome = _ANSWERED[carrier_verdict(heard.answered_by)]
    if outcome is Outcome.FAX or (outcome is Outcome.MACHINE and _hangs_up(campaign)):
        line_s = min(line_s, heard.after_s + HANG_UP_S)
    elif outcome is Outcome.MACHINE and leaves_message:
        line_s = min(plan.on_line_s, heard.after_s + message_s)
    return Card(outcome, ring_s, line_s)


def _hangs_up(campaign: NewCampaign) -> bool:
    return campaign.on_machine is OnMachine.HANG_UP


def _script_s(agent: Agent, campaign: NewCampaign) -> tuple[float, float]:
    """How long an agent that listens to nobody keeps a person on the line, and a machine."""
    if agent.kind is not AgentKind.MESSAGE:
        return math.inf, 0.0
    spoken_s = len(agent.target.split()) / WORDS_PER_S
    listens = campaign.amd is not AmdMode.OFF
    longer = GREETING_S if campaign.on_machine is OnMachine.LEAVE_MESSAGE else VERDICT_S
    return spoken_s + (longer if listens else KEY_WAIT_S), spoken_s
