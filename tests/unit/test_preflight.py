"""The pure parts of the preflight: texts, spans, and the bounds of a campaign's pace."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.carriers import twiml
from dialer.hours import DAY_MS, OpeningHours, Schedule, no_calendars
from dialer.hours_format import parse_weekly
from dialer.limits import AccountLimits
from dialer.model import Agent, AgentKind, AmdMode, CampaignId, OnMachine
from dialer.place import Place
from dialer.plans import CampaignPlan, Rules
from dialer.preflight.audience import HOUR_MS, Reach, Span, Spot, day_of, openings, united
from dialer.preflight.bindings import bindings
from dialer.preflight.pace import Bound, Experience, Pace, numbers_for, pace
from dialer.preflight.placeholders import named_in, placeholders
from dialer.rules.pack import current_pack
from dialer.rules.rule import Rule
from dialer.rules.rule_set import Changes, RuleSet
from dialer.states import CampaignStatus
from dialer.windows import Windows
from retries.policy import Policy
from rotation.pool import Limits
from rotation.strategies import Strategy

RULES: Final = RuleSet(current_pack())
NOTHING: Final = Experience(None, None)
#: A Monday, 00:00 UTC.
MONDAY: Final = int(datetime(2026, 3, 2, tzinfo=UTC).timestamp()) * 1000


# -- placeholders ---------------------------------------------------------------------------------


class Asked(dict[str, str]):
    """Remembers what was looked up in it."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def get(self, name: str, default: str | None = None) -> str:  # type: ignore[override]  # a str
        self.names.append(name)
        return default or ""


TEMPLATES = st.lists(
    st.sampled_from(["{{", "}}", "{", "}", " ", "\n", "name", "a b", "x" * 101, "Grüße"])
).map("".join)


@given(TEMPLATES)
def test_the_names_in_a_text_are_those_that_are_filled_in(template: str) -> None:
    asked = Asked()

    twiml.fill(template, asked)

    assert named_in(template) == list(dict.fromkeys(asked.names))


@pytest.mark.parametrize(
    ("kind", "target", "options", "names"),
    [
        (AgentKind.MESSAGE, "{{name}} {{ name }} {{x}}", {}, ["name", "x"]),
        (AgentKind.MESSAGE, "Hi", {"voicemail": "{{a}}", "opt_out_reply": "{{b}}"}, ["a", "b"]),
        (AgentKind.RELAY, "wss://x/{{no}}", {"greeting": "{{name}}"}, ["name"]),
        (AgentKind.SIP, "sip:{{no}}@x", {"username": "{{no}}"}, []),
    ],
)
def test_an_agents_names_are_those_of_its_texts(
    kind: AgentKind, target: str, options: Mapping[str, str], names: list[str]
) -> None:
    assert placeholders(Agent(kind, target, options)) == names


# -- spans ----------------------------------------------------------------------------------------


def test_openings_are_cut_at_both_ends() -> None:
    hours = OpeningHours(Schedule("UTC", parse_weekly("daily 09:00-12:00,22:00-02:00")))

    found = [*openings(hours, MONDAY + HOUR_MS, MONDAY + 23 * HOUR_MS)]

    assert [(o - MONDAY, c - MONDAY) for o, c in found] == [
        (HOUR_MS, 2 * HOUR_MS),
        (9 * HOUR_MS, 12 * HOUR_MS),
        (22 * HOUR_MS, 23 * HOUR_MS),
    ]


def test_a_day_is_as_long_as_its_zone_makes_it() -> None:
    before_summer_time = int(datetime(2026, 3, 29, 12, tzinfo=UTC).timestamp()) * 1000

    begins, ends = day_of(before_summer_time, "Europe/Berlin")

    assert ends - begins == 23 * HOUR_MS


SPANS = st.lists(st.tuples(st.integers(0, 50), st.integers(1, 9)).map(lambda s: (s[0], sum(s))))


@given(SPANS)
def test_united_spans_hold_the_same_time_and_do_not_touch(spans: list[Span]) -> None:
    joined = united(spans)

    assert {at for o, c in joined for at in range(o, c)} == {
        at for o, c in spans for at in range(o, c)
    }
    assert all(c < o for (_, c), (o, _) in pairwise(joined))


# -- pace -----------------------------------------------------------------------------------------


def plan(
    *, interval_s: float = 10, lines: int = 10, retries: int = 2, cap: int = 100
) -> CampaignPlan:
    return CampaignPlan(
        id=CampaignId(1),
        name="Renewals",
        status=CampaignStatus.DRAFT,
        revision=1,
        start_at=None,
        agent_kind=AgentKind.MESSAGE,
        hours=OpeningHours(Schedule("UTC", parse_weekly("daily 09:00-17:00"))),
        strategy=Strategy.ROUND_ROBIN,
        limits=Limits(7, cap),
        stay_on_number=True,
        interval_us=round(interval_s * 1_000_000),
        max_concurrent=lines,
        ring_timeout_s=30,
        amd=AmdMode.CARRIER,
        amd_shadow=(),
        on_machine=OnMachine.HANG_UP,
        completion_timeout_s=900,
        policy=Policy(retries, (3600,)),
        callee_caps=(),
        rules=Rules(None, Windows(RULES, no_calendars)),
    )


