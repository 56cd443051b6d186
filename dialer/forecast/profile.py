"""A deck from a carrier profile, for campaigns without a history of their own.

Some of the campaign's people are called by the simulator's model of callees, each as often as the
campaign would, so that the shares of later calls are those of people who were not reached before.
Each run calls others: a profile is somebody else's experience, and is worth no more than so few
calls of one's own would be.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Final

from amd.verdict import Verdict, carrier_verdict
from dialer.carrier_sim.hearing import AmdOrder, hear
from dialer.carrier_sim.profiles import CallPlan, Dial, Fate, Profile, plan_call
from dialer.carrier_sim.twiml import WORDS_PER_S
from dialer.forecast.cards import CLASSES, Card, Deck, class_of, noisy_size
from dialer.forecast.snapshot import Member, Setup
from dialer.model import Agent, AgentKind, AmdMode, OnMachine
from dialer.places import zone_of
from dialer.scripts import listen_s
from dialer.timezones import zone
from retries.outcome import Outcome
from retries.policy import FINAL

MS: Final = 1000
#: So many are called to make a deck: where a fifth of them answers, two decks in three have
#: between 17.7 and 22.3 % who do.
PEOPLE: Final = 300
#: How often a callee is called, about.
CALLS_EACH: Final = 2
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


@dataclass(frozen=True, slots=True)
class Callees:
    """The simulator's model of callees, called under a setup by an agent at *times* (UTC ms)."""

    profile: Profile
    setup: Setup
    agent: Agent
    times: Iterator[int]
    rng: Random

    def deck(self, people: Sequence[Member], calls: float = math.inf) -> Deck:
        """Call *people* in turn; who answers depends on the hour of the day where they live.

        Where so many *calls* will be dealt evenly, fewer people are called: see ``noisy_size``.
        """
        classes: list[list[Card]] = [[] for _ in range(CLASSES)]
        for n in range(noisy_size(PEOPLE, calls / CALLS_EACH)):
            for calls_before, card in enumerate(self._life(people[n % len(people)].phone)):
                classes[class_of(calls_before)].append(card)
        for kind, cards in enumerate(classes):
            cards.extend(() if cards else classes[kind - 1])
        return Deck(classes)

    def _life(self, phone: str) -> Iterator[Card]:
        """The calls of one callee until nobody calls any more."""
        seed = self.rng.getrandbits(32)  # whose number comes up twice is another person then
        zone_name, ring_timeout_s = zone_of(phone), self.setup.campaign.ring_timeout_s
        for calls_before in range(CLASSES):
            at = next(self.times)
            hour = datetime.fromtimestamp(at / MS, zone(zone_name)).hour if zone_name else None
            from_ = self.rng.choice(self.setup.numbers).phone
            dial = Dial(phone, from_, ring_timeout_s, calls_before, local_hour=hour)
            card = self._card(plan_call(self.profile, seed, dial))
            yield card
            if FINAL[card.outcome]:
                return

    def _card(self, plan: CallPlan) -> Card:
        """What the engine will make of a call that goes as planned."""
        ring_s = TRAVEL_S + plan.setup_s + plan.post_dial_s + plan.ring_s
        if not plan.answered:
            code = NO_SUCH_NUMBER if plan.fate is Fate.INVALID else None
            return Card(_UNANSWERED[plan.fate], ring_s, error_code=code)
        campaign = self.setup.campaign
        line_s = min(plan.on_line_s, self._script_s())
        if campaign.amd is AmdMode.OFF:
            return Card(Outcome.HUMAN, ring_s, line_s)
        leaves_message = campaign.on_machine is OnMachine.LEAVE_MESSAGE
        order = AmdOrder(detect_message_end=leaves_message, asynchronous=True)
        heard = hear(plan, order, self.profile.amd, self.rng)
        if heard.after_s > line_s:  # the call ends before anybody knows: that counts as a person
            return Card(Outcome.HUMAN, ring_s, line_s)
        outcome = _ANSWERED[carrier_verdict(heard.answered_by)]
        if outcome is Outcome.MACHINE and leaves_message:
            line_s = min(plan.on_line_s, heard.after_s + self._spoken_s())
        elif outcome is Outcome.FAX or (
            outcome is Outcome.MACHINE and campaign.on_machine is OnMachine.HANG_UP
        ):
            line_s = min(line_s, heard.after_s + HANG_UP_S)
        return Card(outcome, ring_s, line_s)

    def _spoken_s(self) -> float:
        """How long the agent's text takes."""
        message = self.agent.kind is AgentKind.MESSAGE
        return len(self.agent.target.split()) / WORDS_PER_S if message else 0.0

    def _script_s(self) -> float:
        """How long the agent keeps whoever listens: one that talks, as long as they like."""
        if self.agent.kind is not AgentKind.MESSAGE:
            return math.inf
        campaign = self.setup.campaign
        return self._spoken_s() + max(listen_s(campaign.amd, campaign.on_machine), KEY_WAIT_S)
