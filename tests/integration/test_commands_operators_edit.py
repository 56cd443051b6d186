"""Numbers, schedules, agents and calls that are there, as operators look at and change them."""

from pathlib import Path

import pytest

from tests.integration.test_commands_operators import carrier
from tests.support.cli import Cli

PHONE = "+16465550100"
OTHER = "+16465550101"


@pytest.fixture
def dialer(tmp_path: Path, sqlite_template: bytes) -> Cli:
    """Two numbers, a schedule, and a campaign that has one of each."""
    dialer = Cli(tmp_path)
    dialer.database.write_bytes(sqlite_template)
    for phone in (PHONE, OTHER):
        dialer.here("numbers", "add", phone).ok()
    dialer.here(
        "schedule", "create", "Office", "--hours", "mon-fri 09:00-17:00", "--zone",
        "Europe/Berlin", "--calendar", "DE",
    ).ok()  # fmt: skip
    dialer.here(
        "campaign", "create", "Renewals", "--number", PHONE, "--schedule", "Office", "--say", "Hi"
    ).ok()
    return dialer


# -- numbers --------------------------------------------------------------------------------------


def test_a_number_tells_who_calls_from_it_and_what_is_in_the_way(dialer: Cli) -> None:
    dialer.here("numbers", "score", PHONE, "8", "--json").ok()
    shown = dialer.here("numbers", "show", PHONE, "--json").ok().json

    (serving,) = shown["campaigns"]
    assert (shown["score"], shown["live"], serving["campaign"]) == (8.0, 0, "Renewals")
    assert serving["why_not"] == "score 8 is at the threshold of 7 or above"
    assert "0 of 100" in dialer.here("numbers", "show", PHONE).ok().out
    disabled = dialer.here("numbers", "disable", PHONE, "--json").ok().json
    assert disabled == {"id": 1, "phone": PHONE, "status": "disabled"}


def test_a_number_is_taken_out_of_a_campaign_that_has_another(dialer: Cli) -> None:
    refused = dialer.here("numbers", "exclude", PHONE, "--campaign", "Renewals")
    dialer.here("campaign", "edit", "Renewals", "--set", f"numbers={PHONE},{OTHER}").ok()
    done = dialer.here("numbers", "exclude", PHONE, "--yes", "--json").ok().json

    assert (refused.code, "would have no number" in refused.err) == (2, True)
    assert done == {"phone": PHONE, "campaigns": ["Renewals"]}
    pool = dialer.here("campaign", "settings", "get", "Renewals", "numbers").ok().out
    assert pool == f"{OTHER}\n"


def test_a_number_that_was_never_used_is_removed(dialer: Cli) -> None:
    assert "in use by 'Renewals'" in dialer.here("numbers", "remove", PHONE, "--yes").err
    dialer.here("numbers", "remove", OTHER, "--yes").ok()

    listed = dialer.here("numbers", "list", "--json").ok().json
    assert [each["phone"] for each in listed] == [PHONE]


def test_the_carrier_is_asked_whether_a_number_may_be_called_from(tmp_path: Path) -> None:
    with carrier() as settings:
        dialer = Cli(tmp_path).set(**settings)
        owned = dialer.here("numbers", "sync", "--json").ok().json["owned"][0]
        dialer.here("numbers", "add", OTHER).ok()

        fine = dialer.here("numbers", "test", owned, "--json").ok().json
        strange = dialer.here("numbers", "test", OTHER, "--json")
        dialer.here("numbers", "disable", owned).ok()
        disabled = dialer.here("numbers", "test", owned, "--json")

    assert fine == {"phone": owned, "callable": True, "troubles": []}
    assert (strange.code, strange.json["callable"]) == (1, False)
    assert (disabled.code, disabled.json["troubles"]) == (7, ["it is disabled here"])


# -- schedules ------------------------------------------------------------------------------------


def test_a_schedule_is_changed_and_its_campaigns_go_by_it(dialer: Cli) -> None:
    before = dialer.here("campaign", "list", "--json").ok().json[0]["hours"]
    words = ("--hours", "daily 00:00-24:00", "--without", "DE", "--closed", "2030-12-24")
    dry = dialer.here("schedule", "edit", "Office", *words, "--dry-run").ok()
    assert dialer.here("campaign", "list", "--json").ok().json[0]["hours"] == before
    dialer.here("schedule", "edit", "Office", *words, "--rename", "Always").ok()

    assert "calendars\tDE\t" in dry.out
    shown = dialer.here("schedule", "show", "Always", "--json").ok().json
    assert (shown["calendars"], shown["holidays"]) == ([], ["2030-12-24"])
    assert "open" in dialer.here("campaign", "list", "--json").ok().json[0]["hours"]
    entry = dialer.here("audit-log", "list", "--json").ok().json[0]
    assert (entry["action"], entry["subject"]) == ("schedule.edit", "Office")


