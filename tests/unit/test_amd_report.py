"""How the modes of detection did: what counts as known, what an error is, and what it costs."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amd.verdict import Verdict
from dialer.amd_report import THRESHOLDS, Judged, JudgedCall, Prices, _turned_out, summary

V = Verdict
PRICES = Prices(lost_human=20, machine=0.05)

judged = st.builds(
    Judged,
    mode=st.just("text"),
    acting=st.booleans(),
    verdict=st.sampled_from(Verdict),
    confidence=st.floats(0, 1),
    at_ms=st.integers(0, 10_000),
)
calls = st.lists(
    st.builds(
        lambda was, text, ml: JudgedCall(was, "labelled", {"text": text, "ml": ml}),
        st.none() | st.sampled_from([V.HUMAN, V.MACHINE, V.FAX]),
        judged,
        judged,
    ),
    max_size=20,
)


def call(was: Verdict | None, **said: tuple[Verdict, float]) -> JudgedCall:
    modes = {
        mode: Judged(mode, mode == "text", verdict, confidence, 1000 * (n + 1))
        for n, (mode, (verdict, confidence)) in enumerate(said.items())
    }
    return JudgedCall(was, "labelled" if was else "", modes)


def test_a_lost_person_and_a_machine_that_is_talked_to_have_their_prices() -> None:
    found = summary(
        [
            call(V.HUMAN, text=(V.MACHINE, 0.9), ml=(V.HUMAN, 0.9)),
            call(V.HUMAN, text=(V.UNKNOWN, 0.5), ml=(V.FAX, 0.9)),
            call(V.MACHINE, text=(V.MACHINE, 0.97), ml=(V.UNKNOWN, 0.5)),
            call(V.MACHINE, text=(V.HUMAN, 0.9), ml=(V.MACHINE, 0.99)),
            call(None, text=(V.HUMAN, 0.9), ml=(V.MACHINE, 0.9)),
        ],
        PRICES,
    )

    text, ml = found.modes
    assert (text.mode, text.acting, text.judged, text.known) == ("text", True, 5, 4)
    assert (text.errors.lost_humans, text.errors.machines_talked_to) == (1, 1)
    assert text.errors.cost == ml.errors.cost == 20.05
    assert ml.acting is False
    assert found.known == {"human: labelled": 2, "machine: labelled": 2}
    assert found.confusion[("text", "ml")][("human", "machine")] == 2
    assert sum(found.confusion[("text", "ml")].values()) == 5


def test_a_threshold_takes_what_is_less_sure_for_a_person() -> None:
    found = summary(
        [
            call(V.HUMAN, text=(V.MACHINE, 0.85)),
            call(V.MACHINE, text=(V.MACHINE, 0.85)),
            call(V.MACHINE, text=(V.MACHINE, 0.97)),
        ],
        PRICES,
    )

    by_threshold = {each.confidence: each for each in found.modes[0].thresholds}
    assert (by_threshold[0.85].lost_humans, by_threshold[0.85].machines_talked_to) == (1, 0)
    assert (by_threshold[0.9].lost_humans, by_threshold[0.9].machines_talked_to) == (0, 1)
    assert (by_threshold[0.99].lost_humans, by_threshold[0.99].machines_talked_to) == (0, 2)
    assert by_threshold[0.9].cost == 0.05


@given(calls)
def test_a_higher_threshold_loses_no_more_persons_and_spares_no_more_machines(
    made: list[JudgedCall],
) -> None:
    found = summary(made, PRICES)

    for mode in found.modes:
        lost = [each.lost_humans for each in mode.thresholds]
        spared = [each.machines_talked_to for each in mode.thresholds]
        assert lost == sorted(lost, reverse=True)
        assert spared == sorted(spared)
        assert mode.errors == mode.thresholds[THRESHOLDS.index(0.0)]
        assert mode.judged == len(made) == sum(mode.verdicts.values())


def test_no_calls_are_no_modes() -> None:
    assert summary([], PRICES).modes == []


@pytest.mark.parametrize(
    ("facts", "was"),
    [
        ({}, None),
        ({"label": "machine", "opted_out": 1}, V.MACHINE),  # whoever has listened knows
        ({"label": "unknown"}, None),
        ({"opted_out": 1}, V.HUMAN),
        ({"agent_kind": "relay", "duration_s": 60}, V.HUMAN),
        ({"agent_kind": "relay", "duration_s": 59}, None),
        ({"agent_kind": "relay", "duration_s": 90, "message_left_at": 5}, None),
        ({"agent_kind": "message", "duration_s": 90}, None),  # nobody needs to have listened
    ],
)
def test_what_a_call_was_is_known_by_what_no_detector_says(
    facts: dict[str, Any], was: Verdict | None
) -> None:
    row = {
        "label": None, "opted_out": 0, "agent_kind": "message", "duration_s": 20,
        "message_left_at": None,
    } | facts  # fmt: skip

    assert _turned_out(row)[0] is was
