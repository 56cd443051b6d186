"""What answering machine detection says, and when. Pure.

Values and defaults are those of Twilio's MachineDetection parameter; delays follow the reported
durations (2.98-5.0 s, an unknown shortly after the silence timeout, fixtures of 1.5 s for people).
"""

from dataclasses import dataclass
from random import Random
from typing import Final

from dialer.carrier_sim.profiles import CallPlan, Confusion, Fate, Machine, Range

HUMAN_S: Final[Range] = (1.5, 4.0)
MACHINE_S: Final[Range] = (2.98, 5.0)
FAX_S: Final[Range] = (2.5, 4.0)
BEEP_SHARE: Final = 0.85  # greetings whose end is heard as a beep; own estimate
UNKNOWN: Final = "unknown"


@dataclass(frozen=True, slots=True)
class AmdOrder:
    """How a request wants answering machines detected."""

    detect_message_end: bool
    asynchronous: bool
    timeout_s: float = 30.0
    silence_timeout_s: float = 5.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """One of Twilio's AnsweredBy values, *after_s* seconds from the answer."""

    answered_by: str
    after_s: float


def hear(plan: CallPlan, order: AmdOrder, confusion: Confusion, rng: Random) -> Verdict:
    """The verdict on an answered call; a wrong one as often as *confusion* says."""
    verdict = _verdict(_heard(plan.fate, confusion, rng.random()), plan, order, rng)
    if verdict.after_s > order.timeout_s:
        return Verdict(UNKNOWN, order.timeout_s)
    return verdict


def _heard(fate: Fate, confusion: Confusion, roll: float) -> Fate | None:
    """Whom the detector takes the answerer for; None when it cannot tell."""
    if fate is Fate.FAX:
        return Fate.FAX
    if roll < confusion.unknown:
        return None
    wrong = confusion.human_as_machine if fate is Fate.HUMAN else confusion.machine_as_human
    if roll >= confusion.unknown + wrong:
        return fate
    return Fate.MACHINE if fate is Fate.HUMAN else Fate.HUMAN


def _verdict(heard: Fate | None, plan: CallPlan, order: AmdOrder, rng: Random) -> Verdict:
    match heard:
        case None:
            return Verdict(UNKNOWN, order.silence_timeout_s + rng.uniform(0.0, 0.05))
        case Fate.HUMAN:
            return Verdict("human", rng.uniform(*HUMAN_S))
        case Fate.FAX:
            return Verdict("fax", rng.uniform(*FAX_S))
        case _ if not order.detect_message_end:
            return Verdict("machine_start", rng.uniform(*MACHINE_S))
        case _:
            return _message_end(plan, rng)


def _message_end(plan: CallPlan, rng: Random) -> Verdict:
    heard_beep = rng.random() < BEEP_SHARE
    greeting_s = plan.greeting_s or rng.uniform(*MACHINE_S)  # a person taken for a machine
    if heard_beep and plan.greeting_s and plan.machine is Machine.VOICEMAIL and plan.beeps:
        return Verdict("machine_end_beep", greeting_s + 0.5)
    return Verdict("machine_end_silence", greeting_s + 1.5)
