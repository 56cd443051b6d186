"""Taking lists out: all of it, of one moment, and nothing half."""

import asyncio
import json
import os
import random
import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from dialer import work
from dialer.erased import PhoneKey
from dialer.erasure import Wiped, erase
from dialer.errors import NotFoundError, StoreError, UsageError, WrongStateError
from dialer.exporting import exports, history, writers
from dialer.exporting.exports import Export, Exported, ExportOrder, Progress, What
from dialer.exporting.writers import Format
from dialer.model import CampaignId
from dialer.ports import Database, Tx
from dialer.states import MemberState
from dialer.store.opening import AnyDatabase, opened
from dialer.store.queries import load
from dialer.store.sqlite import SqliteDatabase
from tests.support.given import given_campaign, read, write

NOW = 1_772_442_000_000
MINUTE = 60_000
ANN, BOB, CARL = "+12025550001", "+12025550002", "+12025550003"


class TickingClock:
    """Shows a later time whenever it is looked at."""

    def __init__(self, step_ms: int = 1) -> None:
        self.at, self.step_ms = NOW, step_ms

    def now(self) -> int:
        self.at += self.step_ms
        return self.at


def order(path: Path, what: What = What.CONTACTS, **fields: Any) -> ExportOrder:
    return ExportOrder(what, path, fields.pop("format", Format.JSON), **fields)


async def exported(
    database: Database,
    wanted: ExportOrder,
    progress: Callable[[Progress], None] = lambda _: None,
    clock: TickingClock | None = None,
) -> Exported:
    return await Export(database, clock or TickingClock(), wanted).run(progress)


async def told(database: Database, path: Path, what: What = What.CONTACTS, **fields: Any) -> Any:
    """What an export to JSON says of contacts or calls."""
    await exported(database, order(path, what, **fields))
    return document(path)[what]


def document(path: Path) -> Any:
    return json.loads(path.read_bytes())


async def given_attempts(database: Database, *attempts: dict[str, Any]) -> None:
    """Attempts that are over, by the one campaign and number there is."""
    columns = list(attempt("", 0, 0, outcome=None, duration_s=None))
    marks = ", ".join(f"?{at}" for at in range(1, len(columns) + 1))
    async with database.write() as tx:
        await write(
            tx,
            "INSERT INTO daemons (id, name, started_at, lease_until) VALUES (?1, 'one', 0, 0)"
            " ON CONFLICT (id) DO NOTHING",
            [(1,)],
        )
        await write(
            tx,
            f"INSERT INTO attempts ({', '.join(columns)}, campaign_id, owner, state, day, send_at,"
            f" check_at) VALUES ({marks}, 1, 1, 'ended', '2026-03-02', 0, 0)",
            [[each.get(name) for name in columns] for each in attempts],
        )


def attempt(name: str, member_id: int, at: int, **fields: Any) -> dict[str, Any]:
    return {
        "id": name,
        "member_id": member_id,
        "phone": f"+{12025550000 + member_id}",
        "intent_at": at,
        "sid": f"CA{name}",
        "number_id": 1,
    } | fields


@pytest.fixture
async def campaign(database: AnyDatabase) -> CampaignId:
    """Ann, Bob and Carl, who are to be called by one of two numbers."""
    made = await given_campaign(database, now=NOW, contacts=3, numbers=2, start=False)
    async with database.write() as tx:
        await write(
            tx,
            "UPDATE contacts SET tags = ?2, variables = ?3, email = 'a@b.example' WHERE id = ?1",
            [(1, '["vip","north"]', '{"City":"Bonn"}'), (2, '["north"]', '{"tag":"x"}')],
        )
        await write(
            tx,
            "UPDATE members SET state = ?2, last_outcome = ?3, attempts = 2 WHERE contact_id = ?1",
            [(1, "completed", "human"), (2, "retry", "busy")],
        )
    return made


# -- what is told ---------------------------------------------------------------------------------


