"""Campaigns as operators handle them: make, start, pause, end, look at."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from dialer import audit_log
from dialer.errors import NotFoundError, UsageError, WrongStateError
from dialer.listening import readiness
from dialer.model import AmdMode, CampaignId, OnMachine
from dialer.plans import modes_from, policy_from
from dialer.ports import Row, Tx, is_id
from dialer.states import CampaignEvent, CampaignStatus, advance_campaign
from dialer.suggestions import close_matches, did_you_mean
from retries.outcome import Outcome
from retries.policy import Policy
from rotation.strategies import Strategy

MS: Final = 1000

_CURES: Final[Mapping[CampaignEvent, Mapping[CampaignStatus, str]]] = {
    CampaignEvent.START: {CampaignStatus.PAUSED: "dialer campaign resume"},
    CampaignEvent.RESUME: {CampaignStatus.DRAFT: "dialer campaign start"},
    CampaignEvent.PAUSE: {CampaignStatus.DRAFT: "dialer campaign start"},
    CampaignEvent.COMPLETE: {CampaignStatus.DRAFT: "dialer campaign cancel"},
}
_DONE: Final[Mapping[CampaignEvent, str]] = {
    CampaignEvent.START: "started",
    CampaignEvent.PAUSE: "paused",
    CampaignEvent.RESUME: "resumed",
    CampaignEvent.COMPLETE: "completed",
    CampaignEvent.CANCEL: "cancelled",
    CampaignEvent.REOPEN: "reopened",
}

_ENDS: Final = frozenset({CampaignEvent.COMPLETE, CampaignEvent.CANCEL})


@dataclass(frozen=True, slots=True)
class NewCampaign:
    """What an operator may say about a campaign; the defaults are the product's."""

    name: str
    agent_id: int
    numbers: Sequence[tuple[int, int]]  # (number id, weight)
    schedule_id: int | None = None
    start_at: int | None = None
    notes: str = ""
    strategy: Strategy = Strategy.ROUND_ROBIN
    spam_threshold: float = 7
    max_calls_per_day: int = 100
    stay_on_number: bool = True
    call_interval_s: float = 10
    max_concurrent: int = 10
    ring_timeout_s: int = 30
    amd: AmdMode = AmdMode.TEXT
    amd_shadow: tuple[AmdMode, ...] = ()  # judge the same calls, and never act
    on_machine: OnMachine = OnMachine.HANG_UP
    max_retries: int = 2
    retry_intervals_s: tuple[int, ...] = (3600,)
    retry_rules: Mapping[Outcome, tuple[int, ...]] = field(default_factory=dict)
    completion_timeout_s: int = 900
    callee_calls_per_day: int = 3  # in any 24 hours, by whatever campaign
    callee_calls_per_week: int = 7  # in any 7 days
    labels: tuple[str, ...] = ()

    def check(self) -> None:
        """Raise UsageError naming the first field whose value is out of bounds."""
        for name, value, least, most in (
            ("spam threshold", self.spam_threshold, 1, 9),
            ("max calls per day", self.max_calls_per_day, 1, 1000),
            ("call interval", self.call_interval_s, 0, 86_400),
            ("max concurrent", self.max_concurrent, 1, 10_000),
            ("ring timeout", self.ring_timeout_s, 5, 120),
            ("calls per callee and day", self.callee_calls_per_day, 1, 100),
            ("calls per callee and week", self.callee_calls_per_week, 1, 100),
            ("completion timeout", self.completion_timeout_s, 0, 30 * 86_400),
        ):
            if not least <= value <= most:
                raise UsageError(f"{name}: {value:g} is not between {least} and {most}")
        check_name(self.name)
        if not self.numbers:
            raise UsageError(
                "a campaign needs at least one number to call from",
                next_step="dialer numbers add +15551234567",
            )
        for _, weight in self.numbers:
            if not 1 <= weight <= 1000:
                raise UsageError(f"weight: {weight} is not between 1 and 1000")
        self._check_modes()
        try:
            Policy(self.max_retries, self.retry_intervals_s, self.retry_rules)
        except ValueError as error:
            raise UsageError(f"retries: {error}") from None

    def _check_modes(self) -> None:
        if AmdMode.OFF in self.amd_shadow:
            raise UsageError("amd shadow: 'off' judges nothing; leave it out")
        if self.amd in self.amd_shadow:
            raise UsageError(f"amd shadow: {str(self.amd)!r} is the mode that acts; leave it out")
        readiness.check((self.amd, *self.amd_shadow))


