"""`dialer contacts edit, tag, priority, retry, skip, remove, history`, as an operator runs them."""

import asyncio
import random
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from dialer.commands import contacts_given
from dialer.commands.member_acts import Act, Chosen, in_portions
from dialer.commands.session import Desk
from dialer.model import CampaignId
from dialer.people import member_edits
from dialer.people.member_edits import Judged
from dialer.ports import Tx
from dialer.settings import Settings
from dialer.store.opening import opened
from tests.support.cli import Cli
from tests.support.engine import SetClock

ANN, BOB, CARL = "+4915123456789", "+4915123456780", "+4915123456781"
NOBODY = "+4915123456799"


@pytest.fixture
def cli(tmp_path: Path, sqlite_template: bytes) -> Cli:
    cli = Cli(tmp_path, {"DIALER_DEFAULT_REGION": "DE"})
    cli.database.write_bytes(sqlite_template)
    return cli


@pytest.fixture
def campaign(cli: Cli) -> str:
    """A campaign with Ann and Bob in it."""
    cli.here("numbers", "add", "+12025550123").ok()
    cli.here("campaign", "create", "Renewals", "--number", "+12025550123", "--say", "Hi").ok()
    for phone, name in ((ANN, "Ann"), (BOB, "Bob")):
        cli.here("contacts", "add", phone, "--name", name, "-c", "Renewals").ok()
    return "Renewals"


def put(cli: Cli, statement: str, *values: Any) -> None:
    with closing(sqlite3.connect(cli.database)) as connection, connection:
        connection.execute(statement, values)


def fetched(cli: Cli, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(cli.database)) as connection:
        return connection.execute(query).fetchall()


def ended(cli: Cli, contact: int, state: str, reason: str | None = None) -> None:
    put(
        cli,
        "UPDATE members SET state = ?, reason = ? WHERE contact_id = ?",
        state,
        reason,
        contact,
    )


def given(cli: Cli, text: str, name: str = "who.txt") -> str:
    (cli.folder / name).write_text(text, encoding="utf-8")
    return f"@{name}"


def states(cli: Cli) -> list[tuple[Any, ...]]:
    return fetched(cli, "SELECT state, reason FROM members ORDER BY id")


# -- edit -----------------------------------------------------------------------------------------


def test_a_person_is_mended_and_shown_before_and_after(cli: Cli, campaign: str) -> None:
    words = ("contacts", "edit", "0151 23456789", "--zone", "Asia/Tokyo", "--var", "city=Rome")

    dry = cli.here(*words, "--dry-run").ok()
    done = cli.here(*words, "--json").ok().json
    back = cli.here("contacts", "edit", ANN, "--zone", "", "--var", "city=").ok()

    assert "zone\t\tAsia/Tokyo" in dry.out
    assert "nothing was changed" in dry.err
    assert done["changed"] == ["zone", "variables"]
    assert done["after"]["variables"] == {"city": "Rome"}
    assert done["members_moved"] == 1
    assert "1 membership moved" in back.err
    assert "next:  dialer explain" in back.err
    again = cli.here("contacts", "edit", "1", "--zone", "")
    assert "known so already" in again.ok().err


def test_a_wrong_number_is_corrected_unless_it_is_taken(cli: Cli, campaign: str) -> None:
    taken = cli.here("contacts", "edit", ANN, "--phone", BOB, "--json")
    done = cli.here("contacts", "edit", ANN, "--phone", CARL).ok()

    assert (taken.code, taken.error["code"]) == (5, "wrong_state")
    assert CARL in done.err
    assert fetched(cli, "SELECT phone FROM contacts ORDER BY id") == [(CARL,), (BOB,)]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ([ANN], 2),
        ([ANN, "--var", "city"], 2),
        ([ANN, "--zone", "Europe/Bonn"], 2),
        ([ANN, "--phone", "12"], 2),
        ([NOBODY, "--name", "x"], 3),
    ],
)
def test_an_edit_that_cannot_be_says_why(
    cli: Cli, campaign: str, words: list[str], code: int
) -> None:
    done = cli.here("contacts", "edit", *words)

    assert done.code == code
    assert done.err.startswith("error: ")


# -- tag ------------------------------------------------------------------------------------------


