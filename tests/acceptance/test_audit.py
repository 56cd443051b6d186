"""`dialer audit`, as an operator runs it: over HTTP, beside daemons, on databases that lie."""

import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import pytest

from dialer.audit.check import INVARIANTS
from dialer.commands.console import iso
from dialer.hours_format import DAYS
from dialer.rehearsal import free_port
from tests.support.cli import Cli, Done
from tests.support.stage import Stage

SPEED: Final = 300
CONTACTS: Final = 25
ALWAYS: Final = json.dumps(
    {"zone": "America/New_York", "weekly": {day: ["00:00-24:00"] for day in DAYS}}
)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A campaign that is over, with the usual faults of carriers; the carrier still answers."""
    with Stage(tmp_path_factory.mktemp("audited"), SPEED) as stage:
        stage.given_campaign(
            contacts=CONTACTS,
            numbers=2,
            schedule_body=ALWAYS,
            call_interval_s=0,
            completion_timeout_s=5,
            max_retries=1,
            retry_intervals_s=(60,),
        )
        stage.carrier("--cps", "1000", "--faults", "realistic")
        daemon = stage.daemon()
        stage.until_over()
        assert stage.end(daemon) == 0
        yield stage


def audit(stage: Stage, *words: str | Path, cli: Cli | None = None) -> Done:
    return (cli or stage.cli).here("audit", "--final", *words)


def results(done: Done) -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in done.json["invariants"]}


# -- what went well -------------------------------------------------------------------------------


def test_the_simulators_record_agrees_with_the_database(stage: Stage) -> None:
    done = audit(stage, "--truth", stage.rehearsal.truth, "--json").ok()

    calls = len(stage.truth())
    assert calls >= CONTACTS
    assert (done.json["calls"], done.json["calls_compared"]) == (calls, calls)
    assert (done.json["ok"], done.json["violations"], done.json["too_young"]) == (True, [], 0)
    told = results(done)
    assert list(told) == [invariant.name for invariant in INVARIANTS]
    assert {name for name, each in told.items() if each["not_checked"]} == {"I16", "I20"}
    assert all(each["checked"] for name, each in told.items() if name not in {"I16", "I20"})


def test_the_carriers_own_list_agrees_with_the_database(stage: Stage) -> None:
    done = audit(stage, "--json").ok()

    assert done.json["calls"] == done.json["calls_compared"] == len(stage.truth())
    assert done.json["strangers"] == 0
    told = results(done)
    assert "does not repeat" in told["I1"]["notes"][0]
    assert told["counters"]["not_checked"]
    assert told["I4"]["checked"] == len(stage.truth())


def test_a_period_is_judged_alone(stage: Stage) -> None:
    times = sorted(call.accepted_at // 1000 * 1000 for call in stage.truth())
    since, until = times[2], times[-3]

    done = audit(stage, "--since", str(iso(since)), "--until", str(iso(until)), "--json").ok()

    assert done.json["calls"] == sum(since <= at < until for at in times)
    assert (done.json["since"], done.json["until"]) == (iso(since), iso(until))


def test_people_are_told_what_was_checked_and_what_was_not(stage: Stage) -> None:
    done = audit(stage).ok()

    assert done.out.count("\n") == len(INVARIANTS)
    calls = len(stage.truth())
    assert (
        f"I2\tNo two calls to one callee overlap, across campaigns and daemons\t{calls}\t0\n"
        in (done.out)
    )
    assert "\tnot checked\t\n" in done.out
    assert "I16 was not checked: nobody has noted which commits succeeded" in done.err
    assert "audited from " in done.err
    assert f"{calls} calls compared: 15 promises kept, 0 broken, 3 not checked" in done.err


def test_the_accounts_pace_is_judged_by_what_it_allowed_then(stage: Stage) -> None:
    truth = ("--truth", stage.rehearsal.truth)
    unsaid = {k: v for k, v in stage.cli.variables.items() if k != "DIALER_CALLS_PER_SECOND"}

    silent = audit(stage, *truth, cli=Cli(stage.cli.folder, unsaid)).ok()
    slow = audit(stage, *truth, "--calls-per-second", "0.001")

    assert "I8: what the account allows was not given" in silent.err
    assert slow.code == 1
    assert "BROKEN  I8: more than 1 calls of its account within 1 s" in slow.out


def test_an_audit_beside_a_running_daemon_leaves_the_youngest_calls_out(
    given_stage: Callable[..., Stage],
) -> None:
    stage = given_stage(speed=400)
    stage.given_campaign(contacts=200, numbers=3, call_interval_s=20, max_retries=0)
    stage.carrier("--cps", "1000")
    stage.daemon()
    stage.until_accepted(100)  # a third of an hour ago by its clock, at least

    by_truth = stage.cli.here("audit", "--truth", stage.rehearsal.truth, "--json").ok().json
    by_list = stage.cli.here("audit", "--json").ok().json

    for told in (by_truth, by_list):
        assert told["calls_compared"] == told["calls"] > 0
        assert told["too_young"] > 0
    words = stage.cli.here("audit", "--truth", stage.rehearsal.truth).ok().err
    assert "are too young to be judged" in words
    assert stage.status() == "active"


# -- what did not ---------------------------------------------------------------------------------


@pytest.fixture
def doctored(stage: Stage, tmp_path: Path) -> Callable[[str], Cli]:
    """The command line on a copy of the database in which a statement has been executed."""

    def doctor(statement: str) -> Cli:
        copy = tmp_path / "copy.db"
        shutil.copy(stage.database, copy)
        with closing(sqlite3.connect(copy)) as database, database:
            database.execute(statement)
        return stage.cli.set(database=str(copy))

    return doctor


def test_a_call_that_was_forgotten_is_found_in_the_carriers_list(
    stage: Stage, doctored: Callable[[str], Cli]
) -> None:
    call = stage.truth()[0]
    forget = "UPDATE attempts SET sid = NULL, state = 'not_placed' WHERE sid = "

    lying = doctored(f"{forget}'{call.sid}'")
    told, as_json = audit(stage, cli=lying), audit(stage, "--json", cli=lying)

    assert (told.code, as_json.code) == (1, 1)
    assert f"BROKEN  I5: {call.sid} to {call.to}" in told.out
    assert f"(attempt {call.token})" in told.out
    assert "I5, what to do: see whether somebody else calls from these numbers" in told.err
    (orphan,) = [each for each in as_json.json["violations"] if each["invariant"] == "I5"]
    assert (orphan["attempt"], orphan["callee"], orphan["campaign"]) == (call.token, call.to, 1)
    assert as_json.json["ok"] is False


def test_a_call_that_was_never_made_is_asked_for_by_name_and_found_missing(
    stage: Stage, doctored: Callable[[str], Cli]
) -> None:
    phantom = "CA" + "e" * 32
    lying = doctored(
        f"UPDATE attempts SET sid = '{phantom}' WHERE id = (SELECT min(id) FROM attempts)"
    )

    done = audit(stage, cli=lying)

    assert done.code == 1
    assert f"I5: {phantom}: an attempt claims this call, the carrier made none" in done.out


def test_of_many_violations_some_are_shown_and_all_are_data(
    stage: Stage, doctored: Callable[[str], Cli]
) -> None:
    lying = doctored("UPDATE attempts SET duration_s = 77777")
    calls = len(stage.truth())

    told, as_json = (audit(stage, *words, cli=lying) for words in ((), ("--json",)))

    assert told.out.count("BROKEN  I13: ") == 5
    assert f"I13: {calls - 5} more violations; see them all with --json" in told.err
    assert len(as_json.json["violations"]) == calls


def test_calls_of_somebody_else_on_the_account_are_counted_and_not_judged(
    stage: Stage, tmp_path: Path
) -> None:
    empty = stage.cli.set(database=str(tmp_path / "empty.db"))
    empty.here("db", "upgrade").ok()

    done = audit(stage, cli=empty).ok()

    assert (
        f"{len(stage.truth())} calls are from numbers that this database does not have" in done.err
    )


# -- what cannot be done --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (
            ("--truth", "truth.jsonl", "--since", "2026-01-05T00:00:00Z"),
            "leave --since and --until",
        ),
        (("--since", "yesterday"), "'yesterday' is not a time"),
        (
            ("--since", "2026-01-06T00:00:00Z", "--until", "2026-01-05T00:00:00Z"),
            "there is nothing to audit in that period",
        ),
        (("--truth", "none.jsonl"), "none.jsonl cannot be read"),
    ],
)
def test_what_cannot_be_audited_is_a_misuse(stage: Stage, words: tuple[str, ...], why: str) -> None:
    refused = audit(stage, *words)

    assert refused.code == 2
    assert why in refused.err


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"twilio_account_sid": ""}, 4),
        ({"twilio_auth_token": "wrong"}, 4),
        ({"twilio_base_url": f"http://127.0.0.1:{free_port()}"}, 6),
        ({"database": "none.db"}, 3),
    ],
)
def test_what_is_not_there_has_its_exit_code(
    stage: Stage, settings: dict[str, str], code: int
) -> None:
    assert audit(stage, cli=stage.cli.set(**settings)).code == code


def test_help_shows_how(tmp_path: Path) -> None:
    shown = Cli(tmp_path).here("audit", "--help").ok().out

    assert "dialer audit --truth truth.jsonl --final" in shown
