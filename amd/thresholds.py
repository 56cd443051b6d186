"""How much it takes to tell a person from a machine, and how long anybody waits for it.

All times are milliseconds of media since the answer, or spans of them.
"""

from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Final


class CarrierVote(StrEnum):
    """What the carrier's own verdict counts."""

    DECIDES = "decides"  # nobody else listens
    SETTLES = "settles"  # where everybody else was at a loss
    CONFIRMS = "confirms"  # only that a machine's greeting is over


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Raises ValueError for a time below zero, or a score that is not a probability above half.

    Where a comment says *measured*, it was on scenes built from recordings, not on calls.
    """

    #: Nobody spoke: Twilio, too, gives up after this silence (its default SilenceTimeout).
    silence_ms: int = 5000
    #: From the first word to some verdict: a person who hears nothing for longer hangs up.
    verdict_ms: int = 3000
    #: A sound this short is no word: Asterisk's AMD and VICIdial's tuning take 100 and 120.
    word_ms: int = 120
    #: Persons pick up with less: Twilio's default SpeechThreshold.
    short_ms: int = 2400
    #: The pause that ends a turn: Asterisk's after-greeting silence.
    pause_ms: int = 800
    #: A hole this long is inside speech that goes on: the voice detector bridges 240.
    hole_ms: int = 300
    #: Nobody picks up with this much in one breath: at 4000, 15 of 100 persons do (measured).
    long_ms: int = 5000
    #: Who begins to speak later than this after a verdict may be answering us: one short word.
    reply_ms: int = 700
    #: The model's probability: a prototype lost 1.8 of 100 persons with it at 3 s (measured).
    score: float = 0.96
    #: How long it must hold: two steps of the model, so that no single frame decides.
    hold_ms: int = 80
    #: Speech before the model is believed: at 1500 it found 1 machine in 7 (measured).
    score_speech_ms: int = 1500
    #: Shorter tones come in voices: 3 an hour at 200, 48 at 120 (measured).
    beep_ms: int = 200
    #: Two beeps nearer than this are one, or one machine's double beep.
    beeps_apart_ms: int = 1000
    #: The answering tone lasts 2600 at least (ITU-T T.30); this much of it tells it from a whistle.
    fax_ms: int = 600
    #: Silence that ends a greeting: longer than the pauses in one, shorter than a recorder waits.
    quiet_ms: int = 2000
    #: The same told by words alone, which come up to a second after they were said.
    words_quiet_ms: int = 3000
    #: A person may turn out to be a machine until here: later, what is said answers our agent.
    human_ms: int = 10_000
    #: Nobody knows who it is: a transcript starts 2 to 5 s late, and 9 of 10 greetings take 8 s.
    unknown_ms: int = 15_000
    #: A greeting that has no end by now never will: Twilio's default detection time-out.
    greeting_ms: int = 30_000
    #: An announcement asks for a message within this of being told, or it never will (a guess).
    announcement_ms: int = 12_000
    #: From its last question: an assistant hears our line, then rings the person for half a minute
    #: (a guess). The line and the silence after it are shorter.
    screening_ms: int = 60_000
    #: Words of a short utterance come by this long after it, or nobody understood them.
    screened_pause_ms: int = 3000
    #: No screening assistant puts anybody through before it has our name (a guess).
    pick_up_ms: int = 4000
    #: Beside others the carrier only breaks a tie: it was often contradicted in the field.
    carrier: CarrierVote = CarrierVote.SETTLES

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if each.name.endswith("_ms") and value < 0:
                raise ValueError(f"{each.name} is below zero: {value}")
        if not 0.5 < self.score <= 1:
            raise ValueError(f"score is no probability above a half: {self.score}")


BALANCED: Final = Thresholds()

#: Loses fewer persons still, and takes more machines for one.
CONSERVATIVE: Final = replace(
    BALANCED,
    short_ms=3000,
    long_ms=8000,
    reply_ms=0,
    score=0.99,
    hold_ms=200,
    score_speech_ms=2000,
    beep_ms=300,
    unknown_ms=10_000,
    carrier=CarrierVote.CONFIRMS,
)

#: The carrier listens alone. Its word may take the 59 s that it can be given at most.
CARRIER_ALONE: Final = replace(
    BALANCED,
    unknown_ms=60_000,
    greeting_ms=60_000,
    carrier=CarrierVote.DECIDES,
)
