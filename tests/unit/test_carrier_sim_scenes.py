"""What is heard of an answered call: repeatable, true to its plan, in the callee's language."""

from itertools import pairwise
from random import Random
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.carrier_sim.phrases import PHRASES, language_of
from dialer.carrier_sim.profiles import (
    PROFILES,
    SCRIPTED,
    SCRIPTED_MACHINES,
    CallPlan,
    Dial,
    Fate,
    plan_call,
)
from dialer.carrier_sim.scenes import Kind, Scene, identified, scene_of, understood

WARM: Final = PROFILES["warm"]
SCREENING, SCREENING_ALONE, MENU, GONE, QUIET = SCRIPTED_MACHINES

numbers = st.from_regex(r"\+(1303|4930|3314|3491|3906|5511|3120)\d{7}", fullmatch=True)
seeds = st.integers(0, 2**32)


def call(to: str, seed: int) -> tuple[CallPlan, Scene] | None:
    """An answered call to a number; None when nobody answers."""
    plan = plan_call(WARM, seed, Dial(to, "+12025550111"))
    return (plan, scene_of(plan, seed, to, 0)) if plan.answered else None


def given_scene(to: str, seed: int = 1) -> Scene:
    plan = SCRIPTED.get(to) or SCRIPTED_MACHINES[to]
    return scene_of(plan, seed, to, 0)


@given(numbers, seeds)
def test_a_scene_repeats_itself_and_nobody_speaks_twice_at_once(to: str, seed: int) -> None:
    if not (made := call(to, seed)):
        return
    plan, scene = made

    assert scene == scene_of(plan, seed, to, 0)
    assert scene.language == language_of(to)
    assert all(line.at_ms >= 0 for line in scene.lines)
    assert all(one.ends_ms <= other.at_ms for one, other in pairwise(scene.lines))
    assert (scene.kind is Kind.HUMAN) == (plan.fate is Fate.HUMAN)
    assert (scene.kind is Kind.FAX) == (plan.fate is Fate.FAX)


@given(numbers, seeds)
def test_a_greeting_is_over_when_its_plan_says_so(to: str, seed: int) -> None:
    made = call(to, seed)
    if not made or made[1].kind is not Kind.VOICEMAIL:
        return
    plan, scene = made
    ends_ms = scene.greeting_ends_ms

    assert ends_ms is not None
    assert scene.records_from_ms is not None
    if scene.beep:
        assert scene.beep.at_ms == round(plan.greeting_s * 1000)
        assert ends_ms < scene.beep.at_ms < scene.beep.ends_ms == scene.records_from_ms
        assert 440 <= scene.beep.hz <= 1400
        assert 200 <= scene.beep.lasts_ms <= 1000
    else:
        assert not plan.beeps
        assert ends_ms == scene.records_from_ms == pytest.approx(plan.greeting_s * 1000, abs=1)


@given(numbers, seeds)
def test_a_greeting_has_no_pause_that_could_be_its_end(to: str, seed: int) -> None:
    made = call(to, seed)
    if not made or made[1].kind is not Kind.VOICEMAIL:
        return

    assert all(b.at_ms - a.ends_ms <= 600 for a, b in pairwise(made[1].lines))


@given(numbers, seeds)
def test_a_person_speaks_before_they_hang_up(to: str, seed: int) -> None:
    made = call(to, seed)
    if not made or made[1].kind is not Kind.HUMAN:
        return
    plan, scene = made

    assert all(line.at_ms < plan.on_line_s * 1000 for line in scene.lines)


def test_every_kind_of_machine_has_a_number() -> None:
    kinds = {to: given_scene(to).kind for to in SCRIPTED_MACHINES}

    assert kinds == {
        SCREENING: Kind.SCREENING,
        SCREENING_ALONE: Kind.SCREENING,
        MENU: Kind.IVR,
        GONE: Kind.UNAVAILABLE,
        QUIET: Kind.VOICEMAIL,
    }
    assert given_scene(QUIET).beep is None


def test_a_menu_is_read_out_again_and_takes_no_message() -> None:
    menu = given_scene(MENU)

    texts = [line.text for line in menu.lines]
    assert texts.count(texts[0]) == 4  # in 45 s
    assert menu.records_from_ms is None


def test_a_fax_answers_with_its_tone_and_no_word() -> None:
    fax = given_scene("+15005550102")

    (tone,) = fax.tones
    assert (tone.hz, fax.lines) == (2100, ())
    assert 2600 <= tone.lasts_ms <= 4000


@pytest.mark.parametrize("language", PHRASES)
def test_phrases_are_told_apart_by_whom_they_belong_to(language: str) -> None:
    phrases = PHRASES[language]
    groups = (
        phrases.hello + phrases.asking + phrases.still + phrases.talk,
        phrases.mailbox + phrases.more + phrases.leave,
        phrases.menu,
        phrases.announcement,
        phrases.screening + phrases.screening_again,
    )

    texts = [{text.lower() for text in group} for group in groups]
    assert sum(map(len, texts)) == len(set().union(*texts))
    assert all(text == " ".join(text.split()) for group in groups for text in group)


# -- an assistant that asks who is calling --------------------------------------------------------


@given(st.integers(0, 20_000), st.integers(0, 20_000))
def test_an_assistant_understands_what_is_said_after_its_question(began: int, lasts: int) -> None:
    scene = given_scene(SCREENING)
    assert scene.greeting_ends_ms is not None
    heard = began + lasts - max(began, scene.greeting_ends_ms)

    assert understood(scene, began, began + lasts) == (heard >= 600)


def test_nobody_else_wants_to_know_who_calls() -> None:
    others = ("+15005550100", "+15005550101", "+15005550102", MENU, GONE, QUIET)

    assert not any(understood(given_scene(to), 0, 60_000) for to in others)


@given(st.integers(8000, 25_000), seeds)
def test_who_picks_up_says_hello_after_the_assistant(at_ms: int, seed: int) -> None:
    before = given_scene(SCREENING)

    after, gone_ms = identified(before, at_ms, Random(seed))

    begun = [line for line in before.lines if line.at_ms < at_ms]
    assert list(after.lines[: len(begun)]) == begun
    thanks, hello, *_ = after.lines[len(begun) :]
    assert thanks.text in PHRASES["en"].thanks
    assert hello.text in PHRASES["en"].hello + PHRASES["en"].asking
    assert after.person_ms == hello.at_ms > thanks.ends_ms > at_ms
    assert all(one.ends_ms <= other.at_ms for one, other in pairwise(after.lines))
    assert hello.ends_ms < gone_ms


@given(st.integers(8000, 25_000), seeds)
def test_where_nobody_picks_up_the_assistant_says_so_and_hangs_up(at_ms: int, seed: int) -> None:
    after, gone_ms = identified(given_scene(SCREENING_ALONE), at_ms, Random(seed))

    assert after.person_ms is None
    assert after.lines[-1].text in PHRASES["en"].nobody
    assert gone_ms == after.lines[-1].ends_ms + 1000
