"""The composition root: the only place that puts adapters and use cases together."""

import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from fastapi import FastAPI
from starlette.applications import Starlette

from dialer import __version__, do_not_call, pacing, retention, rule_book
from dialer.attempts import Attempts
from dialer.batching import Batcher
from dialer.bounds import account_limits, call_times, claim_times
from dialer.calls import Calls, CallTimes
from dialer.carriers.current import CurrentCarrier
from dialer.carriers.twilio import TwilioCarrier
from dialer.carriers.twilio_callbacks import TwilioCallbacks
from dialer.carriers.twilio_config import TwilioConfig
from dialer.claims import Claims
from dialer.clock import SteadyClock
from dialer.clock_watch import ClockWatch
from dialer.dispatcher import FALLBACK_S, Dispatcher
from dialer.erased import ErasedPhones, PhoneKey
from dialer.errands import Errands
from dialer.errors import DialerError, StoreError
from dialer.found_calls import FoundCalls
from dialer.health import Health
from dialer.holiday_calendars import public_holidays
from dialer.jobs import Job, Jobs, nightly
from dialer.launcher import Launcher
from dialer.leases import Lease
from dialer.listening.listener import Listener
from dialer.listening.sound import ears_from
from dialer.meters import NO_METERS, Meters
from dialer.metrics.gauges import GaugeReader
from dialer.metrics.registry import Metrics
from dialer.model import AttemptId, InboundCall
from dialer.plans import Plans
from dialer.ports import CallbackDoor, Carrier, Clock, Ids, PreDialCheck, Rng
from dialer.pre_dial import opening as pre_dial
from dialer.randomness import SystemIds, system_rng
from dialer.reaper import Reaper
from dialer.reconciling import Reconciler
from dialer.screening import Screening
from dialer.scripts import Scripts
from dialer.settings import Settings
from dialer.store import backups
from dialer.store.direct import MemoryDatabase
from dialer.store.exclusive import sole_daemon
from dialer.store.naming import shown
from dialer.store.opening import AnyDatabase, opened
from dialer.store.phone_key import phone_key
from dialer.store.sqlite import READERS
from dialer.timezones import zone
from dialer.web.app import create_app
from dialer.web.metrics import metrics_app
from dialer.web.services import LiveCall, WebServices

#: A call that should be over is listened to for so long, in seconds.
END_GRACE_S = 60


@dataclass(frozen=True, slots=True)
class Engine:
    """Everything that dials, put together; see ``daemon.py`` for how it runs."""

    clock: Clock
    database: "AnyDatabase | MemoryDatabase"
    batcher: Batcher
    calls: Calls
    claims: Claims
    launcher: Launcher
    dispatcher: Dispatcher
    reaper: Reaper
    lease: Lease
    errands: Errands
    listener: Listener
    times: CallTimes
    meters: Meters


@dataclass(frozen=True, slots=True)
class Monitoring:
    """What is counted, what is read when somebody asks, and the application that tells both."""

    metrics: Metrics
    gauges: GaugeReader
    web: Starlette


async def _stay_connected(_settings: Settings) -> None:
    """For carriers that know no credentials."""


@dataclass(frozen=True, slots=True)
class App:
    """A daemon's parts."""

    settings: Settings
    engine: Engine
    jobs: Jobs
    web: FastAPI
    carrier: Carrier
    reconciler: Reconciler | None = None  # where the carrier tells what it has done
    watch: ClockWatch | None = None  # where the machine's clock is the time
    reconnect: Callable[[Settings], Awaitable[None]] = _stay_connected  # with new credentials
    monitoring: Monitoring | None = None  # where the settings name a port for it


