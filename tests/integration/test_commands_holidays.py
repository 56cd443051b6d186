"""`dialer holidays`, and own calendars in `dialer schedule`, as an operator runs them."""

import fcntl
import os
import re
import shlex
import struct
import subprocess
import sys
import termios
from contextlib import suppress
from pathlib import Path
from typing import Final

import pytest

from tests.support.cli import ROOT, Cli, Done

WIDE, NARROW = 100, 40

PAGE: Final = (ROOT / "docs" / "how-to" / "schedules-and-holidays.md").read_text()


@pytest.fixture
def cli(tmp_path: Path, sqlite_template: bytes) -> Cli:
    cli = Cli(tmp_path)
    cli.database.write_bytes(sqlite_template)
    return cli


@pytest.fixture
def calendar(cli: Cli) -> str:
    cli.here("holidays", "create", "LA PSC").ok()
    return "LA PSC"


@pytest.fixture
def office(cli: Cli, calendar: str) -> str:
    cli.here("holidays", "add", calendar, "2026-12-24", "Christmas", "Eve").ok()
    cli.here(
        "schedule", "create", "Office", "--zone", "UTC", "--hours", "mon-fri 09:00-17:00",
        "--calendar", "la psc", "--calendar", "US-LA", "--exception", "2026-12-28 10:00-12:30",
    ).ok()  # fmt: skip
    return "Office"


def is_open(cli: Cli, at: str) -> bool:
    (answer,) = cli.here("schedule", "check", "Office", "--at", at, "--json").ok().json
    return bool(answer["open"])


def on_terminal(cli: Cli, width: int, *words: str) -> str:
    """What a command shows on a terminal of so many columns that knows colours."""
    screen, terminal = os.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, width, 0, 0))
    kept = {k: v for k, v in cli.environment.items() if k not in ("NO_COLOR", "COLUMNS")}
    shown = b""
    with subprocess.Popen(
        [sys.executable, "-m", "cli", *words],
        cwd=cli.folder,
        env=kept | {"TERM": "xterm"},
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
    ) as process:
        os.close(terminal)
        with suppress(OSError):  # the other end is closed
            while piece := os.read(screen, 65_536):
                shown += piece
    os.close(screen)
    assert process.returncode == 0, shown
    return shown.decode().replace("\r\n", "\n")


def given(cli: Cli, data: str, name: str = "days.csv") -> Path:
    path = cli.folder / name
    path.write_text(data, encoding="utf-8")
    return path


# -- calendars -------------------------------------------------------------------------------------


def test_a_calendar_is_made_filled_listed_and_shown(cli: Cli, calendar: str) -> None:
    added = cli.here(
        "holidays", "add", "la psc", "2026-12-24..2026-12-26", "Christmas", "--json"
    ).ok()
    listed = cli.here("holidays", "list", "--json").ok().json
    shown = cli.here("holidays", "show", "La Psc", "--year", "2026", "--json").ok().json

    assert added.json == {
        "name": "LA PSC", "days": 3, "added": 3, "renamed": 0, "removed": {}, "schedules": [],
    }  # fmt: skip
    (facts,) = listed
    assert facts["created_at"].endswith("Z")
    assert facts | {"created_at": ""} == {
        "name": "LA PSC", "own": True, "days": 3, "first": "2026-12-24", "last": "2026-12-26",
        "schedules": [], "created_at": "",
    }  # fmt: skip
    assert shown["days"][0] == {"date": "2026-12-24", "weekday": "Thu", "name": "Christmas"}
    assert cli.here("holidays", "show", calendar).ok().out.splitlines() == [
        "2026-12-24\tThu\tChristmas", "2026-12-25\tFri\tChristmas", "2026-12-26\tSat\tChristmas",
    ]  # fmt: skip
    assert cli.here("holidays", "list").ok().out == "LA PSC\t3\t2026-12-24\t2026-12-26\t\n"
    assert (
        cli.here("holidays", "show", calendar, "--year", "2031", "--json").ok().json["days"] == []
    )


