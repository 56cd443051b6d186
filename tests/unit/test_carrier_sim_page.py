"""The page about the simulator names what there is."""

import re
from pathlib import Path
from typing import Final

from dialer.carrier_sim.faults import LIST_LAG, PRESETS, Fault, LineFault
from dialer.carrier_sim.profiles import PROFILES, SCRIPTED, SCRIPTED_MACHINES
from dialer.carrier_sim.scenes import Kind
from dialer.carrier_sim.truth import Event

PAGE: Final = Path("docs/explanation/carrier-simulator.md").read_text()
WORDS: Final = set(re.findall(r"`([\w=.,-]+)`", PAGE))


def test_every_number_with_a_fixed_fate_is_named() -> None:
    named = {line.replace(" ", "") for line in re.findall(r"^\| (\+[\d ]+) \|", PAGE, re.MULTILINE)}

    assert named == {*SCRIPTED, *SCRIPTED_MACHINES}


def test_every_profile_fault_and_kind_is_named() -> None:
    assert {*PROFILES, *PRESETS, *Fault, *LineFault, LIST_LAG, *Kind} <= WORDS


def test_what_is_told_of_an_answered_call_is_named() -> None:
    events = (Event.SCENE, Event.TRANSCRIPT, Event.STREAM, Event.SPOKEN)

    assert {*events, Event.IDENTIFIED, Event.PICKED_UP} <= WORDS
