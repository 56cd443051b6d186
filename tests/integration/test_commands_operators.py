"""`dialer numbers`, `schedule`, `agents` and `calls`, as an operator runs them."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dialer.carrier_sim.numbers import DEMO_NUMBERS
from dialer.carrier_sim.options import DEMO_AUTH_TOKEN
from tests.support.cli import ROOT, Cli

PHONE = "+12025550123"


@pytest.fixture
def cli(tmp_path: Path, sqlite_template: bytes) -> Cli:
    cli = Cli(tmp_path)
    cli.database.write_bytes(sqlite_template)
    return cli


# -- numbers --------------------------------------------------------------------------------------


def test_a_number_is_added_scored_switched_and_listed(cli: Cli) -> None:
    added = cli.here(
        "numbers", "add", "(202) 555-0123", "--name", "Main", "--max-live", "5", "--json"
    )
    cli.here("numbers", "score", PHONE, "7.5").ok()
    cli.here("numbers", "disable", PHONE).ok()

    assert added.ok().json == {"id": 1, "phone": PHONE}
    (listed,) = cli.here("numbers", "list", "--json").ok().json
    assert listed == {
        "id": 1,
        "phone": PHONE,
        "name": "Main",
        "status": "disabled",
        "calls_today": 0,
        "calls_total": 0,
        "score": 7.5,
        "band": "red",
        "score_source": "manual",
        "scored_at": listed["scored_at"],
        "zone": "America/New_York",
        "max_live": 5,
        "disabled_at": listed["disabled_at"],
        "created_at": listed["created_at"],
    }
    assert f"number {PHONE} is active" in cli.here("numbers", "enable", PHONE).ok().err
    assert cli.here("numbers", "list").ok().out == (
        f"{PHONE}\tMain\tactive\t0\t0\t7.5\tred\tAmerica/New_York\n"
    )


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("add", "555"), 2, "'555' is not a phone number"),
        (("add", PHONE, "--zone", "Nowhere"), 2, "not a time zone: 'Nowhere'"),
        (("add", PHONE, "--score", "11"), 2, "score: 11 is not between 0 and 10"),
        (("score", PHONE, "5"), 3, f"no number '{PHONE}'"),
        (("disable", PHONE), 3, f"no number '{PHONE}'"),
        (("sync",), 4, "the carrier is not set up"),
    ],
)
def test_what_cannot_be_done_with_a_number_is_said(
    cli: Cli, words: tuple[str, ...], code: int, message: str
) -> None:
    done = cli.here("numbers", *words)

    assert (done.code, done.out) == (code, "")
    assert message in done.err
    assert "Traceback" not in done.err


def test_the_numbers_of_the_account_are_taken_over_once(cli: Cli) -> None:
    with carrier() as settings:
        at_carrier = cli.set(**settings)
        first = at_carrier("numbers", "sync", "--json").ok()
        again = at_carrier("numbers", "sync", "--json").ok()
        wrong = at_carrier.set(twilio_auth_token="wrong")("numbers", "sync", "--json")

    assert sorted(first.json["added"]) == sorted(DEMO_NUMBERS)
    assert again.json == {"owned": first.json["owned"], "added": []}
    assert (wrong.code, wrong.error["code"]) == (4, "credentials")
    listed = cli.here("numbers", "list", "--json").ok().json
    assert {each["phone"] for each in listed} == set(DEMO_NUMBERS)


@contextmanager
def carrier() -> Iterator[dict[str, str]]:
    """A simulated carrier's settings, as long as the block runs."""
    command = [sys.executable, "-m", "cli", "carrier-sim", "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            announced = json.loads(process.stdout.readline())
            yield {
                "twilio_base_url": announced["url"],
                "twilio_account_sid": announced["account_sid"],
                "twilio_auth_token": DEMO_AUTH_TOKEN,
                "public_url": "https://dialer.example.com",
            }
        finally:
            process.terminate()


# -- schedules ------------------------------------------------------------------------------------


def test_a_schedule_is_made_from_a_file(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "Night shift.toml"
    file.write_text('zone = "Asia/Kathmandu"\nweekly = "mon-fri 22:00-06:00"\n')

    cli.here("schedule", "create", "-f", str(file)).ok()
    cli.here("schedule", "create", "Named", "--file", str(file)).ok()

    asked = cli(
        "schedule", "check", "Night shift", "--json",
        "--at", "2026-01-09T23:30:00+05:45", "--at", "2026-01-10T06:00:00+05:45",
    ).ok().json  # fmt: skip
    assert asked == [
        {
            "at": "2026-01-09T17:45:00.000Z", "open": True,
            "next_open": "2026-01-09T17:45:00.000Z", "open_until": "2026-01-10T00:15:00.000Z",
        },
        {
            "at": "2026-01-10T00:15:00.000Z", "open": False,
            "next_open": "2026-01-12T16:15:00.000Z", "open_until": None,
        },
    ]  # fmt: skip
    names = [each["name"] for each in cli.here("schedule", "list", "--json").ok().json]
    assert names == ["Night shift", "Named"]


def test_a_file_that_is_no_schedule_is_refused_whole(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "office.toml"
    file.write_text('zone = "UTC"\nweekly = "mon 9-25"\n')

    wrong = cli.here("schedule", "create", "-f", str(file))
    missing = cli.here("schedule", "create", "-f", str(tmp_path / "none.toml"))
    both = cli.here("schedule", "create", "-f", str(file), "--hours", "daily 9-17")
    neither = cli.here("schedule", "create", "Office")

    assert [done.code for done in (wrong, missing, both, neither)] == [2, 2, 2, 2]
    assert "office.toml: weekly: not a time of day: '25'" in wrong.err
    assert "No such file" in missing.err
    assert "a file states everything" in both.err
    assert "needs a name and --hours, or a file" in neither.err
    assert cli.here("schedule", "list", "--json").ok().json == []


def test_a_schedule_is_made_shown_and_asked(cli: Cli) -> None:
    cli(
        "schedule", "create", "Office", "--zone", "Europe/Berlin", "--calendar", "DE-BY",
        "--hours", "mon-fri 09:00-12:00,13:00-18:00; sat 10:00-14:00",
        "--closed", "2026-12-24", "--exception", "2026-12-31 09:00-12:00",
    ).ok()  # fmt: skip

    shown = cli.here("schedule", "show", "Office", "--json").ok().json
    assert shown["weekly"]["sat"] == ["10:00-14:00"]
    assert (shown["holidays"], shown["calendars"]) == (["2026-12-24"], ["DE-BY"])
    assert shown["exceptions"] == {"2026-12-31": ["09:00-12:00"]}
    assert "2026-12-24\tclosed" in cli.here("schedule", "show", "Office").ok().out
    assert cli.here("schedule", "list").ok().out == (
        "1\tOffice\tEurope/Berlin\tmon-fri 09:00-12:00,13:00-18:00; sat 10:00-14:00\t0\n"
    )
    times = ("--at", "2026-12-31T11:59:00+01:00", "--at", "2026-12-31T11:00:00Z")
    assert cli.here("schedule", "check", "Office", *times, "--json").ok().json == [
        {
            "at": "2026-12-31T10:59:00.000Z",
            "open": True,
            "next_open": "2026-12-31T10:59:00.000Z",
            "open_until": "2026-12-31T11:00:00.000Z",
        },
        {
            "at": "2026-12-31T11:00:00.000Z",
            "open": False,
            "next_open": "2027-01-02T09:00:00.000Z",
            "open_until": None,
        },
    ]


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("create", "X", "--hours", "moon 9-17"), 2, "not a day: 'moon'"),
        (("create", "X", "--hours", "mon 9-17", "--zone", "Berlin"), 2, "'Europe/Berlin'"),
        (("create", "X", "--hours", "mon 9-17", "--calendar", "XX"), 2, "not a holiday calendar"),
        (("create", "X", "--hours", "mon 9-17", "--closed", "24.12."), 2, "not a date: '24.12.'"),
        (("check", "X", "--at", "2026-12-31T11:00:00"), 2, "does not say its offset"),
        (("check", "X"), 3, "there is no schedule 'X'"),
        (("show", "X"), 3, "there is no schedule 'X'"),
    ],
)
def test_what_cannot_be_done_with_a_schedule_is_said(
    cli: Cli, words: tuple[str, ...], code: int, message: str
) -> None:
    done = cli.here("schedule", *words)

    assert (done.code, done.out) == (code, "")
    assert message in done.err


