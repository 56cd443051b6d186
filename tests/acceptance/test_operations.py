"""The daemon and its operator: commands beside it, signals to it, trouble around it."""

import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Final

import pytest

from dialer.carrier_sim.truth import Call
from dialer.clock import MS, real_sleep
from dialer.rehearsal import free_port
from tests.support.given import FIRST_PHONE
from tests.support.promises import check_promises
from tests.support.stage import WITHIN_S, Stage

GivenStage = Callable[..., Stage]

#: After a pause has committed no call is accepted any more, on one machine.
PAUSE_MS: Final = 250
#: Among the simulator's numbers the one whose callee presses 9.
PRESSES_NINE: Final = 15_005_550_109
WRONG_TOKEN: Final = "6" * 32


# -- commands beside a running daemon -------------------------------------------------------------


def test_a_pause_stops_new_calls_at_once_until_the_campaign_is_resumed(
    given_stage: GivenStage,
) -> None:
    stage = given_stage(speed=1, calls_per_second="0")  # as fast as the machine allows
    stage.given_campaign(
        contacts=600, numbers=5, call_interval_s=0, max_concurrent=10_000, max_calls_per_day=1000
    )
    stage.carrier("--cps", "1000")
    stage.ready_daemon()

    pauses = []
    for _ in range(2):
        stage.until_accepted(stage.accepted() + 60)
        paused_at = paused_by_command(stage)
        real_sleep(1)
        pauses.append((paused_at, stage.clock.now()))
        stage.cli.here("campaign", "resume", "Renewals").ok()

    stage.until_accepted(stage.accepted() + 1)  # it went on
    for paused_at, resumed_at in pauses:
        late = [
            call.accepted_at - paused_at
            for call in stage.truth()
            if paused_at + PAUSE_MS < call.accepted_at <= resumed_at
        ]
        assert late == [], "calls, in milliseconds after the pause"


def paused_by_command(stage: Stage) -> int:
    """Pause from the command line; returns an instant (UTC ms) right after it was committed."""
    command = subprocess.Popen(
        [sys.executable, "-m", "cli", "campaign", "pause", "Renewals"],
        env=stage.rehearsal.environment(),
        cwd=stage.rehearsal.folder,
        stderr=subprocess.DEVNULL,
    )
    while stage.status() != "paused" and command.poll() is None:
        real_sleep(0.001)
    seen_at = stage.clock.now()
    assert command.wait() == 0
    return seen_at


def test_an_operator_works_on_the_database_of_a_running_daemon(given_stage: GivenStage) -> None:
    stage = given_stage(speed=100)
    stage.given_campaign(
        contacts=40, numbers=2, call_interval_s=10, completion_timeout_s=5, max_retries=0
    )
    stage.carrier("--cps", "1000")
    stage.daemon()
    people = stage.rehearsal.folder / "people.csv"
    people.write_text("phone\n" + "".join(f"+1303555{line}\n" for line in range(2000, 2010)))

    stage.until_accepted(5)
    done = [
        stage.cli("campaign", "pause", "Renewals"),
        stage.cli("campaign", "resume", "Renewals"),
        stage.cli("contacts", "import", people, "--campaign", "Renewals", "--yes"),
        stage.cli("calls", "list", "--json"),
        stage.cli("db", "backup", stage.rehearsal.folder / "copy.db"),
    ]

    assert [each.code for each in done] == [0] * 5
    stage.until_over()
    assert stage.value("SELECT count(*) FROM members") == 50
    check_promises(stage)


# -- signals --------------------------------------------------------------------------------------


