"""Campaigns that are there are edited, cloned, archived and deleted."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer import campaign_edits, campaigns
from dialer.campaign_edits import Edit
from dialer.campaigns import NewCampaign
from dialer.commands.campaign_file import from_toml, to_toml
from dialer.commands.campaign_settings import read_fields, shown
from dialer.errors import NotFoundError, UsageError, WrongStateError
from dialer.model import AmdMode, OnMachine
from dialer.ports import Database, Row
from dialer.states import CampaignEvent, MemberState
from retries.outcome import Outcome
from retries.policy import NEVER
from rotation.strategies import Strategy
from tests.support.engine import NOW, rows
from tests.support.given import WASHINGTON, given_campaign, given_numbers, write


async def edit(database: Database, **changes: object) -> Edit:
    async with database.write() as tx:
        return await campaign_edits.edit(tx, "Renewals", changes, NOW)


async def found(database: Database, name: str = "Renewals") -> Row:
    async with database.read() as tx:
        return await campaigns.find(tx, name)


async def settings(database: Database, name: str = "Renewals") -> NewCampaign:
    async with database.read() as tx:
        return await campaign_edits.settings_of(tx, await campaigns.find(tx, name))


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
        row, members = await campaign_edits.clone(
            tx, "Renewals", None, [MemberState.FAILED], NOW + 5
        )

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
        names = [(await campaign_edits.clone(tx, "Renewals", None, (), NOW))[0] for _ in "ab"]

    assert [row["name"] for row in names] == ["Renewals (2)", "Renewals (3)"]


# -- archive, delete ------------------------------------------------------------------------------


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

    assert {key: read.get(key, "") for key in texts} == texts
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
