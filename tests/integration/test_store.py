"""The store: every query on both databases, plans that stay flat, migrations, locks, refusals."""

import ast
import asyncio
import os
import random
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import aiosqlite
import asyncpg
import pytest

from dialer.batching import Batcher
from dialer.errors import (
    MAKE_ROOM,
    DialerError,
    NotFoundError,
    SchemaError,
    StoreBusyError,
    StoreError,
    UnreachableError,
    WrongStateError,
)
from dialer.ports import Tx
from dialer.states import WAITING_MEMBER_STATES, MemberState
from dialer.store import migrate
from dialer.store.checks import CHECKS
from dialer.store.exclusive import sole_daemon
from dialer.store.opening import SCHEMA, AnyDatabase, opened
from dialer.store.queries import Query, load
from dialer.store.sqlite import SqliteDatabase
from tests.support.cli import Cli
from tests.support.engine import NOW, rows, running
from tests.support.given import given_campaign, write

ROOT: Final = Path(__file__).parents[2]
SQL: Final = ROOT / "dialer" / "store" / "sql"
#: How a query's name ends in its file, and the verb of a transaction that fits it.
VERBS: Final = {"": "rows", "^": "row", "$": "value", "!": "run", "*!": "many"}


def opening(store: str, *, busy_timeout_s: float = 5, create: bool = True) -> Any:
    return opened(store, random.Random(1), busy_timeout_s=busy_timeout_s, create=create)


# -- the named queries ---------------------------------------------------------------------------


def declared(folder: Path) -> dict[str, str]:
    """The verb of each query of the files in a folder."""
    found: dict[str, str] = {}
    for file in sorted(folder.glob("*.sql")):
        for name, mark in re.findall(r"^-- name: (\w+)(\S*)$", file.read_text(), re.MULTILINE):
            assert name not in found, f"{name} is there twice"
            found[name] = VERBS[mark]
    return found