def spot(
    members: int,
    *,
    attempts: int = 0,
    hours: float = 40,
    regions: tuple[str, ...] = ("US-NY",),
    reach: Reach = Reach.REACHABLE,
) -> Spot:
    """A place that is open for so many hours from Monday on."""
    week = ((MONDAY, MONDAY + round(hours * HOUR_MS)),) if hours else ()
    place = Place(regions, ("America/New_York",))
    return Spot(place.key, place, members, attempts, reach, True, (), week, MONDAY)


def paced(known: Experience, /, *found: Spot, **fields: float) -> Pace:
    settings = {"interval_s": 10, "lines": 10, "retries": 2, "cap": 100} | fields
    return pace(
        plan(
            interval_s=settings["interval_s"],
            lines=int(settings["lines"]),
            retries=int(settings["retries"]),
            cap=int(settings["cap"]),
        ),
        AccountLimits(settings.get("cps", 0), int(settings.get("account", 0))),
        found,
        known,
    )


@pytest.mark.parametrize(
    ("fields", "bound", "spacing_s"),
    [
        ({}, Bound.CALL_INTERVAL, 10),
        ({"interval_s": 0, "cps": 0.5}, Bound.CALLS_AT_ONCE, 3),
        ({"interval_s": 0, "cps": 0.5, "lines": 30}, Bound.CALLS_PER_SECOND, 2),
        ({"interval_s": 5, "lines": 30, "account": 5}, Bound.CALLS_AT_ONCE, 6),
    ],
)
def test_the_slowest_limit_makes_the_pace(
    fields: Mapping[str, float], bound: Bound, spacing_s: float
) -> None:
    found = paced(NOTHING, spot(1), **fields)

    assert (found.bound, found.spacing_s) == (bound, spacing_s)


def test_the_week_of_a_place_that_is_hardly_open_counts_by_itself() -> None:
    together = paced(NOTHING, spot(360), spot(360), interval_s=100)
    crowded = paced(NOTHING, spot(360), spot(360, hours=5), interval_s=100)

    assert together.least.weeks == pytest.approx(20 / 40)
    assert crowded.least.weeks == pytest.approx(10 / 5)


def test_only_those_who_will_be_called_count() -> None:
    nowhere = spot(50, reach=Reach.ZONE_UNKNOWN, hours=0)

    assert paced(NOTHING, spot(10), nowhere).people == 10
    assert paced(NOTHING, nowhere).least.weeks is None


PLACES = st.lists(
    st.builds(
        spot,
        st.integers(1, 500),
        attempts=st.integers(0, 800),
        hours=st.floats(0, 168),
    ),
    min_size=1,
    max_size=5,
)


@given(PLACES, st.integers(0, 10), st.floats(1, 12), st.integers(1, 30))
def test_what_is_expected_lies_between_the_bounds(
    found: list[Spot], retries: int, calls_each: float, days: int
) -> None:
    known = Experience(calls_each, None)

    result = paced(known, *found, retries=retries)

    assert result.expected is not None
    assert result.people <= result.least.calls <= result.expected.calls <= result.most.calls
    needed = numbers_for(result.most, days)
    assert needed * days * result.daily_cap >= result.most.calls
    assert (needed - 1) * days * result.daily_cap < result.most.calls


# -- rules and places -----------------------------------------------------------------------------


def test_a_place_is_short_by_the_days_on_which_it_opens() -> None:
    assert spot(1, hours=1.9).is_short
    assert not spot(1, hours=2).is_short
    assert spot(1, hours=0).is_short
    assert not spot(1, hours=0, reach=Reach.NEVER_OPEN).is_short  # which is said anyway
    assert spot(1, hours=168).is_always_open


def test_a_rule_that_is_over_does_not_bind_any_more() -> None:
    rule = Rule("own/1", "US-NY", parse_weekly("daily 10:00-12:00"), valid_to=date(2026, 3, 1))
    rules = RuleSet(RULES.pack, Changes(own=(rule,), made=1))

    def binding(today: date) -> list[str]:
        concerns = bindings(rules, AgentKind.MESSAGE, [spot(3)], today).binding
        return [each.rule.id for each in concerns]

    assert binding(date(2026, 3, 2)) == ["US", "US-NY", "own/1"]  # somewhere it is still Sunday
    assert binding(date(2026, 3, 3)) == ["US", "US-NY"]


def test_a_recording_has_more_to_mind_than_a_person() -> None:
    oklahoma = [spot(3, regions=("US-OK",)), spot(2, regions=("US-SD",))]

    def hints(agent: AgentKind) -> list[str]:
        found = bindings(RULES, agent, oklahoma, date(2026, 3, 2)).hints
        return [each.rule.id for each in found]

    assert hints(AgentKind.MESSAGE) == ["US-OK/prerecorded", "US-SD/automated"]
    assert hints(AgentKind.PHONE) == ["US-SD/automated"]


def test_a_rule_switched_off_is_no_hint() -> None:
    off = RuleSet(RULES.pack, Changes(off={"US-SD/automated": "no machine"}))

    found = bindings(off, AgentKind.PHONE, [spot(2, regions=("US-SD",))], date(2026, 3, 2))

    assert (found.hints, [each.off_because for each in found.switched_off]) == ([], ["no machine"])


def test_a_week_is_seven_days() -> None:
    assert spot(1, hours=168).hours_a_week * HOUR_MS == 7 * DAY_MS
