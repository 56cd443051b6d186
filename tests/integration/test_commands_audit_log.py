"""`dialer audit-log`, as an operator runs it, and an entry for every command that acts."""

import getpass
import json
import os
import socket
import sqlite3
from contextlib import closing
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from dialer.audit_log import ROOT
from tests.integration.test_commands_operators import carrier
from tests.support.cli import Cli, every_command

NUMBER, SPARE = "+12025550123", "+12025550124"
ANN, BOB, CARL = "+4915123456789", "+4915123456780", "+4915123456781"
HOURS = "mon-fri 09:00-17:00"
ME = f"{getpass.getuser()}@{socket.gethostname()}"


@pytest.fixture
def cli(tmp_path: Path, sqlite_template: bytes) -> Cli:
    cli = Cli(tmp_path)
    cli.database.write_bytes(sqlite_template)
    return cli


def entries(cli: Cli, *words: str) -> list[dict[str, Any]]:
    """What the log says, oldest first."""
    done = cli.here("audit-log", "list", "--json", "--limit", "1000", *words).ok()
    return list(reversed(done.json))


# -- every command --------------------------------------------------------------------------------

#: Commands that change nothing an operator decides: they read, or they are processes that work by
#: what was decided, and whose own deeds are entries of "daemon".
NO_ENTRY = frozenset(
    {
        "agents list", "agents show", "amd evaluate", "amd report", "amd train", "audit",
        "audit-log export", "audit-log list",
        "audit-log show", "audit-log verify", "calls list", "calls show", "calls tail",
        "campaign check", "campaign export-config", "campaign list", "campaign settings diff",
        "campaign settings get", "campaign show", "campaign status", "campaign wait",
        "campaign watch", "carrier-sim", "completion install", "completion show", "config get",
        "config path", "config schema", "config set", "config show", "config unset",
        "config validate", "contacts history", "contacts list", "contacts show", "db check",
        "db status", "demo", "dnc check", "dnc export", "dnc history", "dnc list", "doctor",
        "explain", "exports list", "exports show", "forecast", "holidays list",
        "holidays calendar", "holidays search", "holidays show", "imports list", "imports show",
        "init", "jobs list", "jobs show", "logs tail", "numbers list", "numbers show",
        "numbers test", "rules check", "rules list", "rules show", "run", "schedule check",
        "schedule list", "schedule next", "schedule preview", "schedule show", "selftest",
        "status", "version",
    }
)  # fmt: skip
#: Those whose entries other tests look for: they want a call that goes on, a long job, a copy.
ELSEWHERE = frozenset({"calls hangup", "calls label", "db reconcile", "db restore", "jobs cancel"})

