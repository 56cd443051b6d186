"""Bugs to plant in the engine: each breaks one promise, and is one that real dialers have had."""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import pytest

from dialer import claims, counters, folding, launcher, limits, permission
from dialer.audit.report import Violation
from dialer.batching import Batcher
from dialer.callees import recent_calls
from dialer.calls import Calls, CallTimes
from dialer.carrier_sim.faults import Fault
from dialer.claims import Claims
from dialer.errors import StoreError
from dialer.launcher import Launcher
from dialer.leases import Lease
from dialer.limits import AccountLimits
from dialer.model import AttemptId, CallEvent, CallFacts, Claim, WaitReason
from dialer.people import member_edits
from dialer.plans import CampaignPlan, Plans, Rules
from dialer.ports import Doubtful, Order, Placement, Row, Tx
from dialer.reaper import Reaper
from dialer.simulation.drawing import EVE
from dialer.simulation.drawing import scenario as drawn_from
from dialer.simulation.evidence import violations
from dialer.simulation.run import run
from dialer.simulation.scenario import REGIONS, Act, Campaign, Deed, Rule, Scenario
from dialer.simulation.weather import DiskFault, Stall
from dialer.states import MemberState
from dialer.store.queries import Query, load
from dialer.timezones import zone

Plant = Callable[[pytest.MonkeyPatch], None]

#: Later than anything in a run; UTC milliseconds.
FAR: Final = 4_000_000_000_000
#: Monday 2026-01-05 15:00 UTC, when these spells begin; open for good an hour later.
MONDAY: Final = 1_767_625_200_000
SPELLS: Final = "daily " + ",".join(
    f"15:{start:02}-15:{start + 3:02}" for start in range(0, 60, 6)
) + ",16:00-24:00"  # fmt: skip


Sharpen = Callable[[Scenario], Scenario]


@dataclass(frozen=True, slots=True)
class Planted:
    """A bug, the invariants of which at least one has to notice it, and where it can show."""

    name: str
    breaks: frozenset[str]
    plant: Plant
    sharpen: Sharpen = lambda scenario: scenario


@dataclass(frozen=True, slots=True)
class Hunt:
    """What became of looking for a bug: the *seed* it was found with, None when it was not."""

    bug: Planted
    seed: int | None
    noticed: frozenset[str] = frozenset()  # the invariants it breaks and that noticed it
    as_it_is: Sequence[Violation] = ()  # of the engine without the bug, in the same run


def hunt(bug: Planted, seeds: Sequence[int], folder: Path) -> Hunt:
    """Run *seeds* with *bug* until it is noticed, then that seed without it; *folder* is empty."""
    for seed in seeds:
        drawn = bug.sharpen(drawn_from(seed))
        with pytest.MonkeyPatch.context() as patch:
            bug.plant(patch)
            found = violations(run(drawn, _made(folder / f"planted{seed}")))
        if noticed := bug.breaks & {each.invariant for each in found}:
            return Hunt(bug, seed, noticed, violations(run(drawn, _made(folder / "as it is"))))
    return Hunt(bug, None)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


# -- scenarios in which a bug of a kind can show ---------------------------------------------------


def _fields(scenario: Scenario, **fields: Any) -> Sequence[Campaign]:
    return [replace(each, fields={**each.fields, **fields}) for each in scenario.campaigns]


def hurried(scenario: Scenario) -> Scenario:
    """Short spells of open and closed, and people who are called again soon."""
    campaigns = _fields(
        scenario, max_retries=2, retry_intervals_s=(60,), call_interval_s=10.0, max_concurrent=10
    )
    return replace(
        scenario,
        start_at=MONDAY,
        campaigns=[replace(each, zone="UTC", hours=SPELLS) for each in campaigns],
        rates={},
    )