def test_a_daemon_told_to_end_starts_no_call_and_sees_running_ones_through(
    given_stage: GivenStage,
) -> None:
    stage = given_stage(speed=60)
    stage.given_campaign(contacts=200, numbers=3, call_interval_s=0.5, max_concurrent=30)
    stage.carrier("--cps", "1000")
    daemon = stage.daemon()
    stage.until_accepted(40)

    stage.expect_end(daemon)
    daemon.terminate()
    assert stage.until(stage.troubles) == {"dispatcher": "draining"}
    assert daemon.wait(WITHIN_S) == 0

    draining_at = when_said(stage, "daemon.draining")
    intents = dict(stage.rows("SELECT id, intent_at FROM attempts"))
    calls = stage.truth()
    assert [call.sid for call in calls if intents[call.token] > draining_at] == []
    assert [call.sid for call in calls if call.ended_at is None] == []
    assert [call.sid for call in calls if (call.ended_at or 0) > draining_at], "none was running"
    assert stage.rows("SELECT id FROM attempts WHERE closed_at IS NULL") == []
    assert stage.value("SELECT count(*) FROM members WHERE state = 'pending'") > 100


def when_said(stage: Stage, event: str) -> int:
    """The instant (UTC ms of the stage's clock) at which the daemon said *event* first."""
    said_s = next(
        datetime.fromisoformat(line["ts"]).timestamp()
        for line in stage.log()
        if line["event"] == event
    )
    scale = stage.rehearsal.scale
    return round((scale.epoch_s + (said_s - scale.epoch_s) * scale.speed) * MS)


def talking(call: Call) -> bool:
    return call.answered_at is not None and call.ended_at is None


def test_a_second_signal_ends_the_daemon_at_once_and_the_next_one_recovers(
    given_stage: GivenStage,
) -> None:
    stage = given_stage(speed=30)
    stage.given_campaign(
        contacts=40, numbers=3, call_interval_s=0, max_concurrent=20, completion_timeout_s=5,
        max_retries=0,
    )  # fmt: skip
    stage.carrier("--cps", "1000", "--profile", "warm")
    daemon = stage.daemon()
    stage.until(lambda: sum(talking(call) for call in stage.truth()) >= 5)

    stage.expect_end(daemon)
    daemon.terminate()
    stage.until(lambda: "daemon.draining" in stage.events())
    assert stage.end(daemon) == 0

    assert stage.rows("SELECT sid FROM attempts WHERE closed_at IS NULL"), "it waited for calls"
    assert [call.sid for call in stage.truth() if call.ended_at is None and not talking(call)] == []
    stage.daemon()
    stage.until_over()
    check_promises(stage)


# -- the callee's word ---------------------------------------------------------------------------


def test_whoever_presses_the_key_is_called_no_more(given_stage: GivenStage) -> None:
    stage = given_stage(speed=60)
    presses = PRESSES_NINE - FIRST_PHONE
    stage.given_campaign(contacts=1, first_contact=presses, completion_timeout_s=0)
    stage.carrier()
    stage.ready_daemon()
    stage.until_over()

    stage.given_campaign(name="Survey", contacts=1, first_contact=presses, number_ids=[1])
    stage.until_over("Survey")

    assert [call.to for call in stage.truth()] == [f"+{PRESSES_NINE}"]
    outcomes = stage.rows("SELECT campaign_id, state, reason FROM members ORDER BY campaign_id")
    assert outcomes == [(1, "completed", None), (2, "failed", "do_not_call")]
    assert stage.rows("SELECT phone, campaign_id, source FROM dnc") == [
        (f"+{PRESSES_NINE}", None, "callee")
    ]
    check_promises(stage)


# -- trouble with the carrier ---------------------------------------------------------------------


def test_while_the_carrier_cannot_be_reached_calls_wait_and_nothing_is_lost(
    given_stage: GivenStage,
) -> None:
    stage = given_stage(speed=60)
    stage.given_campaign(contacts=20, call_interval_s=0, completion_timeout_s=5, max_retries=0)
    stage.ready_daemon()

    stage.until(lambda: "carrier_back_off" in stage.waiting())
    # Now and then some are tried, and given back uncounted.
    stage.until(lambda: stage.rows("SELECT DISTINCT state FROM members") == [("pending",)])
    tried = {state for (state,) in stage.rows("SELECT DISTINCT state FROM attempts")}
    assert tried <= {"intent", "released"}

    stage.carrier("--cps", "1000")
    stage.until_over()
    check_promises(stage)