#: What an operator does, in an order in which it can be done, and what is left in the log.
SAY = ("--number", NUMBER, "--say", "Hello")
ANYBODY = mock.ANY  # the pseudonym of somebody who was erased
DEEDS: list[tuple[str, tuple[str, ...], list[tuple[str, str]]]] = [
    ("db upgrade", (), [("db.upgrade", "database")]),
    ("numbers add", (NUMBER,), [("numbers.add", "+1202***123")]),
    ("numbers score", (NUMBER, "3"), [("numbers.score", "+1202***123")]),
    ("numbers disable", (NUMBER,), [("numbers.disable", "+1202***123")]),
    ("numbers enable", (NUMBER,), [("numbers.enable", "+1202***123")]),
    ("numbers sync", (), [("numbers.sync", "the carrier's account")]),
    ("agents add", ("Ann", "--say", "Hello"), [("agents.add", "Ann")]),
    ("schedule create", ("Office", "--hours", HOURS), [("schedule.create", "Office")]),
    (
        "campaign create",
        ("Renewals", *SAY),
        [("agents.add", "Renewals"), ("campaign.create", "Renewals")],
    ),
    (
        "contacts import",
        ("people.csv", "-c", "Renewals"),
        [("contacts.import", "people.csv"), ("contacts.imported", "people.csv")],
    ),
    ("contacts add", (BOB, "-c", "Renewals"), [("contacts.add", "+4915***780")]),
    ("campaign start", ("Renewals",), [("campaign.start", "Renewals")]),
    ("campaign pause", ("Renewals", "--reason", "lunch"), [("campaign.pause", "Renewals")]),
    ("campaign resume", ("Renewals",), [("campaign.resume", "Renewals")]),
    ("dnc add", (ANN, "-c", "Renewals"), [("dnc.add", "+4915***789")]),
    ("dnc clear", ("-c", "Renewals", "--yes"), [("dnc.clear", "Renewals")]),
    ("dnc import", ("people.csv",), [("dnc.import", "people.csv"), ("dnc.imported", "people.csv")]),
    ("dnc remove", (ANN, "--yes"), [("dnc.remove", "+4915***789")]),
    ("campaign complete", ("Renewals", "--yes"), [("campaign.complete", "Renewals")]),
    (
        "contacts add",
        (CARL, "-c", "Renewals", "--yes"),
        [("campaign.reopen", "Renewals"), ("contacts.add", "+4915***781")],
    ),
    ("campaign cancel", ("Renewals", "--yes"), [("campaign.cancel", "Renewals")]),
    ("db backup", ("copy.db",), [("db.backup", "copy.db")]),
    ("rules add", ("US-NY", "--closed"), [("rules.add", "own/1")]),
    ("rules remove", ("own/1", "--yes"), [("rules.remove", "own/1")]),
    ("rules off", ("GB", "--reason", "a letter"), [("rules.off", "GB")]),
    ("rules on", ("GB",), [("rules.on", "GB")]),
    ("holidays create", ("Ours",), [("holidays.create", "Ours")]),
    ("holidays add", ("Ours", "2026-12-24", "Eve"), [("holidays.add", "Ours")]),
    ("holidays remove", ("Ours", "2026-12-24"), [("holidays.remove", "Ours")]),
    (
        "holidays import",
        ("US-LA", "--years", "2026", "--into", "Ours"),
        [("holidays.import", "Ours")],
    ),
    ("erase", (BOB, "--yes"), [("privacy.erase", ANYBODY)]),
    ("db purge", ("--yes",), [("privacy.purge", "retention")]),
    ("numbers add", (SPARE,), [("numbers.add", "+1202***124")]),
    (
        "campaign create",
        ("May", *SAY, "--number", SPARE),
        [("agents.add", "May"), ("campaign.create", "May")],
    ),
    ("campaign edit", ("May", "--set", "retries=1"), [("campaign.edit", "May")]),
    ("campaign settings set", ("May", "retries=3"), [("campaign.edit", "May")]),
    ("campaign settings reset", ("May", "retries"), [("campaign.edit", "May")]),
    (
        "campaign clone",
        ("May", "June"),
        [("campaign.create", "June"), ("campaign.clone", "June")],
    ),
    ("campaign archive", ("June",), [("campaign.archive", "June")]),
    ("campaign restore", ("June",), [("campaign.restore", "June")]),
    ("numbers exclude", (SPARE, "--campaign", "June"), [("campaign.edit", "June")]),
    ("campaign delete", ("June", "--yes"), [("campaign.delete", "June")]),
    ("numbers exclude", (SPARE, "--yes"), [("campaign.edit", "May")]),
    ("numbers remove", (SPARE, "--yes"), [("numbers.remove", "+1202***124")]),
    ("schedule edit", ("Office", "--closed", "2030-12-24"), [("schedule.edit", "Office")]),
    ("schedule delete", ("Office", "--yes"), [("schedule.delete", "Office")]),
    ("agents edit", ("Ann", "--say", "Bye"), [("agents.edit", "Ann")]),
    ("agents remove", ("Ann", "--yes"), [("agents.remove", "Ann")]),
    ("pause", ("--all",), [("dialing.hold", "all campaigns")]),
    ("resume", ("--all",), [("dialing.release", "all campaigns")]),
    *(
        (f"{noun} export", (file,), [(f"{noun}.export", file), (f"{noun}.exported", file)])
        for noun, file in (("contacts", "out.csv"), ("calls", "calls.csv"))
    ),
    ("exports get", ("1", "copy.csv"), [("exports.get", "copy.csv")]),
    (
        "contacts import",
        ("people.csv", "-c", "May"),
        [("contacts.import", "people.csv"), ("contacts.imported", "people.csv")],
    ),
    ("contacts tag", (ANN, "--add", "vip"), [("contacts.tag", "1 contacts")]),
    ("contacts edit", (ANN, "--name", "Ann"), [("contacts.edit", "+4915***789")]),
    ("contacts priority", (ANN, "high", "-c", "May"), [("contacts.priority", "+4915***789")]),
    ("contacts skip", (ANN, "-c", "May"), [("contacts.skip", "+4915***789")]),
    ("contacts retry", (ANN, "-c", "May"), [("contacts.retry", "+4915***789")]),
    ("contacts remove", (ANN, "-c", "May", "--yes"), [("contacts.remove", "+4915***789")]),
    ("imports undo", ("2",), [("imports.undo", "2")]),
    ("contacts undo-import", ("1",), [("imports.undo", "1")]),
]  # fmt: skip


