"""Campaigns that are there are edited, cloned, archived and deleted."""

import asyncio
import json
import random
import re
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer import campaign_edits, campaigns, do_not_call
from dialer.campaign_edits import Deleted, Edit
from dialer.campaigns import NewCampaign
from dialer.commands.campaign_file import from_toml, to_toml
from dialer.commands.campaign_settings import read_fields, shown
from dialer.erased import PREFIX
from dialer.errors import NotFoundError, UsageError, WrongStateError
from dialer.importing import records as import_records
from dialer.importing.records import Begun, Identity
from dialer.lists.csvio import START, Position
from dialer.model import AmdMode, CampaignId, FailReason, OnMachine
from dialer.people import contacts, member_edits
from dialer.people.contacts import Enrolment
from dialer.people.member_edits import UNLESS_SAID
from dialer.people.person import Person
from dialer.ports import Database, Row
from dialer.states import CampaignEvent, MemberState
from dialer.store.opening import AnyDatabase, opened
from dialer.store.queries import Dialect, load
from dialer.work import Job, JobKind, JobState
from retries.outcome import Outcome
from retries.policy import NEVER
from rotation.strategies import Strategy
from tests.support.engine import NOW, rows
from tests.support.given import (
    FIRST_NUMBER,
    FIRST_PHONE,
    WASHINGTON,
    given_campaign,
    given_numbers,
    write,
)


def phone(contact: int) -> str:
    return f"+{FIRST_PHONE + contact}"


async def edit(database: Database, **changes: object) -> Edit:
    async with database.write() as tx:
        return await campaign_edits.edit(tx, "Renewals", changes, NOW)


async def found(database: Database, name: str = "Renewals") -> Row:
    async with database.read() as tx:
        return await campaigns.find(tx, name)


async def settings(database: Database, name: str = "Renewals") -> NewCampaign:
    async with database.read() as tx:
        return await campaign_edits.settings_of(tx, await campaigns.find(tx, name))


async def end(database: Database, name: str) -> None:
    async with database.write() as tx:
        await campaigns.move(tx, name, CampaignEvent.CANCEL, NOW)


async def log(database: Database) -> list[tuple[Any, ...]]:
    return await rows(database, "SELECT action, before, after FROM audit_log ORDER BY id")


# -- edit -----------------------------------------------------------------------------------------


async def test_an_edit_changes_what_it_names_and_makes_plans_stale(database: Database) -> None:
    await given_campaign(database, now=NOW, contacts=1)
    before = await found(database)

    made = await edit(database, call_interval_s=2.5, labels=("a", "b"), notes="for Ida")

    after = await found(database)
    assert sorted(made.changed) == ["call_interval_s", "labels", "notes"]
    assert (after["call_interval_ms"], json.loads(after["labels"])) == (2500, ["a", "b"])
    assert after["revision"] > before["revision"]
    assert after["max_concurrent"] == before["max_concurrent"]
    action, was, became = (await log(database))[-1]
    assert (action, json.loads(was)["call_interval_s"]) == ("campaign.edit", 10.0)
    assert "Ida" not in became


async def test_an_edit_that_changes_nothing_leaves_no_trace(database: Database) -> None:
    await given_campaign(database, now=NOW, contacts=1)
    before, entries = await found(database), await log(database)

    assert not (await edit(database, max_concurrent=10)).changed
    assert (await found(database), await log(database)) == (before, entries)


