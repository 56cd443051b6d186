"""`dialer contacts export`, `calls export` and `exports`, as an operator runs them."""

import csv
import io
import json
import stat
from pathlib import Path

import pytest

from tests.support.cli import Cli

ANN, BOB = "+4915123456789", "+4915123456780"


@pytest.fixture
def cli(tmp_path: Path, sqlite_template: bytes) -> Cli:
    cli = Cli(tmp_path, {"DIALER_DEFAULT_REGION": "DE"})
    cli.database.write_bytes(sqlite_template)
    return cli


@pytest.fixture
def campaign(cli: Cli) -> str:
    """A campaign with two members."""
    cli.here("numbers", "add", "+12025550123").ok()
    cli.here("campaign", "create", "Renewals", "--number", "+12025550123", "--say", "Hi").ok()
    cli.here("contacts", "add", ANN, "--name", "=Ann", "--tag", "vip", "-c", "Renewals").ok()
    cli.here("contacts", "add", BOB, "--priority", "high", "-c", "Renewals").ok()
    return "Renewals"


def table(text: str, delimiter: str = ",") -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text), delimiter=delimiter))


def test_a_list_goes_to_standard_output_unless_a_file_is_named(cli: Cli, campaign: str) -> None:
    ann, bob = table(cli.here("contacts", "export", "-c", campaign).ok().out)

    assert (ann["phone"], ann["name"], ann["tags"]) == (f"'{ANN}", "'=Ann", "vip")
    assert (bob["priority"], bob["dialer_state"]) == ("high", "pending")


def test_the_formats_say_the_same(cli: Cli, campaign: str) -> None:
    wanted = ("contacts", "export", "-c", campaign, "--columns", "phone,state")
    semicolons = cli.here(*wanted, "--format", "csv-semicolon", "--raw").ok()
    document = cli.here(*wanted, "-f", "json").ok()
    lines = cli.here(*wanted, "-f", "jsonl").ok()

    assert semicolons.out.splitlines() == [
        "phone;dialer_state", f"{ANN};pending", f"{BOB};pending",
    ]  # fmt: skip
    assert "open it in no spreadsheet" in semicolons.err
    assert document.json["contacts"] == [json.loads(line) for line in lines.out.splitlines()]
    assert document.json["contacts"][0] == {"phone": ANN, "state": "pending"}


@pytest.mark.parametrize("name", ["people.csv", "people.xlsx"])
def test_what_was_exported_is_imported_as_it_was(
    cli: Cli, campaign: str, name: str, sqlite_template: bytes
) -> None:
    wanted = ("contacts", "export", "--columns", "phone,name,tags,timezone", "-f", "jsonl")
    before = cli.here(*wanted).ok().out
    cli.here("contacts", "export", name).ok()
    cli.database.unlink()
    for leftover in cli.folder.glob("dialer.db-*"):
        leftover.unlink()
    cli.database.write_bytes(sqlite_template)

    cli.here("contacts", "import", name, "--yes").ok()

    assert cli.here(*wanted).ok().out == before
    assert before.count("\n") == 2


def test_members_are_chosen(cli: Cli, campaign: str) -> None:
    cli.here("dnc", "add", BOB).ok()

    failed = cli.here("contacts", "export", "-c", campaign, "--state", "failed").ok()
    tagged = cli.here("contacts", "export", "--tag", "vip").ok()

    assert [(row["phone"], row["dialer_reason"], row["dialer_do_not_call"])
            for row in table(failed.out)] == [(f"'{BOB}", "do_not_call", "yes")]  # fmt: skip
    assert [row["phone"] for row in table(tagged.out)] == [f"'{ANN}"]


@pytest.mark.parametrize("name", ["people.csv", "people.json", "people.jsonl", "people.xlsx"])
def test_a_file_is_told_of(cli: Cli, campaign: str, name: str) -> None:
    done = cli.here("contacts", "export", name, "-c", campaign).ok()
    as_json = cli.here("contacts", "export", name, "--json").ok().json

    path = cli.folder / name
    assert done.out == ""
    assert done.err.startswith(f"2 contacts in {name}, ")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert as_json == {
        "export_id": 2, "job_id": 2, "path": str(path), "format": name.partition(".")[2],
        "rows": 2, "bytes": path.stat().st_size,
    }  # fmt: skip


