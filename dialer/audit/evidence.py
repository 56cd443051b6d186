"""Everything an audit goes by, in one value, and the few joins that every promise needs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property

from dialer.audit.records import (
    ERASED,
    Account,
    Attempt,
    Bounds,
    Brake,
    Call,
    Campaign,
    Command,
    Daemon,
    Listing,
    Member,
    News,
    Number,
    NumberDay,
    Retry,
    RuleSet,
    Schedule,
    StoreEffect,
)


@dataclass(frozen=True)  # no slots: what is looked up again and again is joined once
class Evidence:
    """The carrier's record and the database's tables; None is evidence that was not given.

    Judged is what lies between *since_at* and *until_at*; what lies around is only looked up.
    Without *since_at* the evidence is the whole history.
    """

    calls: Sequence[Call] = ()
    attempts: Sequence[Attempt] = ()
    members: Sequence[Member] = ()
    campaigns: Sequence[Campaign] = ()
    numbers: Sequence[Number] = ()
    number_days: Sequence[NumberDay] = ()
    schedules: Sequence[Schedule] = ()
    rule_sets: Sequence[RuleSet] = ()
    news: Sequence[News] = ()
    daemons: Sequence[Daemon] = ()
    listings: Sequence[Listing] = ()
    brakes: Sequence[Brake] = ()
    retries: Sequence[Retry] = ()
    #: Public holidays by calendar code and year.
    public_holidays: Mapping[tuple[str, int], frozenset[date]] = field(default_factory=dict)
    account: Account | None = None
    commands: Sequence[Command] | None = None
    store_effects: Sequence[StoreEffect] | None = None
    bounds: Bounds = field(default_factory=Bounds)
    as_of_at: int = 0  # when the database was read
    since_at: int | None = None
    until_at: int | None = None
    over: bool = False  # everything has come to its end; nothing may be under way

    @property
    def whole(self) -> bool:
        """Whether this is everything that ever happened."""
        return self.since_at is None

    def in_period(self, at: int) -> bool:
        """Whether what happened at *at* is judged."""
        begun = self.since_at is None or self.since_at <= at
        return begun and (self.until_at is None or at < self.until_at)

    @cached_property
    def judged(self) -> Sequence[Call]:
        """The calls of the period, in the order they were accepted."""
        calls = (self._as_kept(call) for call in self.calls if self.in_period(call.accepted_at))
        return sorted(calls, key=lambda call: (call.accepted_at, call.sid))

    @cached_property
    def judged_attempts(self) -> Sequence[Attempt]:
        """The attempts of the period."""
        return [attempt for attempt in self.attempts if self.in_period(attempt.intent_at)]

    @cached_property
    def dialed(self) -> Sequence[tuple[Call, Attempt]]:
        """The judged calls that can be attributed, each with its attempt."""
        pairs = ((call, self.attempt_of(call)) for call in self.judged)
        return [(call, attempt) for call, attempt in pairs if attempt is not None]

    def attempt_of(self, call: Call) -> Attempt | None:
        """The attempt a call was placed for: by its token, else by its sid, else by callbacks."""
        return (
            self.attempt_by_id.get(call.token or "")
            or self.attempt_by_sid.get(call.sid)
            or self.attempt_by_id.get(self._told.get(call.sid, ""))
        )

    def _as_kept(self, call: Call) -> Call:
        """A call to somebody who was erased, under the name that is kept instead of the number."""
        attempt = self.attempt_of(call)
        if attempt is None or not attempt.phone.startswith(ERASED):
            return call
        return replace(call, to=attempt.phone)

    def campaign_of(self, attempt: Attempt) -> Campaign | None:
        """The campaign an attempt was made in."""
        return self.campaign_by_id.get(attempt.campaign_id)

    @cached_property
    def attempt_by_id(self) -> Mapping[str, Attempt]:
        return {attempt.id: attempt for attempt in self.attempts}

    @cached_property
    def attempt_by_sid(self) -> Mapping[str, Attempt]:
        return {attempt.sid: attempt for attempt in self.attempts if attempt.sid}

    @cached_property
    def attempts_by_phone(self) -> Mapping[str, Sequence[Attempt]]:
        by_phone: dict[str, list[Attempt]] = {}
        for attempt in self.attempts:
            by_phone.setdefault(attempt.phone, []).append(attempt)
        return by_phone

    @cached_property
    def campaign_by_id(self) -> Mapping[int, Campaign]:
        return {campaign.id: campaign for campaign in self.campaigns}

    @cached_property
    def number_by_id(self) -> Mapping[int, Number]:
        return {number.id: number for number in self.numbers}

    @cached_property
    def number_by_phone(self) -> Mapping[str, Number]:
        return {number.phone: number for number in self.numbers}

    @cached_property
    def schedule_by_id(self) -> Mapping[int, Schedule]:
        return {schedule.id: schedule for schedule in self.schedules}

    @cached_property
    def _told(self) -> Mapping[str, str]:
        """Attempts by sid, from callbacks: their address carries the attempt, signed."""
        return {news.sid: news.attempt_id for news in self.news}
