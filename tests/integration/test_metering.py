"""What the engine counts is what it did: once, after the commit, and on both databases."""

import asyncio
import random
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import closing
from typing import Any

import pytest
from structlog.testing import capture_logs

from dialer.erased import PhoneKey
from dialer.meters import Meters, SilentCallFate, TransactionKind
from dialer.metrics import gauges
from dialer.model import AmdMode, CallFacts, CampaignId, CarrierStatus, NumberId, WaitReason
from dialer.outcomes import ring_s
from dialer.ports import (
    Accepted,
    Doubtful,
    NotSent,
    Placement,
    Refusal,
    Refused,
    Throttled,
    Tx,
)
from dialer.states import CampaignStatus, MemberState
from dialer.store.opening import AnyDatabase, opened
from retries.outcome import Outcome
from tests.integration.test_calls import do, given_call, given_placed, tell
from tests.support.engine import (
    MINUTE,
    NOW,
    SECOND,
    Daemon,
    call_between,
    daemon_on,
    rows,
    running,
    sid,
    status,
    until,
    verdict,
)
from tests.support.given import FIRST_PHONE, given_campaign, write

S = CarrierStatus
KEY = PhoneKey(b"a key of a test's own, long enough to be one")


class Notes(Meters):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.ends: list[tuple[CampaignId, Outcome, AmdMode, CallFacts]] = []
        self.asked: list[tuple[CampaignId, NumberId, float]] = []
        self.facts: Counter[str] = Counter()
        self.kinds: Counter[TransactionKind] = Counter()

    def call_ended(
        self, campaign_id: CampaignId, outcome: Outcome, mode: AmdMode, facts: CallFacts
    ) -> None:
        self.ends.append((campaign_id, outcome, mode, facts))

    def call_asked_for(self, campaign_id: CampaignId, number_id: NumberId, late_s: float) -> None:
        self.asked.append((campaign_id, number_id, late_s))

    def reconciled(self, verdict: SilentCallFate) -> None:
        self.facts[verdict] += 1

    def promise_broken(self) -> None:
        self.facts["broken"] += 1

    def webhook_repeated(self) -> None:
        self.facts["repeated"] += 1

    def ticked(self, took_s: float) -> None:
        self.facts["ticked"] += 1

    def store_was_busy(self) -> None:
        self.facts["busy"] += 1

    def transaction_ended(self, kind: TransactionKind, took_s: float) -> None:
        assert took_s >= 0
        self.kinds[kind] += 1


@pytest.fixture
def notes() -> Notes:
    return Notes()


@pytest.fixture
async def daemon(store: str, database: AnyDatabase, notes: Notes) -> AsyncIterator[Daemon]:
    async with daemon_on(store, database, meters=notes, fingerprint=KEY.fingerprint) as running:
        yield running


async def boom(tx: Tx, ops: Sequence[None]) -> list[None]:
    raise ValueError("a bad submission")


# -- calls -----------------------------------------------------------------------------------------


async def test_an_end_is_counted_with_what_was_heard_and_how_long(
    daemon: Daemon, notes: Notes
) -> None:
    claim = await given_placed(daemon)

    await tell(
        daemon,
        status(claim, S.RINGING, NOW + 1 * SECOND),
        status(claim, S.IN_PROGRESS, NOW + 9 * SECOND),
        verdict(claim, "human", NOW + 11 * SECOND),
        status(claim, S.COMPLETED, NOW + 39 * SECOND, duration_s=30),
        status(claim, S.COMPLETED, NOW + 39 * SECOND, duration_s=30),
    )

    ((campaign_id, outcome, mode, facts),) = notes.ends
    assert (campaign_id, outcome, mode) == (claim.campaign_id, Outcome.HUMAN, AmdMode.CARRIER)
    assert (ring_s(facts), facts.duration_s, facts.answered_by) == (8.0, 30, "human")
    assert notes.facts["repeated"] == 1


async def test_a_call_nobody_answered_rang_until_its_end(daemon: Daemon, notes: Notes) -> None:
    claim = await given_placed(daemon)

    await tell(
        daemon,
        status(claim, S.RINGING, NOW + 1 * SECOND),
        status(claim, S.NO_ANSWER, NOW + 31 * SECOND, duration_s=0),
    )

    ((_, outcome, _, facts),) = notes.ends
    assert (outcome, facts.answered_at, ring_s(facts)) == (Outcome.NO_ANSWER, None, 30.0)


