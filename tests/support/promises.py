"""What must be true once everything is over, whatever happened on the way.

Holds the carrier's own record against the database, by plain SQL and nothing of the engine.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise

from dialer.carrier_sim.truth import Call
from dialer.states import FINAL_MEMBER_STATES
from dialer.truth_check import ATTEMPTS, judge
from tests.support.stage import Stage


def check_promises(stage: Stage) -> None:
    """Fail with one line for each promise that was not kept; for campaigns that are over."""
    calls = stage.truth()
    broken = [
        *judge(stage.records(ATTEMPTS), calls).differences,
        *_attempts_that_dialed_twice(calls),
        *_callees_called_by_two_at_once(calls),
        *_members_lost(stage, calls),
        *_numbers_miscounted(stage, calls),
        *_contradictions(stage),
    ]
    assert not broken, "\n".join(broken)


def _attempts_that_dialed_twice(calls: Sequence[Call]) -> Iterator[str]:
    for token, count in Counter(call.token for call in calls).items():
        if count > 1:
            yield f"attempt {token} rang {count} times"


def _callees_called_by_two_at_once(calls: Sequence[Call]) -> Iterator[str]:
    for one, other in pairwise(sorted(calls, key=lambda call: (call.to, call.accepted_at))):
        if one.to == other.to and (one.ended_at is None or other.accepted_at < one.ended_at):
            yield f"{one.to} was called again while {one.sid} was not over"


def _members_lost(stage: Stage, calls: Sequence[Call]) -> Iterator[str]:
    made = Counter(call.to for call in calls)
    counted: Counter[str] = Counter()
    for member in stage.records(
        "SELECT m.id, m.state, m.attempts, c.phone"
        "  FROM members m JOIN contacts c ON c.id = m.contact_id"
    ):
        counted[member["phone"]] += member["attempts"]
        if member["state"] not in FINAL_MEMBER_STATES:
            yield f"member {member['id']} is still {member['state']}"
    for phone in made.keys() | counted.keys():
        if made[phone] != counted[phone]:
            yield f"{phone} was called {made[phone]} times, {counted[phone]} are counted"


def _numbers_miscounted(stage: Stage, calls: Sequence[Call]) -> Iterator[str]:
    made = Counter(call.from_ for call in calls)
    for number in stage.records(
        "SELECT n.phone, n.calls_total,"
        "       (SELECT sum(d.calls) FROM number_days d WHERE d.number_id = n.id) AS by_day"
        "  FROM numbers n"
    ):
        told = (number["calls_total"], number["by_day"] or 0)
        if told != (made[number["phone"]],) * 2:
            yield f"{number['phone']} made {made[number['phone']]} calls, counted {told}"


def _contradictions(stage: Stage) -> Iterator[str]:
    """What `dialer db check` finds: damaged pages, broken references, facts at odds."""
    found = stage.cli.here("db", "check", "--json").json
    for check in found["checks"]:
        if not check["ok"]:
            yield f"{check['promise']}: not so for {check['examples']}"
