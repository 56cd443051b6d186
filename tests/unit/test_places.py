"""Places: every zone and every rule that may be right for a number, and none when nobody knows."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache
from importlib.resources import files

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers import PhoneNumberFormat
from phonenumbers.timezone import time_zones_for_number
from phonenumbers.tzdata import TIMEZONE_DATA

from dialer import places
from dialer.place import Place
from dialer.places import place_of, zone_of
from dialer.timezones import zone, zone_names
from tests.support.area_codes import AREA_CODES, a_number_in, of_the_states, table

EASTERN, CENTRAL, MOUNTAIN, PACIFIC = (
    f"America/{city}" for city in ("New_York", "Chicago", "Denver", "Los_Angeles")
)

NUMBERS = sorted(
    phonenumbers.format_number(number, PhoneNumberFormat.E164)
    for region in phonenumbers.SUPPORTED_REGIONS
    for kind in range(11)
    if (number := phonenumbers.example_number_for_type(region, kind))
)


@st.composite
def valid_numbers(draw: st.DrawFn) -> str:
    """A number of some country and kind, and its neighbours near and far."""
    digits = list(draw(st.sampled_from(NUMBERS))[1:])
    for at in draw(st.lists(st.integers(1, len(digits) - 1), max_size=4)):
        digits[at] = draw(st.sampled_from("0123456789"))
    phone = "+" + "".join(digits)
    try:
        number = phonenumbers.parse(phone, None)
    except phonenumbers.NumberParseException:
        return draw(st.sampled_from(NUMBERS))
    return phone if phonenumbers.is_valid_number(number) else draw(st.sampled_from(NUMBERS))


zones_known = st.sampled_from(sorted(zone_names()))
regions_known = st.sampled_from(["US", "US-FL", "US-PR", "CA", "DE", "GB"])
all_places = st.builds(
    Place,
    st.lists(regions_known, max_size=3).map(tuple),
    st.lists(zones_known, max_size=4).map(tuple),
)


# -- what a place is ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("place", "key"),
    [
        (Place(("US-FL",), (EASTERN, CENTRAL)), "US-FL America/New_York America/Chicago"),
        (Place(("US-KS", "US-MO"), (CENTRAL,)), "US-KS+US-MO America/Chicago"),
        (Place(("DE",), ()), "DE ?"),
        (Place((), ("UTC",)), "? UTC"),
        (Place((), ()), "? ?"),
    ],
)
def test_the_key_of_a_place_can_be_read(place: Place, key: str) -> None:
    assert place.key == key
    assert Place.from_key(key) == place


@given(all_places)
def test_a_key_leads_back_to_its_place(place: Place) -> None:
    assert Place.from_key(place.key) == place


@given(all_places, all_places)
def test_places_are_equal_when_their_keys_are(one: Place, other: Place) -> None:
    assert (one == other) == (one.key == other.key)


@pytest.mark.parametrize("text", ["", "US", "? ", " UTC", "US  UTC", "US+ UTC"])
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not the key of a place"):
        Place.from_key(text)


# -- the contact's own zone -----------------------------------------------------------------------


def test_the_own_zone_takes_the_place_of_the_numbers() -> None:
    assert place_of("+18505551234", "Asia/Tokyo") == Place(("US-FL",), ("Asia/Tokyo",))
    assert place_of("+18005551234", EASTERN) == Place(("US",), (EASTERN,))


@pytest.mark.parametrize("own", ["", "Berlin", "europe/berlin", "CET+1", "Factory"])
def test_an_own_zone_that_is_none_closes_and_never_gives_way_to_the_numbers(own: str) -> None:
    assert place_of("+4930123456", own) == Place(("DE",), ())


# -- North America --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("area_code", "state", "zones"),
    [
        ("212", "NY", [EASTERN]),
        ("202", "DC", [EASTERN]),
        ("808", "HI", ["Pacific/Honolulu"]),
        ("602", "AZ", ["America/Phoenix"]),
        # Shared, where the library has one zone for numbers it cannot tell:
        ("270", "KY", [EASTERN, CENTRAL]),  # Bowling Green
        ("812", "IN", [EASTERN, CENTRAL]),
        ("423", "TN", [CENTRAL, EASTERN]),
        ("850", "FL", [EASTERN, CENTRAL]),
        ("928", "AZ", ["America/Phoenix", MOUNTAIN]),
        # Laid over a shared one:
        ("364", "KY", [EASTERN, CENTRAL]),
        ("930", "IN", [EASTERN, CENTRAL]),
        ("448", "FL", [EASTERN, CENTRAL]),
        ("458", "OR", [PACIFIC, MOUNTAIN]),
        # Shared, and the library has nothing of it:
        ("402", "NE", [CENTRAL, MOUNTAIN]),
        ("531", "NE", [CENTRAL, MOUNTAIN]),
        ("931", "TN", [CENTRAL, EASTERN]),
        ("432", "TX", [CENTRAL, MOUNTAIN]),
        ("915", "TX", [MOUNTAIN, CENTRAL]),
    ],
)
def test_an_area_code_is_in_its_state_and_in_all_of_its_zones(
    area_code: str, state: str, zones: list[str]
) -> None:
    assert place_of(f"+1{area_code}5551234") == Place((f"US-{state}",), tuple(zones))


@pytest.mark.parametrize("area_code", ["250", "236", "257", "672", "778"])
def test_british_columbia_beyond_vancouver_may_keep_the_time_of_alberta(area_code: str) -> None:
    canada = Place(("CA",), ("America/Vancouver", "America/Edmonton"))

    assert place_of(f"+1{area_code}5551234") == canada


@pytest.mark.parametrize(
    ("area_code", "zones"),
    [
        ("807", {"America/Toronto", "America/Winnipeg"}),
        ("367", {"America/Toronto", "America/Halifax"}),
        ("581", {"America/Toronto", "America/Halifax"}),
        ("879", {"America/St_Johns", "America/Halifax", "America/Puerto_Rico"}),
    ],
)
def test_canada_has_shared_area_codes_too(area_code: str, zones: set[str]) -> None:
    place = place_of(f"+1{area_code}5551234")

    assert place.regions == ("CA",)
    assert set(place.zones) == zones


def test_vancouver_goes_by_the_pinned_zone_data() -> None:
    (name,) = place_of("+16045551234").zones

    winter = datetime(2027, 1, 15, tzinfo=UTC).astimezone(zone(name))
    assert winter.utcoffset() == timedelta(hours=-7)  # no winter time any more


@pytest.mark.parametrize(
    ("phone", "place"),
    [
        ("+17875551234", Place(("US-PR",), ("America/Puerto_Rico",))),
        ("+16715551234", Place(("US-GU",), ("Pacific/Guam",))),
        ("+13405551234", Place(("US-VI",), ("America/St_Thomas",))),
        ("+16845551234", Place(("US-AS",), ("Pacific/Pago_Pago",))),
        ("+16705551234", Place(("US-MP",), ("Pacific/Saipan",))),
        ("+18765551234", Place(("JM",), ("America/Jamaica",))),  # mobiles, too
        ("+12425551234", Place(("BS",), ("America/Nassau",))),
    ],
)
def test_islands_have_their_own_rules_and_clocks(phone: str, place: Place) -> None:
    assert place_of(phone) == place


@pytest.mark.parametrize("area_code", ["800", "833", "888", "900", "500", "600"])
def test_american_numbers_without_an_area_may_be_anywhere_and_so_nowhere(area_code: str) -> None:
    assert place_of(f"+1{area_code}2345678").zones == ()


def test_a_state_that_is_not_known_may_be_stricter_and_closes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(places, "_states", dict)

    assert places._in_america.__wrapped__("212") == Place(("US",), ())


# -- everywhere else ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("phone", "place"),
    [
        ("+4930123456", Place(("DE",), ("Europe/Berlin",))),
        ("+4915123456789", Place(("DE",), ("Europe/Berlin",))),
        ("+34912345678", Place(("ES",), ("Europe/Madrid",))),
        ("+34928123456", Place(("ES",), ("Atlantic/Canary",))),
        ("+34612345678", Place(("ES",), ("Europe/Madrid", "Atlantic/Canary"))),  # a mobile
        ("+61212345678", Place(("AU",), ("Australia/Sydney",))),
        ("+61740123456", Place(("AU",), ("Australia/Brisbane", "Australia/Sydney"))),  # Cairns
        ("+3906698123", Place(("VA",), ("Europe/Vatican",))),
        ("+213551234567", Place(("DZ",), ("Africa/Algiers",))),
        ("+74012345678", Place(("RU",), ("Europe/Kaliningrad",))),
    ],
)
def test_a_number_is_in_a_country_and_in_the_zones_of_its_area(phone: str, place: Place) -> None:
    assert place_of(phone) == place


def test_an_australian_mobile_may_be_anywhere_in_australia() -> None:
    place = place_of("+61412345678")

    assert place.regions == ("AU",)
    assert len(place.zones) == 8
    assert {"Australia/Perth", "Australia/Sydney", "Indian/Christmas"} < set(place.zones)


def test_a_russian_mobile_may_be_at_either_end() -> None:
    place = place_of("+79123456789")

    assert place.regions == ("RU",)
    assert {"Europe/Kaliningrad", "Asia/Kamchatka"} < set(place.zones)


@pytest.mark.parametrize(
    ("phone", "region"), [("+447400123456", "GB"), ("+447797712345", "JE"), ("+77012345678", "KZ")]
)
def test_countries_that_share_a_code_are_told_apart(phone: str, region: str) -> None:
    assert place_of(phone).regions == (region,)


@pytest.mark.parametrize(
    "phone",
    [
        "+80012345678",
        "+883510012345",
        "+2101234567",
        "+440000",
        "+13101234",
        "+049301234567",
        "+1a",
        "+",
        "nonsense",
    ],
)
def test_of_a_number_of_no_country_nothing_is_known(phone: str) -> None:
    assert place_of(phone) == Place((), ())


def test_one_zone_is_told_only_when_it_is_certain() -> None:
    assert zone_of("+4930123456") == "Europe/Berlin"
    assert zone_of("+61412345678") is None
    assert zone_of("+18005551234") is None


# -- against the library --------------------------------------------------------------------------


def test_the_states_are_those_of_the_installed_library() -> None:
    """When it fails after an update: ``python -m tests.support.area_codes`` makes the file."""
    stored = files("dialer").joinpath("data", "area_codes.csv").read_text(encoding="utf-8")

    assert stored == table()
    assert {area_code for area_code in AREA_CODES if area_code in places._states()} == set(
        of_the_states()
    )


def test_every_area_code_has_at_least_the_zones_the_library_has_at_and_below_it() -> None:
    mended = {prefix[1:] for prefix in places._MENDED}  # there it has a zone too many
    for area_code in AREA_CODES:
        below = {
            name
            for prefix, zones in TIMEZONE_DATA.items()
            if prefix.startswith(f"1{area_code}") and area_code not in mended
            for name in zones
        }
        assert below <= set(place_of(f"+1{area_code}2345678").zones), area_code


def test_no_area_code_is_in_a_zone_that_no_other_of_its_state_reaches_into() -> None:
    """A younger code has often been put into the wrong zone: 689 is Orlando, not Chicago."""
    by_state = defaultdict[str, list[str]](list)
    for code, regions in places._states().items():
        for region in regions:
            by_state[region].append(code)
    for region, codes in by_state.items():
        zones = {code: set(place_of(f"+1{code}2345678").zones) for code in codes}
        for code in codes if len(codes) > 1 else ():
            others = set[str]().union(*(zones[each] for each in codes if each != code))
            assert zones[code] & others, (region, code)


@pytest.mark.parametrize(
    ("phone", "zones"),
    [
        ("+16895550101", {"America/New_York"}),  # Orlando, though the library says Chicago
        ("+14745550101", {"America/Regina", "America/Edmonton"}),  # no summer time
        ("+13065550101", {"America/Regina", "America/Edmonton"}),
    ],
)
def test_what_the_library_has_wrong_is_mended(phone: str, zones: set[str]) -> None:
    assert set(place_of(phone).zones) == zones


def test_the_area_codes_of_the_states_all_have_a_zone() -> None:
    assert [code for code in of_the_states() if not place_of(f"+1{code}2345678").zones] == []


@given(valid_numbers())
def test_the_country_is_the_librarys(phone: str) -> None:
    region = phonenumbers.region_code_for_number(phonenumbers.parse(phone, None))

    found = place_of(phone).regions
    if phone.startswith("+1"):
        assert {name[:2] for name in found} <= {region, "US"}
    else:
        assert found == (() if region in (None, "001") else (region,))


@given(valid_numbers())
def test_outside_america_the_zones_are_the_librarys_unless_it_is_mended(phone: str) -> None:
    mended = ("+1", "+7", *(f"+{prefix}" for prefix in places._MENDED))

    if not phone.startswith(mended):
        theirs = set(time_zones_for_number(phonenumbers.parse(phone, None)))
        assert set(place_of(phone).zones) == theirs - {"Etc/Unknown"}


@given(valid_numbers(), st.sampled_from([None, "Asia/Tokyo", "nowhere"]))
def test_what_was_asked_before_changes_no_answer(phone: str, own: str | None) -> None:
    before = place_of(phone, own)
    for remembered in (places._by_own_zone, places._entry, places._at, places._in_america):
        remembered.cache_clear()

    assert place_of(phone, own) == before


def test_no_more_is_remembered_than_a_table_or_a_bound_holds() -> None:
    for number in range(30_000):
        place_of(f"+5511{960_000_000 + number * 997}")
        place_of("+12025550123", f"Nowhere/{number}")

    assert places._entry.cache_info().currsize <= 10_000
    assert places._by_own_zone.cache_info().currsize <= 4096


@given(valid_numbers())
def test_every_zone_is_one(phone: str) -> None:
    assert set(place_of(phone).zones) <= zone_names()


def test_every_zone_of_the_tables_is_one() -> None:
    named = {name for zones in places._zones().values() for name in zones}

    assert named <= zone_names()
    assert {name for zones in places._ALSO.values() for name in zones} <= zone_names()


# -- against the countries' own zones -------------------------------------------------------------


@cache
def clocks(name: str) -> tuple[timedelta | None, ...]:
    """What a zone's clocks show through two years, week by week."""
    rules: tzinfo = zone(name)
    start = datetime(2026, 1, 5, 12, tzinfo=UTC)
    return tuple(
        (start + timedelta(weeks=week)).astimezone(rules).utcoffset() for week in range(104)
    )


