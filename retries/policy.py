"""Whether and when a callee is called again, decided from plain values.

A callee is called at most ``max_retries + 1`` times. Attempts the carrier never made
(``NOT_PLACED``) disturbed nobody and do not count towards that; a bound of their own ends a
member whose calls keep not being made.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from retries.outcome import Outcome

MAX_RETRIES: Final = 10
"""The most retries an operator may ask for."""

MAX_UNPLACED: Final = 100
"""The most attempts in vain, none of which became a call, that an operator may allow."""

MAX_INTERVAL_S: Final = 365 * 24 * 3600
"""A longer wait is a slip of the unit, not a plan."""

SPREAD_SHARE: Final = 0.1
"""A wait grows by up to a tenth, so that calls made together are not repeated together."""

REJECTED_RETRIES: Final = 1
"""Whoever turns a call away may have been unable to talk; a second time is an answer."""

NEVER: Final[tuple[int, ...]] = ()
"""As an override: no further call after this outcome."""

_MS: Final = 1000


class Reason(StrEnum):
    """Why no further call follows."""

    ATTEMPTS_EXHAUSTED = "attempts_exhausted"  # the last retry is spent
    REACHED = "reached"  # a human answered, there is nothing to retry
    FAX = "fax"  # nobody can talk there
    INVALID_NUMBER = "invalid_number"  # nobody can be reached there
    REJECTED_TWICE = "rejected_twice"  # turned away again after the one retry
    RULED_OUT = "ruled_out"  # the campaign's own rule says never after this outcome
    NEVER_PLACED = "never_placed"  # the carrier did not make the call, time and again
    NEVER_OPEN = "never_open"  # no window opens at or after the time asked for


FINAL: Final[Mapping[Outcome, Reason | None]] = MappingProxyType(
    {
        Outcome.HUMAN: Reason.REACHED,
        Outcome.MACHINE: None,
        Outcome.FAX: Reason.FAX,
        Outcome.NO_ANSWER: None,
        Outcome.BUSY: None,
        Outcome.REJECTED: None,
        Outcome.INVALID_NUMBER: Reason.INVALID_NUMBER,
        Outcome.CARRIER_FAILED: None,
        Outcome.CANCELED: None,
        Outcome.NOT_PLACED: None,
    }
)
"""Every outcome: why no call may ever follow it, or None where the policy decides."""


@dataclass(frozen=True, slots=True)
class RetryAt:
    """Call again at *at* (UTC milliseconds)."""

    at: int
    moved: bool  # the plain time was closed, *at* is the opening after it


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Call no more."""

    reason: Reason


Decision = RetryAt | GiveUp


@dataclass(frozen=True, slots=True)
class Policy:
    """A campaign's retry plan; :exc:`ValueError` names the field and the value it cannot have."""

    max_retries: int = 2
    intervals_s: tuple[int, ...] = (3600,)  # one per retry; the last one repeats
    overrides: Mapping[Outcome, tuple[int, ...]] = field(default_factory=dict, hash=False)
    max_unplaced: int = 5  # how often an attempt that became no call is made again

    def __post_init__(self) -> None:
        _check_between("max_retries", self.max_retries, 0, MAX_RETRIES)
        _check_between("max_unplaced", self.max_unplaced, 0, MAX_UNPLACED)
        if not self.intervals_s:
            raise ValueError("intervals_s is empty; name the wait before the first retry")
        _check_intervals("intervals_s", self.intervals_s)
        for outcome, intervals_s in self.overrides.items():
            if intervals_s and FINAL[outcome]:
                raise ValueError(f"overrides: {outcome.value!r} is never retried: {intervals_s!r}")
            _check_intervals(f"overrides[{outcome.value}]", intervals_s)
        object.__setattr__(self, "overrides", MappingProxyType(dict(self.overrides)))

    def decide(
        self,
        outcome: Outcome,
        attempts: int,
        now_at: int,
        spread: float,
        next_open: Callable[[int], int | None],
        *,
        rejections: int = 0,
        unplaced: int = 0,
        not_before_at: int | None = None,
    ) -> Decision:
        """Say whether the member is called again after *outcome*, and when.

        *attempts* counts the calls made so far, the one that just ended included; *rejections*
        and *unplaced* count earlier ends of those two kinds, the one that just ended not
        included. *spread* in [0, 1) adds up to :data:`SPREAD_SHARE` of the wait; 0 adds nothing.
        *next_open* moves a time into an open window, and *not_before_at* is the end of a
        quarantine. Raises :exc:`ValueError` for counts that cannot be.
        """
        _check_history(outcome, attempts, rejections, unplaced)
        _check_spread(spread)
        reason = self._reason_to_stop(outcome, attempts, rejections, unplaced)
        if reason is not None:
            return GiveUp(reason)
        retries_before = unplaced if outcome is Outcome.NOT_PLACED else attempts - 1
        intervals_s = self._intervals_after(outcome)
        interval_s = intervals_s[min(retries_before, len(intervals_s) - 1)]
        asked_at = now_at + _spread_out_ms(interval_s, spread)
        if not_before_at is not None:
            asked_at = max(asked_at, not_before_at)
        return _into_window(asked_at, next_open)

    def _reason_to_stop(
        self, outcome: Outcome, attempts: int, rejections: int, unplaced: int
    ) -> Reason | None:
        """The most telling reason against another call, if there is one."""
        if FINAL[outcome]:
            return FINAL[outcome]
        if not self._intervals_after(outcome):
            return Reason.RULED_OUT
        if outcome is Outcome.REJECTED and rejections >= REJECTED_RETRIES:
            return Reason.REJECTED_TWICE
        if attempts > self.max_retries:
            return Reason.ATTEMPTS_EXHAUSTED
        if outcome is Outcome.NOT_PLACED and unplaced >= self.max_unplaced:
            return Reason.NEVER_PLACED
        return None

    def _intervals_after(self, outcome: Outcome) -> tuple[int, ...]:
        return self.overrides.get(outcome, self.intervals_s)


def _spread_out_ms(interval_s: int, spread: float) -> int:
    """The wait in milliseconds, never shorter than the interval."""
    interval_ms = interval_s * _MS
    return interval_ms + int(interval_ms * SPREAD_SHARE * spread)


def _into_window(asked_at: int, next_open: Callable[[int], int | None]) -> Decision:
    open_at = next_open(asked_at)
    if open_at is None:
        return GiveUp(Reason.NEVER_OPEN)
    if open_at < asked_at:  # a window that answers with the past would have us call too early
        raise ValueError(f"next_open({asked_at}) went back to {open_at}")
    return RetryAt(open_at, moved=open_at != asked_at)


def _check_history(outcome: Outcome, attempts: int, rejections: int, unplaced: int) -> None:
    fewest = 0 if outcome is Outcome.NOT_PLACED else 1
    if attempts < fewest:
        raise ValueError(f"attempts: {attempts} cannot be after {outcome.value!r}")
    if rejections < 0:
        raise ValueError(f"rejections: {rejections} is not a count")
    if unplaced < 0:
        raise ValueError(f"unplaced: {unplaced} is not a count")


def _check_spread(spread: float) -> None:
    if not 0 <= spread < 1:
        raise ValueError(f"spread: {spread} is not in [0, 1)")


def _check_between(name: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise ValueError(f"{name}: {value} is not between {least} and {most}")


def _check_intervals(name: str, intervals_s: tuple[int, ...]) -> None:
    for interval_s in intervals_s:
        _check_between(name, interval_s, 1, MAX_INTERVAL_S)