def test_tags_are_put_on_by_name_by_file_and_by_campaign(cli: Cli, campaign: str) -> None:
    cli.here("contacts", "add", CARL).ok()
    file = given(cli, f"\ufeff{ANN}\n\n 2 \n")

    named = cli.here("contacts", "tag", file, "--add", "vip", "--json").ok().json
    members = cli.here("contacts", "tag", "-c", campaign, "--add", "x", "-n", "--json").ok().json
    everybody = cli.here("contacts", "tag", "--all", "--remove", "vip", "--json").ok().json
    failed = cli.here(
        "contacts", "tag", "-c", campaign, "--state", "failed", "--add", "y", "--json"
    )

    assert (named["changed"], named["same"]) == (2, 0)
    assert (members["changed"], members["dry_run"]) == (2, True)
    assert (everybody["changed"], everybody["same"]) == (2, 1)
    assert failed.ok().json["changed"] == 0
    assert fetched(cli, "SELECT DISTINCT tags FROM contacts") == [("[]",)]


@pytest.mark.parametrize(
    "words",
    [
        [ANN],
        ["--add", "x"],
        [ANN, "--all", "--add", "x"],
        [ANN, "--state", "failed", "--add", "x"],
        ["@nowhere.txt", "--add", "x"],
        [ANN, "--add", "x", "--remove", "x"],
    ],
)
def test_tags_without_a_word_of_whose_or_which_are_refused(
    cli: Cli, campaign: str, words: list[str]
) -> None:
    assert cli.here("contacts", "tag", *words).code == 2


def test_names_that_are_nobodys_stop_it_unless_the_others_will_do(cli: Cli, campaign: str) -> None:
    words = ("contacts", "tag", ANN, NOBODY, "--add", "vip")

    stopped = cli.here(*words)
    partly = cli.here(*words, "--partial", "--json")

    assert stopped.code == 3
    assert NOBODY in stopped.err
    assert "--partial" in stopped.err
    assert partly.code == 7
    assert partly.json["unknown"] == [NOBODY]
    assert fetched(cli, "SELECT tags FROM contacts WHERE id = 1") == [('["vip"]',)]


def test_contacts_come_from_standard_input(cli: Cli, campaign: str) -> None:
    done = cli("contacts", "skip", "-", "-c", campaign, "--json", stdin=f"{ANN}\n2\n".encode())

    assert done.ok().json["changed"] == 2


# -- priority, skip -------------------------------------------------------------------------------


def test_a_priority_is_given_and_given_again(cli: Cli, campaign: str) -> None:
    first = cli.here("contacts", "priority", ANN, BOB, "high", "-c", campaign, "--json").ok()
    again = cli.here("contacts", "priority", ANN, "high", "-c", campaign).ok()

    assert first.json["changed"] == 2
    assert "0 members" in again.err
    assert "is so already" in again.err
    assert fetched(cli, "SELECT priority FROM members") == [(0,), (0,)]
    assert cli.here("contacts", "priority", ANN, "urgent", "-c", campaign).code == 2
    assert cli.here("contacts", "priority", "high", "-c", campaign).code == 2


def test_whoever_waits_is_skipped_and_brought_back(cli: Cli, campaign: str) -> None:
    dry = cli.here("contacts", "skip", ANN, "-c", campaign, "--dry-run").ok()
    done = cli.here("contacts", "skip", ANN, "-c", campaign, "--reason", "asked-by-mail").ok()
    again = cli.here("contacts", "skip", ANN, "-c", campaign)

    assert "nothing was changed" in dry.err
    assert "contacts retry" in done.err
    assert states(cli)[0] == ("failed", "skipped")
    assert again.code == 5
    assert "is failed already" in again.err
    told = cli.here("contacts", "history", ANN, "--json").ok().json
    assert told[-1]["text"].endswith(": asked-by-mail")
    cli.here("contacts", "retry", ANN, "-c", campaign).ok()
    assert states(cli)[0] == ("pending", None)


def test_a_reason_is_a_label_because_it_is_kept_for_ever(cli: Cli, campaign: str) -> None:
    for reason in ("Ann said so", "call +4915123456789", "room-4"):
        done = cli.here("contacts", "skip", ANN, "-c", campaign, "--reason", reason)

        assert done.code == 2
    assert states(cli)[0] == ("pending", None)


def test_somebody_who_is_being_called_is_left_alone(cli: Cli, campaign: str) -> None:
    ended(cli, 1, "dialing")

    for act in ("skip", "retry"):
        alone = cli.here("contacts", act, ANN, "-c", campaign)
        assert alone.code == 5
        assert f"{ANN} is being called" in alone.err
        assert "next:  dialer explain" in alone.err
    both = cli.here("contacts", "skip", ANN, BOB, "-c", campaign, "--json")

    assert both.code == 7
    assert both.json["changed"] == 1
    assert both.json["left_contacts"] == [{"id": 1, "phone": ANN, "why": "in_call"}]
    assert states(cli) == [("dialing", None), ("failed", "skipped")]