def test_every_command_is_known_to_change_something_or_not_to() -> None:
    changing = {command for command, _, _ in DEEDS} | ELSEWHERE

    assert changing | NO_ENTRY == {name for name, _ in every_command()}
    assert changing & NO_ENTRY == set()


def test_every_command_that_changes_something_leaves_its_entry(tmp_path: Path) -> None:
    operator = Cli(tmp_path).set(actor="ann", default_region="DE", retain_dnc_history_days="30")
    (tmp_path / "people.csv").write_text(f"phone\n{ANN}\n")
    known = 0
    with carrier() as settings:
        at_carrier = operator.set(**settings)
        for command, words, left in DEEDS:
            if command == "db purge":
                aged(operator)
            at_carrier.here(*command.split(), *words).ok()

            new = entries(operator)[known:]
            known += len(new)
            found = [(each["action"], each["subject"].removeprefix(f"{tmp_path}/")) for each in new]
            assert found == left, command
            assert {each["actor"] for each in new} == {"ann"}

    assert f"{known} entries, chain whole" in operator.here("audit-log", "verify").ok().out
    with closing(sqlite3.connect(operator.database)) as connection:
        (everything,) = connection.execute(
            "SELECT group_concat(subject || before || after) FROM audit_log"
        ).fetchone()
    assert [phone for phone in (NUMBER, ANN, BOB, CARL) if phone in everything] == []


def aged(cli: Cli) -> None:
    """Make what happened to numbers on the list happen long ago."""
    with closing(sqlite3.connect(cli.database)) as connection:
        connection.execute("UPDATE dnc_history SET at = 0")
        connection.commit()


def test_what_is_refused_leaves_no_entry(cli: Cli) -> None:
    for words in (
        ("campaign", "start", "Renewals"),
        ("numbers", "disable", NUMBER),
        ("dnc", "remove", NUMBER, "--yes"),
        ("schedule", "create", "Office", "--hours", "never"),
    ):
        assert cli.here(*words).code != 0

    assert entries(cli) == []


def test_a_dry_run_leaves_no_entry(cli: Cli) -> None:
    (cli.folder / "people.csv").write_text(f"phone\n{ANN}\n")

    cli.here("contacts", "import", "people.csv", "--dry-run").ok()

    assert entries(cli) == []


def test_a_password_of_an_agent_is_not_in_the_log(cli: Cli) -> None:
    cli.here(
        "agents", "add", "Desk", "--sip", "sip:desk@example.com",
        "--option", "username=u", "--option", "password=xyzzy",
    ).ok()  # fmt: skip

    (entry,) = entries(cli)
    assert entry["after"]["options"] == {"username": "u", "password": "set"}


