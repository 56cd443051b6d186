"""What is heard of an answered call: who says what and when, and which tones sound. Pure.

A scene belongs to a call's plan and never contradicts it: a voicemail's greeting is over when the
plan says so. Times are milliseconds since the answer. Equal arguments give equal scenes; a callee
keeps language and voice from call to call.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise, product
from random import Random
from typing import Final, TypeAlias

from dialer.carrier_sim.chance import stream
from dialer.carrier_sim.phrases import PHRASES, Phrases, language_of
from dialer.carrier_sim.profiles import CallPlan, Fate, Machine

Ms: TypeAlias = tuple[int, int]

MS: Final = 1000
#: Speech takes so long per word (real-time recognisers were seen to get 0.35-0.4 s per word).
WORD_MS: Final[Ms] = (350, 400)
#: A greeting that has to fit its time is spoken so fast or so slowly at the most.
STRETCHED_WORD_MS: Final[Ms] = (320, 450)

# The following are own estimates.
FIRST_WORD_MS: Final[Ms] = (300, 1400)
#: Before a recording's first word.
LEAD_MS: Final[Ms] = (250, 900)
BETWEEN_SENTENCES_MS: Final[Ms] = (200, 600)
#: From a greeting's last word to its beep.
BEFORE_BEEP_MS: Final[Ms] = (250, 900)
BEEP_HZ: Final[Ms] = (440, 1400)
BEEP_MS: Final[Ms] = (200, 1000)
ASKING_SHARE: Final = 0.12
REPEATED_SHARE: Final = 0.3
REPEATED_AFTER_MS: Final[Ms] = (1800, 3500)
BETWEEN_TURNS_MS: Final[Ms] = (5000, 14_000)
TURNS: Final = 12
ASKED_AGAIN_AFTER_MS: Final[Ms] = (8000, 10_000)
THANKS_AFTER_MS: Final[Ms] = (500, 900)
PERSON_AFTER_MS: Final[Ms] = (3500, 7000)
NOBODY_AFTER_MS: Final[Ms] = (8000, 12_000)
TALKS_FOR_MS: Final[Ms] = (15_000, 60_000)
SIT_SHARE: Final = 0.5
#: An assistant knows who calls when at least so much was said after its question.
UNDERSTOOD_MS: Final = 600

#: ITU-T E.180: the special information tones, 330 ms each.
SIT_HZ: Final = (950, 1400, 1800)
SIT_MS: Final = 330
#: ITU-T T.30: a called fax answers with 2100 Hz for 2.6 to 4 s, 1.8 to 2.5 s after the line is up.
CED_HZ: Final = 2100
CED_MS: Final[Ms] = (2600, 4000)
CED_AFTER_MS: Final[Ms] = (1800, 2500)


class Kind(StrEnum):
    """Who or what is heard."""

    HUMAN = "human"
    VOICEMAIL = "voicemail"
    IVR = "ivr"
    UNAVAILABLE = "unavailable"
    SCREENING = "screening"
    FAX = "fax"


@dataclass(frozen=True, slots=True)
class Line:
    """Words that are spoken without a pause, each *word_ms* long."""

    at_ms: int
    text: str
    word_ms: int
    person: bool = False  # somebody who picked up after an assistant

    @property
    def words(self) -> list[str]:
        """The text, word by word."""
        return self.text.split()

    @property
    def ends_ms(self) -> int:
        """When the last word is over."""
        return self.at_ms + len(self.words) * self.word_ms


@dataclass(frozen=True, slots=True)
class Tone:
    """A sound that no voice makes."""

    at_ms: int
    lasts_ms: int
    hz: int

    @property
    def ends_ms(self) -> int:
        """When it is over."""
        return self.at_ms + self.lasts_ms


@dataclass(frozen=True, slots=True)
class Scene:
    """What is heard, in order."""

    kind: Kind
    language: str
    voice: int  # what the synthesiser makes a voice of
    lines: tuple[Line, ...] = ()
    tones: tuple[Tone, ...] = ()
    greeting_ends_ms: int | None = None  # the last word of a machine's greeting or question
    beep: Tone | None = None
    picks_up: bool = False

    @property
    def records_from_ms(self) -> int | None:
        """What is said from here on is kept by a voicemail; None for all others."""
        if self.kind is not Kind.VOICEMAIL:
            return None
        return self.beep.ends_ms if self.beep else self.greeting_ends_ms

    @property
    def person_ms(self) -> int | None:
        """When somebody says hello who was behind an assistant."""
        return next((line.at_ms for line in self.lines if line.person), None)


def scene_of(plan: CallPlan, seed: int, to: str, attempts_before: int) -> Scene:
    """The scene of an answered call."""
    language = language_of(to)
    stage = _Stage(
        plan,
        PHRASES[language],
        stream(seed, "scene", to, attempts_before),
        Scene(_kind(plan), language, stream(seed, "voice", to).getrandbits(16)),
    )
    match stage.scene.kind:
        case Kind.HUMAN:
            return stage.person()
        case Kind.VOICEMAIL:
            return stage.voicemail()
        case Kind.IVR:
            return stage.menu()
        case Kind.UNAVAILABLE:
            return stage.announcement()
        case Kind.SCREENING:
            return stage.screening()
        case Kind.FAX:
            return stage.fax()


def understood(scene: Scene, began_ms: int, ended_ms: int) -> bool:
    """Whether words spoken into *scene* tell an assistant who is calling."""
    asked_ms = scene.greeting_ends_ms
    if scene.kind is not Kind.SCREENING or asked_ms is None:
        return False
    return ended_ms - max(began_ms, asked_ms) >= UNDERSTOOD_MS


def identified(scene: Scene, at_ms: int, rng: Random) -> tuple[Scene, int]:
    """The scene as it goes on once an assistant knows who calls, and when the callee hangs up.

    What it has begun to say it says to the end.
    """
    phrases = PHRASES[scene.language]
    said = tuple(line for line in scene.lines if line.at_ms < at_ms)
    free_ms = max(at_ms, said[-1].ends_ms if said else 0)
    thanks = _line(rng, phrases.thanks, free_ms + rng.randint(*THANKS_AFTER_MS))
    if not scene.picks_up:
        sorry = _line(rng, phrases.nobody, thanks.ends_ms + rng.randint(*NOBODY_AFTER_MS))
        return replace(scene, lines=(*said, thanks, sorry)), sorry.ends_ms + MS
    hello_ms = thanks.ends_ms + rng.randint(*PERSON_AFTER_MS)
    hello = _line(rng, (*phrases.hello, *phrases.asking), hello_ms)
    gone_ms = hello.ends_ms + rng.randint(*TALKS_FOR_MS)
    talk = _talk(rng, phrases, hello.ends_ms, gone_ms)
    person = (replace(line, person=True) for line in (hello, *talk))
    return replace(scene, lines=(*said, thanks, *person)), gone_ms


def _kind(plan: CallPlan) -> Kind:
    if plan.fate is Fate.MACHINE:
        return Kind(plan.machine or Machine.VOICEMAIL)
    return Kind(plan.fate)


@dataclass(frozen=True, slots=True)
class _Stage:
    """Where one scene is put together, by one generator."""

    plan: CallPlan
    phrases: Phrases
    rng: Random
    scene: Scene

    @property
    def _greeting_ms(self) -> int:
        return round(self.plan.greeting_s * MS)

    def person(self) -> Scene:
        rng, phrases = self.rng, self.phrases
        first = phrases.asking if rng.random() < ASKING_SHARE else phrases.hello
        hello = _line(rng, first, rng.randint(*FIRST_WORD_MS))
        opening = [hello]
        if rng.random() < REPEATED_SHARE:
            again_ms = hello.ends_ms + rng.randint(*REPEATED_AFTER_MS)
            opening.append(_line(rng, phrases.still, again_ms))
        gone_ms = round(self.plan.on_line_s * MS)
        talk = _talk(rng, phrases, opening[-1].ends_ms, gone_ms)
        return replace(self.scene, lines=_before(gone_ms, (*opening, *talk)))

    def voicemail(self) -> Scene:
        rng, beeps = self.rng, self.plan.beeps
        tail_ms = rng.randint(*BEFORE_BEEP_MS) if beeps else 0
        ends_ms = self._greeting_ms - tail_ms
        first, last = rng.choice(self._greetings(ends_ms))
        lines = _fitted(rng, first, self.phrases.more, last, ends_ms)
        beep = Tone(self._greeting_ms, rng.randint(*BEEP_MS), rng.randint(*BEEP_HZ))
        return replace(
            self.scene,
            lines=lines,
            tones=(beep,) if beeps else (),
            beep=beep if beeps else None,
            greeting_ends_ms=lines[-1].ends_ms,
        )

    def _greetings(self, ends_ms: int) -> Sequence[tuple[str, str]]:
        """The beginnings and ends that fit the time together, or the shortest of all."""
        pairs = list(product(self.phrases.mailbox, self.phrases.leave))
        fitting = [pair for pair in pairs if _least_ms(pair) <= ends_ms]
        return fitting or [min(pairs, key=_least_ms)]

    def menu(self) -> Scene:
        first, *more, last = self.phrases.menu
        once = _fitted(self.rng, first, more, last, self._greeting_ms - MS)
        rounds = range(0, round(self.plan.on_line_s * MS) - MS, self._greeting_ms)
        lines = tuple(_later(line, start_ms) for start_ms in rounds for line in once)
        return replace(self.scene, lines=lines, greeting_ends_ms=once[-1].ends_ms)

    def announcement(self) -> Scene:
        rng, tones = self.rng, _sit() if self.rng.random() < SIT_SHARE else ()
        text = rng.choice(self.phrases.announcement)
        room_ms = self._greeting_ms - (tones[-1].ends_ms if tones else 0)
        times = max(1, room_ms // (len(text.split()) * WORD_MS[1] + BETWEEN_SENTENCES_MS[1]))
        lines = _spoken(rng, [text] * times, room_ms)
        if tones:
            lines = tuple(_later(line, tones[-1].ends_ms) for line in lines)
        return replace(self.scene, lines=lines, tones=tones, greeting_ends_ms=lines[-1].ends_ms)

    def screening(self) -> Scene:
        rng = self.rng
        question = _spoken(rng, [rng.choice(self.phrases.screening)], self._greeting_ms)
        asked_ms = question[-1].ends_ms
        again = _line(
            rng, self.phrases.screening_again, asked_ms + rng.randint(*ASKED_AGAIN_AFTER_MS)
        )
        return replace(
            self.scene,
            lines=(*question, again),
            greeting_ends_ms=asked_ms,
            picks_up=self.plan.picks_up,
        )

    def fax(self) -> Scene:
        answer = Tone(self.rng.randint(*CED_AFTER_MS), self.rng.randint(*CED_MS), CED_HZ)
        return replace(self.scene, tones=(answer,))


def _fitted(
    rng: Random, first: str, more: Iterable[str], last: str, ends_ms: int
) -> tuple[Line, ...]:
    """*first*, as much of *more* as there is time for, and *last*, which ends at *ends_ms*."""
    spares = list(more)
    rng.shuffle(spares)
    middle: list[str] = []
    for spare in spares:
        if _least_ms([first, *middle, spare, last]) <= ends_ms:
            middle.append(spare)
    return _spoken(rng, [first, *middle, last], ends_ms)


def _least_ms(sentences: Sequence[str]) -> int:
    """The time sentences take at an ordinary pace with ordinary pauses."""
    words = sum(len(sentence.split()) for sentence in sentences)
    return LEAD_MS[1] + words * WORD_MS[0] + (len(sentences) - 1) * BETWEEN_SENTENCES_MS[1]


def _spoken(rng: Random, sentences: Sequence[str], ends_ms: int) -> tuple[Line, ...]:
    """The sentences one after the other, the last one ending at *ends_ms* if that can be."""
    lead_ms = rng.randint(*LEAD_MS)
    pauses = [rng.randint(*BETWEEN_SENTENCES_MS) for _ in pairwise(sentences)]
    words = sum(len(sentence.split()) for sentence in sentences)
    word_ms = (ends_ms - lead_ms - sum(pauses)) // words // 10 * 10  # tens: sound is kept by pace
    low, high = STRETCHED_WORD_MS
    word_ms = min(high, max(low, word_ms))
    at_ms = max(0, ends_ms - words * word_ms - sum(pauses))
    lines = []
    for sentence, pause_ms in zip(sentences, [*pauses, 0], strict=True):
        lines.append(Line(at_ms, sentence, word_ms))
        at_ms = lines[-1].ends_ms + pause_ms
    return tuple(lines)


def _talk(rng: Random, phrases: Phrases, from_ms: int, until_ms: int) -> tuple[Line, ...]:
    """Turns of a person while somebody talks to them."""
    lines = []
    for _ in range(TURNS):
        line = _line(rng, phrases.talk, from_ms + rng.randint(*BETWEEN_TURNS_MS))
        lines.append(line)
        from_ms = line.ends_ms
    return _before(until_ms, lines)


def _line(rng: Random, texts: Sequence[str], at_ms: int) -> Line:
    low, high = WORD_MS
    return Line(at_ms, rng.choice(texts), rng.randrange(low, high + 1, 10))


def _later(line: Line, by_ms: int) -> Line:
    return replace(line, at_ms=line.at_ms + by_ms)


def _before(gone_ms: int, lines: Iterable[Line]) -> tuple[Line, ...]:
    """What is begun before the callee hangs up."""
    return tuple(line for line in lines if line.at_ms < gone_ms)


def _sit() -> tuple[Tone, ...]:
    return tuple(Tone(100 + n * SIT_MS, SIT_MS, hz) for n, hz in enumerate(SIT_HZ))
