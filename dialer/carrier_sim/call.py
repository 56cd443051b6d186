"""One call from acceptance to its end: a small state object moved by timers of the loop.

queued -> ringing -> in-progress -> completed, or -> busy, no-answer, failed, canceled on the way.
Each move is recorded as truth first and then told to whoever subscribed to it.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from dialer.carrier_sim import truth
from dialer.carrier_sim.callee import Callee, Streams
from dialer.carrier_sim.courier import Callback, Courier
from dialer.carrier_sim.errands import Errands
from dialer.carrier_sim.hearing import UNKNOWN, Verdict
from dialer.carrier_sim.media_clock import MediaClock
from dialer.carrier_sim.orders import EVENTS, CallOrder
from dialer.carrier_sim.payloads import amd_form, call_form, end_fields, status_form
from dialer.carrier_sim.profiles import CallPlan, Fate
from dialer.carrier_sim.scenes import scene_of
from dialer.carrier_sim.script import Script
from dialer.carrier_sim.status import ENDS_AS, LIVE, Status
from dialer.carrier_sim.transcription import Place
from dialer.carrier_sim.truth import TruthLog
from dialer.carrier_sim.webhook import Hook

INVALID_NUMBER: Final = {"ErrorCode": "13224", "ErrorMessage": "invalid phone number "}
ATTESTED: Final = {"StirStatus": "A", "StirVerstat": "TN-Validation-Passed-A"}
CUT_SHORT_S: Final = 0.3  # end of the call -> verdict of a detection that had not finished
GONE: Final = CallPlan(Fate.FAILED, 0.0, 0.0, 500, rings=False)  # of a call from an earlier run


@dataclass(frozen=True, slots=True)
class Shared:
    """What all calls of one carrier use."""

    account_sid: str
    now: Callable[[], int]
    loop: asyncio.AbstractEventLoop
    truth: TruthLog
    courier: Courier
    errands: Errands
    seed: int = 1
    streams: Streams | None = None  # none: nobody can listen to sound


class Call:
    """A call and its timers; times are UTC milliseconds, None for what has not happened."""

    __slots__ = (
        "_amd_timer",
        "_attempts_before",
        "_callee",
        "_detection",
        "_leaving",
        "_limit",
        "_script",
        "_sequence",
        "_shared",
        "_timers",
        "accepted_at",
        "answered_at",
        "duration_s",
        "ended_at",
        "initiated_at",
        "listed_at",
        "order",
        "plan",
        "queue_s",
        "ringing_at",
        "sid",
        "status",
        "updated_at",
        "verdict",
    )

    def __init__(
        self,
        shared: Shared,
        sid: str,
        order: CallOrder,
        plan: CallPlan,
        accepted_at: int,
        detection: Verdict | None = None,
        attempts_before: int = 0,
    ) -> None:
        """*detection* is what answering machine detection will say, None when it is off."""
        self.sid = sid
        self.order = order
        self.plan = plan
        self.status = Status.QUEUED
        self.accepted_at = self.updated_at = self.listed_at = accepted_at
        self.queue_s = 0.0
        self.initiated_at: int | None = None
        self.ringing_at: int | None = None
        self.answered_at: int | None = None
        self.ended_at: int | None = None
        self.duration_s = 0
        self.verdict: str | None = None
        self._shared = shared
        self._detection = detection
        self._sequence = 0
        self._timers: list[asyncio.TimerHandle] = []
        self._amd_timer: asyncio.TimerHandle | None = None
        self._limit: asyncio.TimerHandle | None = None
        self._script: Script | None = None
        self._attempts_before = attempts_before
        self._callee: Callee | None = None
        self._leaving: asyncio.TimerHandle | None = None

    @classmethod
    def restored(cls, shared: Shared, past: truth.Call) -> "Call":
        """A call of an earlier run of the simulator; one still going then has failed."""
        hook = Hook(past.status_callback, past.status_callback_method)
        order = CallOrder(
            to=past.to,
            from_=past.from_,
            status=hook if hook.url else None,
            events=frozenset(past.status_callback_events),
        )
        call = cls(shared, past.sid, order, GONE, past.accepted_at)
        call.status = Status(past.status)
        call.initiated_at, call.ringing_at = past.initiated_at, past.ringing_at
        call.answered_at, call.ended_at = past.answered_at, past.ended_at
        call.duration_s, call.verdict = past.duration_s, past.verdict
        call.updated_at = past.ended_at or past.accepted_at
        call.listed_at = 0  # lists have caught up by now
        fired = (past.initiated_at, past.ringing_at, past.answered_at)
        told = zip(EVENTS, fired, strict=False)
        call._sequence = sum(event in order.events and at is not None for event, at in told)
        call.finish(Status.FAILED, GONE.sip, "restart")
        return call

    @property
    def live(self) -> bool:
        """True until the call has ended."""
        return self.status in LIVE

    # -- the callee and the network ---------------------------------------------------------------

    def dial(self) -> None:
        """Leave the queue."""
        self._later(self.plan.setup_s, self._initiate)

    def _initiate(self) -> None:
        self.initiated_at = self._note(truth.Event.INITIATED)
        self._tell("initiated", "initiated")
        self._later(self.plan.post_dial_s, self._ring if self.plan.rings else self._unanswered)

    def _ring(self) -> None:
        self.ringing_at = self._note(truth.Event.RINGING)
        self.status = Status.RINGING
        self._tell("ringing", self.status)
        self._later(self.plan.ring_s, self._answer if self.plan.answered else self._unanswered)

    def _unanswered(self) -> None:
        self.finish(ENDS_AS[self.plan.fate], self.plan.sip, "callee")

    def _answer(self) -> None:
        self.answered_at = self._note(truth.Event.ANSWERED, answered_by=self.plan.fate)
        self.status = Status.IN_PROGRESS
        self._tell("answered", self.status)
        self._leave(self.plan.on_line_s)
        self.limit(self.order.time_limit_s)
        self._callee = callee = self._picked_up(self.answered_at)
        self._script = Script(
            self.sid,
            self._shared.courier,
            self._shared.errands,
            callee,
            now=self._shared.now,
            form=self._document_form,
            hang_up=self._document_over,
            fallback=self.order.fallback,
            digits=self.plan.digits,
        )
        if self._detection:
            after_s = self._detection.after_s
            self._amd_timer = self._shared.loop.call_later(after_s, self._heard, self._detection)
        if not self._detection or self._asynchronous:
            self._script.run(self.order.answer or self.order.twiml)

    def _picked_up(self, at: int) -> Callee:
        shared, clock = self._shared, MediaClock(at)
        place = Place(shared.account_sid, self.sid, clock, shared.now, shared.courier, shared.truth)
        return Callee(
            place,
            scene_of(self.plan, shared.seed, self.order.to, self._attempts_before),
            seed=shared.seed,
            streams=shared.streams,
            leave=lambda at_ms: self._leave((at_ms - clock.ms()) / 1000),
        )

    def _leave(self, seconds: float) -> None:
        """Let the callee hang up so many *seconds* from now, and not when it would have."""
        if self._leaving:
            self._leaving.cancel()
        self._leaving = self._later(seconds, self.finish, Status.COMPLETED, 200, "callee")

    def finish(self, status: Status, sip: int, ended_by: str) -> None:
        """End the call, unless it has; one that is cancelled in the queue tells nobody."""
        if not self.live:
            return
        at = self._shared.now()
        if self.answered_at is not None:
            self.duration_s = (at - self.answered_at + 500) // 1000
        facts = {"status": status, "duration_s": self.duration_s, "sip": sip, "ended_by": ended_by}
        self._note(truth.Event.ENDED, at, **facts)
        self.ended_at, self.status = at, status
        self._stop()
        self._stop_listening()
        if self.initiated_at is not None or status is not Status.CANCELED:
            extra = end_fields(self.duration_s, sip)
            extra |= INVALID_NUMBER if self.plan.fate is Fate.INVALID else {}
            extra |= {"AnsweredBy": self.verdict} if self.verdict else {}
            self._tell("completed", status, extra)

    def abandon(self) -> None:
        """Let nothing more happen; the carrier shuts down."""
        self._stop()
        if self._amd_timer:
            self._amd_timer.cancel()

    # -- requests ---------------------------------------------------------------------------------

    def hang_up(self) -> None:
        """End the call in whatever state it is."""
        if self.status is Status.IN_PROGRESS:
            self.finish(Status.COMPLETED, 200, "caller")
        else:
            self.cancel()

    def cancel(self) -> None:
        """End the call if nobody has answered it; no effect on a conversation."""
        if self.status in {Status.QUEUED, Status.RINGING}:
            self.finish(Status.CANCELED, 487, "caller")

    def redirect(self, source: Hook | str) -> bool:
        """Continue with another document; False unless the call is in progress."""
        if self.status is not Status.IN_PROGRESS or self._script is None:
            return False
        self._script.redirect(source)
        self.updated_at = self._shared.now()
        return True

    def tell_elsewhere(self, hook: Hook) -> None:
        """Send further status callbacks to *hook*."""
        self.order = replace(self.order, status=hook)

    def limit(self, seconds: int) -> None:
        """End the call *seconds* from now."""
        if self._limit:
            self._limit.cancel()
        if self.status is Status.IN_PROGRESS:
            self._limit = self._later(seconds, self.finish, Status.COMPLETED, 200, "time_limit")

    # -- answering machine detection --------------------------------------------------------------

    @property
    def _asynchronous(self) -> bool:
        return self.order.amd is not None and self.order.amd.asynchronous

    def _heard(self, verdict: Verdict) -> None:
        self._amd_timer = None
        self._note(truth.Event.AMD, verdict=verdict.answered_by)
        self.verdict = verdict.answered_by
        if self._asynchronous:
            self._tell_verdict(verdict)
        elif self._script:
            said = {"AnsweredBy": verdict.answered_by}
            self._script.run(self.order.answer or self.order.twiml, said)

    def _tell_verdict(self, verdict: Verdict) -> None:
        if hook := self.order.amd_callback:
            after_ms = round(verdict.after_s * 1000)
            form = amd_form(self._shared.account_sid, self.sid, verdict.answered_by, after_ms)
            self._shared.courier.send(Callback(self.sid, "amd", hook, form))

    def _stop_listening(self) -> None:
        """A detection the call's end cuts short is reported as unknown, after that end."""
        if self._amd_timer is None:
            return
        self._amd_timer.cancel()
        if self._asynchronous and self.answered_at and self.ended_at:
            cut = Verdict(UNKNOWN, (self.ended_at - self.answered_at) / 1000)
            self._amd_timer = self._shared.loop.call_later(CUT_SHORT_S, self._heard, cut)

    # -- helpers ----------------------------------------------------------------------------------

    def _document_form(self) -> dict[str, str]:
        return self._form(self.status) | ATTESTED

    def _document_over(self) -> None:
        self.finish(Status.COMPLETED, 200, "document")

    def _form(self, status: str) -> dict[str, str]:
        shared, order = self._shared, self.order
        return call_form(shared.account_sid, self.sid, order.to, order.from_, status)

    def _tell(self, event: str, status: str, extra: Mapping[str, str] | None = None) -> None:
        hook, events = self.order.status, self.order.events
        if hook is None or event not in events:
            return
        form = status_form(self._form(status), self.updated_at, self._sequence, extra or {})
        self._sequence += 1
        more_to_come = event != "completed" and "completed" in events
        self._shared.courier.send(Callback(self.sid, status, hook, form, more_to_come))

    def _note(self, event: truth.Event, at: int | None = None, **facts: object) -> int:
        at = self._shared.now() if at is None else at
        self._shared.truth.record(event, at, {"sid": self.sid, **facts})
        self.updated_at = at
        return at

    def _later(
        self, seconds: float, move: Callable[..., None], *args: object
    ) -> asyncio.TimerHandle:
        timer = self._shared.loop.call_later(seconds, move, *args)
        self._timers.append(timer)
        return timer

    def _stop(self) -> None:
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        if self._script:
            self._script.stop()
        if self._callee:
            self._callee.stop()