def test_what_was_done_is_said(cli: Cli, office: str) -> None:
    some = cli.here("holidays", "add", "LA PSC", "2026-12-24..2026-12-25", "Closed").ok()
    again = cli.here("holidays", "add", "LA PSC", "2026-12-25", "Closed").ok()
    out = cli.here("holidays", "remove", "LA PSC", "2026-12-25").ok()

    assert some.err.splitlines() == [
        "1 day added to 'LA PSC', 1 day renamed",
        "schedules that close on them from now on: 'Office'",
        "next:  dialer holidays show 'LA PSC'",
    ]
    assert "had all of it already; nothing was changed" in again.err
    assert out.err.splitlines() == [
        "2026-12-25 'Closed' is out of 'LA PSC'",
        "schedules that no longer close on them, from now on: 'Office'",
    ]
    assert some.out == again.out == out.out == ""


def test_public_holidays_are_shown_with_names_and_weekdays(cli: Cli) -> None:
    shown = cli.here("holidays", "show", "US-LA", "--year", "2026").ok()
    facts = cli.here("holidays", "show", "US-LA", "--json").ok().json

    assert "2026-02-17\tTue\tMardi Gras" in shown.out
    assert "2026-07-03\tFri\tIndependence Day (observed)" in shown.out
    assert (facts["name"], facts["own"], facts["schedules"]) == ("US-LA", False, [])
    assert len({day["date"][:4] for day in facts["days"]}) == 1


def test_the_list_tells_of_calendars_that_have_run_out(cli: Cli, calendar: str) -> None:
    cli.here("schedule", "create", "Office", "--hours", "mon 9-17", "--calendar", calendar).ok()
    empty = cli.here("holidays", "list").ok()
    cli.here("holidays", "add", calendar, "2020-12-24", "Eve").ok()
    over = cli.here("holidays", "list").ok()

    assert "'LA PSC' has no day at all: schedules that name it close for none" in empty.err
    assert "'LA PSC' has no day after 2020-12-24" in over.err
    assert over.out == "LA PSC\t1\t2020-12-24\t2020-12-24\tOffice\n"


def test_the_first_look_says_what_to_do(cli: Cli) -> None:
    done = cli.here("holidays", "list").ok()

    assert done.out == ""
    assert "make one: dialer holidays create NAME" in done.err
    assert "as in DE, DE-BY, US-CA" in done.err


def test_calendars_are_looked_for_by_name(cli: Cli) -> None:
    found = cli.here("holidays", "search", "Louisiana").ok()
    none = cli.here("holidays", "search", "luisiana").ok()

    assert found.out == "US-LA\tLouisiana, United States\n"
    assert none.out == ""
    assert "no country or subdivision is called 'luisiana'; did you mean Louisiana" in none.err
    assert cli.here("holidays", "search", "bayern", "--json").ok().json == [
        {"code": "DE-BY", "name": "Bayern, Germany"}
    ]


# -- schedules -------------------------------------------------------------------------------------


def test_an_edited_calendar_closes_a_schedule_at_once(cli: Cli, office: str) -> None:
    cli.here("holidays", "add", "LA PSC", "2026-03-03..2026-03-04", "Commission meets").ok()
    closed = [is_open(cli, f"2026-03-0{day}T12:00:00Z") for day in (2, 3, 4, 5)]
    cli.here("holidays", "remove", "LA PSC", "2026-03-04").ok()

    assert closed == [True, False, False, True]
    assert is_open(cli, "2026-03-04T12:00:00Z")
    shown = cli.here("schedule", "show", office).ok().out
    assert "holidays\tLA PSC (own, 2 days)\n" in shown
    assert "holidays\tUS-LA\n" in shown
    as_data = cli.here("schedule", "show", office, "--json").ok().json
    assert as_data["calendars"] == ["LA PSC", "US-LA"]
    assert as_data["own_days"] == {"LA PSC": ["2026-03-03", "2026-12-24"]}


