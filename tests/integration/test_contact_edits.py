"""What is known of a contact, changed by hand: fields, place, number, tags; and its history."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer import audit_log, do_not_call
from dialer.erased import ErasedPhones, PhoneKey
from dialer.errors import NotFoundError, UsageError, WrongStateError
from dialer.model import CampaignId, CarrierStatus
from dialer.people import contacts, member_edits
from dialer.people import edits as contact_edits
from dialer.people import history as contact_history
from dialer.people.edits import Edit, Edited, Tags
from dialer.people.history import Happening, Kind
from dialer.people.member_edits import Again
from dialer.people.person import Person
from dialer.places import place_of
from dialer.ports import Database
from dialer.store.opening import AnyDatabase, opened
from tests.support.engine import (
    NOW,
    Daemon,
    SetClock,
    assert_sound,
    attempt_of,
    daemon_on,
    given_claimer,
    rows,
    running,
    status,
    until,
)
from tests.support.given import FIRST_PHONE, WASHINGTON, given_campaign, write

S = CarrierStatus
KEY: Final = PhoneKey(b"a key of the test's own")
ERASED: Final = ErasedPhones(lambda: KEY)
FREE: Final[dict[str, Any]] = {
    "call_interval_s": 0,
    "max_concurrent": 1000,
    "completion_timeout_s": 0,
    "max_retries": 0,
}
NEW: Final = "+13125550199"


@pytest.fixture
async def daemon(store: str, database: AnyDatabase) -> AsyncIterator[Daemon]:
    async with daemon_on(store, database) as alive:
        yield alive


def phone(contact: int) -> str:
    return f"+{FIRST_PHONE + contact}"


async def changed(database: Database, contact_id: int, **fields: Any) -> Edited:
    async with database.write() as tx:
        return await contact_edits.change(tx, contact_id, Edit(**fields), ERASED, NOW)


async def given_person(database: Database, person: Person) -> int:
    async with database.write() as tx:
        await contacts.add(tx, person, None, NOW)
        (found,) = await tx.rows("contacts_by_phone", phones=json.dumps([person.phone]))
    return int(found["id"])


async def places(database: Database) -> list[tuple[Any, ...]]:
    return await rows(database, "SELECT id, window_key FROM members ORDER BY id")


# -- fields ---------------------------------------------------------------------------------------


async def test_what_is_told_takes_the_place_of_what_was_known(database: AnyDatabase) -> None:
    person = Person(phone(1), "Ann", "a@example.com", variables={"city": "Rome", "plan": "gold"})
    contact_id = await given_person(database, person)

    done = await changed(
        database, contact_id, name="Ann Lee", email="", variables={"city": "Bonn", "plan": ""}
    )

    assert done.changed == ["name", "email", "variables"]
    ((name, email, variables),) = await rows(
        database, "SELECT name, email, variables FROM contacts"
    )
    assert (name, email, json.loads(variables)) == ("Ann Lee", "", {"city": "Bonn"})


async def test_an_edit_that_says_what_is_known_changes_nothing(database: AnyDatabase) -> None:
    contact_id = await given_person(database, Person(phone(1), "Ann"))

    done = await changed(database, contact_id, name="Ann", zone="", variables={"city": ""})

    assert done.changed == []
    async with database.read() as tx:
        assert await audit_log.listed(tx, action="contacts.edit") == []


async def test_looking_changes_nothing(database: AnyDatabase) -> None:
    contact_id = await given_person(database, Person(phone(1), "Ann"))

    async with database.read() as tx:
        seen = await contact_edits.look(tx, contact_id, Edit(name="Bob", phone=NEW), ERASED)

    assert seen.changed == ["phone", "name"]
    assert await rows(database, "SELECT phone, name FROM contacts") == [(phone(1), "Ann")]


async def test_the_audit_log_has_which_fields_and_not_what_is_in_them(
    database: AnyDatabase,
) -> None:
    contact_id = await given_person(database, Person(phone(1), "Ann"))

    await changed(database, contact_id, name="Secret", zone="Europe/Rome")

    async with database.read() as tx:
        (entry,) = await audit_log.listed(tx, action="contacts.edit")
    assert json.loads(entry.after)["fields"] == ["name", "zone"]
    assert "Secret" not in entry.after
    assert "Rome" not in entry.after


@pytest.mark.parametrize(
    "fields", [{"zone": "Europe/Bonn"}, {"zone": "EST5"}, {"variables": {" ": "x"}}]
)
async def test_what_cannot_be_is_refused(database: AnyDatabase, fields: dict[str, Any]) -> None:
    contact_id = await given_person(database, Person(phone(1)))

    with pytest.raises(UsageError):
        await changed(database, contact_id, **fields)


async def test_nobody_edits_whoever_is_not_there_or_was_erased(database: AnyDatabase) -> None:
    contact_id = await given_person(database, Person(phone(1)))
    async with database.write() as tx:
        await write(tx, "UPDATE contacts SET phone = ?1", [("erased:0123",)])

    with pytest.raises(WrongStateError, match="was erased"):
        await changed(database, contact_id, name="Ann")
    with pytest.raises(NotFoundError):
        await changed(database, 99, name="Ann")


# -- where a callee may be ------------------------------------------------------------------------


async def test_members_go_to_the_queue_of_the_place_where_the_callee_is(
    database: AnyDatabase,
) -> None:
    campaign = await given_campaign(database, now=NOW, contacts=2, **FREE)

    done = await changed(database, 1, zone="Asia/Tokyo")
    back = await changed(database, 1, zone="")

    tokyo = place_of(phone(1), "Asia/Tokyo").key
    assert (done.place, done.members_moved) == (tokyo, 1)
    assert (back.place, back.members_moved) == (WASHINGTON, 1)
    assert await places(database) == [(1, WASHINGTON), (2, WASHINGTON)]
    claimer = await given_claimer(database, SetClock())
    assert len(await claimer.take(campaign)) == 2


async def test_a_call_that_is_being_made_goes_on_when_its_callee_moves(daemon: Daemon) -> None:
    campaign = await given_campaign(daemon.database, now=NOW, contacts=1, **FREE)
    (claim,) = await daemon.take(campaign)
    await daemon.engine.calls.receive(status(claim, S.RINGING, NOW))

    await changed(daemon.database, 1, zone="Asia/Tokyo")
    await daemon.engine.reaper.sweep()
    await daemon.engine.calls.receive(status(claim, S.COMPLETED, NOW, duration_s=30))

    assert daemon.carrier.cancelled == []
    assert (await attempt_of(daemon.database, claim))["outcome"] == "human"
    assert await places(daemon.database) == [(1, place_of(phone(1), "Asia/Tokyo").key)]
    await assert_sound(daemon.database)


async def test_a_request_that_has_not_left_does_not_leave_for_where_nobody_looked(
    daemon: Daemon,
) -> None:
    campaign = await given_campaign(daemon.database, now=NOW, contacts=1, **FREE)
    claims = await daemon.take(campaign)
    await changed(daemon.database, 1, zone="Asia/Tokyo")

    daemon.engine.launcher.add(claims)
    async with running(daemon.engine.launcher.run):
        await until(lambda: not daemon.engine.launcher.busy)
        await daemon.batcher.settled()

    assert daemon.carrier.orders == []


# -- another number -------------------------------------------------------------------------------


async def test_a_number_is_corrected_and_its_members_wait_on(database: AnyDatabase) -> None:
    campaign = await given_campaign(database, now=NOW, contacts=1, **FREE)

    done = await changed(database, 1, phone=NEW)

    assert done.changed == ["phone"]
    assert done.members_moved == 1
    claimer = await given_claimer(database, SetClock())
    assert [claim.to for claim in await claimer.take(campaign)] == [NEW]


async def test_a_number_that_is_somebodys_is_not_given_again(database: AnyDatabase) -> None:
    await given_campaign(database, now=NOW, contacts=2, **FREE)

    with pytest.raises(WrongStateError, match="is a contact already"):
        await changed(database, 1, phone=phone(2))


async def test_whoever_asked_not_to_be_called_gets_no_other_number(database: AnyDatabase) -> None:
    await given_campaign(database, now=NOW, contacts=1, **FREE)
    async with database.write() as tx:
        await do_not_call.add(tx, [phone(1)], NOW)

    with pytest.raises(WrongStateError, match="do-not-call"):
        await changed(database, 1, phone=NEW)


async def test_an_erased_number_is_given_to_nobody(database: AnyDatabase) -> None:
    await given_campaign(database, now=NOW, contacts=1, **FREE)
    async with database.write() as tx:
        hashes = [{"hash": each, "now": NOW} for each in (KEY.mark, KEY.hash(NEW))]
        await tx.many("add_erased", hashes)

    with pytest.raises(WrongStateError, match="was erased"):
        await changed(database, 1, phone=NEW)


@pytest.mark.parametrize("over", [False, True])
async def test_a_number_keeps_its_calls(daemon: Daemon, over: bool) -> None:
    campaign = await given_campaign(daemon.database, now=NOW, contacts=1, **FREE)
    (claim,) = await daemon.take(campaign)
    if over:
        await daemon.engine.calls.receive(status(claim, S.NO_ANSWER, NOW))

    with pytest.raises(WrongStateError, match="was dialed"):
        await changed(daemon.database, 1, phone=NEW)


async def test_a_number_changes_before_a_claim_or_after_it_and_never_meanwhile(store: str) -> None:
    async with another(store) as hands, another(store) as machine:
        campaign = await given_campaign(hands, now=NOW, contacts=1, **FREE)
        claimer = await given_claimer(machine, SetClock())

        taken, edited = await asyncio.gather(
            claimer.take(campaign), changed(hands, 1, phone=NEW), return_exceptions=True
        )

        assert not isinstance(taken, BaseException)
        (known,) = await rows(hands, "SELECT phone FROM contacts")
        (called,) = await rows(hands, "SELECT phone FROM attempts")
        assert known == called == (taken[0].to,)
        assert isinstance(edited, WrongStateError) is (known == (phone(1),))


def another(store: str) -> Any:
    """The same database, opened by somebody else."""
    return opened(store, random.Random(1), busy_timeout_s=5)


# -- tags -----------------------------------------------------------------------------------------


async def test_tags_come_and_go_and_the_others_stay(database: AnyDatabase) -> None:
    ann = await given_person(database, Person(phone(1), tags=("vip", "new")))
    bob = await given_person(database, Person(phone(2), tags=("old",)))
    tags = Tags(add=("old",), remove=("new",))

    async with database.write() as tx:
        assert await contact_edits.tag(tx, [ann, bob], tags, NOW) == 1
        assert await contact_edits.tag(tx, [ann, bob], tags, NOW) == 0

    assert await rows(database, "SELECT tags FROM contacts ORDER BY id") == [
        ('["vip","old"]',),
        ('["old"]',),
    ]
    async with database.read() as tx:
        (entry,) = await audit_log.listed(tx, action="contacts.tag")
    assert "vip" not in entry.after


@given(st.lists(st.sampled_from("abcd"), unique=True), st.data())
def test_tags_are_a_set_in_the_order_they_had(tags: list[str], data: st.DataObject) -> None:
    add = data.draw(st.lists(st.sampled_from("abcdef"), unique=True))
    remove = data.draw(st.lists(st.sampled_from("abcdef"), unique=True).map(
        lambda all_: [each for each in all_ if each not in add]
    ))  # fmt: skip

    after = Tags(add, remove).applied(tags)

    assert set(after) == (set(tags) - set(remove)) | set(add)
    assert len(after) == len(set(after))
    kept = [tag for tag in tags if tag not in remove]
    assert after[: len(kept)] == kept


@pytest.mark.parametrize(
    "tags", [Tags(), Tags(add=("a",), remove=("a",)), Tags(add=(" ",)), Tags(remove=("",))]
)
def test_tags_that_say_nothing_are_refused(tags: Tags) -> None:
    with pytest.raises(UsageError):
        tags.check()


async def test_contacts_are_chosen_by_campaign_and_state(database: AnyDatabase) -> None:
    campaign = await given_campaign(database, now=NOW, contacts=2, **FREE)
    async with database.write() as tx:
        await write(
            tx,
            "INSERT INTO contacts (id, phone, created_at, changed_at) VALUES (?1, ?2, 0, 0)",
            [(3, NEW)],
        )
        await member_edits.skip(tx, campaign, [2], "", NOW)

    async with database.read() as tx:
        assert await contact_edits.ids_of(tx) == [1, 2, 3]
        assert await contact_edits.ids_of(tx, campaign) == [1, 2]
        assert await contact_edits.ids_of(tx, campaign, "failed") == [2]


# -- forgotten ------------------------------------------------------------------------------------


async def test_a_contact_nobody_dialed_is_forgotten_everywhere(database: AnyDatabase) -> None:
    await given_campaign(database, now=NOW, contacts=2, **FREE)

    async with database.write() as tx:
        assert await contact_edits.delete(tx, 1, NOW) == 1

    assert await rows(database, "SELECT id FROM contacts") == [(2,)]
    assert await rows(database, "SELECT contact_id FROM members") == [(2,)]
    await assert_sound(database)


async def test_a_contact_that_was_dialed_stays(daemon: Daemon) -> None:
    campaign = await given_campaign(daemon.database, now=NOW, contacts=1, **FREE)
    await daemon.take(campaign)

    with pytest.raises(WrongStateError, match="was dialed") as refused:
        async with daemon.database.write() as tx:
            await contact_edits.delete(tx, 1, NOW)

    assert refused.value.next_step == f"dialer erase {phone(1)}"


# -- history --------------------------------------------------------------------------------------


async def history(database: Database, contact_id: int = 1) -> list[Happening]:
    async with database.read() as tx:
        contact = await tx.row("contact_by_id", contact_id=contact_id)
        assert contact is not None
        return list(await contact_history.history(tx, contact))


async def test_a_time_line_tells_everything_in_order(daemon: Daemon) -> None:
    database, clock = daemon.database, daemon.clock
    campaign = await given_campaign(database, now=NOW, contacts=2, **FREE)
    async with database.write() as tx:
        await contact_edits.change(tx, 1, Edit(name="Ann"), ERASED, clock.now())
    clock.pass_s(10)
    claim = next(each for each in await daemon.take(campaign) if each.to == phone(1))
    clock.pass_s(20)
    await daemon.engine.calls.receive(status(claim, S.NO_ANSWER, clock.now(), sip_code=480))
    clock.pass_s(30)
    await act(database, campaign, clock.now())
    clock.pass_s(40)
    async with database.write() as tx:
        await do_not_call.add(tx, [phone(1)], clock.now(), note="by letter")

    told = await history(database)

    assert [each.kind for each in told] == [
        Kind.ADDED, Kind.ENROLLED, Kind.ACT, Kind.ATTEMPT, Kind.NEWS, Kind.ENDED, Kind.ACT,
        Kind.DO_NOT_CALL,
    ]  # fmt: skip
    texts = [each.text for each in told]
    assert texts[2].startswith("contacts.edit by ")
    assert texts[2].endswith(": name")
    assert "SIP 480" in texts[4]
    assert texts[5] == "no_answer"
    assert texts[6].startswith("contacts.retry by ")
    assert texts[7] == "do-not-call list, added for every campaign: by letter"
    assert sorted(told, key=lambda each: each.at) == told
    assert {each.attempt_id for each in told if each.kind is Kind.NEWS} == {claim.attempt_id}


async def act(database: Database, campaign: CampaignId, now: int) -> None:
    async with database.write() as tx:
        await member_edits.retry(tx, campaign, [1], Again(), now)


async def test_what_was_done_to_somebody_else_is_not_told(database: AnyDatabase) -> None:
    campaign = await given_campaign(database, now=NOW, contacts=2, **FREE)
    async with database.write() as tx:
        await member_edits.skip(tx, campaign, [2], "moved", NOW)

    assert [each.kind for each in await history(database)] == [Kind.ADDED, Kind.ENROLLED]
    assert [each.text for each in await history(database, 2)][-1].endswith(": moved")


async def test_a_time_line_names_the_file_somebody_came_in_by(database: AnyDatabase) -> None:
    await given_campaign(database, now=NOW, contacts=1, **FREE)
    async with database.write() as tx:
        await write(
            tx,
            "INSERT INTO imports (id, file_name, digest, mapping, started_at)"
            " VALUES (?1, ?2, '', '', 0)",
            [(5, "people.csv")],
        )
        await write(tx, "UPDATE contacts SET import_id = ?1", [(5,)])
        await write(tx, "UPDATE members SET import_id = ?1", [(5,)])

    assert [each.text for each in await history(database)] == [
        "added, imported from people.csv",
        "became a member of 'Renewals', imported from people.csv",
    ]
