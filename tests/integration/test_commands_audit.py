"""`dialer audit --truth` on both databases."""

import asyncio
import json
import random
from pathlib import Path
from typing import Any

import pytest

from dialer.model import CarrierStatus, Claim
from dialer.store.opening import opened
from tests.support.cli import Cli
from tests.support.engine import MINUTE, NOW, SECOND, daemon_on, sid, status
from tests.support.given import given_campaign


def called(store: str) -> Claim:
    """A campaign whose only call was answered and is over."""

    async def call() -> Claim:
        async with opened(store, random.Random(1), busy_timeout_s=5) as database:
            campaign = await given_campaign(
                database, now=NOW, contacts=1, call_interval_s=0, completion_timeout_s=0
            )
            async with daemon_on(store, database) as daemon:
                (claim,) = await daemon.claimer.take(campaign)
                facts: dict[str, Any] = {"duration_s": 30, "sip_code": 200}
                ended = status(claim, CarrierStatus.COMPLETED, NOW + MINUTE, **facts)
                await daemon.engine.calls.receive(ended)
                await daemon.engine.lease.release()
        return claim

    return asyncio.run(call())


def truth_of(claim: Claim, **changes: Any) -> list[dict[str, Any]]:
    """What the carrier did of it."""
    accepted = {
        "event": "accepted", "at": NOW + SECOND, "arrived_at": NOW + SECOND, "sid": sid(1),
        "to": claim.to, "from_": claim.from_, "token": claim.attempt_id,
    }  # fmt: skip
    ended = {"event": "ended", "at": NOW + MINUTE, "sid": sid(1), "status": "completed"}
    return [accepted | changes, ended | {"sid": changes.get("sid", sid(1))}]


@pytest.fixture
def cli(store: str, tmp_path: Path) -> Cli:
    return Cli(tmp_path, {"DIALER_DATABASE": store})


def audit(cli: Cli, *events: dict[str, Any]) -> Any:
    truth = cli.folder / "truth.jsonl"
    truth.write_text("".join(f"{json.dumps(event)}\n" for event in events))
    done = cli.here("audit", "--truth", truth, "--final", "--json")
    assert done.code == (0 if done.json["ok"] else 1)
    return done.json


def test_a_database_and_a_record_that_agree_pass(cli: Cli, store: str) -> None:
    told = audit(cli, *truth_of(called(store)))

    assert (told["ok"], told["calls_compared"], told["violations"]) == (True, 1, [])


def test_a_second_call_of_an_attempt_fails(cli: Cli, store: str) -> None:
    claim = called(store)
    again = truth_of(claim, sid="CA2", at=NOW + 2 * MINUTE, arrived_at=NOW + 2 * MINUTE)

    told = audit(cli, *truth_of(claim), *again)

    guilty = {(each["invariant"], each["attempt"]) for each in told["violations"]}
    assert guilty >= {("I1", claim.attempt_id), ("I5", claim.attempt_id)}


def test_a_call_the_database_does_not_have_at_all_fails(cli: Cli, store: str) -> None:
    cli.here("db", "upgrade").ok()
    claim = called(store)
    strange = truth_of(claim, sid="CA2", to="+12025550999", token="f" * 32)

    told = audit(cli, *truth_of(claim), *strange)

    assert [each["callee"] for each in told["violations"] if each["invariant"] == "I5"] == [
        "+12025550999"
    ]


def test_before_the_end_what_is_open_is_waited_for(cli: Cli, store: str) -> None:
    claim = called(store)
    truth = cli.folder / "truth.jsonl"
    truth.write_text("".join(f"{json.dumps(event)}\n" for event in truth_of(claim)))

    done = cli.here("audit", "--truth", truth).ok()

    assert "I3: whether everybody reaches a final state shows when everything is over" in done.err