def test_a_backup_of_an_older_schema_is_made_without_an_entry(cli: Cli) -> None:
    with closing(sqlite3.connect(cli.database)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0001'")
        connection.commit()

    done = cli.here("db", "backup", "copy.db").ok()

    assert (cli.folder / "copy.db").exists()
    assert "the audit log has no entry of it: database has schema 0001" in done.err


# -- who acts -------------------------------------------------------------------------------------


def test_whoever_runs_a_command_is_who_acts(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    cli.here("numbers", "add", NUMBER).ok()
    cli.set(actor="ann")("numbers", "disable", NUMBER).ok()
    monkeypatch.setattr(getpass, "getuser", nameless)
    cli.here("numbers", "enable", NUMBER).ok()

    nobody = f"user {os.getuid()}@{socket.gethostname()}"
    assert [each["actor"] for each in entries(cli)] == [ME, "ann", nobody]
    (hers,) = entries(cli, "--actor", "ann")
    assert hers["action"] == "numbers.disable"


def nameless() -> str:
    raise KeyError("getpwuid(): uid not found: 4711")


# -- looking at it --------------------------------------------------------------------------------


@pytest.fixture
def log(cli: Cli) -> Cli:
    """A log of three entries."""
    by_ann = cli.set(actor="ann")
    by_ann.here("numbers", "add", NUMBER, "--name", "Main").ok()
    by_ann.here("numbers", "score", NUMBER, "6.5").ok()
    by_ann.here("schedule", "create", "Office", "--hours", "mon-fri 09:00-17:00").ok()
    return cli


def test_the_log_is_listed_the_latest_first(log: Cli) -> None:
    lines = log.here("audit-log", "list").ok().out.splitlines()

    first, second, third = (line.split("\t") for line in lines)
    assert [first[0], second[0], third[0]] == ["3", "2", "1"]
    assert second[2:5] == ["ann", "numbers.score", "+1202***123"]
    assert second[5].startswith("spam_score 6.5, spam_scored_at 20")
    assert first[5].endswith("…")


def test_the_log_is_searched(log: Cli) -> None:
    def found(*words: str) -> list[int]:
        return [each["id"] for each in entries(log, *words)]

    assert found("--subject", NUMBER) == [1, 2]
    assert found("--action", "numbers") == [1, 2]
    assert found("--action", "schedule.create", "--subject", "Office") == [3]
    assert found("--since", "2020-01-01T00:00:00Z") == [1, 2, 3]
    assert found("--since", "2100-01-01T00:00:00Z") == []
    limited = log.here("audit-log", "list", "--limit", "2").ok()
    assert (len(limited.out.splitlines()), limited.err) == (
        2,
        "the first 2; see more with --limit\n",
    )
    assert log.here("audit-log", "list", "--actor", "bob").ok().err == "no such entry\n"


def test_an_entry_is_shown_with_what_it_changed(log: Cli) -> None:
    shown = log.here("audit-log", "show", "2").ok()
    as_json = log.here("audit-log", "show", "2", "--json").ok().json

    rows = [line.split("\t") for line in shown.out.splitlines()]
    names, before, after = zip(*rows, strict=True)
    assert names == ("spam_score", "spam_scored_at", "spam_source")
    assert (before, after[0], after[2]) == (("", "", ""), "6.5", "manual")
    assert after[1].endswith(" UTC")
    assert "  ann  numbers.score  +1202***123" in shown.err
    assert (as_json["before"]["spam_score"], as_json["after"]["spam_score"]) == (None, 6.5)
    assert as_json["at"].endswith("Z")


def test_an_operators_own_words_are_not_in_it(cli: Cli) -> None:
    said = "Call Ann Quiterare of Elm Street"
    create = ("campaign", "create", "R", "--number", NUMBER, "--say", said, "--notes", said)
    cli.here("numbers", "add", NUMBER).ok()
    cli.here(*create).ok()
    cli.here("rules", "add", "US-NY", "--closed", "--note", said).ok()
    cli.here("rules", "remove", "own/1", "--yes").ok()

    log = cli.here("audit-log", "export").ok().out

    assert "Quiterare" not in log
    assert f'"notes": "{len(said)} characters"' in log
    assert f'"target": "{len(said)} characters"' in log
    assert log.count(f'"note": "{len(said)} characters"') == 2


def test_what_is_in_a_name_does_not_reach_the_terminal(cli: Cli) -> None:
    cli.here("schedule", "create", "a\n\x1b[31mb", "--hours", HOURS).ok()
    cli.here("numbers", "add", NUMBER, "--name", "a\n\x1b[31mb").ok()

    assert "\tschedule.create\ta [31mb\t" in cli.here("audit-log", "list").ok().out
    assert "name\t\ta [31mb\n" in cli.here("audit-log", "show", "2").ok().out


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("show", "9"), 3, "there is no entry 9 in the audit log"),
        (("list", "--since", "yesterday"), 2, "'yesterday' is not a time"),
        (("verify", "--expect", "abc"), 2, "'abc' is no head of an audit log"),
        (("verify", "--expect", "g" * 64), 2, "is no head of an audit log"),
    ],
)
def test_what_cannot_be_answered_is_said(
    log: Cli, words: tuple[str, ...], code: int, message: str
) -> None:
    done = log.here("audit-log", *words)

    assert (done.code, done.out) == (code, "")
    assert message in done.err


def test_looking_makes_no_database(tmp_path: Path) -> None:
    cli = Cli(tmp_path)

    codes = [
        cli.here("audit-log", *words).code
        for words in (("list",), ("show", "1"), ("verify",), ("export", "log.jsonl"))
    ]

    assert codes == [3, 3, 3, 3]
    assert list(tmp_path.iterdir()) == []


# -- was it changed -------------------------------------------------------------------------------


