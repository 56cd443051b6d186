"""Options that go for every command, wherever they stand, and what is said of mistakes."""

import csv
import io
import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

import cli
from dialer.commands.shell import Tree
from dialer.errors import ExitCode, StoreBusyError
from dialer.store.opening import made_apart
from tests.support.cli import Cli
from tests.support.terminals import Shown


@pytest.fixture
def dialer(tmp_path: Path) -> Cli:
    """A folder with two campaigns."""
    dialer = Cli(tmp_path)
    dialer.here("numbers", "add", "+16465550100").ok()
    for name in ("Renewals", "Survey"):
        dialer.here("campaign", "create", name, "--number", "+16465550100", "--say", "Hi").ok()
    return dialer


def test_one_list_in_every_form(dialer: Cli) -> None:
    listed = dialer.here("campaign", "list", "-o", "json").ok().json
    lines = dialer.here("campaign", "list", "--output", "jsonl").ok().out.splitlines()
    table = csv.DictReader(io.StringIO(dialer.here("campaign", "list", "-o", "csv").ok().out))

    assert [each["name"] for each in listed] == ["Renewals", "Survey"]
    assert [json.loads(line) for line in lines] == listed
    assert [row["name"] for row in table] == ["Renewals", "Survey"]
    assert dialer.here("campaign", "list", "-o", "id").ok().out == "1\n2\n"
    assert dialer.here("campaign", "list", "--json").ok().json == listed


@pytest.mark.parametrize(
    "words", [("-o", "id", "campaign", "list"), ("campaign", "list", "-o", "id")]
)
def test_an_option_of_every_command_may_stand_anywhere(dialer: Cli, words: list[str]) -> None:
    assert dialer.here(*words).ok().out == "1\n2\n"


def test_rows_and_columns_are_chosen_by_the_fields_of_the_json_answer(dialer: Cli) -> None:
    done = dialer.here("campaign", "list", "--where", "name~surv", "--columns", "id,status").ok()

    assert done.out == "2\tdraft\n"
    assert dialer.here("campaign", "list", "--sort=-id", "--limit", "1", "-o", "id").ok().out == (
        "2\n"
    )


def test_quiet_leaves_only_data(dialer: Cli) -> None:
    done = dialer.here("numbers", "disable", "+16465550100", "-q").ok()

    assert done.err == ""


def test_times_are_told_in_the_zone_asked_for(dialer: Cli) -> None:
    dialer.here("dnc", "add", "+12025550199").ok()

    assert "UTC" in dialer.here("dnc", "list").ok().out
    assert "JST" in dialer.here("dnc", "list", "--tz", "Asia/Tokyo").ok().out
    assert dialer.here("dnc", "list", "--tz", "Mars/Olympus").code == 2


def test_where_nobody_can_be_asked_a_question_is_misuse(dialer: Cli) -> None:
    done = dialer.here("campaign", "cancel", "Survey", "--no-input")

    assert done.code == 2
    assert "--yes" in done.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("campain",), "no such command: 'campain'; did you mean 'campaign'?"),
        (("campaign", "lst"), "no such command 'lst'. Did you mean 'list'?"),
        (("watch",), "no such command: 'watch'; did you mean 'dialer campaign watch'?"),
        (("start", "Survey"), "did you mean 'dialer campaign start'?"),
        (("import",), "did you mean 'dialer contacts import' or 'dialer dnc import'"),
        (("campaign", "list", "--limit", "x"), "'--limit': 'x' is not a whole number"),
        (("campaign", "list", "--limit", "-1"), "'--limit': '-1' is not 0 or more"),
        (("jobs", "show", "9" * 30), "is not 4611686018427387904 or less"),
        (("campaign", "list", "--jsn"), "no such option: --jsn"),
        (("campaign", "pause"), "missing argument 'name'"),
        (("campaign", "list", "-o", "yaml"), "'yaml'"),
    ],
)
def test_a_slip_is_one_line_and_the_way_to_help(
    dialer: Cli, words: tuple[str, ...], said: str
) -> None:
    done = dialer.here(*words)
    first, *others = done.err.splitlines()

    assert done.code == 2
    assert first.startswith("error: ")
    assert said.casefold() in first.casefold()
    assert [line[:6] for line in others] == ["next: "]
    assert done.out == ""


