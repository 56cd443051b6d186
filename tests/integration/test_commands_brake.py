"""`dialer pause` and `dialer resume`, as an operator runs them; no daemon runs."""

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest

from dialer.store.opening import opened
from tests.support.cli import Cli
from tests.support.engine import NOW
from tests.support.given import given_campaign


@pytest.fixture
def cli(tmp_path: Path, sqlite_template: bytes) -> Cli:
    """A deployment with two campaigns under way."""
    cli = Cli(tmp_path, {"DIALER_ACTOR": "ana"})
    cli.database.write_bytes(sqlite_template)

    async def give() -> None:
        async with opened(str(cli.database), random.Random(1), busy_timeout_s=5) as database:
            await given_campaign(database, now=NOW, contacts=1)
            await given_campaign(
                database, now=NOW, contacts=1, name="Other", number_ids=[1], first_contact=5
            )

    asyncio.run(give())
    return cli


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
