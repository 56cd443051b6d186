"""The operator of a simulated world: sets it up, does what is planned, and sees it to its end."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any, Final, TypeVar

from dialer import agents, campaigns, do_not_call, hold, numbers, rule_book, schedules
from dialer.errors import DialerError
from dialer.model import CampaignId, FailReason
from dialer.people import contacts, member_edits
from dialer.people.contacts import Enrolment
from dialer.people.member_edits import Again, Judged
from dialer.people.person import Person, Priority
from dialer.places import place_of
from dialer.ports import Clock, Database, Row, Tx
from dialer.rules.rule import Rule as OwnRule
from dialer.simulation.journal import Journal
from dialer.simulation.scenario import REGIONS, Act, Campaign, Deed, Rule, Scenario
from dialer.states import FINAL_MEMBER_STATES, CampaignEvent, CampaignStatus
from rotation.strategies import Strategy

T = TypeVar("T")

REGION: Final = "US"
ZONE: Final = "UTC"
GOOD_SCORE: Final = 0.0

#: What is noted of a retry that makes a completed campaign active again.
REVIVE: Final = "revive"

_EVENTS: Final = {
    Deed.PAUSE: CampaignEvent.PAUSE,
    Deed.RESUME: CampaignEvent.RESUME,
    Deed.COMPLETE: CampaignEvent.COMPLETE,
    Deed.CANCEL: CampaignEvent.CANCEL,
}
_OVER: Final = frozenset({CampaignStatus.COMPLETED, CampaignStatus.CANCELLED})


class Operator:
    """Does everything by the use cases that commands call, and notes what came of it."""

    def __init__(
        self, scenario: Scenario, database: Database, clock: Clock, journal: Journal
    ) -> None:
        self._scenario = scenario
        self._database = database
        self._clock = clock
        self._journal = journal
        self._stops: dict[str, str] = {}  # rules that close a region, by it
        #: What was done and what came of it, for whoever judges the run.
        self.log: list[dict[str, Any]] = []

    async def set_up(self) -> None:
        """Bring in the numbers, the people and the campaigns, and start them."""
        async with self._database.write() as tx:
            now = self._clock.now()
            for phone in self._scenario.numbers:
                new = numbers.NewNumber(phone)
                await numbers.add(tx, new, now, region=REGION, default_zone=ZONE)
            await contacts.put(tx, [_person(phone) for phone in self._scenario.phones], now)
            await rule_book.switch_off(tx, "US", "windows here are those of the campaigns", now)
            for rule in self._scenario.rules:
                await rule_book.add_own(tx, _own(rule), now)
            for campaign in self._scenario.campaigns:
                await self._create(tx, campaign, now)
        for campaign in self._scenario.campaigns:
            await self._move(campaign.name, CampaignEvent.START)

    async def do(self, act: Act) -> None:
        """Do what is planned; what the product refuses is noted and stays undone."""
        scenario = self._scenario
        match act.deed:
            case Deed.PAUSE | Deed.RESUME | Deed.COMPLETE | Deed.CANCEL:
                await self._move(scenario.campaigns[act.on].name, _EVENTS[act.deed])
            case Deed.ENROL | Deed.RETRY:
                people = self._enrol if act.deed is Deed.ENROL else self._retry
                await people(scenario.campaigns[act.on])
            case Deed.BLOCK:
                person = scenario.phones[act.on]
                await self._write(
                    act.deed, person, lambda tx, now: do_not_call.add(tx, [person], now)
                )
            case Deed.CLOSE:
                await self._close(sorted(REGIONS)[act.on])
            case Deed.REOPEN:
                await self._reopen(sorted(REGIONS)[act.on])
            case Deed.HOLD | Deed.HANG_UP | Deed.RELEASE:
                await self._brake(act.deed)
            case Deed.DISABLE:
                phone = scenario.numbers[act.on]
                await self._write(
                    act.deed, phone, lambda tx, now: numbers.disable(tx, phone, REGION, now)
                )
            case Deed.ENABLE:
                await self._enable(scenario.numbers[act.on])
            case Deed.SCORE:
                await self._score(scenario.numbers[act.on], act.amount)
            case _:
                raise AssertionError(f"{act.deed} is not an operator's")

    async def clear_up(self) -> None:
        """After the storm: every region and number is open, whatever was paused or held goes on."""
        for region in sorted(self._stops):
            await self._reopen(region)
        for phone in self._scenario.numbers:
            await self._enable(phone)
            await self._score(phone, GOOD_SCORE)
        await self.resume_all()

    async def resume_all(self) -> None:
        """Release a hold and resume what was paused, by an operator or by the engine."""
        (control,) = await self._read("hold")
        if control["held_at"] is not None:
            await self._brake(Deed.RELEASE)
        for row in await self._read("campaign_overview"):
            if row["status"] == CampaignStatus.PAUSED:
                await self._move(row["name"], CampaignEvent.RESUME)

    async def end_what_caps_put_off(self, until_at: int) -> None:
        """End campaigns of which all who are left have had their calls until after *until_at*."""
        for campaign in await self._read("campaign_overview"):
            if campaign["status"] != CampaignStatus.ACTIVE:
                continue
            async with self._database.read() as tx:
                left = await tx.rows(
                    "waiting_counts", campaign_id=campaign["id"], now=self._clock.now()
                )
            put_off = all(row["put_off"] and not row["due"] for row in left)
            if left and put_off and min(row["next_at"] for row in left) > until_at:
                await self._move(campaign["name"], CampaignEvent.COMPLETE)

    async def unfinished(self) -> list[str]:
        """What is not over yet: campaigns, members, attempts."""
        return [
            *(
                f"campaign {row['name']} is {row['status']}"
                for row in await self._read("campaign_overview")
                if row["status"] not in _OVER
            ),
            *(
                f"{row['members']} members of campaign {row['campaign_id']} are {row['state']}"
                for row in await self._read("member_counts")
                if row["state"] not in FINAL_MEMBER_STATES
            ),
            *(
                f"{row['calls']} attempts of campaign {row['campaign_id']} are open"
                for row in await self._read("live_calls")
            ),
        ]

    async def _create(self, tx: Tx, campaign: Campaign, now: int) -> None:
        agent_id = await agents.add_message(tx, campaign.name, "Hello there.", now)
        schedule_id = None
        if campaign.hours is not None:
            schedule = schedules.read(zone=campaign.zone, hours=campaign.hours)
            schedule_id = await schedules.create(tx, campaign.name, schedule, now)
        fields = dict(campaign.fields)
        ids = {row["phone"]: row["id"] for row in await tx.rows("list_numbers")}
        pool = [(ids[self._scenario.numbers[n]], 1 + n % 3) for n in campaign.numbers]
        new = campaigns.NewCampaign(
            campaign.name,
            agent_id,
            pool,
            schedule_id,
            strategy=Strategy(fields.pop("strategy")),
            **fields,
        )
        campaign_id = await campaigns.create(tx, new, now)
        await contacts.enrol(tx, self._people(campaign.people), Enrolment(campaign_id), now)

    def _people(self, indices: Sequence[int]) -> list[Person]:
        priorities = list(Priority)
        phones = self._scenario.phones
        return [
            replace(_person(phones[n]), priority=priorities[n % len(priorities)]) for n in indices
        ]

    async def _move(self, name: str, event: CampaignEvent) -> None:
        await self._write(event, name, lambda tx, now: campaigns.move(tx, name, event, now))

    async def _enrol(self, campaign: Campaign) -> None:
        everybody = self._people(range(len(self._scenario.phones)))

        async def enrol(tx: Tx, now: int) -> int:
            row = await campaigns.find(tx, campaign.name)
            enrolment = Enrolment(CampaignId(row["id"]), reopen=True)
            return await contacts.enrol(tx, everybody, enrolment, now)

        await self._write(Deed.ENROL, campaign.name, enrol)

    async def _retry(self, campaign: Campaign) -> None:
        """Have everybody of a campaign called again who is done or has failed, for whatever reason;
        a completed campaign becomes active by it.
        """
        revived = False
        again = Again(
            said=frozenset(FailReason),
            quarantine_s=float(self._scenario.settings["quarantine_s"]),
            reopen=True,
        )

        async def retry(tx: Tx, now: int) -> Judged:
            nonlocal revived
            row = await campaigns.find(tx, campaign.name)
            campaign_id = CampaignId(row["id"])
            ids = await member_edits.finished(tx, campaign_id)
            judged = await member_edits.retry(tx, campaign_id, ids, again, now)
            revived = bool(judged.changed) and row["status"] == CampaignStatus.COMPLETED
            return judged

        if await self._write(Deed.RETRY, campaign.name, retry) and revived:
            self.log.append({**self.log[-1], "deed": REVIVE})

    async def _brake(self, deed: Deed) -> None:
        """Hold everything, or let it go on."""

        async def pull(tx: Tx, now: int) -> object:
            return await hold.pull(tx, now, hang_up=deed is Deed.HANG_UP)

        await self._write(deed, hold.EVERYTHING, hold.release if deed is Deed.RELEASE else pull)

    async def _close(self, region: str) -> None:
        async def close(tx: Tx, now: int) -> None:
            stop = rule_book.read_own(
                region_code=region, check_calendar=_no_calendars, closed=True, note="stop"
            )
            self._stops[region] = (await rule_book.add_own(tx, stop, now)).id

        if region not in self._stops and not await self._write(Deed.CLOSE, region, close):
            self._stops.pop(region, None)

    async def _reopen(self, region: str) -> None:
        rule_id = self._stops.get(region)
        if rule_id is not None and await self._write(
            Deed.REOPEN, region, lambda tx, now: rule_book.remove_own(tx, rule_id, now)
        ):
            del self._stops[region]

    async def _enable(self, phone: str) -> None:
        await self._write(
            Deed.ENABLE, phone, lambda tx, now: numbers.enable(tx, phone, REGION, now)
        )

    async def _score(self, phone: str, score: float) -> None:
        await self._write(
            Deed.SCORE, phone, lambda tx, now: numbers.score(tx, phone, score, REGION, now), score
        )

    async def _read(self, query: str) -> Sequence[Row]:
        async with self._database.read() as tx:
            return await tx.rows(query)

    async def _write(
        self,
        deed: str,
        on: str,
        use_case: Callable[[Tx, int], Awaitable[T]],
        amount: float | None = None,
    ) -> bool:
        """Do it in one transaction and note what came of it; returns whether it was done."""
        asked_at = self._clock.now()
        refused = None
        try:
            async with self._database.write() as tx:
                await use_case(tx, self._clock.now())
        except DialerError as error:
            refused = error.message
        facts = {"on": on, "amount": amount, "refused": refused}
        entry = {"deed": str(deed), "asked_at": asked_at, "done_at": self._clock.now(), **facts}
        self.log.append(entry)
        self._journal.note("operator", **entry)
        return refused is None


def _own(rule: Rule) -> OwnRule:
    return rule_book.read_own(
        region_code=rule.region,
        check_calendar=_no_calendars,
        hours=rule.hours,
        caps=rule.caps,
    )


def _no_calendars(code: str) -> None:
    raise AssertionError(f"no rule here has holidays: {code}")


def _person(phone: str) -> Person:
    """Somebody whose zone is known; numbers without an area are in that of the operator."""
    return Person(phone, zone=None if place_of(phone).zones else ZONE)
