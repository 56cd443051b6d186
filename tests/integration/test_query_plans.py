"""Plans that stay flat: hot queries are answered from their index however many people there are."""

import asyncio
import json
import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import asyncpg
import pytest

from dialer.store.queries import Query, load
from tests.integration.conftest import migrated
from tests.support import postgres
from tests.support.engine import DAY, NOW

PEOPLE: Final = 24_000
LATER: Final = NOW + DAY

#: Nine in ten wait at the highest priority for a time far ahead; most of the others are done.
#: Every attempt but two hundred is over, and nearly all news is folded.
LARGE: Final = f"""
CREATE TABLE many AS
  WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {PEOPLE})
  SELECT i, '+1202' || (5550000 + i) AS phone FROM n;

INSERT INTO agents (name, kind, target, created_at) VALUES ('Ann', 'message', 'Hi', 0);
INSERT INTO numbers (phone, zone, created_at) VALUES ('+13105550001', 'UTC', 0);
INSERT INTO campaigns (name, status, agent_id, strategy, spam_threshold, max_calls_per_day,
                       stay_on_number, call_interval_ms, max_concurrent, ring_timeout_s, amd,
                       on_machine, max_retries, retry_intervals_s, completion_timeout_s,
                       created_at)
VALUES ('Renewals', 'active', 1, 'round_robin', 7, 100, 1, 0, 10, 30, 'carrier', 'hang_up', 2,
        '[3600]', 0, 0);
INSERT INTO daemons (name, started_at, lease_until) VALUES ('one', 0, 0);

INSERT INTO contacts (id, phone, created_at, changed_at) SELECT i, phone, 0, 0 FROM many;

INSERT INTO members (id, campaign_id, contact_id, state, priority, next_at, attempts, attempt_id,
                     created_at, changed_at)
SELECT i, 1, i,
       CASE WHEN i % 10 > 0 THEN 'retry' WHEN i % 300 = 0 THEN 'pending'
            WHEN i % 70 = 0 THEN 'called' ELSE 'completed' END,
       CASE WHEN i % 10 > 0 THEN 0 ELSE 1 END,
       CASE WHEN i % 10 > 0 THEN {LATER} + i WHEN i % 140 = 70 THEN {LATER} ELSE {NOW} - i END,
       1, 'old' || i, 0, 0
  FROM many;

INSERT INTO attempts (id, member_id, campaign_id, number_id, owner, phone, state, day, intent_at,
                      send_at, check_at, sid, outcome, closed_at)
SELECT 'old' || i, i, 1, 1, 1, phone, 'ended', '2026-01-04', {NOW} - i, {NOW} - i, {NOW} - i,
       'CA' || i, 'no_answer', {NOW}
  FROM many;

INSERT INTO attempts (id, member_id, campaign_id, number_id, owner, phone, state, day, intent_at,
                      send_at, check_at, sid)
SELECT 'new' || i, i, 1, 1, 1, phone, 'placed', '2026-01-05', {NOW}, {NOW}, {NOW} + i * 1000,
       'CB' || i
  FROM many
 WHERE i <= 200;

INSERT INTO call_events (attempt_id, sid, source, status, received_at, news, folded_at, verdict)
SELECT 'old' || i, 'CA' || i, 'status', 'ringing', 0, 'r', CASE WHEN i % 1000 > 0 THEN 1 END,
       'folded'
  FROM many;

INSERT INTO call_events (attempt_id, sid, source, status, received_at, news, folded_at, verdict)
SELECT 'old' || i, 'CA' || i, 'status', 'no-answer', 0, 'n', 1, 'folded'
  FROM many;

DROP TABLE many;
ANALYZE;
"""

IDS: Final = json.dumps([f"new{i}" for i in range(1, 40)])
PHONES: Final = json.dumps([f"+1202555{i:04}" for i in range(1, 40)])
DUE: Final = {"campaign_id": 1, "window_key": "", "now": NOW, "limit": 10}
#: What is asked, and the index (or the table, for its key) from which it is answered.
HOT: Final[Sequence[tuple[str, Mapping[str, Any], str]]] = (
    ("claim_due", DUE | {"priority": 0}, "members_due"),
    ("claim_due", DUE | {"priority": 1}, "members_due"),
    ("claim_queues", {"campaign_id": 1}, "members_due"),
    ("recent_calls", {"contact_ids": "[1, 2, 3]", "since_at": 0}, "attempts_by_member"),
    ("outcomes_due", {"now": NOW, "limit": 200}, "members_called"),
    ("next_outcome_due", {}, "members_called"),
    ("live_calls", {}, "attempts_open"),
    ("attempts_to_check", {"now": NOW + 9_000, "owner": 1, "limit": 200}, "attempts_open"),
    ("load_attempts", {"ids": IDS}, "attempts"),
    ("sendable", {"ids": IDS, "owner": 1}, "attempts"),
    ("pre_dial_questions", {"ids": IDS}, "attempts"),
    ("listed_callers", {"phone": "+12025550101"}, "attempts_by_member"),
    ("inbox_of", {"ids": IDS}, "call_events"),
    ("known_sids", {"phone": "+12025550101"}, "attempts_by_member"),
    ("unfolded_events", {"limit": 1_000_000}, "call_events_unfolded"),
    ("unfolded_count", {}, "call_events_unfolded"),
    ("open_attempts", {}, "attempts_open"),
    ("doubtful_attempts", {}, "attempts_open"),
    (
        "newest_calls",
        {"campaign_id": 1, "after_id": "", "among": 20_000, "limit": 60},
        "attempts",
    ),
    ("watch_started", {"campaign_id": 1, "since_id": "old9998"}, "attempts"),
    (
        "watch_slots",
        {"campaign_id": 1, "since_id": "old9998", "slot_ms": 300_000},
        "attempts",
    ),
    ("watch_pulse", {"now": NOW}, "call_events_unfolded"),
)
#: PostgreSQL may walk here as long as it knows that nearly every member would do.
SQLITE_ALONE: Final[Sequence[tuple[str, Mapping[str, Any], str]]] = (
    # Of a table as small as this one, PostgreSQL reads all of it for a list of people.
    ("members_elsewhere", {"phones": PHONES, "campaign_id": 2}, "members_by_contact"),
    ("not_to_be_called", {"phones": PHONES, "campaign_id": 1}, "dnc_once"),
    ("unfinished_member", {"campaign_id": 1}, "members_by_state"),
    ("member_counts", {}, "members_by_state"),
    ("watch_members", {"campaign_id": 1}, "members_by_state"),
    ("member_counts", {}, "members_by_state"),
)
BIG_TABLES: Final = "members|attempts|call_events|contacts"


