"""Daemon after daemon, each killed at a moment of its own, on one stage."""

import random
import signal
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from subprocess import TimeoutExpired
from typing import Final

from dialer.model import CampaignId
from tests.support.changes import Crumbs
from tests.support.forked import Change, forked
from tests.support.stage import Stage

#: Real seconds within which a life comes to its last step, or is ended where it is.
WITHIN_S: Final = 1.0
#: Calls come one by one, so that hardly any two lives end at the same point of their work.
PACE: Final = "0.6"
#: There are always so many members left to call.
MEMBERS_LEFT: Final = 50


@dataclass(frozen=True)
class Aim:
    """When to kill: after *within_s* real seconds, unless the life comes to its last step before.

    That is the *step*-th, or the *step*-th of those whose names begin with *kind*.
    """

    within_s: float
    step: int | None = None
    kind: str = ""


def at_every_step(count: int, kind: str = "") -> Iterator[Aim]:
    """At the first step, at the second, …, at the *count*-th."""
    return (Aim(WITHIN_S, step, kind) for step in range(1, count + 1))


def at_any_moment(rng: random.Random, count: int, *, most_s: float) -> Iterator[Aim]:
    """At moments drawn evenly, the first ones before a daemon has come up."""
    return (Aim(rng.uniform(0.0, most_s)) for _ in range(count))


class Lives:
    """Starts and kills daemons that dial for one campaign, all of them with the same *changes*."""

    def __init__(self, stage: Stage, campaign_id: CampaignId, *changes: Change) -> None:
        self._stage = stage
        self._campaign_id = campaign_id
        self._changes = changes
        self.last_steps: Counter[str] = Counter()
        self.cut_off: set[str] = set()  # attempts that no call was known of when a life ended

    def live(self, aims: Iterable[Aim]) -> None:
        """One life for each aim, one after the other."""
        for aim in aims:
            self._until_killed(aim)
            self._note()

    def recover(self) -> None:
        """A last daemon, left alone: it brings the campaign to its end, and then itself."""
        daemon = forked(self._stage, *self._changes)
        self._stage.until_over()
        assert self._stage.end(daemon) == 0

    def _until_killed(self, aim: Aim) -> None:
        crumbs = Crumbs(self._stage.rehearsal.folder / "crumbs", aim.step, aim.kind)
        crumbs.path.unlink(missing_ok=True)
        daemon = forked(self._stage, crumbs, *self._changes, calls_per_second=PACE)
        self._stage.expect_end(daemon)
        with suppress(TimeoutExpired):
            daemon.wait(aim.within_s)
        self._stage.kill(daemon)
        assert daemon.wait() == -signal.SIGKILL, "ended by itself"
        self.last_steps[(crumbs.steps() or ["nothing"])[-1]] += 1

    def _note(self) -> None:
        stage = self._stage
        without_call = "SELECT id FROM attempts WHERE closed_at IS NULL AND sid IS NULL"
        self.cut_off |= {attempt_id for (attempt_id,) in stage.rows(without_call)}
        if stage.value("SELECT count(*) FROM members WHERE state = 'pending'") < MEMBERS_LEFT:
            stage.add_members(self._campaign_id, MEMBERS_LEFT)