def engine_from(
    settings: Settings,
    database: "AnyDatabase | MemoryDatabase",
    carrier: Carrier,
    *,
    clock: Clock,
    rng: Rng,
    ids: Ids,
    lease: Lease,
    check: PreDialCheck | None = None,
    fallback_s: float = FALLBACK_S,
    meters: Meters = NO_METERS,
    fingerprint: Callable[[str], str] | None = None,
) -> Engine:
    """Assemble the engine around ports; *lease* is acquired already.

    *check* is asked before every call, if the settings name one.
    A campaign that waits is asked about again after *fallback_s* whatever it waits for, because
    another daemon may have changed that. *meters* are told what happens; *fingerprint* tells one
    callee from another in the log.
    """
    times = call_times(settings)
    attempts = Attempts(sole=lease.sole)
    plans = Plans(public_holidays)

    def forget() -> None:
        attempts.forget()
        plans.forget()

    batcher = Batcher(database, on_rollback=forget)
    calls = Calls(
        clock, rng, batcher, attempts, plans, times, meters=meters, fingerprint=fingerprint
    )
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
        meters=meters,
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
        meters=meters,
    )
    reaper = Reaper(
        clock,
        database,
        batcher,
        calls,
        carrier,
        plans,
        lease,
        times,
        sweep_s=settings.sweep_s,
        meters=meters,
    )
    errands = Errands(  # asked only then for an address, which an engine without a carrier lacks
        carrier, lambda topic, attempt_id: carrier_config(settings).topic_url(topic, attempt_id)
    )
    listener = Listener(
        clock,
        database,
        batcher,
        calls.receive,
        longest_s=settings.call_time_limit_s + END_GRACE_S,
        ears=lambda: ears_from(settings.amd_model),
    )
    launcher.attach(dispatcher)
    calls.subscribe(dispatcher.nudge, errands.add, listener.over)
    return Engine(
        clock=clock,
        database=database,
        batcher=batcher,
        calls=calls,
        claims=claims,
        launcher=launcher,
        dispatcher=dispatcher,
        reaper=reaper,
        lease=lease,
        errands=errands,
        listener=listener,
        times=times,
        meters=meters,
    )


def web_from(settings: Settings, engine: Engine, door: CallbackDoor) -> FastAPI:
    """What the carrier and other programs ask of an engine."""
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

    async def call_named(call: str) -> LiveCall | None:
        async with database.read() as tx:
            row = await tx.row("live_call", call=call)
        return None if row is None else LiveCall(row["id"], row["sid"])

    scripts = Scripts(database, settings.call_time_limit_s)
    return create_app(
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
            listener=engine.listener,
            call_named=call_named,
            api_token=settings.api_token.get_secret_value(),
            health=Health(clock, database, engine.dispatcher, engine.lease).checks,
            daemon=engine.lease.mark,
            patience_s=settings.answer_patience_s,
            meters=engine.meters,
        )
    )


def app_from(
    settings: Settings,
    engine: Engine,
    carrier: Carrier,
    door: CallbackDoor,
    own_jobs: Sequence[Job] = (),
) -> App:
    """Put the web server and the periodic jobs around an engine; *own_jobs* are further ones."""
    clock, database = engine.clock, engine.database
    web = web_from(settings, engine, door)

    async def purge() -> None:
        await retention.purge_tonight(database, clock, settings.retention)

    kept_for_ever = not settings.retention.days
    purges = [] if kept_for_ever else [nightly("purge", purge, hour=2, minute=47, at_start=True)]
    maintain = nightly("maintain", database.maintain, hour=3, minute=17)
    jobs = Jobs(clock, [*purges, maintain, *own_jobs])
    return App(settings=settings, engine=engine, jobs=jobs, web=web, carrier=carrier)


