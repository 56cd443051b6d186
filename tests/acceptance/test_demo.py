"""The demo ends with proof: every call of the carrier's own record against the database."""

import json
import shutil
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, TypeAlias
from unittest import mock

import jsonschema
import pytest

from dialer.audit import sqlite, truth_file
from dialer.audit.check import check
from dialer.audit.records import Bounds
from dialer.audit.report import Invariant, Report, Result, Scope, Violation
from dialer.carrier_sim.profiles import Machine
from dialer.carrier_sim.scenes import Kind
from dialer.demo import DemoResult
from dialer.states import FINAL_MEMBER_STATES, AttemptState, MemberState
from retries.outcome import Outcome
from tests.support.cli import Cli, Done

CONTACTS: Final = 60
SPEED: Final = 400

Events: TypeAlias = list[dict[str, Any]]
Doctor: TypeAlias = Callable[[sqlite3.Connection, Events], None]


def counts(names: Sequence[str]) -> dict[str, Any]:
    """JSON Schema of figures by name."""
    count = {"type": "integer", "minimum": 1}
    return {"type": "object", "propertyNames": {"enum": list(names)}, "additionalProperties": count}


SCHEMA: Final = {
    "type": "object",
    "additionalProperties": False,
    "required": [
        "campaign", "contacts", "members", "unfinished", "attempts", "outcomes", "failed", "heard",
        "comparison", "folder",
    ],
    "properties": {
        "campaign": {"const": "completed"},
        "contacts": {"const": CONTACTS},
        "members": counts(sorted(FINAL_MEMBER_STATES)),
        "unfinished": {"const": 0},
        "attempts": counts([AttemptState.ENDED, AttemptState.NOT_PLACED, AttemptState.RELEASED]),
        "outcomes": counts(list(Outcome)),
        "failed": {"type": "object"},
        "heard": {
            "type": "object",
            "propertyNames": {"enum": list(Kind)},
            "additionalProperties": counts([*Outcome, *Machine]),
        },
        "comparison": {
            "type": "object",
            "additionalProperties": False,
            "required": ["calls_compared", "differences"],
            "properties": {
                "calls_compared": {"type": "integer", "minimum": CONTACTS},
                "differences": {"type": "array", "maxItems": 0},
            },
        },
        "folder": {"type": "string"},
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo") / "kept"


@pytest.fixture(scope="module")
def demo(folder: Path) -> Done:
    """A demo with the faults carriers are known for."""
    wanted = ("--contacts", str(CONTACTS), "--seed", "7", "--faults", "realistic")
    return Cli(folder.parent)("demo", *wanted, "--speed", str(SPEED), "--folder", folder, "--json")


def test_a_demo_runs_to_its_end_and_agrees_with_the_carrier(demo: Done) -> None:
    demo.ok()
    jsonschema.validate(demo.json, SCHEMA)
    assert sum(demo.json["members"].values()) == CONTACTS
    assert demo.json["comparison"]["calls_compared"] == demo.json["attempts"][AttemptState.ENDED]
    heard = demo.json["heard"]
    assert sum(sum(taken.values()) for taken in heard.values()) > CONTACTS / 3
    assert max(heard["human"], key=heard["human"].get) == Outcome.HUMAN
    assert "$ dialer campaign start Demo" in demo.err


def test_a_demo_is_not_mixed_with_another_one(demo: Done, folder: Path) -> None:
    refused = Cli(folder.parent).here("demo", "--folder", folder)

    assert refused.code == 1
    assert f"{folder} holds a demo already" in refused.err


@pytest.mark.parametrize(
    ("done", "differences"), [(CONTACTS, ["status differs"]), (CONTACTS - 1, [])]
)
def test_a_difference_or_an_unfinished_member_fails_the_demo(
    tmp_path: Path, done: int, differences: list[str]
) -> None:
    status = {
        "status": "active", "contacts": CONTACTS, "done": done, "attempts": {}, "outcomes": {},
        "members": {MemberState.COMPLETED: done}, "failed": {},
    }  # fmt: skip
    violations = [Violation("agreement", difference) for difference in differences]
    invariant = Invariant("agreement", lambda _: iter(violations), lambda _: Scope(), "look")
    report = Report([Result(invariant, Scope(CONTACTS), violations)], CONTACTS)
    result = DemoResult(status, report, None, {"voicemail": {"human": 1, "voicemail": 2}})

    with mock.patch("dialer.demo.run", return_value=result):
        told = Cli(tmp_path).here("demo")
        as_json = Cli(tmp_path).here("demo", "--json")

    assert (told.code, as_json.code) == (1, 1)
    assert as_json.json["unfinished"] == CONTACTS - done
    told_of = [f"agreement: {difference}" for difference in differences]
    assert as_json.json["comparison"]["differences"] == told_of
    assert f"{done} of {CONTACTS} contacts done" in told.out
    assert "voicemail as human 1  voicemail 2" in told.out
    assert all(difference in told.out for difference in differences)


# -- every way to disagree is noticed -------------------------------------------------------------


def forget_the_call(database: sqlite3.Connection, events: Events) -> None:
    database.execute("UPDATE attempts SET sid = NULL WHERE sid = ?", [first_call(events)["sid"]])


def leave_open(database: sqlite3.Connection, events: Events) -> None:
    database.execute(
        "UPDATE attempts SET state = 'placed', closed_at = NULL WHERE sid = ?",
        [first_call(events)["sid"]],
    )


def end_differently(database: sqlite3.Connection, events: Events) -> None:
    database.execute(
        "UPDATE attempts SET status = 'canceled' WHERE sid = ?", [first_call(events)["sid"]]
    )


def claim_it_twice(database: sqlite3.Connection, events: Events) -> None:
    one, other = [event["sid"] for event in events if event["event"] == "accepted"][:2]
    database.execute("UPDATE attempts SET sid = ? WHERE sid = ?", [one, other])


def never_have_made_it(_database: sqlite3.Connection, events: Events) -> None:
    sid = first_call(events)["sid"]
    events[:] = [event for event in events if event.get("sid") != sid]


def have_made_it_twice(_database: sqlite3.Connection, events: Events) -> None:
    events.append(first_call(events) | {"sid": "CA" + "2" * 32})


def have_called(**otherwise: str) -> Doctor:
    def doctor(_database: sqlite3.Connection, events: Events) -> None:
        first_call(events).update(otherwise)

    return doctor


def first_call(events: Events) -> dict[str, Any]:
    return next(event for event in events if event["event"] == "accepted")


@pytest.mark.parametrize(
    ("doctor", "noticed"),
    [
        (forget_the_call, ["no attempt knows it"]),
        (leave_open, ["still placed when everything was over"]),
        (end_differently, ["at the carrier, 'canceled' here"]),
        (
            claim_it_twice,
            [
                "claimed by 2 attempts",
                "no attempt knows it",
                "attempt is",
                "to is",
            ],
        ),
        (never_have_made_it, ["an attempt claims this call, the carrier made none"]),
        (have_made_it_twice, ["called 2 times by one attempt", "no attempt knows it"]),
        (have_called(token="0" * 32), ["attempt is '00000000"]),
        (have_called(to="+12025550199"), ["to is '+12025550199' at the carrier"]),
        (have_called(from_="+12025550199"), ["from is '+12025550199' at the carrier"]),
    ],
)
def test_a_difference_is_noticed(
    demo: Done, folder: Path, tmp_path: Path, doctor: Doctor, noticed: list[str]
) -> None:
    demo.ok()
    truth = tmp_path / "truth.jsonl"
    copied = shutil.copy(folder / "dialer.db", tmp_path)
    events = [json.loads(line) for line in (folder / "truth.jsonl").read_text().splitlines()]

    with closing(sqlite3.connect(copied)) as database, database:
        doctor(database, events)
    truth.write_text("".join(f"{json.dumps(event)}\n" for event in events))

    found = differences(Path(copied), truth)
    for words in noticed:
        assert any(words in difference for difference in found), found
    assert differences(folder / "dialer.db", folder / "truth.jsonl") == []


def differences(database: Path, truth: Path) -> list[str]:
    """What an audit says against a run that is over."""
    tables, bounds = sqlite.read(database), Bounds.on_a_clock(SPEED)
    evidence = replace(tables, calls=truth_file.read(truth), bounds=bounds, over=True)
    return [str(violation) for violation in check(evidence).violations]
