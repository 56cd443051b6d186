"""Options that go for every command, wherever they stand, and what is said of mistakes."""

import csv
import io
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

import cli
from dialer.commands.shell import Tree
from tests.support.cli import Cli


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
