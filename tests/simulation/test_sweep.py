"""There is no moment at which a daemon may not be killed."""

from pathlib import Path

import pytest

from dialer.simulation.effects import Effects
from dialer.simulation.evidence import violations
from dialer.simulation.run import run
from dialer.simulation.sweep import killed_at, small_campaign, sweep

#: Between the end of one statement and the begin of the next nothing happens, mostly: every other
#: moment would do; these runs take every third, and so both kinds.
STEP = 3


def test_a_small_campaign_survives_a_kill_at_any_moment() -> None:
    deaths = list(sweep(small_campaign(), step=STEP))

    assert [(death.kill, *death.violations) for death in deaths if death.violations] == []
    assert len(deaths) > 100
    effects = {death.kill.effect for death in deaths}
    assert {"before COMMIT", "after COMMIT"} <= effects


def test_a_kill_between_the_last_look_and_the_socket_rings_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    effects: list[str] = []
    reach = Effects.reach

    def noted(self: Effects, name: str) -> bool:
        before = self.count
        goes_on = reach(self, name)
        effects.extend([name] * (self.count - before))
        return goes_on

    with monkeypatch.context() as noting:
        noting.setattr(Effects, "reach", noted)
        run(small_campaign(), tmp_path)

    death = killed_at(small_campaign(), effects.index("place") + 1)

    assert death is not None
    assert (death.kill.effect, death.violations) == ("place", [])


def test_the_campaign_of_the_sweep_is_in_order_when_nobody_dies(tmp_path: Path) -> None:
    outcome = run(small_campaign(), tmp_path)

    assert (violations(outcome), outcome.kills, dict(outcome.struck)) == ([], [], {})
    fates = [event["status"] for event in outcome.truth if event["event"] == "ended"]
    assert sorted(fates) == ["busy", "completed", "completed", "no-answer"]