@cache
def clocks_of(region: str) -> frozenset[tuple[timedelta | None, ...]]:
    """What the clocks of a country show, by the list that comes with the zone data."""
    text = files("tzdata").joinpath("zoneinfo", "zone.tab").read_text(encoding="utf-8")
    lines = (line.split("\t") for line in text.splitlines() if not line.startswith("#"))
    return frozenset(clocks(line[2]) for line in lines if line[0] == region)


#: Kosovo and Ascension are no countries of the list.
NOT_LISTED = {"XK", "AC"}


def test_no_country_is_given_the_clocks_of_another() -> None:
    strangers = {
        (code, name)
        for code, regions in phonenumbers.COUNTRY_CODE_TO_REGION_CODE.items()
        if code != 1 and regions != ("001",) and not NOT_LISTED & set(regions)
        for prefix in places._below(str(code))
        for name in places._zones()[prefix]
        if not any(clocks(name) in clocks_of(region) for region in regions)
    }

    # It only adds to the zones of a few Mexican numbers.
    assert strangers == {(52, "America/New_York")}


def test_no_area_code_is_given_the_clocks_of_another_country() -> None:
    for area_code in AREA_CODES:
        region = phonenumbers.region_code_for_number(a_number_in(area_code))
        zones = set(place_of(f"+1{area_code}2345678").zones) - {"America/Puerto_Rico"}
        assert {clocks(name) for name in zones} <= clocks_of(region or ""), area_code