# -- agents ---------------------------------------------------------------------------------------


def test_agents_are_added_and_listed(cli: Cli) -> None:
    cli.here("agents", "add", "Hello", "--say", "Hello {{name}}", "--option", "language=en-US").ok()
    cli.here(
        "agents", "add", "Sales", "--sip", "sip:sales@example.com", "--option", "password=x"
    ).ok()

    listed = cli.here("agents", "list", "--json").ok().json
    assert [(each["name"], each["kind"], each["options"]) for each in listed] == [
        ("Hello", "message", {"language": "en-US"}),
        ("Sales", "sip", {"password": "set"}),
    ]
    assert (
        cli.here("agents", "list").ok().out.splitlines()[0]
        == "1\tHello\tmessage\tHello {{name}}\t0"
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("X",), "give exactly one of --say"),
        (("X", "--say", "Hi", "--phone", PHONE), "give exactly one of --say"),
        (("X", "--stream", "https://example.com"), "does not fit stream: a wss:// address"),
        (("X", "--twiml-url", "http://example.com"), "an https:// address"),
        (("X", "--say", "Hi", "--option", "colour=red"), "agent option 'colour' is unknown"),
        (("X", "--say", "Hi", "--option", "voice"), "option 'voice': write NAME=VALUE"),
        ((" ", "--say", "Hi"), "an agent needs a name"),
    ],
)
def test_an_agent_nobody_could_talk_to_is_refused(
    cli: Cli, words: tuple[str, ...], message: str
) -> None:
    done = cli.here("agents", "add", *words)

    assert (done.code, done.out) == (2, "")
    assert message in done.err


# -- calls ----------------------------------------------------------------------------------------


def test_no_calls_are_an_empty_list(cli: Cli) -> None:
    assert cli.here("calls", "list", "--json").ok().json == []
    assert cli.here("calls", "list", "--campaign", "Nowhere").code == 3
