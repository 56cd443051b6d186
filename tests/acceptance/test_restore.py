"""A backup is dialed on from, and then restored: nobody is called as if nothing had happened."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from dialer.audit.check import check
from tests.support.promises import evidence_of
from tests.support.stage import SHORT_DOUBT, Stage

GivenStage = Callable[..., Stage]

SPEED: Final = 100
RETRIES: Final = 1
CONTACTS: Final = 60
#: Hardly anybody answers, so that many are called twice.
CARRIER: Final = ("--cps", "1000", "--seed", "5", "--profile", "cold_b2b", "--faults", "none")


def given_dialing(stage: Stage) -> None:
    """A campaign that calls everybody twice, mostly, within some seconds of ours."""
    stage.given_campaign(
        contacts=CONTACTS,
        numbers=3,
        max_calls_per_day=1000,
        call_interval_s=3,
        max_concurrent=500,
        completion_timeout_s=20,
        max_retries=RETRIES,
        retry_intervals_s=(120,),
        callee_calls_per_day=100,  # whoever is dialed twice must not be saved by that
        callee_calls_per_week=100,
    )
    stage.carrier(*CARRIER)


def hold_of(stage: Stage) -> dict[str, Any]:
    (hold,) = stage.records("SELECT * FROM control")
    return hold


def given_restored(stage: Stage) -> str:
    """Somebody dials, takes a backup, dials on, opts somebody out, dies; the backup is restored.

    Gives who was opted out after the backup was taken.
    """
    given_dialing(stage)
    daemon = stage.daemon()
    stage.until_accepted(20)
    stage.cli("db", "backup", "copy.db").ok()
    stage.until_accepted(50)
    opted_out = str(stage.value("SELECT min(phone) FROM contacts"))
    stage.cli("dnc", "add", opted_out).ok()
    stage.kill(daemon)
    done = stage.cli("db", "restore", "copy.db", "--yes", "--json").ok()
    assert done.json["carried"]["dnc"] == 1
    assert Path(done.json["replaced"]).is_file()
    return opted_out


def resume(stage: Stage) -> None:
    """What a person does who has looked: release the hold, and the campaign, which is paused."""
    stage.cli("resume", "--all").ok()
    paused = stage.value("SELECT name FROM campaigns WHERE status = 'paused'")
    stage.cli("campaign", "resume", str(paused)).ok()


def called_after_all(stage: Stage) -> None:
    """The campaign comes to its end, and nobody was called more often than may be."""
    resume(stage)
    stage.until_over()
    told = evidence_of(stage)
    ours = {attempt.id for attempt in told.attempts}
    # Of an attempt that was forgotten the carrier's list repeats neither its name nor when it was
    # asked for: it is known again by the call, and from when that was accepted.
    calls_of_now = [
        call if call.token in ours else replace(call, token=None, asked_at=None)
        for call in told.calls
    ]
    assert [str(each) for each in check(replace(told, calls=calls_of_now)).violations] == []
    assert stage.cli("db", "check", "--json").ok().json["ok"]
    calls = Counter(call.to for call in stage.truth())
    assert max(calls.values()) == 1 + RETRIES


def test_a_daemon_on_a_restored_database_takes_in_what_was_called_and_waits_for_a_person(
    given_stage: GivenStage,
) -> None:
    stage = given_stage(SPEED, calls_per_second="0", quarantine_s="300", **SHORT_DOUBT)
    opted_out = given_restored(stage)
    calls = stage.accepted()
    known = stage.value("SELECT count(*) FROM attempts WHERE sid IS NOT NULL")

    too_early = stage.cli("resume", "--all", "--json")
    daemon = stage.daemon()
    stage.until(lambda: hold_of(stage)["reconciled_at"])

    assert (too_early.code, too_early.error["next"]) == (5, "dialer db reconcile")
    assert stage.accepted() == calls
    assert stage.value("SELECT count(*) FROM attempts WHERE sid IS NOT NULL") == calls > known
    assert "calls were unknown and are recorded" in hold_of(stage)["hold_reason"]
    assert stage.value("SELECT status FROM campaigns") == "paused"

    called_after_all(stage)
    listed = stage.cli("dnc", "check", opted_out, "--json")
    assert opted_out in json.dumps(listed.json)
    assert stage.end(daemon) == 0


def test_without_a_daemon_a_command_takes_it_in(given_stage: GivenStage) -> None:
    stage = given_stage(SPEED, calls_per_second="0", quarantine_s="300", **SHORT_DOUBT)
    given_restored(stage)
    calls = stage.accepted()
    known = stage.value("SELECT count(*) FROM attempts WHERE sid IS NOT NULL")

    done = stage.cli("db", "reconcile", "--json").ok()

    assert f"{calls} calls listed so far" in done.err
    assert f"{calls} of {calls} calls looked at" in done.err
    assert "reconciliation." not in done.err

    # Those that were in doubt when the backup was taken are found as ever.
    assert 0 < done.json["done"]["recorded"] <= calls - known
    assert stage.value("SELECT count(*) FROM attempts WHERE sid IS NOT NULL") == calls
    assert (done.json["done"]["strangers"], done.json["done"]["foreign"]) == ([], [])
    daemon = stage.daemon()
    called_after_all(stage)
    assert stage.end(daemon) == 0


def test_whoever_does_without_calls_people_again(given_stage: GivenStage) -> None:
    stage = given_stage(SPEED, calls_per_second="0", quarantine_s="300", **SHORT_DOUBT)
    given_restored(stage)

    stage.cli("db", "reconcile", "--skip", "--yes").ok()
    stage.daemon()
    resume(stage)
    stage.until_over()

    assert max(Counter(call.to for call in stage.truth()).values()) > 1 + RETRIES


def test_a_daemon_makes_its_backup_beside_the_calls(given_stage: GivenStage) -> None:
    stage = given_stage(SPEED, calls_per_second="0", backup_dir="backups", **SHORT_DOUBT)
    given_dialing(stage)
    daemon = stage.daemon()

    def done() -> list[tuple[Any, ...]]:
        return stage.rows("SELECT subject FROM jobs WHERE kind = 'backup' AND state = 'done'")

    stage.until(done)
    copy = Path(done()[0][0])

    assert copy.parent == Path(stage.database).parent / "backups"
    assert copy.is_file()
    assert stage.end(daemon) == 0
