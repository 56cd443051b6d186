"""The engine lives through simulated storms, and keeps every promise in each of them."""

from collections import Counter
from collections.abc import Sequence

import pytest

from dialer.model import AmdMode
from dialer.simulation.drawing import scenario
from dialer.simulation.scenario import REGIONS, Deed
from dialer.simulation.seeds import SeedResult, try_seed, try_seeds
from dialer.simulation.weather import KINDS

SEEDS = range(120)

#: Situations a run of all seeds must have come through, by what is noted of them.
SITUATIONS = frozenset(
    {
        "attempts.adopted", "call.barred", "call.called_off", "call.doubted", "call.not_made",
        "campaign.completed", "campaign.stopped", "carrier.callback_lost", "carrier.refused",
        "claim.failed", "clock.set", "daemon.draining", "dispatch.resting", "event.refused",
        "lease.renewal_failed", "loop.failed", "member.settled", "pre_dial.failed",
        "question.failed", "sweep.failed", "write.failed",
    }
)  # fmt: skip


@pytest.fixture(scope="module")
def results() -> Sequence[SeedResult]:
    return list(try_seeds(SEEDS))


def test_every_promise_is_kept_whatever_happens(results: Sequence[SeedResult]) -> None:
    complaints = [result.complaint for result in results if result.complaint]

    assert complaints == [], "\n\n".join(complaints)


def test_everything_that_can_go_wrong_has(results: Sequence[SeedResult]) -> None:
    struck = sum((Counter(result.struck) for result in results), Counter[str]())

    assert KINDS - struck.keys() == set()
    assert sum(result.kills for result in results) > len(SEEDS)


def test_rare_situations_come_about(results: Sequence[SeedResult]) -> None:
    seen = sum((Counter(result.seen) for result in results), Counter[str]())

    assert set(SITUATIONS) - seen.keys() == set()


def test_every_promise_is_looked_at(results: Sequence[SeedResult]) -> None:
    checked = sum((Counter(result.checked) for result in results), Counter[str]())

    assert {name for name in results[0].checked if not checked[name]} == set()


def test_seeds_differ_in_everything_that_is_drawn() -> None:
    drawn = [scenario(seed) for seed in SEEDS]

    assert {act.deed for each in drawn for act in each.acts} == set(Deed)
    assert {each.daemons for each in drawn} == {1, 2}
    assert {len(each.campaigns) for each in drawn} == {1, 2, 3}
    assert {campaign.hours is None for each in drawn for campaign in each.campaigns} == {
        True,
        False,
    }
    assert {c.fields["amd"] for each in drawn for c in each.campaigns} == {
        AmdMode.CARRIER,
        AmdMode.OFF,
    }
    assert {rule.region for each in drawn for rule in each.rules} == set(REGIONS)
    assert {(rule.hours is None, not rule.caps) for each in drawn for rule in each.rules} == {
        (True, False),
        (False, True),
        (False, False),
    }
    assert {c.fields["callee_calls_per_day"] for each in drawn for c in each.campaigns} == {
        1, 2, 3, 100,
    }  # fmt: skip


def test_several_processes_come_to_the_same_results() -> None:
    alone = {seed: try_seed(seed) for seed in range(3)}
    together = {result.seed: result for result in try_seeds(range(3), processes=2)}

    assert together == alone