def test_slips_are_data_where_data_was_asked_for(dialer: Cli) -> None:
    assert dialer.here("campaign", "lst", "-o", "json").error["code"] == "misuse"
    assert dialer.here("campaign", "status", "Nobody", "-o", "jsonl").error["code"] == "not_found"


def test_alone_it_shows_the_commands_of_every_day(dialer: Cli) -> None:
    done = dialer.here().ok()

    assert "campaign" in done.out
    assert "carrier-sim" not in done.out
    assert len([line for line in done.out.splitlines() if line.startswith("  dialer ")]) == 3


def test_help_has_every_noun_and_its_text_fits_a_line(dialer: Cli) -> None:
    done = dialer.here("--help").ok()

    for name, noun in cli.NOUNS.items():
        assert name in done.out
        assert len(noun.about) <= 60


def test_every_noun_can_be_asked_for_help(dialer: Cli) -> None:
    root = cli.tree()
    assert isinstance(root, Tree)
    for name in cli.NOUNS:
        assert dialer.here(name, "--help").ok().out


@pytest.mark.parametrize(
    "words",
    [
        ("campaign", "edit", "Survey", "--set", "retries=5"),  # has one of its own
        ("campaign", "settings", "reset", "Survey", "retries"),
        ("campaign", "clone", "Survey"),
        ("campaign", "archive", "Survey"),
        ("campaign", "delete", "Survey", "--yes"),
        ("campaign", "cancel", "Survey", "--yes"),
        ("contacts", "add", "+12025550101", "-c", "Survey"),
        ("numbers", "add", "+16465550101"),
        ("numbers", "disable", "+16465550100"),
        ("numbers", "score", "+16465550100", "3"),
        ("schedule", "create", "Office", "--hours", "mon 9-17"),
        ("agents", "edit", "Survey", "--say", "Bye"),
        ("dnc", "add", "+12025550199"),
        ("rules", "off", "US", "--reason", "a trial"),
        ("holidays", "create", "Ours"),
        ("pause", "--all"),
    ],
)
def test_a_dry_run_says_what_would_be_and_keeps_nothing(
    dialer: Cli, words: tuple[str, ...]
) -> None:
    before = database_of(dialer)
    done = dialer.here(*words, "--dry-run")

    assert done.code in (0, 7), done
    assert "nothing" in done.err
    assert database_of(dialer) == before


def test_what_is_written_in_steps_has_no_dry_run_unless_it_says_so(dialer: Cli) -> None:
    (dialer.folder / "list.csv").write_text("phone\n+12025550101\n")
    before = database_of(dialer)

    done = dialer.here("imports", "undo", "1", "-n")
    assert done.code in (2, 3)
    assert dialer.here("contacts", "export", "out.csv", "-n").code == 2
    assert not (dialer.folder / "out.csv").exists()
    assert database_of(dialer) == before


def test_a_dry_run_makes_no_database(tmp_path: Path) -> None:
    done = Cli(tmp_path).here("numbers", "add", "+16465550100", "-n")

    assert done.code == 3
    assert list(tmp_path.iterdir()) == []


def database_of(dialer: Cli) -> str:
    """Everything in the database."""
    with closing(sqlite3.connect(dialer.database)) as connection:
        return "\n".join(connection.iterdump())