async def test_numbers_come_and_go_and_those_that_stay_keep_their_turns(
    database: Database,
) -> None:
    campaign_id = await given_campaign(database, now=NOW, numbers=2, start=False)
    async with database.write() as tx:
        await given_numbers(tx, 1, first_id=3)
        await write(
            tx,
            "UPDATE campaign_numbers SET last_turn = ?1 WHERE number_id = 2 AND campaign_id = ?2",
            [(17, campaign_id)],
        )

    await edit(database, numbers=[(2, 5), (3, 1)])

    pool = await rows(
        database, "SELECT number_id, weight, last_turn FROM campaign_numbers ORDER BY number_id"
    )
    assert pool == [(2, 5, 17), (3, 1, 0)]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"max_concurrent": 0}, "max concurrent: 0 is not between 1 and 10000"),
        ({"numbers": []}, "at least one number"),
        ({"name": "Survey"}, "a campaign 'Survey' already"),
        ({"name": "12"}, "would be taken for an id"),
        ({"max_retries": 11}, "retries"),
    ],
)
async def test_what_cannot_be_set_changes_nothing(
    database: Database, changes: dict[str, object], words: str
) -> None:
    await given_campaign(database, now=NOW, contacts=1)
    await given_campaign(database, now=NOW, name="Survey", number_ids=[1], start=False)
    before = await found(database)

    with pytest.raises(UsageError, match=words):
        await edit(database, **changes)
    assert await found(database) == before


async def test_a_cancelled_campaign_is_not_edited(database: Database) -> None:
    await given_campaign(database, now=NOW, contacts=1)
    async with database.write() as tx:
        await campaigns.move(tx, "Renewals", CampaignEvent.CANCEL, NOW)

    with pytest.raises(WrongStateError, match="is cancelled"):
        await edit(database, max_concurrent=3)


async def test_a_plan_writes_nothing(database: Database) -> None:
    await given_campaign(database, now=NOW, contacts=1)
    async with database.read() as tx:
        planned = await campaign_edits.plan_edit(tx, "Renewals", {"max_concurrent": 3})

    assert planned.changed == ["max_concurrent"]
    assert (await found(database))["max_concurrent"] == 10


# -- clone ----------------------------------------------------------------------------------------


async def test_a_clone_has_the_settings_and_the_members_asked_for(database: Database) -> None:
    await given_campaign(database, now=NOW, contacts=3, max_concurrent=7, start_at=NOW)
    async with database.write() as tx:
        await write(
            tx,
            "UPDATE members SET state = ?1, priority = 0, attempts = 3 WHERE contact_id = ?2",
            [("failed", 2)],
        )
        made = await campaign_edits.clone(tx, "Renewals", None, [MemberState.FAILED], NOW + 5)

    row, members = made.campaign, made.members
    assert (row["name"], row["status"], row["max_concurrent"]) == ("Renewals (2)", "draft", 7)
    assert (row["start_at"], members) == (None, 1)
    columns = "contact_id, state, priority, attempts, next_at, window_key"
    (member,) = await rows(
        database, f"SELECT {columns} FROM members WHERE campaign_id = {row['id']}"
    )
    assert member == (2, "pending", 0, 0, NOW + 5, WASHINGTON)


async def test_a_clone_without_a_name_finds_a_free_one(database: Database) -> None:
    await given_campaign(database, now=NOW, start=False)
    async with database.write() as tx:
        made = [await campaign_edits.clone(tx, "Renewals", None, (), NOW) for _ in "ab"]

    assert [each.campaign["name"] for each in made] == ["Renewals (2)", "Renewals (3)"]


async def test_nobody_who_may_not_be_called_is_taken_over_into_a_clone(
    database: Database,
) -> None:
    reasons = [*sorted(FailReason), None]
    campaign_id = await given_campaign(database, now=NOW, contacts=len(reasons) + 4)
    first = len(reasons) + 1
    async with database.write() as tx:
        await write(
            tx,
            "UPDATE members SET state = 'failed', reason = ?1 WHERE contact_id = ?2",
            [(reason, at) for at, reason in enumerate(reasons, 1)],
        )
        await do_not_call.add(tx, [phone(first)], NOW, scope=campaign_id)
        await do_not_call.add(tx, [phone(first + 1)], NOW)
        await write(
            tx,
            "UPDATE members SET state = 'completed', reason = NULL WHERE contact_id = ?1",
            [(first + 1,)],
        )
        await write(
            tx,
            "UPDATE contacts SET phone = ?1 WHERE id = ?2",
            [(f"{PREFIX}0a1b", first + 2)],
        )
        made = await campaign_edits.clone(tx, "Renewals", None, list(MemberState), NOW)

    unwelcome = {*UNLESS_SAID, FailReason.SKIPPED}
    taken = await rows(
        database,
        f"SELECT contact_id FROM members WHERE campaign_id = {made.campaign['id']} ORDER BY 1",
    )
    welcome = [at for at, reason in enumerate(reasons, 1) if reason not in unwelcome]
    assert [each for (each,) in taken] == [*welcome, first + 3]
    assert made.members == len(taken)
    # Of the two who are listed, the one who waited has failed by it.
    assert made.left_out == {**{str(why): 1 for why in unwelcome}, "do_not_call": 3, "erased": 1}
    became = json.loads((await log(database))[-1][2])
    assert (became["members"], became["left_out"]) == (made.members, dict(made.left_out))


