"""An operator's own check: asked before every call, and never the last word before a request."""

import asyncio
import random
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from dialer import campaigns, do_not_call
from dialer.errors import StoreBusyError, UnreachableError
from dialer.launcher import TOLERANCE_MS
from dialer.leases import Lease
from dialer.model import CampaignId, Claim, WaitReason
from dialer.ports import (
    Later,
    MayCall,
    Never,
    Order,
    PreDialAnswer,
    PreDialQuestion,
    Refusal,
    Refused,
)
from dialer.screening import ASK_AGAIN_S, REST_MAX_S, REST_S
from dialer.simulation import loop
from dialer.states import CampaignEvent
from dialer.store.inline import counted
from dialer.store.opening import AnyDatabase
from dialer.store.sqlite import SqliteDatabase
from tests.support import virtual
from tests.support.engine import (
    HOUR,
    MINUTE,
    NOW,
    SECOND,
    Daemon,
    ScriptedCarrier,
    SetClock,
    assert_sound,
    attempt_of,
    daemon_on,
    member_of,
    rows,
    running,
    until,
)
from tests.support.given import FIRST_PHONE, given_campaign, write

TIMEOUT_S: Final = 2.0
FREE: Final[dict[str, Any]] = {
    "call_interval_s": 0,
    "max_concurrent": 1000,
    "max_calls_per_day": 1000,
}


def phone(contact: int) -> str:
    return f"+{FIRST_PHONE + contact}"


@dataclass
class Check:
    """Notes what it is asked, and answers as told: *answers* by phone, else anybody may be called.

    While *gate* is closed it does not answer.
    """

    answers: dict[str, PreDialAnswer | BaseException] = field(default_factory=dict)
    asked: list[PreDialQuestion] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    most_at_once: int = 0
    waiting: int = 0

    def __post_init__(self) -> None:
        self.gate.set()

    async def __call__(self, question: PreDialQuestion) -> PreDialAnswer:
        self.asked.append(question)
        self.waiting += 1
        self.most_at_once = max(self.most_at_once, self.waiting)
        try:
            await self.gate.wait()
        finally:
            self.waiting -= 1
        answer = self.answers.get(question.phone, MayCall())
        if isinstance(answer, BaseException):
            raise answer
        return answer


@pytest.fixture
def check() -> Check:
    return Check()


@pytest.fixture
async def daemon(store: str, database: AnyDatabase, check: Check) -> AsyncIterator[Daemon]:
    async with daemon_on(store, database, check=check, pre_dial_at_once=3) as alive:
        yield alive


async def given_calling(daemon: Daemon, **fields: Any) -> CampaignId:
    return await given_campaign(daemon.database, now=NOW, **({"contacts": 1} | FREE | fields))


@asynccontextmanager
async def sending(daemon: Daemon, claims: Sequence[Claim]) -> AsyncIterator[None]:
    """The launcher at work until every claim is decided about and written down."""
    daemon.engine.launcher.add(claims)
    async with running(daemon.engine.launcher.run):
        yield
        await until(lambda: not daemon.engine.launcher.busy)
        await daemon.batcher.settled()


async def send(daemon: Daemon, claims: Sequence[Claim]) -> None:
    async with sending(daemon, claims):
        pass


async def why_waiting(daemon: Daemon) -> list[tuple[Any, ...]]:
    """The reasons that operators see, by campaign."""
    await daemon.engine.dispatcher.explain_now()
    return await rows(
        daemon.database,
        "SELECT campaign_id, reason, members, until_at, detail FROM campaign_waits ORDER BY 1, 2",
    )


async def nobody_was_disturbed(daemon: Daemon) -> None:
    assert daemon.carrier.orders == []
    assert await rows(daemon.database, "SELECT DISTINCT state FROM attempts") == [("released",)]
    assert await rows(daemon.database, "SELECT sum(attempts) FROM members") == [(0,)]
    assert await rows(daemon.database, "SELECT sum(calls) FROM number_days") == [(0,)]
    await assert_sound(daemon.database)


# -- what it is asked, and what its answers do ---------------------------------------------------


