"""`dialer pause` and `dialer resume`, as an operator runs them; no daemon runs."""

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest

from dialer.store.opening import opened
from tests.support.cli import Cli
from tests.support.engine import NOW, rows
from tests.support.given import given_campaign, write


@pytest.fixture
def cli(tmp_path: Path, sqlite_template: bytes) -> Cli:
    """A deployment with two campaigns under way."""
    cli = Cli(tmp_path, {"DIALER_ACTOR": "ana"})
    cli.database.write_bytes(sqlite_template)
    given_two_campaigns(str(cli.database))
    return cli


@pytest.fixture
def anywhere(tmp_path: Path, store: str) -> Cli:
    """The same, on each kind of database."""
    given_two_campaigns(store)
    return Cli(tmp_path, {"DIALER_ACTOR": "ana", "DIALER_DATABASE": store})


def given_two_campaigns(store: str) -> None:
    async def give() -> None:
        async with opened(store, random.Random(1), busy_timeout_s=5) as database:
            await given_campaign(database, now=NOW, contacts=1)
            await given_campaign(
                database, now=NOW, contacts=1, name="Other", number_ids=[1], first_contact=5
            )

    asyncio.run(give())


def given_daemons(store: str, *versions: str) -> None:
    """Daemons that are alive, of those releases."""

    async def give() -> None:
        async with (
            opened(store, random.Random(1), busy_timeout_s=5) as database,
            database.write() as tx,
        ):
            await write(
                tx,
                "INSERT INTO daemons (name, started_at, lease_until, version)"
                " VALUES (?1, 0, 9000000000000, ?2)",
                [(f"host:{pid}", version) for pid, version in enumerate(versions, 1)],
            )

    asyncio.run(give())


def ask(store: str, query: str) -> list[tuple[Any, ...]]:
    async def answered() -> list[tuple[Any, ...]]:
        async with opened(store, random.Random(1), busy_timeout_s=5) as database:
            return await rows(database, query)

    return asyncio.run(answered())


def status(cli: Cli, name: str = "Renewals") -> dict[str, Any]:
    told: dict[str, Any] = cli.here("campaign", "status", name, "--json").ok().json
    return told


def test_everything_is_held_and_released(cli: Cli) -> None:
    done = cli.here("pause", "--all", "--reason", "wrong script", "--json").ok().json

    assert done["new"]
    assert done["calls"] == 0
    assert (done["hold"]["by"], done["hold"]["reason"]) == ("ana", "wrong script")
    told = status(cli)
    assert (told["status"], told["hold"]["by"]) == ("active", "ana")
    assert [each["reason"] for each in told["waiting"]] == ["held"]
    listed = cli.here("campaign", "list").ok().err
    assert "by ana: wrong script" in listed
    assert "dialer resume --all" in listed

    released = cli.here("resume", "--all").ok()

    assert "released" in released.err
    assert status(cli)["hold"] is None


def test_pulling_it_again_says_who_did(cli: Cli) -> None:
    cli.here("pause", "--all", "--reason", "wrong script").ok()

    again = cli.here("pause", "--all", "--hang-up").ok()

    assert "held already, since" in again.err
    assert "ana: wrong script" in again.err
    assert status(cli)["hold"]["hang_up"] is True


def test_campaigns_are_paused_by_name_all_or_none(cli: Cli) -> None:
    done = cli.here("pause", "Renewals", "Other", "--reason", "script", "--json").ok().json
    refused = cli.here("resume", "Renewals", "Nobody")

    assert [each["status"] for each in done] == ["paused", "paused"]
    assert refused.code == 3
    told = status(cli)
    assert (told["status"], told["paused_by"], told["pause_reason"]) == ("paused", "ana", "script")
    assert "by ana: script" in cli.here("campaign", "status", "Renewals").ok().out
    assert "'Other' is active" in cli.here("resume", "Renewals", "Other").ok().err
    assert status(cli)["paused_by"] is None