def test_whoever_is_in_no_such_campaign_is_named(cli: Cli, campaign: str) -> None:
    cli.here("contacts", "add", CARL).ok()

    stopped = cli.here("contacts", "skip", ANN, CARL, "-c", campaign)
    partly = cli.here("contacts", "skip", ANN, CARL, "-c", campaign, "--partial", "--json")

    assert stopped.code == 3
    assert f"{CARL} is not in campaign 'Renewals'" in stopped.err
    assert (partly.code, partly.json["not_members"]) == (7, 1)
    assert cli.here("contacts", "skip", ANN, "-c", "Nowhere").code == 3
    assert cli.here("contacts", "skip", "-c", campaign).code == 2


# -- retry ----------------------------------------------------------------------------------------


def test_those_who_failed_are_called_again(cli: Cli, campaign: str) -> None:
    ended(cli, 1, "failed", "attempts_exhausted")
    ended(cli, 2, "failed", "invalid_number")
    words = ("contacts", "retry", "--all-failed", "-c", campaign)

    dry = cli.here(*words, "--dry-run", "--json").ok().json
    unsure = cli.here(*words)
    done = cli.here(*words, "--yes", "--json").ok().json
    said = cli.here("contacts", "retry", "-c", campaign, "--reason", "invalid_number", "-y").ok()

    assert (dry["changed"], dry["left"]) == (1, {"unless_said": 1})
    assert unsure.code == 2
    assert "--yes" in unsure.err
    assert (done["changed"], done["left_contacts"]) == (1, [])
    assert "1 member of 'Renewals'" in said.err
    assert states(cli) == [("pending", None)] * 2


def test_one_who_failed_for_good_is_called_when_the_reason_is_named(
    cli: Cli, campaign: str
) -> None:
    ended(cli, 1, "failed", "invalid_number")

    refused = cli.here("contacts", "retry", ANN, "-c", campaign)

    assert refused.code == 5
    assert "failed as invalid_number" in refused.err
    assert refused.err.rstrip().endswith("--reason invalid_number")
    cli.here("contacts", "retry", ANN, "-c", campaign, "--reason", "invalid_number").ok()


def test_nobody_on_the_list_is_called_again(cli: Cli, campaign: str) -> None:
    ended(cli, 1, "completed")
    cli.here("dnc", "add", ANN).ok()

    refused = cli.here("contacts", "retry", ANN, "-c", campaign, "--reason", "do_not_call")

    assert refused.code == 5
    assert "on the do-not-call list" in refused.err


def test_a_call_again_may_be_put_off(cli: Cli, campaign: str) -> None:
    ended(cli, 1, "no_conversation")

    done = cli.here("contacts", "retry", ANN, "-c", campaign, "--at", "2099-01-01T00:00:00Z").ok()

    assert "from 2099-01-01" in done.err
    assert fetched(cli, "SELECT next_at FROM members WHERE id = 1") == [(4_070_908_800_000,)]


def test_those_whose_call_ended_so_are_called_again(cli: Cli, campaign: str) -> None:
    ended(cli, 1, "no_conversation")
    put(cli, "UPDATE members SET last_outcome = 'machine' WHERE id = 1")

    done = cli.here("contacts", "retry", "--outcome", "machine", "-c", campaign, "-y", "--json")

    assert done.ok().json["changed"] == 1


def test_a_completed_campaign_is_made_active_with_a_word(cli: Cli, campaign: str) -> None:
    ended(cli, 1, "failed", "attempts_exhausted")
    put(cli, "UPDATE campaigns SET status = 'completed'")

    unsure = cli.here("contacts", "retry", ANN, "-c", campaign)
    cli.here("contacts", "retry", ANN, "-c", campaign, "--yes").ok()

    assert unsure.code == 2
    assert "becomes active again" in unsure.err
    assert fetched(cli, "SELECT status FROM campaigns") == [("active",)]


def test_a_cancelled_campaign_calls_nobody_again(cli: Cli, campaign: str) -> None:
    ended(cli, 1, "failed", "cancelled")
    put(cli, "UPDATE campaigns SET status = 'cancelled'")

    assert cli.here("contacts", "retry", ANN, "-c", campaign, "--yes").code == 5


@pytest.mark.parametrize(
    "words", [[], [ANN, "--all-failed"], [ANN, "--outcome", "busy"], [ANN, "--at", "noon"]]
)
def test_a_retry_of_nobody_in_particular_is_refused(
    cli: Cli, campaign: str, words: list[str]
) -> None:
    assert cli.here("contacts", "retry", "-c", campaign, *words).code == 2