async def test_an_end_whose_transaction_was_repeated_is_told_once(
    daemon: Daemon, notes: Notes
) -> None:
    claim = await given_placed(daemon)

    with capture_logs() as logs:
        answers = await asyncio.gather(
            daemon.engine.calls.receive(status(claim, S.BUSY, NOW + SECOND)),
            daemon.batcher.apply(boom, [None]),
            return_exceptions=True,
        )

    assert isinstance(answers[1], ValueError)
    assert len(notes.ends) == 1
    assert [entry["event"] for entry in logs if entry["event"] == "call.ended"] == ["call.ended"]


async def test_a_call_has_one_line_that_names_nobody_but_tells_them_apart(daemon: Daemon) -> None:
    claim = await given_placed(daemon)

    with capture_logs() as logs:
        await tell(
            daemon,
            status(claim, S.RINGING, NOW),
            status(claim, S.IN_PROGRESS, NOW + 5 * SECOND),
            status(claim, S.COMPLETED, NOW + 25 * SECOND, duration_s=20),
        )

    (line,) = (entry for entry in logs if entry["event"] == "call.ended")
    assert (
        line
        == {
            "event": "call.ended",
            "log_level": "info",
            "campaign": claim.campaign_id,
            "member": claim.member_id,
            "attempt": claim.attempt_id,
            "sid": sid(1),
            "to": claim.to,  # masked by the name of its field, on its way out
            "to_hash": KEY.hash(claim.to)[:16],
            "outcome": Outcome.HUMAN,
            "ring_s": 5.0,
            "talk_s": 20,
            "attempt_number": 1,
        }
    )


async def test_an_attempt_the_carrier_refused_is_over_too(daemon: Daemon, notes: Notes) -> None:
    claim = await given_call(daemon)

    refusal = Refused(Refusal.BAD_NUMBER, 21211, "not a number")
    await do(daemon, daemon.engine.calls.refused, (claim.attempt_id, refusal))

    ((_, outcome, _, facts),) = notes.ends
    assert (outcome, ring_s(facts)) == (Outcome.INVALID_NUMBER, None)


async def test_a_second_call_of_one_attempt_is_a_broken_promise(
    daemon: Daemon, notes: Notes
) -> None:
    claim = await given_placed(daemon)

    await tell(daemon, status(claim, S.RINGING, NOW, call=sid(2)))

    assert notes.facts["broken"] == 1


async def test_a_doubt_is_resolved_either_way_and_counted(daemon: Daemon, notes: Notes) -> None:
    found = await given_call(daemon, contacts=2)
    (absent,) = await daemon.take(found.campaign_id, limit=1)
    doubts = [(claim.attempt_id, "timed out") for claim in (found, absent)]
    await do(daemon, daemon.engine.calls.doubted, *doubts)
    daemon.carrier.listed.append(call_between(found, 1, created_at=NOW))

    daemon.clock.pass_s(10 * MINUTE / SECOND)
    await daemon.engine.reaper.ask()

    assert notes.facts == {SilentCallFate.FOUND: 1, SilentCallFate.ABSENT: 1}
    assert [outcome for _, outcome, *_ in notes.ends] == [Outcome.NOT_PLACED]


@pytest.mark.parametrize(
    ("placement", "spent"),
    [
        (Accepted(sid(1)), True),
        (Doubtful("timed out"), True),
        (Refused(Refusal.BAD_NUMBER, 21211, "no number"), True),
        (Refused(Refusal.CONFIGURATION, 20003, "who are you?"), False),
        (NotSent("nobody listens"), False),
        (Throttled(3600, 20429, "later"), False),
    ],
)
async def test_a_request_is_counted_when_an_attempt_was_spent_on_it(
    daemon: Daemon, notes: Notes, placement: Placement, spent: bool
) -> None:
    daemon.carrier.placements = [placement]
    launcher = daemon.engine.launcher
    campaign = await given_campaign(daemon.database, now=NOW, contacts=1)
    claims = await daemon.take(campaign, limit=1)

    async with running(launcher.run):
        launcher.add(claims)
        await until(lambda: bool(daemon.carrier.orders) and not launcher.busy)

    assert notes.asked == ([(campaign, claims[0].number_id, 0.0)] if spent else [])


# -- the store -------------------------------------------------------------------------------------