@pytest.mark.parametrize("query", ["clone_members", "members_not_cloned"])
@pytest.mark.parametrize("dialect", get_args(Dialect))
def test_a_clone_leaves_out_for_the_reasons_that_a_retry_has_to_name(
    query: str, dialect: Dialect
) -> None:
    (named,) = re.findall(r"reason(?:, '')?\)? IN \(([^)]*)\)", load(dialect)[query].text)

    assert set(re.findall(r"'(\w+)'", named)) == {*UNLESS_SAID, FailReason.SKIPPED}


# -- a number that is taken out of campaigns ------------------------------------------------------


async def test_a_number_leaves_all_its_campaigns_or_none(database: Database) -> None:
    await given_campaign(database, now=NOW, numbers=2, start=False)
    await given_campaign(database, now=NOW, name="Survey", number_ids=[1, 2], start=False)
    await given_campaign(database, now=NOW, name="Alone", number_ids=[1], start=False)
    number = f"+{FIRST_NUMBER + 1}"
    async with database.write() as tx:
        with pytest.raises(UsageError, match="'Alone' would have no number"):
            await campaign_edits.exclude_number(tx, number, "US", None, NOW)
    await end(database, "Alone")

    async with database.write() as tx:
        _, names = await campaign_edits.exclude_number(tx, number, "US", None, NOW)

    assert names == ["Renewals", "Survey"]
    pool = await rows(database, "SELECT campaign_id, number_id FROM campaign_numbers ORDER BY 1, 2")
    assert pool == [(1, 2), (2, 2), (3, 1)]


@pytest.mark.parametrize("store", ["postgres"], indirect=True)  # SQLite has one writer at a time
async def test_a_number_leaves_while_somebody_edits_its_campaigns(
    store: str, database: AnyDatabase
) -> None:
    """The other one has the second campaign and wants the log next; nobody waits in a circle."""
    await given_campaign(database, now=NOW, numbers=2, start=False)
    await given_campaign(database, now=NOW, name="Survey", number_ids=[1, 2], start=False)
    has_it, go_on = asyncio.Event(), asyncio.Event()

    async def edit_survey(other: AnyDatabase) -> None:
        async with other.write() as tx:
            await tx.value("hold_campaign", campaign_id=2)
            has_it.set()
            await go_on.wait()
            await campaign_edits.edit(tx, "Survey", {"max_concurrent": 3}, NOW)

    async def exclude() -> None:
        async with database.write() as tx:
            await has_it.wait()
            await campaign_edits.exclude_number(tx, f"+{FIRST_NUMBER + 1}", "US", None, NOW)

    async with (
        opened(store, random.Random(2), busy_timeout_s=5) as other,
        asyncio.TaskGroup() as both,
    ):
        both.create_task(edit_survey(other))
        both.create_task(exclude())
        await waiting_for_a_lock(database)
        go_on.set()

    assert (await found(database, "Survey"))["max_concurrent"] == 3
    assert await rows(database, "SELECT DISTINCT number_id FROM campaign_numbers") == [(2,)]


