"""The carrier itself, without HTTP: accepts calls, queues them, knows them and changes them.

Everything it needs from outside is handed in, so that it runs in its own process behind
:mod:`.server` as well as inside another one in virtual time.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from hashlib import blake2b
from types import TracebackType
from typing import Final, Self

from dialer.carrier_sim import truth
from dialer.carrier_sim.api_errors import ApiError
from dialer.carrier_sim.call import Call, Shared
from dialer.carrier_sim.chance import stream
from dialer.carrier_sim.courier import Courier
from dialer.carrier_sim.cps import CpsQueue
from dialer.carrier_sim.errands import Errands
from dialer.carrier_sim.faults import Dice, Faults
from dialer.carrier_sim.hearing import Verdict, hear
from dialer.carrier_sim.media import MediaStreams, Sockets
from dialer.carrier_sim.numbers import Numbers
from dialer.carrier_sim.orders import CallOrder, Form, hook, one, time_limit_s
from dialer.carrier_sim.profiles import (
    DEFAULT_PROFILE,
    FLAWLESS,
    CallPlan,
    Dial,
    Profile,
    plan_call,
    scripted,
)
from dialer.carrier_sim.truth import TruthLog
from dialer.carrier_sim.webhook import Poster

DAY_MS: Final = 86_400_000


@dataclass(frozen=True, slots=True)
class Setup:
    """What kind of carrier it is."""

    account_sid: str
    seed: int = 1
    profile: Profile = DEFAULT_PROFILE
    faults: Faults = field(default_factory=Faults)
    cps: float = 1.0  # calls per second; Twilio's default
    numbers: Numbers = field(default_factory=Numbers)
    patience: float = 1.0  # loop seconds in a second of the machines we call


def hour_unknown(phone: str, at: int) -> int | None:
    """For a carrier that does not know where its callees live."""
    del phone, at
    return None


class Exchange:
    """All calls of one account. Use as a context manager on the loop it is to run on.

    *now* gives UTC milliseconds, *hour_at* the hour of the day at a number. *history* are calls of
    earlier runs; those that had not ended have failed. Without *sockets* no media stream opens.
    """

    def __init__(
        self,
        setup: Setup,
        *,
        now: Callable[[], int],
        poster: Poster,
        truth_log: TruthLog,
        hour_at: Callable[[str, int], int | None] = hour_unknown,
        history: Iterable[truth.Call] = (),
        sockets: Sockets | None = None,
    ) -> None:
        self.setup = setup
        self.dice = Dice(setup.faults, setup.seed)
        self.truth = truth_log
        self.now = now
        self._poster = poster
        self._hour_at = hour_at
        self._history = history
        self._sockets = sockets
        self.started_at = now()
        self._calls: dict[str, Call] = {}
        self._by_to: defaultdict[str, list[Call]] = defaultdict(list)
        self._attempts: Counter[str] = Counter()
        self._per_number: Counter[tuple[str, int]] = Counter()
        self._accepted = 0
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self.errands = await self._stack.enter_async_context(Errands())
        self.courier = Courier(
            self._poster,
            self.errands,
            self.dice,
            self.truth,
            now=self.now,
            seed=self.setup.seed,
            patience=self.setup.patience,
        )
        self.queue = CpsQueue(self.setup.cps, loop)
        self._shared = Shared(
            self.setup.account_sid,
            self.now,
            loop,
            self.truth,
            self.courier,
            self.errands,
            self.setup.seed,
            MediaStreams(
                self._sockets,
                self.errands,
                self.dice,
                seed=self.setup.seed,
                patience=self.setup.patience,
            ),
        )
        self.truth.record(truth.Event.STARTED, self.started_at, self._description())
        for past in self._history:
            self._keep(Call.restored(self._shared, past))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.queue.close()
        for call in self._calls.values():
            call.abandon()
        await self._stack.__aexit__(kind, error, tb)

    # -- requests ---------------------------------------------------------------------------------

    def accept(self, order: CallOrder, arrived_at: int) -> Call:
        """Make a call of *order*; ApiError 22005 when a day's worth of calls is queued already."""
        if self.queue.full:
            raise ApiError(22005)
        accepted_at = self.now()
        plan, detection = self._plan(order, accepted_at)
        attempts_before = self._attempts[order.to]
        call = Call(
            self._shared, self._new_sid(), order, plan, accepted_at, detection, attempts_before
        )
        call.queue_s = self.queue.wait_s
        call.listed_at += round(self.dice.list_lag_s() * 1000)
        facts = _acceptance(call, arrived_at)
        self.truth.record(truth.Event.ACCEPTED, accepted_at, facts)
        self._keep(call)
        self.queue.add(call.sid, call.dial)
        return call

    def call(self, sid: str) -> Call:
        """The call named *sid*; ApiError 20404 when there is none."""
        if call := self._calls.get(sid):
            return call
        path = f"/2010-04-01/Accounts/{self.setup.account_sid}/Calls/{sid}.json"
        raise ApiError(20404, path)

    def newest_first(self, to: str = "") -> Iterator[Call]:
        """Calls that lists show by now, all of them or those to one number."""
        known = self._by_to.get(to, []) if to else list(self._calls.values())
        now = self.now()
        return (call for call in reversed(known) if call.listed_at <= now)

    def update(self, sid: str, form: Form) -> Call:
        """Hang up, cancel, redirect or limit a call; ApiError 21220 once it has ended."""
        call = self.call(sid)
        asked = one(form, "Status") or "redirect"
        facts = {"sid": sid, "asked": asked, "status": call.status}
        self.truth.record(truth.Event.UPDATE, self.now(), facts)
        if not call.live:
            raise ApiError(21220)
        if elsewhere := hook(form, "StatusCallback", "StatusCallbackMethod"):
            call.tell_elsewhere(elsewhere)
        if limit_s := time_limit_s(form):
            call.limit(limit_s)
        match asked:
            case "completed":
                self._out_of_queue(call)
                call.hang_up()
            case "canceled":
                self._out_of_queue(call)
                call.cancel()
            case _:
                self._redirect(call, form)
        return call

    def delete(self, sid: str) -> None:
        """Forget a call that has ended; ApiError 20009 for one that has not."""
        call = self.call(sid)
        if call.live:
            raise ApiError(20009)
        del self._calls[sid]
        self._by_to[call.order.to].remove(call)

    def counts(self) -> dict[str, object]:
        """Figures for a test or a curious operator."""
        calls = Counter(str(call.status) for call in self._calls.values())
        return {
            **self._description(),
            "accepted": self._accepted,
            "calls": dict(calls),
            "live": sum(call.live for call in self._calls.values()),
            "waiting_in_queue": len(self.queue),
            "callbacks": {"answered": self.courier.answered, "failed": self.courier.failed},
            "errands": len(self.errands),
            "struck": {str(kind): count for kind, count in self.dice.struck.items() if count},
        }

    # -- helpers ----------------------------------------------------------------------------------

    def _plan(self, order: CallOrder, at: int) -> tuple[CallPlan, Verdict | None]:
        setup, attempts_before = self.setup, self._attempts[order.to]
        dial = Dial(
            to=order.to,
            from_=order.from_,
            ring_timeout_s=order.ring_timeout_s,
            attempts_before=attempts_before,
            number_calls_today=self._per_number[order.from_, at // DAY_MS],
            local_hour=self._hour_at(order.to, at),
        )
        plan = plan_call(setup.profile, setup.seed, dial)
        if not (order.amd and plan.answered):
            return plan, None
        confusion = FLAWLESS if scripted(order.to) else setup.profile.amd
        rng = stream(setup.seed, "amd", order.to, attempts_before)
        return plan, hear(plan, order.amd, confusion, rng)

    def _new_sid(self) -> str:
        """Never the same twice, in this run or another, yet the same in a repeated one."""
        name = f"{self.setup.seed}:{self.started_at}:{self._accepted}"
        return "CA" + blake2b(name.encode(), digest_size=16).hexdigest()

    def _keep(self, call: Call) -> None:
        to, from_ = call.order.to, call.order.from_
        self._calls[call.sid] = call
        self._by_to[to].append(call)
        self._attempts[to] += 1
        self._accepted += 1
        self._per_number[from_, call.accepted_at // DAY_MS] += 1

    def _out_of_queue(self, call: Call) -> None:
        self.queue.remove(call.sid)

    def _redirect(self, call: Call, form: Form) -> None:
        source = hook(form, "Url", "Method") or one(form, "Twiml")
        if source and not call.redirect(source):
            raise ApiError(21220)

    def _description(self) -> Mapping[str, object]:
        setup = self.setup
        return {
            "seed": setup.seed,
            "profile": setup.profile.name,
            "faults": str(setup.faults),
            "cps": setup.cps,
        }


def _acceptance(call: Call, arrived_at: int) -> dict[str, object]:
    order = call.order
    return {
        "sid": call.sid,
        "to": order.to,
        "from_": order.from_,
        "token": order.token,
        "arrived_at": arrived_at,
        "queue_s": round(call.queue_s, 3),
        "status_callback": order.status.url if order.status else "",
        "status_callback_method": order.status.method if order.status else "POST",
        "status_callback_events": sorted(order.events),
    }