async def test_a_member_comes_with_what_came_of_it(
    database: AnyDatabase, campaign: CampaignId, tmp_path: Path
) -> None:
    await given_attempts(
        database,
        attempt("a1", 1, NOW, outcome="busy", number_id=2),
        attempt("a2", 1, NOW + MINUTE, outcome="human", duration_s=40),
        attempt("a3", 1, NOW + 2 * MINUTE, outcome="human", duration_s=21),
        attempt("a4", 1, NOW + 3 * MINUTE, sid=None, outcome="not_placed"),
    )

    ann, bob, _ = await told(database, tmp_path / "a.json", campaign="Renewals")

    assert ann["phone"] == ANN
    assert ann["tags"] == ["vip", "north"]
    assert ann["variables"] == {"City": "Bonn"}
    assert ann["zones"] == ["America/New_York"]
    assert ann["regions"] == ["US-DC"]
    assert {name: ann[name] for name in ("state", "attempts", "last_outcome", "next_at")} == {
        "state": "completed", "attempts": 2, "last_outcome": "human", "next_at": None,
    }  # fmt: skip
    assert (ann["conversations"], ann["talk_s"]) == (2, 61)
    assert ann["last_called_at"] == "2026-03-02T09:02:00.000Z"
    assert ann["last_number"] == "+13105550001"
    assert (bob["state"], bob["next_at"]) == ("retry", "2026-03-02T09:00:00.000Z")
    assert (bob["conversations"], bob["last_number"]) == (0, None)


async def test_everybody_is_told_of_without_what_only_members_have(
    database: AnyDatabase, campaign: CampaignId, tmp_path: Path
) -> None:
    await given_attempts(database, attempt("a1", 1, NOW, outcome="human", duration_s=5))

    people = await told(database, tmp_path / "a.json")

    assert [each["phone"] for each in people] == [ANN, BOB, CARL]
    assert people[0]["conversations"] == 1
    assert {"state", "priority", "attempts"}.isdisjoint(people[0])


async def test_each_ones_calls_may_come_along(
    database: AnyDatabase, campaign: CampaignId, tmp_path: Path
) -> None:
    await given_attempts(
        database, attempt("a2", 1, NOW + 1, outcome="busy"), attempt("a1", 1, NOW, sid=None)
    )

    ann, bob, _ = await told(database, tmp_path / "a.json", campaign="Renewals", with_calls=True)

    assert [(call["id"], call["outcome"]) for call in ann["calls"]] == [
        ("a1", None),
        ("a2", "busy"),
    ]
    assert bob["calls"] == []


async def test_who_is_listed_is_told_by_the_entries_that_concern_them(
    database: AnyDatabase, campaign: CampaignId, tmp_path: Path
) -> None:
    await given_campaign(database, now=NOW, name="Survey", number_ids=[1], start=False)
    async with database.write() as tx:
        await write(
            tx,
            "INSERT INTO dnc (phone, campaign_id, source, created_at) VALUES (?1, ?2, 'file', 0)",
            [(ANN, None), (BOB, 1), (CARL, 2)],
        )

    members = await told(database, tmp_path / "a.json", campaign="Renewals")
    people = await told(database, tmp_path / "b.json")

    assert [each["do_not_call"] for each in members] == [True, True, False]
    assert [each["do_not_call"] for each in people] == [True, False, False]


async def test_who_was_erased_is_nobody(
    database: AnyDatabase, campaign: CampaignId, tmp_path: Path
) -> None:
    async with database.write() as tx:
        await write(tx, "UPDATE contacts SET phone = ?1 WHERE id = 2", [("erased:38148fd5",)])

    members = await told(database, tmp_path / "a.json", campaign="Renewals")
    people = await told(database, tmp_path / "b.json")

    assert [each["phone"] for each in members] == [each["phone"] for each in people] == [ANN, CARL]


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({"tags": ["vip"]}, [ANN]),
        ({"tags": ["vip", "north"]}, [ANN, BOB]),
        ({"tags": ["south"]}, []),
        ({"states": [MemberState.RETRY, MemberState.PENDING]}, [BOB, CARL]),
        ({"states": [MemberState.RETRY], "tags": ["vip"]}, []),
    ],
)
async def test_members_are_chosen_by_state_and_tag(
    database: AnyDatabase,
    campaign: CampaignId,
    tmp_path: Path,
    fields: dict[str, Any],
    found: list[str],
) -> None:
    members = await told(database, tmp_path / "a.json", campaign="Renewals", **fields)

    assert [each["phone"] for each in members] == found


async def test_contacts_are_chosen_by_tag(
    database: AnyDatabase, campaign: CampaignId, tmp_path: Path
) -> None:
    people = await told(database, tmp_path / "a.json", tags=["north"])

    assert [each["phone"] for each in people] == [ANN, BOB]


