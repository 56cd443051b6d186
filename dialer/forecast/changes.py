"""What an operator might set otherwise, and what becomes of a campaign's setup by it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from dialer.errors import UsageError
from dialer.forecast.snapshot import Number, Setup, Snapshot

#: In place of a schedule's name: always open.
ALWAYS = "none"


@dataclass(frozen=True, slots=True)
class Changes:
    """Settings by the names of :class:`~dialer.campaigns.NewCampaign`, and what lies around it."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    numbers: int = 0  # so many more
    schedule: str | None = None  # the name of another one; None: as it is
    calls_per_second: float | None = None

    @property
    def schedule_names(self) -> Sequence[str]:
        """The schedules whose hours must be read."""
        return [self.schedule] if self.schedule and self.schedule != ALWAYS else []

    def applied_to(self, snapshot: Snapshot) -> Setup:
        """The campaign's setup with the changes; UsageError for values out of bounds."""
        setup = snapshot.setup
        numbers = [*setup.numbers, *_added(setup.numbers, self.numbers)]
        pool = [(number.id, number.weight) for number in numbers]
        campaign = replace(setup.campaign, numbers=pool, **self.settings)
        campaign.check()
        changed = replace(setup, campaign=campaign, numbers=numbers)
        if self.calls_per_second is not None:
            changed = replace(changed, calls_per_second=self.calls_per_second)
        if self.schedule == ALWAYS:
            changed = replace(changed, schedule=None, schedule_body=None)
        elif self.schedule is not None:
            body = snapshot.schedules[self.schedule]
            changed = replace(changed, schedule=self.schedule, schedule_body=body)
        return changed


def _added(numbers: Sequence[Number], count: int) -> list[Number]:
    """New numbers, clean and unused, living where the first one does."""
    if not count:
        return []
    if not numbers:
        raise UsageError("numbers: the campaign has none whose zone a further one could share")
    last_id = max(number.id for number in numbers)
    return [
        Number(last_id + n, f"new {n}", numbers[0].zone, 1, True, None, None, 0)
        for n in range(1, count + 1)
    ]
