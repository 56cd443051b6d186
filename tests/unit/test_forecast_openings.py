"""When anybody of a campaign may be called: its schedule, and the rules of all their places."""

from hypothesis import given
from hypothesis import strategies as st

from dialer.forecast.openings import Somewhere, by_place, somewhere
from dialer.holiday_calendars import public_holidays
from dialer.hours import ALWAYS_OPEN, NEVER_OPEN, Hours, OpeningHours
from dialer.places import place_of
from dialer.schedules import read
from tests.support.engine import DAY, HOUR, MINUTE, NOW
from tests.support.forecasting import given_member, given_setup

CALIFORNIA = place_of("+14155550101").key
COLORADO, MONTANA = "US-CO America/Denver", "US-MT America/Denver"

ranges = st.tuples(st.integers(0, 23), st.integers(1, 12)).map(
    lambda each: f"daily {each[0]:02}:00-{min(24, sum(each)):02}:00"
)


def hours(text: str) -> Hours:
    return OpeningHours(read(zone="UTC", hours=text))


@given(st.lists(ranges, min_size=1, max_size=4), st.integers(0, 3 * DAY))
def test_it_is_open_when_it_is_open_for_anybody(texts: list[str], ms: int) -> None:
    windows = [hours(text) for text in texts]
    union, at = Somewhere(windows), NOW + ms

    assert union.is_open(at) == any(window.is_open(at) for window in windows)
    opens_at = union.next_open(at)
    assert opens_at is not None
    assert union.is_open(opens_at)
    assert opens_at == at or not union.is_open(opens_at - 1)
    closes_at = union.open_until(opens_at)
    assert closes_at - opens_at > 366 * DAY or not union.is_open(closes_at)
    assert all(union.is_open(each) for each in range(opens_at, min(closes_at, at + DAY), MINUTE))


def test_what_never_opens_and_what_never_closes_come_to_an_end() -> None:
    assert Somewhere([NEVER_OPEN, NEVER_OPEN]).next_open(NOW) is None
    assert Somewhere([NEVER_OPEN]).open_until(NOW) == NOW
    assert Somewhere([NEVER_OPEN, ALWAYS_OPEN]).open_until(NOW) > NOW + 366 * DAY


def test_the_day_is_as_long_as_it_is_open_from_coast_to_coast() -> None:
    members = [given_member(1), given_member(2, window_key=CALIFORNIA)]
    both = somewhere(given_setup(rules=None), members, public_holidays)

    eight_in_washington, nine_in_california = NOW - 2 * HOUR, NOW + 14 * HOUR
    assert not both.is_open(eight_in_washington - 1)
    assert both.open_until(eight_in_washington) == nine_in_california


def test_places_with_the_same_rules_and_clocks_are_one() -> None:
    keys = (CALIFORNIA, COLORADO, MONTANA)
    members = [given_member(n, window_key=key) for n, key in enumerate(keys)]

    kinds = by_place(given_setup(rules=None), members, public_holidays)

    assert [people for _, people in kinds] == [2, 1]
