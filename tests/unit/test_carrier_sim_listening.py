"""Who listens to an answered call, and what our words make of it, in virtual time."""

import asyncio
import json
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import pytest

from dialer.carrier_sim import truth
from dialer.carrier_sim.faults import Faults
from dialer.carrier_sim.profiles import SCRIPTED_MACHINES
from dialer.carrier_sim.truth import Event
from dialer.carrier_sim.webhook import Reply, WebRequest
from tests.support.carrier_sim import FAX, HUMAN, MACHINE, Mailbox, Rig, carrier, order
from tests.support.virtual import now, run

SCREENING, SCREENING_ALONE, MENU, GONE, QUIET = SCRIPTED_MACHINES
RECORDED: Final = {
    item["id"]: item["payload"]
    for item in json.loads(Path("tests/data/twilio_payloads.json").read_text())["items"]
}
LISTEN: Final = (
    '<Start><Transcription name="amd" statusCallbackUrl="/transcript" track="inbound_track"'
    ' partialResults="true"/></Start>'
)


def page(inner: str) -> str:
    return f"<Response>{inner}</Response>"


def site(**pages: str) -> Mailbox:
    """A server with a document at each path; anything else gets an empty answer."""

    def answer(request: WebRequest) -> Reply:
        name = request.url.rpartition("/")[2]
        return Reply(200, page(pages[name])) if name in pages else Reply(204)

    return Mailbox(answer)


def lived(
    to: str, mailbox: Mailbox, *redirects: tuple[float, str], **setup: Any
) -> tuple[Rig, truth.Call]:
    """One call to its end; it is sent to further pages so many seconds after its acceptance."""

    async def main() -> Rig:
        async with carrier(mailbox, **setup) as rig:
            call = rig.exchange.accept(order(to), now())
            for at_s, name in redirects:
                await asyncio.sleep(at_s - asyncio.get_running_loop().time())
                url = [f"http://dialer.test/{name}"]
                rig.exchange.update(call.sid, {"Url": url})
            await rig.quiet()
            return rig

    rig = run(main())
    return rig, rig.calls()[0]


def transcripts(rig: Rig) -> list[dict[str, str]]:
    return rig.mailbox.to("/transcript")


def texts(forms: list[dict[str, str]], *, final: bool) -> list[str]:
    """What transcripts say, the partials or the finals."""
    return [
        json.loads(form["TranscriptionData"])["transcript"]
        for form in forms
        if form.get("Final") == str(final).lower()
    ]


def of(rig: Rig, event: Event) -> list[Mapping[str, Any]]:
    return [each for each in rig.log.events if each["event"] == event]


# -- transcription --------------------------------------------------------------------------------


def test_what_a_greeting_says_is_told_in_growing_partials_and_finals() -> None:
    rig, call = lived(MACHINE, site(answer=LISTEN + "<Pause length='60'/>"))

    forms = transcripts(rig)
    events = [form["TranscriptionEvent"] for form in forms]
    assert events[0] == "transcription-started"
    assert events[-1] == "transcription-stopped"
    assert set(events[1:-1]) == {"transcription-content"}
    assert [form["SequenceId"] for form in forms] == [str(n + 1) for n in range(len(forms))]
    (scene,) = of(rig, Event.SCENE)
    assert texts(forms, final=True) == [text for _, text in scene["says"]]
    assert len(texts(forms, final=False)) > 5
    assert call.transcripts == len(forms) - 2


@pytest.mark.parametrize(
    ("recorded", "event", "final"),
    [
        ("rtt.started", "transcription-started", None),
        ("rtt.content.partial", "transcription-content", "false"),
        ("rtt.content.final", "transcription-content", "true"),
        ("rtt.stopped", "transcription-stopped", None),
    ],
)
def test_callbacks_have_the_fields_of_published_ones(
    recorded: str, event: str, final: str | None
) -> None:
    rig, _ = lived(MACHINE, site(answer=LISTEN + "<Pause length='60'/>"))

    forms = [form for form in transcripts(rig) if form["TranscriptionEvent"] == event]
    form = next(form for form in forms if form.get("Final") == final)
    assert form.keys() == RECORDED[recorded].keys()
    if data := RECORDED[recorded].get("TranscriptionData"):
        assert json.loads(form["TranscriptionData"]).keys() == json.loads(data).keys()


@pytest.mark.parametrize("seed", range(5))
def test_lines_are_told_one_after_the_other(seed: int) -> None:
    rig, _ = lived(MENU, site(answer=LISTEN + "<Pause length='60'/>"), seed=seed)

    told = of(rig, Event.TRANSCRIPT)
    for last, each in pairwise(told):
        before, now_said = (each["text"].split() for each in (last, each))
        assert last["final"] or len(now_said) >= len(before)  # it grows until it is final