def test_calls_may_be_exported_by_time(cli: Cli, campaign: str) -> None:
    since = ("--since", "2026-01-01T00:00Z", "--until", "2026-02-01T00:00Z")
    done = cli.here("calls", "export", "calls.csv", "-c", campaign, *since).ok()

    assert done.err.startswith("0 calls in calls.csv, ")
    header = (cli.folder / "calls.csv").read_text("utf-8-sig")
    assert header.startswith("id,campaign,contact_id,name,to,from,state,outcome,detail,started_at")


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (["people.txt"], 2, "does not say which format"),
        (["people.csv", "-f", "docx"], 2, "format: 'docx' is not known"),
        (["-f", "xlsx"], 2, "name a file for it"),
        (["--state", "retry"], 2, "add --campaign NAME"),
        (["-c", "Renewals", "--state", "resting"], 2, "state: 'resting' is not known"),
        (["-c", "Nothing"], 3, "Nothing"),
        (["--columns", "fone"], 2, "there is no column 'fone'"),
        (["--with-calls"], 2, "dialer calls export"),
        (["--json"], 2, "--format json"),
        (["dialer.db", "-f", "csv"], 2, "is a database and would be lost"),
        (["missing/people.csv"], 2, "cannot be written: No such file"),
    ],
)
def test_what_cannot_be_done_is_said(
    cli: Cli, campaign: str, words: list[str], code: int, why: str
) -> None:
    done = cli.here("contacts", "export", *words)

    assert done.code == code
    assert why in done.err
    assert done.out == ""


def test_nothing_is_exported_from_a_database_that_is_not_there(tmp_path: Path) -> None:
    assert Cli(tmp_path).here("contacts", "export", "people.csv").code == 3
    assert list(tmp_path.iterdir()) == []


def test_an_export_is_remembered(cli: Cli, campaign: str) -> None:
    assert "nothing was exported yet" in cli.here("exports", "list").ok().err
    cli.here("contacts", "export", "people.csv", "-c", campaign, "--tag", "vip").ok()
    cli.here("calls", "export", "-f", "json").ok()

    calls, people = cli.here("exports", "list", "--json").ok().json
    shown = cli.here("exports", "show", "1").ok().out

    path = str(cli.folder / "people.csv")
    assert (calls["what"], calls["path"], calls["rows_written"]) == ("calls", "-", 0)
    assert (people["campaign"], people["path"], people["rows_written"]) == (campaign, path, 1)
    assert (people["state"], people["options"]["tags"]) == ("done", 1)
    assert people["created_at"].endswith("Z")
    assert cli.here("exports", "show", "1", "--json").ok().json == people
    assert f"path\t{path}" in shown
    assert "tags\t1" in shown
    assert [line.split("\t")[0] for line in cli.here("exports", "list").ok().out.splitlines()] == [
        "2", "1",
    ]  # fmt: skip
    assert cli.here("exports", "show", "7").code == 3


def test_a_file_may_be_had_once_more(cli: Cli, campaign: str) -> None:
    cli.here("contacts", "export", "people.csv").ok()
    path = cli.folder / "people.csv"

    where = cli.here("exports", "get", "1").ok()
    copied = cli.here("exports", "get", "1", "copy.csv", "--json").ok()

    assert where.out == f"{path}\n"
    copy = cli.folder / "copy.csv"
    assert copied.json == {"id": 1, "path": str(copy), "bytes": path.stat().st_size}
    assert copy.read_bytes() == path.read_bytes()
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert cli.here("audit-log", "list", "--json").ok().json[0]["action"] == "exports.get"

    path.write_bytes(b"changed")
    assert "it is not as it was written" in cli.here("exports", "get", "1").ok().err
    path.unlink()
    assert cli.here("exports", "get", "1").code == 3


def test_what_was_printed_cannot_be_had_again(cli: Cli, campaign: str) -> None:
    cli.here("contacts", "export").ok()

    assert cli.here("exports", "get", "1").code == 5