def test_a_file_may_name_own_calendars_but_not_their_days(cli: Cli, calendar: str) -> None:
    cli.here("holidays", "add", calendar, "2026-12-24", "Eve").ok()
    text = 'zone = "UTC"\nweekly = "daily 09:00-17:00"\ncalendars = ["LA PSC", "US-LA"]\n'
    file = given(cli, text, "Office.toml")
    forged = given(cli, f'{text}own_days = {{"LA PSC" = []}}\n', "forged.toml")

    cli.here("schedule", "create", "-f", file).ok()
    refused = cli.here("schedule", "create", "-f", forged)

    assert not is_open(cli, "2026-12-24T12:00:00Z")
    assert (refused.code, "no such field: 'own_days'" in refused.err) == (2, True)


def test_a_calendar_in_use_stays(cli: Cli, office: str) -> None:
    done = cli.here("holidays", "remove", "LA PSC", "--yes", "--json")

    assert (done.code, done.error["next"]) == (5, "dialer schedule show 'Office'")
    assert "is used by schedule 'Office'" in done.error["message"]


def test_a_calendar_is_removed_when_somebody_says_so(cli: Cli, calendar: str) -> None:
    cli.here("holidays", "add", calendar, "2026-12-24", "Eve").ok()

    asked = cli("holidays", "remove", calendar)
    done = cli.here("holidays", "remove", calendar, "--yes", "--json").ok()

    assert (asked.code, "add --yes" in asked.err) == (2, True)
    assert done.json == {"name": "LA PSC", "removed": {"2026-12-24": "Eve"}, "schedules": []}
    assert cli.here("holidays", "list", "--json").ok().json == []


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("holidays", "create", "US-LA"), 2, "looks like the code"),
        (("holidays", "create", "la psc"), 2, "there is a calendar 'LA PSC' already"),
        (("holidays", "add", "LA PCS", "2026-12-24", "Eve"), 3, "did you mean 'LA PSC'"),
        (("holidays", "add", "LA PSC", "24.12.2026", "Eve"), 2, "not a date: '24.12.2026'"),
        (("holidays", "add", "LA PSC", "2026-12-24", " "), 2, "needs a label"),
        (("holidays", "remove", "LA PSC", "2026-12-24"), 3, "has no day 2026-12-24"),
        (("holidays", "remove", "Nowhere"), 3, "no holiday calendar 'Nowhere'"),
        (("holidays", "show", "Bavaria"), 3, "no holiday calendar 'Bavaria'"),
        (("holidays", "show", "US-ZZ"), 2, "not a holiday calendar: 'US-ZZ'"),
        (("holidays", "show", "DE", "--year", "1871"), 2, "DE in 1871 are not known"),
        (("holidays", "calendar", "12/2026"), 2, "not a month: '12/2026'"),
        (("holidays", "calendar", "--schedule", "Nowhere"), 3, "no schedule 'Nowhere'"),
        (("holidays", "calendar", "--calendar", "LA PCS"), 3, "did you mean 'LA PSC'"),
        (("holidays", "calendar", "-s", "Office", "--calendar", "DE"), 2, "leave --schedule or"),
        (("holidays", "import", "US-LA", "--into", "LA PSC"), 2, "which years of US-LA?"),
        (("holidays", "import", "US-ZZ", "--years", "2026", "--into", "X days"), 2, "US-ZZ"),
        (("holidays", "import", "US-LA", "--years", "26", "--into", "X days"), 2, "not years"),
        (("holidays", "import", "US-LA", "--years", "2026", "--into", "DE"), 2, "looks like"),
        (("holidays", "import", "no.csv", "--into", "LA PSC"), 2, "no.csv"),
        (("holidays", "import", "no.csv", "--years", "2026", "--into", "X"), 2, "--years is for"),
        (("schedule", "create", "X", "--hours", "mon 9-17", "--calendar", "LA PCS"), 3, "'LA PSC'"),
    ],
)
def test_what_cannot_be_done_is_said(
    cli: Cli, calendar: str, words: tuple[str, ...], code: int, message: str
) -> None:
    done = cli.here(*words)

    assert (done.code, done.out) == (code, "")
    assert message in done.err
    assert "Traceback" not in done.err
    (only,) = cli.here("holidays", "list", "--json").ok().json
    assert only["days"] == 0


