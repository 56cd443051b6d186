"""Sessions of live calls: their clocks in virtual time, their bounds, and a store that fails."""

import asyncio
from collections.abc import Sequence
from random import Random
from typing import Any, Self

from structlog.testing import capture_logs

from amd.signals import Signal
from dialer.errors import StoreBusyError
from dialer.listening.listener import Listener
from dialer.listening.session import Brief, Session, Spoken, Told
from dialer.model import AmdMode, AttemptId, CallEvent, CallSid
from dialer.ports import Sound, Words
from tests.support.virtual import EPOCH, now, run

ATTEMPT, SID = AttemptId("a" * 32), CallSid("CA1")
GREETING = "hi you have reached ann please leave a message after the tone"


class VirtualClock:
    def now(self) -> int:
        return now()


class Row(dict[str, Any]):
    """What the store knows of a call."""


class FakeTx:
    def __init__(self, database: "FakeDatabase") -> None:
        self._database = database

    async def row(self, query: str, **params: Any) -> Row | None:
        assert query == "call_to_listen_to"
        self._database.reads += 1
        known = self._database.call
        return None if known is None else Row(known, id=params["attempt_id"])

    async def rows(self, query: str, **_: Any) -> Sequence[Row]:
        if query == "languages_expected":
            return self._database.waiting
        assert query == "heard_before"
        return []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass


class FakeDatabase:
    def __init__(self, **changes: Any) -> None:
        self.reads = 0
        self.waiting: list[Row] = []
        self.call: dict[str, Any] | None = {
            "sid": None, "phone": "+12025550101", "answered_at": None, "asked_at": EPOCH,
            "amd": "text", "amd_shadow": "[]", "options": "{}", "language": None,
            "place": "US-DC America/New_York", "sequence": 0, "greetings": 0,
        } | changes  # fmt: skip

    def read(self) -> FakeTx:
        return FakeTx(self)


class FakeBatcher:
    """Takes down what is posted."""

    def __init__(self) -> None:
        self.posted: list[Any] = []

    def post(self, _handler: object, rows: Sequence[Any]) -> None:
        self.posted += rows