def test_calls_to_several_people_are_asked_about(cli: Cli, campaign: str) -> None:
    ended(cli, 1, "failed", "attempts_exhausted")
    ended(cli, 2, "completed")

    unsure = cli.here("contacts", "retry", ANN, BOB, "-c", campaign)
    cli.here("contacts", "retry", ANN, BOB, "-c", campaign, "--yes").ok()

    assert unsure.code == 2
    assert "Call 2 people of 'Renewals' again?" in unsure.err
    assert states(cli) == [("pending", None)] * 2


async def test_whoever_stops_a_long_act_is_told_how_far_it_came(
    cli: Cli, campaign: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contacts_given, "PORTION", 1)

    async def apply(tx: Tx, of: CampaignId, ids: Sequence[int], now: int) -> Judged:
        if ids == [2]:
            raise asyncio.CancelledError
        return await member_edits.skip(tx, of, ids, "", now)

    act = Act(member_edits.why_not_skipped, apply, "skipped", "")
    async with opened(str(cli.database), random.Random(1), busy_timeout_s=5) as database:
        desk = Desk(Settings(), database, SetClock())
        with pytest.raises(asyncio.CancelledError):
            await in_portions(desk, act, Chosen({"id": 1, "name": campaign}, [1, 2], True))

    assert "stopped: 1 member of 'Renewals' done" in capsys.readouterr().err
    assert states(cli) == [("failed", "skipped"), ("pending", None)]


# -- remove ---------------------------------------------------------------------------------------


def test_somebody_is_taken_out_of_a_campaign(cli: Cli, campaign: str) -> None:
    unsure = cli.here("contacts", "remove", ANN, "-c", campaign)
    dry = cli.here("contacts", "remove", ANN, "-c", campaign, "--dry-run").ok()
    done = cli.here("contacts", "remove", ANN, "-c", campaign, "--yes", "--json").ok().json

    assert unsure.code == 2
    assert "would be taken out" in dry.err
    assert done["changed"] == 1
    assert fetched(cli, "SELECT contact_id FROM members") == [(2,)]
    assert fetched(cli, "SELECT count(*) FROM contacts") == [(2,)]


def test_somebody_who_was_dialed_is_to_be_skipped(cli: Cli, campaign: str) -> None:
    put(cli, "UPDATE members SET attempt_id = 'gone', state = 'retry' WHERE id = 1")

    refused = cli.here("contacts", "remove", ANN, "-c", campaign, "--yes")
    kept = cli.here("contacts", "remove", ANN, "--everywhere", "--yes")

    assert refused.code == 5
    assert f"next:  dialer contacts skip {ANN} -c 'Renewals'" in refused.err
    assert kept.code == 5
    assert f"next:  dialer erase {ANN}" in kept.err


def test_a_contact_is_forgotten_everywhere(cli: Cli, campaign: str) -> None:
    words = ("contacts", "remove", ANN, NOBODY, "--everywhere", "--partial")

    dry = cli.here(*words, "--dry-run")
    unsure = cli.here(*words)
    done = cli.here(*words, "--yes", "--json")
    bob = cli.here("contacts", "remove", BOB, "--everywhere", "--yes").ok()

    assert (dry.code, unsure.code, done.code) == (7, 2, 7)
    assert "would be forgotten" in dry.err
    assert done.json == {
        "dry_run": False, "removed": 1, "memberships": 1, "unknown": [NOBODY],
    }  # fmt: skip
    assert "1 contact forgotten, with 1 membership" in bob.err
    assert fetched(cli, "SELECT count(*) FROM contacts") == [(0,)]


@pytest.mark.parametrize("words", [[ANN], [ANN, "-c", "Renewals", "--everywhere"]])
def test_it_is_said_from_where_somebody_is_removed(
    cli: Cli, campaign: str, words: list[str]
) -> None:
    assert cli.here("contacts", "remove", *words).code == 2


# -- history --------------------------------------------------------------------------------------


def test_a_history_is_one_time_line(cli: Cli, campaign: str) -> None:
    cli.here("contacts", "edit", ANN, "--name", "Ann Lee").ok()
    cli.here("dnc", "add", ANN, "--note", "by letter").ok()

    told = cli.here("contacts", "history", ANN, "--json").ok().json
    shown = cli.here("contacts", "history", "1").ok()

    assert [each["kind"] for each in told] == ["added", "enrolled", "act", "do_not_call"]
    assert told == sorted(told, key=lambda each: each["at"])
    assert len(shown.out.splitlines()) == len(told)
    assert cli.here("contacts", "history", NOBODY).code == 3
    assert f"dialer contacts history {ANN}" in cli.here("contacts", "show", ANN).ok().err
