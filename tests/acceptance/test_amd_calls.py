"""Who answered, decided by words or by sound, and what came of it: judged by the carrier's record.

Real processes, real HTTP and websockets; only the clock runs faster.
"""

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

import pytest
from onnx import TensorProto, helper

from amd.audio.model import FEATURES_KEY, NAMES, THRESHOLDS_KEY, VERSION_KEY, features_digest
from dialer.carrier_sim.profiles import SCRIPTED_MACHINES
from dialer.carrier_sim.truth import Call, Spoken
from dialer.demo import write_contacts
from tests.support.carrier_sim import FAX, HUMAN, MACHINE
from tests.support.stage import Stage

GivenStage: TypeAlias = Callable[..., Stage]

SCREENING, SCREENING_ALONE, MENU, GONE, QUIET = SCRIPTED_MACHINES
CONTACTS: Final = 60
CAMPAIGN: Final = "Reminders"
MESSAGE: Final = "Hello, this is the surgery. Your appointment is on Monday. Please call us back."
#: Slow enough that a busy machine is not heard as silence.
SPEED: Final = 4
SPEED_OF_SOUND: Final = 1.5
WITHIN_S: Final = 240.0


def carried_out(
    stage: Stage, people: Iterable[Mapping[str, str]] | None = None, **settings: str
) -> dict[str, tuple[Call, dict[str, Any]]]:
    """A campaign to its end: each call as the carrier and as the database have it, by phone."""
    stage.carrier("--seed", "5", "--profile", "warm", "--cps", "1000")
    stage.ready_daemon()
    contacts = stage.rehearsal.folder / "contacts.csv"
    if people is None:
        write_contacts(contacts, CONTACTS, seed=5)
    else:
        with contacts.open("w", newline="") as file:
            writer = csv.DictWriter(file, ["name", "phone", "timezone"])
            writer.writeheader()
            writer.writerows(people)
    given = {"amd": "text", "on-machine": "leave_message"} | settings
    stage.cli("numbers", "add", "+16465551000").ok()
    stage.cli(
        *("campaign", "create", CAMPAIGN, "--say", MESSAGE, "--number", "+16465551000"),
        *("--call-interval", "0.2s", "--max-concurrent", "100", "--retries", "0"),
        *("--completion-timeout", "1s"),
        *(part for name, value in given.items() for part in (f"--{name}", value)),
    ).ok()
    stage.cli("contacts", "import", contacts, "--campaign", CAMPAIGN).ok()
    told = stage.cli("rules", "list", "--json").ok().json["rules"]
    of_the_us = [
        each["id"] for each in told if each["state"] == "on" and each["region"][:2] == "US"
    ]
    stage.cli("rules", "off", *of_the_us, "--reason", "a test: nobody is rung").ok()
    stage.cli("campaign", "start", CAMPAIGN).ok()
    stage.until_over(CAMPAIGN, WITHIN_S)
    attempts = {each["id"]: each for each in stage.records("SELECT * FROM attempts")}
    return {call.to: (call, attempts[call.token]) for call in stage.truth()}


def called(people: Mapping[str, str]) -> list[Mapping[str, str]]:
    """Contacts by name and phone; their numbers tell of no time zone."""
    zone = "America/New_York"
    return [{"name": name, "phone": to, "timezone": zone} for name, to in people.items()]


def of(spoken: Iterable[Spoken], topic: str) -> list[Spoken]:
    """What was said by documents on *topic*."""
    return [each for each in spoken if each.document.startswith(f"/twilio/{topic}/")]


def answered(
    calls: Mapping[str, tuple[Call, dict[str, Any]]], scene: str
) -> Iterator[tuple[Call, dict[str, Any]]]:
    return (pair for pair in calls.values() if pair[0].scene == scene)


def check_messages(calls: Mapping[str, tuple[Call, dict[str, Any]]]) -> None:
    """What the database says was left was kept by the voicemail, from its first word to its last,
    and no word of it was said into the greeting."""
    for call, attempt in answered(calls, "voicemail"):
        said = of(call.spoken, "message")
        assert call.records_from_at is not None
        assert all(each.began_at >= call.records_from_at for each in said), call
        if attempt["message_left_at"] is not None:
            assert any(each in call.kept for each in said), call