def head(cli: Cli) -> str:
    return str(cli.here("audit-log", "verify", "--json").ok().json["head"])


def test_a_log_nobody_touched_is_whole(log: Cli) -> None:
    earlier = head(log)
    log.here("numbers", "disable", NUMBER).ok()

    verified = log.here("audit-log", "verify", "--expect", earlier).ok()

    assert verified.out == f"4 entries, chain whole, head {head(log)}\n"
    assert log.here("audit-log", "verify", "--expect", earlier, "--json").ok().json == {
        "whole": True, "entries": 4, "head": head(log), "expected_found": True, "broken": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("forgery", "words", "broken"),
    [
        (
            "UPDATE audit_log SET actor = 'bob' WHERE id = 2",
            "chain broken after 1 entry: entry 2 does not say what it said when it was written",
            {"id": 2, "fault": "changed", "follows": None},
        ),
        (
            "DELETE FROM audit_log WHERE id = 1",
            (
                "chain broken after 0 entries: what entry 2 follows is not in the log: it was"
                " removed or replaced"
            ),
            {"id": 2, "fault": "missing", "follows": None},
        ),
        (
            "UPDATE audit_log SET id = 7 WHERE id = 2",
            "chain broken after 1 entry: entry 3 follows entry 7: order was changed",
            {"id": 3, "fault": "moved", "follows": 7},
        ),
        (
            "UPDATE audit_log SET id = -3 WHERE id = 3",
            "chain broken after 0 entries: entry -3 follows entry 2: order was changed",
            {"id": -3, "fault": "moved", "follows": 2},
        ),
    ],
)
def test_a_log_somebody_touched_is_broken(
    log: Cli, forgery: str, words: str, broken: dict[str, Any]
) -> None:
    forge(log, forgery)

    said, as_json = log.here("audit-log", "verify"), log.here("audit-log", "verify", "--json")

    assert (said.code, said.out) == (1, f"{words}\n")
    assert (as_json.code, as_json.json["whole"], as_json.json["broken"]) == (1, False, broken)


def test_a_first_entry_that_is_not_the_first_is_named(log: Cli) -> None:
    first = "actor, action, subject, before, after, previous_hash, hash FROM audit_log WHERE id = 1"
    forge(log, f"INSERT INTO audit_log SELECT 4, at, {first}", "DELETE FROM audit_log WHERE id < 4",
          "INSERT INTO audit_log SELECT 5, at, actor, action, subject, before, after,"
          " previous_hash, hash FROM audit_log WHERE id = 4")  # fmt: skip

    done = log.here("audit-log", "verify")

    assert (done.code, done.out) == (
        1,
        "chain broken after 1 entry: entry 5 is a first one and not the first: order was changed\n",
    )


def test_a_cut_off_end_shows_to_whoever_noted_the_head(log: Cli) -> None:
    noted = head(log)
    forge(log, "DELETE FROM audit_log WHERE id = 3")

    log.here("audit-log", "verify").ok()
    done = log.here("audit-log", "verify", "--expect", noted.upper())

    assert done.code == 1
    assert f"2 entries that follow one another, but {noted} is none of their hashes" in done.out


def forge(cli: Cli, *statements: str) -> None:
    """Do what somebody does who owns the file."""
    with closing(sqlite3.connect(cli.database)) as connection:
        for trigger in ("UPDATE", "DELETE", "INSERT", "INSERTED"):
            connection.execute(f"DROP TRIGGER audit_log_{trigger}")
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def test_an_exported_log_is_verified_without_dialer(log: Cli) -> None:
    log.here("audit-log", "export", "log.jsonl").ok()
    piped = log.here("audit-log", "export").ok()

    text = (log.folder / "log.jsonl").read_text()
    assert piped.out == text
    previous = ROOT
    for entry in map(json.loads, text.splitlines()):
        assert entry["previous_hash"] == previous
        previous = sha256(canonical(said(entry)).encode()).hexdigest()
        assert entry["hash"] == previous
    assert previous == head(log)
    assert piped.err == "3 entries\n"


def said(entry: dict[str, Any]) -> dict[str, Any]:
    """What a hash covers, of an exported entry, as the documentation has it."""
    at = datetime.fromisoformat(entry["at"])
    return {
        **{name: entry[name] for name in ("actor", "action", "subject", "previous_hash")},
        "at": round(at.timestamp() * 1000),
        "before": canonical(entry["before"]),
        "after": canonical(entry["after"]),
    }


def canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
