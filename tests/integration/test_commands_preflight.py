"""`dialer campaign check`, and what a start says, as an operator meets them."""

import re
import shlex
from pathlib import Path

import pytest

from dialer.preflight.facts import Code
from tests.integration.test_commands_operators import carrier
from tests.support.cli import ROOT, Cli, Done

NUMBER = "+16465550100"
#: Places that are never closed, so that nothing here hangs on the hour at which it is run.
ANYTIME = ("rules", "off", "US", "--reason", "a test")
LOST = {
    "twilio_account_sid": "AC55555555555555555555555555555555",
    "twilio_auth_token": "5" * 32,
    "public_url": "https://dialer.example.com",
}


@pytest.fixture
def cli(tmp_path: Path, sqlite_template: bytes) -> Cli:
    cli = Cli(tmp_path).set(default_region="US", **LOST)
    cli.database.write_bytes(sqlite_template)
    return cli


def given(cli: Cli, people: str, *words: str) -> None:
    """A campaign with these people, beside a do-not-call list and a schedule."""
    (cli.folder / "people.csv").write_text(f"phone,name\n{people}", encoding="utf-8")
    cli.here("numbers", "add", NUMBER).ok()
    cli.here("schedule", "create", "Day", "--hours", "daily 08:00-22:00", "--zone", "UTC").ok()
    cli.here("dnc", "add", "+12025550199").ok()
    cli.here(
        "campaign", "create", "Renewals", "--number", NUMBER, "--say", "Hello {{name}}",
        "--schedule", "Day", *words,
    ).ok()  # fmt: skip
    cli.here("contacts", "import", "people.csv", "--campaign", "Renewals")


SOUND = "+12025550101,Ada\n+12125550102,Ben\n"
UNKNOWN = f"{SOUND}+18005550103,Cleo\n+18005550104,Dan\n"


def checked(cli: Cli, *words: str) -> Done:
    return cli.here("campaign", "check", "Renewals", *words)


def found(done: Done, level: str) -> list[str]:
    return [each["code"] for each in done.json["findings"] if each["level"] == level]


def status(cli: Cli) -> str:
    return str(cli.here("campaign", "status", "Renewals", "--json").ok().json["status"])


def test_a_sound_campaign_passes_even_strictly(cli: Cli) -> None:
    given(cli, SOUND)

    done = checked(cli, "--strict", "--json").ok()

    assert (found(done, "error"), found(done, "warning")) == ([], [])
    assert done.json["members"] == {
        "total": 2, "done": {}, "under_way": 0, "to_call": 2, "capped": 0, "do_not_call": 0,
        "zone_unknown": 0, "never_open": 0,
    }  # fmt: skip
    assert {each["regions"][0] for each in done.json["places"]} == {"US-DC", "US-NY"}
    assert done.json["next_at"].endswith("Z")
    assert status(cli) == "draft"


def test_the_json_keeps_its_names(cli: Cli) -> None:
    given(cli, UNKNOWN)

    report = checked(cli, "--json").ok().json

    assert set(report) == {
        "campaign", "id", "status", "at", "zone", "next_at", "open_now", "members", "places",
        "rules", "pace", "numbers", "placeholders_empty", "findings",
    }  # fmt: skip
    assert set(report["places"][0]) == {
        "regions", "zones", "members", "reach", "open_now", "open_today", "open_hours_a_week",
        "next_at",
    }  # fmt: skip
    assert set(report["pace"]) == {
        "seconds_between_calls", "bound_by", "seconds_a_call", "seconds_a_call_known",
        "open_hours_a_week", "least", "most", "expected", "within_days",
    }  # fmt: skip
    assert set(report["pace"]["least"]) == {
        "calls", "hours", "weeks", "number_days", "numbers_needed",
    }  # fmt: skip
    assert set(report["findings"][0]) == {"level", "code", "count", "text", "cure"}


def test_warnings_exit_7_only_when_it_is_strict(cli: Cli) -> None:
    given(cli, UNKNOWN)

    assert checked(cli).ok().out.startswith("Renewals  draft")
    strict = checked(cli, "--strict")

    assert strict.code == 7
    assert "2 of 4 contacts will be called, 2 will be skipped" in strict.out
    assert "warning  2 contacts are skipped: nobody knows what time it is" in strict.out
    assert "next:  dialer campaign check 'Renewals' --zones-unknown zones.csv" in strict.out
    assert "2\tUS ?\t\t0\tzone unknown" in strict.out
    assert "nothing here is legal advice" in strict.err


def test_whoever_has_no_zone_gets_one_by_the_file(cli: Cli) -> None:
    given(cli, UNKNOWN)

    said = checked(cli, "--zones-unknown", "zones.csv").ok()
    file = cli.folder / "zones.csv"
    lines = file.read_text(encoding="utf-8-sig").splitlines()
    file.write_text("\n".join([lines[0], *(f"{line}America/Chicago" for line in lines[1:])]))
    cli.here("contacts", "import", "zones.csv").ok()

    assert "2 contacts in zones.csv" in said.err
    assert lines[0] == "phone,name,timezone"
    assert found(checked(cli, "--strict", "--json").ok(), "warning") == []


