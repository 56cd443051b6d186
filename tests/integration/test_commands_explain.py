"""`dialer explain`, as an operator runs it."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli import Cli

ADA, CY = "+12125550101", "+18005550101"  # New York, and nowhere
#: A Wednesday: ten in New York, and eleven at night.
MORNING, NIGHT = "2026-11-04T10:00:00-05:00", "2026-11-04T23:00:00-05:00"


@pytest.fixture
def cli(tmp_path: Path, sqlite_template: bytes) -> Cli:
    cli = Cli(tmp_path)
    cli.database.write_bytes(sqlite_template)
    cli.here("numbers", "add", "+16465550100").ok()
    words = ("--number", "+16465550100", "--say", "Hello")
    cli.here("campaign", "create", "Renewals", *words).ok()
    for phone in (ADA, CY):
        cli.here("contacts", "add", phone, "--campaign", "Renewals").ok()
    cli.here("campaign", "start", "Renewals").ok()
    return cli


def explained(cli: Cli, *words: str) -> Any:
    (found,) = cli.here("explain", *words, "--json").ok().json["explanations"]
    return found


def reasons(found: Any) -> dict[str, str]:
    return {each["question"]: each["reason"] for each in found["checks"] if not each["passed"]}


def test_by_day_somebody_may_be_called_and_at_night_not(cli: Cli) -> None:
    by_day, at_night = explained(cli, ADA, "--at", MORNING), explained(cli, ADA, "--at", NIGHT)

    assert reasons(at_night)["calling window"] == "callee_hours"
    assert at_night["verdict"] == "later"
    # The members were made after that morning, so their due time lies ahead of it.
    assert set(reasons(by_day)) <= {"due"}


def test_the_first_line_says_it_and_the_last_ones_what_would_change_it(cli: Cli) -> None:
    shown = cli.here("explain", CY).ok()

    assert "contact +18005550101 (id 2)" in shown.err
    assert f"dialer contacts add {CY} --zone Europe/Berlin" in shown.err
    head, *lines = (line.split("\t") for line in shown.out.splitlines())
    assert head[:3] == ["Renewals", "later", "verdict"]
    assert head[3].endswith("(zone_unknown)")
    assert [line[2] for line in lines][:3] == ["member", "hold", "campaign status"]
    assert {line[0] for line in lines} == {"Renewals"}
    assert {line[1] for line in lines} == {"ok", "NO"}


def test_a_past_call_is_explained_by_its_id_or_as_the_last(cli: Cli) -> None:
    attempt = "0" * 32
    with closing(sqlite3.connect(cli.database)) as connection, connection:
        connection.execute(
            "INSERT INTO daemons (id, name, started_at, lease_until) VALUES (1, 'd', 0, 0)"
        )
        connection.execute(
            "INSERT INTO attempts (id, member_id, campaign_id, number_id, owner, phone, state, day,"
            " intent_at, send_at, check_at, sid, outcome, closed_at, window_key, local_hour)"
            " VALUES (?, 1, 1, 1, 1, ?, 'ended', '2026-11-04', 1793804400000, 1793804400000, 0,"
            " 'CA1', 'busy', 0, 'US-NY America/New_York', 10)",
            (attempt, ADA),
        )

    last = cli.here("explain", ADA, "--call", "last", "--json").ok().json
    by_sid = explained(cli, ADA, "--call", "CA1")

    assert by_sid == last["explanations"][0]
    assert (by_sid["verdict"], by_sid["at"]) == ("now", "2026-11-04T15:00:00.000Z")
    (zone,) = [each for each in by_sid["checks"] if each["question"] == "time zone"]
    assert zone["inputs"]["local time"] == {"America/New_York": "Wed 04 Nov 2026 10:00"}
    assert last["calls"][0]["outcome"] == "busy"
    other = cli.here("campaign", "create", "Other", "--number", "+16465550100", "--say", "Hi")
    assert other.code == 0
    assert cli.here("explain", ADA, "--campaign", "Other", "--call", "last").code == 3


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("+12125550199",), 3, "there is no contact"),
        ((ADA, "--campaign", "Renewls"), 3, "did you mean 'Renewals'"),
        ((ADA, "--call", "CA9"), 3, "has had no call 'CA9'"),
        ((ADA, "--at", "tomorrow"), 2, "'tomorrow' is not a time"),
        ((ADA, "--at", MORNING, "--call", "last"), 2, "leave --at out"),
    ],
)
def test_what_cannot_be_explained_is_said(
    cli: Cli, words: tuple[str, ...], code: int, told: str
) -> None:
    done = cli.here("explain", *words)

    assert done.code == code
    assert told in done.err


def test_whoever_is_in_no_campaign_is_said_to_be(cli: Cli) -> None:
    cli.here("contacts", "add", "+13125550101").ok()

    done = cli.here("explain", "+13125550101")

    assert done.code == 3
    assert "is no member of any campaign" in done.err


def test_where_no_rule_is_on_it_says_so(cli: Cli) -> None:
    for rule in ("US", "US-NY"):
        cli.here("rules", "off", rule, "--reason", "a trial").ok()

    assert "rules none in force" in cli.here("explain", ADA).ok().out
