"""The carrier's side of the evidence, read as a stranger would."""

import json
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pytest

from dialer.audit import carrier_list, truth_file
from dialer.audit.records import FINAL_STATUSES, Bounds, Call
from dialer.carrier_sim.truth import Event, TruthFile
from dialer.errors import UsageError
from dialer.model import CarrierStatus

ACCEPTED = {
    "event": "accepted", "at": 1000, "sid": "CA1", "to": "+12025550101", "from_": "+13105550001",
    "token": "a1", "arrived_at": 900,
}  # fmt: skip


def test_the_final_statuses_are_the_carriers() -> None:
    assert {status for status in CarrierStatus if status.final} == FINAL_STATUSES


# -- the simulator's record -----------------------------------------------------------------------


def test_a_call_is_read_from_the_simulators_own_lines(tmp_path: Path) -> None:
    path = tmp_path / "truth.jsonl"
    log = TruthFile(path)
    log.record(Event.STARTED, 1, {"seed": 1})
    for kind, at, facts in (
        (Event.ACCEPTED, 1000, {n: v for n, v in ACCEPTED.items() if n not in {"event", "at"}}),
        (Event.INITIATED, 1100, {"sid": "CA1"}),
        (Event.RINGING, 2000, {"sid": "CA1"}),
        (Event.ANSWERED, 5000, {"sid": "CA1", "answered_by": "human"}),
        (Event.ENDED, 8000, {"sid": "CA1", "status": "completed", "duration_s": 3}),
        (Event.REFUSED, 9000, {"to": "+12025550102", "why": "invalid"}),
    ):
        log.record(kind, at, facts)
    log.close()

    assert truth_file.read(path) == [
        Call("CA1", "+12025550101", "+13105550001", "completed", 1000, "a1", 900, 2000, 8000)
    ]


@pytest.mark.parametrize(
    ("events", "status"),
    [([], "queued"), (["ringing"], "ringing"), (["ringing", "answered"], "in-progress")],
)
def test_a_call_that_goes_on_has_no_end(events: list[str], status: str) -> None:
    told = [ACCEPTED, *({"event": kind, "at": 2000, "sid": "CA1"} for kind in events)]

    (call,) = truth_file.calls_from(told)

    assert (call.status, call.ended_at, call.over_at) == (status, None, None)


def test_a_line_that_was_cut_short_tells_nothing(tmp_path: Path) -> None:
    path = tmp_path / "truth.jsonl"
    path.write_text(f"{json.dumps(ACCEPTED)}\n{json.dumps(ACCEPTED)[:30]}")

    assert [call.sid for call in truth_file.read(path)] == ["CA1"]


@pytest.mark.parametrize(
    "line",
    [
        "no json", "[]", "7", '{"event": "accepted"}', '{"event": 1, "at": 1}',
        '{"event": "accepted", "at": 1, "sid": "CA1"}', '{"event": "accepted", "at": "now"}',
    ],
)  # fmt: skip
def test_what_is_no_record_is_refused(tmp_path: Path, line: str) -> None:
    path = tmp_path / "truth.jsonl"
    path.write_text(f"{line}\n")

    with pytest.raises(UsageError, match=r"truth\.jsonl"):
        truth_file.read(path)


def test_a_record_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.jsonl cannot be read"):
        truth_file.read(tmp_path / "none.jsonl")


def test_a_record_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "truth.jsonl"
    path.write_bytes(b"\xff\xfe\n")

    with pytest.raises(UsageError, match="cannot be read"):
        truth_file.read(path)


# -- the carrier's list ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Listed:
    sid: str = "CA1"
    to: str = "+12025550101"
    from_: str = "+13105550001"
    status: str = "completed"
    created_at: int = 1000
    dialed_at: int | None = 2000
    ended_at: int | None = 9000


def test_a_listed_call_rings_when_it_is_dialed_and_has_no_token() -> None:
    (call,) = carrier_list.calls_from([Listed(), Listed()])  # the second from another page

    assert call == Call(
        "CA1", "+12025550101", "+13105550001", "completed", 1000, None, None, 2000, 9000
    )


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("+1 (202) 555-0101", "+12025550101"),
        ("12025550101", "+12025550101"),
        ("sip:ada7@example.com", "sip:ada7@example.com"),
        ("anonymous", "anonymous"),
        ("", ""),
    ],
)
def test_numbers_are_read_however_they_are_written(written: str, read: str) -> None:
    (call,) = carrier_list.calls_from([Listed(to=written)])

    assert call.to == read


@pytest.mark.parametrize(
    ("phones", "sids", "kept"),
    [({"+13105550001"}, (), 1), ((), {"CA1"}, 1), ({"+13105550009"}, {"CA9"}, 0)],
)
def test_calls_of_others_on_the_account_are_not_ours(phones: Any, sids: Any, kept: int) -> None:
    calls = carrier_list.calls_from([Listed()])

    assert len(list(carrier_list.ours(calls, phones, sids))) == kept


# -- bounds ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "bounds", [lambda: Bounds.on_a_clock(100), lambda: Bounds.on_a_clock(100, skew_ms=7)]
)
def test_delays_are_as_long_as_the_clock_is_fast(bounds: Callable[[], Bounds]) -> None:
    assert (bounds().reaction_ms, bounds().late_ms) == (25_000, 100_000)
    assert bounds().skew_ms in {0, 7}
    assert {field.name for field in fields(Bounds)} >= {"open_ms", "finish_by_at"}