async def test_it_is_told_all_there_is_to_know_about_a_call(daemon: Daemon, check: Check) -> None:
    campaign = await given_calling(daemon)
    async with daemon.database.write() as tx:
        known = "UPDATE contacts SET email = ?1, language = ?2, variables = ?3"
        await write(tx, known, [("ann@example.com", "de", '{"contract": "17"}')])
    (claim,) = await daemon.take(campaign)

    await send(daemon, [claim])

    assert check.asked == [
        PreDialQuestion(
            attempt_id=claim.attempt_id,
            phone=claim.to,
            caller_id=claim.from_,
            campaign="Renewals",
            name="Contact 1",
            email="ann@example.com",
            language="de",
            variables={"contract": "17"},
            attempts=0,
        )
    ]
    assert [order.to for order in daemon.carrier.orders] == [claim.to]


async def test_never_fails_the_member_for_good_and_says_who_said_so(
    daemon: Daemon, check: Check
) -> None:
    campaign = await given_calling(daemon)
    check.answers = {phone(1): Never("on a list of litigators")}
    (claim,) = await daemon.take(campaign)

    with capture_logs() as logs:
        await send(daemon, [claim])

    member, attempt = await member_of(daemon.database), await attempt_of(daemon.database, claim)
    assert (member["state"], member["reason"]) == ("failed", "refused_by_check")
    assert attempt["detail"] == "never, says the pre-dial check: on a list of litigators"
    (line,) = [entry for entry in logs if entry["event"] == "call.barred"]
    assert line["attempt"] == claim.attempt_id
    assert "litigators" not in str(line)  # what is said of a person stays in the database
    await nobody_was_disturbed(daemon)


async def test_who_was_listed_meanwhile_finds_the_refusal_in_the_lists_history(
    daemon: Daemon, check: Check
) -> None:
    campaign = await given_calling(daemon)
    check.answers = {phone(1): Never("moved away")}
    claims = await daemon.take(campaign)
    async with daemon.database.write() as tx:
        await do_not_call.add(tx, [phone(1)], NOW)

    await send(daemon, claims)

    async with daemon.database.read() as tx:
        told = await do_not_call.history_of(tx, phone(1))
    assert [(row["event"], row["detail"]) for row in told] == [
        ("added", ""),
        ("refused", "never, says the pre-dial check: moved away"),
    ]


async def test_later_puts_the_member_off_until_then_and_counts_nothing(
    daemon: Daemon, check: Check
) -> None:
    campaign = await given_calling(daemon)
    check.answers = {phone(1): Later(NOW + HOUR, "in a meeting")}
    (claim,) = await daemon.take(campaign)

    await send(daemon, [claim])

    member, attempt = await member_of(daemon.database), await attempt_of(daemon.database, claim)
    assert (member["state"], member["next_at"]) == ("pending", NOW + HOUR)
    assert attempt["detail"] == "put off by the pre-dial check: in a meeting"
    await nobody_was_disturbed(daemon)


async def test_a_later_that_has_passed_is_not_asked_again_at_once(
    daemon: Daemon, check: Check
) -> None:
    campaign = await given_calling(daemon)
    check.answers = {phone(1): Later(NOW - HOUR)}

    await send(daemon, await daemon.take(campaign))

    assert (await member_of(daemon.database))["next_at"] == NOW + SECOND


# -- no answer -----------------------------------------------------------------------------------


FAILURES: Final = {
    "an error": (OSError("no route to the CRM"), "OSError: no route to the CRM"),
    "an error about somebody": (
        UnreachableError("nobody of the number +12025550143"),
        "nobody of the number +1202***143",
    ),
    "rubbish": (None, "NoneType is no answer"),
}


@pytest.mark.parametrize("kind", FAILURES)
async def test_without_an_answer_nobody_is_called_and_the_campaign_says_why(
    daemon: Daemon, check: Check, kind: str
) -> None:
    answer, words = FAILURES[kind]
    campaign = await given_calling(daemon, contacts=3)
    other = await given_calling(daemon, name="Other", first_contact=10, number_ids=[1])
    check.answers = {phone(1): answer}  # type: ignore[dict-item]  # rubbish is what it is about
    (claim,) = await daemon.take(campaign, limit=1)

    with capture_logs() as logs:
        await send(daemon, [claim])

    member, attempt = await member_of(daemon.database), await attempt_of(daemon.database, claim)
    assert (member["state"], member["next_at"]) == ("pending", NOW + ASK_AGAIN_S * SECOND)
    assert attempt["detail"] == f"the pre-dial check failed: {words}"
    assert await why_waiting(daemon) == [
        (campaign, WaitReason.DEFERRED, 1, NOW + ASK_AGAIN_S * SECOND, ""),
        (campaign, WaitReason.PRE_DIAL_CHECK, 2, NOW + REST_S * SECOND, words),
        (other, WaitReason.NEXT, 1, None, ""),
    ]
    (line,) = [entry for entry in logs if entry["event"] == "pre_dial.failed"]
    assert (line["in_a_row"], line["error"]) == (1, words)
    await nobody_was_disturbed(daemon)


