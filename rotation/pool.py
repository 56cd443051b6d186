"""The numbers of one campaign at work on one batch of claims, inside one transaction."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from rotation.caller import CallerId, Ineligible, Limits, why_not
from rotation.strategies import CHOICES, Strategy

__all__ = ["CallerId", "Ineligible", "Limits", "Pool", "Strategy", "Unavailable", "why_not"]

_IN_WORDS: Final[Mapping[Ineligible, str]] = MappingProxyType(
    {
        Ineligible.DISABLED: "disabled",
        Ineligible.EXCLUDED: "excluded for spam",
        Ineligible.DAILY_CAP: "at the daily cap",
        Ineligible.BUSY: "busy",
    }
)


@dataclass(frozen=True, slots=True)
class Unavailable:
    """Why no number may carry a call: how many fail for which reason, the commonest first.

    ``until_at`` (UTC ms) is the earliest instant at which a number comes free by the calendar
    alone; None if that takes an operator, a new spam score or the end of a call.
    """

    counts: Mapping[Ineligible, int]
    until_at: int | None

    @property
    def text(self) -> str:
        """One line for an operator, such as "3 of 4 at the daily cap, 1 excluded for spam"."""
        if not self.counts:
            return "the campaign has no numbers"
        (first, count), *others = self.counts.items()
        parts = [f"{count} of {sum(self.counts.values())} {_IN_WORDS[first]}"]
        parts += [f"{count} {_IN_WORDS[reason]}" for reason, count in others]
        return ", ".join(parts)


class Pool:
    """Hands out numbers for one batch of calls and keeps count, so that no cap is passed.

    Takes snapshots of *all* numbers of the campaign (the turn counter is read off them) and the
    time of the claim, *now* (UTC ms). Nothing is stored here: persist :meth:`changed` and
    :attr:`taken` in the transaction that loaded the snapshots, or forget the pool.
    """

    def __init__(
        self, callers: Iterable[CallerId], limits: Limits, strategy: Strategy, now: int
    ) -> None:
        self._loaded = {caller.id: caller for caller in callers}
        self._limits = limits
        self._choose = CHOICES[strategy]
        self._now = now
        self._current = dict(self._loaded)
        self._eligible = {
            caller.id: caller for caller in self._loaded.values() if why_not(caller, limits) is None
        }
        # Kept apart from the snapshots because a weighted pick moves the credit of every number.
        self._credits = {caller.id: caller.credit for caller in self._loaded.values()}
        self._turn = max((caller.last_turn for caller in self._loaded.values()), default=0)
        self._taken: Counter[int] = Counter()

    @property
    def size(self) -> int:
        """How many numbers the campaign has."""
        return len(self._loaded)

    @property
    def usable(self) -> int:
        """How many of them may carry a call now."""
        return len(self._eligible)

    def take(self, preferred_id: int | None = None) -> CallerId | None:
        """Choose a number for one call and count the call; None if no number may carry it.

        The preferred number, if it may be used, is taken out of turn: its call counts against
        every cap, but costs it neither turn nor credit. So turns and proportions are exact among
        the calls the strategy decides, and those that stay on a number follow their first calls.
        """
        preferred = None if preferred_id is None else self._eligible.get(preferred_id)
        if preferred is not None:
            return self._count_call(preferred, preferred.last_turn)
        if not self._eligible:
            return None
        return self._count_call(self._next(), self._turn)

    @property
    def taken(self) -> Mapping[int, int]:
        """How many calls each number was taken for, by id; numbers not taken are left out."""
        return MappingProxyType(self._taken)

    def changed(self) -> list[CallerId]:
        """The snapshots that differ from those loaded, in the order of loading.

        A weighted pick changes the credit of numbers that were not taken, too.
        """
        current = (
            caller._replace(credit=self._credits[caller.id]) for caller in self._current.values()
        )
        return [caller for caller in current if caller != self._loaded[caller.id]]

    def unavailable(self) -> Unavailable | None:
        """Say why no number may carry a call and until when; None while one may."""
        if self._eligible:
            return None
        reasons = (why_not(caller, self._limits) for caller in self._current.values())
        counts = Counter(reason for reason in reasons if reason is not None)
        day_ends = (
            caller.day_ends_at
            for caller in self._current.values()
            if why_not(caller._replace(calls_today=0), self._limits) is None
        )
        return Unavailable(dict(counts.most_common()), min(day_ends, default=None))

    def _next(self) -> CallerId:
        """The number whose turn it is, the turn counted."""
        pick = self._choose(self._eligible.values(), self._credits)
        self._credits.update(pick.credits)
        self._turn += 1
        return pick.caller

    def _count_call(self, caller: CallerId, turn: int) -> CallerId:
        # Written out, because this runs for every call and _replace() is three times as slow.
        used = CallerId(
            caller.id,
            caller.phone,
            caller.weight,
            caller.enabled,
            caller.spam_score,
            caller.calls_today + 1,
            caller.live_calls + 1,
            caller.max_live,
            caller.day_ends_at,
            turn,
            self._credits[caller.id],
            self._now,
        )
        self._taken[used.id] += 1
        self._current[used.id] = used
        if why_not(used, self._limits) is None:
            self._eligible[used.id] = used
        else:
            del self._eligible[used.id]
        return used
