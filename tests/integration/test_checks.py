"""A contradiction in the store is found, named and told from the others."""

import asyncio
import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from dialer.ports import Database
from dialer.states import OPEN_ATTEMPT_STATES
from dialer.store.checks import CHECKS, CheckResult, check
from dialer.store.opening import opened
from dialer.store.queries import load
from tests.support.engine import NOW, SetClock, given_claimer
from tests.support.given import given_campaign, write

DAMAGES = {
    "dialing_without_attempt": "UPDATE members SET attempt_id = NULL WHERE id = 1",
    "attempts_nobody_follows": "UPDATE members SET state = 'retry' WHERE id = 1",
    "attempts_half_closed": "UPDATE attempts SET state = 'ended', sid = 'CA1' WHERE member_id = 1",
    "callees_called_twice": "UPDATE attempts SET phone = '+1'",
    "called_without_outcome": "UPDATE members SET state = 'called' WHERE id = 3",
    "waiting_in_ended_campaigns": "UPDATE campaigns SET status = 'cancelled'",
    "miscounted_number_days": "UPDATE number_days SET calls = calls + 1",
    "miscounted_number_totals": "UPDATE numbers SET calls_total = calls_total - 1",
}


async def given_calls(database: Database) -> None:
    """Two members being dialed, one waiting."""
    campaign_id = await given_campaign(database, now=NOW, contacts=3, call_interval_s=0)
    claimer = await given_claimer(database, SetClock(NOW))
    assert len(await claimer.take(campaign_id, limit=2)) == 2


async def failed(database: Database) -> dict[str, CheckResult]:
    return {each.name: each for each in await check(database) if not each.ok}


async def test_a_sound_store_has_no_faults(database: Database) -> None:
    assert await failed(database) == {}
    await given_calls(database)

    assert await failed(database) == {}


@pytest.mark.parametrize("name", DAMAGES)
async def test_a_contradiction_is_found(database: Database, name: str) -> None:
    await given_calls(database)
    async with database.write() as tx:
        await write(tx, DAMAGES[name], [()])

    found = await failed(database)

    assert name in found
    assert found[name].faults == len(found[name].examples) > 0


async def test_only_some_of_many_faults_are_named(database: Database) -> None:
    await given_campaign(database, now=NOW, contacts=20)
    async with database.write() as tx:
        await write(tx, "UPDATE campaigns SET status = 'completed'", [()])

    (found,) = (await failed(database)).values()

    assert (found.faults, len(found.examples)) == (20, 5)


async def test_an_attempt_given_back_does_not_count(database: Database) -> None:
    await given_calls(database)
    async with database.write() as tx:
        await write(
            tx,
            "UPDATE attempts SET state = 'released', closed_at = 1 WHERE member_id = ?1",
            [(1,)],
        )
        await write(tx, "UPDATE members SET state = 'pending' WHERE id = 1", [()])

    assert set(await failed(database)) == {"miscounted_number_days"}


async def test_a_broken_reference_is_found(tmp_path: Path, sqlite_template: bytes) -> None:
    path = tmp_path / "dialer.db"
    await asyncio.to_thread(path.write_bytes, sqlite_template)
    with closing(sqlite3.connect(path)) as connection:  # which checks no references
        connection.execute("INSERT INTO number_days (number_id, day, calls) VALUES (7, 'x', 0)")
        connection.commit()

    async with opened(str(path), random.Random(1), busy_timeout_s=5) as database:
        found = await failed(database)

    assert found["broken_references"].examples == ["number_days -> numbers"]


def test_the_literals_in_the_checks_are_those_of_the_tables() -> None:
    listed = ", ".join(f"'{state}'" for state in OPEN_ATTEMPT_STATES)
    queries = load("sqlite")

    for name in ("attempts_half_closed", "miscounted_number_days"):
        text = queries[name].text
        inside = text[text.index("state IN (") :].partition(")")[0]
        found = inside.removeprefix("state IN (").split(", ")
        assert sorted(found) == sorted(listed.split(", ")), name


def test_every_check_has_its_query() -> None:
    assert set(CHECKS) <= set(load("sqlite")) & set(load("postgres"))
