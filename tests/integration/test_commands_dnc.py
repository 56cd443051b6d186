"""`dialer dnc`, as an operator runs it."""

import os
import re
import shlex
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest

from tests.support.cli import ROOT, Cli, Done

END_OF_INPUT = "\x04"  # Ctrl-D
ANN, BOB, CARL = "+4915123456789", "+4915123456780", "+4915123456781"


@pytest.fixture
def cli(tmp_path: Path, sqlite_template: bytes) -> Cli:
    cli = Cli(tmp_path, {"DIALER_DEFAULT_REGION": "DE"})
    cli.database.write_bytes(sqlite_template)
    return cli


@pytest.fixture
def campaign(cli: Cli) -> str:
    cli.here("numbers", "add", "+12025550123")
    made = cli.here("campaign", "create", "Renewals", "--number", "+12025550123", "--say", "Hi")
    assert "is made" in made.err
    return "Renewals"


def given(cli: Cli, data: str, name: str = "stop.csv") -> Path:
    path = cli.folder / name
    path.write_text(data, encoding="utf-8")
    return path


def listed(cli: Cli, *words: str) -> list[tuple[str, str | None, str]]:
    done = cli.here("dnc", "list", "--json", "--limit", "1000", *words).ok()
    return [(each["phone"], each["campaign"], each["note"]) for each in done.json]


def typing(cli: Cli, typed: str, *words: str) -> tuple[int, str]:
    """Run a command on a terminal and type at its question: its exit code, and the screen."""
    screen, terminal = os.openpty()
    shown = b""
    with subprocess.Popen(
        [sys.executable, "-m", "cli", *words],
        cwd=cli.folder,
        env=cli.environment,
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
    ) as process:
        os.close(terminal)
        with suppress(OSError):  # the other end is closed
            while b" to do it: " not in shown:
                shown += os.read(screen, 65_536)
            os.write(screen, typed.encode())
            while True:
                shown += os.read(screen, 65_536)
    os.close(screen)
    return process.returncode, shown.decode()


# -- one by one -----------------------------------------------------------------------------------


def test_numbers_are_listed_looked_for_and_looked_up(cli: Cli, campaign: str) -> None:
    added = cli.here(
        "dnc", "add", "0151 23456789", BOB, ANN, "--note", " by letter ", "--json"
    ).ok()
    again = cli.here("dnc", "add", ANN, "-c", campaign, "--json").ok()

    assert added.json == {
        "phones": [ANN, BOB], "campaign": None, "added": 2, "same": 0, "members_failed": 0,
    }  # fmt: skip
    assert (again.json["campaign"], again.json["added"]) == (campaign, 1)
    assert sorted(listed(cli), key=str) == [
        (BOB, None, "by letter"), (ANN, "Renewals", ""), (ANN, None, "by letter"),
    ]  # fmt: skip
    assert listed(cli, "--search", "LETTER", "--limit", "1") == [(ANN, None, "by letter")]
    assert listed(cli, "--campaign", campaign) == [(ANN, "Renewals", "")]
    (first, *_) = cli.here("dnc", "list", "--json").ok().json
    assert first["created_at"].endswith("Z")


def test_what_was_done_is_said(cli: Cli, campaign: str) -> None:
    given(cli, f"phone\n{ANN}\n", "people.csv")
    cli.here("contacts", "import", "people.csv", "-c", campaign).ok()

    first = cli.here("dnc", "add", ANN).ok()
    again = cli.here("dnc", "add", ANN, BOB, "-c", campaign).ok()
    once_more = cli.here("dnc", "add", ANN, BOB, CARL, "-c", campaign).ok()

    assert first.err.splitlines() == [
        f"{ANN} is on the do-not-call list now, for every campaign",
        "1 waiting member will get no call because of it",
        f"next:  dialer dnc check {ANN}",
    ]
    assert "2 numbers are on the do-not-call list now, for 'Renewals'" in again.err
    assert "2 numbers are listed for 'Renewals' already; nothing was changed" in once_more.err
    assert first.out == ""


