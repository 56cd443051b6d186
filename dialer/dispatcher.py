"""The loop that decides which campaign may take members now, and says why one may not.

Theory of operation. The dispatcher keeps, per active campaign, the instant at which asking the
store for members makes sense again: now, the next free slot, the next due retry, the next
opening. Due campaigns are asked for in one claim transaction, in turn, so that none is served
before the others for long. Whatever changes the answer — a call that ends, an operator's command
seen in the control row, a carrier that takes no calls — moves that instant. Nothing here waits
per contact, and nothing is taken from the store that cannot be sent within a tenth of a second.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from dialer import hold
from dialer.batching import Batcher
from dialer.campaigns import pause_by_engine
from dialer.claims import ClaimRequest, ClaimResult, Claims
from dialer.errors import DialerError
from dialer.launcher import Launcher
from dialer.lazy_log import Log
from dialer.leases import Lease
from dialer.meters import NO_METERS, Meters
from dialer.model import CampaignId, WaitReason
from dialer.permission import Wait
from dialer.plans import CampaignPlan, Plans
from dialer.ports import Clock, Database, Tx
from dialer.states import CampaignStatus
from dialer.telling import Telling
from dialer.waits import count_waits, record_waits

log = Log()

MS: Final = 1000
#: Members taken in one round at the most: one bounded transaction.
ROUND_SIZE: Final = 500
#: However certain the wait, ask again after this: another daemon may have changed the answer.
FALLBACK_S: Final = 5.0
#: The explanation takes one part in so many of the store's time.
EXPLAIN_SHARE: Final = 20
#: In place of the revision of what operators have commanded: read it again.
ASK_AGAIN: Final = -1
#: After the store failed, nothing is claimed for this long.
STORE_REST_S: Final = 1.0


class Dispatcher:
    """Claims members and hands them to the launcher. :meth:`run` must be running."""

    def __init__(
        self,
        clock: Clock,
        database: Database,
        batcher: Batcher,
        plans: Plans,
        claims: Claims,
        launcher: Launcher,
        lease: Lease,
        *,
        control_poll_s: float,
        explain_s: float,
        fallback_s: float = FALLBACK_S,
        meters: Meters = NO_METERS,
    ) -> None:
        self._clock = clock
        self._database = database
        self._batcher = batcher
        self._plans = plans
        self._claims = claims
        self._launcher = launcher
        self._lease = lease
        self._control_poll_s = control_poll_s
        self._explain_s = explain_s
        self._fallback_s = fallback_s
        self._meters = meters
        self._told = Telling()
        self._campaigns: dict[CampaignId, CampaignPlan] = {}
        self._ask_at: dict[CampaignId, int] = {}
        self._waits: dict[CampaignId, Wait] = {}
        self._nudged: set[CampaignId] = set()  # since the round under way began
        self._served: dict[CampaignId, int] = {}  # the round that last gave it members
        self._rounds = 0
        self._revision = ASK_AGAIN
        self._rest: Wait | None = None
        self._hold: Wait | None = None  # of everything, by an operator
        self._held: dict[CampaignId, Wait] = {}  # by the pre-dial check, each until its time
        self.draining = False
        self._wake = asyncio.Event()
        self._look_again = asyncio.Event()  # the explanation is stale
        self.ticked_at = clock.now()
        self._at_turn: Callable[[], None] = lambda: None

    # -- told by others --------------------------------------------------------------------------

    def nudge(self, campaign_id: CampaignId) -> None:
        """A call of this campaign ended or came back: there may be room, or the end."""
        self._nudged.add(campaign_id)
        for each, wait in self._waits.items():
            if each == campaign_id or wait.reason is WaitReason.ACCOUNT_CONCURRENCY:
                self._ask_at[each] = 0
        self._wake.set()

    def back_off(self, until_at: int, why: str) -> None:
        """The carrier takes no calls for a while."""
        if self._rest is None or (self._rest.until_at or 0) < until_at:
            log.warning("dispatch.resting", until_at=until_at, why=why)
            self._rest = Wait(WaitReason.CARRIER_BACK_OFF, until_at, why)

    def hold(self, campaign_id: CampaignId, until_at: int, why: str) -> None:
        """The pre-dial check does not answer for a campaign: it rests, and no other does."""
        log.warning("campaign.resting", campaign=campaign_id, until_at=until_at, why=why)
        self._held[campaign_id] = Wait(WaitReason.PRE_DIAL_CHECK, until_at, why)

    async def stop_campaign(self, campaign_id: CampaignId, why: str) -> None:
        """Pause a campaign whose calls the carrier refuses for a reason of ours."""
        log.error("campaign.stopped", campaign=campaign_id, why=why)
        with suppress(DialerError):
            await self._batcher.apply(self._pause, [(campaign_id, why)])
        self._revision = ASK_AGAIN
        self._wake.set()

    @property
    def store_trouble(self) -> str | None:
        """Why members cannot be claimed, when the store refused at the last try."""
        rest = self._rest
        return rest.detail if rest and rest.reason is WaitReason.STORE_FAILED else None

    def drain(self) -> None:
        """Take no more members."""
        self.draining = True

    def at_every_turn(self, tell: Callable[[], None], *, within_s: float) -> None:
        """Call *tell* whenever the loop turns, which it does every *within_s* seconds at least."""
        self._at_turn = tell
        self._fallback_s = min(self._fallback_s, within_s)

    @property
    def campaigns(self) -> int:
        """How many campaigns are active."""
        return len(self._campaigns)

    # -- the loops -------------------------------------------------------------------------------

    async def run(self) -> None:
        """Dispatch, watch for commands and keep the explanation fresh, for ever."""
        async with asyncio.TaskGroup() as loops:
            loops.create_task(self._watch_control())
            loops.create_task(self._explain())
            while True:
                self.ticked_at = self._clock.now()
                self._at_turn()
                asking = self._asking()
                if asking:
                    await self._round(asking)
                else:
                    await self._sleep()

    async def _watch_control(self) -> None:
        """See an operator's command within the poll: campaigns started, paused, edited."""
        while True:
            with suppress(DialerError):
                await self.refresh()
            await asyncio.sleep(self._control_poll_s)

    async def refresh(self) -> None:
        """Read the campaigns again if anything an operator does has changed."""
        async with self._database.read() as tx:
            control = await tx.row("revision")
            assert control is not None, "there is one row, always"
            revision = control["revision"]
            if revision == self._revision:
                return
            plans = await self._plans.active(tx)
        self._heed_hold(hold.wait(control))
        self._campaigns = {plan.id: plan for plan in plans}
        self._ask_at = dict.fromkeys(self._campaigns, 0)
        self._waits = {k: w for k, w in self._waits.items() if k in self._campaigns}
        self._revision = revision
        self._look_again.set()
        self._wake.set()

    def _heed_hold(self, wait: Wait | None) -> None:
        if wait is not None and self._hold is None:
            log.warning("dialing.held", why=wait.detail)
        elif wait is None and self._hold is not None:
            log.info("dialing.released")
        self._hold = wait

    def _asking(self) -> list[CampaignPlan]:
        now = self._clock.now()
        if self.draining or self._hold is not None:
            return []
        if self._rest is not None:
            if now < (self._rest.until_at or 0):
                return []
            self._rest = None
        if not self._lease.valid():
            # What was claimed now would have to be given back at once, again and again.
            until_at = now + int(STORE_REST_S * MS)
            self._rest = Wait(WaitReason.STORE_FAILED, until_at, "the lease is not renewed")
            return []
        if self._held:
            self._held = {k: w for k, w in self._held.items() if (w.until_at or 0) > now}
        ready = [plan for plan in self._campaigns.values() if self._asks_at(plan.id) <= now]
        # Whoever was served longest ago comes first, so that a shared limit starves nobody.
        return sorted(ready, key=lambda plan: self._served.get(plan.id, 0))

    def _asks_at(self, campaign_id: CampaignId) -> int:
        held = self._held.get(campaign_id)
        asks_at = self._ask_at[campaign_id]
        return asks_at if held is None else max(asks_at, held.until_at or 0)

    async def _sleep(self) -> None:
        self._wake.clear()
        now = self._clock.now()
        times = [self._asks_at(campaign_id) for campaign_id in self._ask_at]
        if self._rest is not None:
            times = [self._rest.until_at or now]
        fallback_s = self._fallback_s
        wait_s = min((min(times) - now) / MS, fallback_s) if times else fallback_s
        stopped = self.draining or self._hold is not None
        with suppress(TimeoutError):
            async with asyncio.timeout(fallback_s if stopped else max(wait_s, 0.001)):
                await self._wake.wait()

    async def _round(self, asking: Sequence[CampaignPlan]) -> None:
        limit = max(1, ROUND_SIZE // len(asking))
        requests = [ClaimRequest(plan, limit) for plan in asking]
        for plan in asking:
            self._ask_at[plan.id] = 0
            self._waits.pop(plan.id, None)
        self._nudged.clear()
        asked_of = self._revision
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        try:
            results = await self._batcher.apply(self._claims.claim, requests, alone=True)
            self._told.over("claim")
        except DialerError as error:
            if self._told.is_news("claim", str(error)):
                log.error("claim.failed", error=str(error))
            until_at = self._clock.now() + int(STORE_REST_S * MS)
            self._rest = Wait(WaitReason.STORE_FAILED, until_at, str(error))
            return
        finally:
            self._meters.ticked(loop.time() - began_s)
        for plan, result in zip(asking, results, strict=True):
            self._heed(plan, result)
        if self._revision not in (asked_of, ASK_AGAIN):
            # An operator's command was seen meanwhile: what was answered may hold no more.
            self._ask_at = dict.fromkeys(self._campaigns, 0)

    def _heed(self, plan: CampaignPlan, result: ClaimResult) -> None:
        self._launcher.add(result.claims)
        if result.claims:
            self._rounds += 1
            self._served[plan.id] = self._rounds
        if result.stale or result.finished:
            self._campaigns.pop(plan.id, None)
            self._ask_at.pop(plan.id, None)
            self._revision = ASK_AGAIN
        if result.finished:
            log.info("campaign.completed", campaign=plan.id, name=plan.name)
        if result.wait is not None and plan.id in self._ask_at:
            fallback_at = self._clock.now() + int(self._fallback_s * MS)
            self._waits[plan.id] = result.wait
            self._ask_at[plan.id] = min(result.wait.until_at or fallback_at, fallback_at)
            if self._overtaken(plan.id, result.wait):
                self._ask_at[plan.id] = 0

    def _overtaken(self, campaign_id: CampaignId, wait: Wait) -> bool:
        """Whether a call ended while the answer was on its way: it may be another one by now."""
        account_is_full = wait.reason is WaitReason.ACCOUNT_CONCURRENCY
        return campaign_id in self._nudged or (account_is_full and bool(self._nudged))

    # -- the explanation -------------------------------------------------------------------------

    async def _explain(self) -> None:
        """Write down, every so often, why each campaign's members are not being dialed."""
        while True:
            began_at = self._clock.now()
            with suppress(DialerError):
                await self.explain_now()
            # Counting takes the longer the more members there are; it gets a small share.
            took_s = (self._clock.now() - began_at) / MS
            self._look_again.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(max(self._explain_s, EXPLAIN_SHARE * took_s)):
                    await self._look_again.wait()

    async def explain_now(self) -> None:
        """Write the reasons down at once; a reader counts, so that no claim has to wait."""
        now = self._clock.now()
        async with self._database.read() as tx:
            plans = await self._plans.open(tx)
            counted = [
                await count_waits(tx, plan, self.wait_of(plan), now, self._claims.times)
                for plan in plans
            ]
        await self._batcher.apply(record_waits, counted)

    def wait_of(self, plan: CampaignPlan) -> Wait:
        """What keeps the due members of a campaign from being dialed at this moment."""
        if plan.status is CampaignStatus.DRAFT:
            return Wait(WaitReason.DRAFT, None)
        if plan.status is CampaignStatus.PAUSED:
            return Wait(WaitReason.PAUSED, None)
        if self.draining:
            return Wait(WaitReason.DRAINING, None)
        if self._hold is not None:
            return self._hold
        held = self._held.get(plan.id) or self._waits.get(plan.id)
        return self._rest or held or Wait(WaitReason.NEXT, None)

    async def _pause(self, tx: Tx, ops: Sequence[tuple[CampaignId, str]]) -> list[None]:
        for campaign_id, why in ops:
            await pause_by_engine(tx, campaign_id, why, self._clock.now())
        return [None] * len(ops)