def test_a_schedule_is_stated_anew_by_a_file(dialer: Cli) -> None:
    (dialer.folder / "night.toml").write_text('zone = "UTC"\nweekly = "daily 22:00-06:00"\n')
    dialer.here("schedule", "edit", "Office", "-f", "night.toml").ok()

    assert dialer.here("schedule", "show", "Office", "--json").ok().json["zone"] == "UTC"


def test_a_schedule_tells_when_it_opens_and_what_its_days_are_like(dialer: Cli) -> None:
    words = ("schedule", "next", "Office", "--at", "2026-12-24T18:00:00Z", "--count", "2")
    assert dialer.here(*words, "--json").ok().json == [
        {"opens": "2026-12-28T08:00:00.000Z", "closes": "2026-12-28T16:00:00.000Z"},
        {"opens": "2026-12-29T08:00:00.000Z", "closes": "2026-12-29T16:00:00.000Z"},
    ]
    assert "CET" in dialer.here(*words, "--tz", "Europe/Berlin").ok().out
    days = dialer.here(
        "schedule", "preview", "Office", "--from", "2026-12-31", "--days", "3", "--json"
    ).ok().json["days"]  # fmt: skip
    assert [(day["date"], day["hours"], day["holidays"]) for day in days] == [
        ("2026-12-31", ["09:00-17:00"], []),
        ("2027-01-01", [], ["New Year's Day"]),
        ("2027-01-02", [], []),
    ]


def test_a_schedule_that_no_campaign_has_is_deleted(dialer: Cli) -> None:
    assert "in use by 'Renewals'" in dialer.here("schedule", "delete", "Office", "--yes").err
    dialer.here("campaign", "edit", "Renewals", "--set", "schedule=none").ok()
    dialer.here("schedule", "delete", "1", "--yes").ok()

    assert dialer.here("schedule", "list", "--json").ok().json == []


# -- agents ---------------------------------------------------------------------------------------


def test_an_agent_is_shown_changed_and_removed(dialer: Cli) -> None:
    dialer.here("agents", "edit", "Renewals", "--say", "Bye", "--option", "voice=alice").ok()
    shown = dialer.here("agents", "show", "Renewals", "--json").ok().json

    assert (shown["target"], shown["options"]) == ("Bye", {"voice": "alice"})
    assert shown["campaigns"] == ["Renewals"]
    dialer.here("agents", "edit", "1", "--option", "voice=", "--rename", "Voice").ok()
    assert dialer.here("agents", "show", "Voice", "--json").ok().json["options"] == {}
    assert "talks for 'Renewals'" in dialer.here("agents", "remove", "Voice", "--yes").err
    dialer.here("agents", "add", "Spare", "--say", "Hello").ok()
    dialer.here("agents", "remove", "Spare", "--yes").ok()
    assert len(dialer.here("agents", "list", "--json").ok().json) == 1


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("numbers", "show", "+19995550100"), 3, "there is no number"),
        (("numbers", "exclude", OTHER, "-c", "Renewals"), 3, "does not call from"),
        (("numbers", "exclude", PHONE), 2, "add --yes"),
        (("numbers", "remove", PHONE), 2, "add --yes"),
        (("numbers", "test", PHONE), 4, "the carrier is not set up"),
        (("schedule", "edit", "Office"), 2, "there is nothing to change"),
        (("schedule", "edit", "Night", "--zone", "UTC"), 3, "there is no schedule 'Night'"),
        (("schedule", "edit", "Office", "--zone", "Mars"), 2, "not a time zone: 'Mars'"),
        (("schedule", "edit", "Office", "--calendar", "XX"), 2, "not a holiday calendar"),
        (("schedule", "edit", "Office", "--without", "DF"), 2, "no 'DF' to take away"),
        (("schedule", "edit", "Office", "--rename", "7"), 2, "would be taken for an id"),
        (("schedule", "preview", "Office", "--from", "soon"), 2, "--from 'soon' is not a date"),
        (("schedule", "next", "Office", "--at", "noon"), 2, "'noon' is not a time"),
        (("schedule", "delete", "Office"), 5, "in use by 'Renewals'"),
        (("agents", "edit", "Renewals"), 2, "there is nothing to change"),
        (("agents", "edit", "Renewals", "--stream", "http://x"), 2, "does not fit stream"),
        (("agents", "edit", "Renewals", "--option", "pitch=1"), 2, "'pitch' is unknown"),
        (("agents", "edit", "Nobody", "--say", "x"), 3, "there is no agent 'Nobody'"),
        (("agents", "remove", "Renewals"), 2, "add --yes"),
        (("calls", "show", "CA1"), 3, "there is no call 'CA1'"),
        (("calls", "hangup", "CA1"), 3, "there is no call 'CA1'"),
    ],
)
def test_what_cannot_be_done_is_said_and_changes_nothing(
    dialer: Cli, words: tuple[str, ...], code: int, said: str
) -> None:
    before = dialer.here("audit-log", "list", "--json").ok().json
    done = dialer.here(*words)

    assert (done.code, done.out) == (code, "")
    assert said in done.err
    assert dialer.here("audit-log", "list", "--json").ok().json == before
