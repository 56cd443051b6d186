"""`dialer contacts`, as an operator runs it."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
import xlsxwriter

from tests.support.cli import Cli, Done

ANN, BOB, CARL = "+4915123456789", "+4915123456780", "+4915123456781"


@pytest.fixture
def cli(tmp_path: Path, sqlite_template: bytes) -> Cli:
    cli = Cli(tmp_path, {"DIALER_DEFAULT_REGION": "DE"})
    cli.database.write_bytes(sqlite_template)
    return cli


@pytest.fixture
def campaign(cli: Cli) -> str:
    cli.here("numbers", "add", "+12025550123").ok()
    made = cli.here(
        "campaign", "create", "Renewals", "--number", "+12025550123", "--say", "Hi"
    ).ok()
    assert "is made" in made.err
    return "Renewals"


def given(cli: Cli, data: bytes | str, name: str = "people.csv") -> Path:
    path = cli.folder / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def bring_in(cli: Cli, data: bytes | str, *words: str) -> Done:
    return cli.here("contacts", "import", given(cli, data), *words)


def phones(cli: Cli, *words: str) -> list[str]:
    listed = cli.here("contacts", "list", "--json", "--limit", "1000", *words).ok()
    return [each["phone"] for each in listed.json]


# -- the ways in ----------------------------------------------------------------------------------


def test_a_list_becomes_members_and_its_bad_rows_a_file(cli: Cli, campaign: str) -> None:
    data = "Telefon;Vorname;Nachname;Ort\r\n0151 23456789;Jürgen;Groß;Köln\r\nkeine;;;\r\n;;;x\r\n"

    done = bring_in(cli, data.encode("cp1252"), "-c", campaign, "--json")

    assert done.code == 7
    assert done.json == {
        "import_id": 1,
        "dry_run": False,
        "ending": "done",
        "finished_before": None,
        "rows": 3,
        "added": 1,
        "updated": 0,
        "same": 0,
        "rejected": {"invalid_phone": 1, "missing_phone": 1},
        "members_added": 1,
        "already_members": 0,
        "in_other_campaigns": 0,
        "rejects_file": str(cli.folder / "people.rejected.csv"),
    }
    assert "cp1252, semicolon, numbers of DE" in done.err
    assert "mapping    Telefon→phone (read as DE)  Vorname→first_name" in done.err
    assert "2 rows were rejected: 1 invalid_phone, 1 missing_phone" in done.err
    assert "1  not a phone number: row 3 'keine'" in done.err
    assert "undo while nobody is dialed: dialer imports undo 1" in done.err
    shown = cli.here("contacts", "show", ANN, "--json").ok().json
    assert (shown["name"], shown["variables"]["Ort"]) == ("Jürgen Groß", "Köln")
    assert [each["campaign"] for each in shown["memberships"]] == ["Renewals"]
    assert (cli.folder / "people.rejected.csv").read_text("utf-8-sig").splitlines() == [
        "Telefon;Vorname;Nachname;Ort;rejected_row;rejected_column;rejected_reason",
        "keine;;;;3;Telefon;invalid_phone",
        ";;;x;4;Telefon;missing_phone",
    ]


def test_a_list_is_counted_for_people_too(cli: Cli) -> None:
    done = bring_in(cli, f"phone\n{ANN}\n").ok()

    assert done.out == (
        "read\t1\nadded\t1\nupdated\t0\nsame\t0\nrejected\t0\nmembers added\t0\n"
        "already members\t0\nin other campaigns\t0\n"
    )
    assert not (cli.folder / "people.rejected.csv").exists()


@pytest.mark.parametrize(
    "data",
    [
        f'phone,note\n{ANN},"two\nlines, one cell"\n'.encode("utf-16"),
        f"\ufeffphone\tnote\r\n{ANN}\ttab\r\n".encode(),
        f"sep=;\r\nphone;note\r\n'{ANN};guarded\r\n".encode(),
        (",".join(["phone", *(f"c{n}" for n in range(299))]) + f"\n{ANN}" + ",x" * 299).encode(),
    ],
    ids=["utf-16, quoted newline", "utf-8 with mark, tab", "sep line, guard", "300 columns"],
)  # fmt: skip
def test_lists_come_in_many_shapes(cli: Cli, data: bytes) -> None:
    bring_in(cli, data).ok()

    assert phones(cli) == [ANN]


@pytest.mark.parametrize(
    "data", ['[{"phone": "+491"}]', '{"phone": "+491"}\n{}\n', "[\n  {\n", "[]"]
)
def test_json_is_said_to_be_json(cli: Cli, data: str) -> None:
    done = bring_in(cli, data)

    assert done.code == 2
    assert "people.csv is JSON, and lists come as CSV or .xlsx" in done.err
    assert "next:  if it was exported here, export it as CSV" in done.err


def test_a_list_without_rows_is_said_to_have_none(cli: Cli) -> None:
    assert "the file holds no rows below its header" in bring_in(cli, "phone,name\n").ok().err
    path = cli.folder / "people.csv"
    assert "no rows below its header" in cli.here("dnc", "import", path).ok().err


def test_a_second_import_adds_nothing(cli: Cli, campaign: str) -> None:
    data = f"phone,name\n{ANN},Ann\n{BOB},Bob\n"
    bring_in(cli, data, "-c", campaign).ok()

    repeated = bring_in(cli, data, "-c", campaign, "--json").ok()
    again = bring_in(cli, data, "-c", campaign, "--again", "--json").ok().json

    assert (repeated.json["ending"], repeated.json["added"]) == ("repeated", 2)
    assert "this list was in before: import 1 was finished at 20" in repeated.err
    assert "nothing was done now; what came of it then:" in repeated.err
    assert repeated.json["finished_before"] is not None
    assert (again["import_id"], again["added"], again["same"]) == (2, 0, 2)
    assert again["members_added"] == 0
    assert phones(cli, "--campaign", campaign) == [ANN, BOB]


def test_a_mended_list_of_rejected_rows_comes_in(cli: Cli) -> None:
    assert bring_in(cli, f"phone,name\n{ANN},Ann\n0049-,Bob\n{ANN},Ann\n").code == 7
    rejected = cli.folder / "people.rejected.csv"
    mended = rejected.read_text("utf-8-sig").replace("0049-", BOB)

    done = cli.here("contacts", "import", given(cli, mended, rejected.name), "--json").ok()

    assert (done.json["added"], done.json["same"]) == (1, 1)
    assert cli.here("contacts", "show", BOB, "--json").json["variables"] == {}


def test_a_list_may_come_through_a_pipe(cli: Cli) -> None:
    done = cli("contacts", "import", "-", "--json", stdin=f"phone\n{ANN}\nx\n".encode())

    assert (done.code, done.json["added"]) == (7, 1)
    assert done.json["rejects_file"] == "stdin.rejected.csv"


def test_columns_and_rejected_rows_go_where_they_are_told_to(cli: Cli) -> None:
    done = bring_in(
        cli, f"A,B\n{ANN},Ann\nx,Bob\n", "--map", "phone=A", "-m", "name=B", "--rejects", "bad.csv",
        "--json",
    )  # fmt: skip

    assert (done.code, done.json["rejects_file"]) == (7, "bad.csv")
    assert (cli.folder / "bad.csv").exists()
    assert cli.here("contacts", "show", ANN, "--json").json["name"] == "Ann"


def test_a_dry_run_changes_nothing(cli: Cli, campaign: str) -> None:
    done = bring_in(cli, f"phone\n{ANN}\nx\n", "-c", campaign, "--dry-run", "--json")

    assert (done.code, done.json["added"], done.json["members_added"]) == (7, 1, 1)
    assert (done.json["import_id"], done.json["rejects_file"]) == (None, None)
    assert phones(cli) == []
    assert not (cli.folder / "people.rejected.csv").exists()


def test_a_terminal_sees_how_far_it_is(cli: Cli) -> None:
    path = given(cli, f"phone\n{ANN}\nx\n")
    screen, stderr = os.openpty()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "cli", "contacts", "import", str(path), "--json"],
            cwd=cli.folder,
            env=cli.environment | {"TERM": "xterm"},
            stdout=subprocess.PIPE,
            stderr=stderr,
            check=False,
            timeout=60,
        )
        shown = os.read(screen, 65_536).decode()
    finally:
        os.close(screen)
        os.close(stderr)

    assert (done.returncode, json.loads(done.stdout)["rows"]) == (7, 2)
    assert "2 rows, 1 rejected" in shown


# -- bad input ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "words", "message"),
    [
        (b"", (), "is empty"),
        (b"\x00\x01\x02binary", (), "is no text"),
        (b"PK\x03\x04", (), "is a damaged workbook, or an archive"),
        (b"City,Street\nBonn,Main\n", (), "the columns are 'City', 'Street'"),
        (b"phone\n", ("--map", "fone=phone"), "did you mean 'phone'"),
        (b"phone\n", ("--map", "name=Nmae"), "there is no column 'Nmae'"),
        (b"phone\n", ("--region", "Germany"), "not a country of phone numbers: 'Germany'"),
        (b"phone\n", ("--priority", "urgent"), "priority: 'urgent' is not known"),
        (b"phone\n", ("--encoding", "klingon"), "no such encoding: 'klingon'"),
        (b"phone\n", ("--delimiter", "ab"), "not a separator: 'ab'"),
        (b"phone\n", ("--sheet", "A"), "--sheet is not for it"),
        (b"phone\n", ("--existing", "burn"), "existing: 'burn' is not known"),
        (b"phone\n", ("--rejects", "no/where.csv"), "cannot be written"),
        (b"phone\n", ("--rejects", "people.csv"), "is the list itself"),
    ],
)
def test_a_list_that_cannot_be_used_is_refused(
    cli: Cli, data: bytes, words: tuple[str, ...], message: str
) -> None:
    done = cli.here("contacts", "import", given(cli, data), *words, "--json")

    assert (done.code, done.out) == (2, "")
    assert done.error["code"] == "misuse"
    assert message in done.error["message"]


def test_a_list_without_phones_shows_the_cure(cli: Cli) -> None:
    done = bring_in(cli, "City,Number of pets\nBonn,2\n")

    assert done.err.splitlines() == [
        "error: no column holds phone numbers; the columns are 'City', 'Number of pets'",
        "next:  name it: --map phone='City'",
    ]


def test_a_missing_file_and_a_folder_are_told_apart(cli: Cli) -> None:
    missing, folder = cli.here("contacts", "import", "no.csv"), cli.here("contacts", "import", ".")

    assert (missing.code, folder.code) == (2, 2)
    assert "error: no.csv cannot be read: No such file" in missing.err
    assert "error: . is a folder" in folder.err


def test_an_unknown_campaign_is_told_with_the_closest(cli: Cli, campaign: str) -> None:
    done = bring_in(cli, f"phone\n{ANN}\n", "-c", "Renewal", "--json")

    assert (done.code, done.error["code"]) == (3, "not_found")
    assert "did you mean 'Renewals'" in done.error["message"]
    assert phones(cli) == []


def test_a_locked_database_is_given_up_after_a_while(cli: Cli) -> None:
    with closing(sqlite3.connect(cli.database, isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode=WAL")
        other.execute("BEGIN IMMEDIATE")
        path = given(cli, f"phone\n{ANN}\n")
        done = cli.set(busy_timeout_s="0.05")("contacts", "import", path, "--json")

    assert (done.code, done.error["code"]) == (1, "store_busy")
    assert "Traceback" not in done.err


# -- campaigns that have ended --------------------------------------------------------------------


def test_an_ended_campaign_is_reopened_only_on_purpose(cli: Cli, campaign: str) -> None:
    bring_in(cli, f"phone\n{ANN}\n", "-c", campaign).ok()
    cli.here("campaign", "start", campaign).ok()
    cli.here("campaign", "complete", campaign, "--yes").ok()

    unsure = bring_in(cli, f"phone\n{BOB}\n", "-c", campaign, "--json")
    sure = bring_in(cli, f"phone\n{BOB}\n", "-c", campaign, "--yes", "--json").ok()

    assert (unsure.code, "add --yes" in unsure.error["message"]) == (2, True)
    assert sure.json["members_added"] == 1
    assert cli.here("campaign", "status", campaign, "--json").ok().json["status"] == "active"
    cli.here("campaign", "cancel", campaign, "--yes").ok()
    too_late = bring_in(cli, f"phone\n{CARL}\n", "-c", campaign, "--yes", "--json")
    assert (too_late.code, too_late.error["code"]) == (5, "wrong_state")
    assert phones(cli) == [ANN, BOB]


# -- interruptions --------------------------------------------------------------------------------


def test_an_interrupted_import_says_what_is_in_and_is_finished_by_the_next(cli: Cli) -> None:
    total = 60_000
    data = "phone,name\n" + "".join(f"+49151{n:08},N{n}\n" for n in range(10**7, 10**7 + total))
    command = [sys.executable, "-m", "cli", "contacts", "import", str(given(cli, data))]
    running = subprocess.Popen(
        command,
        cwd=cli.folder,
        env=cli.environment,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    while count(cli) == 0 and running.poll() is None:
        time.sleep(0.01)
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=60)

    halfway = count(cli)
    (stopped,) = cli.here("imports", "list", "--json").ok().json

    done = cli.here("contacts", "import", "people.csv", "--json").ok()

    assert running.returncode == 130, said
    assert "import the file again to go on, nothing is added twice" in said
    assert (stopped["state"], stopped["added"]) == ("interrupted", halfway)
    assert 0 < halfway < total
    assert f"went on after the {halfway:,} rows that were in already" in done.err
    assert (done.json["added"], done.json["same"], count(cli)) == (total, 0, total)


def count(cli: Cli) -> int:
    with closing(sqlite3.connect(cli.database, timeout=30)) as connection:
        return int(connection.execute("SELECT count(*) FROM contacts").fetchone()[0])


# -- what is seen of imports, and taking one back --------------------------------------------------


def test_an_import_is_shown_and_taken_back(cli: Cli, campaign: str) -> None:
    bring_in(cli, f"phone\n{ANN}\nx\n", "-c", campaign)

    (listed,) = cli.here("imports", "list", "--json").ok().json
    shown = cli.here("imports", "show", "1", "--json").ok().json
    words = cli.here("imports", "show", "1").ok()
    undone = cli.here("contacts", "undo-import", "1", "--json").ok()
    again = cli.here("imports", "undo", "1").ok()

    assert (listed["state"], listed["campaign"], listed["added"]) == ("done", "Renewals", 1)
    assert shown == {**listed, "rejected": {"invalid_phone": 1}}
    assert "invalid_phone\t1" in words.out
    assert str(cli.folder / "people.rejected.csv") in words.err
    assert (undone.json["members"], undone.json["contacts"]) == (1, 1)
    assert "1 member and 1 contact removed" in undone.err
    assert "import 1 was undone already, at 20" in again.err
    assert "nothing was left to remove" in again.err
    assert phones(cli) == []
    assert cli.here("imports", "undo", "7").code == 3
    assert "undone" in cli.here("imports", "list").ok().out


def test_an_import_is_a_job(cli: Cli) -> None:
    bring_in(cli, f"phone\n{ANN}\n").ok()

    (job,) = cli.here("jobs", "list", "--kind", "import", "--json").ok().json
    shown = cli.here("jobs", "show", "1").ok()
    cancelled = cli.here("jobs", "cancel", "1", "--json")

    assert (job["state"], job["message"], job["subject"]) == (
        "done", "1 rows", str(cli.folder / "people.csv"),
    )  # fmt: skip
    assert "progress\t100 %" in shown.out
    assert "import" in cli.here("jobs", "list").ok().out
    assert (cancelled.code, cancelled.error["code"]) == (5, "wrong_state")


def test_a_preview_shows_what_would_become_of_the_first_rows(cli: Cli) -> None:
    bring_in(cli, f"phone,name\n{ANN},Ann\n{BOB},Bob\n").ok()

    done = bring_in(
        cli, f"phone,name\n{ANN},Ann\n{BOB},Rob\n{CARL},Carl\nx,Y\n", "--preview", "--json"
    )

    assert (done.code, done.json["dry_run"]) == (7, True)
    assert [line.split()[:3] for line in done.err.splitlines() if line.startswith("row ")] == [
        ["row", "2", "same"],
        ["row", "3", "update"],
        ["row", "4", "add"],
        ["row", "5", "invalid_phone"],
    ]
    assert phones(cli) == [ANN, BOB]


def test_what_is_known_is_kept_replaced_or_left(cli: Cli) -> None:
    def told(*words: str) -> tuple[str, str | None]:
        bring_in(cli, f"phone,name,zone\n{ANN},Anna,\n", *words).ok()
        shown = cli.here("contacts", "show", ANN, "--json").ok().json
        return shown["name"], shown["zone"]

    bring_in(cli, f"phone,name,zone\n{ANN},Ann,Europe/Rome\n").ok()

    assert told("--existing", "skip") == ("Ann", "Europe/Rome")
    assert told("--existing", "keep") == ("Ann", "Europe/Rome")
    assert told() == ("Anna", "Europe/Rome")
    assert told("--existing", "replace") == ("Anna", None)


def test_who_must_not_be_called_or_waits_elsewhere_is_told_apart(cli: Cli, campaign: str) -> None:
    cli.here("dnc", "add", CARL).ok()
    bring_in(cli, f"phone\n{ANN}\n", "-c", campaign).ok()
    cli.here("campaign", "start", campaign).ok()
    cli.here("campaign", "create", "Survey", "--number", "+12025550123", "--say", "Hi").ok()
    data = f"phone\n{ANN}\n{BOB}\n{CARL}\n"

    told = bring_in(cli, data, "-c", "Survey", "--dry-run", "--json").json
    kept_out = bring_in(cli, data, "-c", "Survey", "--skip-in-other-campaigns", "--json").json

    assert (told["members_added"], told["in_other_campaigns"]) == (2, 1)
    assert told["rejected"] == {"do_not_call": 1}
    assert kept_out["rejected"] == {"do_not_call": 1, "in_other_campaign": 1}
    assert phones(cli, "--campaign", "Survey") == [BOB]


def test_a_workbook_is_a_list_too(cli: Cli) -> None:
    path = cli.folder / "people.xlsx"
    with xlsxwriter.Workbook(path) as book:
        book.add_worksheet("Notes").write_row(0, 0, ["Hello"])
        sheet = book.add_worksheet("People")
        sheet.write_row(0, 0, ["Telefon", "Name"])
        sheet.write_row(1, 0, [ANN, "Ann"])
        sheet.write_row(2, 0, [4915123456780, "Bob"])

    done = cli.here("contacts", "import", path, "--sheet", "People", "--json")

    assert (done.code, done.json["rejected"]) == (7, {"phone_as_number": 1})
    assert "workbook, sheet 'People'" in done.err
    assert phones(cli) == [ANN]


def test_the_column_that_looks_like_phones_is_named(cli: Cli) -> None:
    done = bring_in(cli, f"Pets,Reach them at\n2,{ANN}\n3,{BOB}\n")

    assert done.err.splitlines() == [
        "error: no column holds phone numbers; the columns are 'Pets', 'Reach them at'",
        "next:  it looks like 'Reach them at': --map phone='Reach them at'",
    ]


# -- one by one -----------------------------------------------------------------------------------


def test_one_person_is_added_told_more_of_and_shown(cli: Cli, campaign: str) -> None:
    added = cli.here("contacts", "add", "0151 23456789", "--name", "Ann", "--json").ok()
    again = cli(
        "contacts", "add", ANN, "--tag", "vip", "--zone", "Europe/Berlin", "-c", campaign, "--json"
    ).ok()

    assert added.json == {"phone": ANN, "added": True, "members_added": 0}
    assert again.json == {"phone": ANN, "added": False, "members_added": 1}
    shown = cli.here("contacts", "show", "1", "--json").ok().json
    assert (shown["phone"], shown["name"], shown["tags"]) == (ANN, "Ann", ["vip"])
    assert shown["zone"] == "Europe/Berlin"
    (membership,) = shown["memberships"]
    assert (membership["state"], membership["priority"]) == ("pending", "normal")
    assert "in Renewals: pending, 0 attempts" in cli.here("contacts", "show", ANN).ok().out


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("add", "12"), 2, "'12' is not a phone number"),
        (("add", ANN, "--zone", "Berlin"), 2, "did you mean 'Europe/Berlin'"),
        (("add", ANN, "-c", "Nowhere"), 3, "no campaign 'Nowhere'"),
        (("show", ANN), 3, f"no contact '{ANN}'"),
        (("show", "999999999999999999999"), 3, "no contact"),
        (("list", "--state", "pending"), 2, "add --campaign"),
        (("list", "-c", "x", "--state", "sleeping"), 2, "state: 'sleeping' is not known"),
    ],
)
def test_what_cannot_be_done_is_said(
    cli: Cli, words: tuple[str, ...], code: int, message: str
) -> None:
    done = cli.here("contacts", *words, "--json")

    assert (done.code, done.out) == (code, "")
    assert message in done.error["message"]


def test_lists_go_to_programs_as_rows(cli: Cli, campaign: str) -> None:
    bring_in(cli, f"phone,name\n{ANN},Ann\n{BOB},Bob\n", "-c", campaign).ok()

    everyone = cli.here("contacts", "list", "--limit", "1").ok()
    members = cli.here("contacts", "list", "-c", campaign, "--state", "pending").ok()

    assert everyone.out == f"1\t{ANN}\tAnn\t\t\n"
    assert "the first 1; see more with --limit" in everyone.err
    assert members.out.splitlines()[1] == f"2\t{BOB}\tBob\t\tpending\t0\t\t"
    assert (
        json.loads(cli.here("contacts", "list", "-c", campaign, "--json").out)[0]["state"]
        == "pending"
    )
