"""The composition root: the only place that puts adapters and use cases together."""

import os
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from fastapi import FastAPI

from dialer import do_not_call, pacing, retention, rule_book
from dialer.attempts import Attempts
from dialer.batching import Batcher
from dialer.bounds import account_limits, call_times, claim_times
from dialer.calls import Calls, CallTimes
from dialer.carriers.twilio import TwilioCarrier
from dialer.carriers.twilio_callbacks import TwilioCallbacks
from dialer.carriers.twilio_config import TwilioConfig
from dialer.claims import Claims
from dialer.clock import SteadyClock
from dialer.clock_watch import ClockWatch
from dialer.dispatcher import FALLBACK_S, Dispatcher
from dialer.errands import Errands
from dialer.errors import StoreError
from dialer.health import Health
from dialer.holiday_calendars import public_holidays
from dialer.jobs import Jobs, nightly
from dialer.launcher import Launcher
from dialer.leases import Lease
from dialer.model import AttemptId, InboundCall
from dialer.plans import Plans
from dialer.ports import CallbackDoor, Carrier, Clock, Ids, PreDialCheck, Rng
from dialer.pre_dial import opening as pre_dial
from dialer.randomness import SystemIds, system_rng
from dialer.reaper import Reaper
from dialer.screening import Screening
from dialer.scripts import Scripts
from dialer.settings import Settings
from dialer.store.direct import MemoryDatabase
from dialer.store.exclusive import sole_daemon
from dialer.store.naming import shown
from dialer.store.opening import AnyDatabase, opened
from dialer.web.app import create_app
from dialer.web.services import WebServices


@dataclass(frozen=True, slots=True)
class Engine:
    """Everything that dials, put together; see ``daemon.py`` for how it runs."""

    clock: Clock
    database: AnyDatabase | MemoryDatabase
    batcher: Batcher
    calls: Calls
    launcher: Launcher
    dispatcher: Dispatcher
    reaper: Reaper
    lease: Lease
    errands: Errands
    times: CallTimes


@dataclass(frozen=True, slots=True)
class App:
    """A daemon's parts."""

    settings: Settings
    engine: Engine
    jobs: Jobs
    web: FastAPI
    carrier: Carrier
    watch: ClockWatch | None = None  # where the machine's clock is the time


def engine_from(
    settings: Settings,
    database: AnyDatabase | MemoryDatabase,
    carrier: Carrier,
    *,
    clock: Clock,
    rng: Rng,
    ids: Ids,
    lease: Lease,
    check: PreDialCheck | None = None,
    fallback_s: float = FALLBACK_S,
) -> Engine:
    """Assemble the engine around ports; *lease* is acquired already.

    *check* is asked before every call, if the settings name one.
    A campaign that waits is asked about again after *fallback_s* whatever it waits for, because
    another daemon may have changed that.
    """
    times = call_times(settings)
    attempts = Attempts(sole=lease.sole)
    plans = Plans(public_holidays)

    def forget() -> None:
        attempts.forget()
        plans.forget()

    batcher = Batcher(database, on_rollback=forget)
    calls = Calls(clock, rng, batcher, attempts, plans, times)
    claims = Claims(
        clock,
        ids,
        lease.daemon_id,
        attempts,
        account_limits(settings),
        claim_times(settings),
    )
    screening = None
    if check is not None:
        screening = Screening(
            clock,
            database,
            batcher,
            calls,
            check,
            timeout_s=settings.pre_dial_timeout_s,
            fail_closed=settings.pre_dial_fail_closed,
            at_once=settings.pre_dial_at_once,
        )
    launcher = Launcher(
        clock,
        database,
        batcher,
        calls,
        carrier,
        lease,
        at_once=settings.requests_at_once,
        spacing_us=pacing.per_second(settings.calls_per_second),
        screening=screening,
    )
    dispatcher = Dispatcher(
        clock,
        database,
        batcher,
        plans,
        claims,
        launcher,
        lease,
        control_poll_s=settings.control_poll_s,
        explain_s=settings.explain_s,
        fallback_s=fallback_s,
    )
    reaper = Reaper(
        clock, database, batcher, calls, carrier, plans, lease, times, sweep_s=settings.sweep_s
    )
    errands = Errands(
        carrier, lambda attempt_id: f"{settings.public_url}/twilio/message/{attempt_id}"
    )
    launcher.attach(dispatcher)
    calls.subscribe(dispatcher.nudge, errands.add)
    return Engine(
        clock=clock,
        database=database,
        batcher=batcher,
        calls=calls,
        launcher=launcher,
        dispatcher=dispatcher,
        reaper=reaper,
        lease=lease,
        errands=errands,
        times=times,
    )


