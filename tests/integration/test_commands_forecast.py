"""`dialer forecast`, as an operator runs it, on both databases."""

import asyncio
import hashlib
import os
import pty
import random
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from dialer.campaigns import move
from dialer.clock import real_sleep
from dialer.forecast.history import ENOUGH
from dialer.ports import Tx
from dialer.states import CampaignEvent
from dialer.store.opening import opened
from tests.support.cli import Cli
from tests.support.engine import NOW
from tests.support.given import given_campaign, read, write

#: A Monday afternoon that does not pass: the clock of every command here.
STANDING_STILL = f"1e-12@{NOW / 1000}"


@pytest.fixture
def cli(tmp_path: Path, store: str) -> Cli:
    """Commands on a migrated database."""
    return Cli(tmp_path).set(database=store, time_scale=STANDING_STILL, calls_per_second="0")


@pytest.fixture
def file(tmp_path: Path, sqlite_template: bytes) -> str:
    """A migrated SQLite database, for what does not depend on the database."""
    path = tmp_path / "dialer.db"
    path.write_bytes(sqlite_template)
    return str(path)


@pytest.fixture
def file_cli(tmp_path: Path, file: str) -> Cli:
    """Commands on that file."""
    return Cli(tmp_path).set(database=file, time_scale=STANDING_STILL, calls_per_second="0")


def given(store: str, **facts: Any) -> None:
    """A campaign with 24 contacts, or other facts."""

    async def give() -> None:
        async with opened(store, random.Random(1), busy_timeout_s=5) as database:
            await given_campaign(database, now=NOW, **{"contacts": 24, "numbers": 2} | facts)

    asyncio.run(give())


def change(store: str, do: Callable[[Tx], Awaitable[object]]) -> None:
    """Have something done to the database in one transaction."""

    async def doing() -> None:
        async with (
            opened(store, random.Random(1), busy_timeout_s=5) as database,
            database.write() as tx,
        ):
            await do(tx)

    asyncio.run(doing())


def execute(store: str, *statements: str) -> None:
    """Change rows by hand."""

    async def do(tx: Tx) -> None:
        for statement in statements:
            await write(tx, statement, [()])

    change(store, do)


# -- what it says ---------------------------------------------------------------------------------


def test_a_forecast_says_when_it_is_over_and_what_it_has_come_to(cli: Cli, store: str) -> None:
    given(store, call_interval_s=60)

    told = cli("forecast", "Renewals", "--runs", "3", "--json").ok().json

    assert told["campaign"] == {"id": 1, "name": "Renewals", "status": "active"}
    assert told["from"] == "2026-01-05T15:00:00.000Z"
    assert told["contacts"]["to_call"] == 24
    assert (told["runs"], told["band"], told["people_per_person"]) == (3, 0.5, 1)
    assert told["rates"] == {"source": "profile", "profile": "mixed", "calls": 0}
    (today,) = told["forecasts"]
    finish = today["finish"]
    assert told["from"] < finish["low"] <= finish["middle"] <= finish["high"]
    assert finish["runs_finished"] == 3
    for figure in ("calls", "reached", "never_reached", "never_reached_share", "left"):
        band = today[figure]
        assert band["low"] <= band["middle"] <= band["high"], figure
    assert today["reached"]["low"] + today["never_reached"]["high"] == 24
    assert sum(day["calls"] for day in today["days"]) == pytest.approx(
        today["calls"]["middle"], abs=12
    )
    assert today["days"][-1]["left"] == 0
    assert [load["number"] for load in today["numbers"]] == ["+13105550001", "+13105550002"]
    assert today["limits_used"].keys() == {"call_interval", "calls_at_once", "calls_a_day"}


def test_what_might_be_set_otherwise_runs_beside_what_is(file_cli: Cli, file: str) -> None:
    given(file, call_interval_s=120, max_retries=0)
    flags = ("--set", "call_interval=30s", "--set", "numbers=+1")

    told = file_cli("forecast", "1", "--runs", "2", "--json", *flags).ok().json

    today, other = told["forecasts"]
    assert (today["name"], other["name"]) == ("today's settings", "call_interval=30s numbers=+1")
    assert other["finish"]["high"] < today["finish"]["low"]
    assert [load["number"] for load in other["numbers"]][2:] == ["new 1"]


