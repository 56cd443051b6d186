"""What `dialer db restore` and `dialer db reconcile` do."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dialer.commands.console import confirm, confirm_typed, counted, emit, iso, moment, say, table

if TYPE_CHECKING:
    from dialer.hold import Hold
    from dialer.ports import Tx
    from dialer.reconciling import Reconciled
    from dialer.restored import NotErased
    from dialer.settings import Settings
    from dialer.store.restore import Carried, Preparation, Restored

_MS = 1000
#: How many calls a reconciliation has looked at is said after so many of them.
_SAID_EVERY = 500


def restore(copy: Path, *, named: str | None, yes: bool, as_json: bool) -> None:
    """Put *copy* in the place of the deployment's database, and hold everything."""
    from dialer.commands.session import settings_of
    from dialer.errors import UsageError, WrongStateError

    settings = settings_of()
    if settings.is_postgres:
        raise WrongStateError(
            "a PostgreSQL database is restored by PostgreSQL's own tool, pg_restore; hold"
            " everything before and reconcile after",
            next_step="see docs/how-to/backups.md",
        )
    name = Path(settings.database).name
    if named is not None and named != name:
        raise UsageError(f"--confirm {named}: the database is {name}")
    done = asyncio.run(_restored(settings, copy, yes=yes or named is not None))
    _tell(done, as_json=as_json)


async def _restored(settings: "Settings", copy: Path, *, yes: bool) -> "Restored":
    from dialer.clock import SystemClock
    from dialer.commands.session import erased_phones, operator
    from dialer.randomness import system_rng
    from dialer.restored import erase_again
    from dialer.store.restore import Restored, prepared

    clock, database = SystemClock(settings.scale), Path(settings.database)
    async with prepared(database, copy, busy_timeout_s=settings.busy_timeout_s) as preparation:
        _ask(preparation, clock.now(), yes=yes)
        async with preparation.opened(system_rng(), operator(settings)) as fresh:
            if preparation.carried is not None and preparation.carried.erased:
                _say_kept(await erase_again(fresh, clock, erased_phones(settings)))
            async with fresh.write() as tx:
                begun = await preparation.hold(tx, clock.now())
        replaced = preparation.put_in_place(_replaced(database, clock.now()))
        return Restored(
            database,
            copy,
            preparation.taken_at,
            preparation.schema_before,
            preparation.schema,
            replaced,
            preparation.carried if replaced else None,
            begun.paused,
        )


def _ask(preparation: "Preparation", now: int, *, yes: bool) -> None:
    taken_at, name = preparation.taken_at, preparation.database.name
    say(
        f"{preparation.copy} knows of nothing after {moment(taken_at)}, {_ago(now - taken_at)} ago:"
        " what was brought in, changed or called since is not in it"
    )
    if not preparation.database.exists():
        return
    if preparation.carried is None:
        say(
            f"{name} cannot be read: requests not to be called that were made since are LOST, and"
            " so are erasures and stops; make them again before anybody is called"
        )
    confirm_typed(f"Put it in the place of {name}?", name, yes=yes, declined="nothing was changed")


def _say_kept(kept: "Sequence[NotErased]") -> None:
    for each in kept:
        say(f"{each.why}; it is on the do-not-call list")
        say(f"next:  when all is reconciled: dialer erase {each.phone}")


def _replaced(database: Path, now: int) -> Path:
    """A name that nothing has yet: of two restores in a second, both keep what they replace."""
    from datetime import UTC, datetime

    stamp = datetime.fromtimestamp(now / _MS, UTC).strftime("%Y%m%dT%H%M%SZ")
    file = database.resolve()
    names = chain([stamp], (f"{stamp}-{number}" for number in count(2)))
    found = (file.with_name(f"{file.name}.replaced-{name}") for name in names)
    return next(path for path in found if not path.exists())


def _tell(done: "Restored", *, as_json: bool) -> None:
    if as_json:
        emit(
            {
                "database": str(done.database),
                "copy": str(done.copy),
                "taken_at": iso(done.taken_at),
                "schema_before": done.schema_before,
                "schema": done.schema,
                "replaced": None if done.replaced is None else str(done.replaced),
                "carried": None if done.carried is None else asdict(done.carried),
                "paused": list(done.paused),
                "hold": True,
            }
        )
    else:
        say(f"{done.database} is what {done.copy} was")
        if done.schema_before != done.schema:
            say(f"its schema was {done.schema_before} and is {done.schema} now")
    if done.carried is not None:
        _tell_carried(done.carried)
    if done.replaced is not None:
        say(f"that database is kept, with its own audit log: {done.replaced}")
    if done.paused:
        say(f"paused, since nobody can tell what else was stopped: {', '.join(done.paused)}")
    say("everything is held: calls made since the copy was taken are not known here yet")
    say("next:  bring in again what was brought in since: dialer contacts import FILE")
    say("next:  dialer db reconcile, or start the daemon, which does it; then dialer resume --all")
    if done.paused:
        say("next:  for each campaign that is to go on: dialer campaign resume NAME")


