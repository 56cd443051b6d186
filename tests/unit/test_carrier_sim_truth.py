"""Truth survives kills: every cut of the file reads as a beginning of what happened."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.carrier_sim.truth import Call, Event, TruthFile, TruthNowhere, fold, read_truth
from dialer.errors import StoreError, UsageError, WrongStateError


def accepted(sid: str, at: int = 1000) -> dict[str, Any]:
    who = {"to": "+12025550101", "from_": "+12025550111", "token": "a1", "arrived_at": at - 1}
    return {"event": Event.ACCEPTED, "at": at, "sid": sid, **who}


def life(sid: str) -> list[dict[str, Any]]:
    """All the events of one answered call."""
    return [
        accepted(sid),
        {"event": Event.INITIATED, "at": 1100, "sid": sid},
        {"event": Event.RINGING, "at": 2000, "sid": sid},
        {"event": Event.ANSWERED, "at": 5000, "sid": sid, "answered_by": "human"},
        {"event": Event.AMD, "at": 7000, "sid": sid, "verdict": "machine_start"},
        {"event": Event.CALLBACK_LOST, "at": 7100, "sid": sid, "label": "amd"},
        {"event": Event.UPDATE, "at": 7200, "sid": sid, "asked": "completed", "status": "x"},
        {
            "event": Event.ENDED,
            "at": 8000,
            "sid": sid,
            "status": "completed",
            "duration_s": 3,
            "sip": 200,
            "ended_by": "caller",
        },
    ]


def write(path: Path, events: list[dict[str, Any]]) -> None:
    file = TruthFile(path)
    for event in events:
        facts = {name: value for name, value in event.items() if name not in {"event", "at"}}
        file.record(event["event"], event["at"], facts)
    file.close()


def test_a_call_is_gathered_from_its_events(tmp_path: Path) -> None:
    write(tmp_path / "truth.jsonl", life("CA1"))

    assert read_truth(tmp_path / "truth.jsonl") == [
        Call(
            sid="CA1",
            to="+12025550101",
            from_="+12025550111",
            token="a1",
            accepted_at=1000,
            arrived_at=999,
            initiated_at=1100,
            ringing_at=2000,
            answered_at=5000,
            ended_at=8000,
            status="completed",
            answered_by="human",
            duration_s=3,
            sip=200,
            ended_by="caller",
            verdict="machine_start",
            hang_up_asked_at=7200,
            callbacks_lost=("amd",),
        )
    ]


@given(st.data())
def test_any_cut_of_the_file_reads_as_a_beginning_and_can_be_continued(data: st.DataObject) -> None:
    events = life("CA1") + life("CA2")
    with TemporaryDirectory() as folder:
        path = Path(folder) / "truth.jsonl"
        write(path, events)
        whole = path.read_bytes()
        cut = data.draw(st.integers(0, len(whole)))

        path.write_bytes(whole[:cut])
        survivors = events[: whole[:cut].count(b"\n")]
        assert read_truth(path) == fold(survivors)

        write(path, [accepted("CA3")])
        assert read_truth(path) == fold([*survivors, accepted("CA3")])


def test_a_damaged_line_in_the_middle_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "truth.jsonl"
    write(path, [accepted("CA1")])
    path.write_text("{oops}\n" + path.read_text())

    with pytest.raises(StoreError, match="line 1 is not an event"):
        read_truth(path)


def test_two_writers_of_one_file_are_refused(tmp_path: Path) -> None:
    first = TruthFile(tmp_path / "truth.jsonl")

    with pytest.raises(WrongStateError, match=r"truth\.jsonl is being written by another"):
        TruthFile(tmp_path / "truth.jsonl")

    first.close()
    TruthFile(tmp_path / "truth.jsonl").close()


def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"truth.*No such file"):
        TruthFile(tmp_path / "nowhere" / "truth.jsonl")


def test_after_a_failed_write_nothing_more_is_recorded() -> None:
    full = TruthFile(Path("/dev/full"))

    for _ in range(2):
        with pytest.raises(StoreError, match="/dev/full"):
            full.record(Event.STARTED, 1, {})

    full.close()


def test_every_line_is_one_json_object(tmp_path: Path) -> None:
    write(tmp_path / "truth.jsonl", life("CA1"))

    lines = (tmp_path / "truth.jsonl").read_text().splitlines()

    assert [json.loads(line)["event"] for line in lines] == [e["event"] for e in life("CA1")]


def test_a_request_after_the_end_did_not_end_the_call() -> None:
    late = {"event": Event.UPDATE, "at": 9000, "sid": "CA1", "asked": "completed", "status": "x"}
    events = [event for event in life("CA1") if event["event"] is not Event.UPDATE]

    assert fold([*events, late])[0].hang_up_asked_at is None


def test_events_of_unknown_calls_and_of_none_are_passed_over() -> None:
    events = [{"event": Event.STARTED, "at": 1}, {"event": Event.RINGING, "at": 2, "sid": "CA9"}]

    assert fold(events) == []
    TruthNowhere().record(Event.STARTED, 1, {})
