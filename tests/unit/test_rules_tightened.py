"""Rules of two databases put together: never looser than either."""

from hypothesis import given
from hypothesis import strategies as st

from dialer.hours_format import parse_weekly
from dialer.rules.rule import OWN_PREFIX, Rule
from dialer.rules.rule_set import Changes

CLOSED = parse_weekly("closed")
REGIONS = st.lists(st.sampled_from(["FR", "DE", "GB", "US"]), max_size=4)
IDS = st.sampled_from(["A", "B", "C"])


@st.composite
def changes(draw: st.DrawFn) -> Changes:
    """Own rules, numbered as they were made, and some of the pack's off or on."""
    own = tuple(
        Rule(id=f"{OWN_PREFIX}{number}", region=region, weekly=CLOSED)
        for number, region in enumerate(draw(REGIONS), 1)
    )
    off = dict.fromkeys(draw(st.sets(IDS)), "why")
    return Changes(own, off, frozenset(draw(st.sets(IDS))), len(own))


@given(changes(), changes())
def test_it_is_as_strict_as_both(ours: Changes, theirs: Changes) -> None:
    both = ours.tightened(theirs)

    regions = {rule.region for rule in both.own}
    assert regions == {rule.region for each in (ours, theirs) for rule in each.own}
    assert both.off.keys() == ours.off.keys() & theirs.off.keys()
    assert both.on == ours.on | theirs.on
    ids = [rule.id for rule in both.own]
    assert len(ids) == len(set(ids))
    assert both.own[: len(ours.own)] == ours.own  # what an attempt was decided by keeps its name
    assert both.made >= max(ours.made, theirs.made)


@given(changes(), changes())
def test_doing_it_again_changes_nothing_but_who_was_first(ours: Changes, theirs: Changes) -> None:
    assert ours.tightened(ours) == ours
    once = ours.tightened(theirs)
    assert once.tightened(ours) == once