@pytest.mark.parametrize(
    ("asked", "code", "found"),
    [
        ((ANN,), 1, [None]),
        ((ANN, "-c", "Renewals"), 1, [None]),
        ((BOB,), 1, ["Renewals"]),
        ((BOB, "-c", "Renewals"), 1, ["Renewals"]),
        ((BOB, "-c", "Survey"), 0, []),
        ((CARL,), 0, []),
    ],
)
def test_a_check_answers_with_its_exit_code(
    cli: Cli, campaign: str, asked: tuple[str, ...], code: int, found: list[str | None]
) -> None:
    cli.here("campaign", "create", "Survey", "--number", "+12025550123", "--say", "Hi").ok()
    cli.here("dnc", "add", ANN).ok()
    cli.here("dnc", "add", BOB, "-c", campaign).ok()

    done = cli.here("dnc", "check", *asked, "--json")
    for_people = cli.here("dnc", "check", *asked)

    assert (done.code, for_people.code) == (code, code)
    assert (done.json["phone"], done.json["listed"]) == (asked[0], bool(code))
    assert [entry["campaign"] for entry in done.json["entries"]] == found
    word = "is" if code else "is not"
    assert for_people.err == f"{asked[0]} {word} on the do-not-call list\n"
    assert len(for_people.out.splitlines()) == len(found)


def test_a_check_that_cannot_be_made_is_no_leave_to_call(cli: Cli, tmp_path: Path) -> None:
    empty = tmp_path / "elsewhere"
    empty.mkdir()

    for done in (
        Cli(empty).here("dnc", "check", ANN),
        cli.here("dnc", "check", ANN, "-c", "Nowhere"),
        cli.here("dnc", "check", "12"),
    ):
        assert done.code not in (0, 1), done


def test_a_numbers_history_is_told(cli: Cli, campaign: str) -> None:
    cli.here("dnc", "add", ANN, "-c", campaign, "--note", "asked for it").ok()
    cli.here("dnc", "remove", ANN, "-c", campaign, "--yes", "--note", "changed her mind").ok()

    told = cli.here("dnc", "history", ANN, "--json").ok().json
    shown = cli.here("dnc", "history", ANN).ok()

    assert [(each["event"], each["campaign"], each["detail"]) for each in told] == [
        ("added", "Renewals", "asked for it"),
        ("removed", "Renewals", "changed her mind"),
    ]
    assert [line.split("\t")[1:] for line in shown.out.splitlines()] == [
        ["added", "Renewals", "asked for it"],
        ["removed", "Renewals", "changed her mind"],
    ]
    assert cli.here("dnc", "history", BOB, "--json").ok().json == []
    assert "was never on" in cli.here("dnc", "history", BOB).ok().err


def test_a_note_cannot_break_a_table_or_command_a_terminal(cli: Cli) -> None:
    cli.here("dnc", "add", ANN, "--note", "two\nlines,\ta tab and \x1b[31mred").ok()

    (line,) = cli.here("dnc", "list").ok().out.splitlines()

    assert line.split("\t")[4] == "two lines, a tab and [31mred"


# -- off the list ---------------------------------------------------------------------------------


@pytest.fixture
def everywhere(cli: Cli, campaign: str) -> Cli:
    """A list with two callees, each for every campaign and for one."""
    cli.here("dnc", "add", ANN, BOB).ok()
    cli.here("dnc", "add", ANN, BOB, "-c", campaign).ok()
    return cli


@pytest.mark.parametrize(
    ("words", "left"),
    [
        (("remove", ANN), {(ANN, "Renewals"), (BOB, None), (BOB, "Renewals")}),
        (("remove", ANN, "-c", "Renewals"), {(ANN, None), (BOB, None), (BOB, "Renewals")}),
        (("remove", ANN, "--everywhere"), {(BOB, None), (BOB, "Renewals")}),
        (("clear", "-c", "Renewals"), {(ANN, None), (BOB, None)}),
    ],
)
def test_there_are_three_ways_off_the_list(
    everywhere: Cli, words: tuple[str, ...], left: set[tuple[str, str | None]]
) -> None:
    done = everywhere.here("dnc", *words, "--yes", "--json").ok()

    assert {entry[:2] for entry in listed(everywhere)} == left
    assert done.json["removed"] == 4 - len(left)