def test_the_same_seed_gives_the_same_forecast(file_cli: Cli, file: str) -> None:
    given(file)
    command = ("forecast", "Renewals", "--runs", "1", "--json", "--seed")

    first, second = (file_cli(*command, "7").ok().json for _ in range(2))

    assert first == second


def test_data_goes_to_stdout_and_words_go_to_stderr(file_cli: Cli, file: str) -> None:
    given(file)

    done = file_cli("forecast", "Renewals", "--runs", "1").ok()

    (first, *rest) = done.out.splitlines()
    assert first.startswith("today's settings\t")
    assert "limits used: " in done.out
    assert "+13105550002\t" in rest[-1]
    assert "24 contacts to call, from Mon 05 Jan 15:00 on; times are those of UTC" in done.err
    assert "- calls go as in the carrier profile 'mixed'" in done.err


def test_somebody_who_looks_on_sees_a_plot(file_cli: Cli, file: str) -> None:
    given(file)
    main, other = pty.openpty()
    with closing(os.fdopen(main, "rb", buffering=0)) as screen:
        process = subprocess.Popen(
            [sys.executable, "-m", "cli", "forecast", "Renewals", "--runs", "1"],
            cwd=file_cli.folder,
            env=file_cli.environment,
            stdout=other,
            stderr=subprocess.DEVNULL,
        )
        os.close(other)
        shown = b""
        try:
            while part := screen.read(4096):
                shown += part
        except OSError:  # how a terminal says that nobody writes any more
            pass
    assert process.wait() == 0

    text = shown.decode()
    assert "█ people reached  ░ other calls" in text
    assert "Mon 05 Jan  █" in text
    assert "days full" in text


# -- where the rates come from --------------------------------------------------------------------


def test_a_campaign_with_a_history_goes_on_as_it_has_gone(cli: Cli, store: str) -> None:
    given(store, contacts=ENOUGH + 20, max_retries=0, call_interval_s=1)
    first = NOW - 3_600_000
    execute(
        store,
        "INSERT INTO daemons (name, started_at, lease_until) VALUES ('one', 0, 0)",
        "UPDATE members SET state = 'completed', attempts = 1, attempt_id = 'a' || id"
        f" WHERE id <= {ENOUGH}",
        "INSERT INTO attempts (id, member_id, campaign_id, number_id, owner, phone, state, day,"
        " intent_at, send_at, check_at, sid, status, outcome, duration_s, closed_at)"
        f" SELECT 'a' || id, id, 1, 1, 1, 'p' || id, 'ended', '2026-01-04', {first}, {first}, 0,"
        f" 'CA' || id, 'completed', 'human', 30, {first} + 40000 FROM members WHERE id <= {ENOUGH}",
    )

    told = cli("forecast", "Renewals", "--runs", "2", "--json").ok().json
    other = cli("forecast", "Renewals", "--runs", "2", "--json", "--profile", "cold_b2b").ok().json

    assert told["rates"] == {"source": "history", "profile": None, "calls": ENOUGH}
    assert told["contacts"]["done"] == {"completed": ENOUGH}
    assert told["forecasts"][0]["reached"] == {"low": 20, "middle": 20, "high": 20}
    assert other["rates"]["profile"] == "cold_b2b"
    assert other["forecasts"][0]["reached"]["high"] < 20


def test_whoever_is_on_the_do_not_call_list_is_left_out(cli: Cli, store: str) -> None:
    given(store, max_retries=0)
    execute(
        store,
        "INSERT INTO dnc (phone, source, created_at) VALUES ('+12025550003', 'operator', 0)",
    )

    told = cli("forecast", "Renewals", "--runs", "1", "--json").ok().json

    assert told["contacts"] == {
        "to_call": 23, "under_way": 0, "do_not_call": 1, "zone_unknown": 0, "rules_closed": 0,
        "done": {},
    }  # fmt: skip
    assert told["forecasts"][0]["calls"]["middle"] == 23


