"""Calls to be replayed: each is a card, dealt to a callee by how often they were called before."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Final, NamedTuple

from retries.outcome import Outcome
from retries.policy import FINAL

#: Calls a callee had before, as decks tell them apart: none, one, two or more.
CLASSES: Final = 3
#: Turns of this size come close to no earlier one for longest (the golden ratio).
_TURN: Final = (5**0.5 - 1) / 2


class Card(NamedTuple):
    """What becomes of one request to place a call."""

    outcome: Outcome
    ring_s: float  # from the request to the answer, or to the end without one
    talk_s: float = 0.0
    error_code: int | None = None
    made: bool = True  # False: the carrier refuses the request

    @property
    def total_s(self) -> float:
        """How long the call keeps its line."""
        return self.ring_s + self.talk_s

    def cut(self, ring_timeout_s: float) -> "Card":
        """The same call where nobody lets it ring for longer."""
        if self.ring_s <= ring_timeout_s or not self.made:
            return self
        return Card(Outcome.NO_ANSWER, ring_timeout_s)


@dataclass(frozen=True, slots=True)
class Deck:
    """Cards by class, none of them empty."""

    classes: Sequence[Sequence[Card]]

    def of(self, calls_before: int) -> Sequence[Card]:
        """The cards for a callee with so many calls behind them."""
        return self.classes[class_of(calls_before)]

    def cut(self, ring_timeout_s: float) -> "Deck":
        """The same deck where nobody lets a call ring for longer."""
        cut = [[card.cut(ring_timeout_s) for card in cards] for cards in self.classes]
        return Deck(cut)

    def resampled(self, rng: Random, calls: float = math.inf) -> "Deck":
        """Cards drawn from these, as many as have the noise of a sample for so many *calls*.

        A history knows the truth only as well as a sample does. Decks drawn from it (the
        bootstrap) differ as widely as it leaves the truth open.
        """
        share = noisy_size(len(self.classes[0]), calls) / len(self.classes[0])
        return Deck([rng.choices(c, k=math.ceil(len(c) * share)) for c in self.classes])

    def share(self, outcome: Outcome, calls_before: int = 0) -> float:
        """The share of an outcome among the calls of a class."""
        cards = self.of(calls_before)
        return sum(card.outcome is outcome for card in cards) / len(cards)

    def calls_ahead(self, calls_before: int, max_retries: int) -> float:
        """How many further calls a callee may expect, with so many behind them."""
        expected, reached_with = 0.0, 1.0
        for calls in range(calls_before, max_retries + 1):
            expected += reached_with
            cards = self.of(calls)
            reached_with *= sum(FINAL[card.outcome] is None for card in cards) / len(cards)
        return expected


def noisy_size(sample: int, calls: float) -> int:
    """The size of a sample that is as noisy as one of *sample* and *calls* of chance together.

    For those who deal evenly: with fewer cards, they differ by what chance would have added.
    """
    return sample if calls == math.inf else math.ceil(sample * calls / (sample + calls))


def class_of(calls_before: int) -> int:
    """The class of a callee with so many calls behind them."""
    return min(calls_before, CLASSES - 1)


class Dealer:
    """Deals the cards of a deck, each as likely as another.

    With *evenly*, each class is dealt in equal parts, as closely as so few calls allow, lengths of
    calls included. That is for small worlds that stand for large ones, where chance would make
    waves that the large one does not have.
    """

    def __init__(self, deck: Deck, rng: Random, *, evenly: bool) -> None:
        self._rng = rng
        self._evenly = evenly
        self._sorted = [sorted(cards, key=_kind_and_length) for cards in deck.classes]
        self._position = [rng.random() for _ in deck.classes]

    def deal(self, calls_before: int) -> Card:
        """What becomes of the next call to a callee with so many behind them."""
        kind = class_of(calls_before)
        cards = self._sorted[kind]
        return cards[int(self._chance(kind) * len(cards))]

    def _chance(self, kind: int) -> float:
        if not self._evenly:
            return self._rng.random()
        self._position[kind] = (self._position[kind] + _TURN) % 1.0
        return self._position[kind]


def _kind_and_length(card: Card) -> tuple[str, float, float]:
    return card.outcome.value, card.total_s, card.ring_s