async def waiting_for_a_lock(database: AnyDatabase) -> None:
    """Until somebody waits for somebody else."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    async with asyncio.timeout(30):
        while (await rows(database, query))[0][0] == 0:  # noqa: ASYNC110  a database tells nobody
            await asyncio.sleep(0.01)


# -- archive, delete ------------------------------------------------------------------------------


async def given_import(
    database: Database, campaign_id: CampaignId, *, digest: str = "d", beat_at: int = NOW
) -> Begun:
    """A list that is brought into a campaign, of whose worker there was a sign of life."""
    async with database.write() as tx:
        job = await Job.start(tx, JobKind.IMPORT, "l.csv", beat_at)
        identity = Identity(digest, 10, campaign_id, "{}")
        return await import_records.begin(
            tx, identity, job, NOW, file_name="l.csv", mapping={}, report_path=""
        )


async def test_a_campaign_into_which_a_list_is_brought_is_not_deleted(
    database: Database,
) -> None:
    campaign_id = await given_campaign(database, now=NOW, start=False)
    begun = await given_import(database, campaign_id)

    async with database.write() as tx:
        with pytest.raises(WrongStateError, match=f"import {begun.import_id} is") as refused:
            await campaign_edits.delete(tx, "Renewals", NOW)

    assert refused.value.next_step == f"dialer jobs cancel {begun.job.id}"
    async with database.write() as tx:
        await begun.job.finish(tx, NOW, state=JobState.CANCELLED)
        gone = await campaign_edits.delete(tx, "Renewals", NOW)
    assert gone == Deleted(0, [begun.import_id])


async def test_an_import_whose_campaign_is_gone_stores_nothing_more(database: Database) -> None:
    campaign_id = await given_campaign(database, now=NOW, start=False)
    begun = await given_import(database, campaign_id, beat_at=NOW - 3_600_000)
    async with database.write() as tx:  # its worker only slept
        assert (await campaign_edits.delete(tx, "Renewals", NOW)).imports == [begun.import_id]

    async with database.write() as tx:
        with pytest.raises(NotFoundError, match="the campaign is gone"):
            await contacts.enrol(tx, [Person(phone(1))], Enrolment(campaign_id), NOW)
        with pytest.raises(NotFoundError, match="the campaign is gone"):
            await member_edits.retry(tx, campaign_id, [1], member_edits.Again(), NOW)
        with pytest.raises(WrongStateError, match="its campaign was deleted"):
            await import_records.checkpoint(
                tx, begun, campaign_id, START, Position(9, 1), 0, rows_read=1, added=0,
                updated=0, same=0, rejected=0, members_added=0, elsewhere=0,
            )  # fmt: skip


async def test_a_running_campaign_is_not_archived_and_a_draft_may_come_back(
    database: Database,
) -> None:
    await given_campaign(database, now=NOW, contacts=1)
    await given_campaign(database, now=NOW, name="Draft", number_ids=[1], start=False)
    async with database.write() as tx:
        with pytest.raises(WrongStateError, match="is active"):
            await campaign_edits.archive(tx, "Renewals", NOW)
        assert (await campaign_edits.archive(tx, "Draft", NOW))["archived_at"] == NOW
        assert (await campaign_edits.restore(tx, "Draft", NOW))["archived_at"] is None


async def test_a_campaign_that_never_called_is_deleted_and_its_contacts_stay(
    database: Database,
) -> None:
    await given_campaign(database, now=NOW, contacts=3, start=False)
    async with database.write() as tx:
        gone = await campaign_edits.delete(tx, "Renewals", NOW)

    assert gone.members == 3
    with pytest.raises(NotFoundError):
        await found(database)
    assert len(await rows(database, "SELECT id FROM contacts")) == 3
    assert await rows(database, "SELECT campaign_id FROM campaign_numbers") == []


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        (
            (
                "INSERT INTO attempts (id, member_id, campaign_id, number_id, owner, phone, state,"
                " day, intent_at, send_at, check_at)"
                " VALUES (?1, 1, 1, 1, 1, '+1', 'ended', '', 0, 0, 0)"
            ),
            "has made 1 attempts",
        ),
        (
            (
                "INSERT INTO dnc (phone, campaign_id, source, created_at)"
                " VALUES (?1, 1, 'operator', 0)"
            ),
            "has 1 do-not-call entries",
        ),
    ],
)
async def test_what_must_stay_known_keeps_its_campaign(
    database: Database, statement: str, words: str
) -> None:
    await given_campaign(database, now=NOW, contacts=1, start=False)
    async with database.write() as tx:
        await write(
            tx,
            "INSERT INTO daemons (id, name, started_at, lease_until) VALUES (?1, 'd', 0, 0)",
            [(1,)],
        )
        await write(tx, statement, [("+12025550001",)])
        with pytest.raises(WrongStateError, match=words):
            await campaign_edits.delete(tx, "Renewals", NOW)


async def test_a_running_campaign_is_not_deleted(database: Database) -> None:
    await given_campaign(database, now=NOW, contacts=1)
    async with database.write() as tx:
        with pytest.raises(WrongStateError, match="is active"):
            await campaign_edits.delete(tx, "Renewals", NOW)


# -- the settings as texts ------------------------------------------------------------------------

WAITS = st.lists(st.integers(1, 10**6), min_size=1, max_size=4).map(tuple)
LABEL = st.text(st.characters(exclude_characters=",", exclude_categories=["Cs"]), min_size=1)


@given(
    st.builds(
        NewCampaign,
        name=st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
        agent_id=st.just(0),
        numbers=st.just(()),
        notes=st.text(st.characters(exclude_categories=["Cs"])),
        labels=st.lists(LABEL.map(str.strip).filter(bool), unique=True, max_size=3).map(tuple),
        start_at=st.none() | st.integers(0, 4 * 10**12),
        strategy=st.sampled_from(Strategy),
        spam_threshold=st.integers(1, 9) | st.just(6.5),
        max_calls_per_day=st.integers(1, 1000),
        stay_on_number=st.booleans(),
        call_interval_s=st.integers(0, 86_400) | st.just(0.5),
        max_concurrent=st.integers(1, 10_000),
        ring_timeout_s=st.integers(5, 120),
        amd=st.sampled_from(AmdMode),
        on_machine=st.sampled_from(OnMachine),
        max_retries=st.integers(0, 10),
        retry_intervals_s=WAITS,
        retry_rules=st.dictionaries(st.sampled_from(Outcome), WAITS | st.just(NEVER), max_size=3),
        completion_timeout_s=st.integers(0, 30 * 86_400),
        callee_calls_per_day=st.integers(1, 100),
        callee_calls_per_week=st.integers(1, 100),
    )
)
def test_settings_are_read_back_as_they_were_written(campaign: NewCampaign) -> None:
    texts = {name: text for name, text in shown(campaign).items() if name != "start_at"}
    read = from_toml(to_toml(shown(campaign)))

    left_out = {"amd_shadow": "none"}  # nothing, in that setting's own word
    assert {key: read.get(key, left_out.get(key, "")) for key in texts} == texts
    assert NewCampaign(**{"agent_id": 0, "numbers": (), **read_fields(read)}) == campaign


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("call_intervall = '5s'", "unknown setting 'call_intervall'; did you mean 'call_interval'"),
        ("call_interval = ", "not TOML"),
        ("retries = 2\nmax_retries = 3", "retries is stated twice"),
        ("notes = {a = 1}", "notes: .* cannot be a setting"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        from_toml(text)


def test_a_file_may_be_written_as_toml_has_it() -> None:
    text = """
        retries = 3
        stay_on_number = false
        retry_interval = ["30m", "2h"]
        retry_rule = {busy = ["5m", "15m"], rejected = "never"}
        start_at = 2026-12-01T09:00:00Z
    """
    assert read_fields(from_toml(text)) == {
        "max_retries": 3,
        "stay_on_number": False,
        "retry_intervals_s": (1800, 7200),
        "retry_rules": {Outcome.BUSY: (300, 900), Outcome.REJECTED: NEVER},
        "start_at": 1_796_115_600_000,
    }


async def test_the_id_of_a_deleted_campaign_never_comes_again(database: Database) -> None:
    gone = await given_campaign(database, now=NOW, contacts=1, start=False)
    async with database.write() as tx:
        await campaign_edits.delete(tx, "Renewals", NOW)

    assert await given_campaign(database, now=NOW, name="Other", number_ids=[1], start=False) > gone