@pytest.fixture(scope="module")
def large_file(sqlite_template: bytes, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with many people, whose statistics are known."""
    path = tmp_path_factory.mktemp("large") / "dialer.db"
    path.write_bytes(sqlite_template)
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(LARGE)
    return path


@pytest.mark.parametrize(("name", "params", "index"), [*HOT, *SQLITE_ALONE])
def test_sqlite_answers_a_hot_query_from_its_index(
    large_file: Path, name: str, params: Mapping[str, Any], index: str
) -> None:
    query = load("sqlite")[name]
    with closing(sqlite3.connect(large_file)) as connection:
        lines = connection.execute(f"EXPLAIN QUERY PLAN {query.text}", query.bound(params))
        plan = [line[3] for line in lines]

    by_index = rf"INDEX (sqlite_autoindex_{index}_\d+|{index})\b|USING PRIMARY KEY"
    assert any(re.search(by_index, line) for line in plan), plan
    walks = [line for line in plan if re.match(rf"SCAN (m|a|{BIG_TABLES})\b", line)]
    assert [line for line in walks if f"INDEX {index}" not in line] == []


@pytest.mark.parametrize("priority", [0, 1, 2])
def test_sqlite_walks_over_nobody_who_is_not_due(large_file: Path, priority: int) -> None:
    query = load("sqlite")["claim_due"]
    with closing(sqlite3.connect(large_file)) as connection:
        params = query.bound(DUE | {"priority": priority})
        plan = [line[3] for line in connection.execute(f"EXPLAIN QUERY PLAN {query.text}", params)]
        steps: list[int] = []
        connection.set_progress_handler(lambda: steps.append(1), 100)
        found = connection.execute(query.text, params).fetchall()

    bounds = "(campaign_id=? AND window_key=? AND priority=? AND next_at<?)"
    assert f"SEARCH m USING INDEX members_due {bounds}" in plan
    assert not any("TEMP B-TREE" in line for line in plan), plan
    assert len(found) == (10 if priority == 1 else 0)
    assert len(steps) < 20, "some thousand steps of SQLite's machine are more than ten members take"


@pytest.fixture(scope="module")
def large_postgres(postgres_databases: postgres.Databases) -> Iterator[str]:
    """A PostgreSQL database with many people, whose statistics are known."""

    async def fill(dsn: str) -> None:
        connection = await asyncpg.connect(dsn)
        try:
            await connection.execute(LARGE)
        finally:
            await connection.close()

    with postgres_databases.fresh(migrated) as dsn:
        asyncio.run(fill(dsn))
        yield dsn


@pytest.mark.parametrize("generic", [False, True])
async def test_postgres_answers_hot_queries_from_their_indexes(
    large_postgres: str, generic: bool
) -> None:
    for name, params, index in HOT:
        plan = await explained(large_postgres, load("postgres")[name], params, generic=generic)

        assert re.search(rf"(using|on) {index}\b|using {index}_pkey", plan), plan
        assert not re.search(rf"Seq Scan on ({BIG_TABLES})", plan), plan


@pytest.mark.parametrize("generic", [False, True])
@pytest.mark.parametrize("priority", [0, 1])
async def test_postgres_walks_over_nobody_who_is_not_due(
    large_postgres: str, priority: int, generic: bool
) -> None:
    params = DUE | {"priority": priority}

    plan = await explained(
        large_postgres, load("postgres")["claim_due"], params, generic=generic, analyze=True
    )

    (bounds,) = re.findall(r"using members_due on members m.*\n +Index Cond: (.*)", plan)
    for column in ("campaign_id", "window_key", "priority", "next_at"):
        assert column in bounds
    assert "Sort" not in plan
    assert all(int(rows) <= 100 for rows in re.findall(r"Rows Removed by Filter: (\d+)", plan))


async def explained(
    dsn: str, query: Query, params: Mapping[str, Any], *, generic: bool, analyze: bool = False
) -> str:
    """The plan for these values, or the one for any, which a statement often used may get."""
    values = ", ".join(quoted(value) for value in query.bound(params))
    connection = await asyncpg.connect(dsn)
    try:
        mode = "force_generic_plan" if generic else "force_custom_plan"
        await connection.execute(f"SET plan_cache_mode = {mode}")
        await connection.execute(f"PREPARE asked AS {query.text}")
        explain = "EXPLAIN (ANALYZE, TIMING OFF)" if analyze else "EXPLAIN"
        execute = f"EXECUTE asked({values})" if values else "EXECUTE asked"
        return "\n".join(row[0] for row in await connection.fetch(f"{explain} {execute}"))
    finally:
        await connection.close()


def quoted(value: object) -> str:
    return str(value) if isinstance(value, int) else f"'{value}'"