def check_name(name: str) -> None:
    """Raise UsageError for what cannot name a campaign."""
    if not name.strip():
        raise UsageError("a campaign needs a name")
    if name.strip().isdecimal():
        raise UsageError(f"{name!r} would be taken for an id; choose a name with a letter in it")


async def create(tx: Tx, new: NewCampaign, now: int) -> CampaignId:
    """Add a draft campaign; raises UsageError for values out of bounds or a name that is taken."""
    new.check()
    if await tx.row("campaign_by_name", name=new.name) is not None:
        raise UsageError(f"there is a campaign {new.name!r} already; choose another name")
    campaign_id = await tx.value(
        "add_campaign", status=CampaignStatus.DRAFT, now=now, **columns_of(new)
    )
    await tx.many(
        "add_campaign_number",
        [
            {"campaign_id": campaign_id, "number_id": number_id, "weight": weight}
            for number_id, weight in new.numbers
        ],
    )
    await tx.run("bump_revision")
    settings = {"id": campaign_id, "status": CampaignStatus.DRAFT, **audited(new)}
    await audit_log.record(tx, "campaign.create", new.name, now, after=settings)
    return CampaignId(campaign_id)


def columns_of(settings: NewCampaign) -> dict[str, Any]:
    """A campaign's settings as they are stored; its numbers have a table of their own."""
    return {
        "name": settings.name,
        "agent_id": settings.agent_id,
        "schedule_id": settings.schedule_id,
        "start_at": settings.start_at,
        "notes": settings.notes,
        "labels": json.dumps(settings.labels, ensure_ascii=False),
        "strategy": settings.strategy,
        "spam_threshold": settings.spam_threshold,
        "max_calls_per_day": settings.max_calls_per_day,
        "stay_on_number": int(settings.stay_on_number),
        "call_interval_ms": round(settings.call_interval_s * MS),
        "max_concurrent": settings.max_concurrent,
        "ring_timeout_s": settings.ring_timeout_s,
        "amd": settings.amd,
        "amd_shadow": json.dumps(settings.amd_shadow),
        "on_machine": settings.on_machine,
        "max_retries": settings.max_retries,
        "retry_intervals_s": json.dumps(settings.retry_intervals_s),
        "retry_rules": json.dumps({str(k): v for k, v in settings.retry_rules.items()}),
        "completion_timeout_s": settings.completion_timeout_s,
        "callee_calls_per_day": settings.callee_calls_per_day,
        "callee_calls_per_week": settings.callee_calls_per_week,
    }


def settings_from(row: Row, numbers: Sequence[tuple[int, int]]) -> NewCampaign:
    """A campaign's settings as somebody would have to give them to make it again."""
    policy = policy_from(row)
    return NewCampaign(
        name=row["name"],
        agent_id=row["agent_id"],
        numbers=numbers,
        schedule_id=row["schedule_id"],
        start_at=row["start_at"],
        notes=row["notes"],
        labels=tuple(json.loads(row["labels"])),
        strategy=Strategy(row["strategy"]),
        spam_threshold=row["spam_threshold"],
        max_calls_per_day=row["max_calls_per_day"],
        stay_on_number=bool(row["stay_on_number"]),
        call_interval_s=row["call_interval_ms"] / MS,
        max_concurrent=row["max_concurrent"],
        ring_timeout_s=row["ring_timeout_s"],
        amd=AmdMode(row["amd"]),
        amd_shadow=modes_from(row["amd_shadow"]),
        on_machine=OnMachine(row["on_machine"]),
        max_retries=policy.max_retries,
        retry_intervals_s=policy.intervals_s,
        retry_rules=dict(policy.overrides),
        completion_timeout_s=row["completion_timeout_s"],
        callee_calls_per_day=row["callee_calls_per_day"],
        callee_calls_per_week=row["callee_calls_per_week"],
    )


def audited(settings: NewCampaign) -> dict[str, Any]:
    """Settings as the audit log keeps them: of notes only how long they are."""
    return {**asdict(settings), "notes": audit_log.length(settings.notes)}


