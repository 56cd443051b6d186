"""A deck from the campaign's own past."""

from collections.abc import Sequence
from typing import Final

from dialer.forecast.cards import CLASSES, Card, Deck, class_of
from dialer.forecast.snapshot import PastCall
from retries.outcome import Outcome

#: Fewer first calls than this say less than a profile does.
ENOUGH: Final = 300
#: Further calls are told apart from the calls before them once there are so many.
ENOUGH_FURTHER: Final = 50

#: What a line is for good: whoever is called again has proved to be something else.
_FOR_GOOD: Final = frozenset({Outcome.INVALID_NUMBER, Outcome.FAX})


def first_calls(past: Sequence[PastCall]) -> int:
    """How many calls to people who had none before."""
    return sum(call.calls_before == 0 for call in past)


def deck_from(past: Sequence[PastCall]) -> Deck:
    """Every past call as a card. A class with too few calls is dealt the calls of the one before
    it, without lines that are no good.
    """
    by_class: list[list[Card]] = [[] for _ in range(CLASSES)]
    for call in past:
        by_class[class_of(call.calls_before)].append(_card(call))
    classes: list[Sequence[Card]] = [by_class[0]]
    for cards in by_class[1:]:
        before = classes[-1]
        lines = [card for card in before if card.outcome not in _FOR_GOOD]
        classes.append(cards if len(cards) >= ENOUGH_FURTHER else lines or before)
    return Deck(classes)


def _card(call: PastCall) -> Card:
    talk_s = min(float(call.talk_s), call.total_s)
    return Card(call.outcome, call.total_s - talk_s, talk_s, call.error_code, call.made)
