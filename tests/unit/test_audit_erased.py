"""A call to somebody who was erased is audited under the name that is kept instead."""

from dataclasses import replace

from tests.support.evidence import dial, evidence, found

PSEUDONYM = "erased:38148fd58615dc09cb4ee847"


def test_a_call_to_somebody_who_was_erased_is_held_against_its_attempt() -> None:
    one = dial()
    erased = replace(one, attempt=replace(one.attempt, phone=PSEUDONYM))

    assert found(evidence(erased), "agreement") == []


def test_another_number_than_the_one_called_is_still_noticed() -> None:
    one = dial()
    wrong = replace(one, attempt=replace(one.attempt, phone="+12025550199"))

    assert len(found(evidence(wrong), "agreement")) == 1
