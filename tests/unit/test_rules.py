"""Calling rules: the facts that come with the program, and how rules combine."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.errors import NotFoundError, UsageError, WrongStateError
from dialer.holiday_calendars import check_calendar, public_holidays
from dialer.hours import ALWAYS_OPEN, DAY_MS, MINUTE_MS, NEVER_OPEN, Hours, Range
from dialer.hours_format import format_weekly, parse_weekly
from dialer.places import place_of
from dialer.rules.changes_format import from_json, to_json
from dialer.rules.pack import current_pack
from dialer.rules.rule import COUNTRY_CALENDAR, Cap, Confidence, Rule, Scope, parse_cap
from dialer.rules.rule_set import Changes, RuleSet

PACK: Final = current_pack()
RULES: Final = RuleSet(PACK)
NEW_YORK: Final = "America/New_York"
CHICAGO: Final = "America/Chicago"

#: Hours, calendars, caps and confidence of every rule, as they were looked up.
FACTS: Final = {
    "*": ("mon-fri 09:00-20:00", "country", "", "low"),
    "US": ("daily 08:00-21:00", "", "", "high"),
    "US/debt": ("daily 08:00-21:00", "", "7/7d", "high"),
    "US-AL": ("mon-sat 08:00-20:00", "US-AL", "", "medium"),
    "US-CT": ("daily 09:00-20:00", "", "", "medium"),
    "US-FL": ("daily 08:00-20:00", "", "3/24h", "high"),
    "US-KY": ("daily 10:00-21:00", "", "", "medium"),
    "US-LA": ("mon-sat 08:00-20:00", "US-LA", "", "high"),
    "US-MD": ("daily 08:00-20:00", "", "3/24h", "high"),
    "US-MA": ("daily 08:00-20:00", "", "", "high"),
    "US-MI": ("daily 09:00-21:00", "", "", "low"),
    "US-MN": ("daily 09:00-21:00", "", "", "low"),
    "US-MS": ("mon-sat 08:00-20:00", "", "", "high"),
    "US-NV": ("daily 09:00-20:00", "", "", "medium"),
    "US-NM": ("daily 09:00-21:00", "", "", "medium"),
    "US-NY": ("daily 08:00-21:00", "", "", "high"),
    "US-OK": ("daily 08:00-20:00", "", "3/24h", "high"),
    "US-OK/prerecorded": ("daily 09:00-20:00", "", "3/24h", "high"),
    "US-OR": ("daily 08:00-20:00", "", "3/24h", "high"),
    "US-PA": ("daily 08:00-21:00", "US-PA", "", "high"),
    "US-RI": ("mon-fri 09:00-18:00; sat 10:00-17:00", "US US-RI", "", "high"),
    "US-SD/automated": ("mon-fri 09:00-21:00", "", "", "high"),
    "US-TX": ("mon-sat 09:00-21:00; sun 12:00-21:00", "", "", "high"),
    "US-UT": ("mon-sat 08:00-21:00", "US-UT", "", "high"),
    "US-VA": ("daily 08:00-21:00", "", "", "high"),
    "US-WA": ("daily 08:00-20:00", "", "", "high"),
    "CA": ("mon-fri 09:00-21:30; sat-sun 10:00-18:00", "CA", "", "high"),
    "GB": ("mon-sat 08:00-21:00; sun 09:00-20:00", "", "", "low"),
    "DE": ("mon-sat 09:00-20:00", "DE", "", "low"),
    "FR": ("mon-fri 10:00-13:00,14:00-20:00", "FR", "4/30d", "high"),
    "ES": ("mon-fri 09:00-21:00", "ES", "", "high"),
    "IT": ("mon-fri 09:00-20:00; sat 10:00-19:00", "IT", "", "medium"),
    "AU": ("mon-fri 09:00-20:00; sat 09:00-17:00", "AU", "", "high"),
    "AU/research": ("mon-fri 09:00-20:30; sat-sun 09:00-17:00", "AU", "", "high"),
    "IN": ("daily 09:00-21:00", "", "", "medium"),
    "IN/cautious": ("daily 10:00-19:00", "", "", "low"),
    "IN/debt": ("daily 08:00-19:00", "", "", "high"),
    "ZA": ("mon-fri 08:00-20:00; sat 09:00-13:00", "ZA", "", "high"),
    "BR": ("mon-fri 09:00-21:00; sat 10:00-16:00", "BR", "", "low"),
}


def own(hours: str, region: str = "*", **fields: object) -> Rule:
    return Rule("own/", region, parse_weekly(hours), **fields)  # type: ignore[arg-type]  # named


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def hours(*regions: str, zones: Sequence[str] = (NEW_YORK,), rules: RuleSet = RULES) -> Hours:
    return rules.hours_for(regions, zones, public_holidays)


def ids(rules: Sequence[Rule]) -> list[str]:
    return [rule.id for rule in rules]


# --- the facts ------------------------------------------------------------------------------------


def test_the_pack_has_the_facts_that_were_looked_up() -> None:
    found = {
        rule.id: (
            format_weekly(rule.weekly),
            " ".join(rule.holidays),
            " ".join(map(str, rule.caps)),
            rule.confidence.value,
        )
        for rule in PACK.rules
    }

    assert found == FACTS
    assert len(PACK.rules) == len(FACTS)
    assert PACK.version == "2026-11"


def test_a_rule_is_for_the_region_and_the_scope_its_id_says() -> None:
    for rule in PACK.rules:
        scope = "" if rule.scope is Scope.TELEMARKETING else f"/{rule.scope}"
        assert rule.id == f"{rule.region}{scope}"


def test_every_rule_says_what_it_rests_on() -> None:
    without_law = {rule.id for rule in PACK.rules if not rule.law_found}

    assert without_law == {"*", "GB", "DE", "BR", "IN/cautious"}
    for rule in PACK.rules:
        assert rule.note
        assert rule.source.startswith("http") or rule.id in {"*", "GB"}
        assert rule.confidence is not Confidence.OWN
        assert rule.confidence is Confidence.LOW or rule.law_found


def test_days_from_which_laws_hold_are_kept() -> None:
    assert {rule.id: str(rule.valid_from) for rule in PACK.rules if rule.is_dated} == {
        "US-MD": "2024-01-01",
        "US-OR": "2026-01-01",
        "US-WA": "2022-06-09",
        "IT": "2024-09-28",
        "IN/debt": "2022-08-12",
    }


def test_every_calendar_of_the_pack_exists() -> None:
    for code in {code for rule in PACK.rules for code in rule.holidays} - {COUNTRY_CALENDAR}:
        check_calendar(code)
    for country in {*PACK.territories.values()}:
        check_calendar(country)


def test_numbers_are_in_no_subdivision_the_pack_does_not_know() -> None:
    places = [place_of(f"+1{area_code}5550123") for area_code in range(201, 990)]
    told_apart = {region for place in places for region in place.regions if "-" in region}

    known = {f"{country}-{part}" for country, parts in PACK.subdivisions.items() for part in parts}
    assert told_apart == known
    assert {rule.region for rule in PACK.rules if "-" in rule.region} <= known


# --- which rules bind -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("regions", "bound"),
    [
        (["US-FL"], ["US", "US-FL"]),
        (["US-FL", "US-GA"], ["US", "US-FL"]),
        (["US-SD"], ["US"]),  # its own rule is about automated calls
        (["US-WY"], ["US"]),
        (["US"], ["US"]),
        (["DE"], ["DE"]),
        (["PL"], ["*"]),
        (["PL", "FR"], ["*", "FR"]),
        ([], ["*"]),
        (["PR"], ["US"]),
        (["US-PR"], ["US"]),
        (["RE"], ["FR"]),
        (["CA"], ["CA"]),  # Canada, not California
        (["US-CA"], ["US"]),
    ],
)
def test_a_region_keeps_its_own_rule_and_its_countrys(regions: list[str], bound: list[str]) -> None:
    assert ids(RULES.rules_for(regions)) == bound


@pytest.mark.parametrize(
    ("where", "regions", "binds"),
    [
        ("DE", ["DE"], True),
        ("DE", ["AT"], False),
        ("US", ["US-FL"], True),
        ("US-FL", ["US"], False),
        ("*", ["US-FL"], True),
        ("*", [], True),
        ("PL", ["PL"], True),
        ("PR", ["US-PR"], True),
        ("US-PR", ["PR"], True),
        ("FR", ["RE"], True),
        ("RE", ["FR"], False),
    ],
)
def test_an_own_rule_binds_where_it_says(where: str, regions: list[str], binds: bool) -> None:
    rules = RULES.adding(own("daily 09:00-18:00", where))

    assert ("own/1" in ids(rules.rules_for(regions))) is binds
    assert set(ids(RULES.rules_for(regions))) <= set(ids(rules.rules_for(regions)))


def test_a_scoped_rule_binds_when_it_is_switched_on() -> None:
    rules = RULES.switching_on("US/debt")

    assert ids(rules.rules_for(["US-FL"])) == ["US", "US/debt", "US-FL"]
    assert rules.caps_for(["US-FL"]) == (Cap(3, 86_400), Cap(7, 7 * 86_400))
    assert ids(rules.switching_off("US/debt", "no debts").rules_for(["US-NY"])) == ["US", "US-NY"]


def test_a_rule_switched_off_is_replaced_by_none() -> None:
    rules = RULES.switching_off("GB", "our counsel")

    assert rules.rules_for(["GB"]) == ()
    assert ids(rules.concerning(["GB"])) == ["GB"]
    assert hours("GB", rules=rules) is ALWAYS_OPEN
    assert hours("GB", rules=rules, zones=()) is NEVER_OPEN
    assert rules.switching_on("GB") == RULES


def test_with_a_day_only_rules_that_bind_on_it_are_named() -> None:
    assert ids(RULES.rules_for(["US-OR"], date(2025, 12, 31))) == ["US"]
    assert ids(RULES.rules_for(["US-OR"], date(2026, 1, 1))) == ["US", "US-OR"]
    assert RULES.caps_for(["US-OR"], date(2025, 12, 31)) == ()
    assert RULES.caps_for(["US-OR"]) == (Cap(3, 86_400),)


# --- hours ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("regions", "zone", "when", "is_open"),
    [
        (["US-FL"], NEW_YORK, "2026-11-04T19:59-05:00", True),
        (["US-FL"], NEW_YORK, "2026-11-04T20:00-05:00", False),
        (["US-GA"], NEW_YORK, "2026-11-04T20:59-05:00", True),
        (["US-GA"], NEW_YORK, "2026-11-04T21:00-05:00", False),
        (["US-GA"], NEW_YORK, "2026-11-04T07:59-05:00", False),
        (["US-TX"], CHICAGO, "2026-11-08T11:59-06:00", False),  # a Sunday
        (["US-TX"], CHICAGO, "2026-11-08T12:00-06:00", True),
        (["FR"], "Europe/Paris", "2026-11-04T12:59+01:00", True),
        (["FR"], "Europe/Paris", "2026-11-04T13:00+01:00", False),
        (["FR"], "Europe/Paris", "2026-11-04T14:00+01:00", True),
        (["FR"], "Europe/Paris", "2026-11-11T14:00+01:00", False),  # Armistice Day
        (["US-RI"], NEW_YORK, "2026-08-10T12:00-04:00", False),  # Victory Day, only there
        (["US-MA"], NEW_YORK, "2026-08-10T12:00-04:00", True),
        (["US-RI"], NEW_YORK, "2026-11-07T16:59-05:00", True),
        (["US-RI"], NEW_YORK, "2026-11-07T17:00-05:00", False),
        (["CA"], "America/Toronto", "2026-11-04T21:29-05:00", True),
        (["CA"], "America/Toronto", "2026-11-07T18:00-05:00", False),
        (["IN"], "Asia/Kolkata", "2026-11-04T20:59+05:30", True),
        (["IN"], "Asia/Kolkata", "2026-11-04T08:59+05:30", False),
        (["PL"], "Europe/Warsaw", "2026-11-10T12:00+01:00", True),
        (["PL"], "Europe/Warsaw", "2026-11-11T12:00+01:00", False),  # Independence Day there
        (["RE"], "Indian/Reunion", "2026-11-04T13:30+04:00", False),  # French law
    ],
)
def test_callees_are_called_within_the_hours_of_their_region(
    regions: list[str], zone: str, when: str, is_open: bool
) -> None:
    assert hours(*regions, zones=[zone]).is_open(at(when)) is is_open


def test_every_zone_in_which_a_callee_may_be_counts() -> None:
    both = hours("US-FL", zones=[NEW_YORK, CHICAGO])

    assert both.next_open(at("2026-11-04T03:00-05:00")) == at("2026-11-04T08:00-06:00")
    assert both.open_until(at("2026-11-04T12:00-05:00")) == at("2026-11-04T20:00-05:00")


def test_without_a_zone_nobody_is_called() -> None:
    for regions in ([], ["US-FL"], ["US-MS"]):
        assert RULES.hours_for(regions, [], public_holidays) is NEVER_OPEN


def test_a_rule_may_name_its_zone() -> None:
    """Mississippi means Central time: a callee with Eastern clocks is called until 21:00 there."""
    eastern = hours("US-MS", zones=[NEW_YORK])

    assert eastern.next_open(at("2026-11-04T04:00-05:00")) == at("2026-11-04T09:00-05:00")
    assert eastern.open_until(at("2026-11-04T12:00-05:00")) == at("2026-11-04T21:00-05:00")


def test_a_closed_region_is_never_open() -> None:
    rules = RULES.adding(own("closed", "US-NY"))

    assert hours("US-NY", rules=rules) is NEVER_OPEN
    assert hours("US-NJ", "US-NY", rules=rules) is NEVER_OPEN
    assert hours("US-NJ", rules=rules).is_open(at("2026-11-04T12:00-05:00"))


def test_a_calendar_nobody_knows_closes_every_day() -> None:
    rules = RULES.adding(own("daily 00:00-24:00", "US", holidays=("US-ZZ",)))

    assert hours("US-GA", rules=rules).next_open(at("2026-11-04T12:00-05:00")) is None


@pytest.mark.parametrize(
    ("dates", "when", "next_open", "open_until"),
    [
        ((None, None), "2026-11-04T22:00-05:00", "2026-11-05T10:00-05:00",
         "2026-11-04T22:00-05:00"),
        # A rule that begins: what is open stays so until it closes by the rule.
        ((date(2026, 11, 6), None), "2026-11-04T22:00-05:00", "2026-11-04T22:00-05:00",
         "2026-11-06T00:00-05:00"),
        ((date(2026, 11, 6), None), "2026-11-06T22:00-05:00", "2026-11-07T10:00-05:00",
         "2026-11-06T22:00-05:00"),
        # A rule that ends: what is closed opens at the latest then.
        ((None, date(2026, 11, 4)), "2026-11-04T22:00-05:00", "2026-11-05T00:00-05:00",
         "2026-11-04T22:00-05:00"),
        ((None, date(2026, 11, 4)), "2026-11-04T12:00-05:00", "2026-11-04T12:00-05:00",
         "2026-11-04T18:00-05:00"),
        ((None, date(2026, 11, 4)), "2026-11-05T03:00-05:00", "2026-11-05T03:00-05:00",
         "2027-12-10T03:00-05:00"),  # 400 days
    ],
)  # fmt: skip
def test_dates_of_a_rule_are_kept_to_the_minute(
    dates: tuple[date | None, date | None], when: str, next_open: str, open_until: str
) -> None:
    rule = own("daily 10:00-18:00", valid_from=dates[0], valid_to=dates[1])
    alone = replace(PACK, rules=())
    window = hours(rules=RuleSet(alone).adding(rule))

    assert window.next_open(at(when)) == at(next_open)
    assert window.open_until(at(when)) == at(open_until)


def test_a_dated_stop_ends() -> None:
    rule = own("closed", "US-NY", valid_to=date(2026, 11, 4))
    window = hours("US-NY", rules=RULES.adding(rule))

    assert window.next_open(at("2026-11-04T12:00-05:00")) == at("2026-11-05T08:00-05:00")
    assert not window.is_open(at("2026-11-04T12:00-05:00"))


def test_a_rule_far_ahead_changes_nothing_within_the_horizon() -> None:
    rule = own("closed", valid_from=date(2031, 1, 1))
    window = hours(rules=RuleSet(replace(PACK, rules=())).adding(rule))
    now = at("2026-11-04T12:00-05:00")

    assert window.open_until(now) == now + 400 * DAY_MS


# --- caps -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("region", "caps"),
    [("US-FL", ["3/24h"]), ("US-GA", []), ("FR", ["4/30d"]), ("DE", []), ("US-OK", ["3/24h"])],
)
def test_a_region_has_the_caps_of_its_rules(region: str, caps: list[str]) -> None:
    assert [str(cap) for cap in RULES.caps_for([region])] == caps


def test_of_several_caps_over_a_period_the_lowest_counts() -> None:
    rules = RULES.adding(own("daily 00:00-24:00", caps=(Cap(2, 86_400), Cap(5, 3600))))
    more = RULES.adding(own("daily 00:00-24:00", caps=(Cap(9, 86_400),)))

    assert rules.caps_for(["US-FL"]) == (Cap(5, 3600), Cap(2, 86_400))
    assert more.caps_for(["US-FL"]) == (Cap(3, 86_400),)


@pytest.mark.parametrize("text", ["3/24h", "4/30d", "7/7d", "1/90m", "2/10d", "5/1h"])
def test_a_cap_is_written_as_it_is_read(text: str) -> None:
    assert str(parse_cap(text)) == text


def test_caps_of_seconds_have_a_text_too() -> None:
    assert str(Cap(1, 30)) == "1/30s"


@pytest.mark.parametrize("text", ["3", "3/24", "0/24h", "3/0h", "-1/24h", "3/367d", "x/24h", ""])
def test_what_is_no_cap_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="cap"):
        parse_cap(text)


# --- only narrower --------------------------------------------------------------------------------

minutes = st.integers(0, 24 * 60 - 1)
day_ranges = st.lists(
    st.tuples(minutes, st.integers(1, 24 * 60)).filter(lambda pair: pair[0] != pair[1]),
    max_size=2,
).map(lambda pairs: tuple(Range(start, end) for start, end in pairs))
regions_of_callees = st.lists(
    st.sampled_from(["US-FL", "US-MS", "US-SD", "US", "FR", "PL", "RE"]), max_size=2, unique=True
)
zones_of_callees = st.lists(
    st.sampled_from([NEW_YORK, CHICAGO, "Europe/Paris", "Asia/Kolkata"]), min_size=1, max_size=2
)
days = st.one_of(st.none(), st.dates(date(2026, 10, 20), date(2026, 11, 20)))
caps_of_rules = st.lists(
    st.builds(Cap, st.integers(1, 5), st.sampled_from([3600, 86_400])), max_size=2
).map(tuple)


@st.composite
def own_rules(draw: st.DrawFn) -> Rule:
    begins, ends = draw(days), draw(days)
    if begins and ends and ends < begins:
        begins, ends = ends, begins
    return Rule(
        id="own/7",
        region=draw(st.sampled_from(["*", "US", "US-FL", "FR", "PL"])),
        weekly=tuple(draw(st.lists(day_ranges, min_size=7, max_size=7))),
        holidays=draw(st.sampled_from([(), ("US",), (COUNTRY_CALENDAR,)])),
        caps=draw(caps_of_rules),
        zone=draw(st.sampled_from([None, "Asia/Tokyo"])),
        valid_from=begins,
        valid_to=ends,
    )


@given(
    own_rules(),
    regions_of_callees,
    zones_of_callees,
    st.lists(
        st.integers(at("2026-10-15T00:00Z") // MINUTE_MS, at("2026-11-25T00:00Z") // MINUTE_MS),
        min_size=1,
        max_size=40,
    ),
)
def test_a_further_rule_never_opens_a_minute(
    rule: Rule, regions: list[str], zones: list[str], instants: list[int]
) -> None:
    narrowed = RuleSet(PACK, Changes(own=(rule,), made=7))
    before = RULES.hours_for(regions, zones, public_holidays)
    after = narrowed.hours_for(regions, zones, public_holidays)
    lowest = {cap.period_s: cap.calls for cap in narrowed.caps_for(regions)}

    for minute in instants:
        now = minute * MINUTE_MS
        assert before.is_open(now) or not after.is_open(now)
        # The three answers of a window agree, dates of rules included.
        opens, closes = after.next_open(now), after.open_until(now)
        assert (opens == now) is after.is_open(now) is (closes > now)
        assert opens is None or after.is_open(opens)
        assert not after.is_open(closes)
        assert opens is None or opens == now or not after.is_open(opens - 1)
        assert closes == now or after.is_open(closes - 1)
    for cap in RULES.caps_for(regions):
        assert lowest[cap.period_s] <= cap.calls


# --- changes --------------------------------------------------------------------------------------


def test_ids_of_own_rules_are_not_used_twice() -> None:
    rules = RULES.adding(own("daily 09:00-18:00")).adding(own("daily 10:00-18:00"))
    again = rules.removing("own/2").adding(own("daily 11:00-18:00"))

    assert ids(again.changes.own) == ["own/1", "own/3"]


def test_a_removed_rule_is_not_off_any_more() -> None:
    rules = RULES.adding(own("daily 09:00-18:00")).switching_off("own/1", "for a week")

    assert not rules.is_on(rules.find("own/1"))
    assert rules.removing("own/1").changes == Changes(made=1)


def test_a_rule_that_would_leave_no_hours_is_refused_unless_it_says_so() -> None:
    with pytest.raises(UsageError, match="with FR this would leave no hours at all in FR"):
        RULES.adding(own("mon-fri 13:00-14:00; sat-sun 10:00-18:00", "FR"))
    assert RULES.adding(own("closed", "FR")).rules_for(["FR"])[-1].is_closed
    assert RULES.adding(own("sat 10:00-12:00", "US-SD"))  # nobody else's hours matter


def test_what_cannot_be_changed_is_said() -> None:
    off = RULES.switching_off("GB", "why not")

    with pytest.raises(NotFoundError, match=r"no rule 'US-FLA'; did you mean .*'US-FL'"):
        RULES.switching_off("US-FLA", "why not")
    with pytest.raises(UsageError, match="'GB' is not switched off without a reason"):
        RULES.switching_off("GB", "  ")
    with pytest.raises(WrongStateError, match="'GB' is off already"):
        off.switching_off("GB", "twice")
    with pytest.raises(WrongStateError, match="'US/debt' is off already"):
        RULES.switching_off("US/debt", "no debts")
    with pytest.raises(WrongStateError, match="'US' is on already"):
        RULES.switching_on("US")
    with pytest.raises(UsageError, match="'US' comes with the program"):
        RULES.removing("US")
    with pytest.raises(NotFoundError, match="no rule 'own/1'"):
        RULES.removing("own/1")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"region": "us-fl"}, "not a region: 'us-fl'"),
        ({"region": "Germany"}, "not a region: 'Germany'"),
        ({"zone": "Berlin"}, "did you mean 'Europe/Berlin'"),
        ({"weekly": ()}, "a week has 7 days, not 0"),
        ({"valid_from": date(2026, 2, 1), "valid_to": date(2026, 1, 1)}, "before it begins"),
    ],
)
def test_a_rule_that_cannot_be_is_refused(fields: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        replace(own("daily 09:00-18:00"), **fields)  # type: ignore[arg-type]  # named


# --- as JSON --------------------------------------------------------------------------------------

CHANGED: Final = (
    RULES.adding(
        own(
            "mon-fri 22:00-06:00; sat 10:00-14:00", "DE", holidays=("DE-BY", COUNTRY_CALENDAR),
            caps=(Cap(2, 86_400),), zone="Europe/Berlin", note="as agreed",
            valid_from=date(2026, 11, 1), valid_to=date(2026, 11, 30),
        )
    )
    .adding(own("closed", "US-NY"))
    .switching_off("GB", "our counsel")
    .switching_on("US/debt")
    .removing("own/2")
    .changes
)  # fmt: skip


def form(**fields: object) -> dict[str, object]:
    return to_json(CHANGED) | fields


def rule_form(**fields: object) -> dict[str, object]:
    return form(own=[to_json(CHANGED)["own"][0] | fields])


def test_changes_are_read_back_as_they_were_written() -> None:
    assert from_json(to_json(CHANGED)) == CHANGED
    assert from_json(to_json(Changes())) == Changes()
    assert to_json(CHANGED) == {
        "own": [
            {
                "id": "own/1",
                "region": "DE",
                "hours": "mon-fri 22:00-06:00; sat 10:00-14:00",
                "holidays": ["DE-BY", "country"],
                "caps": ["2/24h"],
                "zone": "Europe/Berlin",
                "valid_from": "2026-11-01",
                "valid_to": "2026-11-30",
                "note": "as agreed",
            }
        ],
        "off": {"GB": "our counsel"},
        "on": ["US/debt"],
        "made": 2,
    }


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([], r"rule set: not an object with named fields: \[\]"),
        (form(offf={}), "rule set: no such field: 'offf' .*did you mean 'off'"),
        ({"own": []}, "rule set: 'off' is missing"),
        (form(own={}), "own: not a list: {}"),
        (form(own=[7]), "own, 0: not an object with named fields: 7"),
        (form(made=0), "own, id: 'own/1' was never given; made is 0"),
        (form(made=True), "made: not how many own rules were ever made: True"),
        (form(own=to_json(CHANGED)["own"] * 2), "own, id: 'own/1' was never given"),
        (form(off=["GB"]), "off: not an object"),
        (form(off={"GB": 1}), "off, GB: not a text: 1"),
        (form(on=[1]), "on: not a text: 1"),
        (rule_form(region="Germany"), "own, 0: not a region: 'Germany'"),
        (rule_form(region=1), "own, 0: region: not a text: 1"),
        (rule_form(hours="mon 9-5pm"), "own, 0, hours: not a time of day: '5pm'"),
        (rule_form(hours="mon 09:00-09:00"), "own, 0, hours: a range cannot end where it starts"),
        (rule_form(caps=["2"]), "own, 0, caps: not a cap: '2'"),
        (rule_form(caps="2/24h"), "caps: not a list: '2/24h'"),
        (rule_form(holidays=[1]), "holidays: not a text: 1"),
        (rule_form(zone="Berlin"), "own, 0: not a time zone: 'Berlin'"),
        (rule_form(zone=1), "zone: not a text: 1"),
        (rule_form(valid_to="30.11.2026"), "valid_to: not a date: '30.11.2026'"),
        (rule_form(valid_from="20261101"), "valid_from: not a date: '20261101'"),
        (rule_form(valid_from=1), "valid_from: not a text: 1"),
        (rule_form(valid_from="2026-12-01"), "own, 0: a rule cannot end 2026-11-30, before"),
        (rule_form(note=None), "note: not a text: None"),
        (rule_form(id="DE"), "own, id: 'DE' was never given"),
        (rule_form(scope="debt"), "own, 0: no such field: 'scope'"),
    ],
)
def test_changes_that_cannot_be_read_say_where_and_what(value: object, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        from_json(value)


def test_rules_that_are_gone_with_a_release_have_no_effect() -> None:
    changes = Changes(off={"XX": "long ago"}, on=frozenset({"XX/debt"}))
    rules = RuleSet(PACK, from_json(to_json(changes)))

    assert rules.without_effect() == ("XX", "XX/debt")
    assert rules.rules_for(["DE"]) == RULES.rules_for(["DE"])


def test_a_country_without_a_calendar_stays_closed() -> None:
    now = at("2026-11-04T12:00-05:00")

    assert hours("AC").is_open(now)  # Ascension has Saint Helena's
    assert hours().is_open(now)  # nobody knows whose holidays they could be
    assert hours("ZZ").next_open(now) is None


def test_the_pack_is_one_object_for_all() -> None:
    assert current_pack() is PACK