def check_people(calls: Mapping[str, tuple[Call, dict[str, Any]]]) -> None:
    """Nobody is hung up on, or hears what is meant for a machine."""
    for call, attempt in answered(calls, "human"):
        assert attempt["outcome"] == "human", call
        assert call.hang_up_asked_at is None, call
        assert of(call.spoken, "message") == of(call.spoken, "identify") == [], call


@pytest.fixture(scope="module")
def reminders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A campaign that leaves messages, by words alone."""
    with Stage(tmp_path_factory.mktemp("reminders"), SPEED, calls_per_second="100") as stage:
        yield carried_out(stage)


def test_no_person_is_hung_up_on_and_each_hears_the_whole_text(reminders: Any) -> None:
    people = list(answered(reminders, "human"))

    assert len(people) > CONTACTS / 6
    check_people(reminders)
    stayed = [call for call, _ in people if call.ended_by != "callee"]
    assert all([each.full for each in call.spoken] == [True] for call in stayed)


def test_every_message_left_is_kept_in_full_and_begins_after_the_beep(reminders: Any) -> None:
    voicemails = list(answered(reminders, "voicemail"))
    left = [call for call, attempt in voicemails if attempt["message_left_at"] is not None]

    assert len(left) > len(voicemails) / 3 > 2
    check_messages(reminders)


def test_an_assistant_is_told_who_calls_and_whoever_picks_up_is_talked_to(
    given_stage: GivenStage,
) -> None:
    stage = given_stage(SPEED, calls_per_second="100")
    people = {"Ann": SCREENING, "Bob": SCREENING_ALONE, "Cy": MACHINE, "Di": QUIET, "Ed": HUMAN}

    calls = carried_out(stage, called(people))

    check_people(calls)
    check_messages(calls)
    for to in (SCREENING, SCREENING_ALONE):
        call, _ = calls[to]
        (said,) = of(call.spoken, "identify")
        assert said.full
        assert of(call.spoken, "message") == []
    picked_up, attempt = calls[SCREENING]
    assert picked_up.picked_up_at is not None
    assert attempt["outcome"] == "human"
    assert {each.text for each in of(picked_up.spoken, "connect")} == {MESSAGE}
    assert calls[SCREENING_ALONE][0].picked_up_at is None
    kinds = stage.rows("SELECT attempt_id, kind FROM amd_verdicts WHERE acting = 1")
    for to in (SCREENING, SCREENING_ALONE):
        assert (calls[to][1]["id"], "screening") in kinds
    for to in (MACHINE, QUIET):
        call, attempt = calls[to]
        assert attempt["message_left_at"] is not None
        assert [each.text for each in call.kept] == [MESSAGE]


def undecided() -> bytes:
    """A model that never knows: what is told then is told by speech, pauses and tones."""
    rows = helper.make_tensor_value_info("rows", TensorProto.FLOAT, ["n", len(NAMES)])
    half = helper.make_tensor_value_info("machine", TensorProto.FLOAT, ["n", 1])
    weights = helper.make_tensor("weights", TensorProto.FLOAT, [len(NAMES), 1], [0.0] * len(NAMES))
    nodes = [
        helper.make_node("MatMul", ["rows", "weights"], ["nothing"]),
        helper.make_node("Sigmoid", ["nothing"], ["machine"]),
    ]
    graph = helper.make_graph(nodes, "undecided", [rows], [half], [weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    facts = {
        FEATURES_KEY: features_digest(),
        THRESHOLDS_KEY: "[[0, 0.96]]",
        VERSION_KEY: "undecided",
    }
    helper.set_model_props(model, facts)
    return bytes(model.SerializeToString())


def test_by_sound_a_beep_is_waited_for_and_a_fax_is_let_go(
    given_stage: GivenStage, tmp_path: Path
) -> None:
    model = tmp_path / "undecided.onnx"
    model.write_bytes(undecided())
    stage = given_stage(SPEED_OF_SOUND, calls_per_second="100", amd_model=str(model))
    people = {"Ann": HUMAN, "Bob": MACHINE, "Cy": FAX}

    calls = carried_out(stage, called(people), amd="ml")

    assert all(call.frames for call, _ in calls.values())
    assert {to: attempt["outcome"] for to, (_, attempt) in calls.items()} == {
        HUMAN: "human",
        MACHINE: "machine",
        FAX: "fax",
    }
    check_people(calls)
    check_messages(calls)
    call, attempt = calls[MACHINE]
    assert attempt["message_left_at"] is not None
    assert [each.text for each in call.kept] == [MESSAGE]
    assert calls[FAX][0].ended_by == "caller"