# -- imports ---------------------------------------------------------------------------------------


def test_a_countrys_holidays_are_brought_in_to_be_edited(cli: Cli) -> None:
    words = ("holidays", "import", "US-LA", "--years", "2026-2028", "--into", "LA PSC")

    made = cli.here(*words).ok()
    again = cli.here(*words, "--json").ok()
    cli.here("holidays", "remove", "LA PSC", "2026-11-03").ok()

    assert made.err.splitlines()[0] == "calendar 'LA PSC' is made"
    assert (again.json["made"], again.json["added"], again.json["renamed"]) == (False, 0, 0)
    assert again.json["rejected"] == []
    shown = cli.here("holidays", "show", "LA PSC").ok().out
    assert "2026-02-17\tTue\tMardi Gras" in shown
    assert "Election Day" in shown  # that of 2028
    assert "2026-11-03" not in shown
    assert {line[:4] for line in shown.splitlines()} == {"2026", "2027", "2028"}


def bring_in(cli: Cli, data: str, *words: str) -> Done:
    return cli.here("holidays", "import", given(cli, data), "--into", "LA PSC", *words)


def test_a_file_is_brought_in_and_its_bad_rows_are_told(cli: Cli, office: str) -> None:
    data = "date;label\n2026-02-17;Mardi Gras\n24.12.2026;Eve\n2026-12-25;\n"

    told = bring_in(cli, data)
    as_data = bring_in(cli, data, "--json")

    assert (told.code, as_data.code) == (7, 7)
    assert told.err.splitlines() == [
        "1 day added to 'LA PSC'",
        "schedules that close on them from now on: 'Office'",
        "next:  dialer holidays show 'LA PSC'",
        "2 rows rejected:",
        "  row 3, date: '24.12.2026' not_a_date",
        "  row 4, label: '' not_a_label",
    ]
    assert as_data.json["rejected"][0] == {
        "row": 3, "column": "date", "value": "24.12.2026", "reason": "not_a_date",
    }  # fmt: skip
    assert not is_open(cli, "2026-02-17T12:00:00Z")


def test_a_file_of_faults_is_told_in_short(cli: Cli, calendar: str) -> None:
    done = bring_in(cli, "date,label\n" + "tomorrow,Eve\n" * 25)

    assert done.code == 7
    assert "  and 5 more; see them all with --json" in done.err


def test_of_a_file_without_a_day_no_calendar_is_made(cli: Cli) -> None:
    done = bring_in(cli, "date,label\ntomorrow,Eve\n")
    as_data = bring_in(cli, "date,label\ntomorrow,Eve\n", "--json")

    assert (done.code, as_data.code) == (7, 7)
    assert done.err.splitlines()[-1].endswith("has no row that says a day; nothing was changed")
    assert (as_data.json["made"], len(as_data.json["rejected"])) == (False, 1)
    assert cli.here("holidays", "list", "--json").ok().json == []


def test_a_file_of_a_codes_name_does_not_take_its_place(cli: Cli) -> None:
    (cli.folder / "DE").write_text("date,label\n2026-02-17,Ours\n")
    (cli.folder / "de-days").write_text("date,label\n2026-02-18,Ours\n")

    code = cli.here("holidays", "import", "DE", "--years", "2026", "--into", "Theirs").ok()
    file = cli.here("holidays", "import", "./DE", "--into", "Ours", "--json").ok()
    other = cli.here("holidays", "import", "de-days", "--into", "Ours", "--json").ok()
    asked = cli.here("holidays", "import", "DE", "--into", "Ours")

    assert "9 days added to 'Theirs'" in code.err
    assert (file.json["added"], other.json["added"]) == (1, 1)
    assert asked.code == 2
    assert "the file is ./DE" in asked.err


