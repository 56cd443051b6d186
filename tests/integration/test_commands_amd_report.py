"""`dialer amd report` and `dialer calls label`: verdicts of live calls, held against the truth."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from amd.verdict import Verdict
from dialer import amd_report, one_call
from dialer.amd_report import Prices
from dialer.errors import WrongStateError
from dialer.model import CampaignId
from dialer.store.opening import AnyDatabase
from tests.support import pages
from tests.support.cli import ROOT, Cli
from tests.support.engine import NOW, given_daemon, rows
from tests.support.given import given_campaign, write

COLUMNS = (
    "id, member_id, campaign_id, number_id, owner, phone, state, day, intent_at, send_at, check_at,"
    " sid, outcome, duration_s, closed_at"
)
VERDICT = (
    "INSERT INTO amd_verdicts (attempt_id, mode, seq, acting, verdict, kind, confidence, cause,"
    " at_ms, detector, decided_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'a test', ?8, 'text', 0)"
)


async def given_calls(database: AnyDatabase) -> CampaignId:
    """Three answered calls, judged by text and, in its shadow, by ml."""
    campaign = await given_campaign(database, now=NOW, contacts=3)
    owner = await given_daemon(database)
    async with database.write() as tx:
        calls = [
            (
                *(f"{n:032x}", n, campaign, 1, owner, f"+1202555000{n}", "ended", "2026-01-05"),
                *(NOW, NOW, NOW, f"CA{n}", "human" if n == 2 else "machine", 20, NOW + 20_000),
            )
            for n in (1, 2, 3)
        ]
        marks = ", ".join(f"?{n}" for n in range(1, 16))
        await write(tx, f"INSERT INTO attempts ({COLUMNS}) VALUES ({marks})", calls)
        first, second, third = (call[0] for call in calls)
        await write(
            tx,
            VERDICT,
            [
                (first, "text", 1, 1, "unknown", None, 0.5, 3000),
                (first, "text", 2, 1, "machine", "voicemail", 0.97, 3500),
                (first, "ml", 3, 0, "machine", None, 0.99, 1500),
                (second, "text", 1, 1, "human", None, 0.95, 900),
                (second, "ml", 2, 0, "machine", None, 0.96, 1500),
                (third, "text", 1, 1, "machine", "ivr", 0.9, 2000),
            ],
        )
        await write(
            tx,
            "INSERT INTO dnc (phone, source, created_at) VALUES (?1, 'callee', ?2)",
            [("+12025550002", NOW + 15_000)],
        )
    return campaign


async def test_modes_are_held_against_each_other_and_against_what_is_known(
    database: AnyDatabase,
) -> None:
    campaign = await given_calls(database)
    async with database.write("ann") as tx:
        await one_call.label(tx, "CA1", Verdict.MACHINE, NOW)

    async with database.read() as tx:
        found = await amd_report.report(tx, campaign, Prices(20, 0.05))

    text, ml = found.modes
    assert found.calls == 3
    assert (text.judged, text.known, text.errors.cost) == (3, 2, 0.0)
    assert (ml.judged, ml.errors.lost_humans, ml.errors.cost) == (2, 1, 20.0)
    assert text.decided_ms == (2000, 3500)
    assert found.confusion == {("text", "ml"): {("machine", "machine"): 1, ("human", "machine"): 1}}


async def test_a_label_is_written_down_and_so_is_who_gave_it(database: AnyDatabase) -> None:
    await given_calls(database)
    async with database.write("ann") as tx:
        row = await one_call.label(tx, "CA3", Verdict.HUMAN, NOW)
        await write(tx, "UPDATE attempts SET outcome = ?1 WHERE id = ?2", [("busy", f"{2:032x}")])
        with pytest.raises(WrongStateError, match="nobody answered"):
            await one_call.label(tx, "CA2", Verdict.HUMAN, NOW)

    assert (row["label"], row["outcome"]) == ("human", "machine")  # the outcome stays
    assert await rows(database, "SELECT actor FROM audit_log WHERE action = 'calls.label'") == [
        ("ann",)
    ]


# -- as an operator runs them ---------------------------------------------------------------------


@pytest.fixture
def cli(tmp_path: Path, sqlite_template: bytes) -> Cli:
    cli = Cli(tmp_path)
    cli.database.write_bytes(sqlite_template)
    cli.here("numbers", "add", "+12025550123")
    cli.here("campaign", "create", "Renewals", "--number", "+12025550123", "--say", "Hi").ok()
    return cli


def given_call(cli: Cli, outcome: str = "machine") -> None:
    with closing(sqlite3.connect(cli.database)) as connection, connection:
        connection.executescript(
            "INSERT INTO contacts (phone, created_at, changed_at) VALUES ('+12025550101', 0, 0);"
            "INSERT INTO members (campaign_id, contact_id, state, priority, next_at, created_at,"
            " changed_at) VALUES (1, 1, 'completed', 1, 0, 0, 0);"
            "INSERT INTO daemons (name, started_at, lease_until) VALUES ('one', 0, 0);"
            f"INSERT INTO attempts ({COLUMNS}) VALUES ('{1:032x}', 1, 1, 1, 1, '+12025550101',"
            f" 'ended', '2026-01-05', 0, 0, 0, 'CA1', '{outcome}', 20, 20000);"
        )
        connection.execute(VERDICT, (f"{1:032x}", "text", 1, 1, "machine", "voicemail", 0.97, 3500))


def test_a_report_without_calls_says_so(cli: Cli) -> None:
    done = cli.here("amd", "report", "Renewals").ok()

    assert done.out == ""
    assert "no call of 'Renewals' was judged" in done.err
    assert cli.here("amd", "report", "Nobody").code == 3


def test_a_call_is_labelled_and_the_report_knows(cli: Cli) -> None:
    given_call(cli)

    before = cli.here("amd", "report", "Renewals").ok()
    labelled = cli.here("calls", "label", "CA1", "human", "--json").ok().json
    after = cli.here("amd", "report", "Renewals", "--json", "--price-lost-human", "7").ok().json
    text = cli.here("amd", "report", "Renewals").ok()

    assert "dialer calls label" in before.err
    assert labelled == {
        "id": f"{1:032x}", "sid": "CA1", "outcome": "machine", "verdict": None, "label": "human",
    }  # fmt: skip
    (mode,) = after["modes"]
    assert (mode["mode"], mode["errors"]["lost_humans"], mode["errors"]["cost"]) == ("text", 1, 7.0)
    assert after["known"] == {"human: labelled": 1}
    assert "20.00" in text.out
    log = cli.here("audit-log", "list", "--json").ok().json
    assert "calls.label" in {entry["action"] for entry in log}


def test_the_verdicts_of_a_call_are_shown(cli: Cli) -> None:
    given_call(cli)

    shown = cli.here("calls", "show", "CA1").ok()
    told = cli.here("calls", "show", "CA1", "--json").ok().json

    assert "voicemail" in shown.out
    (verdict,) = told["amd_verdicts"]
    assert (verdict["mode"], verdict["acting"], verdict["kind"]) == ("text", True, "voicemail")
    assert told["label"] is None


def test_what_nobody_answered_cannot_be_labelled(cli: Cli) -> None:
    given_call(cli, outcome="busy")

    done = cli.here("calls", "label", "CA1", "human")
    wrong = cli.here("calls", "label", "CA1", "alien")

    assert done.code == 5
    assert "nobody answered" in done.err
    assert wrong.code == 2
    assert "'alien'" in wrong.err


def test_every_command_of_the_how_to_runs(tmp_path: Path, sqlite_template: bytes) -> None:
    text = (ROOT / "docs" / "how-to" / "answering-machines.md").read_text(encoding="utf-8")
    cli = Cli(tmp_path)
    cli.database.write_bytes(sqlite_template)
    cli.here("numbers", "add", "+16465550100").ok()

    commands = pages.indented(text)

    assert len(commands) > 6
    for shown in commands:
        done = pages.run(shown, cli)
        assert done.code == shown.code, (shown, done)
    got = {
        name: cli.here("campaign", "settings", "get", "Renewals", name).ok().out
        for name in ("amd", "amd_shadow", "on_machine", "retry_rule")
    }
    wanted = ("text", "carrier", "leave_message", "machine=1d")
    assert [text in said for text, said in zip(wanted, got.values(), strict=True)] == [True] * 4
