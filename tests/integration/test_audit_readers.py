"""The database's side of the evidence, on both databases, beside whoever is writing."""

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import fields
from pathlib import Path

import pytest

from dialer.audit import postgres, sqlite
from dialer.audit.evidence import Evidence
from dialer.audit.records import Attempt, Daemon, Member, Number, NumberDay, Schedule
from dialer.audit.tables import FOREVER, STATEMENTS
from dialer.errors import NotFoundError, StoreError, UnreachableError
from dialer.model import CarrierStatus
from dialer.store.opening import AnyDatabase
from tests.support.engine import HOUR, MINUTE, NOW, SECOND, daemon_on, sid, status
from tests.support.given import FIRST_NUMBER, FIRST_PHONE, given_campaign

BODY = '{"zone": "UTC", "weekly": {"mon": ["09:00-17:00"]}}'
LIVES = 3600 * SECOND


async def read(store: str, since_at: int = 0, until_at: int = FOREVER) -> Evidence:
    if "://" in store:
        return await postgres.read(store, since_at, until_at)
    return await asyncio.to_thread(sqlite.read, Path(store), since_at, until_at)


async def given_calls(database: AnyDatabase, store: str) -> None:
    """A call that was over at once, an attempt made an hour later, and a member who waits."""
    campaign = await given_campaign(
        database,
        now=NOW,
        contacts=3,
        schedule_body=BODY,
        call_interval_s=0,
        completion_timeout_s=0,
    )
    async with daemon_on(store, database) as daemon:
        (first,) = await daemon.claimer.take(campaign, limit=1)
        ended = status(first, CarrierStatus.COMPLETED, NOW + MINUTE, duration_s=30, sip_code=200)
        await daemon.engine.calls.receive(ended)
        daemon.clock.pass_s(3600)
        await daemon.claimer.take(campaign, limit=1)


async def test_every_table_is_read_as_it_is(database: AnyDatabase, store: str) -> None:
    await given_calls(database, store)

    found = await read(store)

    caller = f"+{FIRST_NUMBER + 1}"
    assert [(a.state, a.sid, a.closed_at is None) for a in by_intent(found)] == [
        ("ended", sid(1), False),
        ("intent", None, True),
    ]
    one, other = by_intent(found)
    assert (one.phone, one.day, one.intent_at) == (f"+{FIRST_PHONE + 1}", "2026-01-05", NOW)
    assert sorted(found.members, key=lambda each: each.id) == [
        Member(1, 1, f"+{FIRST_PHONE + 1}", "completed", 1, one.id),
        Member(2, 1, f"+{FIRST_PHONE + 2}", "dialing", 0, other.id),
        Member(3, 1, f"+{FIRST_PHONE + 3}", "pending", 0, None),
    ]
    (campaign,) = found.campaigns
    assert (campaign.name, campaign.status, campaign.schedule_id) == ("Renewals", "active", 1)
    assert found.numbers == [Number(1, caller, "UTC", None, None, None, None, 2)]
    assert found.number_days == [NumberDay(1, "2026-01-05", 2)]
    assert found.schedules == [Schedule(1, "Renewals", BODY)]
    (news,) = found.news
    assert (news.attempt_id, news.status, news.duration_s) == (one.id, "completed", 30)
    assert news.verdict == "folded"
    assert found.daemons == [Daemon(1, NOW, NOW + LIVES, None)]


async def test_a_period_has_its_attempts_what_belongs_to_them_and_all_that_is_open(
    database: AnyDatabase, store: str
) -> None:
    await given_calls(database, store)

    first = await read(store, NOW, NOW + 1)
    later = await read(store, NOW + 1, NOW + HOUR)

    assert [each.state for each in by_intent(first)] == ["ended", "intent"]
    assert [each.state for each in later.attempts] == ["intent"]
    assert (sorted(each.id for each in first.members), len(first.news)) == ([1, 2], 1)
    assert ([each.id for each in later.members], len(later.news)) == ([2], 0)
    assert len(later.numbers) == len(later.campaigns) == 1


async def test_an_audit_reads_beside_a_writer_and_sees_one_moment(
    database: AnyDatabase, store: str
) -> None:
    await given_calls(database, store)

    async with database.write() as tx:
        await tx.run("bump_revision")
        found = await read(store)

    assert len(found.attempts) == 2


def by_intent(found: Evidence) -> list[Attempt]:
    return sorted(found.attempts, key=lambda each: each.intent_at)


def test_every_column_asked_for_has_its_field() -> None:
    for record, statement in STATEMENTS.values():
        columns = statement.partition("SELECT")[2].partition("FROM")[0].split(",")
        asked = [column.rpartition(".")[2].strip() for column in columns]
        assert asked == [field.name for field in fields(record)]


# -- what cannot be read --------------------------------------------------------------------------


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="there is no database"):
        sqlite.read(tmp_path / "none.db")

    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "people.db").write_text("name,phone\n" * 100)

    with pytest.raises(StoreError, match=r"people\.db cannot be audited"):
        sqlite.read(tmp_path / "people.db")


def test_a_path_with_marks_of_an_address_is_read(tmp_path: Path, sqlite_template: bytes) -> None:
    path = tmp_path / "50% off? #1.db"
    path.write_bytes(sqlite_template)

    assert sqlite.read(path).attempts == []


def test_reading_changes_nothing(tmp_path: Path, sqlite_template: bytes) -> None:
    path = tmp_path / "dialer.db"
    path.write_bytes(sqlite_template)
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = path.read_bytes()

    sqlite.read(path)

    assert path.read_bytes() == before


async def test_a_server_that_does_not_answer_is_named() -> None:
    with pytest.raises(UnreachableError, match="PostgreSQL cannot be reached"):
        await postgres.read("postgresql://nobody@127.0.0.1:1/none")


async def test_a_database_without_our_tables_is_named(postgres_dsn: str) -> None:
    with pytest.raises(StoreError, match="cannot be audited"):
        await postgres.read(postgres_dsn)
