"""Taking in what the carrier has done, where no daemon runs that would."""

import asyncio
from collections.abc import Callable
from typing import Final

from dialer.app import build
from dialer.hold import Hold
from dialer.reconciling import Reconciled, Telling
from dialer.settings import Settings

_MS: Final = 1000


async def reconciled_alone(
    settings: Settings, held: Hold, telling: Telling, waits: Callable[[float], None]
) -> Reconciled:
    """Be a daemon that dials nobody, until everything is taken in.

    *waits* is told of the seconds until the carrier's list is complete, if it is not yet.
    """
    async with build(settings) as app:
        engine, reconciler = app.engine, app.reconciler
        assert reconciler is not None, "a live daemon has one"
        wait_s = (reconciler.begins_at(held) - engine.clock.now()) / _MS
        if wait_s > 0:
            waits(wait_s)
        await engine.lease.take_over(engine.times.first_look_s, engine.times.settled_s)
        async with asyncio.TaskGroup() as group:
            loops = [
                group.create_task(each())
                for each in (engine.batcher.run, engine.lease.run, engine.reaper.run)
            ]
            done = await reconciler.reconcile(held, telling)
            await engine.batcher.settled()
            for loop in loops:
                loop.cancel()
        await engine.lease.release()
        return done
