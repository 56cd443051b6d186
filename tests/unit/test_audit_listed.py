"""I9: whoever is on the do-not-call list is not called, from a moment after they are on it."""

import pytest

from dialer.audit.records import Bounds, Listing
from tests.support.evidence import NOW, dial, evidence, found

MARGIN = 250
ONE = dial()
AT = ONE.call.arrived_at


def entry(id_: int, at: int, event: str = "added", campaign: int | None = None) -> Listing:
    return Listing(id_, ONE.call.to, campaign, event, at)


@pytest.mark.parametrize(
    ("listings", "broken"),
    [
        ([], 0),
        ([entry(1, AT - MARGIN - 1)], 1),
        ([entry(1, AT - MARGIN)], 0),  # the request was on its way
        ([entry(1, AT + 1)], 0),
        ([entry(1, AT - 9_000), entry(2, AT - 5_000, "removed")], 0),
        ([entry(1, AT - 9_000), entry(2, AT + 5_000, "removed")], 1),
        ([entry(1, AT - 9_000, "added"), entry(2, AT - 5_000, "removed"), entry(3, AT - 900)], 1),
        ([entry(1, AT - 9_000, campaign=ONE.attempt.campaign_id)], 1),
        ([entry(1, AT - 9_000, campaign=ONE.attempt.campaign_id + 1)], 0),
        ([entry(1, AT - 9_000), entry(2, AT - 5_000, "removed", ONE.attempt.campaign_id)], 1),
    ],
)
def test_an_entry_holds_from_a_moment_after_it_is_made_until_it_is_taken_away(
    listings: list[Listing], broken: int
) -> None:
    given = evidence(ONE, listings=listings, bounds=Bounds(reaction_ms=MARGIN))

    assert len(found(given, "I9")) == broken


def test_entries_of_others_are_theirs() -> None:
    others = Listing(1, "+12025559999", None, "added", NOW - 9_000)

    assert found(evidence(ONE, listings=[others]), "I9") == []