def _tell_carried(carried: "Carried") -> None:
    stops = carried.stops
    say(
        f"carried over from the database that was replaced: {carried.dnc} do-not-call"
        f" entries, {carried.dnc_history} events of their history, {carried.erased} erased numbers"
    )
    say(
        f"stopped as they were there: {counted(stops.campaigns, 'campaign')},"
        f" {counted(stops.numbers, 'number')}, {counted(stops.skipped, 'contact')} skipped;"
        f" calling rules {'are stricter now' if stops.rules else 'are as in the copy'}"
    )
    say(
        "NOT carried over: imports and edits of contacts, members taken out, schedules, settings,"
        " numbers and campaigns made since"
    )


def _ago(ms: int) -> str:
    hours, minutes = divmod(max(0, ms) // 60_000, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{counted(days, 'day')} and {counted(hours, 'hour')}"
    return f"{counted(hours, 'hour')} and {counted(minutes, 'minute')}"


# -- reconciling ----------------------------------------------------------------------------------


def reconcile(since: str | None, *, skip: bool, yes: bool, as_json: bool) -> None:
    """Take in what the carrier has done since; a running daemon is asked to do it."""
    from dialer import clock, reconciling
    from dialer.commands.session import past_of, settings_of, writing
    from dialer.reconciled_alone import reconciled_alone

    if skip:
        confirm("Dial on without asking the carrier who has been called since?", yes=yes)
        writing(reconciling.give_up)
        say("counted as reconciled, without asking the carrier; next:  dialer resume --all")
        return
    settings = settings_of()
    since_at = None if since is None else past_of(since, settings)
    narrow = since_at is not None and _is_to_be_narrowed(since_at, yes=yes)

    async def wanted(tx: "Tx", now: int) -> "tuple[Hold, bool]":
        held = await reconciling.want(tx, now, since_at=since_at, narrow=narrow)
        return held, bool(await tx.rows("live_daemons", now=now))

    held, alive = writing(wanted)
    if alive and (settings.is_postgres or _daemon_runs(Path(settings.database))):
        if as_json:
            emit({"asked": True, "done": None})
        say("the daemon that runs does it; the hold says when it is done: dialer campaign list")
        return
    done = clock.run(reconciled_alone(settings, held, _Said(), _say_wait), settings.scale)
    if as_json:
        emit({"asked": False, "done": _as_data(done)})
    else:
        _show(done)
    say("next:  dialer resume --all")


def _is_to_be_narrowed(since_at: int, *, yes: bool) -> bool:
    """Whether calls that are to be taken in are to be left out, which somebody must want."""
    from dialer import hold, reconciling
    from dialer.commands.session import reading

    async def standing(tx: "Tx", _now: int) -> "Hold | None":
        return await hold.standing(tx)

    held = reading(standing)
    if held is None or not reconciling.narrows(held, since_at):
        return False
    since, later = moment(held.reconcile_since_at), moment(since_at)
    say(f"calls may be missing since {since}: whoever was called from then to {later} would be")
    say("called again")
    confirm(f"Leave out the calls from {since} to {later}?", yes=yes)
    return True


def _daemon_runs(database: Path) -> bool:
    from dialer.errors import WrongStateError
    from dialer.store.exclusive import sole_daemon

    try:
        with sole_daemon(database):
            return False
    except WrongStateError:
        return True


def _say_wait(wait_s: float) -> None:
    say(f"the carrier is asked in {wait_s:.0f} s, when its list is complete")


class _Said:
    """Tells somebody at a terminal how a reconciliation goes on, in a line now and then."""

    def started(self, since_at: int) -> None:
        say(f"the carrier is asked for its calls since {moment(since_at)}")

    def listed(self, calls: int) -> None:
        say(f"{counted(calls, 'call')} listed so far")

    def taken(self, calls: int, of: int) -> None:
        if calls == of or calls % _SAID_EVERY == 0:
            say(f"{calls:,} of {counted(of, 'call')} looked at")

    def found(self, kind: object, call: object) -> None:
        """At the end, a table names them all."""

    def done(self, words: str) -> None:
        """It is said at the end, before that table."""


def _as_data(done: "Reconciled") -> Mapping[str, Any]:
    return {
        "since": iso(done.since_at),
        "listed": done.listed,
        "recorded": len(done.recorded),
        "shared": done.shared,
        "strangers": [_call(call) for call in done.strangers],
        "foreign": [_call(call) for call in done.foreign],
    }


def _call(call: Any) -> Mapping[str, Any]:
    return {"sid": call.sid, "to": call.to, "from": call.from_, "at": iso(call.created_at)}


def _show(done: "Reconciled") -> None:
    say(done.words)
    rows = [
        [what, call.sid, call.to, call.from_, moment(call.created_at)]
        for what, calls in (("nobody here", done.strangers), ("unknown number", done.foreign))
        for call in calls
    ]
    if rows:
        table(["left out", "call", "to", "from", "at"], rows)
    if done.foreign:
        say("numbers that were added after the copy was taken: add them, then reconcile again")
    if done.strangers:
        say("people who were brought in after it: bring them in again, then reconcile again")
    if done.foreign or done.strangers:
        say("until then whoever had such a call rests for a day from it, and caps count it")
    if done.shared:
        say(
            f"{counted(done.shared, 'call')} may have been those of several campaigns; the others"
            " leave their callees alone for a day"
        )
