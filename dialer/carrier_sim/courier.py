"""Brings webhooks to their address, and loses, doubles, delays or swaps them as faults demand."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from dialer.carrier_sim.chance import stream
from dialer.carrier_sim.errands import Errands
from dialer.carrier_sim.faults import Dice, Fault, LineFault
from dialer.carrier_sim.truth import Event, TruthLog
from dialer.carrier_sim.webhook import Hook, Poster, Reply, WebhookFailedError, deliver

LATE_S: Final = (60.0, 1800.0)
SECOND_COPY_S: Final = (0.05, 5.0)
OVERTAKEN_BY_S: Final = (0.2, 1.0)
#: The same for transcripts, which follow one another faster.
LATE_TRANSCRIPT_S: Final = (2.0, 10.0)
SECOND_TRANSCRIPT_S: Final = (0.05, 3.0)
OVERTAKEN_TRANSCRIPT_S: Final = (0.8, 2.5)


@dataclass(frozen=True, slots=True)
class Callback:
    """A webhook whose answer nobody reads; *label* is its CallStatus, its event, or ``amd``."""

    sid: str
    label: str
    hook: Hook
    form: Mapping[str, str]
    more_to_come: bool = False  # the same call will send another one later


class Courier:
    """Sends callbacks and fetches documents for all calls of one carrier."""

    def __init__(
        self,
        poster: Poster,
        errands: Errands,
        dice: Dice,
        truth: TruthLog,
        *,
        now: Callable[[], int],
        seed: int,
        patience: float = 1.0,
    ) -> None:
        self._poster = poster
        self._errands = errands
        self._dice = dice
        self._truth = truth
        self._now = now
        self._tokens = stream(seed, "token", now())
        self._patience = patience
        self._held: dict[str, Callback] = {}
        self.answered = 0
        self.failed = 0

    def send(self, callback: Callback) -> None:
        """Put *callback* on its way; faults are decided here, in the order callbacks arise."""
        overtaken = self._held.pop(callback.sid, None)
        if self._dice.strikes(Fault.LOST):
            self._note(Event.CALLBACK_LOST, callback)
        elif callback.more_to_come and self._dice.strikes(Fault.REORDERED):
            self._held[callback.sid] = callback
        else:
            self._start(callback)
        if overtaken:
            self._start(overtaken, self._dice.between(Fault.REORDERED, *OVERTAKEN_BY_S))

    def send_transcript(self, callback: Callback) -> bool:
        """Put a transcript on its way; False when it is lost."""
        dice = self._dice
        if dice.strikes(LineFault.TRANSCRIPT_LOST):
            return False
        after_s = 0.0
        if dice.strikes(LineFault.TRANSCRIPT_REORDERED):
            after_s += dice.between(LineFault.TRANSCRIPT_REORDERED, *OVERTAKEN_TRANSCRIPT_S)
        if dice.strikes(LineFault.TRANSCRIPT_LATE):
            after_s += dice.between(LineFault.TRANSCRIPT_LATE, *LATE_TRANSCRIPT_S)
        self._errands.start(self._bring, callback, after_s)
        if dice.strikes(LineFault.TRANSCRIPT_DOUBLED):
            after_s += dice.between(LineFault.TRANSCRIPT_DOUBLED, *SECOND_TRANSCRIPT_S)
            self._errands.start(self._bring, callback, after_s)
        return True

    async def fetch(self, sid: str, hook: Hook, form: Mapping[str, str]) -> Reply | None:
        """Ask for a document; None when no answer came."""
        outcome = await deliver(self._poster, hook, form, self._token(), self._patience)
        status = outcome.status if isinstance(outcome, Reply) else 0
        self._truth.record(Event.DOCUMENT, self._now(), {"sid": sid, "http": status})
        return outcome if isinstance(outcome, Reply) else None

    def _start(self, callback: Callback, after_s: float = 0.0) -> None:
        if self._dice.strikes(Fault.LATE):
            after_s += self._dice.between(Fault.LATE, *LATE_S)
        self._errands.start(self._bring, callback, after_s)
        if self._dice.strikes(Fault.DUPLICATE):
            after_s += self._dice.between(Fault.DUPLICATE, *SECOND_COPY_S)
            self._errands.start(self._bring, callback, after_s)

    async def _bring(self, callback: Callback, after_s: float) -> None:
        if after_s:
            await asyncio.sleep(after_s)
        token = self._token()
        outcome = await deliver(self._poster, callback.hook, callback.form, token, self._patience)
        answered = isinstance(outcome, Reply) and outcome.ok
        self.answered += answered
        self.failed += not answered
        self._note(Event.CALLBACK, callback, http=_status(outcome), late_s=round(after_s, 3))

    def _note(self, event: Event, callback: Callback, **facts: float) -> None:
        said = {"sid": callback.sid, "label": callback.label, **facts}
        self._truth.record(event, self._now(), said)

    def _token(self) -> str:
        return str(UUID(int=self._tokens.getrandbits(128), version=4))


def _status(outcome: Reply | WebhookFailedError) -> int:
    return outcome.status if isinstance(outcome, Reply) else 0
