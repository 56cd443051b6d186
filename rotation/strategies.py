"""How to choose among the numbers that may carry the next call.

Each strategy is a pure function over the eligible snapshots; the order in which they are given
never matters, because every tie ends at the id. :data:`CHOICES` is the table of all of them.

Smooth weighted round robin, the one that needs a word: before each pick every eligible number
earns its weight in credit; the number with the most credit is picked and pays *total*, the sum
of the eligible weights. With n eligible numbers that stay the same, from equal credits:

- any *total* consecutive picks hold each number exactly *weight* times, and the credits are
  then what they were, so they are all that has to outlive a restart;
- after any number of picks, a number is less than one pick ahead of its exact share and at most
  1/2 + 1/3 + ... + 1/n picks behind it: below one for up to three numbers, sometimes above one
  from five on. So the range of the credits stays below total * (1 + ln n).

A number that is not eligible neither earns nor pays. It comes back with the credit it left
with, as if the time between had not been: nothing has piled up that it could burn in a burst.
One thing would still make a burst. When a heavy number leaves, credits of the size of its weight
are worth many picks among the light ones that remain. Hence credits further apart than the
present weights could ever drive them are squeezed to the worth of one pick, in the same order.
Credits that a change leaves unequal may move a number by a pick, rarely more, within the next
*total* picks; by its own course the order then falls back into rounds that are exact.
"""

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from operator import attrgetter
from types import MappingProxyType
from typing import Final, TypeAlias

from rotation.caller import CallerId

Credits: TypeAlias = Mapping[int, int]
"""Credit by the id of the number."""


class Strategy(StrEnum):
    """What decides whose turn it is."""

    ROUND_ROBIN = "round_robin"  # each in turn
    LOWEST_SPAM = "lowest_spam"  # the best reputation
    LEAST_USED_TODAY = "least_used_today"  # the fewest calls since its midnight
    WEIGHTED = "weighted"  # each in proportion to its weight, evenly spread


@dataclass(frozen=True, slots=True)
class Pick:
    """The number chosen, and the credits that the choice has set anew."""

    caller: CallerId
    credits: Credits


Choice: TypeAlias = Callable[[Collection[CallerId], Credits], Pick]


def round_robin(eligible: Collection[CallerId]) -> CallerId:
    """The number whose last turn is longest ago; among those that had none, the lowest id."""
    return min(eligible, key=_TURN)


def lowest_spam(eligible: Collection[CallerId]) -> CallerId:
    """The lowest spam score (none counts as 0), then the least used today, then the most rested."""
    return min(eligible, key=lambda caller: (caller.spam_score or 0.0, *_usage(caller)))


def least_used_today(eligible: Collection[CallerId]) -> CallerId:
    """The fewest calls today, then the longest rested; a number never used has rested longest."""
    return min(eligible, key=_usage)


def weighted(eligible: Collection[CallerId], credits_before: Credits) -> Pick:
    """The number to which smooth weighted round robin owes the most, then the lowest id.

    Reads the credits from *credits_before* and sets those of all the eligible anew; the snapshots'
    own credit is not looked at.
    """
    total = sum(caller.weight for caller in eligible)
    carried = _squeezed({caller.id: credits_before[caller.id] for caller in eligible}, total)
    owed = {caller.id: carried[caller.id] + caller.weight for caller in eligible}
    chosen = max(eligible, key=lambda caller: (owed[caller.id], -caller.id))
    owed[chosen.id] -= total
    return Pick(chosen, owed)


_TURN: Final = attrgetter("last_turn", "id")


def _usage(caller: CallerId) -> tuple[int, float, int]:
    rested_since = -math.inf if caller.last_used_at is None else caller.last_used_at
    return caller.calls_today, rested_since, caller.id


def _squeezed(credit: Credits, total: int) -> Credits:
    """Bring credits that lie too far apart for *total* within the worth of one pick."""
    low, high = min(credit.values()), max(credit.values())
    if high - low <= total * (1 + math.log(len(credit))):
        return credit
    middle = (low + high) // 2
    return {id_: (value - middle) * total // (high - low) for id_, value in credit.items()}


def _without_credit(choose: Callable[[Collection[CallerId]], CallerId]) -> Choice:
    return lambda eligible, _: Pick(choose(eligible), {})


CHOICES: Final[Mapping[Strategy, Choice]] = MappingProxyType(
    {
        Strategy.ROUND_ROBIN: _without_credit(round_robin),
        Strategy.LOWEST_SPAM: _without_credit(lowest_spam),
        Strategy.LEAST_USED_TODAY: _without_credit(least_used_today),
        Strategy.WEIGHTED: weighted,
    }
)