def test_what_is_left_is_said(everywhere: Cli) -> None:
    some = everywhere.here("dnc", "remove", ANN, "--yes").ok()
    rest = everywhere.here("dnc", "remove", ANN, "-c", "Renewals", "--yes").ok()
    cleared = everywhere.here("dnc", "clear", "-c", "Renewals", "--yes").ok()

    assert some.err.splitlines() == [
        f"{ANN} is off the list: 1 entry removed",
        "it is still listed for 'Renewals'",
        f"next:  dialer dnc remove {ANN} --everywhere",
    ]
    assert rest.err == f"{ANN} is off the list: 1 entry removed\n"
    assert cleared.err == "1 entry of campaign 'Renewals' removed\n"


@pytest.mark.parametrize("words", [("remove", ANN), ("clear", "-c", "Renewals")])
def test_nothing_is_removed_where_nobody_can_be_asked(
    everywhere: Cli, words: tuple[str, ...]
) -> None:
    done = everywhere("dnc", *words, "--json")

    assert (done.code, "add --yes" in done.error["message"]) == (2, True)
    assert len(listed(everywhere)) == 4


def test_a_removal_wants_the_number_typed(everywhere: Cli) -> None:
    wrong, said = typing(everywhere, "yes\n", "dnc", "remove", ANN, "--everywhere")
    stopped, _ = typing(everywhere, END_OF_INPUT, "dnc", "remove", ANN, "--everywhere")
    before = len(listed(everywhere))
    right, _ = typing(everywhere, f"{ANN}\n", "dnc", "remove", ANN, "--everywhere")

    assert (wrong, "nothing was removed" in said) == (1, True)
    assert f"Take {ANN} off the do-not-call list of every campaign and 'Renewals'?" in said
    assert (stopped, before) == (1, 4)
    assert (right, len(listed(everywhere))) == (0, 2)


def test_a_clearing_wants_the_campaign_typed(everywhere: Cli) -> None:
    code, said = typing(everywhere, "Renewals\n", "dnc", "clear", "-c", "1")

    assert (code, len(listed(everywhere))) == (0, 2)
    assert "Take 2 entries of campaign 'Renewals' off the do-not-call list?" in said


def test_the_callees_own_word_is_not_removed_unawares(cli: Cli) -> None:
    cli.here("dnc", "add", ANN).ok()
    with closing(sqlite3.connect(cli.database)) as connection, connection:
        connection.execute("UPDATE dnc SET source = 'callee'")

    done = cli.here("dnc", "remove", ANN)

    assert done.code == 2
    assert "The callee asked for it. Take" in done.err


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("add", "12"), 2, "'12' is not a phone number"),
        (("add", ANN, "-c", "Renewal"), 3, "did you mean 'Renewals'"),
        (("remove", CARL, "--yes"), 3, "is not on the do-not-call list"),
        (("remove", BOB, "--yes"), 3, "has no entry for every campaign, only for 'Renewals'"),
        (("remove", ANN, "-c", "Renewals", "--yes"), 3, "no entry for 'Renewals', only for every"),
        (("remove", ANN, "-c", "Renewals", "--everywhere"), 2, "leave --campaign out"),
        (("clear", "-c", "Nowhere"), 3, "no campaign 'Nowhere'"),
        (("list", "-c", "Nowhere"), 3, "no campaign 'Nowhere'"),
        (("history", "12"), 2, "'12' is not a phone number"),
        (("export", "no/where.csv", "--json"), 2, ""),
    ],
)
def test_what_cannot_be_done_is_said(
    cli: Cli, campaign: str, words: tuple[str, ...], code: int, message: str
) -> None:
    cli.here("dnc", "add", ANN).ok()
    cli.here("dnc", "add", BOB, "-c", campaign).ok()

    done = cli.here("dnc", *words)

    assert (done.code, done.out) == (code, "")
    assert message in done.err
    assert "Traceback" not in done.err
    assert len(listed(cli)) == 2