# -- who reads, and where -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words", [("campaign", "list"), ("campaign", "list", "--json"), ("--help",), ("campaign", "-h")]
)
def test_a_reader_who_has_left_is_no_error_but_no_success_either(
    dialer: Cli, words: tuple[str, ...]
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as output:
        done = subprocess.run(
            [sys.executable, "-m", "cli", *words],
            cwd=dialer.folder,
            env=dialer.environment,
            stdout=output,
            stderr=subprocess.PIPE,
            check=False,
            timeout=60,
        )

    assert (done.returncode, done.stderr) == (ExitCode.UNREAD, b"")


def test_a_broken_pipe_that_is_not_ours_is_an_error(
    dialer: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise BrokenPipeError

    monkeypatch.setattr(cli, "_run", fail)
    with pytest.raises(BrokenPipeError):
        cli.main()


def test_a_table_fits_its_window_and_is_whole_in_a_pipe(dialer: Cli) -> None:
    subject = "of the north and of the west and of the east and of the south"
    dialer.here("schedule", "create", subject, "--hours", "mon-fri 09:00-17:00").ok()

    with Shown([sys.executable, "-m", "cli", "audit-log", "list"], dialer, columns=80) as shown:
        shown.until("not shown for want of room")
        rows = shown.raw.splitlines()
    whole = dialer("audit-log", "list").ok()

    (row,) = [row for row in rows if "schedule.create" in row]
    assert len(row) <= 80
    assert row.endswith("…")
    assert subject in whole.out
    assert "not shown" not in whole.err


# -- zones ----------------------------------------------------------------------------------------


def test_without_tz_times_are_those_of_the_deployment(dialer: Cli) -> None:
    dialer.here("dnc", "add", "+12025550199").ok()
    tokyo = dialer.set(default_zone="Asia/Tokyo")

    assert "JST" in tokyo.here("dnc", "list").ok().out
    assert "JST" in tokyo.here("campaign", "show", "Survey").ok().out
    assert "UTC" in tokyo.here("dnc", "list", "--tz", "UTC").ok().out
    assert tokyo.here("campaign", "show", "Survey", "--json").ok().json["created_at"].endswith("Z")


# -- no database where none was meant to be -------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        ("campaign", "create", "Renewals", "--number", "+16465550100", "--say", "Hi"),
        ("numbers", "disable", "+16465550100"),
        ("campaign", "start", "Renewals"),
        ("contacts", "import", "people.csv", "-c", "Renewals"),
        ("dnc", "import", "people.csv", "-c", "Renewals"),
    ],
)
def test_a_command_that_fails_leaves_no_new_database(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    (tmp_path / "people.csv").write_text("phone\n+12025550101\n")
    done = Cli(tmp_path).here(*words)

    assert done.code in (2, 3)
    assert "made a new database" not in done.err
    assert {path.name for path in tmp_path.iterdir()} <= {"people.csv", "people.rejected.csv"}


def test_the_first_command_that_adds_something_makes_the_database(tmp_path: Path) -> None:
    done = Cli(tmp_path).here("numbers", "add", "+16465550100").ok()

    assert "made a new database: dialer.db" in done.err
    assert [path.name for path in tmp_path.iterdir()] == ["dialer.db"]
    assert (tmp_path / "dialer.db").stat().st_mode & 0o777 == 0o600


def test_a_database_that_somebody_else_makes_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "dialer.db"

    def make() -> None:
        with made_apart(str(path)) as name:
            Path(name).write_text("ours")
            path.write_text("theirs")

    with pytest.raises(StoreBusyError, match="another program made"):
        make()

    assert path.read_text() == "theirs"
    assert [each.name for each in tmp_path.iterdir()] == ["dialer.db"]


def test_a_dry_run_without_a_database_names_the_one_that_is_missing(tmp_path: Path) -> None:
    done = Cli(tmp_path).here("numbers", "add", "+16465550100", "--dry-run")

    assert done.code == 3
    assert "there is no database dialer.db" in done.err
    assert [*tmp_path.iterdir()] == []


def test_json_stays_json_where_columns_are_chosen(tmp_path: Path) -> None:
    operator = Cli(tmp_path)
    operator.here("db", "upgrade").ok()
    operator.here("numbers", "add", "+16465550100").ok()

    chosen = operator.here("numbers", "list", "--json", "--columns", "id").ok()

    assert chosen.json == [{"id": 1}]
