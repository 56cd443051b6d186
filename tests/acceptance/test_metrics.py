"""What a Prometheus reads from a real daemon is what happened, and holds nobody's number."""

import re
import socket
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import closing
from http.client import HTTPConnection
from typing import Final, TypeAlias

import pytest
from prometheus_client.parser import text_string_to_metric_families

from dialer.meters import CarrierOp, WebhookResult
from dialer.metrics.registry import CARRIER_CODES, WEBHOOK_ROUTES
from dialer.model import AmdMode, WaitReason
from dialer.rehearsal import HOST, free_port
from dialer.states import CampaignStatus, MemberState
from retries.outcome import Outcome
from tests.support.stage import Stage

GivenStage = Callable[..., Stage]
#: The values of samples by their names and labels.
Samples: TypeAlias = Mapping[tuple[str, frozenset[tuple[str, str]]], float]

BY_STATE: Final = ("dialer_campaigns", "state")
IDS: Final = re.compile(r"\d{1,6}|other")
CLOSED: Final[Mapping[str, frozenset[str]]] = {
    "state": frozenset(CampaignStatus) | {"active", "disabled"},
    "status": frozenset(MemberState),
    "reason": frozenset(WaitReason) | {"throttled", "trouble"},
    "outcome": frozenset(Outcome),
    "op": frozenset(CarrierOp),
    "code": frozenset(CARRIER_CODES),
    "route": frozenset(WEBHOOK_ROUTES),
    "kind": frozenset({"read", "write"}),
    "mode": frozenset(AmdMode),
    "verdict": frozenset({"found", "absent", "duplicated", "vanished", "endless"}),
    "result": frozenset(WebhookResult) | {"human", "machine", "fax", "unknown"},
}


def scraped(port: str) -> str:
    with urllib.request.urlopen(f"http://{HOST}:{port}/metrics", timeout=10) as response:
        assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
        return str(response.read(), "utf-8")


def samples_of(text: str) -> Samples:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def by(samples: Samples, name: str, label: str) -> dict[str, float]:
    """The values of a metric that are not zero, by one of its labels; others are added up."""
    found: dict[str, float] = {}
    for (each, labels), value in samples.items():
        if each == name and value:
            key = dict(labels)[label]
            found[key] = found.get(key, 0) + value
    return found


@pytest.fixture
def port() -> str:
    return str(free_port())


@pytest.fixture
def watched(given_stage: GivenStage, port: str) -> Stage:
    """A daemon whose campaign is over."""
    stage = given_stage(speed=100, metrics_port=port, max_concurrent="30", log_file="told.log")
    stage.given_campaign(
        contacts=30, numbers=2, call_interval_s=0, completion_timeout_s=5, max_retries=0
    )
    stage.carrier("--cps", "1000")
    stage.ready_daemon()
    stage.until_over()
    return stage


def test_what_is_told_is_what_the_database_says(watched: Stage, port: str) -> None:
    at = watched.value
    expected = {
        "completed": at("SELECT count(*) FROM members WHERE state = 'completed'"),
        "attempts": at("SELECT count(*) FROM attempts WHERE state = 'ended'"),
        "events": at("SELECT count(*) FROM call_events"),
    }
    outcomes = watched.rows("SELECT outcome, count(*) FROM attempts GROUP BY outcome")
    numbers = watched.rows("SELECT number_id, sum(calls) FROM number_days GROUP BY number_id")

    watched.until(lambda: by(samples_of(scraped(port)), *BY_STATE) == {"completed": 1})
    told = samples_of(scraped(port))

    assert by(told, "dialer_calls_ended_total", "outcome") == dict(outcomes)
    assert by(told, "dialer_calls_ended_total", "campaign") == {"1": expected["attempts"]}
    assert by(told, "dialer_call_attempts_total", "campaign") == {"1": expected["attempts"]}
    by_number = {str(number_id): calls for number_id, calls in numbers}
    assert by(told, "dialer_call_attempts_total", "number_id") == by_number
    assert by(told, "dialer_number_calls_today", "number_id") == by_number
    assert by(told, "dialer_contacts", "status")["completed"] == expected["completed"]
    assert by(told, "dialer_numbers", "state") == {"active": 2}
    assert by(told, "dialer_carrier_requests_total", "op")["place"] == expected["attempts"]
    taken = by(told, "dialer_webhooks_total", "result")
    assert set(taken) == {"taken"}
    assert taken["taken"] >= expected["events"]
    nothing: frozenset[tuple[str, str]] = frozenset()
    assert told["dialer_compliance_violations_total", nothing] == 0
    assert told["dialer_calls_unknown", nothing] == 0
    assert told["dialer_lines_limit", nothing] == 30
    assert told["dialer_db_size_bytes", nothing] > 0
    assert told["dialer_ring_seconds_count", nothing] > 0
    assert told["dialer_engine_tick_seconds_count", nothing] > 0
    assert told["dialer_loop_lag_seconds_count", nothing] > 0
    assert told["dialer_dial_lag_seconds_count", nothing] == expected["attempts"]
    assert told["process_start_time_seconds", nothing] > 0
    assert told["dialer_config_last_reload_success_timestamp_seconds", nothing] > 0


