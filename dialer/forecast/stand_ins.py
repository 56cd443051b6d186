"""Caller ids of a small world: where many are alike, a few stand for all of them.

A claim looks at every number of its campaign, so a large pool would cost a small world more than
its calls do.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from dialer.forecast.snapshot import Number

#: So many stand in for numbers that are alike.
MOST: Final = 8
#: The most that a number may weigh.
HEAVIEST: Final = 1000


class StandIn(NamedTuple):
    """A number that carries the calls of all *numbers*, itself among them."""

    numbers: Sequence[Number]

    @property
    def id(self) -> int:
        return self.numbers[0].id

    @property
    def zone(self) -> str:
        return self.numbers[0].zone

    @property
    def max_live(self) -> int | None:
        live = [number.max_live for number in self.numbers if number.max_live is not None]
        return sum(live) if live else None

    def left_today(self, cap: int) -> int:
        """The calls that are left today of so many for each."""
        return sum(max(0, cap - number.calls_today) for number in self.numbers)


def stand_ins(numbers: Sequence[Number], *, scaled: bool) -> list[StandIn]:
    """One for each number, or, where the world is *scaled*, few for those that are alike."""
    if not scaled:
        return [StandIn([number]) for number in numbers]
    alike: dict[tuple[object, ...], list[Number]] = {}
    for number in numbers:
        alike.setdefault(_kind(number), []).append(number)
    return [
        StandIn(group[place::MOST])
        for group in alike.values()
        for place in range(min(MOST, len(group)))
    ]


def weights(pool: Sequence[StandIn]) -> list[tuple[int, int]]:
    """Each stand-in by id, as heavy as all its numbers together; the heaviest weighs 1000."""
    sums = {each.id: sum(number.weight for number in each.numbers) for each in pool}
    scale = min(1.0, HEAVIEST / max(sums.values()))
    return [(id_, max(1, round(weight * scale))) for id_, weight in sums.items()]


def _kind(number: Number) -> tuple[object, ...]:
    """Equal for numbers that the rotation could exchange."""
    return number.zone, number.weight, number.enabled, number.spam_score, number.max_live