def test_an_empty_campaign_has_nothing_to_clear(cli: Cli, campaign: str) -> None:
    done = cli.here("dnc", "clear", "-c", campaign, "--yes", "--json")

    assert (done.code, done.error["code"]) == (3, "not_found")


# -- files ----------------------------------------------------------------------------------------


def bring_in(cli: Cli, data: str, *words: str) -> Done:
    return cli.here("dnc", "import", given(cli, data), *words)


def test_a_file_goes_on_the_list_and_its_bad_rows_to_another(cli: Cli, campaign: str) -> None:
    data = f"Rufnummer;Kampagne;Notiz;Ort\n0151 23456789;;Brief;Bonn\n{BOB};Renewels;;\nkeine;;;\n"

    done = bring_in(cli, data, "--json")

    assert done.code == 7
    assert done.json == {
        "rows": 3,
        "added": 1,
        "same": 0,
        "rejected": {"unknown_campaign": 1, "invalid_phone": 1},
        "members_failed": 0,
        "rejects_file": str(cli.folder / "stop.rejected.csv"),
    }
    assert "2 rows were rejected: 1 unknown_campaign, 1 invalid_phone" in done.err
    assert "left out   'Ort'" in done.err
    assert "rows that name no campaign hold in every campaign" in done.err
    assert listed(cli) == [(ANN, None, "Brief")]
    assert (cli.folder / "stop.rejected.csv").read_text("utf-8-sig").splitlines()[1] == (
        f"{BOB};Renewels;;;3;Kampagne;unknown_campaign;did you mean 'Renewals'?"
    )


def test_a_mended_file_of_rejected_rows_comes_in(cli: Cli, campaign: str) -> None:
    assert bring_in(cli, f"phone,campaign\n{ANN},\n{BOB},Renewels\n").code == 7
    rejected = cli.folder / "stop.rejected.csv"
    mended = rejected.read_text("utf-8-sig").replace("Renewels", campaign, 1)

    done = cli.here("dnc", "import", given(cli, mended, rejected.name)).ok()

    assert "left out" not in done.err
    assert set(listed(cli)) == {(ANN, None, ""), (BOB, "Renewals", "")}


def test_an_import_may_be_repeated_and_shows_its_counts(cli: Cli, campaign: str) -> None:
    first = bring_in(cli, f"phone\n{ANN}\n{BOB}\n", "-c", campaign).ok()
    again = bring_in(cli, f"phone\n{ANN}\n{BOB}\n", "-c", campaign).ok()

    assert first.out == "read\t2\nadded\t2\nsame\t0\nrejected\t0\nmembers failed\t0\n"
    assert again.out == "read\t2\nadded\t0\nsame\t2\nrejected\t0\nmembers failed\t0\n"
    assert "rows hold in 'Renewals'" in again.err
    assert not (cli.folder / "stop.rejected.csv").exists()
    entries = cli.here("dnc", "check", ANN, "--json").json["entries"]
    assert [(each["campaign"], each["source"]) for each in entries] == [("Renewals", "file")]


def test_columns_numbers_and_rejected_rows_go_where_they_are_told_to(cli: Cli) -> None:
    done = bring_in(
        cli, f"A,B\n{ANN[3:]},old\nx,y\n", "--map", "phone=A", "-m", "note=B", "--region", "DE",
        "--report", "bad.csv", "--json",
    )  # fmt: skip

    assert (done.code, done.json["rejects_file"]) == (7, "bad.csv")
    assert listed(cli) == [(ANN, None, "old")]


def test_a_list_may_come_and_go_through_a_pipe(cli: Cli) -> None:
    done = cli("dnc", "import", "-", "--json", stdin=f"phone\n{ANN}\n".encode()).ok()
    exported = cli("dnc", "export").ok()

    assert done.json["added"] == 1
    header, line = exported.out.splitlines()
    assert header == "phone,campaign,note,source,created_at"
    assert line.startswith(f"'{ANN},,,file,2")
    assert exported.err == "1 entry\n"