async def find(tx: Tx, name: str) -> Row:
    """The campaign of that name or id; raises NotFoundError with the closest name."""
    row = await tx.row("campaign_by_name", name=name)
    if row is None and is_id(name):
        row = await tx.row("campaign_plan", campaign_id=int(name))
    if row is None:
        names = [each["name"] for each in await tx.rows("campaign_names")]
        raise NotFoundError(
            f"there is no campaign {name!r}{did_you_mean(close_matches(name, names))}",
            next_step="dialer campaign list",
        )
    return row


async def move(
    tx: Tx,
    name: str,
    event: CampaignEvent,
    now: int,
    *,
    reason: str | None = None,
    hang_up: bool = False,
) -> Row:
    """Apply *event* to a campaign and return its new row; illegal moves raise, nothing changes.

    With *hang_up* a pause also ends the calls that go on, by the daemons whose calls they are.
    """
    row = await find(tx, name)
    if event in _ENDS:
        # Nobody may be brought in while the campaign ends, or they would wait in it for ever.
        await tx.value("hold_campaign", campaign_id=row["id"])
        row = await find(tx, row["name"])
    was = CampaignStatus(row["status"])
    try:
        status = advance_campaign(was, event)
    except WrongStateError as error:
        cure = _CURES.get(event, {}).get(was)
        raise WrongStateError(
            f"campaign {row['name']!r} is {was}: it cannot be {_DONE[event]}",
            next_step=f"{cure} {row['name']!r}" if cure else "dialer campaign list",
        ) from error
    if event is CampaignEvent.START:
        await _check_startable(tx, row)
    moved = await tx.run(
        "move_campaign",
        campaign_id=row["id"],
        was=was,
        status=status,
        now=now,
        by=tx.actor,
        reason=reason,
        hang_up_at=now if hang_up else None,
    )
    if not moved:
        raise WrongStateError(f"campaign {row['name']!r} was changed by somebody else; look again")
    after: dict[str, Any] = {"status": status, "reason": reason}
    if hang_up:
        after["hang_up"] = True
    if event in _ENDS:
        await tx.run("clear_waits", campaign_id=row["id"])
        after["members_cancelled"] = await tx.run("cancel_members", campaign_id=row["id"], now=now)
    await tx.run("bump_revision")
    before = {"status": was, "reason": row["pause_reason"]}
    await audit_log.record(tx, f"campaign.{event}", row["name"], now, before=before, after=after)
    return await find(tx, row["name"])


async def pause(
    tx: Tx, name: str, now: int, *, reason: str | None = None, hang_up: bool = False
) -> Row:
    """Pause a campaign and return its new row; one that is paused may still be hung up on."""
    row = await find(tx, name)
    if not hang_up or CampaignStatus(row["status"]) is not CampaignStatus.PAUSED:
        return await move(tx, name, CampaignEvent.PAUSE, now, reason=reason, hang_up=hang_up)
    if await tx.run("hang_up_campaign", campaign_id=row["id"], now=now):
        await audit_log.record(tx, "campaign.hang-up", row["name"], now, after={"hang_up": True})
    return await find(tx, row["name"])


async def pause_by_engine(tx: Tx, campaign_id: CampaignId, why: str, now: int) -> None:
    """Pause an active campaign for a reason of the carrier's; one that is not active stays so."""
    status = advance_campaign(CampaignStatus.ACTIVE, CampaignEvent.PAUSE)
    moved = await tx.run(
        "move_campaign",
        campaign_id=campaign_id,
        was=CampaignStatus.ACTIVE,
        status=status,
        now=now,
        by=tx.actor,
        reason=why,
        hang_up_at=None,
    )
    await tx.run("bump_revision")
    if moved:
        row = await tx.row("campaign_plan", campaign_id=campaign_id)
        assert row is not None, "it was moved, so it is there"
        before, after = {"status": CampaignStatus.ACTIVE}, {"status": status, "reason": why}
        await audit_log.record(tx, "campaign.pause", row["name"], now, before=before, after=after)


async def _check_startable(tx: Tx, row: Row) -> None:
    readiness.check((AmdMode(row["amd"]), *modes_from(row["amd_shadow"])))
    if await tx.value("unfinished_member", campaign_id=row["id"]) is None:
        raise WrongStateError(
            f"campaign {row['name']!r} has nobody to call",
            next_step=f"dialer contacts import FILE.csv --campaign {row['name']!r}",
        )