@pytest.mark.parametrize(
    ("people", "code"),
    [("", "nobody_to_call"), ("+18005550103,Cleo\n", "everybody_skipped")],
)
def test_an_error_exits_5_and_refuses_the_start(cli: Cli, people: str, code: str) -> None:
    given(cli, people)

    done = checked(cli, "--json")
    start = cli.here("campaign", "start", "Renewals", "--json")

    assert (done.code, found(done, "error")) == (5, [code])
    assert (start.code, start.out, start.error["code"]) == (5, "", "wrong_state")
    assert "dialer contacts import" in start.error["next"]
    assert status(cli) == "draft"


def test_a_start_shows_what_should_not_be_missed(cli: Cli) -> None:
    given(cli, UNKNOWN)

    start = cli.here("campaign", "start", "Renewals", "--json").ok()

    assert start.json["status"] == "active"
    first, warning, more = start.err.splitlines()
    assert first.startswith("2 of 4 contacts will be called, 2 will be skipped")
    assert warning.startswith("warning: 2 contacts are skipped")
    assert more == "all of it:  dialer campaign check 'Renewals'"


def test_a_strict_start_refuses_for_a_warning_and_not_without(cli: Cli) -> None:
    given(cli, UNKNOWN)

    refused = cli.here("campaign", "start", "Renewals", "--strict")

    assert refused.code == 5
    assert "error: campaign 'Renewals' is not started: 2 contacts are skipped" in refused.err
    assert status(cli) == "draft"
    for phone in ("+18005550103", "+18005550104"):
        cli.here("contacts", "add", phone, "--zone", "America/Chicago").ok()
    assert "is active" in cli.here("campaign", "start", "Renewals", "--strict").ok().err


def test_what_cannot_be_started_is_said_as_ever(cli: Cli) -> None:
    given(cli, SOUND)
    cli.here("campaign", "start", "Renewals").ok()

    again = cli.here("campaign", "start", "Renewals", "--strict")
    nobody = cli.here("campaign", "start", "Renewal")

    assert again.code == 5
    assert again.err.startswith("error: campaign 'Renewals' is active: it cannot be started")
    assert (nobody.code, "did you mean 'Renewals'" in nobody.err) == (3, True)


def test_an_account_that_is_not_set_up_is_a_warning(cli: Cli) -> None:
    given(cli, SOUND)
    bare = Cli(cli.folder)

    done = checked(bare, "--json").ok()

    assert found(done, "warning") == ["carrier_not_set_up"]
    assert "DIALER_TWILIO_AUTH_TOKEN" in done.json["findings"][0]["text"]
    assert checked(bare, "--online").code == 4


def test_the_carrier_is_asked_for_its_numbers_only_online(cli: Cli) -> None:
    given(cli, SOUND)

    with carrier() as settings:
        online = checked(cli.set(**settings), "--online", "--json").ok()
    offline = checked(cli, "--json").ok()

    assert online.json["numbers"]["not_owned"] == [NUMBER]
    assert "numbers_not_owned" in found(online, "warning")
    assert offline.json["numbers"]["not_owned"] is None


def test_days_say_by_when_it_should_be_over(cli: Cli) -> None:
    given(cli, SOUND, "--max-calls-per-day", "1")

    pace = checked(cli, "--days", "2", "--json").ok().json["pace"]

    assert (pace["within_days"], pace["least"]["calls"], pace["most"]["calls"]) == (2, 2, 6)
    assert (pace["least"]["numbers_needed"], pace["most"]["numbers_needed"]) == (1, 3)


def test_at_any_hour_is_a_warning(cli: Cli) -> None:
    given(cli, SOUND)
    cli.here(*ANYTIME).ok()
    cli.here("rules", "off", "US-NY", "--reason", "a test").ok()
    cli.here("campaign", "create", "Night", "--number", NUMBER, "--say", "Hello").ok()
    cli.here("contacts", "import", "people.csv", "--campaign", "Night").ok()

    done = cli.here("campaign", "check", "Night", "--json").ok()

    assert found(done, "warning") == ["any_hour"]
    assert {"rule_off", "no_schedule"} <= set(found(done, "info"))


def test_the_commands_of_the_how_to_run_as_they_are_written(cli: Cli) -> None:
    page = (ROOT / "docs" / "how-to" / "before-a-campaign-starts.md").read_text()
    commands = re.findall(r"^ {4}dialer (.+)$", page, re.MULTILINE)
    given(cli, UNKNOWN)

    done = {command: cli.here(*shlex.split(command)).code for command in commands}

    assert len(commands) > 4
    expected = {"campaign check Renewals --strict": 7, "campaign start Renewals --strict": 5}
    assert done == {command: expected.get(command, 0) for command in commands}


def test_the_how_to_knows_every_finding() -> None:
    page = (ROOT / "docs" / "how-to" / "before-a-campaign-starts.md").read_text()
    table = page.partition("## All findings")[2]

    assert set(re.findall(r"`([a-z_]+)`", table)) - {"code"} == {code.value for code in Code}