async def test_variables_of_others_have_no_column(
    database: AnyDatabase, campaign: CampaignId, tmp_path: Path
) -> None:
    await given_campaign(database, now=NOW, name="Survey", number_ids=[1], start=False)
    async with database.write() as tx:
        await write(
            tx,
            "INSERT INTO contacts (id, phone, variables, created_at, changed_at)"
            " VALUES (9, ?1, ?2, 0, 0)",
            [("+12025550009", '{"Color":"red"}')],
        )
    both, one = tmp_path / "both.csv", tmp_path / "one.csv"

    await exported(database, order(both, format=Format.CSV))
    await exported(database, order(one, format=Format.CSV, campaign="Renewals"))

    headers = [path.read_text("utf-8-sig").splitlines()[0].split(",") for path in (both, one)]
    assert headers[0][6:9] == ["City", "Color", "variable:tag"]
    assert headers[1][7:9] == ["City", "variable:tag"]


async def test_calls_are_told_of_in_their_order(
    database: AnyDatabase, campaign: CampaignId, tmp_path: Path
) -> None:
    await given_attempts(
        database,
        attempt("a3", 2, NOW + 2, outcome="human", duration_s=4),
        attempt("a1", 1, NOW, outcome="busy", number_id=2),
        attempt("a2", 1, NOW + 1),
    )
    path = tmp_path / "a.json"

    calls = await told(database, path, What.CALLS)
    some = await told(database, path, What.CALLS, since_at=NOW + 1, until_at=NOW + 2)
    none = await told(database, path, What.CALLS, campaign="Renewals", until_at=NOW)

    assert [(call["id"], call["to"], call["from"]) for call in calls] == [
        ("a1", ANN, "+13105550002"), ("a2", ANN, "+13105550001"), ("a3", BOB, "+13105550001"),
    ]  # fmt: skip
    assert calls[0]["started_at"] == "2026-03-02T09:00:00.000Z"
    assert calls[0]["campaign"] == "Renewals"
    assert [call["id"] for call in some] == ["a2"]
    assert none == []


# -- of one moment, in any number -----------------------------------------------------------------


