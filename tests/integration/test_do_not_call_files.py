"""The do-not-call list as files: whoever is in one is not called, however often it is imported."""

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from dialer import do_not_call, do_not_call_files
from dialer.do_not_call import EVERYWHERE, Added, Entry, Source
from dialer.do_not_call_files import (
    EntriesImport,
    EntriesOrder,
    EntryCounts,
    EntryFault,
    columns_of,
    write_entries,
)
from dialer.errors import UsageError
from dialer.lists.csvio import open_table
from dialer.lists.csvout import written
from dialer.lists.rejected_rows import RejectedRows
from dialer.model import CampaignId
from dialer.people.person import RowFault
from dialer.ports import Database
from dialer.store.opening import AnyDatabase
from tests.support.engine import NOW, SetClock, member_of, rows
from tests.support.given import FIRST_PHONE, given_campaign

LATER = NOW + 60_000
#: Names that only just come through a file unhurt.
AWKWARD = (
    "Plain",
    'With "quotes", commas; and\nlines',
    "=SUM(A1)",
    "'=guarded",
    "Ünïcode ☎",
    "7 up",
)


def phone(contact: int) -> str:
    """The phone of the contact of that id."""
    return f"+{FIRST_PHONE + contact}"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "stop.csv"


def given_file(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


async def bring_in(
    database: Database,
    path: Path,
    text: str | None = None,
    *,
    scope: CampaignId = EVERYWHERE,
    at: int = NOW,
    progress: Any = lambda _: None,
) -> EntryCounts:
    """Import *text*, or what is in the file, as numbers of the US."""
    if text is not None:
        given_file(path, text)
    with (
        open_table(path) as table,
        RejectedRows(path.with_suffix(".bad"), table.header, ",", hints=True) as rejected,
    ):
        order = EntriesOrder(table, columns_of(table.header, []), "US", scope)
        return await EntriesImport(database, SetClock(at), order, rejected).run(progress)


async def the_list(database: Database) -> list[tuple[str, str | None, str]]:
    """Every entry's phone, campaign and note, oldest first."""
    async with database.read() as tx:
        entries = await do_not_call.everything(tx)
    return [(row["phone"], row["campaign"], row["note"]) for row in entries]


async def export(database: Database, path: Path, *, raw: bool = False) -> None:
    async with database.read() as tx:
        entries = await do_not_call.everything(tx)
    with written(path, raw=raw) as file:
        write_entries(entries, file, shown=str, raw=raw)


# -- import ---------------------------------------------------------------------------------------


async def test_a_list_is_brought_in_and_counted(database: AnyDatabase, path: Path) -> None:
    campaign = await given_campaign(database, now=NOW, contacts=3)
    text = (
        "phone,campaign,note\n"
        f"{phone(1)},,asked by letter\n"
        f"{phone(2)},Renewals,\n"
        f"{phone(1)},Renewals,not for this one\n"
        f"{phone(3)},Renewels,\n"
        f"{phone(1)},,again\n"
        "nonsense,,\n"
        ",,\n"
        ",Renewals,\n"
    )

    counts = await bring_in(database, path, text)

    assert counts == EntryCounts(
        rows=7,
        added=3,
        members_failed=2,
        rejected=Counter(
            [
                EntryFault.UNKNOWN_CAMPAIGN,
                RowFault.DUPLICATE_IN_FILE,
                RowFault.INVALID_PHONE,
                RowFault.MISSING_PHONE,
            ]
        ),
    )
    assert sorted(await the_list(database), key=str) == sorted(
        [
            (phone(1), None, "asked by letter"),
            (phone(1), "Renewals", "not for this one"),
            (phone(2), "Renewals", ""),
        ],
        key=str,
    )
    states = [(await member_of(database, at))["state"] for at in (1, 2, 3)]
    assert states == ["failed", "failed", "pending"]
    async with database.read() as tx:
        (entry,) = await do_not_call.entries_of(tx, phone(2))
    assert (entry["campaign_id"], entry["source"], entry["created_at"]) == (campaign, "file", NOW)


async def test_rejected_rows_say_where_why_and_what_may_be_meant(
    database: AnyDatabase, path: Path
) -> None:
    await given_campaign(database, now=NOW, start=False)
    text = f"tel,campaign\n{phone(1)},Renewels\n{phone(1)},Zzz\nx,\n{phone(2)},\n{phone(2)},\n"

    await bring_in(database, path, text)

    assert path.with_suffix(".bad").read_text("utf-8-sig").splitlines() == [
        "tel,campaign,rejected_row,rejected_column,rejected_reason,rejected_hint",
        f"{phone(1)},Renewels,2,campaign,unknown_campaign,did you mean 'Renewals'?",
        f"{phone(1)},Zzz,3,campaign,unknown_campaign,",
        "x,,4,tel,invalid_phone,",
        f"{phone(2)},,6,tel,duplicate_in_file,",
    ]


async def test_rows_that_name_no_campaign_hold_where_the_operator_says(
    database: AnyDatabase, path: Path
) -> None:
    await given_campaign(database, now=NOW, start=False)
    survey = await given_campaign(database, now=NOW, name="Survey", number_ids=[1], start=False)

    await bring_in(
        database, path, f"phone,campaign\n{phone(1)},\n{phone(2)},Renewals\n", scope=survey
    )

    assert {entry[:2] for entry in await the_list(database)} == {
        (phone(1), "Survey"),
        (phone(2), "Renewals"),
    }


async def test_a_campaign_is_named_and_not_numbered(database: AnyDatabase, path: Path) -> None:
    campaign = await given_campaign(database, now=NOW, start=False)

    counts = await bring_in(database, path, f"phone,campaign\n{phone(1)},{campaign}\n")

    assert counts.rejected == Counter([EntryFault.UNKNOWN_CAMPAIGN])
    assert await the_list(database) == []


async def test_bringing_a_list_in_again_adds_nothing(database: AnyDatabase, path: Path) -> None:
    text = "phone,note\n" + "".join(f"{phone(at)},first\n" for at in range(30))
    await bring_in(database, path, text)
    before = await the_list(database)

    counts = await bring_in(database, path, text.replace("first", "second"), at=LATER)

    assert (counts.added, counts.same, counts.rejected.total()) == (0, 30, 0)
    assert await the_list(database) == before
    assert await rows(database, "SELECT count(*), max(at) FROM dnc_history") == [(30, NOW)]


async def test_any_lists_in_any_order_leave_what_the_first_told(
    database: AnyDatabase, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(do_not_call_files, "PORTION", 7)
    await given_campaign(database, now=NOW, start=False)
    rng = random.Random(4)
    told: dict[tuple[str, str | None], str] = {}
    for _ in range(6):
        drawn = [
            (phone(rng.randrange(20)), rng.choice([None, "Renewals"]), f"note {rng.random()}")
            for _ in range(rng.randrange(40))
        ]
        for number, campaign, note in drawn:
            told.setdefault((number, campaign), note)
        lines = [f"{number},{campaign or ''},{note}\n" for number, campaign, note in drawn]

        counts = await bring_in(database, path, "phone,campaign,note\n" + "".join(lines))

        distinct = {entry[:2] for entry in drawn}
        assert counts.added + counts.same == len(distinct)
        assert counts.rejected.total() == len(drawn) - len(distinct)
    found = await the_list(database)
    assert {(number, campaign): note for number, campaign, note in found} == told
    assert len(found) == len(told)


class Killed(BaseException):
    """The end of a process, wherever it was."""


async def test_an_interrupted_import_is_finished_by_the_next(
    database: AnyDatabase, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(do_not_call_files, "PORTION", 10)
    text = "phone\n" + "".join(f"{phone(at)}\n" for at in range(95))
    told: list[int] = []

    def die_after_three(counts: EntryCounts) -> None:
        told.append(counts.rows)
        if len(told) == 3:
            raise Killed

    with pytest.raises(Killed):
        await bring_in(database, path, text, progress=die_after_three)
    halfway = await the_list(database)
    counts = await bring_in(database, path, text)

    assert (told, len(halfway)) == ([10, 20, 30], 30)
    assert (counts.added, counts.same) == (65, 30)
    assert [entry[0] for entry in await the_list(database)] == [phone(at) for at in range(95)]


async def test_imports_at_the_same_time_make_each_entry_once(
    database: AnyDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(do_not_call_files, "PORTION", 9)
    everyone = [phone(at) for at in range(1, 61)]
    await given_campaign(database, now=NOW, contacts=60)

    async def some(number: int, phones: Sequence[str]) -> None:
        text = "phone\n" + "".join(f"{each}\n" for each in phones)
        await bring_in(database, tmp_path / f"{number}.csv", text)

    async with asyncio.TaskGroup() as together:
        together.create_task(some(1, everyone[:40]))
        together.create_task(some(2, random.Random(2).sample(everyone, len(everyone))))
        together.create_task(some(3, everyone[20:]))

    assert sorted(entry[0] for entry in await the_list(database)) == everyone
    assert await rows(database, "SELECT DISTINCT reason FROM members") == [("do_not_call",)]


def test_several_columns_of_numbers_are_not_guessed_between() -> None:
    with pytest.raises(UsageError, match="several columns hold phone numbers: 'Phone', 'Mobile'"):
        columns_of(["Phone", "Mobile"], [])

    assert columns_of(["Phone", "Mobile"], ["phone=Mobile"]).described() == {"phone": ["Mobile"]}


# -- export ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize("seed", [1, 2])
async def test_what_is_exported_is_imported_as_the_same_list(
    database: AnyDatabase, path: Path, seed: int, raw: bool
) -> None:
    rng = random.Random(seed)
    scopes = [EVERYWHERE]
    for name in AWKWARD:
        numbers = [1] if len(scopes) > 1 else []
        scopes.append(
            await given_campaign(database, now=NOW, name=name, number_ids=numbers, start=False)
        )
    entries = [
        Entry(phone(rng.randrange(30)), rng.choice(scopes), rng.choice(["", *AWKWARD]))
        for _ in range(60)
    ]
    async with database.write() as tx:
        await do_not_call.put(tx, entries, NOW, source=Source.OPERATOR)
    before = await the_list(database)
    await export(database, path, raw=raw)

    again = await bring_in(database, path)
    async with database.write() as tx:
        for at in range(30):
            await do_not_call.remove(tx, LATER, phone=phone(at))
    emptied = await the_list(database)
    fresh = await bring_in(database, path)

    assert (again.added, again.same, again.rejected) == (0, len(before), Counter())
    assert emptied == []
    assert (fresh.added, fresh.same, fresh.rejected) == (len(before), 0, Counter())
    assert sorted(await the_list(database), key=str) == sorted(before, key=str)


async def test_an_empty_list_is_exported_and_imported_too(
    database: AnyDatabase, path: Path
) -> None:
    await export(database, path)

    assert await bring_in(database, path) == EntryCounts()


# -- the list itself, as operators handle it ------------------------------------------------------


async def given_entries(database: Database, *entries: Entry) -> Added:
    async with database.write() as tx:
        return await do_not_call.put(tx, entries, NOW, source=Source.OPERATOR)


async def test_of_the_same_entry_the_first_is_made(database: AnyDatabase) -> None:
    campaign = await given_campaign(database, now=NOW, start=False)

    done = await given_entries(
        database,
        Entry(phone(1), note="first"),
        Entry(phone(1), note="second"),
        Entry(phone(1), campaign, "third"),
    )

    assert done == Added(2, 0, 0)
    assert await the_list(database) == [
        (phone(1), None, "first"), (phone(1), "Renewals", "third"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", [4, 3, 2, 1]),
        ("LETTER", [1]),
        (phone(3)[-5:], [3]),
        ("100 %", [2]),
        ("a_b", [3]),
        ("\\", [4]),
        ("ÄRGER", [4]),
        ("nothing of it", []),
    ],
)
async def test_entries_are_searched_for_as_it_is_written(
    database: AnyDatabase, text: str, found: list[int]
) -> None:
    notes = ["asked by letter", "is 100 % sure", "a_b, not axb but a_b", "ärger \\ axb 100 sure"]
    await given_entries(
        database, *(Entry(phone(at), note=note) for at, note in enumerate(notes, 1))
    )

    async with database.read() as tx:
        entries = await do_not_call.search(tx, text)
        first = await do_not_call.search(tx, text, limit=1)

    assert [int(row["phone"]) - FIRST_PHONE for row in entries] == found
    assert [row["id"] for row in first] == [row["id"] for row in entries][:1]


async def test_an_entry_of_another_campaign_does_not_hold(database: AnyDatabase) -> None:
    renewals = await given_campaign(database, now=NOW, start=False)
    survey = await given_campaign(database, now=NOW, name="Survey", number_ids=[1], start=False)
    await given_entries(database, Entry(phone(1), survey), Entry(phone(2)))

    async with database.read() as tx:
        held = {
            (campaign, at): [
                row["campaign"] for row in await do_not_call.holding(tx, phone(at), id_)
            ]
            for campaign, id_ in (("Renewals", renewals), ("Survey", survey))
            for at in (1, 2)
        }
        of_its_own = [await do_not_call.of_campaign(tx, each) for each in (renewals, survey)]

    assert held == {
        ("Renewals", 1): [],
        ("Survey", 1): ["Survey"],
        ("Renewals", 2): [None],
        ("Survey", 2): [None],
    }
    assert of_its_own == [0, 1]


async def test_the_whole_list_is_never_removed_at_once(database: AnyDatabase) -> None:
    await given_entries(database, Entry(phone(1)))

    with pytest.raises(AssertionError, match="the whole list"):
        async with database.write() as tx:
            await do_not_call.remove(tx, LATER)
    with pytest.raises(AssertionError, match="the whole list"):
        async with database.write() as tx:
            await do_not_call.remove(tx, LATER, scope=EVERYWHERE)

    assert len(await the_list(database)) == 1