def commanded(deed: Deed, back: Deed | None = None) -> Sharpen:
    """One command after the other while claims wait for their slots; nothing else goes wrong."""

    def sharpen(scenario: Scenario) -> Scenario:
        at = [0.7 + 1.3 * n for n in range(40)]
        acts = [
            Act(at_s, back if back and n % 2 else deed, n // 2 if back else n)
            for n, at_s in enumerate(at)
        ]
        people = len(scenario.phones) if back is None else len(scenario.campaigns)
        return replace(
            scenario,
            acts=[replace(act, on=act.on % people) for act in acts],
            campaigns=[
                replace(each, hours=None, people=range(len(scenario.phones)))
                for each in _fields(scenario, call_interval_s=1.0, max_concurrent=10)
            ],
            settings={**scenario.settings, "look_ahead_s": 3.0, "control_poll_s": 2.0},
            rates={},
            kills=0,
        )

    return sharpen


def mortal(scenario: Scenario) -> Scenario:
    """Daemons that die often, and hardly a callback that arrives."""
    campaigns = [replace(each, hours=None) for each in scenario.campaigns]
    rates = {str(Fault.LOST): 0.9}
    return replace(scenario, campaigns=campaigns, rates=rates, kills=6, effects_between_kills=60)


def scarce(scenario: Scenario) -> Scenario:
    """The same on the eve of a new day, with one number that may make two calls in three today."""
    campaigns = _fields(
        scenario, max_retries=2, retry_intervals_s=(20,), call_interval_s=0.0, max_concurrent=10
    )
    calls = 3 * sum(len(each.people) for each in campaigns)
    one_number = [
        replace(each, numbers=(0,), fields={**each.fields, "max_calls_per_day": calls * 2 // 3})
        for each in campaigns
    ]
    eve_at = int(EVE.timestamp()) * 1000
    return replace(mortal(replace(scenario, campaigns=one_number)), start_at=eve_at)


def doubtful(scenario: Scenario) -> Scenario:
    """A carrier that often accepts late and says so to nobody."""
    late = {Fault.SLOW_ACCEPT: 0.6, Fault.LOST: 0.9}
    return replace(scenario, rates={str(kind): rate for kind, rate in late.items()})


def asleep(scenario: Scenario) -> Scenario:
    """Two daemons that fall asleep between their last look and the socket."""
    campaigns = [replace(each, hours=None) for each in scenario.campaigns]
    rates = {str(Stall.AT_THE_DOOR): 0.4}
    return replace(scenario, campaigns=campaigns, daemons=2, rates=rates, longest_stall_s=200.0)


def placed(scenario: Scenario) -> Scenario:
    """Short spells of open and closed where people live, and campaigns without hours."""
    hurry = hurried(scenario)
    spells = {
        region: _spells(datetime.fromtimestamp(MONDAY / 1000, zone(name)).hour)
        for region, name in REGIONS.items()
    }
    return replace(
        hurry,
        campaigns=[replace(each, hours=None) for each in hurry.campaigns],
        rules=[Rule(region, hours) for region, hours in spells.items()],
    )


def _spells(hour: int) -> str:
    """Three minutes open, three minutes closed, for an hour; then open for good."""
    starts = range(0, 60, 6)
    spells = [f"{hour}:{start:02}-{hour}:{start + 3:02}" for start in starts]
    return f"daily {','.join(spells)},{hour + 1}:00-24:00"


def stopped(scenario: Scenario) -> Scenario:
    """One region after the other is closed while all of them are called, and reopened late."""
    campaigns = _fields(
        scenario, max_retries=2, retry_intervals_s=(20,), call_interval_s=10.0, max_concurrent=10
    )
    return replace(
        scenario,
        acts=[Act(10.0 + 5 * n, Deed.CLOSE, n) for n in range(len(REGIONS))],
        campaigns=[replace(each, hours=None) for each in campaigns],
        rules=(),
        rates={},
        kills=0,
        storm_s=300.0,
    )


def wanted(scenario: Scenario) -> Scenario:
    """Every campaign twice, with everybody in it, and one call per callee in any three minutes."""
    campaigns = [
        replace(each, name=f"{each.name}, {n}", hours=None, people=range(len(scenario.phones)))
        for each in _fields(
            scenario, max_retries=1, retry_intervals_s=(20,), call_interval_s=0.0, max_concurrent=10
        )
        for n in (1, 2)
    ]
    rules = [Rule(region, caps=("1/3m",)) for region in REGIONS]
    return replace(scenario, campaigns=campaigns, rules=rules, acts=(), rates={}, kills=0)


def full_disk(scenario: Scenario) -> Scenario:
    """A disk that often takes nothing, and nothing else that goes wrong."""
    campaigns = [replace(each, hours=None) for each in scenario.campaigns]
    rates = {str(DiskFault.FULL): 0.02}
    return replace(scenario, campaigns=campaigns, rates=rates, acts=(), kills=0)


# -- the bugs --------------------------------------------------------------------------------------


def _queries(patch: pytest.MonkeyPatch, name: str, without: str, instead: str = "") -> None:
    """Leave a condition out of a named query."""
    queries: Any = load("sqlite")
    known: Query = queries[name]
    assert without in known.text, f"{name} has changed: {without!r} is not in it"
    patch.setitem(queries, name, Query(known.text.replace(without, instead), known.names))


def _never_void(patch: pytest.MonkeyPatch) -> None:
    """An order may leave at any time."""
    take = Claims._take

    def timeless(self: Claims, *about: Any) -> list[Claim]:
        return [claim._replace(void_at=FAR) for claim in take(self, *about)]

    patch.setattr(Claims, "_take", timeless)


def place_again_on_doubt(patch: pytest.MonkeyPatch) -> None:
    """A request without an answer is sent once more."""
    place = Launcher._place

    async def stubborn(self: Launcher, order: Order) -> Placement:
        placement = await place(self, order)
        return await place(self, order) if isinstance(placement, Doubtful) else placement

    patch.setattr(Launcher, "_place", stubborn)


def reconcile_too_early(patch: pytest.MonkeyPatch) -> None:
    """A call that is not listed right after the doubt is taken for one that never came about."""
    patch.setattr(CallTimes, "first_look_s", property(lambda _: 0.5))
    patch.setattr(CallTimes, "last_look_s", property(lambda _: 1.0))
    patch.setattr(CallTimes, "settled_s", property(lambda _: 0.5))
    patch.setattr(Reaper, "_last_look_s", lambda self, row: 1.0)
    patch.setattr(Calls, "_quarantine_ends_at", lambda self, record: record.intent_at)


def cap_outside_the_transaction(patch: pytest.MonkeyPatch) -> None:
    """Live calls are counted once in a while, and the count is believed until the next time."""
    rooms = limits.rooms
    seen: dict[int, Sequence[Row]] = {}

    def stale(plan: CampaignPlan, live: Sequence[Row], account: AccountLimits) -> Any:
        before = seen.get(id(account), ())
        seen[id(account)] = live
        return rooms(plan, before, account)

    patch.setattr(limits, "rooms", stale)


def window_checked_only_at_claim(patch: pytest.MonkeyPatch) -> None:
    """Calls are claimed for the next ten minutes, and made when their slot comes."""
    patch.setattr(limits, "horizon_us", lambda now, times: (now + 600_000) * 1000)
    _never_void(patch)


def lost_lease_write(patch: pytest.MonkeyPatch) -> None:
    """A daemon that was taken for dead goes on where it stopped, while another dials anew."""
    reconcile_too_early(patch)
    patch.setattr(Lease, "valid", lambda self: True)
    patch.setattr(Lease, "until_at", property(lambda self: FAR))
    _never_void(patch)
    _queries(patch, "sendable", "   AND a.owner = ?2\n", "   AND ?2 = ?2\n")
    _queries(patch, "sendable", "   AND a.state = 'intent'\n")


def callback_order_trusted(patch: pytest.MonkeyPatch) -> None:
    """Whatever was reported last is how the call stands."""

    def last_word(facts: CallFacts, *events: CallEvent) -> CallFacts:
        for event in events:
            facts = facts._replace(
                sid=facts.sid or event.sid,
                status=event.status or facts.status,
                ended_at=event.received_at if event.status and event.status.final else None,
                duration_s=event.duration_s,
                answered_by=event.answered_by or facts.answered_by,
            )
        return facts

    patch.setattr(folding, "merge", last_word)


def counter_lost_on_restart(patch: pytest.MonkeyPatch) -> None:
    """Each daemon counts the calls of a number from its own start."""
    made: dict[int, Counter[tuple[int, str]]] = defaultdict(Counter)
    claiming: ContextVar[int] = ContextVar("claiming")
    pool, serve = limits.pool, Claims._serve

    class Own:
        """The transaction, with the daemon's own counts in place of the stored ones."""

        def __init__(self, tx: Tx, counts: Counter[tuple[int, str]]) -> None:
            self._tx, self._counts = tx, counts

        async def rows(self, query: str, **params: Any) -> Sequence[Row]:
            if query != "pool_days":
                return await self._tx.rows(query, **params)
            return [
                {"number_id": number_id, "day": day, "calls": calls}
                for (number_id, day), calls in self._counts.items()
            ]

    async def marked(self: Claims, *about: Any) -> Any:
        claiming.set(id(self))
        return await serve(self, *about)

    async def forgetful(tx: Tx, *about: Any) -> Any:
        owned: Any = Own(tx, made[claiming.get()])
        return await pool(owned, *about)

    write = Claims._write

    async def counting(self: Claims, tx: Tx, *about: Any) -> None:
        *_, taken, days = about
        for claim in taken:
            made[id(self)][claim.number_id, days[claim.number_id]] += 1
        await write(self, tx, *about)

    patch.setattr(Claims, "_serve", marked)
    patch.setattr(limits, "pool", forgetful)
    patch.setattr(Claims, "_write", counting)


def pause_ignored_in_flight(patch: pytest.MonkeyPatch) -> None:
    """What has been claimed is sent, whatever an operator has commanded since."""
    _queries(patch, "sendable", "   AND c.status = 'active'\n")
    patch.setattr(launcher, "as_decided", lambda claim, row: True)


def hold_ignored_in_flight(patch: pytest.MonkeyPatch) -> None:
    """What has been claimed is sent, although everything is held since."""
    _queries(patch, "sendable", "   AND (SELECT k.held_at FROM control k WHERE k.id = 1) IS NULL\n")


def do_not_call_not_rechecked(patch: pytest.MonkeyPatch) -> None:
    """The list is asked in the claim and never again."""
    text = load("sqlite")["sendable"].text
    _queries(patch, "sendable", text[text.index("   AND NOT EXISTS (SELECT 1 FROM dnc") : -1])


def do_not_call_not_asked(patch: pytest.MonkeyPatch) -> None:
    """The list is for people to read."""
    do_not_call_not_rechecked(patch)

    async def let_pass(*_: Any) -> None: ...

    line = Claims._in_line

    async def unlisted(*about: Any) -> list[Row]:
        return [{**row, "listed": 0} for row in await line(*about)]

    patch.setattr(claims, "refuse_listed", let_pass)
    patch.setattr(Claims, "_in_line", staticmethod(unlisted))


def retry_not_moved_into_the_window(patch: pytest.MonkeyPatch) -> None:
    """A retry is due when its interval is over, and whoever is due is called."""
    closed = permission.closed

    def always_open(plan: CampaignPlan, now: int, times: Any) -> Any:
        wait = closed(plan, now, times)
        return None if wait and wait.reason is WaitReason.OUTSIDE_HOURS else wait

    patch.setattr(claims, "closed", always_open)
    patch.setattr(claims, "outside_window", lambda plan, key, now, times: None)
    _never_void(patch)


def callee_of_another_campaign_called_too(patch: pytest.MonkeyPatch) -> None:
    """Each campaign looks at its own calls only."""
    text = load("sqlite")["claim_due"].text
    start = text.index("   AND NOT EXISTS (SELECT 1 FROM attempts a")
    _queries(patch, "claim_due", text[start : text.index("\n", start) + 1])


def calls_forgotten(patch: pytest.MonkeyPatch) -> None:
    """A daemon that starts looks after its own calls only."""

    async def nobody(self: Lease, first_look_s: float, settled_s: float) -> int:
        return 0

    patch.setattr(Lease, "take_over", nobody)


def called_without_a_record(patch: pytest.MonkeyPatch) -> None:
    """What was claimed is called, whether or not it could be written down."""
    claim, apply = Claims.claim, Batcher.apply

    async def remembered(self: Claims, *about: Any) -> Any:
        vars(self)["taken"] = await claim(self, *about)
        return vars(self)["taken"]

    async def bold(self: Batcher, handler: Any, *about: Any, **options: Any) -> Any:
        try:
            return await apply(self, handler, *about, **options)
        except StoreError:
            taken = vars(getattr(handler, "__self__", self)).pop("taken", None)
            if taken is None:
                raise
            return taken

    async def everybody(_: Launcher, due: Sequence[Claim]) -> set[AttemptId]:
        return {each.attempt_id for each in due}

    patch.setattr(Claims, "claim", remembered)
    patch.setattr(Batcher, "apply", bold)
    patch.setattr(Launcher, "_still_wanted", everybody)


def day_of_a_number_in_utc(patch: pytest.MonkeyPatch) -> None:
    """Daily caps start over at midnight in Greenwich."""
    local_day = counters.local_day
    patch.setattr(limits, "local_day", lambda zone, at: local_day("UTC", at))


def callee_window_ignored(patch: pytest.MonkeyPatch) -> None:
    """Whoever is due is called when it is open for the campaign, wherever they are."""
    patch.setattr(claims, "outside_window", lambda plan, key, now, times: None)
    patch.setattr(CampaignPlan, "hours_at", lambda self, key: self.hours)


class _Told:
    """A transaction in which one query has another answer."""

    def __init__(self, tx: Tx, query: str, answer: Callable[[Row], Row]) -> None:
        self._tx, self._query, self._answer = tx, query, answer

    async def row(self, query: str, **params: Any) -> Row | None:
        row = await self._tx.row(query, **params)
        return self._answer(row) if row is not None and query == self._query else row

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tx, name)


def rules_read_at_the_start_alone(patch: pytest.MonkeyPatch) -> None:
    """A change of the rules is noticed by daemons that start after it."""
    serve, rules_as_of = Claims._serve, Plans._rules_as_of

    async def as_at_the_start(self: Plans, tx: Tx, row: Row) -> Rules:
        return self._rules or await rules_as_of(self, tx, row)

    async def content(self: Claims, tx: Tx, request: Any, *about: Any) -> Any:
        known = request.plan.rules.id
        told: Any = _Told(tx, "claim_campaign", lambda row: {**row, "rule_set_id": known})
        return await serve(self, told, request, *about)

    newest = " = coalesce((SELECT max(r.id) FROM rule_sets r), 0)"
    _queries(patch, "sendable", newest, " = coalesce(a.rule_set_id, 0)")
    patch.setattr(Plans, "_rules_as_of", as_at_the_start)
    patch.setattr(Plans, "forget", lambda self: self._known.clear())
    patch.setattr(Claims, "_serve", content)


def callee_caps_per_campaign(patch: pytest.MonkeyPatch) -> None:
    """Each campaign counts its own calls to a callee."""
    callable_ = Claims._callable
    claiming: ContextVar[int] = ContextVar("claiming")
    _queries(
        patch, "recent_calls", "m.contact_id, a.send_at", "m.contact_id, m.campaign_id, a.send_at"
    )
    _queries(patch, "recent_calls", "c.id, f.placed_at", "c.id, NULL, f.placed_at")

    class Own:
        """The transaction, with the calls of one campaign."""

        def __init__(self, tx: Tx) -> None:
            self._tx = tx

        async def rows(self, query: str, **params: Any) -> Sequence[Row]:
            found = await self._tx.rows(query, **params)
            return [row for row in found if row["campaign_id"] == claiming.get()]

    async def marked(self: Claims, tx: Tx, plan: CampaignPlan, *about: Any) -> Any:
        claiming.set(plan.id)
        return await callable_(self, tx, plan, *about)

    async def own_calls(tx: Tx, *about: Any) -> Any:
        owned: Any = Own(tx)
        return await recent_calls(owned, *about)

    patch.setattr(Claims, "_callable", marked)
    patch.setattr(claims, "recent_calls", own_calls)


def callee_caps_outside_the_transaction(patch: pytest.MonkeyPatch) -> None:
    """Calls to a callee are counted once in a while, and the count is believed until then."""
    seen: dict[int, Sequence[int]] = {}

    async def stale(tx: Tx, contact_ids: Sequence[int], since_at: int) -> Any:
        before = {contact_id: seen.get(contact_id, ()) for contact_id in contact_ids}
        now = await recent_calls(tx, contact_ids, since_at)
        seen.update({contact_id: now.get(contact_id, ()) for contact_id in contact_ids})
        return before

    patch.setattr(claims, "recent_calls", stale)


def retried_while_called(patch: pytest.MonkeyPatch) -> None:
    """An operator's retry takes everybody of a campaign, whoever is being called."""
    text = load("sqlite")["requeue_members"].text
    _queries(patch, "requeue_members", text[text.index("   AND NOT EXISTS (SELECT 1 FROM") : -1])
    _queries(
        patch,
        "finished_contact_ids",
        "   AND m.state IN ('completed', 'failed', 'no_conversation')\n",
    )
    patch.setattr(member_edits, "why_not_again", lambda member, said: None)
    patch.setattr(member_edits, "advance_member", lambda state, event: MemberState.PENDING)


BUGS: Final = (
    Planted("place again on doubt", frozenset({"I1", "I2"}), place_again_on_doubt),
    Planted("reconcile too early", frozenset({"I2", "I3", "I5"}), reconcile_too_early, doubtful),
    Planted("cap outside the transaction", frozenset({"I8"}), cap_outside_the_transaction),
    Planted("window checked only at claim", frozenset({"I4"}), window_checked_only_at_claim,
            hurried),
    Planted("lost-lease write", frozenset({"I1", "I2", "I5"}), lost_lease_write, asleep),
    Planted("callback order trusted", frozenset({"I7", "I13", "I20"}), callback_order_trusted),
    Planted("counter lost on restart", frozenset({"I6"}), counter_lost_on_restart, scarce),
    Planted("pause ignored in flight", frozenset({"I11"}), pause_ignored_in_flight,
            commanded(Deed.PAUSE, Deed.RESUME)),
    Planted("hold ignored in flight", frozenset({"I11"}), hold_ignored_in_flight,
            commanded(Deed.HOLD, Deed.RELEASE)),
    Planted("do-not-call not rechecked", frozenset({"I9"}), do_not_call_not_rechecked,
            commanded(Deed.BLOCK)),
    Planted("do-not-call not asked", frozenset({"I9"}), do_not_call_not_asked,
            commanded(Deed.BLOCK)),
    Planted("retry not moved into the window", frozenset({"I4"}), retry_not_moved_into_the_window,
            hurried),
    Planted("callee of another campaign", frozenset({"I2"}), callee_of_another_campaign_called_too),
    Planted("calls forgotten at start", frozenset({"I3", "I7", "I20"}), calls_forgotten, mortal),
    Planted("called without a record", frozenset({"I16"}), called_without_a_record, full_disk),
    Planted("callee window ignored", frozenset({"I4"}), callee_window_ignored, placed),
    Planted("rules read at the start alone", frozenset({"I4"}), rules_read_at_the_start_alone,
            stopped),
    Planted("callee caps per campaign", frozenset({"I6"}), callee_caps_per_campaign, wanted),
    Planted("callee caps outside the transaction", frozenset({"I6"}),
            callee_caps_outside_the_transaction, wanted),
    Planted("retried while called", frozenset({"I3"}), retried_while_called,
            commanded(Deed.RETRY, Deed.RETRY)),
    Planted("a number's day in UTC", frozenset({"I6", "I17"}), day_of_a_number_in_utc),
)  # fmt: skip