@pytest.mark.parametrize(
    ("data", "words", "message"),
    [
        ("", (), "is empty"),
        ("City,Street\nBonn,Main\n", (), "the columns are 'City', 'Street'"),
        ("phone,mobile\n1,2\n", (), "several columns hold phone numbers: 'phone', 'mobile'"),
        ("phone\n", ("--map", "name=phone"), "no such field: 'name' (phone, campaign, note)"),
        ("phone\n", ("--map", "phone=fone"), "there is no column 'fone'"),
        ("phone\n", ("--region", "Germany"), "not a country of phone numbers: 'Germany'"),
        ("phone\n", ("--encoding", "klingon"), "no such encoding: 'klingon'"),
        ("phone\n", ("--report", "no/where.csv"), "cannot be written"),
        ("phone\n", ("--report", "stop.csv"), "is the list itself"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused(
    cli: Cli, data: str, words: tuple[str, ...], message: str
) -> None:
    done = bring_in(cli, data, *words, "--json")

    assert (done.code, done.out) == (2, "")
    assert message in done.error["message"]


def test_an_unknown_campaign_is_told_with_the_closest(cli: Cli, campaign: str) -> None:
    done = bring_in(cli, f"phone\n{ANN}\n", "-c", "Renewal", "--json")

    assert (done.code, done.error["code"]) == (3, "not_found")
    assert "did you mean 'Renewals'" in done.error["message"]
    assert listed(cli) == []


@pytest.mark.parametrize("flags", [(), ("--raw",)])
def test_an_exported_list_is_imported_as_it_was(
    cli: Cli, campaign: str, flags: tuple[str, ...]
) -> None:
    cli.here("dnc", "add", ANN, BOB, "--note", '=cmd, "quoted"').ok()
    cli.here("dnc", "add", CARL, "-c", campaign, "--note", "two\nlines").ok()
    before = listed(cli)

    said = cli.here("dnc", "export", "stop.csv", *flags).ok()
    for each in (ANN, BOB, CARL):
        cli.here("dnc", "remove", each, "--everywhere", "--yes").ok()
    emptied = listed(cli)
    cli.here("dnc", "import", "stop.csv").ok()

    assert (said.out, said.err) == ("", "3 entries in stop.csv\n")
    assert emptied == []
    assert sorted(listed(cli), key=str) == sorted(before, key=str)


def test_an_interrupted_import_says_what_is_in_and_is_finished_by_the_next(cli: Cli) -> None:
    total = 40_000
    given(cli, "phone\n" + "".join(f"+49151{n:08}\n" for n in range(10**7, 10**7 + total)))
    running = subprocess.Popen(
        [sys.executable, "-m", "cli", "dnc", "import", "stop.csv"],
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

    done = cli("dnc", "import", "stop.csv", "--json").ok().json

    assert running.returncode == 130, said
    assert "import the file again to go on, nothing is added twice" in said
    assert done["added"] + done["same"] == total
    assert 0 < done["added"] < total
    assert count(cli) == total


def count(cli: Cli) -> int:
    with closing(sqlite3.connect(cli.database, timeout=30)) as connection:
        return int(connection.execute("SELECT count(*) FROM dnc").fetchone()[0])


# -- what the documentation says ------------------------------------------------------------------


def test_the_commands_of_the_how_to_run_as_they_are_written(cli: Cli, campaign: str) -> None:
    page = (ROOT / "docs" / "how-to" / "do-not-call.md").read_text()
    commands = re.findall(r"^ {4}dialer (dnc .+)$", page, re.MULTILINE)
    given(cli, f"phone,campaign,note\n{CARL},,by mail\n")
    american = cli.set(default_region="US")

    done = {command: american.here(*shlex.split(command)) for command in commands}

    assert len(commands) > 8
    expected = {"dnc check +12025550123 --campaign Renewals": 1}
    assert {command: each.code for command, each in done.items()} == {
        command: expected.get(command, 0) for command in commands
    }