def test_an_engine_needs_seconds_to_come_up_and_then_hears_what_it_missed() -> None:
    rig, call = lived(HUMAN, site(answer=LISTEN + "<Pause length='60'/>"))

    first = next(form for form in transcripts(rig) if "TranscriptionData" in form)
    assert call.answered_at is not None
    heard_at = of(rig, Event.TRANSCRIPT)[0]["at"]
    assert 2000 <= heard_at - call.answered_at <= 5000
    (scene,) = of(rig, Event.SCENE)
    said = json.loads(first["TranscriptionData"])["transcript"]
    plain = "".join(c for c in scene["says"][0][1].lower() if c.isalpha() or c in " '-")
    assert plain.startswith(said)


def test_without_partials_only_finals_come() -> None:
    document = LISTEN.replace('partialResults="true"', "") + "<Pause length='60'/>"

    rig, _ = lived(MACHINE, site(answer=document))

    assert texts(transcripts(rig), final=False) == []
    assert texts(transcripts(rig), final=True) != []


def test_a_transcription_outlives_its_document_until_it_is_stopped() -> None:
    stop = "<Stop><Transcription name='amd'/></Stop>"
    pages = site(
        answer=LISTEN + "<Pause length='60'/>",
        more="<Pause length='5'/><Redirect>/enough</Redirect>",
        enough=stop + stop + "<Pause length='60'/>",
    )

    rig, call = lived(MENU, pages, (6.0, "more"))

    events = [form["TranscriptionEvent"] for form in transcripts(rig)]
    assert events[-1] == "transcription-stopped"
    assert events.count("transcription-stopped") == 1
    assert call.answered_at is not None
    last_at = of(rig, Event.TRANSCRIPT)[-1]["at"]
    assert call.answered_at + 6000 < last_at <= call.answered_at + 9500


def test_the_same_name_listens_once_and_there_are_no_more_than_four() -> None:
    twice = site(answer=LISTEN + LISTEN + "<Pause length='60'/>")
    five = "".join(LISTEN.replace("amd", f"amd{n}") for n in range(5))
    many = site(answer=five + "<Pause length='60'/>")

    for mailbox, started in ((twice, 1), (many, 4)):
        rig, _ = lived(HUMAN, mailbox)
        events = [form["TranscriptionEvent"] for form in transcripts(rig)]
        assert events.count("transcription-started") == started


@pytest.mark.parametrize("track", ["outbound_track", "inbound_track", "both_tracks"])
def test_only_the_callees_side_is_heard(track: str) -> None:
    document = LISTEN.replace("inbound_track", track)

    rig, _ = lived(MACHINE, site(answer=document + "<Say>one two</Say><Pause length='60'/>"))

    heard = texts(transcripts(rig), final=True)
    assert bool(heard) == (track != "outbound_track")
    assert "one two" not in heard


def test_a_fax_has_nothing_to_say() -> None:
    rig, call = lived(FAX, site(answer=LISTEN + "<Pause length='60'/>"))

    assert len(transcripts(rig)) == 2  # started and stopped
    assert (call.scene, call.transcripts) == ("fax", 0)


def test_lost_transcripts_are_noted_and_nothing_else_is_lost() -> None:
    pages = site(answer=LISTEN + "<Pause length='60'/>")

    rig, call = lived(MACHINE, pages, faults=Faults.parse("transcript_lost=1"))

    assert transcripts(rig) == []
    assert {each["lost"] for each in of(rig, Event.TRANSCRIPT)} == {True}
    assert call.transcripts == 0
    assert rig.mailbox.statuses()[-1] == "completed"
    assert call.callbacks_lost == ()


@pytest.mark.parametrize("fault", ["transcript_late=0.5", "transcript_reordered=0.5"])
def test_late_and_reordered_transcripts_all_arrive_with_their_own_number(fault: str) -> None:
    pages = site(answer=LISTEN + "<Pause length='60'/>")

    rig, _ = lived(MACHINE, pages, faults=Faults.parse(fault))

    numbers = [int(form["SequenceId"]) for form in transcripts(rig)]
    assert numbers != sorted(numbers)
    assert sorted(numbers) == list(range(1, len(numbers) + 1))


def test_doubled_transcripts_are_the_same_twice() -> None:
    pages = site(answer=LISTEN + "<Pause length='60'/>")

    rig, call = lived(MACHINE, pages, faults=Faults.parse("transcript_doubled=1"))

    forms = sorted(transcripts(rig), key=lambda form: int(form["SequenceId"]))
    assert forms[::2] == forms[1::2]
    assert len(forms) == 2 * (call.transcripts + 2)


