"""The audit as a whole: every promise can be broken and kept, and nothing passes in silence."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from hashlib import sha256
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.audit.check import INVARIANTS, check
from dialer.audit.evidence import Evidence
from dialer.audit.fingerprint import fingerprint
from dialer.audit.records import Command, Listing, Schedule, StoreEffect
from dialer.audit.report import Violation
from tests.support.cli import ROOT
from tests.support.evidence import (
    CAMPAIGN,
    DAY,
    HOUR,
    NOW,
    NUMBER,
    Dial,
    dial,
    evidence,
    found,
)

#: A night in the office: 15:00 UTC on a Monday is closed there.
CLOSED: Final = Schedule(1, "Office", '{"zone": "UTC", "weekly": {"mon": ["09:00-12:00"]}}')


def twice(one: Dial) -> Dial:
    """The same attempt's second call, an hour later."""
    at = one.call.accepted_at + HOUR
    again = replace(one.call, sid="CA2", accepted_at=at, ringing_at=at, ended_at=at)
    return replace(one, call=again)


#: One way to break each promise; which others suffer with it is of no concern.
BROKEN: Final[Mapping[str, Callable[[], Evidence]]] = {
    "I1": lambda: evidence(dial(), calls=[dial().call, twice(dial()).call]),
    "I2": lambda: evidence(dial(1), dial(2)),
    "I3": lambda: evidence(dial(), members=[replace(evidence(dial()).members[0], state="retry")]),
    "I4": lambda: evidence(
        dial(), schedules=[CLOSED], campaigns=[replace(CAMPAIGN, schedule_id=1)]
    ),
    "I5": lambda: evidence(dial().but(sid="CA2")),
    "I6": lambda: evidence(dial(), campaigns=[replace(CAMPAIGN, max_calls_per_day=0)]),
    "I7": lambda: evidence(dial().but(closed_at=None, state="placed")),
    "I8": lambda: evidence(dial(1), dial(2), campaigns=[replace(CAMPAIGN, max_concurrent=1)]),
    "I9": lambda: evidence(
        dial(), listings=[Listing(1, dial().call.to, None, "added", NOW - HOUR)]
    ),
    "I10": lambda: evidence(dial(), numbers=[replace(NUMBER, disabled_at=NOW - HOUR)]),
    "I11": lambda: evidence(dial(), commands=[Command(1, NOW - HOUR, may_dial=False)]),
    "I13": lambda: evidence(dial().but(duration_s=1)),
    "I15": lambda: evidence(dial(1), dial(2), campaigns=[replace(CAMPAIGN, call_interval_ms=DAY)]),
    "I16": lambda: evidence(dial(), store_effects=[StoreEffect(NOW - HOUR, committed=False)]),
    "I17": lambda: evidence(dial().but(day="2026-01-04")),
    "I20": lambda: evidence(dial().but(closed_at=NOW + 2 * DAY)),
    "agreement": lambda: evidence(dial().but(status="busy")),
    "counters": lambda: evidence(dial(), numbers=[replace(NUMBER, calls_total=2)]),
}


def test_every_promise_has_a_way_to_be_broken() -> None:
    assert list(BROKEN) == [invariant.name for invariant in INVARIANTS]


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_promise_is_found(name: str) -> None:
    violations = found(BROKEN[name](), name)

    assert violations
    assert all(violation.invariant == name for violation in violations)
    assert name == "counters" or any(violation.attempt for violation in violations)


gaps = st.lists(st.integers(61, 3600), max_size=6)


@given(gaps, st.booleans())
def test_a_run_without_faults_keeps_every_promise(gaps_s: list[int], tokens: bool) -> None:
    at, dials = NOW, []
    for n, gap_s in enumerate(gaps_s, 1):
        at += gap_s * 1000
        each = dial(n, at, member=1 + n % 3, lasts_s=60)
        dials.append(each if tokens else each.really(token=None))
    given_ = evidence(*dials, campaigns=[replace(CAMPAIGN, max_retries=6, call_interval_ms=60_000)])

    report = check(given_)

    assert [str(violation) for violation in report.violations] == []
    assert report.clean
    assert report.compared == len(dials)
    assert all(result.scope.blind is None for result in report.results)


def test_nothing_at_all_keeps_every_promise_that_can_be_checked() -> None:
    report = check(Evidence())

    assert report.clean
    assert {result.invariant.name for result in report.results if result.scope.blind} == {
        "I7", "I16", "I20",
    }  # fmt: skip


def test_a_promise_is_told_in_words_with_what_to_do() -> None:
    for invariant in INVARIANTS:
        assert len(invariant.promise.split()) > 4
        assert not invariant.promise.endswith(".")
        assert "Source:" in (invariant.find.__doc__ or "")
        assert invariant.advice


def test_the_page_about_audits_lists_every_promise() -> None:
    page = (ROOT / "docs" / "explanation" / "audit.md").read_text()

    rows = [f"| {invariant.name} | {invariant.promise} |\n" for invariant in INVARIANTS]
    assert "".join(rows) in page


def test_a_violation_names_the_guilty_attempt() -> None:
    assert str(Violation("I1", "rang twice", "attempt-1")) == "I1: rang twice (attempt attempt-1)"
    assert str(Violation("counters", "miscounted")) == "counters: miscounted"


# -- I21: one name for a run ----------------------------------------------------------------------

values = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
logs = st.lists(st.dictionaries(st.text(max_size=3), values, max_size=3), max_size=5)


@given(logs)
def test_the_order_of_names_does_not_matter_to_a_fingerprint(log: list[dict[str, object]]) -> None:
    turned = [{name: event[name] for name in reversed(event)} for event in log]

    assert fingerprint(turned) == fingerprint(log)


@given(logs, logs)
def test_different_logs_have_different_fingerprints(
    one: list[dict[str, object]], other: list[dict[str, object]]
) -> None:
    same = [list(map(repr, sorted(e.items()))) for e in one] == [
        list(map(repr, sorted(e.items()))) for e in other
    ]

    assert (fingerprint(one) == fingerprint(other)) is same


def test_a_fingerprint_is_the_same_on_every_machine() -> None:
    log: list[dict[str, object]] = [{"event": "accepted", "at": 5, "to": "é"}, {"event": "ended"}]
    line = b'{"at":5,"event":"accepted","to":"\\u00e9"}\n{"event":"ended"}\n'

    assert fingerprint(log) == sha256(line).hexdigest()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), {1, 2}])
def test_what_has_no_canonical_form_is_refused(value: object) -> None:
    with pytest.raises((ValueError, TypeError)):
        fingerprint([{"value": value}])
