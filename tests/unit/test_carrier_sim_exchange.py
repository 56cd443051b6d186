"""Calls in virtual time: what happens to each, who is told, and what requests can change."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialer.carrier_sim import truth
from dialer.carrier_sim.api_errors import ApiError
from dialer.carrier_sim.call import Call
from dialer.carrier_sim.exchange import Exchange
from dialer.carrier_sim.faults import Faults
from dialer.carrier_sim.orders import CallOrder
from dialer.carrier_sim.profiles import PROFILES
from dialer.carrier_sim.webhook import Failure, Hook, Reply, WebhookFailedError, WebRequest
from tests.support.carrier_sim import (
    ASYNC_AMD,
    BUSY,
    CURT,
    FAILING,
    FAX,
    HUMAN,
    INVALID,
    MACHINE,
    PRESSING,
    REJECTING,
    SILENT,
    STATUS_URL,
    SYNC_AMD,
    Mailbox,
    Rig,
    carrier,
    document,
    order,
)
from tests.support.virtual import now, run

ANSWERED = ["initiated", "ringing", "in-progress", "completed"]
AMD_URL = Hook("http://dialer.test/amd")


def place(rig: Rig, wanted: CallOrder) -> Call:
    return rig.exchange.accept(wanted, now())


def update(exchange: Exchange, sid: str, **fields: str) -> Call:
    return exchange.update(sid, {name: [value] for name, value in fields.items()})


def lived(wanted: CallOrder, mailbox: Mailbox | None = None, **setup: Any) -> Rig:
    """One call from its acceptance to its end."""

    async def main() -> Rig:
        async with carrier(mailbox, **setup) as rig:
            place(rig, wanted)
            await rig.quiet()
            return rig

    return run(main())


# -- what becomes of a call -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("to", "statuses", "sip", "duration_s"),
    [
        (HUMAN, ANSWERED, 200, 20),
        (MACHINE, ANSWERED, 200, 60),
        (FAX, ANSWERED, 200, 30),
        (CURT, ANSWERED, 200, 2),
        (SILENT, ["initiated", "ringing", "no-answer"], 487, 0),
        (BUSY, ["initiated", "ringing", "busy"], 486, 0),
        (REJECTING, ["initiated", "ringing", "no-answer"], 603, 0),
        (INVALID, ["initiated", "failed"], 404, 0),
        (FAILING, ["initiated", "failed"], 503, 0),
    ],
)
def test_every_fate_runs_its_course(
    to: str, statuses: list[str], sip: int, duration_s: int
) -> None:
    rig = lived(order(to))

    assert rig.mailbox.statuses() == statuses
    last = rig.mailbox.to("/status/")[-1]
    assert last["SipResponseCode"] == str(sip)
    assert last["CallDuration"] == str(duration_s)
    assert last["Duration"] == str(-(-duration_s // 60))
    assert (last.get("ErrorCode") == "13224") == (to == INVALID)
    (call,) = rig.calls()
    assert (call.status, call.sip, call.duration_s) == (statuses[-1], sip, duration_s)


def test_truth_holds_every_step_of_an_answered_call() -> None:
    (call,) = lived(order(HUMAN)).calls()

    assert call.token == "attempt-1"
    assert call.answered_by == "human"
    assert call.ended_by == "callee"
    assert call.initiated_at is not None
    assert call.ringing_at == call.initiated_at + 1000
    assert call.answered_at == call.ringing_at + 3000
    assert call.ended_at == call.answered_at + 20_000


def test_an_unanswered_call_rings_for_the_timeout_it_was_given() -> None:
    (call,) = lived(order(SILENT, ring_timeout_s=17)).calls()

    assert call.ringing_at is not None
    assert call.ended_at == call.ringing_at + 17_000


def test_a_slow_pickup_beyond_the_timeout_is_no_answer() -> None:
    (call,) = lived(order(MACHINE, ring_timeout_s=3)).calls()

    assert (call.status, call.answered_at) == ("no-answer", None)


def test_the_time_limit_ends_a_conversation() -> None:
    (call,) = lived(order(HUMAN, time_limit_s=7)).calls()

    assert (call.status, call.duration_s, call.ended_by) == ("completed", 7, "time_limit")


# -- status callbacks -----------------------------------------------------------------------------


def test_only_subscribed_events_are_sent_and_counted() -> None:
    rig = lived(order(HUMAN, events=frozenset({"ringing", "completed"})))

    sent = [(form["CallStatus"], form["SequenceNumber"]) for form in rig.mailbox.to("/status/")]
    assert sent == [("ringing", "0"), ("completed", "1")]


def test_without_a_status_callback_nobody_is_told() -> None:
    assert lived(order(HUMAN, status=None)).mailbox.statuses() == []


def test_lost_callbacks_are_noted_and_the_truth_is_not_touched() -> None:
    rig = lived(order(HUMAN), faults=Faults.parse("lost=1"))

    assert rig.mailbox.statuses() == []
    (call,) = rig.calls()
    assert call.status == "completed"
    assert call.callbacks_lost == tuple(ANSWERED)


def test_duplicates_carry_a_token_of_their_own() -> None:
    rig = lived(order(HUMAN), faults=Faults.parse("duplicate=1"))

    assert sorted(rig.mailbox.statuses()) == sorted(ANSWERED * 2)
    tokens = [request.idempotency_token for request in rig.mailbox.requests]
    assert len(set(tokens)) == len(tokens)


def test_a_reordered_callback_is_overtaken_by_the_next_and_never_the_last() -> None:
    rig = lived(order(SILENT), faults=Faults.parse("reordered=1"))

    assert rig.mailbox.statuses() == ["initiated", "no-answer", "ringing"]
    assert [form["SequenceNumber"] for form in rig.mailbox.to("/status/")] == ["0", "2", "1"]


def test_late_callbacks_come_minutes_later_with_the_time_of_the_event() -> None:
    rig = lived(order(SILENT), faults=Faults.parse("late=1"))

    assert min(rig.mailbox.times_s) > 60
    by_sequence = sorted(rig.mailbox.to("/status/"), key=lambda form: form["SequenceNumber"])
    assert [form["CallStatus"] for form in by_sequence] == ["initiated", "ringing", "no-answer"]
    assert by_sequence[0]["Timestamp"] == "Mon, 05 Jan 2026 15:00:00 +0000"


def test_an_unreachable_callback_address_changes_nothing_but_a_figure() -> None:
    def refuse(request: WebRequest) -> Reply:
        raise WebhookFailedError("refused", Failure.CONNECT)

    rig = lived(order(SILENT), Mailbox(refuse))

    assert rig.calls()[0].status == "no-answer"
    assert rig.exchange.counts()["callbacks"] == {"answered": 0, "failed": 3}


# -- documents ------------------------------------------------------------------------------------


def test_the_document_is_asked_for_when_the_call_is_answered() -> None:
    rig = lived(order(HUMAN))

    (asked,) = rig.mailbox.to("/answer")
    assert asked["CallStatus"] == "in-progress"
    assert asked["StirStatus"] == "A"
    assert "SequenceNumber" not in asked


@pytest.mark.parametrize(
    ("text", "duration_s", "ended_by"),
    [
        ("<Response/>", 0, "document"),
        ("<Response><Hangup/></Response>", 0, "document"),
        ("<Response><Pause length='6'/></Response>", 6, "document"),
        ("<Response><Pause length='90'/></Response>", 20, "callee"),
        ("<Response><Dial>+12025550101</Dial></Response>", 20, "callee"),
        ("not twiml", 0, "document"),
    ],
)
def test_the_document_decides_how_long_a_human_stays(
    text: str, duration_s: int, ended_by: str
) -> None:
    (call,) = lived(order(HUMAN), Mailbox(document(text))).calls()

    assert (call.status, call.duration_s, call.ended_by) == ("completed", duration_s, ended_by)


def test_a_document_in_the_request_is_followed_without_asking() -> None:
    rig = lived(order(HUMAN, answer=None, twiml="<Response><Pause length='4'/></Response>"))

    assert rig.calls()[0].duration_s == 4
    assert rig.mailbox.to("/answer") == []


def answering(**documents: str) -> Mailbox:
    """A server with a document at each path; anything else is not found."""

    def answer(request: WebRequest) -> Reply:
        name = request.url.rpartition("/")[2]
        return Reply(200, documents[name]) if name in documents else Reply(404)

    return Mailbox(answer)


def test_a_document_may_lead_to_another_by_a_relative_address() -> None:
    mailbox = answering(
        answer="<Response><Pause length='2'/><Redirect>more</Redirect></Response>",
        more="<Response><Pause length='3'/></Response>",
    )

    assert lived(order(HUMAN), mailbox).calls()[0].duration_s == 5


def test_pressed_keys_are_reported_to_the_action() -> None:
    mailbox = answering(
        answer="<Response><Gather numDigits='1' action='/keys'/></Response>",
        keys="<Response><Hangup/></Response>",
    )

    rig = lived(order(PRESSING), mailbox)

    assert [form["Digits"] for form in rig.mailbox.to("/keys")] == ["9"]
    assert rig.calls()[0].ended_by == "document"


def test_a_document_that_cannot_be_had_is_replaced_by_the_fallback_once() -> None:
    mailbox = answering(fallback="<Response><Pause length='3'/></Response>")

    rig = lived(order(HUMAN, fallback=Hook("http://dialer.test/fallback")), mailbox)

    (asked,) = rig.mailbox.to("/fallback")
    assert asked["ErrorCode"] == "11200"
    assert asked["ErrorUrl"] == "http://dialer.test/answer"
    assert rig.calls()[0].duration_s == 3


def test_a_document_that_leads_to_itself_ends_the_call() -> None:
    mailbox = answering(answer="<Response><Redirect>answer</Redirect></Response>")

    rig = lived(order(HUMAN), mailbox)

    assert rig.calls()[0].ended_by == "document"
    assert len(rig.mailbox.to("/answer")) == 100


# -- answering machine detection ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("to", "said"), [(HUMAN, "human"), (MACHINE, "machine_start"), (FAX, "fax")]
)
def test_an_asynchronous_verdict_has_exactly_four_fields(to: str, said: str) -> None:
    rig = lived(order(to, amd=ASYNC_AMD, amd_callback=AMD_URL))

    (verdict,) = rig.mailbox.to("/amd")
    assert set(verdict) == {"CallSid", "AccountSid", "AnsweredBy", "MachineDetectionDuration"}
    assert verdict["AnsweredBy"] == said
    assert 1500 <= int(verdict["MachineDetectionDuration"]) <= 5000
    assert rig.mailbox.to("/status/")[-1]["AnsweredBy"] == said
    assert rig.calls()[0].verdict == said
    assert "AnsweredBy" not in rig.mailbox.to("/answer")[0]


def test_a_synchronous_verdict_comes_before_the_document_and_in_its_request() -> None:
    rig = lived(order(MACHINE, amd=SYNC_AMD, amd_callback=AMD_URL))

    (asked,) = rig.mailbox.to("/answer")
    assert asked["AnsweredBy"] == "machine_start"
    assert rig.mailbox.to("/amd") == []
    answered_at = rig.calls()[0].answered_at
    document_at = next(e["at"] for e in rig.log.events if e["event"] == truth.Event.DOCUMENT)
    assert answered_at is not None
    assert document_at > answered_at + 1000


def test_a_detection_cut_short_is_unknown_and_reported_after_the_end() -> None:
    brief = Mailbox(document("<Response><Pause length='1'/></Response>"))

    rig = lived(order(MACHINE, amd=ASYNC_AMD, amd_callback=AMD_URL), brief)

    (verdict,) = rig.mailbox.to("/amd")
    assert verdict["AnsweredBy"] == "unknown"
    urls = [request.url for request in rig.mailbox.requests]
    assert urls.index(AMD_URL.url) > urls.index(STATUS_URL, 3)
    assert rig.mailbox.statuses()[-1] == "completed"


def test_a_synchronous_detection_cut_short_asks_for_nothing() -> None:
    rig = lived(order(CURT, amd=replace(SYNC_AMD, detect_message_end=True), time_limit_s=1))

    assert rig.mailbox.to("/answer") == []


# -- the queue ------------------------------------------------------------------------------------


@given(st.floats(0.2, 20), st.lists(st.floats(0, 3), min_size=1, max_size=30))
@settings(max_examples=30)
def test_calls_leave_the_queue_in_order_and_never_faster_than_the_rate(
    cps: float, pauses_s: list[float]
) -> None:
    async def main() -> Rig:
        async with carrier(cps=cps) as rig:
            for pause_s in pauses_s:
                place(rig, order(INVALID))
                await asyncio.sleep(pause_s)
            await rig.quiet()
            return rig

    calls = run(main()).calls()

    released = [call.initiated_at or 0 for call in calls]
    assert released == sorted(released)
    burst = max(1, int(cps))
    for earlier, later in zip(released, released[burst:], strict=False):
        assert later - earlier >= 1000 * burst / cps - 2  # milliseconds are rounded


def test_a_queued_call_tells_how_long_it_will_wait_and_stays_queued() -> None:
    async def main() -> tuple[Sequence[float], list[str]]:
        async with carrier(cps=1) as rig:
            calls = [place(rig, order(HUMAN)) for _ in range(3)]
            await asyncio.sleep(1.9)
            return [call.queue_s for call in calls], [call.status for call in calls]

    assert run(main()) == ([0, 1, 2], ["ringing", "queued", "queued"])


def test_a_call_cancelled_in_the_queue_tells_nobody() -> None:
    async def main() -> Rig:
        async with carrier(cps=1) as rig:
            place(rig, order(INVALID))
            waiting = place(rig, order(HUMAN))
            update(rig.exchange, waiting.sid, Status="canceled")
            await rig.quiet()
            return rig

    rig = run(main())

    assert rig.mailbox.statuses() == ["initiated", "failed"]
    cancelled = rig.calls()[1]
    assert (cancelled.status, cancelled.initiated_at) == ("canceled", None)


def test_a_full_queue_takes_no_further_call() -> None:
    async def main() -> None:
        async with carrier(cps=0.0001) as rig:
            for _ in range(10):
                place(rig, order(HUMAN))
            with pytest.raises(ApiError) as refused:
                place(rig, order(HUMAN))
            assert refused.value.api_code == 22005

    run(main())


# -- requests about a call ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("after_s", "asked", "status"),
    [
        (0.5, "canceled", "canceled"),  # dialed, not ringing yet
        (2, "canceled", "canceled"),
        (2, "completed", "canceled"),
        (10, "completed", "completed"),
        (10, "canceled", "in-progress"),  # no effect on a conversation
    ],
)
def test_hanging_up_and_cancelling(after_s: float, asked: str, status: str) -> None:
    async def main() -> tuple[str, Rig]:
        async with carrier() as rig:
            call = place(rig, order(HUMAN))
            await asyncio.sleep(after_s)
            update(rig.exchange, call.sid, Status=asked)
            return call.status, rig

    found, rig = run(main())

    assert found == status
    if status != "in-progress":
        (call,) = rig.calls()
        assert (call.ended_by, call.hang_up_asked_at) == ("caller", call.ended_at)


def test_a_ringing_call_that_is_cancelled_says_so() -> None:
    async def main() -> Rig:
        async with carrier() as rig:
            call = place(rig, order(HUMAN))
            await asyncio.sleep(2)
            update(rig.exchange, call.sid, Status="canceled")
            await rig.quiet()
            return rig

    assert run(main()).mailbox.statuses() == ["initiated", "ringing", "canceled"]


@pytest.mark.parametrize("fields", [{"Status": "completed"}, {"Twiml": "<Response/>"}])
def test_a_request_about_a_finished_call_lost_the_race(fields: dict[str, str]) -> None:
    async def main() -> None:
        async with carrier() as rig:
            call = place(rig, order(INVALID))
            await rig.quiet()
            with pytest.raises(ApiError) as refused:
                update(rig.exchange, call.sid, **fields)
            assert refused.value.api_code == 21220
            assert call.status == "failed"

    run(main())


def test_a_live_call_can_be_redirected_and_limited() -> None:
    async def main() -> truth.Call:
        async with carrier() as rig:
            call = place(rig, order(HUMAN))
            await asyncio.sleep(10)
            update(rig.exchange, call.sid, Twiml="<Response><Pause length='60'/></Response>")
            update(rig.exchange, call.sid, TimeLimit="3")
            await rig.quiet()
            return rig.calls()[0]

    call = run(main())

    assert call.ended_by == "time_limit"
    assert call.hang_up_asked_at is None


def test_a_redirect_stops_the_document_before_it() -> None:
    async def main() -> truth.Call:
        async with carrier(answering(answer="<Response><Pause length='8'/></Response>")) as rig:
            call = place(rig, order(HUMAN))
            await asyncio.sleep(10)
            update(rig.exchange, call.sid, Twiml="<Response><Dial>+12025550101</Dial></Response>")
            await rig.quiet()
            return rig.calls()[0]

    assert run(main()).ended_by == "callee"


def test_a_call_that_only_rings_cannot_be_redirected() -> None:
    async def main() -> None:
        async with carrier() as rig:
            call = place(rig, order(HUMAN))
            await asyncio.sleep(2)
            with pytest.raises(ApiError) as refused:
                update(rig.exchange, call.sid, Url="http://dialer.test/other")
            assert refused.value.api_code == 21220

    run(main())


def test_status_callbacks_can_be_sent_elsewhere() -> None:
    async def main() -> Rig:
        async with carrier() as rig:
            call = place(rig, order(HUMAN))
            await asyncio.sleep(2)
            update(rig.exchange, call.sid, StatusCallback="http://dialer.test/other")
            await rig.quiet()
            return rig

    assert [f["CallStatus"] for f in run(main()).mailbox.to("/other")] == [
        "in-progress",
        "completed",
    ]


def test_only_finished_calls_are_forgotten_and_only_once() -> None:
    async def main() -> None:
        async with carrier() as rig:
            call = place(rig, order(HUMAN))
            with pytest.raises(ApiError) as refused:
                rig.exchange.delete(call.sid)
            assert refused.value.api_code == 20009
            await rig.quiet()
            rig.exchange.delete(call.sid)
            assert list(rig.exchange.newest_first(HUMAN)) == []
            with pytest.raises(ApiError) as refused:
                rig.exchange.delete(call.sid)
            assert refused.value.api_code == 20404

    run(main())


def test_lists_lag_behind_by_at_most_what_was_asked_for() -> None:
    async def main() -> tuple[int, int]:
        async with carrier(faults=Faults.parse("list_lag=20")) as rig:
            for _ in range(50):
                place(rig, order(HUMAN))
            at_once = len(list(rig.exchange.newest_first()))
            await asyncio.sleep(20)
            return at_once, len(list(rig.exchange.newest_first()))

    at_once, later = run(main())

    assert at_once < 25
    assert later == 50


# -- more than one life ---------------------------------------------------------------------------


def test_a_restart_remembers_every_call_and_fails_those_that_were_live() -> None:
    async def first_life() -> list[truth.Call]:
        async with carrier() as rig:
            place(rig, order(BUSY))
            await rig.quiet()
            place(rig, order(HUMAN))
            await asyncio.sleep(10)
            return rig.calls()

    async def second_life(history: list[truth.Call]) -> tuple[Rig, list[str], str]:
        async with carrier(history=history) as rig:
            statuses = [rig.exchange.call(call.sid).status for call in history]
            sid = place(rig, order(HUMAN)).sid
            await rig.quiet()
            return rig, [str(status) for status in statuses], sid

    history = run(first_life())
    rig, statuses, sid = run(second_life(history))

    assert statuses == ["busy", "failed"]
    told = [form for form in rig.mailbox.to("/status/") if form["CallSid"] == history[1].sid]
    assert [(f["CallStatus"], f["SequenceNumber"]) for f in told] == [("failed", "3")]
    assert sid not in {call.sid for call in history}


def test_plans_go_by_how_often_a_number_was_called_not_by_the_order_of_calls() -> None:
    numbers = [f"+1303555{number:04}" for number in range(40)]

    async def fates(sequence: list[str]) -> dict[tuple[str, int], Any]:
        found: dict[tuple[str, int], Any] = {}
        async with carrier(profile=PROFILES["warm"]) as rig:
            for to in sequence:
                attempt = sum(known == to for known, _ in found)
                found[to, attempt] = place(rig, order(to)).plan
            return found

    assert run(fates(numbers * 2)) == run(fates(numbers[::-1] * 2))


def test_the_hour_at_the_callee_is_asked_for() -> None:
    asked = []

    def hour_at(phone: str, at: int) -> int | None:
        asked.append((phone, at))
        return 9

    async def main() -> None:
        async with carrier() as rig:
            rig.exchange._hour_at = hour_at
            place(rig, order(HUMAN))
            assert asked == [(HUMAN, now())]

    run(main())


# -- whatever is asked, in whatever order ---------------------------------------------------------

requests = st.lists(
    st.tuples(
        st.sampled_from(["place", "completed", "canceled", "redirect"]),
        st.integers(0, 9),  # which number, or which call
        st.floats(0, 15),  # seconds until the next request
    ),
    max_size=25,
)
MARKS = ("accepted_at", "initiated_at", "ringing_at", "answered_at", "ended_at")


async def storm(steps: list[tuple[str, int, float]], faults: str) -> Rig:
    async with carrier(cps=2, faults=Faults.parse(faults)) as rig:
        placed: list[Call] = []
        for action, which, pause_s in steps:
            if action == "place":
                wanted = order(f"+1500555010{which}", amd=ASYNC_AMD, amd_callback=AMD_URL)
                placed.append(place(rig, wanted))
            elif placed:
                change = {"Url": "http://dialer.test/answer"} if action == "redirect" else {}
                fields = change or {"Status": action}
                with suppress(ApiError):  # 21220: the call was over already
                    update(rig.exchange, placed[which % len(placed)].sid, **fields)
            await asyncio.sleep(pause_s)
        await rig.quiet()
        return rig


@given(requests)
@settings(max_examples=60)
def test_every_call_ends_once_in_order_and_tells_every_step(
    steps: list[tuple[str, int, float]],
) -> None:
    rig = run(storm(steps, "none"))

    ends = [event["sid"] for event in rig.log.events if event["event"] == truth.Event.ENDED]
    calls = rig.calls()
    assert sorted(ends) == sorted(call.sid for call in calls)
    for call in calls:
        times = [time for mark in MARKS if (time := getattr(call, mark)) is not None]
        assert times == sorted(times)
        assert (call.status == "completed") == (call.answered_at is not None)
        told = [form for form in rig.mailbox.to("/status/") if form["CallSid"] == call.sid]
        assert [form["SequenceNumber"] for form in told] == [str(n) for n in range(len(told))]
        if call.initiated_at is not None or call.status != "canceled":
            assert told[-1]["CallStatus"] == call.status
        else:
            assert told == []


@given(requests)
@settings(max_examples=30)
def test_faults_of_callbacks_change_what_is_told_and_nothing_that_happens(
    steps: list[tuple[str, int, float]],
) -> None:
    calm = run(storm(steps, "none"))
    harsh = run(storm(steps, "lost=0.3,late=0.3,duplicate=0.3,reordered=0.3"))

    assert [replace(call, callbacks_lost=()) for call in harsh.calls()] == calm.calls()
    for call in harsh.calls():
        ours = [form for form in harsh.mailbox.to("/status/") if form["CallSid"] == call.sid]
        true = [form for form in calm.mailbox.to("/status/") if form["CallSid"] == call.sid]
        assert all(form in true for form in ours)
        heard = {form["CallStatus"] for form in ours} | set(call.callbacks_lost)
        assert heard >= {form["CallStatus"] for form in true}