def asked_for() -> Iterator[tuple[str, str, str]]:
    """Each query that the code names itself, the verb it does so by, and where."""
    for file in sorted((ROOT / "dialer").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            match node:
                case ast.Call(
                    func=ast.Attribute(attr=verb), args=[ast.Constant(value=str(name)), *_]
                ) if verb in VERBS.values() and re.fullmatch(r"[a-z]+(_[a-z]+)*", name):
                    yield name, verb, f"{file.relative_to(ROOT)}:{node.lineno}"


def test_every_query_the_code_names_is_there_and_asked_in_its_own_way() -> None:
    known = declared(SQL)

    wrong = [f"{where}: {verb}({name!r})" for name, verb, where in asked_for()
             if known.get(name) != verb]  # fmt: skip

    assert wrong == []


def test_every_query_is_of_use() -> None:
    texts = "\n".join(file.read_text() for file in (ROOT / "dialer").rglob("*.py"))
    used = {name for name, _, _ in asked_for()} | set(CHECKS)

    idle = {name for name in declared(SQL) if name not in used and f'"{name}"' not in texts}

    assert idle == set()


def test_what_one_database_says_otherwise_is_the_same_question() -> None:
    common, particular = load("sqlite"), load("postgres")

    for name, verb in declared(SQL / "postgres").items():
        assert declared(SQL)[name] == verb
        assert set(particular[name].names) == set(common[name].names), name
    assert particular.keys() == common.keys()


def test_a_name_is_given_once(tmp_path: Path) -> None:
    for file in ("one.sql", "two.sql"):
        (tmp_path / file).write_text("-- name: twice$\nSELECT 1;\n")

    with pytest.raises(ValueError, match=r"'twice' is defined twice, again in two\.sql"):
        load("sqlite", tmp_path)


def test_parameters_are_numbered_in_the_order_they_first_appear(tmp_path: Path) -> None:
    (tmp_path / "some.sql").write_text(
        "-- name: some\nSELECT :b, ':no', :a::text FROM t WHERE x = :b;\n"
    )

    query = load("postgres", tmp_path)["some"]

    assert query.text.startswith("SELECT $1, ':no', $2::text FROM t WHERE x = $1")
    assert query.bound({"a": 1, "b": 2}) == (2, 1)


def test_parameters_may_be_mappings_or_named_tuples_in_any_order() -> None:
    class InOrder(NamedTuple):
        b: int
        a: int

    class Otherwise(NamedTuple):
        a: int
        b: int

    query = Query("SELECT ?1, ?2", ("b", "a"))

    for given in ({"a": 1, "b": 2}, InOrder(2, 1), Otherwise(1, 2)):
        assert [*query.tuples([given, given])] == [(2, 1), (2, 1)]


def test_sqlite_understands_every_query(sqlite_template: bytes, tmp_path: Path) -> None:
    path = tmp_path / "dialer.db"
    path.write_bytes(sqlite_template)

    with closing(sqlite3.connect(path)) as connection:
        for name, query in load("sqlite").items():
            try:
                connection.execute(f"EXPLAIN {query.text}", (None,) * len(query.names))
            except sqlite3.Error as error:
                pytest.fail(f"{name}: {error}")


async def test_postgres_understands_every_query(postgres_store: str) -> None:
    connection = await asyncpg.connect(postgres_store)
    try:
        for name, query in load("postgres").items():
            try:
                prepared = await connection.prepare(query.text)
            except asyncpg.PostgresError as error:
                pytest.fail(f"{name}: {error}")
            assert len(prepared.get_parameters()) == len(query.names), name
    finally:
        await connection.close()


# -- the schema ----------------------------------------------------------------------------------


def test_the_release_opens_what_its_newest_migration_leaves() -> None:
    assert migrate.head() == SCHEMA


def test_the_indexes_of_those_who_wait_hold_exactly_them(
    sqlite_template: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "dialer.db"
    path.write_bytes(sqlite_template)
    with closing(sqlite3.connect(path)) as connection:
        partial = dict(
            connection.execute(
                "SELECT name, substr(sql, instr(sql, 'WHERE')) FROM sqlite_master"
                " WHERE type = 'index' AND instr(sql, 'WHERE')"
            ).fetchall()
        )

    assert set(re.findall(r"'(\w+)'", partial["members_due"])) == WAITING_MEMBER_STATES
    assert re.findall(r"'(\w+)'", partial["members_called"]) == [MemberState.CALLED]
    assert partial["attempts_open"] == "WHERE closed_at IS NULL"
    assert partial["call_events_unfolded"] == "WHERE folded_at IS NULL"


MEMBER: Final = (
    "INSERT INTO members (campaign_id, contact_id, state, priority, next_at, created_at,"
    " changed_at) VALUES (?1, ?2, 'pending', 1, 0, 0, 0)"
)


@pytest.mark.parametrize(
    ("statement", "values"),
    [
        ("UPDATE members SET state = ?1", ["dreaming"]),
        ("UPDATE members SET last_outcome = ?1", ["dreaming"]),
        ("UPDATE campaigns SET status = ?1", ["dreaming"]),
        ("UPDATE campaigns SET strategy = ?1", ["dreaming"]),
        ("UPDATE campaigns SET amd = ?1", ["dreaming"]),
        ("UPDATE campaigns SET on_machine = ?1", ["dreaming"]),
        ("UPDATE agents SET kind = ?1", ["dreaming"]),
        (MEMBER, [1, 1]),  # twice in one campaign
        (MEMBER, [99, 1]),  # in none
    ],
)
async def test_the_schema_refuses_what_cannot_be_and_keeps_nothing_of_its_transaction(
    database: AnyDatabase, statement: str, values: Sequence[Any]
) -> None:
    await given_campaign(database, now=NOW, contacts=1)

    async def dream() -> None:
        async with database.write() as tx:
            await tx.run("bump_revision")
            await write(tx, statement, [values])

    with pytest.raises(StoreError) as caught:
        await dream()

    assert isinstance(caught.value.__cause__, sqlite3.IntegrityError | asyncpg.PostgresError)
    assert await rows(database, "SELECT revision FROM control") == [(2,)]


@pytest.fixture(params=["sqlite", "postgres"])
def empty_store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The name of a database without tables."""
    if request.param == "sqlite":
        return str(tmp_path / "dialer.db")
    return str(request.getfixturevalue("postgres_dsn"))


async def test_an_empty_database_is_given_its_schema_on_first_use(empty_store: str) -> None:
    async with opening(empty_store) as database:
        assert await database.schema_revision() == SCHEMA
        assert await rows(database, "SELECT id, revision FROM control") == [(1, 0)]
        assert await rows(database, "SELECT name, next_slot_us FROM lanes") == [("account", 0)]


async def test_a_database_is_not_made_where_one_is_expected(empty_store: str) -> None:
    for _ in range(2):  # nothing is made by the first try either
        with pytest.raises(NotFoundError, match="there is no database"):
            async with opening(empty_store, create=False):
                pass


async def test_data_of_the_first_release_survives_to_the_newest(empty_store: str) -> None:
    assert await migrate.upgrade(empty_store, to="0001") == (None, "0001")
    await execute(empty_store, FIRST_RELEASE)

    assert await migrate.upgrade(empty_store) == ("0001", SCHEMA)

    async with opening(empty_store) as database:
        kept = await rows(
            database,
            "SELECT c.phone, m.state, m.attempts, a.outcome, g.name, ca.status, c.place,"
            " m.window_key, a.window_key, ca.callee_calls_per_day FROM attempts a"
            " JOIN members m ON m.id = a.member_id JOIN contacts c ON c.id = m.contact_id"
            " JOIN campaigns ca ON ca.id = m.campaign_id JOIN agents g ON g.id = ca.agent_id",
        )
    place = "US-DC America/New_York"
    assert kept == [("+12025550101", "completed", 1, "human", "Ann", "active", place, place, "", 3)]


FIRST_RELEASE: Final = """
INSERT INTO agents (name, kind, target, created_at) VALUES ('Ann', 'message', 'Hi', 0);
INSERT INTO numbers (phone, zone, created_at) VALUES ('+13105550001', 'UTC', 0);
INSERT INTO campaigns (name, status, agent_id, strategy, spam_threshold, max_calls_per_day,
                       stay_on_number, call_interval_ms, max_concurrent, ring_timeout_s, amd,
                       on_machine, max_retries, retry_intervals_s, completion_timeout_s,
                       created_at)
VALUES ('Renewals', 'active', 1, 'round_robin', 7, 100, 1, 0, 10, 30, 'carrier', 'hang_up', 2,
        '[3600]', 0, 0);
INSERT INTO contacts (phone, created_at, changed_at) VALUES ('+12025550101', 0, 0);
INSERT INTO members (campaign_id, contact_id, state, priority, next_at, attempts, created_at,
                     changed_at)
VALUES (1, 1, 'completed', 1, 0, 1, 0, 0);
INSERT INTO daemons (name, started_at, lease_until) VALUES ('one', 0, 0);
INSERT INTO attempts (id, member_id, campaign_id, number_id, owner, phone, state, day, intent_at,
                      send_at, check_at, sid, outcome, closed_at)
VALUES ('a', 1, 1, 1, 1, '+12025550101', 'ended', '2026-01-05', 0, 0, 0, 'CA1', 'human', 1);
"""


async def execute(store: str, script: str) -> None:
    """Run statements as a stranger would."""
    if "://" not in store:
        with closing(sqlite3.connect(store)) as connection:
            connection.executescript(script)
        return
    server = await asyncpg.connect(store)
    try:
        await server.execute(script)
    finally:
        await server.close()


async def test_an_upgrade_of_what_is_up_to_date_changes_nothing(store: str) -> None:
    async with opening(store) as database:
        await given_campaign(database, now=NOW, contacts=1)

    assert await migrate.upgrade(store) == (SCHEMA, SCHEMA)

    async with opening(store) as database:
        assert await rows(database, "SELECT count(*) FROM members") == [(1,)]


async def test_two_processes_that_upgrade_at_once_both_succeed(empty_store: str) -> None:
    code = "import sys; from dialer.store.migrate import upgrade_blocking as up; up(sys.argv[1])"

    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", code, empty_store, cwd=ROOT, stderr=subprocess.PIPE
        )
        for _ in range(2)
    ]
    ends = [await process.communicate() for process in processes]

    assert [process.returncode for process in processes] == [0, 0], ends
    async with opening(empty_store, create=False) as database:
        assert await rows(database, "SELECT count(*) FROM lanes") == [(1,)]


@pytest.mark.parametrize("revision", ["9999", "0000"])
async def test_a_schema_of_another_release_is_neither_used_nor_touched(
    empty_store: str, revision: str
) -> None:
    await migrate.upgrade(empty_store)
    await execute(empty_store, f"UPDATE alembic_version SET version_num = '{revision}'")

    with pytest.raises(SchemaError, match=f"schema {revision}, this release needs {SCHEMA}"):
        async with opening(empty_store):
            pass
    with pytest.raises(SchemaError, match="which this release does not know"):
        await migrate.upgrade(empty_store)


async def test_an_upgrade_that_fails_leaves_the_database_as_it_was(
    empty_store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise ZeroDivisionError("the power went")

    with monkeypatch.context() as patched:
        patched.setattr("alembic.op.bulk_insert", interrupted)
        with pytest.raises(ZeroDivisionError):
            await migrate.upgrade(empty_store)

    assert await migrate.upgrade(empty_store) == (None, SCHEMA)


async def bump(database: AnyDatabase) -> None:
    """The smallest change there is."""
    async with database.write() as tx:
        await tx.run("bump_revision")


# -- transactions --------------------------------------------------------------------------------


async def test_what_is_not_committed_is_seen_by_nobody_else(database: AnyDatabase) -> None:
    async with database.write() as tx:
        await tx.run("bump_revision")
        async with database.read() as other:
            before = await other.value("revision")
        own = await tx.value("revision")
    async with database.read() as other:
        after = await other.value("revision")

    assert (before, own, after) == (0, 1, 1)


@pytest.mark.parametrize("error", [ZeroDivisionError, WrongStateError, asyncio.CancelledError])
async def test_a_transaction_that_raises_leaves_nothing(
    database: AnyDatabase, error: type[BaseException]
) -> None:
    async def fail() -> None:
        async with database.write() as tx:
            await tx.run("bump_revision")
            raise error("in the middle")

    with pytest.raises(error):
        await fail()

    assert await rows(database, "SELECT revision FROM control") == [(0,)]


async def test_writers_take_turns(database: AnyDatabase) -> None:
    async def count() -> None:
        async with database.write() as tx:
            await tx.value("account_lane")
            revision = await tx.value("revision")
            await asyncio.sleep(0)
            await write(tx, "UPDATE control SET revision = ?1", [(revision + 1,)])

    async with asyncio.TaskGroup() as group:
        for _ in range(20):
            group.create_task(count())

    assert await rows(database, "SELECT revision FROM control") == [(20,)]


@pytest.mark.parametrize("turns", range(12))
async def test_a_writer_that_is_cancelled_at_any_moment_leaves_the_database_usable(
    database: AnyDatabase, turns: int
) -> None:
    async with asyncio.TaskGroup() as group:
        cancelled = group.create_task(bump(database))
        for _ in range(turns):
            await asyncio.sleep(0)
        cancelled.cancel()
    ((committed,),) = await rows(database, "SELECT revision FROM control")
    await bump(database)

    assert committed in {0, 1}
    assert await rows(database, "SELECT revision FROM control") == [(committed + 1,)]


async def test_a_batch_with_a_poisonous_submission_keeps_the_others(
    database: AnyDatabase,
) -> None:
    async def count(tx: Tx, ops: Sequence[str]) -> list[int]:
        for _ in ops:
            await tx.run("bump_revision")
        if "poison" in ops:
            await write(tx, "UPDATE control SET revision = NULL WHERE id = ?1", [(1,)])
        return [await tx.value("revision")] * len(ops)

    batcher = Batcher(database)
    async with running(batcher.run):
        answers = await asyncio.gather(
            batcher.apply(count, ["a"]),
            batcher.apply(count, ["b", "poison"]),
            batcher.apply(count, ["c"]),
            return_exceptions=True,
        )

    assert [answers[0], answers[2]] == [[1], [2]]
    assert isinstance(answers[1], StoreError)
    assert await rows(database, "SELECT revision FROM control") == [(2,)]


async def test_upkeep_may_run_at_any_time(database: AnyDatabase) -> None:
    await given_campaign(database, now=NOW, contacts=3)

    await database.maintain()

    assert await rows(database, "SELECT count(*) FROM members") == [(3,)]


# -- SQLite --------------------------------------------------------------------------------------


@pytest.fixture
def file(sqlite_template: bytes, tmp_path: Path) -> Path:
    """A migrated SQLite file."""
    path = tmp_path / "dialer.db"
    path.write_bytes(sqlite_template)
    return path


async def test_every_commit_is_durable_when_it_returns(file: Path) -> None:
    async with opening(str(file)) as database:
        assert isinstance(database, SqliteDatabase)
        for transaction in (database.write, database.read):
            async with transaction() as tx:
                connection: Any = tx._connection
                assert await pragma(connection, "journal_mode") == "wal"
                assert await pragma(connection, "synchronous") == 2  # FULL
                assert await pragma(connection, "foreign_keys") == 1


async def pragma(connection: Any, name: str) -> Any:
    ((value,),) = await connection.execute_fetchall(f"PRAGMA {name}")
    return value


async def test_a_reader_cannot_write(file: Path) -> None:
    async with opening(str(file)) as database, database.read() as tx:
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            await tx.run("bump_revision")


async def test_a_file_that_stays_locked_is_given_up_after_a_while(file: Path) -> None:
    async with opening(str(file), busy_timeout_s=0.05) as database:
        with closing(sqlite3.connect(file, isolation_level=None)) as shell:
            shell.execute("BEGIN IMMEDIATE")

            with pytest.raises(StoreBusyError, match=r"stayed locked for 0\.05 s"):
                await bump(database)
            async with database.read() as tx:  # readers are never in anybody's way
                assert await tx.value("revision") == 0

        await bump(database)


async def test_a_lock_that_is_let_go_in_time_is_waited_for(file: Path) -> None:
    async with opening(str(file), busy_timeout_s=5) as database:
        with closing(sqlite3.connect(file, isolation_level=None)) as shell:
            shell.execute("BEGIN IMMEDIATE")
            async with asyncio.TaskGroup() as group:
                waiting = group.create_task(bump(database))
                await asyncio.sleep(0.02)
                assert not waiting.done()
                shell.execute("ROLLBACK")

        assert await rows(database, "SELECT revision FROM control") == [(1,)]


async def test_a_file_that_is_no_database_is_refused_with_its_name(tmp_path: Path) -> None:
    path = tmp_path / "letter.txt"
    path.write_text("Dear customer, " * 100)

    with pytest.raises(StoreError, match=r"letter\.txt: file is not a database"):
        async with opening(str(path)):
            pass


async def test_a_full_disk_says_what_to_do(file: Path) -> None:
    def with_no_page_more() -> sqlite3.Connection:
        connection = sqlite3.connect(file, isolation_level=None)
        connection.execute("PRAGMA max_page_count=1")  # as many as there are, if there are more
        return connection

    def connect(_path: Path) -> aiosqlite.Connection:
        return aiosqlite.Connection(with_no_page_more, 64)

    async with SqliteDatabase(file, random.Random(1), busy_timeout_s=1, connect=connect) as full:
        with pytest.raises(StoreError, match="disk is full") as refused:
            async with full.write() as tx:
                await tx.run("add_daemon", name="x" * 200_000, now=1, lease_until=1)

    assert refused.value.next_step == MAKE_ROOM


async def test_a_full_disk_of_the_server_says_what_to_do(postgres_store: str) -> None:
    async with opened(postgres_store, random.Random(1), busy_timeout_s=1) as database:
        with pytest.raises(StoreError, match="No space left") as refused:
            async with database.read():
                raise asyncpg.DiskFullError("could not extend file: No space left on device")

    assert refused.value.next_step == MAKE_ROOM


def test_a_file_that_is_no_database_is_told_from_one_that_is_not_named(tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text("name,phone\n" * 100)
    dialer = Cli(tmp_path)

    for words in (("status",), ("campaign", "list"), ("db", "status"), ("doctor", "database")):
        done = dialer.here("-d", "people.csv", *words)
        assert done.code == 1
        assert "check --database and DIALER_DATABASE" in done.out + done.err, words


async def test_a_place_that_cannot_hold_a_database_is_refused_with_its_name(
    tmp_path: Path,
) -> None:
    (tmp_path / "file").write_text("")

    for path in (tmp_path / "file" / "dialer.db", tmp_path):
        with pytest.raises(DialerError) as caught:
            async with opening(str(path)):
                pass
        assert "locked" not in caught.value.message
        assert caught.value.next_step


@contextmanager
def as_nobody() -> Iterator[None]:
    """Without the rights of root, whom no file mode stops."""
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def protected(sqlite_template: bytes) -> Iterator[Path]:
    """A folder with a database in which nobody may write; outside of pytest's, to be reached."""
    folder = Path(tempfile.mkdtemp(prefix="dialer-test-"))
    path = folder / "dialer.db"
    path.write_bytes(sqlite_template)
    path.chmod(0o444)
    folder.chmod(0o555)
    try:
        yield path
    finally:
        folder.chmod(0o755)
        shutil.rmtree(folder)


async def test_a_file_nobody_may_write_is_refused_and_not_called_locked(protected: Path) -> None:
    with as_nobody(), pytest.raises(DialerError) as caught:
        async with opening(str(protected)) as database, database.write() as tx:
            await tx.run("bump_revision")

    assert not isinstance(caught.value, StoreBusyError)
    assert str(protected) in caught.value.message


async def test_a_folder_nobody_may_write_is_refused_and_not_called_locked(
    protected: Path,
) -> None:
    missing = protected.with_name("other.db")

    with as_nobody(), pytest.raises(DialerError) as caught:
        async with opening(str(missing)):
            pass

    assert not isinstance(caught.value, StoreBusyError)
    assert str(missing) in caught.value.message
    assert caught.value.next_step


# -- one daemon per file -------------------------------------------------------------------------


def test_a_second_daemon_on_a_file_is_refused_and_told_who_has_it(file: Path) -> None:
    with (
        sole_daemon(file),
        pytest.raises(WrongStateError, match=f"process {os.getpid()}") as caught,
        sole_daemon(file),
    ):
        pass
    assert caught.value.next_step == f"stop it first: kill {os.getpid()}"

    with sole_daemon(file):
        pass


def test_a_file_has_one_daemon_under_all_its_names(file: Path, tmp_path: Path) -> None:
    other_name = tmp_path / "link.db"
    other_name.symlink_to(file)

    with sole_daemon(file), pytest.raises(WrongStateError), sole_daemon(other_name):
        pass


def test_a_daemon_that_was_killed_holds_nothing(file: Path) -> None:
    code = (
        "import sys, pathlib; from dialer.store.exclusive import sole_daemon\n"
        "with sole_daemon(pathlib.Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(file)]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        with pytest.raises(WrongStateError, match=f"process {process.pid}"), sole_daemon(file):
            pass
        process.kill()
        process.wait()

    with sole_daemon(file):
        pass


def test_what_a_dead_daemon_wrote_down_is_no_lock_and_a_lock_needs_no_note(file: Path) -> None:
    note = file.with_name(f"{file.name}.daemon")
    note.write_text("1 elsewhere\n")

    with sole_daemon(file):
        assert note.read_text() == f"{os.getpid()} {socket.gethostname()}\n"
        os.truncate(note, 0)  # as on a full disk
        with pytest.raises(WrongStateError, match="of unknown process"), sole_daemon(file):
            pass


def test_a_daemon_may_be_the_first_thing_in_a_new_folder(tmp_path: Path) -> None:
    with sole_daemon(tmp_path / "new" / "dialer.db"):
        pass


def test_a_daemon_that_cannot_hold_its_file_says_so(protected: Path) -> None:
    with as_nobody(), pytest.raises(UnreachableError, match="dialer-test-"), sole_daemon(protected):
        pass


# -- PostgreSQL ----------------------------------------------------------------------------------


async def test_a_server_that_is_not_there_is_named_without_a_password() -> None:
    dsn = "postgresql://dialer:sesame@127.0.0.1:1/dialer"

    with pytest.raises(UnreachableError, match="cannot be reached") as caught:
        async with opening(dsn):
            pass

    assert "sesame" not in caught.value.message


async def test_a_row_that_stays_locked_is_given_up_after_a_while(postgres_store: str) -> None:
    async def claim(database: AnyDatabase) -> None:
        async with database.write() as tx:
            await tx.value("account_lane")

    async with (
        opening(postgres_store, busy_timeout_s=0.05) as database,
        database.write() as holder,
    ):
        await holder.value("account_lane")
        with pytest.raises(StoreBusyError, match="locked by somebody else"):
            await claim(database)


async def test_a_connection_that_was_lost_is_a_trouble_of_the_store(postgres_dsn: str) -> None:
    async def end_itself(database: AnyDatabase) -> None:
        async with database.write() as tx:
            await write(tx, "SELECT pg_terminate_backend(pg_backend_pid())", [()])

    async with opening(postgres_dsn) as database:
        with pytest.raises(DialerError):
            await end_itself(database)
        await bump(database)

        assert await rows(database, "SELECT revision FROM control") == [(1,)]