def test_a_carrier_that_refuses_us_pauses_the_campaign_and_is_quoted(
    given_stage: GivenStage,
) -> None:
    stage = given_stage(speed=60)
    stage.given_campaign(contacts=20, call_interval_s=0, completion_timeout_s=5, max_retries=0)
    carrier = stage.carrier("--auth-token", WRONG_TOKEN)
    stage.daemon()

    stage.until(lambda: stage.status() == "paused")
    stage.until(lambda: not stage.rows("SELECT id FROM attempts WHERE closed_at IS NULL"))
    (listed,) = stage.cli("campaign", "list", "--json").ok().json
    assert "20003" in listed["pause_reason"]
    assert stage.rows("SELECT DISTINCT state, attempts FROM members") == [("pending", 0)]
    assert stage.rows("SELECT DISTINCT state FROM attempts") == [("released",)]

    assert stage.end(carrier) == 0
    stage.carrier("--cps", "1000")  # with the right token
    stage.cli("campaign", "resume", "Renewals").ok()
    stage.until_over()
    check_promises(stage)


# -- what cannot be done is refused, in words and by number ---------------------------------------


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A daemon without anything to do, beside a campaign that was never started."""
    with Stage(tmp_path_factory.mktemp("running"), speed=1) as stage:
        stage.given_campaign(contacts=1, start=False)
        stage.ready_daemon()
        yield stage


def test_a_second_daemon_on_one_file_is_refused_and_told_who_has_it(running: Stage) -> None:
    process_id, host = Path(f"{running.database}.daemon").read_text().split()

    refused = running.cli("run", "--port", "0")

    assert refused.code == 5
    assert host == socket.gethostname()
    assert re.search(
        rf"another daemon \(process {process_id} on {re.escape(host)}, since "
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC\) runs on",
        refused.err,
    )
    assert f"next:  stop it first: kill {process_id}" in refused.err
    assert running.troubles() == {}


def test_a_port_in_use_is_named(running: Stage) -> None:
    other = running.cli.set(database=str(running.rehearsal.folder / "other.db"))

    refused = other("run", "--port", str(running.port))

    assert refused.code == 6
    assert f"port {running.port} on 127.0.0.1 cannot be used" in refused.err
    assert "--port" in refused.err


@pytest.mark.parametrize(
    ("settings", "missing"),
    [
        ({"twilio_account_sid": ""}, ["DIALER_TWILIO_ACCOUNT_SID"]),
        (
            {"twilio_auth_token": "", "public_url": ""},
            ["DIALER_TWILIO_AUTH_TOKEN", "DIALER_PUBLIC_URL"],
        ),
    ],
)
def test_missing_credentials_are_named(
    running: Stage, settings: dict[str, str], missing: list[str]
) -> None:
    refused = running.cli.set(**settings)("run", "--port", str(free_port()))

    assert refused.code == 4
    assert f"the carrier is not set up: {', '.join(missing)} missing" in refused.err
    assert "dialer demo" in refused.err


def test_an_unknown_campaign_is_not_found_and_the_closest_one_is_named(running: Stage) -> None:
    refused = running.cli("campaign", "pause", "Renewels", "--json")

    assert refused.code == 3
    assert refused.error["code"] == "not_found"
    assert "did you mean 'Renewals'" in refused.error["message"]


def test_what_a_campaigns_state_does_not_allow_is_refused_with_the_way_out(running: Stage) -> None:
    refused = running.cli("campaign", "resume", "Renewals")

    assert refused.code == 5
    assert "campaign 'Renewals' is draft" in refused.err
    assert "next:  dialer campaign start 'Renewals'" in refused.err


def test_a_command_waits_for_the_database_only_as_long_as_it_was_told(running: Stage) -> None:
    with running.held():
        refused = running.cli.set(busy_timeout_s="0.2")("campaign", "start", "Renewals", "--json")

    assert refused.code == 1
    assert refused.error["code"] == "store_busy"
    assert "stayed locked for 0.2 s" in refused.error["message"]
    assert running.status() == "draft"
