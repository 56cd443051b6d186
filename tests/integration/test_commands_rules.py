"""`dialer rules`, as an operator runs it."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.cli import Cli

FLORIDIAN = "+13055550123"
NEW_YORKER = "+12125550123"
NOON = "2026-11-04T12:00:00-05:00"


@pytest.fixture
def cli(tmp_path: Path, sqlite_template: bytes) -> Cli:
    cli = Cli(tmp_path)
    cli.database.write_bytes(sqlite_template)
    return cli


def states(cli: Cli, *words: str) -> dict[str, str]:
    listed = cli.here("rules", "list", "--json", *words).ok().json["rules"]
    return {rule["id"]: rule["state"] for rule in listed}


def is_open(cli: Cli, *words: str) -> bool:
    answer: bool = cli.here("rules", "check", *words, "--at", NOON, "--json").ok().json["open"]
    return answer


def test_the_list_says_what_it_is_and_is_not(cli: Cli) -> None:
    shown = cli.here("rules", "list").ok()
    as_data = cli.here("rules", "list", "--json").ok().json

    assert "rules of 2026-11; engineering data, not legal advice" in shown.err
    assert "not legal advice" in as_data["notice"]
    assert len(shown.out.splitlines()) == len(as_data["rules"]) == 39
    assert shown.out.splitlines()[5].split("\t") == [
        "US-FL", "on", "daily 08:00-20:00", "", "", "3/24h", "high",
    ]  # fmt: skip


def test_what_a_release_took_away_is_said(cli: Cli) -> None:
    changes = {"own": [], "off": {"XX": "long ago"}, "on": [], "made": 0}
    with closing(sqlite3.connect(cli.database)) as connection, connection:
        connection.execute(
            "INSERT INTO rule_sets (body, created_at) VALUES (?, 0)",
            (json.dumps({"pack": "2020-01", "changes": changes}),),
        )

    shown = cli.here("rules", "list").ok()

    assert "'XX' was switched on or off; this release has no such rule" in shown.err


def test_the_rules_about_a_region_are_listed(cli: Cli) -> None:
    assert states(cli, "--region", "us-fl") == {"US": "on", "US/debt": "off", "US-FL": "on"}
    assert states(cli, "--region", "PL") == {"*": "on"}
    assert states(cli, "--region", "*") == {"*": "on"}


def test_a_rule_is_shown_with_its_source(cli: Cli) -> None:
    facts = cli.here("rules", "show", "US-MS", "--json").ok().json
    shown = cli.here("rules", "show", "US-MS").ok()

    assert (facts["zone"], facts["hours"]) == ("America/Chicago", "mon-sat 08:00-20:00")
    assert facts["source"].startswith("https://")
    assert f"source\t{facts['source']}" in shown.out
    assert "not legal advice" in shown.err


def test_a_number_is_checked_against_all_that_binds(cli: Cli) -> None:
    asked = cli.here("rules", "check", FLORIDIAN, "--at", NOON, "--json").ok().json
    shown = cli.here("rules", "check", FLORIDIAN, "--at", "2026-11-04T21:00:00-05:00").ok()

    assert asked["regions"] == ["US-FL"]
    assert [rule["id"] for rule in asked["rules"]] == ["US", "US-FL"]
    assert (asked["open"], asked["next_open"]) == (True, "2026-11-04T17:00:00.000Z")
    assert asked["open_until"] == "2026-11-05T01:00:00.000Z"
    assert asked["caps"] == [{"calls": 3, "period_s": 86_400}]
    assert (asked["pack"], asked["rule_set"]) == ("2026-11", None)
    assert [line.split("\t")[0] for line in shown.out.splitlines()] == ["US", "US-FL"]
    assert "opens 2026-11-05 13:00:00 UTC" in shown.err


def test_a_region_is_checked_in_a_zone(cli: Cli) -> None:
    unknown = cli.here("rules", "check", "US-FL")
    shown = cli.here("rules", "check", "us-fl", "--zone", "America/Chicago", "--at", NOON).ok()
    anywhere = cli.here("rules", "check", "*", "--zone", "UTC", "--at", NOON).ok()

    assert (unknown.code, "in which zone of US-FL?" in unknown.err) == (2, True)
    assert "regions US-FL; zones America/Chicago" in shown.err
    assert "at most 3/24h calls to one number" in shown.err
    assert "open at 2026-11-04 17:00:00 UTC, until 2026-11-05 02:00:00 UTC" in shown.err
    assert "regions unknown; zones UTC" in anywhere.err


def test_whoever_may_be_anywhere_is_not_called(cli: Cli) -> None:
    shown = cli.here("rules", "check", "+18005550123", "--at", NOON).ok()

    assert "zones unknown, so nobody is called" in shown.err
    assert "and for the next 400 days" in shown.err
    assert not is_open(cli, "+18005550123")


def test_an_emergency_stop_is_one_command(cli: Cli) -> None:
    before = is_open(cli, NEW_YORKER), is_open(cli, FLORIDIAN)

    stopped = cli.here("rules", "add", "US-NY", "--closed", "--note", "state of emergency").ok()
    after = is_open(cli, NEW_YORKER), is_open(cli, FLORIDIAN)
    cli.here("rules", "remove", "own/1", "--yes").ok()

    assert (before, after) == ((True, True), (False, True))
    assert "nobody is called in US-NY any more, by rule own/1" in stopped.err
    assert "dialer rules remove own/1 takes it back" in stopped.err
    assert is_open(cli, NEW_YORKER)


def test_an_own_rule_narrows_what_others_leave(cli: Cli) -> None:
    added = cli.here(
        "rules", "add", "US-FL", "--hours", "Mon-Fri 13:00-18:00", "--holidays", "US", "--holidays",
        "US-FL", "--cap", "2/24h", "--note", "our promise", "--json",
    ).ok()  # fmt: skip

    assert added.json == {
        "id": "own/1",
        "region": "US-FL",
        "hours": "mon-fri 13:00-18:00",
        "holidays": ["US", "US-FL"],
        "caps": ["2/24h"],
        "zone": None,
        "valid_from": None,
        "valid_to": None,
        "note": "our promise",
    }
    asked = cli.here("rules", "check", FLORIDIAN, "--at", NOON, "--json").ok().json
    assert (asked["open"], asked["next_open"]) == (False, "2026-11-04T18:00:00.000Z")
    assert asked["caps"] == [{"calls": 2, "period_s": 86_400}]
    assert asked["rule_set"] == 1
    more = cli.here("rules", "add", "*", "--cap", "1/7d").ok()
    assert "rule own/2 is in force for everybody" in more.err


def test_nothing_is_removed_where_nobody_can_be_asked(cli: Cli) -> None:
    cli.here("rules", "add", "DE", "--hours", "mon-fri 10:00-18:00").ok()

    refused = cli("rules", "remove", "own/1")
    left = states(cli)
    removed = cli.here("rules", "remove", "own/1", "--yes", "--json").ok()

    assert (refused.code, "add --yes" in refused.err) == (2, True)
    assert "Remove rule own/1 for DE (mon-fri 10:00-18:00)?" in refused.err
    assert "own/1" in left
    assert removed.json["id"] == "own/1"
    assert "own/1" not in states(cli)


def test_a_rule_is_switched_off_with_a_reason_and_on_again(cli: Cli) -> None:
    off = cli.here("rules", "off", "GB", "--reason", "our counsel").ok()
    shown = cli.here("rules", "show", "GB").ok()
    unbound = cli.here("rules", "check", "GB", "--zone", "Europe/London", "--at", NOON).ok()
    on = cli.here("rules", "on", "GB", "--json").ok()
    scoped = cli.here("rules", "on", "US/debt").ok()
    again = cli.here("rules", "off", "US/debt", "--reason", "no debts", "--json").ok()

    assert "rule GB is off; whoever is called now is called on your word" in off.err
    assert "reason\tour counsel" in shown.out
    assert "no rule is in force for them" in unbound.err
    assert "until further notice" in unbound.err
    assert (on.json["state"], on.json["reason"]) == ("on", None)
    assert "rule US/debt is in force" in scoped.err
    (rule,) = again.json
    assert (rule["state"], rule["reason"]) == ("off", "no debts")


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("show", "US-FLA"), 3, "no rule 'US-FLA'; did you mean"),
        (("off", "GB"), 2, "--reason"),
        (("off", "GB", "--reason", " "), 2, "without a reason"),
        (("off", "US/debt", "--reason", "no debts"), 5, "off already"),
        (("on", "GB"), 5, "on already"),
        (("remove", "GB"), 2, "switch it off"),
        (("remove", "own/9", "--yes"), 3, "no rule 'own/9'"),
        (("list", "--region", "Florida"), 2, "not a region: 'FLORIDA'"),
        (("check", "12"), 2, "'12' is not a phone number"),
        (("check", "FR", "--zone", "Paris"), 2, "did you mean 'Europe/Paris'"),
        (("check", FLORIDIAN, "--at", "noon"), 2, "'noon' is not a time"),
        (("add", "DE", "--hours", "mon 9-5pm"), 2, "not a time of day: '5pm'"),
        (("add", "DE", "--holidays", "DE-XX"), 2, "not a holiday calendar: 'DE-XX'"),
        (("add", "US-FLA", "--closed"), 2, "did you mean"),
        (("add", "FR", "--hours", "daily 22:00-23:00"), 2, "no hours at all in FR"),
    ],
)
def test_what_cannot_be_done_is_said(
    cli: Cli, words: tuple[str, ...], code: int, message: str
) -> None:
    done = cli.here("rules", *words)

    assert (done.code, done.out) == (code, "")
    assert message in done.err
    assert "Traceback" not in done.err
    assert set(states(cli).values()) == {"on", "off"}
    assert cli.here("rules", "check", FLORIDIAN, "--json").ok().json["rule_set"] is None


def test_the_rules_as_delivered_can_be_read_before_there_is_a_database(tmp_path: Path) -> None:
    nowhere = Cli(tmp_path)

    listed = nowhere.here("rules", "list").ok()
    checked = nowhere.here("rules", "check", NEW_YORKER, "--at", NOON, "--json").ok()

    assert "these are the rules as they are delivered" in listed.err
    assert len(listed.out.splitlines()) == 39
    assert (checked.json["open"], checked.json["rule_set"]) == (True, None)
    assert not nowhere.database.exists()