async def test_pages_are_of_one_moment_and_miss_nobody(
    database: AnyDatabase,
    campaign: CampaignId,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(exports, "PAGE", 1)
    told_of: list[Progress] = []
    real = exports._people

    async def disturbed(tx: Tx, *args: Any, **options: Any) -> Any:
        async for page in real(tx, *args, **options):
            async with database.write() as other:
                await write(other, "UPDATE contacts SET name = ?1", [("Somebody else",)])
                await write(
                    other,
                    "INSERT INTO contacts (id, phone, created_at, changed_at)"
                    " VALUES (?1, ?2, 0, 0)",
                    [(10 + len(told_of), f"+120255510{len(told_of):02}")],
                )
            yield page

    monkeypatch.setattr(exports, "_people", disturbed)
    path = tmp_path / "a.json"

    done = await exported(database, order(path), told_of.append)

    people = document(path)["contacts"]
    assert [each["name"] for each in people] == ["Contact 1", "Contact 2", "Contact 3"]
    assert told_of == [Progress(1, 3), Progress(2, 3), Progress(3, 3)]
    assert (done.rows, done.bytes) == (3, path.stat().st_size)


async def test_a_reader_is_as_good_as_new_after_a_snapshot(database: AnyDatabase) -> None:
    async def fail() -> None:
        async with database.snapshot() as tx:
            assert await tx.value("count_contacts_to_export", tags="[]") == 0
            raise UsageError("stop")

    with pytest.raises(UsageError):
        await fail()
    for _ in range(3):
        await given_contact(database)
        async with database.read() as tx:
            count = await tx.value("count_contacts_to_export", tags="[]")

    assert count == 3


async def given_contact(database: Database) -> None:
    async with database.write() as tx:
        (known,) = (await read(tx, "SELECT count(*) FROM contacts"))[0]
        await write(
            tx,
            "INSERT INTO contacts (phone, created_at, changed_at) VALUES (?1, 0, 0)",
            [(f"+{12025550100 + known}",)],
        )


async def test_nobody_writes_in_a_snapshot(database: AnyDatabase) -> None:
    with pytest.raises(StoreError):
        async with database.snapshot() as tx:
            await write(tx, "UPDATE control SET revision = ?1", [(7,)])


@pytest.mark.parametrize(
    ("query", "bounds"),
    [
        (
            "export_members",
            "m USING INDEX sqlite_autoindex_members_1 (campaign_id=? AND contact_id>?)",
        ),
        ("export_contacts", "c USING INTEGER PRIMARY KEY (rowid>?)"),
        ("export_calls", "a USING INDEX sqlite_autoindex_attempts_1 (id>?)"),
    ],
)
def test_a_page_begins_where_the_last_one_ended(
    sqlite_template: bytes, tmp_path: Path, query: str, bounds: str
) -> None:
    path = tmp_path / "dialer.db"
    path.write_bytes(sqlite_template)
    known = load("sqlite")[query]

    with closing(sqlite3.connect(path)) as connection:
        lines = connection.execute(f"EXPLAIN QUERY PLAN {known.text}", (None,) * len(known.names))
        plan = [line[3] for line in lines]

    assert f"SEARCH {bounds}" in plan
    assert not any("TEMP B-TREE" in line for line in plan)


# -- nothing half ---------------------------------------------------------------------------------


async def jobs(database: Database) -> list[tuple[str, str, int]]:
    async with database.read() as tx:
        return [(j["state"], j["message"], j["done"]) for j in await work.listed(tx, NOW, limit=9)]


async def test_a_cancelled_job_leaves_the_old_file(
    database: AnyDatabase, campaign: CampaignId, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "PAGE", 1)
    path = tmp_path / "out" / "a.csv"
    path.parent.mkdir()
    path.write_text("old")
    asked: list[int] = []

    async def cancel() -> None:
        asked.append(1)
        async with database.write() as tx:
            await work.cancel(tx, 1, NOW)

    real = exports._people

    async def disturbed(tx: Tx, *args: Any, **options: Any) -> Any:
        async for page in real(tx, *args, **options):
            if not asked:
                await cancel()
            yield page

    monkeypatch.setattr(exports, "_people", disturbed)

    with pytest.raises(WrongStateError, match="job 1 was cancelled"):
        await exported(database, order(path, format=Format.CSV), clock=TickingClock(6_000))

    assert [file.read_text() for file in path.parent.iterdir()] == ["old"]
    assert [job[0] for job in await jobs(database)] == ["cancelled"]


async def test_a_file_that_takes_long_to_end_keeps_its_job_alive(
    database: AnyDatabase, campaign: CampaignId, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    beaten = threading.Event()
    real = work.Job.beat

    async def beat(job: work.Job, tx: Tx, now: int, *, done: int) -> None:
        await real(job, tx, now, done=done)
        if not beaten.is_set():
            await work.cancel(tx, job.id, now)
            beaten.set()

    def end(_: object) -> None:
        assert beaten.wait(10)

    monkeypatch.setattr(exports, "BEAT_S", 0.01)
    monkeypatch.setattr(work.Job, "beat", beat)
    monkeypatch.setattr(writers._Lines, "end", end)
    clock = TickingClock(step_ms=0)
    folder = tmp_path / "out"
    folder.mkdir()

    with pytest.raises(WrongStateError, match="job 1 was cancelled"):
        await exported(database, order(folder / "a", format=Format.JSONL), clock=clock)

    assert list(folder.iterdir()) == []
    assert [job[0] for job in await jobs(database)] == ["cancelled"]


@pytest.mark.parametrize("kind", list(Format))
async def test_an_interrupted_export_leaves_nothing(
    database: AnyDatabase,
    campaign: CampaignId,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: Format,
) -> None:
    monkeypatch.setattr(exports, "PAGE", 1)
    folder = tmp_path / "out"
    folder.mkdir()

    def interrupt(progress: Progress) -> None:
        if progress.rows == 2:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await exported(database, order(folder / "a", format=kind), interrupt)

    assert list(folder.iterdir()) == []
    assert await jobs(database) == [("cancelled", "interrupted", 2)]


async def test_what_fails_says_why(
    database: AnyDatabase, campaign: CampaignId, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writers._Lines, "add", fail)

    with pytest.raises(UsageError, match="No space left on device"):
        await exported(database, order(tmp_path / "a.jsonl", format=Format.JSONL))

    ((state, message, _),) = await jobs(database)
    assert state == "failed"
    assert message.endswith("cannot be written: No space left on device")


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"states": [MemberState.RETRY]}, "a contact has a state in a campaign"),
        ({"with_calls": True, "format": Format.CSV}, "fit into JSON only"),
        ({"columns": ["nothing"]}, "there is no column 'nothing'"),
    ],
)
async def test_what_cannot_be_done_is_not_begun(
    database: AnyDatabase, tmp_path: Path, fields: dict[str, Any], error: str
) -> None:
    folder = tmp_path / "out"
    folder.mkdir()

    with pytest.raises(UsageError, match=error):
        await exported(database, order(folder / "a.json", **fields))

    assert list(folder.iterdir()) == []
    assert await jobs(database) == []