def app_from(settings: Settings, engine: Engine, carrier: Carrier, door: CallbackDoor) -> App:
    """Put the web server and the periodic jobs around an engine."""
    clock, database = engine.clock, engine.database

    async def opt_out(attempt_id: AttemptId) -> None:
        await engine.batcher.apply(do_not_call.opt_out, [(attempt_id, clock.now())], alone=True)

    async def note_inbound(call: InboundCall) -> None:
        await engine.batcher.apply(do_not_call.note_inbound, [(call, clock.now())])

    async def opt_out_caller(call: InboundCall) -> None:
        await engine.batcher.apply(do_not_call.opt_out_caller, [(call, clock.now())], alone=True)

    async def opt_out_by(kind: str, value: str) -> bool:
        ops = [do_not_call.Request(kind, value, clock.now())]
        (found,) = await engine.batcher.apply(do_not_call.opt_out_by, ops, alone=True)
        return found

    scripts = Scripts(database, settings.call_time_limit_s)
    web = create_app(
        WebServices(
            door=door,
            clock=clock,
            receive=engine.calls.receive,
            script=scripts.of,
            heard=scripts.heard,
            opt_out=opt_out,
            note_inbound=note_inbound,
            opt_out_caller=opt_out_caller,
            incoming_message=settings.incoming_message,
            opt_out_by=opt_out_by,
            api_token=settings.api_token.get_secret_value(),
            health=Health(clock, database, engine.dispatcher, engine.lease).checks,
            patience_s=settings.answer_patience_s,
        )
    )

    async def purge() -> None:
        await retention.purge_tonight(database, clock, settings.retention)

    kept_for_ever = not settings.retention.days
    purges = [] if kept_for_ever else [nightly("purge", purge, hour=2, minute=47, at_start=True)]
    jobs = Jobs(clock, [*purges, nightly("maintain", database.maintain, hour=3, minute=17)])
    return App(settings=settings, engine=engine, jobs=jobs, web=web, carrier=carrier)


@asynccontextmanager
async def build(settings: Settings) -> AsyncIterator[App]:
    """Put a live daemon together; its connections close when the block ends."""
    settings.require_carrier()
    clock, rng = SteadyClock(settings.scale), system_rng()
    async with AsyncExitStack() as stack:
        if not settings.is_postgres:
            stack.enter_context(sole_daemon(Path(settings.database)))
        with _advice():
            database = await stack.enter_async_context(
                opened(settings.database, rng, busy_timeout_s=settings.busy_timeout_s)
            )
            await _require_whole(database, shown(settings.database))
        config = carrier_config(settings)
        carrier = await stack.enter_async_context(TwilioCarrier(config, clock))
        secret = settings.pre_dial_secret.get_secret_value()
        check = await stack.enter_async_context(
            pre_dial.opened(settings.pre_dial_check, clock, secret=secret)
        )
        lease = Lease(
            clock,
            database,
            name=f"{socket.gethostname()}:{os.getpid()}",
            lease_s=settings.lease_s,
            sole=not settings.is_postgres,
        )
        with _advice():
            await lease.acquire()
            async with database.write() as tx:
                # Every attempt keeps the rules it was made under; from here on they have a name.
                await rule_book.stamped(tx, clock.now())
        engine = engine_from(
            settings,
            database,
            carrier,
            clock=clock,
            rng=rng,
            ids=SystemIds(),
            lease=lease,
            check=check,
        )
        watch = ClockWatch(clock, engine.dispatcher, hold_s=engine.times.last_look_s)
        yield replace(app_from(settings, engine, carrier, TwilioCallbacks(config)), watch=watch)


@contextmanager
def _advice() -> Iterator[None]:
    """Tell whoever starts a daemon on a database that fails what may help."""
    try:
        yield
    except StoreError as error:
        if error.next_step is None:
            error.next_step = (
                "make room on its disk and let this user write it; if it is damaged, put the "
                "newest backup in its place (it does not know of calls made since)"
            )
        raise


async def _require_whole(database: AnyDatabase, name: str) -> None:
    """Raise StoreError for damaged pages: a callee they hide would be called by two at once.

    Takes some seconds for each gigabyte.
    """
    async with database.read() as tx:
        faults = await tx.rows("storage_faults")
    if faults:
        raise StoreError(f"database {name} is damaged: {faults[0]['what'].splitlines()[-1]}")


def carrier_config(settings: Settings) -> TwilioConfig:
    """What the Twilio adapter needs of the settings."""
    return TwilioConfig(
        account_sid=settings.twilio_account_sid,
        auth_token=settings.twilio_auth_token.get_secret_value(),
        previous_auth_token=settings.twilio_auth_token_previous.get_secret_value(),
        api_key=settings.twilio_api_key,
        api_secret=settings.twilio_api_secret.get_secret_value(),
        base_url=settings.twilio_base_url,
        public_url=settings.public_url,
        timeout_s=settings.request_timeout_s,
        # Whoever asks about calls and ends them must not make those wait that place some.
        max_requests=2 * settings.requests_at_once,
        time_limit_s=settings.call_time_limit_s,
        webhook_overrides=settings.webhook_overrides,
    )
