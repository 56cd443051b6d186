"""Who answered, by the words of the call: from the carrier's callbacks to what is done about it."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
import pytest

from dialer.model import AmdMode, OnMachine
from dialer.store.opening import AnyDatabase
from tests.support.engine import assert_sound, rows, sid, until
from tests.support.given import write
from tests.support.listening import (
    API_TOKEN,
    LIVE,
    SCREENING,
    VOICEMAIL,
    Line,
    line_to,
)


async def become(true: Callable[[], Awaitable[bool]]) -> None:
    """Wait until something in the store is true; fails after five seconds."""
    async with asyncio.timeout(30):
        while not await true():  # noqa: ASYNC110  the store tells nobody
            await asyncio.sleep(0.01)


async def spoken(line: Line, text: str, *, final: bool = True) -> None:
    """Say *text* word by word, as it is recognised."""
    words = text.split()
    for n in range(1, len(words) + 1):
        line.daemon.clock.pass_s(0.3)
        assert await line.say(" ".join(words[:n]), final=final and n == len(words)) == 204


async def judged(line: Line, *found: str) -> None:
    """Wait until the mode that acts has told these, in this order."""

    async def told() -> bool:
        return [who for _, acting, who in await line.verdicts() if acting] == [*found]

    await become(told)


async def test_a_machine_is_hung_up_on_by_its_words(store: str, database: AnyDatabase) -> None:
    async with line_to(store, database) as line:
        document = await line.answer()
        await spoken(line, VOICEMAIL)
        await until(lambda: bool(line.carrier.hung_up))
        await line.end()

        columns = ("outcome", "verdict", "machine_kind", "message_left_at", "answered_by")
        assert await line.attempt(*columns) == ("machine", "machine", "voicemail", None, None)
        assert line.carrier.hung_up == [sid(1)]
        await judged(line, "voicemail")
        assert "<Start><Transcription" in document
        await assert_sound(database)


async def test_a_person_is_left_to_the_agent(store: str, database: AnyDatabase) -> None:
    async with line_to(store, database) as line:
        await line.answer()
        await spoken(line, LIVE)
        await judged(line, "human")
        await line.end()

        assert await line.attempt("outcome", "verdict") == ("human", "human")
        assert (line.carrier.hung_up, line.carrier.redirected) == ([], [])


async def test_whoever_cannot_be_told_counts_as_a_person(store: str, database: AnyDatabase) -> None:
    async with line_to(store, database) as line:
        await line.answer()
        await line.say("mmh", at_s=1)
        await line.say("mmh the", at_s=8)  # long after the time for a verdict
        await judged(line, "unknown")
        await line.end()

        assert await line.attempt("outcome", "verdict") == ("human", "unknown")
        assert (line.carrier.hung_up, line.carrier.redirected) == ([], [])


async def test_a_message_is_left_after_the_greeting_and_that_is_proved(
    store: str, database: AnyDatabase
) -> None:
    async with line_to(store, database, on_machine=OnMachine.LEAVE_MESSAGE) as line:
        await line.answer()
        await spoken(line, VOICEMAIL)
        await judged(line, "voicemail")
        before = list(line.redirects)
        line.daemon.clock.pass_s(6)
        await line.say(VOICEMAIL + " beep")  # which brings the time with it
        await until(lambda: bool(line.redirects))
        message = await line.post("message", {})
        left = await line.post("left", {"CallStatus": "in-progress"})
        await line.end()

        assert (before, line.redirects) == ([], ["message"])
        assert "Hello Contact 1" in message.text
        assert f"/twilio/left/{line.claim.attempt_id}</Redirect>" in message.text
        assert "<Hangup" in left.text
        (outcome, left_at) = await line.attempt("outcome", "message_left_at")
        assert (outcome, left_at) == ("machine", line.daemon.clock.now())
        line.daemon.clock.pass_s(900)
        await line.daemon.settle()
        assert await rows(database, "SELECT state FROM members") == [("no_conversation",)]


async def test_without_proof_a_machine_is_called_again(store: str, database: AnyDatabase) -> None:
    async with line_to(store, database, on_machine=OnMachine.LEAVE_MESSAGE) as line:
        await line.answer()
        await spoken(line, VOICEMAIL)
        await judged(line, "voicemail")
        await line.end()
        line.daemon.clock.pass_s(900)
        await line.daemon.settle()

        assert await line.attempt("outcome", "message_left_at") == ("machine", None)
        assert await rows(database, "SELECT state FROM members") == [("retry",)]


async def test_a_screening_assistant_hears_who_calls_and_a_person_is_connected(
    store: str, database: AnyDatabase
) -> None:
    async with line_to(store, database, agent={"identify": "A call for {{name}}."}) as line:
        await line.answer()
        await spoken(line, SCREENING)
        await until(lambda: line.redirects == ["identify"])
        identify = await line.post("identify", {})
        line.daemon.clock.pass_s(12)
        await spoken(line, "hello this is ann speaking who is calling please")
        await until(lambda: line.redirects == ["identify", "connect"])
        connect = await line.post("connect", {})
        await line.end(60)

        assert "A call for Contact 1." in identify.text
        assert "Hello Contact 1" in connect.text
        assert "<Start>" not in connect.text  # it is listened to already
        await judged(line, "screening", "human")
        assert await line.attempt("outcome", "machine_kind") == ("human", None)
        assert line.carrier.hung_up == []


async def test_an_assistant_that_nobody_takes_over_from_is_a_machine(
    store: str, database: AnyDatabase
) -> None:
    async with line_to(store, database) as line:
        await line.answer()
        await spoken(line, SCREENING)
        await until(lambda: line.redirects == ["identify"])
        await line.end()

        assert await line.attempt("outcome", "machine_kind") == ("machine", "screening")


async def test_shadows_judge_and_never_act(store: str, database: AnyDatabase) -> None:
    fields: dict[str, Any] = {"amd": AmdMode.OFF, "amd_shadow": (AmdMode.TEXT, AmdMode.CARRIER)}
    async with line_to(store, database, **fields) as line:
        assert line.claim.amd is AmdMode.CARRIER  # who is asked to detect as well
        await line.answer()
        await spoken(line, VOICEMAIL)
        assert (await line.post("amd", {"AnsweredBy": "machine_start"})).status_code == 204

        async def both_told() -> bool:
            return len(await line.verdicts()) == 2

        await become(both_told)
        await line.end()

        assert sorted(await line.verdicts()) == [
            ("carrier", 0, "machine"),
            ("text", 0, "voicemail"),
        ]
        assert await line.attempt("outcome", "verdict") == ("human", None)
        assert (line.carrier.hung_up, line.carrier.redirected) == ([], [])


async def test_the_carriers_word_does_not_count_beside_a_mode_that_acts(
    store: str, database: AnyDatabase
) -> None:
    async with line_to(store, database, amd_shadow=(AmdMode.CARRIER,)) as line:
        await line.answer()
        await spoken(line, LIVE)
        await judged(line, "human")
        await line.post("amd", {"AnsweredBy": "machine_start"})
        await line.end()

        assert await line.attempt("outcome", "answered_by") == ("human", "machine_start")
        assert line.carrier.hung_up == []


async def test_the_verdict_of_a_carrier_that_acts_is_kept_too(
    store: str, database: AnyDatabase
) -> None:
    async with line_to(store, database, amd=AmdMode.CARRIER) as line:
        document = await line.answer()
        await line.post("amd", {"AnsweredBy": "machine_start"})
        await until(lambda: bool(line.carrier.hung_up))

        await judged(line, "machine")
        assert "<Start>" not in document
        events = await rows(database, "SELECT source FROM call_events WHERE source = 'detector'")
        assert events == []  # its own callback is the news


async def test_a_recording_is_known_again(store: str, database: AnyDatabase) -> None:
    recording = "good afternoon the blue bicycle shop on mill lane sells wheels and saddles"
    async with line_to(store, database) as line:
        await line.answer()
        await spoken(line, recording)
        await line.end()
        await line.daemon.batcher.settled()
        (said,) = await line.attempt("said")
        assert said
        assert "bicycle" not in said  # check sums, no words
        async with database.write() as tx:  # somebody has listened, and said what it was
            await write(tx, "UPDATE attempts SET label = ?1", [("machine",)])
            await write(tx, "UPDATE members SET state = ?1, next_at = 0", [("retry",)])
        campaign = (await rows(database, "SELECT id FROM campaigns"))[0][0]
        (again,) = await line.daemon.take(campaign)
        line.daemon.engine.calls.accepted(again.attempt_id, sid(2))
        await line.daemon.batcher.settled()
        second = Line(line.daemon, again, line.http, sid(2))

        await second.answer()
        await spoken(second, recording)

        await judged(second, "unknown", "machine")  # the words took longer than the deadline


async def test_what_could_not_be_told_is_no_recording(store: str, database: AnyDatabase) -> None:
    """A front desk picks up with the same words every time."""
    desk = "baker and sons roofing linda at the front desk good morning"
    async with line_to(store, database) as line:
        await line.answer()
        await spoken(line, desk)
        await line.end()
        await line.daemon.batcher.settled()

        async with database.read() as tx:
            earlier = await tx.rows(
                "heard_before", phone=line.claim.to, attempt_id="another", limit=9
            )

        assert earlier == []


async def test_a_restart_in_the_middle_of_a_call_goes_on_listening(
    store: str, database: AnyDatabase
) -> None:
    async with line_to(store, database, on_machine=OnMachine.LEAVE_MESSAGE) as line:
        await line.answer()
        await spoken(line, VOICEMAIL)
        await judged(line, "voicemail")
        await line.daemon.batcher.settled()
        line.daemon.engine.listener._sessions.clear()  # as a new process begins

        await spoken(line, "hello")
        await judged(line, "voicemail", "human")
        await line.end()

        assert await line.attempt("outcome", "verdict") == ("human", "human")
        sequences = await rows(database, "SELECT seq FROM amd_verdicts ORDER BY decided_at, seq")
        assert len(set(sequences)) == 2  # the new one counts on


# -- what is not as it should be ------------------------------------------------------------------

CONTENT = {"TranscriptionEvent": "transcription-content", "Track": "inbound_track"}


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({"TranscriptionEvent": "transcription-started"}, 204),
        ({"TranscriptionEvent": "transcription-stopped"}, 204),
        ({"TranscriptionEvent": "transcription-error", "TranscriptionError": "engine"}, 204),
        ({}, 204),
        (CONTENT, 400),
        (CONTENT | {"TranscriptionData": "{"}, 400),
        (CONTENT | {"TranscriptionData": "[]"}, 400),
        (CONTENT | {"TranscriptionData": '{"transcript": 7}'}, 400),
        (CONTENT | {"TranscriptionData": "[" * 15_000}, 400),
        (CONTENT | {"TranscriptionData": json.dumps({"transcript": ""})}, 204),
        (CONTENT | {"TranscriptionData": json.dumps({"transcript": VOICEMAIL * 600})}, 204),
        (CONTENT | {"TranscriptionData": '{"transcript": "\\ud800 \\u0000"}'}, 204),
        (
            CONTENT
            | {"Track": "outbound_track", "TranscriptionData": f'{{"transcript": "{VOICEMAIL}"}}'},
            204,
        ),
    ],
)
async def test_a_transcript_that_says_nothing_does_nothing(
    database: AnyDatabase, store: str, form: dict[str, str], status: int
) -> None:
    async with line_to(store, database) as line:
        await line.answer()

        reply = await line.post("transcript", form)

        assert reply.status_code == status
        assert await line.say(LIVE, final=True) == 204


async def test_words_in_any_order_and_twice_are_the_same_words(
    store: str, database: AnyDatabase
) -> None:
    async with line_to(store, database) as line:
        await line.answer()
        for sequence in (3, 1, 3, 2, 2, 4):
            line.words = sequence - 1
            text = ["hi you have reached", "hi you", VOICEMAIL, VOICEMAIL][sequence - 1]
            await line.say(text, final=sequence == 4)
        await until(lambda: bool(line.carrier.hung_up))

        await judged(line, "voicemail")
        assert line.carrier.hung_up == [sid(1)]


async def test_words_of_another_call_or_none_are_ignored(store: str, database: AnyDatabase) -> None:
    async with line_to(store, database) as line:
        await line.answer()
        line.sid = sid(7)
        assert await line.say(VOICEMAIL, final=True) == 204
        line.sid = sid(1)
        await line.end()
        assert await line.say(VOICEMAIL, final=True) == 204  # it is over

        assert await line.verdicts() == []
        assert line.daemon.engine.listener.listening == 0
        assert line.carrier.hung_up == []


async def test_a_call_that_is_over_is_not_listened_to(store: str, database: AnyDatabase) -> None:
    async with line_to(store, database) as line:
        await line.answer()
        await until(lambda: line.daemon.engine.listener.listening == 1)

        await line.end()

        assert line.daemon.engine.listener.listening == 0


# -- agents that hear the callee ------------------------------------------------------------------


async def prompted(line: Line, call: str, body: bytes, token: str = API_TOKEN) -> httpx2.Response:
    headers = {"Authorization": f"Bearer {token}"}
    return await line.http.post(f"/api/v1/calls/{call}/prompts", content=body, headers=headers)


@pytest.mark.parametrize("by", ["sid", "attempt"])
async def test_an_agent_tells_what_it_hears(store: str, database: AnyDatabase, by: str) -> None:
    async with line_to(store, database) as line:
        await line.answer()
        call = line.sid if by == "sid" else line.claim.attempt_id
        setup = b'{"type": "setup", "callSid": "CA1"}'
        prompt = json.dumps({"type": "prompt", "voicePrompt": VOICEMAIL, "last": True}).encode()

        replies = [await prompted(line, call, setup), await prompted(line, call, prompt)]
        await until(lambda: bool(line.carrier.hung_up))

        assert [reply.status_code for reply in replies] == [204, 204]
        await judged(line, "voicemail")


@pytest.mark.parametrize(
    ("call", "body", "token", "status"),
    [
        ("CA404", b'{"type": "prompt", "voicePrompt": "hi"}', API_TOKEN, 404),
        ("CA404", b'{"type": "prompt", "voicePrompt": "hi"}', "guessed", 401),
        ("CA404", b"hi", API_TOKEN, 400),
        ("CA404", b"\xff\xfe", API_TOKEN, 400),
        ("CA404", b"[]", API_TOKEN, 400),
        ("CA404", b'{"type": "prompt"}', API_TOKEN, 400),
        ("CA404", b'{"type": "prompt", "voicePrompt": "hi", "last": "yes"}', API_TOKEN, 400),
    ],
)
async def test_what_no_agent_should_send_is_refused_with_a_reason(
    store: str, database: AnyDatabase, call: str, body: bytes, token: str, status: int
) -> None:
    async with line_to(store, database) as line:
        reply = await prompted(line, call, body, token)

        assert reply.status_code == status
        assert reply.json()["error"]