async def test_a_campaign_nobody_knows_is_told_of(database: AnyDatabase, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        await exported(database, order(tmp_path / "a.json", campaign="Nothing"))


async def test_no_export_takes_the_place_of_a_database(
    sqlite_template: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "dialer.db"
    path.write_bytes(sqlite_template)
    async with opened(str(path), random.Random(1), busy_timeout_s=5) as database:
        for name in ("dialer.db", "dialer.db-wal"):
            for kind in Format:
                with pytest.raises(UsageError, match=r"would be lost"):
                    await exported(database, order(tmp_path / name, format=kind))
        assert await jobs(database) == []


# -- history --------------------------------------------------------------------------------------


async def test_an_export_is_remembered_and_nobody_named(
    database: AnyDatabase, campaign: CampaignId, tmp_path: Path
) -> None:
    path = tmp_path / "a.csv"
    wanted = order(path, format=Format.CSV, campaign="Renewals", tags=["vip"], columns=["phone"])

    done = await exported(database, wanted)

    async with database.read() as tx:
        (listed,) = await history.listed(tx, NOW, limit=5)
        entries = await read(tx, "SELECT action, subject, after FROM audit_log ORDER BY id")
    assert listed["id"] == done.export_id
    assert (listed["state"], listed["campaign"], listed["what"]) == ("done", "Renewals", "contacts")
    assert (listed["rows_written"], listed["bytes"]) == (1, path.stat().st_size)
    assert history.file_of(listed) == path
    begun, ended = entries[-2:]
    assert begun[:2] == ("contacts.export", str(path))
    assert json.loads(begun[2])["rows"] == 1
    assert ended[:2] == ("contacts.exported", str(path))
    assert json.loads(ended[2]) == {
        "export_id": done.export_id, "rows": 1, "bytes": path.stat().st_size,
    }  # fmt: skip
    assert "vip" not in str(entries) + listed["options"]


async def test_a_file_may_be_had_once_more(
    database: AnyDatabase, campaign: CampaignId, tmp_path: Path
) -> None:
    path, folder = tmp_path / "a.json", tmp_path / "more"
    folder.mkdir()
    done = await exported(database, order(path))
    async with database.write() as tx:
        export = await history.found(tx, done.export_id, NOW)
        target, size = history.copied(export, folder)
        await history.record_copy(tx, export, target, size, NOW)

    assert target == folder / "a.json"
    assert target.read_bytes() == path.read_bytes()
    async with database.read() as tx:
        last = (await read(tx, "SELECT action, subject FROM audit_log ORDER BY id"))[-1]
    assert last == ("exports.get", str(target))


async def test_a_file_that_is_not_there_is_told_of(
    database: AnyDatabase, campaign: CampaignId, tmp_path: Path
) -> None:
    path = tmp_path / "a.json"
    done = await exported(database, order(path))
    path.unlink()

    async with database.read() as tx:
        export = await history.found(tx, done.export_id, NOW)
        with pytest.raises(NotFoundError, match="not there any more"):
            history.file_of(export)
        with pytest.raises(NotFoundError, match="no export 99"):
            await history.found(tx, 99, NOW)


async def test_what_went_to_standard_output_is_not_kept(
    database: AnyDatabase, campaign: CampaignId, capsys: pytest.CaptureFixture[str]
) -> None:
    done = await exported(database, order(Path("-"), columns=["phone"]))

    assert [each["phone"] for each in json.loads(capsys.readouterr().out)["contacts"]] == [
        ANN, BOB, CARL,
    ]  # fmt: skip
    async with database.read() as tx:
        with pytest.raises(WrongStateError, match="keeps no copy"):
            history.file_of(await history.found(tx, done.export_id, NOW))


@contextmanager
def unread_stdout() -> Iterator[int]:
    """Standard output is a pipe; gives the end that nobody reads by itself."""
    reader, writer = os.pipe()
    with (
        os.fdopen(reader, "rb"),
        os.fdopen(writer, "w") as out,
        mock.patch.object(sys, "stdout", out),
    ):
        yield reader


async def given_more_than_a_pipe_takes(database: Database) -> None:
    async with database.write() as tx:
        await write(
            tx,
            "INSERT INTO contacts (phone, name, created_at, changed_at) VALUES (?1, ?2, 0, 0)",
            [(f"+1303555{at:04}", "x" * 1000) for at in range(200)],
        )


async def begins_to_come(reader: int) -> None:
    """Until there is something to read."""
    loop, came = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(reader, came.set)
    async with asyncio.timeout(30):
        await came.wait()
    loop.remove_reader(reader)


async def test_a_reader_that_rests_holds_no_snapshot(database: AnyDatabase) -> None:
    await given_more_than_a_pipe_takes(database)
    wanted = order(Path("-"), format=Format.JSONL)
    with unread_stdout() as unread:
        async with asyncio.TaskGroup() as group:
            running = group.create_task(exported(database, wanted))
            await begins_to_come(unread)
            await given_one_more_contact(database)

            await database.maintain()

            assert not (
                await database.sizes()
            ).log_bytes  # a snapshot would keep it from being emptied
            assert not running.done()
            assert len(await asyncio.to_thread(read_lines, unread, 200)) == 200
    assert running.result().rows == 200


async def test_nobody_waits_for_a_reader_once_an_export_is_given_up(
    database: AnyDatabase,
) -> None:
    await given_more_than_a_pipe_takes(database)
    wanted = order(Path("-"), format=Format.JSONL)
    with unread_stdout() as unread:
        async with asyncio.TaskGroup() as group:
            running = group.create_task(exported(database, wanted))
            await begins_to_come(unread)

            running.cancel()

    assert running.cancelled()
    await asyncio.get_running_loop().shutdown_default_executor()
    assert [job[0] for job in await jobs(database)] == ["cancelled"]


async def test_a_reader_who_has_gone_is_told_of(
    database: AnyDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    await given_more_than_a_pipe_takes(database)
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as out:
        monkeypatch.setattr(sys, "stdout", out)
        with pytest.raises(UsageError, match="standard output cannot be written: Broken pipe"):
            await exported(database, order(Path("-")))


def read_lines(reader: int, count: int) -> list[bytes]:
    read = b""
    while read.count(b"\n") < count:
        read += os.read(reader, 1 << 16)
    return read.splitlines()


async def given_one_more_contact(database: Database) -> None:
    async with database.write() as tx:
        await write(
            tx,
            "INSERT INTO contacts (phone, created_at, changed_at) VALUES (?1, 0, 0)",
            [("+13125550000",)],
        )


async def test_what_was_not_finished_has_no_file(
    database: AnyDatabase, campaign: CampaignId, tmp_path: Path
) -> None:
    def interrupt(_: Progress) -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await exported(database, order(tmp_path / "a.json"), interrupt)

    async with database.read() as tx:
        with pytest.raises(WrongStateError, match="export 1 is cancelled"):
            history.file_of(await history.found(tx, 1, NOW))


async def test_a_path_forgets_whoever_is_erased(
    database: AnyDatabase, campaign: CampaignId, tmp_path: Path
) -> None:
    done = await exported(database, order(tmp_path / f"what of {ANN}.json"))

    async def wipe(_: object) -> Wiped:
        return Wiped(compacted=True)

    await erase(database, TickingClock(), ANN, PhoneKey(b"k" * 32), wipe)

    async with database.read() as tx:
        export = await history.found(tx, done.export_id, NOW)
    assert export["path"] == str(tmp_path / "what of [erased].json")


async def test_a_long_snapshot_may_rest(database: AnyDatabase) -> None:
    if isinstance(database, SqliteDatabase):
        return  # it has no such limit
    async with database.snapshot() as tx:
        (row,) = await read(tx, "SHOW idle_in_transaction_session_timeout")
        assert row[0] == "0"
    async with database.write() as tx:
        (row,) = await read(tx, "SHOW idle_in_transaction_session_timeout")
        assert row[0] == "30s"