async def test_a_check_that_takes_too_long_has_not_answered(
    store: str, database: AnyDatabase, check: Check
) -> None:
    check.gate.clear()
    async with daemon_on(store, database, check=check, pre_dial_timeout_s=0.01) as daemon:
        campaign = await given_calling(daemon)
        (claim,) = await daemon.take(campaign)

        await send(daemon, [claim])

        detail = (await attempt_of(database, claim))["detail"]
        assert detail == "the pre-dial check failed: no answer within 0.01 s"
        await nobody_was_disturbed(daemon)


async def test_while_a_campaign_rests_its_check_is_left_alone_and_others_go_on(
    daemon: Daemon, check: Check
) -> None:
    campaign = await given_calling(daemon, contacts=6)
    other = await given_calling(daemon, name="Other", first_contact=10, number_ids=[1])
    check.answers = {phone(each): OSError("down") for each in range(1, 7)}

    await send(daemon, await daemon.take(campaign))
    asked = len(check.asked)
    async with running(daemon.engine.dispatcher.run, daemon.engine.launcher.run):
        await until(lambda: bool(daemon.carrier.orders))
        await daemon.batcher.settled()

    assert asked == 3  # as many as may be asked at once
    assert {question.campaign for question in check.asked[asked:]} == {"Other"}
    placed = "SELECT campaign_id FROM attempts WHERE sid > ''"
    assert await rows(daemon.database, placed) == [(other,)]
    waiting = "SELECT DISTINCT detail FROM attempts WHERE detail LIKE '%rests'"
    assert await rows(daemon.database, waiting) == [("the pre-dial check rests",)]


async def test_the_rest_doubles_up_to_a_bound_and_ends_with_the_first_answer(
    daemon: Daemon, check: Check
) -> None:
    campaign = await given_calling(daemon)
    rests: list[float] = []

    async def ask(answer: PreDialAnswer | BaseException) -> None:
        check.answers = {phone(1): answer}
        daemon.clock.at += MINUTE
        async with daemon.database.write() as tx:
            await write(tx, "UPDATE members SET next_at = ?1", [(0,)])
        await send(daemon, await daemon.take(campaign))
        held = daemon.engine.dispatcher._held.pop(campaign, None)
        rests.append((held.until_at - daemon.clock.at) / SECOND if held and held.until_at else 0)

    for _ in range(7):
        await ask(OSError("down"))
    await ask(Later(0))
    await ask(OSError("down"))

    assert rests == [1, 2, 4, 8, 16, REST_MAX_S, REST_MAX_S, 0, REST_S]


async def test_an_operator_may_want_calls_without_an_answer(
    store: str, database: AnyDatabase, check: Check
) -> None:
    check.answers = {phone(1): OSError("down"), phone(2): Never()}
    async with daemon_on(store, database, check=check, pre_dial_fail_closed=False) as daemon:
        campaign = await given_calling(daemon, contacts=3)

        with capture_logs() as logs:
            await send(daemon, await daemon.take(campaign))

        assert sorted(order.to for order in daemon.carrier.orders) == [phone(1), phone(3)]
        assert [entry["closed"] for entry in logs if entry["event"] == "pre_dial.failed"] == [False]


async def test_nobody_is_asked_about_whom_the_store_does_not_know(
    daemon: Daemon, check: Check
) -> None:
    campaign = await given_calling(daemon)
    (claim,) = await daemon.take(campaign)
    async with daemon.database.write() as tx:
        await write(tx, "UPDATE attempts SET state = ?1", [("unknown",)])
    daemon.engine.calls._attempts.forget()

    await send(daemon, [claim])

    assert (check.asked, daemon.carrier.orders) == ([], [])
    assert (await attempt_of(daemon.database, claim))["state"] == "unknown"