async def test_transactions_are_counted_by_kind(store: str, notes: Notes) -> None:
    async with opened(store, random.Random(1), busy_timeout_s=5, meters=notes) as database:
        before = notes.kinds.copy()
        async with database.read() as tx:
            await tx.value("unfolded_count")
        with pytest.raises(ValueError, match="left"):
            async with database.write() as tx:
                raise ValueError("left in the middle")

    assert notes.kinds - before == {TransactionKind.READ: 1, TransactionKind.WRITE: 1}


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
async def test_a_transaction_that_met_somebody_is_counted_once(store: str, notes: Notes) -> None:
    async with opened(store, random.Random(1), busy_timeout_s=5, meters=notes) as database:
        with closing(sqlite3.connect(store, isolation_level=None)) as somebody:
            somebody.execute("BEGIN IMMEDIATE")

            async def write_one() -> None:
                async with database.write() as tx:
                    await tx.run("bump_revision")

            async with asyncio.TaskGroup() as group:
                group.create_task(write_one())
                await until(lambda: notes.facts["busy"] > 0)
                somebody.execute("ROLLBACK")

    assert notes.facts["busy"] == 1


# -- what is read ----------------------------------------------------------------------------------


async def test_gauges_say_what_the_database_says(daemon: Daemon) -> None:
    claim = await given_placed(daemon, contacts=5)
    (doubtful,) = await daemon.take(claim.campaign_id, limit=1)
    await do(daemon, daemon.engine.calls.doubted, (doubtful.attempt_id, "timed out"))
    await given_campaign(daemon.database, now=NOW, name="Later", number_ids=(1,), start=False)
    async with daemon.database.write() as tx:
        await write(tx, "UPDATE numbers SET spam_score = ?1", [(2.5,)])
        await write(
            tx,
            "INSERT INTO jobs (kind, subject, state, actor, worker, started_at, beat_at, ended_at)"
            " VALUES ('backup', 'b.db', ?1, 'ann', 'desk:1', 0, 0, ?2)",
            [("done", NOW - 5), ("done", NOW - 3), ("failed", NOW)],
        )
    await daemon.engine.dispatcher.refresh()
    await daemon.engine.dispatcher.explain_now()

    async with daemon.database.read() as tx:
        now = await gauges.read(tx, NOW, (4096, None))

    campaign = claim.campaign_id
    assert now.campaigns == {CampaignStatus.ACTIVE: 1, CampaignStatus.DRAFT: 1}
    assert now.members == {
        (campaign, MemberState.PENDING): 3,
        (campaign, MemberState.DIALING): 2,
    }
    assert now.open_calls == {campaign: 2}
    assert now.waits == {(campaign, WaitReason.NEXT): 3, (campaign, WaitReason.IN_CALL): 2}
    assert (now.doubtful, now.unfolded) == (1, 0)
    assert now.numbers == [
        gauges.NumberGauge(NumberId(1), active=True, spam_score=2.5, calls_today=2)
    ]
    assert now.backup_at == NOW - 3
    assert (now.data_bytes, now.log_bytes) == (4096, None)


async def test_a_database_knows_its_size(store: str, database: AnyDatabase) -> None:
    data_bytes, log_bytes = await database.sizes()

    assert data_bytes > 0
    assert (log_bytes is None) is store.startswith("postgres")


# -- said once -------------------------------------------------------------------------------------


async def test_a_campaign_that_cannot_be_read_is_said_once_for_each_change(daemon: Daemon) -> None:
    await given_campaign(
        daemon.database, now=NOW, contacts=1, schedule_body='{"zone": "UTC", "weekly": {}}'
    )
    book = daemon.claimer.plans

    async def told(body: str, *, revised: bool = False) -> int:
        async with daemon.database.write() as tx:
            await write(tx, "UPDATE schedules SET body = ?1", [(body,)])
            if revised:
                await write(tx, "UPDATE campaigns SET revision = revision + ?1", [(1,)])
        with capture_logs() as logs:
            for _ in range(3):
                async with daemon.database.read() as tx:
                    await book.active(tx)
        return len([entry for entry in logs if entry["event"] == "campaign.unreadable"])

    assert await told('{"zone": "UTC"}') == 1
    assert await told('{"zone": "UTC"}') == 0
    assert await told('{"zone": "UTC"}', revised=True) == 1
    assert await told('{"zone": "UTC", "weekly": {}}', revised=True) == 0
    assert await told('{"zone": "UTC"}', revised=True) == 1


async def test_nobody_is_named_in_what_is_counted(daemon: Daemon, notes: Notes) -> None:
    claim = await given_placed(daemon)
    await tell(daemon, status(claim, S.BUSY, NOW + SECOND))

    told: list[Any] = [*notes.ends, *notes.asked]
    assert str(FIRST_PHONE)[:8] not in repr(told)
    assert len(await rows(daemon.database, "SELECT id FROM attempts")) == len(notes.ends)