@asynccontextmanager
async def build(settings: Settings) -> AsyncIterator[App]:
    """Put a live daemon together; its connections close when the block ends."""
    settings.require_carrier()
    clock, rng = SteadyClock(settings.scale), system_rng()
    metrics = metrics_of(settings)
    meters = metrics or NO_METERS
    meters.settings_loaded(clock.now())
    async with AsyncExitStack() as stack:
        if not settings.is_postgres:
            stack.enter_context(sole_daemon(Path(settings.database)))
        with _advice():
            database = await stack.enter_async_context(
                opened(
                    settings.database,
                    rng,
                    busy_timeout_s=settings.busy_timeout_s,
                    meters=meters,
                    readers=READERS + (metrics is not None),  # last looks wait for no gauge
                )
            )
            await _require_whole(database, shown(settings.database))

        def client(settings: Settings) -> TwilioCarrier:
            return TwilioCarrier(carrier_config(settings), clock, meters=meters)

        carrier = await stack.enter_async_context(CurrentCarrier(client(settings)))

        in_force = settings

        async def reconnect(settings: Settings) -> None:
            nonlocal in_force
            in_force = settings
            await carrier.exchange(client(settings))

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
            meters=meters,
        )
        with _advice():
            await lease.acquire()
            async with database.write() as tx:
                await tx.run(
                    "describe_daemon",
                    id=lease.daemon_id,
                    host=socket.gethostname(),
                    pid=os.getpid(),
                    version=__version__,
                )
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
            meters=meters,
            fingerprint=_fingerprint(settings),
        )
        watch = ClockWatch(clock, engine.dispatcher, hold_s=engine.times.last_look_s)
        door = TwilioCallbacks(carrier_config(settings))
        app = app_from(settings, engine, carrier, door, _backups(settings, clock, database))
        reconciler = Reconciler(
            clock,
            database,
            engine.batcher,
            engine.calls,
            engine.reaper,
            FoundCalls(
                clock,
                SystemIds(),
                lease.daemon_id,
                Plans(public_holidays),
                ErasedPhones(lambda: _phone_key(settings)),
            ),
            engine.times,
            lambda: client(in_force),
        )
        monitoring = None
        if metrics is not None:
            monitoring = monitoring_from(settings, clock, database, metrics, lease)
        yield replace(
            app,
            reconciler=reconciler,
            watch=watch,
            monitoring=monitoring,
            reconnect=reconnect,
        )


def _backups(settings: Settings, clock: Clock, database: AnyDatabase) -> list[Job]:
    """The nightly backup, where there is a file to copy and a folder to copy it to."""
    if settings.is_postgres or not settings.backup_dir:
        return []
    wanted = backups.nightly(
        Path(settings.database),
        settings.backup_dir,
        settings.backup_at,
        settings.default_zone,
        keep_daily=settings.backup_keep_daily,
        keep_weekly=settings.backup_keep_weekly,
    )
    made = backups.Backups(clock, database, wanted, busy_timeout_s=settings.busy_timeout_s)
    hour, minute = wanted.at.hour, wanted.at.minute
    in_zone = zone(wanted.zone)
    return [nightly("backup", made.run, hour=hour, minute=minute, zone=in_zone, at_start=True)]


def metrics_of(settings: Settings) -> Metrics | None:
    """What counts for a daemon that has a port to tell it at."""
    if not settings.metrics_port:
        return None
    return Metrics(lines_limit=settings.max_concurrent, speed=settings.scale.speed)


def monitoring_from(
    settings: Settings, clock: Clock, database: AnyDatabase, metrics: Metrics, lease: Lease
) -> Monitoring:
    """Put what is counted, and what a database says, behind an address."""
    gauges = GaugeReader(clock, database, database.sizes, speed=settings.scale.speed)

    async def scrape(accept: str) -> tuple[bytes, str]:
        return metrics.exposition(accept, await gauges.fresh())

    return Monitoring(metrics, gauges, metrics_app(scrape, lease.mark))


def _fingerprint(settings: Settings) -> Callable[[str], str] | None:
    """What tells one callee from another in the log; without a key nothing does.

    No key is made for it: where people have been erased, only the key of that time will do.
    """
    try:
        return _phone_key(settings).fingerprint
    except DialerError:
        return None


def _phone_key(settings: Settings) -> PhoneKey:
    return phone_key(
        settings.database, settings.privacy_key.get_secret_value(), settings.privacy_key_file
    )


@contextmanager
def _advice() -> Iterator[None]:
    """Tell whoever starts a daemon on a database that fails what may help."""
    try:
        yield
    except StoreError as error:
        if error.next_step is None:
            error.next_step = (
                "make room on its disk and let this user write it; if it is damaged, put the "
                "newest backup in its place: dialer db restore FILE"
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
        transcription_engine=settings.transcription_engine,
        transcription_model=settings.transcription_model,
    )