class Office:
    """Takes news in, after so many failures."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.events: list[CallEvent] = []

    async def receive(self, *events: CallEvent) -> None:
        if self.failures:
            self.failures -= 1
            raise StoreBusyError("somebody holds it")
        self.events += events

    @property
    def words(self) -> list[str | None]:
        return [event.answered_by for event in self.events]


def listener(
    database: FakeDatabase, office: Office, batcher: FakeBatcher | None = None, **changes: Any
) -> Listener:
    batcher = batcher or FakeBatcher()
    given: dict[str, Any] = {"longest_s": 600, "prepare": nothing} | changes
    return Listener(VirtualClock(), database, batcher, office.receive, **given)  # type: ignore[arg-type]  # stand-ins


async def nothing(_spoken: Spoken) -> None:
    """No thread beside virtual time."""


async def begun(listener: Listener, *attempts: AttemptId) -> None:
    """Let the listener begin with calls that were answered."""
    for attempt_id in attempts:
        listener.answered(attempt_id, SID)
    await worked(listener, 0.1)


async def worked(listener: Listener, seconds: float) -> None:
    """Let the listener work for so long."""
    async with asyncio.TaskGroup() as group:
        work = group.create_task(listener.run())
        await asyncio.sleep(seconds)
        work.cancel()


def said(text: str, sequence: int = 1, *, final: bool = False) -> Words:
    return Words(SID, sequence, text, final)


def test_a_call_in_which_nobody_speaks_gets_its_verdict_in_time() -> None:
    office, batcher = Office(), FakeBatcher()

    async def silence() -> None:
        ear = listener(FakeDatabase(), office, batcher)
        ear.answered(ATTEMPT, SID)
        await worked(ear, 60)

    run(silence())

    assert office.words == ["unknown"]
    assert [event.received_at - EPOCH for event in office.events] == [5_000]
    (row,) = batcher.posted
    assert (row.mode, row.acting, row.verdict, row.detector) == ("text", 1, "unknown", "deadline")


def test_the_end_of_a_greeting_is_told_by_the_clock() -> None:
    office = Office()

    async def greeting() -> None:
        ear = listener(FakeDatabase(), office)
        await begun(ear, ATTEMPT)
        await asyncio.sleep(0.9)
        await ear.words(ATTEMPT, "transcription", said(GREETING, final=True))
        await worked(ear, 120)

    run(greeting())

    assert office.words[0] == "voicemail"
    assert {word and word.rpartition("_")[0] for word in office.words[1:]} == {"greeting_over"}
    assert len(office.words) in (2, 3)  # once, and at most once more


def test_a_store_that_fails_for_a_while_loses_no_verdict() -> None:
    office = Office(failures=5)

    async def trouble() -> None:
        ear = listener(FakeDatabase(), office)
        await ear.words(ATTEMPT, "transcription", said(GREETING, final=True))
        await worked(ear, 1.5)

    with capture_logs() as logs:
        run(trouble())

    assert office.words == ["voicemail"]
    assert [entry["event"] for entry in logs] == ["event.refused"] * 5


def test_sessions_are_bounded_in_number_and_in_time() -> None:
    async def crowd() -> tuple[int, int]:
        ear = listener(FakeDatabase(), Office(), most=3)
        await begun(ear, *(AttemptId(f"{n:032x}") for n in range(10)))
        crowded = ear.listening
        await asyncio.sleep(601)
        ear_database: Any = ear._database
        ear_database.call |= {"asked_at": now()}
        await begun(ear, ATTEMPT)
        return crowded, ear.listening

    with capture_logs() as logs:
        assert run(crowd()) == (3, 1)

    assert {entry["event"] for entry in logs} == {"listening.crowded"}


def test_a_language_is_got_ready_for_once() -> None:
    prepared = []

    async def prepare(spoken: Spoken) -> None:
        await asyncio.sleep(1)
        prepared.append(spoken)

    async def three_calls() -> int:
        database = FakeDatabase()
        database.waiting = [Row(language="de", place="DE Europe/Berlin", options="{}")]
        ear = listener(database, Office(), prepare=prepare)
        await begun(ear, *(AttemptId(f"{n:032x}") for n in range(3)))
        ear.answered(ATTEMPT, SID)
        await worked(ear, 3)
        return ear.listening

    assert run(three_calls()) >= 1
    assert prepared == [Spoken("de", "DE"), Spoken(None, "US")]  # whoever waits for a call first


def test_a_store_that_fails_as_a_call_is_answered_stops_nobody() -> None:
    async def trouble() -> int:
        database = FakeDatabase()
        ear = listener(database, Office())
        call, database.call = database.call, {}

        def read() -> FakeTx:
            database.call = call
            raise StoreBusyError("somebody holds it")

        async with asyncio.TaskGroup() as group:
            work = group.create_task(ear.run())
            await asyncio.sleep(0.1)
            database.read, whole = read, database.read  # type: ignore[method-assign]  # fails once
            ear.answered(ATTEMPT, SID)
            await asyncio.sleep(0.1)
            work.cancel()
        database.read = whole  # type: ignore[method-assign]  # and is well again
        await ear.words(ATTEMPT, "transcription", said("hello"))
        return ear.listening

    with capture_logs() as logs:
        assert run(trouble()) == 1

    assert [entry["event"] for entry in logs] == ["listening.failed"]


def test_a_call_that_ends_before_anybody_is_ready_is_not_listened_to() -> None:
    async def prepare(_spoken: Spoken) -> None:
        await asyncio.sleep(1)

    async def brief_call() -> int:
        ear = listener(FakeDatabase(), Office(), prepare=prepare)
        async with asyncio.TaskGroup() as group:
            work = group.create_task(ear.run())
            ear.answered(ATTEMPT, SID)
            await asyncio.sleep(0.5)
            ear.over(ATTEMPT)
            await asyncio.sleep(2)
            work.cancel()
        return ear.listening

    assert run(brief_call()) == 0


def test_a_call_nobody_knows_is_not_listened_to() -> None:
    async def nobody() -> tuple[int, object]:
        database = FakeDatabase()
        database.call = None
        ear = listener(database, Office())
        await begun(ear, ATTEMPT)
        await ear.carrier_word(ATTEMPT, SID, "human")
        return ear.listening, await ear.stream(ATTEMPT, SID)

    assert run(nobody()) == (0, None)


def test_two_first_words_make_one_session() -> None:
    async def at_once() -> int:
        ear = listener(FakeDatabase(), Office())
        async with asyncio.TaskGroup() as group:
            for n in range(5):
                group.create_task(ear.words(ATTEMPT, "transcription", said("hello", n)))
        return ear.listening

    assert run(at_once()) == 1


def test_what_is_kept_of_the_words_is_kept_at_the_end() -> None:
    batcher = FakeBatcher()

    async def one_call() -> None:
        ear = listener(FakeDatabase(), Office(), batcher)
        await ear.words(ATTEMPT, "transcription", said(GREETING, final=True))
        ear.over(ATTEMPT)
        ear.over(ATTEMPT)  # twice is once

    run(one_call())

    (row,) = batcher.posted
    assert row.id == ATTEMPT
    assert not set(row.said.split()) & set(GREETING.split())  # check sums, no words


# -- one session ----------------------------------------------------------------------------------


class Frames:
    """An ear that takes down when it heard what."""

    def __init__(self) -> None:
        self.stamps: list[int] = []

    def hear(self, payload: bytes, at_ms: int) -> Sequence[Signal]:
        self.stamps.append(at_ms)
        return []


def session(acting: AmdMode, *shadow: AmdMode, ear: Frames | None = None) -> Session:
    return Session(Brief(ATTEMPT, SID, EPOCH, acting, shadow), ear)


def test_the_sound_keeps_its_own_clock_from_its_first_piece_on() -> None:
    ear = Frames()
    judge = session(AmdMode.ML, ear=ear)

    for stamp, late_ms in ((155, 800), (175, 3_000), (215, 100), (195, 0)):
        judge.hear_sound(Sound(stamp, b"\xff" * 160), EPOCH + late_ms)

    assert ear.stamps == [800, 820, 860, 840]


def test_every_mode_hears_what_it_goes_by_and_nothing_else() -> None:
    judge = session(AmdMode.CARRIER, AmdMode.TEXT, AmdMode.ML, AmdMode.FUSED)

    told = judge.hear_words("transcription", said(GREETING, final=True), EPOCH + 2_000)
    told += judge.hear_carrier("human", EPOCH + 3_000)

    def who(each: Told) -> tuple[AmdMode, bool, str]:
        verdict: Any = each.finding
        return each.mode, each.acting, str(verdict.kind or verdict.verdict)

    assert sorted(map(who, told)) == [
        (AmdMode.CARRIER, True, "human"),
        (AmdMode.FUSED, False, "voicemail"),
        (AmdMode.TEXT, False, "voicemail"),
    ]
    assert sorted(each.sequence for each in told) == [1, 2, 3]


def test_a_session_without_modes_waits_for_nothing() -> None:
    assert session(AmdMode.OFF).due_at is None


def test_a_person_may_take_over_from_an_assistant_in_few_words() -> None:
    judge = session(AmdMode.TEXT)
    asks = said("please state your name and why you are calling", 1, final=True)

    told = judge.hear_words("transcription", asks, EPOCH + 3_000)
    told += judge.hear_words("transcription", said("please stay", 2), EPOCH + 4_000)
    told += judge.hear_words(
        "transcription", said("please stay on the line", 3, final=True), EPOCH + 5_000
    )
    told += judge.hear_words(
        "transcription", said("hello who is calling", 4, final=True), EPOCH + 15_000
    )

    found: Any = [each.finding for each in told]
    assert [str(each.kind or each.verdict) for each in found] == ["screening", "human"]


def test_any_words_are_taken_in() -> None:
    rng = Random(7)
    judge = session(AmdMode.TEXT, AmdMode.FUSED)
    letters = "ab \n\x00\ud800é日本語<>&'\"{}"

    for n in range(400):
        text = "".join(rng.choice(letters) for _ in range(rng.randrange(300)))
        sequence = rng.choice([None, rng.randrange(50), 10**9])
        judge.hear_words(
            rng.choice(["transcription", "agent"]),
            said(text)._replace(sequence=sequence, final=n % 3 == 0),
            EPOCH + rng.randrange(10**6),
        )

    assert judge.wait(EPOCH + 10**7) == [] or judge.due_at is None