async def test_nobody_is_called_while_the_store_does_not_say_who_it_is(
    daemon: Daemon, check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = await given_calling(daemon, contacts=2)
    claims = await daemon.take(campaign)

    def broken() -> Any:
        raise StoreBusyError("somebody else holds it")

    with monkeypatch.context() as patched, capture_logs() as logs:
        patched.setattr(daemon.database, "read", broken)
        await send(daemon, claims)

    assert "pre_dial.unreadable" in [entry["event"] for entry in logs]
    assert check.asked == []
    assert (await member_of(daemon.database))["next_at"] == NOW + SECOND
    await nobody_was_disturbed(daemon)


# -- the last look stays the last question -------------------------------------------------------


async def pause(daemon: Daemon) -> None:
    async with daemon.database.write() as tx:
        await campaigns.move(tx, "Renewals", CampaignEvent.PAUSE, NOW)


async def list_them(daemon: Daemon) -> None:
    async with daemon.database.write() as tx:
        await do_not_call.add(tx, [phone(1)], NOW)


async def lose_the_lease(daemon: Daemon) -> None:
    daemon.clock.at = NOW + HOUR


@pytest.mark.parametrize("happens", [pause, list_them, lose_the_lease])
async def test_what_happens_while_it_is_asked_counts(
    daemon: Daemon, check: Check, happens: Callable[[Daemon], Awaitable[None]]
) -> None:
    campaign = await given_calling(daemon)
    check.gate.clear()

    async with sending(daemon, await daemon.take(campaign)):
        await until(lambda: bool(check.asked))
        await happens(daemon)
        check.gate.set()

    await nobody_was_disturbed(daemon)


async def test_a_drain_gives_back_what_is_being_asked_about(daemon: Daemon, check: Check) -> None:
    campaign = await given_calling(daemon, contacts=5)
    check.gate.clear()

    async with sending(daemon, await daemon.take(campaign)):
        await until(lambda: check.waiting == 3)
        await daemon.engine.launcher.drain()
        assert not daemon.engine.launcher.busy
        check.gate.set()

    details = await rows(daemon.database, "SELECT DISTINCT detail FROM attempts")
    assert details == [("draining",)]
    assert check.waiting == 0
    await nobody_was_disturbed(daemon)


async def test_what_a_killed_daemon_was_asking_about_is_looked_for(
    store: str, database: AnyDatabase, check: Check
) -> None:
    check.gate.clear()
    async with daemon_on(store, database, check=check, lease_s=15) as daemon:
        campaign = await given_calling(daemon)
        (claim,) = await daemon.take(campaign)
        daemon.engine.launcher.add([claim])
        async with running(daemon.engine.launcher.run):
            await until(lambda: bool(check.asked))
    assert (await attempt_of(database, claim))["state"] == "intent"

    clock = SetClock(NOW + HOUR)
    successor = Lease(clock, database, name="next", lease_s=15, sole=True)
    await successor.acquire()
    await successor.take_over(daemon.engine.times.first_look_s)

    assert (await attempt_of(database, claim))["state"] == "unknown"


async def test_only_so_many_are_asked_about_at_once(daemon: Daemon, check: Check) -> None:
    campaign = await given_calling(daemon, contacts=8)
    check.gate.clear()

    async with sending(daemon, await daemon.take(campaign)):
        await until(lambda: check.waiting == 3)
        check.gate.set()

    assert check.most_at_once == 3
    assert len(daemon.carrier.orders) == 8


async def test_a_check_that_hangs_holds_up_nobody_but_its_own(
    store: str, database: AnyDatabase
) -> None:
    hanging = asyncio.Event()

    async def mixed(question: PreDialQuestion) -> PreDialAnswer:
        if question.campaign == "Slow":
            await hanging.wait()
        return MayCall()

    async with daemon_on(store, database, check=mixed, pre_dial_timeout_s=60) as daemon:
        slow = await given_calling(daemon, name="Slow", contacts=2)
        quick = await given_calling(
            daemon, name="Quick", contacts=5, first_contact=10, number_ids=[1]
        )
        claims = [*await daemon.take(slow), *await daemon.take(quick)]

        async with sending(daemon, claims):
            await until(lambda: len(daemon.carrier.orders) == 5)
            hanging.set()

        assert [order.to for order in daemon.carrier.orders[5:]] == [phone(1), phone(2)]


async def test_a_claim_whose_time_is_over_before_its_turn_goes_back(
    daemon: Daemon, check: Check
) -> None:
    campaign = await given_calling(daemon, contacts=4)
    check.gate.clear()

    async with sending(daemon, await daemon.take(campaign)):
        await until(lambda: check.waiting == 3)
        daemon.clock.at += MINUTE
        check.gate.set()

    details = await rows(daemon.database, "SELECT detail, count(*) FROM attempts GROUP BY 1")
    assert ("the pre-dial check had no time for it", 1) in details


async def test_a_refusal_of_the_carrier_after_the_check_is_what_it_always_was(
    daemon: Daemon,
) -> None:
    campaign = await given_calling(daemon)
    daemon.carrier.placements = [Refused(Refusal.BAD_NUMBER, 21211, "no such number")]

    await send(daemon, await daemon.take(campaign))

    assert (await member_of(daemon.database))["reason"] == "invalid_number"


# -- pacing --------------------------------------------------------------------------------------


@dataclass
class _Sent:
    """A call in virtual time: when it was asked for, and by when it had to be."""

    at: int
    void_at: int


class _VirtualClock:
    def now(self) -> int:
        return virtual.now()


async def _dialed(
    path: Path, took_s: Sequence[float], rate: float, interval_s: float, concurrent: int
) -> list[_Sent]:
    """Call as many people as *took_s* has checks, each taking as long as it says."""
    sent: list[_Sent] = []
    durations = iter(took_s)

    async def check(question: PreDialQuestion) -> PreDialAnswer:
        await asyncio.sleep(next(durations))
        return MayCall()

    async def note(order: Order) -> None:
        sent.append(_Sent(virtual.now(), order.void_at))

    carrier = ScriptedCarrier()
    carrier.while_placing = note
    connect = counted(loop.running().owe_until)
    async with (
        SqliteDatabase(path, random.Random(1), busy_timeout_s=5, connect=connect) as database,
        daemon_on(
            str(path), database, clock=_VirtualClock(), carrier=carrier, check=check,  # type: ignore[arg-type]  # it only has to tell the time
            calls_per_second=rate, max_concurrent=concurrent, pre_dial_timeout_s=TIMEOUT_S,
        ) as daemon,
    ):  # fmt: skip
        await given_campaign(
            database,
            now=virtual.now(),
            contacts=len(took_s),
            **FREE | {"call_interval_s": interval_s},
        )
        async with running(daemon.engine.dispatcher.run, daemon.engine.launcher.run):
            async with asyncio.timeout(3600):
                while len(sent) < len(took_s):  # noqa: ASYNC110  a carrier tells nobody
                    await asyncio.sleep(0.05)
            await daemon.batcher.settled()
    return sent


@pytest.fixture(scope="module")
def empty(sqlite_template: bytes, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated file, to be copied."""
    path = tmp_path_factory.mktemp("empty") / "dialer.db"
    path.write_bytes(sqlite_template)
    return path


@settings(max_examples=15)
@given(
    took_s=st.lists(st.floats(0, TIMEOUT_S - 0.01), min_size=2, max_size=12),
    rate=st.sampled_from([0, 1, 5]),
    interval_s=st.sampled_from([0.0, 0.5, 3.0]),
)
def test_however_long_checks_take_calls_keep_their_distance_and_leave_in_time(
    empty: Path, took_s: list[float], rate: float, interval_s: float
) -> None:
    with TemporaryDirectory() as folder:
        path = Path(shutil.copy(empty, folder))

        sent = virtual.run(_dialed(path, took_s, rate, interval_s, 0), threads=True)

    apart_ms = max(interval_s * SECOND, SECOND / rate if rate else 0) - TOLERANCE_MS
    assert all(later.at - earlier.at >= apart_ms for earlier, later in pairwise(sent))
    assert all(each.at <= each.void_at for each in sent)


def test_a_quick_check_costs_hardly_any_time(empty: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(empty, tmp_path))

    (first, *_) = virtual.run(_dialed(path, [0.01] * 2, 0, 0.0, 0), threads=True)

    assert first.at - virtual.EPOCH < SECOND  # not the two seconds it may take