def test_whoever_can_never_be_called_where_they_are_is_left_out(cli: Cli, store: str) -> None:
    given(store, max_retries=0)
    closed = (
        '{"pack": "", "changes": {"own": [{"id": "own/1", "region": "US-CA", "hours": "closed",'
        ' "holidays": [], "caps": [], "zone": null, "valid_from": null, "valid_to": null,'
        ' "note": ""}], "off": {"US": "a test"}, "on": [], "made": 1}}'
    )
    execute(
        store,
        f"UPDATE rule_sets SET body = '{closed}'",
        "UPDATE members SET window_key = '' WHERE id <= 3",
        "UPDATE members SET window_key = 'US-CA America/Los_Angeles' WHERE id = 4",
    )

    told = cli("forecast", "Renewals", "--runs", "1", "--json").ok().json

    contacts = told["contacts"]
    assert (contacts["to_call"], contacts["zone_unknown"], contacts["rules_closed"]) == (20, 3, 1)
    assert told["forecasts"][0]["left"]["middle"] == 0
    assert "3 contacts are left out because nobody knows their time zone" in told["assumptions"]
    assert "1 contacts are left out: the rules where they are stay closed" in told["assumptions"]


def test_calls_of_other_campaigns_count_for_the_caps(cli: Cli, store: str) -> None:
    given(store, contacts=2, max_retries=0, callee_calls_per_day=1)
    given(store, contacts=0, name="Other", number_ids=(1,), start=False)
    hour_ago = NOW - 3_600_000
    execute(
        store,
        "INSERT INTO daemons (name, started_at, lease_until) VALUES ('one', 0, 0)",
        "INSERT INTO members (campaign_id, contact_id, window_key, state, priority, next_at,"
        " created_at, changed_at) SELECT 2, contact_id, window_key, 'completed', 1, 0, 0, 0"
        " FROM members WHERE id = 1",
        "INSERT INTO attempts (id, member_id, campaign_id, number_id, owner, phone, state, day,"
        " intent_at, send_at, check_at, sid, status, outcome, duration_s, closed_at)"
        f" VALUES ('a', 3, 2, 1, 1, '+12025550001', 'ended', '2026-01-05', {hour_ago}, {hour_ago},"
        f" 0, 'CA1', 'completed', 'human', 30, {hour_ago} + 40000)",
    )

    told = cli(
        "forecast", "Renewals", "--runs", "1", "--json", "--set", "calls_per_callee=2,7"
    ).ok()

    today, otherwise = told.json["forecasts"]
    assert [day["day"] for day in today["days"]] == ["2026-01-05", "2026-01-06"]
    assert [day["day"] for day in otherwise["days"]] == ["2026-01-05"]


# -- what is in its way ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--set", "max_concurent=20"], "did you mean 'max_concurrent'?"),
        (["--set", "colour=blue"], "unknown setting 'colour'"),
        (["--profile", "warn"], "did you mean 'warm'?"),
        (["--days", "900"], "--days"),
        (["--runs", "0"], "--runs"),
    ],
)
def test_flags_that_cannot_be_used_are_misuse(file_cli: Cli, flags: list[str], words: str) -> None:
    refused = file_cli.here("forecast", "Renewals", *flags)

    assert refused.code == 2
    assert words in refused.err


def test_values_out_of_bounds_are_misuse(file_cli: Cli, file: str) -> None:
    given(file)

    refused = file_cli.here("forecast", "Renewals", "--set", "max_concurrent=20000", "--json")

    assert refused.code == 2
    assert "not between 1 and 10000" in refused.error["message"]


def test_a_name_nobody_knows_is_not_found(cli: Cli, store: str) -> None:
    given(store)

    campaign = cli.here("forecast", "Renewal", "--json")
    schedule = cli.here("forecast", "Renewals", "--set", "schedule=Weekend", "--json")

    assert (campaign.code, schedule.code) == (3, 3)
    assert "did you mean 'Renewals'?" in campaign.error["message"]
    assert "there is no schedule 'Weekend'" in schedule.error["message"]


CLOSED = '{"zone": "UTC", "weekly": {}}'


@pytest.mark.parametrize(
    ("facts", "statements", "words"),
    [
        ({"contacts": 0, "start": False}, [], "has nobody left to call"),
        ({}, ["UPDATE members SET state = 'failed'"], "nobody left to call: 24 failed"),
        ({}, ["UPDATE numbers SET disabled_at = 0"], "no usable number: 2 of 2 disabled"),
        ({}, ["UPDATE numbers SET spam_score = 9"], "no usable number: 2 of 2 excluded for spam"),
        ({"schedule_body": CLOSED}, [], "does not open within 400 days"),
    ],
)
def test_a_campaign_that_would_never_call_anybody_says_why(
    cli: Cli, store: str, facts: dict[str, Any], statements: list[str], words: str
) -> None:
    given(store, **facts)
    execute(store, *statements)

    refused = cli.here("forecast", "Renewals", "--json")

    assert refused.code == 5
    assert words in refused.error["message"]
    assert refused.error["next"].startswith("dialer ")
    assert refused.out == ""