def test_a_list_may_come_through_a_pipe(cli: Cli) -> None:
    done = cli(
        "holidays", "import", "-", "--into", "LA PSC", "--json",
        stdin=b"date,label\n2026-02-17,Mardi Gras\n",
    ).ok()  # fmt: skip

    assert (done.json["made"], done.json["added"]) == (True, 1)


# -- months ----------------------------------------------------------------------------------------


def test_a_month_is_a_line_for_each_day_when_piped(cli: Cli, office: str) -> None:
    done = cli.here("holidays", "calendar", "2026-12", "--schedule", "Office").ok()

    lines = done.out.splitlines()
    assert len(lines) == 31
    assert lines[0] == "2026-12-01\tTue\topen\t09:00-17:00\t"
    assert lines[4] == "2026-12-05\tSat\tclosed\t\t"
    assert lines[23:25] == [
        "2026-12-24\tThu\tholiday\t\tChristmas Eve (LA PSC)",
        "2026-12-25\tFri\tholiday\t\tChristmas Day (US-LA)",
    ]
    assert lines[27] == "2026-12-28\tMon\texception\t10:00-12:30\t"


def test_a_month_is_data_too(cli: Cli, office: str) -> None:
    data = cli.here("holidays", "calendar", "2026-12", "-s", "Office", "--json").ok().json
    own = cli.here("holidays", "calendar", "2026-12", "--json").ok().json
    both = cli.here(
        "holidays", "calendar", "2028-02", "--calendar", "DE-BY", "--calendar", "la psc", "--json"
    ).ok()

    assert (data["month"], data["schedule"], data["zone"]) == ("2026-12", "Office", "UTC")
    assert data["calendars"] == ["LA PSC", "US-LA"]
    assert data["days"][24] == {
        "date": "2026-12-25", "weekday": "Fri", "mark": "holiday", "hours": [],
        "holidays": [{"name": "Christmas Day", "calendar": "US-LA"}],
    }  # fmt: skip
    assert data["days"][27]["hours"] == ["10:00-12:30"]
    assert (own["schedule"], own["calendars"]) == (None, ["LA PSC"])
    assert [day["date"] for day in own["days"] if day["mark"] == "holiday"] == ["2026-12-24"]
    assert both.json["calendars"] == ["DE-BY", "LA PSC"]
    assert len(both.json["days"]) == 29


def test_a_terminal_shows_a_grid_with_glyphs_and_colours(cli: Cli, office: str) -> None:
    wide = on_terminal(cli, WIDE, "holidays", "calendar", "2026-12", "-s", "Office")
    narrow = on_terminal(cli, NARROW, "holidays", "calendar", "2026-12", "-s", "Office")
    plain = on_terminal(cli, WIDE, "holidays", "calendar", "2026-12", "--calendar", "US")

    assert "December 2026  Office, UTC" in wide
    assert "\x1b[1;31m25 *" in wide  # red, and marked
    assert "09-17" in wide
    assert "* holiday   ! hours of its own   - closed" in wide
    assert "Mon 28 ! 10:00-12:30" in wide
    assert "Tue  1   09:00-17:00" not in wide
    assert "Tue  1   09:00-17:00" in narrow
    assert "December 2026  US" in plain


# -- the page --------------------------------------------------------------------------------------


def fenced(kind: str) -> str:
    (found,) = re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)
    return str(found)


def test_the_page_about_holidays_does_what_it_says(cli: Cli) -> None:
    given(cli, fenced("toml"), "office.toml")
    given(cli, "date,label\n2026-12-31,Stocktaking\n", "company.csv")
    commands = [
        shlex.split(line)[1:] for line in re.findall(r"^    (dialer .+)$", PAGE, re.MULTILINE)
    ]

    for words in commands:
        cli.here(*words).ok()
    (grid,) = [words for words in commands if "office" in words and "calendar" in words]
    shown = on_terminal(cli, 70, *grid)

    assert len(commands) == 10
    drawn = re.sub(r"\x1b\[[\d;]*m", "", shown)
    assert [line.rstrip() for line in drawn.splitlines()] == fenced("text").splitlines()
