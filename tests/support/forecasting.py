"""Campaigns to be forecast, made of plain values, and runs of them in this process."""

import json
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from dialer.campaigns import NewCampaign
from dialer.forecast.forecasting import TODAY, Forecast, Forecaster, Options
from dialer.forecast.problem import Problem
from dialer.forecast.run import simulate
from dialer.forecast.snapshot import Member, Number, PastCall, Setup, Snapshot
from dialer.forecast.tally import Tally
from dialer.hours_format import to_json
from dialer.model import Agent, AgentKind, CampaignId
from dialer.schedules import read
from dialer.states import CampaignStatus, MemberState
from dialer.store.direct import empty_script
from tests.support.engine import NOW
from tests.support.given import NO_RULES, WASHINGTON

#: Monday to Friday; NOW is a Monday, 15:00.
OFFICE = "mon-fri 09:00-12:00,13:00-18:00"
MESSAGE = Agent(AgentKind.MESSAGE, "Hello, this is a message for you.", {})


def given_number(number_id: int = 1, **facts: Any) -> Number:
    """A caller id that may be used."""
    usual = Number(number_id, f"+1310555{number_id:04}", "UTC", 1, True, None, None, 0)
    return usual._replace(**facts)


def given_member(member_id: int, **facts: Any) -> Member:
    """Somebody nobody has called yet."""
    phone = f"+1202{5_550_000 + member_id}"
    usual = Member(
        member_id, phone, MemberState.PENDING, 1, NOW - 1, WASHINGTON, 0, 0, 0, None, None
    )
    return usual._replace(**facts)


def given_setup(
    *,
    numbers: Sequence[Number] | int = 3,
    hours: str | None = None,
    rules: str | None = NO_RULES,
    **settings: Any,
) -> Setup:
    """A campaign's setup; *settings* are those of NewCampaign and of the account."""
    pool = [given_number(n) for n in range(1, numbers + 1)] if isinstance(numbers, int) else numbers
    account = {
        "calls_per_second": settings.pop("calls_per_second", 0.0),
        "account_calls": settings.pop("account_calls", 0),
    }
    body = None if hours is None else json.dumps(to_json(read(zone="UTC", hours=hours)))
    campaign = NewCampaign("Renewals", 1, [(each.id, each.weight) for each in pool], **settings)
    name = None if hours is None else "Office"
    return Setup(campaign, name, body, pool, rules_body=rules, **account)


def given_snapshot(
    *,
    contacts: int = 40,
    members: Sequence[Member] | None = None,
    history: Sequence[PastCall] = (),
    status: CampaignStatus = CampaignStatus.ACTIVE,
    **setup: Any,
) -> Snapshot:
    """A campaign at NOW, *contacts* people of it still to be called."""
    return Snapshot(
        at=NOW,
        id=CampaignId(1),
        name="Renewals",
        status=status,
        agent=MESSAGE,
        setup=given_setup(**setup),
        members=[given_member(n + 1) for n in range(contacts)] if members is None else members,
        under_way=0,
        listed=0,
        nowhere=0,
        shut_out=0,
        done={},
        history=history,
        neighbours=(),
        schedules={},
    )


class RunsHere:
    """Runs problems in this process, one after the other, and remembers them."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def run(self, problems: Sequence[Problem], tell: Callable[[float], None]) -> list[Tally]:
        self.problems += problems
        return [run(problem) for problem in problems]


def run(problem: Problem) -> Tally:
    """One run in this process."""
    return simulate(problem, lambda _: None)


def forecaster_of(snapshot: Snapshot, **options: Any) -> Forecaster:
    """A forecaster of *snapshot*, in UTC."""
    return Forecaster(snapshot, Options(**options), default_zone="UTC", script=schema_script())


def forecast(snapshot: Snapshot, runner: RunsHere | None = None, **options: Any) -> Forecast:
    """The forecast of a snapshot as it is."""
    setups = {TODAY: snapshot.setup}
    return forecaster_of(snapshot, **options).run(setups, runner or RunsHere(), lambda _: None)


def problem_of(snapshot: Snapshot, factor: float = 1.0, run: int = 0, **options: Any) -> Problem:
    """A run of *snapshot* in which one person represents *factor*."""
    forecaster = forecaster_of(snapshot, **options)
    return forecaster.problem(forecaster.case(snapshot.setup), run, factor)


@cache
def schema_script() -> str:
    """The statements that make an empty database, made once."""
    return empty_script()