def test_a_campaign_is_hung_up_on(cli: Cli) -> None:
    cli.here("campaign", "pause", "Renewals").ok()
    cli.here("campaign", "pause", "Renewals", "--hang-up").ok()

    again = cli.here("campaign", "pause", "Renewals")

    assert again.code == 5
    actions = cli.here("audit-log", "list", "--json").ok().json
    assert [each["action"] for each in actions[:2]] == ["campaign.hang-up", "campaign.pause"]


@pytest.mark.parametrize("words", [("pause",), ("pause", "--all", "Renewals"), ("resume",)])
def test_it_must_be_said_what(cli: Cli, words: tuple[str, ...]) -> None:
    done = cli.here(*words)

    assert done.code == 2
    assert "either --all or the names" in done.err


def test_what_is_not_held_is_not_released(cli: Cli) -> None:
    done = cli.here("resume", "--all", "--json")

    assert (done.code, done.error["code"]) == (5, "wrong_state")


def test_a_start_under_the_hold_is_allowed_and_says_so(cli: Cli) -> None:
    made = ("campaign", "create", "Third", "--number", "+12025550123", "--say", "Hello")
    cli.here("numbers", "add", "+12025550123").ok()
    cli.here(*made).ok()
    cli.here("contacts", "add", "+12025550144", "--campaign", "Third").ok()
    cli.here("pause", "--all", "--reason", "lunch").ok()

    started = cli.here("campaign", "start", "Third").ok()

    assert "everything is held (ana: lunch)" in started.err
    assert status(cli, "Third")["status"] == "active"


# -- daemons that know of no hold -----------------------------------------------------------------


def test_a_daemon_of_an_earlier_release_is_named_and_not_counted_as_held(anywhere: Cli) -> None:
    given_daemons(anywhere.variables["DIALER_DATABASE"], "", "1.0")

    done = anywhere.here("pause", "--all", "--json")
    again = anywhere.here("--quiet", "pause", "--all")

    assert (done.code, again.code) == (7, 7)
    assert done.json["deaf"] == ["host:1"]
    assert "NOT HELD: host:1: an earlier release" in again.err
    assert "host:2" not in again.err


def test_daemons_of_this_release_are_held(anywhere: Cli) -> None:
    given_daemons(anywhere.variables["DIALER_DATABASE"], "1.0")

    assert anywhere.here("pause", "--all", "--json").ok().json["deaf"] == []


# -- after another tool has restored the database -------------------------------------------------

SINCE = "2026-01-05T14:00:00Z"
WANTED = "SELECT reconcile_since_at, reconciled_at FROM control"


def test_a_restored_database_is_held_until_it_is_reconciled(anywhere: Cli) -> None:
    store = anywhere.variables["DIALER_DATABASE"]

    done = anywhere.here(
        "pause", "--all", "--restored", SINCE, "--reason", "restored from x.dump", "--json"
    ).ok()
    refused = anywhere.here("resume", "--all", "--json")

    assert done.json["hold"]["reconcile_since"] == "2026-01-05T14:00:00.000Z"
    assert done.json["paused"] == ["Renewals", "Other"]
    assert (refused.code, refused.error["next"]) == (5, "dialer db reconcile")
    why = "restored from x.dump; look before you resume"
    paused = "SELECT DISTINCT status, pause_reason FROM campaigns"
    assert ask(store, paused) == [("paused", why)]

    later = anywhere.here("pause", "--all", "--restored", "2026-01-05T15:00:00Z").ok()

    assert "dialer db reconcile" in later.err
    assert ask(store, WANTED) == [(NOW - 3_600_000, None)]  # what was missing is missing still


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("pause", "Renewals", "--restored", SINCE), "about the whole database"),
        (("pause", "--all", "--restored", "2200-01-01T00:00:00Z"), "a time that is past"),
    ],
)
def test_restored_is_said_of_everything_and_of_the_past(
    anywhere: Cli, words: tuple[str, ...], why: str
) -> None:
    done = anywhere.here(*words)

    assert (done.code, why in done.err) == (2, True)
    query = "SELECT held_at FROM control"
    assert ask(anywhere.variables["DIALER_DATABASE"], query) == [(None,)]