# -- what is said to them -------------------------------------------------------------------------

MESSAGE: Final = "one two three four five"  # two seconds


def test_a_message_after_the_beep_is_kept_in_full_and_its_proof_asked_for() -> None:
    pages = site(
        answer="<Pause length='60'/>",
        message=f"<Say>{MESSAGE}</Say><Redirect>/left</Redirect>",
        left="<Hangup/>",
    )

    rig, call = lived(MACHINE, pages, (20.0, "message"))

    (said,) = call.spoken
    assert call.kept == (said,)
    assert (said.document, said.redirected, said.full) == ("/message", True, True)
    assert call.records_from_at is not None
    assert call.beep_at is not None
    assert call.beep_at < call.records_from_at <= said.began_at == said.ended_at - 2000
    (told,) = of(rig, Event.SPOKEN)
    assert told["began_after_ms"] == said.began_at - call.records_from_at
    assert told["ended_after_ms"] == said.ended_at - call.records_from_at
    assert len(rig.mailbox.to("/left")) == 1
    assert call.ended_by == "document"


@pytest.mark.parametrize("to", [MACHINE, QUIET])
def test_a_message_into_the_greeting_is_not_kept(to: str) -> None:
    pages = site(answer="<Pause length='60'/>", message=f"<Say>{MESSAGE}</Say><Hangup/>")

    _, call = lived(to, pages, (10.0, "message"))

    (said,) = call.spoken
    assert said.full
    assert call.kept == ()
    assert call.greeting_ends_at is not None
    assert said.began_at < call.greeting_ends_at


def test_a_message_that_is_cut_short_is_not_kept() -> None:
    pages = site(
        answer="<Pause length='60'/>",
        message=f"<Say>{MESSAGE}</Say>",
        again=f"<Pause length='1'/><Say>{MESSAGE}</Say>",
    )

    _, call = lived(MACHINE, pages, (20.0, "message"), (21.0, "again"))

    cut, whole = call.spoken
    assert (cut.full, cut.ended_at - cut.began_at) == (False, 1000)
    assert call.kept == (whole,)


def test_words_the_callee_hangs_up_on_are_cut_short() -> None:
    _, call = lived(HUMAN, site(answer="<Pause length='19'/><Say>one two three four five</Say>"))

    (said,) = call.spoken
    assert (said.full, said.redirected) == (False, False)
    assert said.ended_at == call.ended_at == said.began_at + 1000


def test_words_that_were_never_begun_were_not_spoken() -> None:
    _, call = lived(HUMAN, site(answer="<Pause length='30'/><Say>one two</Say>"))

    assert call.spoken == ()


# -- an assistant that asks who is calling --------------------------------------------------------

NAME: Final = "<Say>this is the surgery of doctor green</Say><Pause length='60'/>"


def test_a_person_picks_up_once_they_know_who_calls() -> None:
    pages = site(answer=LISTEN + "<Pause length='60'/>", identify=NAME)

    rig, call = lived(SCREENING, pages, (16.0, "identify"))

    assert (call.scene, call.answered_by) == ("screening", "machine")
    (identified,) = of(rig, Event.IDENTIFIED)
    assert call.picked_up_at is not None
    assert call.answered_at is not None
    assert call.picked_up_at > identified["at"]
    said = texts(transcripts(rig), final=True)
    begun = [text for at_ms, text in identified["says"]]
    assert said == begun[: len(said)]
    assert len(said) >= 3  # the question, the assistant's thanks, the person
    assert call.ended_by == "callee"


def test_where_nobody_picks_up_the_assistant_ends_the_call() -> None:
    _, call = lived(
        SCREENING_ALONE, site(answer="<Pause length='60'/>", identify=NAME), (16.0, "identify")
    )

    assert call.picked_up_at is None
    assert call.ended_by == "callee"


def test_without_a_name_nobody_picks_up() -> None:
    rig, call = lived(SCREENING, site(answer="<Pause length='60'/>"))

    assert of(rig, Event.IDENTIFIED) == []
    assert (call.picked_up_at, call.duration_s, call.ended_by) == (None, 30, "callee")


def test_a_person_who_would_have_picked_up_after_the_end_has_not() -> None:
    pages = site(answer="<Pause length='60'/>", identify=NAME.replace("60", "1"))

    _, call = lived(SCREENING, pages, (16.0, "identify"))

    assert (call.picked_up_at, call.ended_by) == (None, "document")


def test_a_name_is_heard_once() -> None:
    pages = site(answer="<Pause length='60'/>", identify=NAME + NAME)

    rig, _ = lived(SCREENING, pages, (16.0, "identify"), (22.0, "identify"))

    assert len(of(rig, Event.IDENTIFIED)) == 1