def test_nobody_is_named_and_labels_come_from_closed_sets(watched: Stage, port: str) -> None:
    text = scraped(port)

    phones = watched.rows("SELECT phone FROM contacts UNION ALL SELECT phone FROM numbers")
    assert [phone for (phone,) in phones if phone[1:] in text] == []
    assert "Renewals" not in text
    for family in text_string_to_metric_families(text):
        if not family.name.startswith("dialer_") or family.name.startswith("dialer_build"):
            continue
        assert family.documentation.endswith((".", "0")), family.name
        assert family.type in {"counter", "gauge", "histogram"}
        for sample in family.samples:
            for name, value in sample.labels.items():
                if name in CLOSED:
                    assert value in CLOSED[name], sample
                elif name != "le":
                    assert name in {"campaign", "number_id"}
                    assert IDS.fullmatch(value), sample


def test_every_call_has_one_line_that_names_nobody(watched: Stage) -> None:
    watched.until(lambda: "campaign.completed" in watched.events("told.log"))
    lines = [line for line in watched.log("told.log") if line["event"] == "call.ended"]

    ended = watched.rows(
        "SELECT id, member_id, outcome, duration_s FROM attempts WHERE state = 'ended' ORDER BY id"
    )
    told = [(line["attempt"], line["member"], line["outcome"], line["talk_s"]) for line in lines]
    assert sorted(told) == ended
    phones = watched.rows("SELECT phone FROM contacts UNION ALL SELECT phone FROM numbers")
    text = (watched.rehearsal.folder / "told.log").read_text()
    assert [phone for (phone,) in phones if phone[1:] in text] == []
    assert all("***" in line["to"] for line in lines)
    assert sorted(watched.events()) == sorted(watched.events("told.log"))
    one = watched.cli("logs", "tail", "--call", ended[0][0], "-n", "1", "--json").ok().json
    assert one["attempt"] == ended[0][0]


def test_whoever_watches_does_not_keep_a_daemon_from_ending(
    given_stage: GivenStage, port: str
) -> None:
    stage = given_stage(speed=1, metrics_port=port)
    daemon = stage.ready_daemon()
    watcher = HTTPConnection(HOST, int(port))
    watcher.request("GET", "/metrics")
    assert watcher.getresponse().read()

    with closing(watcher):  # whose connection stays open
        assert stage.end(daemon) == 0

    assert stage.events()[-1] == "daemon.ended"
    assert "Traceback" not in (stage.rehearsal.folder / "daemon.log").read_text()


def test_a_port_that_is_taken_keeps_nobody_from_calling(given_stage: GivenStage, port: str) -> None:
    with socket.create_server((HOST, int(port))):
        stage = given_stage(speed=100, metrics_port=port)
        stage.ready_daemon()

        stage.until(lambda: "metrics.unavailable" in stage.events())
        assert stage.troubles() == {}
