"""What a daemon does when the machine's clock is set."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from structlog.testing import capture_logs

from dialer.clock_watch import LOOK_S, ClockWatch
from dialer.errors import WrongStateError
from dialer.model import CampaignId
from tests.support import virtual

HOLD_S = 120.0


class Set:
    """A clock beside a machine's that is off during some stretches of time (from, until)."""

    def __init__(self, *stretches: tuple[float, float]) -> None:
        self._stretches = stretches

    def now(self) -> int:
        return virtual.now()

    def set_by_s(self) -> float:
        passed_s = (virtual.now() - virtual.EPOCH) / 1000
        return 3600.0 if any(start <= passed_s < end for start, end in self._stretches) else 0.0


@dataclass
class Brake:
    """Notes until when nobody is dialed."""

    rests: list[tuple[int, str]] = field(default_factory=list)

    def back_off(self, until_at: int, why: str) -> None:
        self.rests.append(((until_at - virtual.EPOCH) // 1000, why))

    def hold(self, campaign_id: CampaignId, until_at: int, why: str) -> None:
        raise AssertionError("a clock is no campaign's fault")

    async def stop_campaign(self, campaign_id: CampaignId, why: str) -> None:
        raise AssertionError("a clock is no campaign's fault")


def watched(clock: Set, for_s: float) -> Sequence[tuple[int, str]]:
    """The rests within *for_s* seconds of watching."""
    brake = Brake()

    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(for_s):
                await ClockWatch(clock, brake, hold_s=HOLD_S).run()

    with capture_logs():
        virtual.run(main())
    return brake.rests


def test_nothing_happens_while_nobody_touches_the_clock() -> None:
    assert watched(Set(), for_s=1000) == []


def test_nobody_is_dialed_for_as_long_as_doubts_last() -> None:
    rests = watched(Set((100, 110)), for_s=1000)

    assert rests == [(100 + HOLD_S, "this machine's clock was set by +3,600 s")]


def test_every_setting_is_another_one() -> None:
    assert len(watched(Set((100, 110), (500, 510)), for_s=1000)) == 2


def test_a_clock_that_is_not_set_back_is_for_the_next_daemon() -> None:
    with pytest.raises(WrongStateError, match=r"set by \+3,600 s.*next start") as error:
        watched(Set((100, 10_000)), for_s=100 + HOLD_S + LOOK_S)

    assert error.value.next_step == "dialer run"