def test_a_cancelled_campaign_has_no_future(cli: Cli, store: str) -> None:
    given(store)
    change(store, lambda tx: move(tx, "Renewals", CampaignEvent.CANCEL, NOW))

    refused = cli.here("forecast", "Renewals", "--json")

    assert refused.code == 5
    assert "is cancelled" in refused.error["message"]


def test_one_setup_may_dial_where_the_other_never_does(file_cli: Cli, file: str) -> None:
    given(file, max_retries=0)
    execute(file, "UPDATE numbers SET spam_score = 8")

    told = file_cli(
        "forecast", "Renewals", "--runs", "1", "--json", "--set", "spam_threshold=9"
    ).ok()

    today, other = told.json["forecasts"]
    assert "2 of 2 excluded for spam" in today["obstacle"]
    assert "finish" not in today
    assert other["obstacle"] is None
    assert other["calls"]["middle"] == 24


def test_no_database_is_made_for_a_question(tmp_path: Path) -> None:
    refused = Cli(tmp_path).here("forecast", "Renewals", "--json")

    assert refused.code == 3
    assert "there is no database" in refused.error["message"]
    assert list(tmp_path.iterdir()) == []


# -- what it leaves behind ------------------------------------------------------------------------


def test_the_live_database_is_not_written_to(cli: Cli, store: str) -> None:
    given(store)
    before = everything_in(store)

    cli("forecast", "Renewals", "--runs", "1").ok()

    assert everything_in(store) == before


def everything_in(store: str) -> Any:
    """Bytes of files, or rows with the transactions that touched them, locks included."""
    if "://" not in store:
        files = sorted(Path(store).parent.iterdir())
        return [(file.name, hashlib.sha256(file.read_bytes()).hexdigest()) for file in files]

    rows: list[Any] = []

    async def look(tx: Tx) -> None:
        for table in ("campaigns", "members", "contacts", "numbers", "control", "lanes"):
            query = f"SELECT xmin::text, xmax::text, t.* FROM {table} t ORDER BY 3"
            rows.append(await read(tx, query))

    change(store, look)
    return rows


def test_a_log_that_somebody_is_writing_stays_as_it_is(file_cli: Cli, file: str) -> None:
    given(file)
    with closing(sqlite3.connect(file, isolation_level=None)) as writer:
        writer.execute("UPDATE members SET priority = 2 WHERE id = 1")  # in the log alone
        before = {path.name: path.read_bytes() for path in file_cli.folder.iterdir()}
        assert len(before["dialer.db-wal"]) > 0

        told = file_cli("forecast", "Renewals", "--runs", "1", "--json").ok().json

        after = {path.name: path.read_bytes() for path in file_cli.folder.iterdir()}
        assert told["contacts"]["to_call"] == 24
        assert after.keys() == before.keys()
        # The third file, which all who have it open share, tells who reads.
        assert [n for n in before if n != "dialer.db-shm" and after[n] != before[n]] == []


@pytest.mark.parametrize("after_s", [0.8, 4.0])
def test_an_interrupt_leaves_nothing_behind(
    file_cli: Cli, file: str, tmp_path: Path, after_s: float
) -> None:
    given(file, contacts=3000)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    before = sorted(tmp_path.iterdir())
    process = subprocess.Popen(
        [sys.executable, "-m", "cli", "forecast", "Renewals", "--full"],
        cwd=tmp_path,
        env=file_cli.environment | {"TMPDIR": str(scratch)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )

    real_sleep(after_s)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all of them
    out, err = process.communicate(timeout=60)

    # An interpreter that has not come to our code yet ends by the signal; shells call both 130.
    assert process.returncode in (130, -signal.SIGINT)
    assert out == b""
    assert b"Traceback" not in err
    assert sorted(tmp_path.iterdir()) == before
    assert list(scratch.iterdir()) == []
    assert ended(process.pid)


def ended(group: int) -> bool:
    """Whether nobody of a process group is left, once the system has taken note of it."""
    for _ in range(200):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        real_sleep(0.05)
    return False
