"""`--set`: the names and values of `campaign create`, and nothing else."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.commands.what_if import NAMES, read_changes
from dialer.errors import UsageError
from dialer.forecast.changes import Changes
from dialer.forecast.snapshot import Setup
from dialer.model import AmdMode
from retries.outcome import Outcome
from rotation.strategies import Strategy
from tests.support.engine import NOW
from tests.support.forecasting import given_snapshot


def changed(*texts: str, **campaign: Any) -> Setup:
    """The setup of a campaign after the changes of flags."""
    return read_changes(texts).applied_to(given_snapshot(**campaign))


def test_without_flags_everything_stays_as_it_is() -> None:
    snapshot = given_snapshot()

    assert read_changes([]) == Changes()
    assert read_changes([]).applied_to(snapshot) == snapshot.setup


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [
        ("max_concurrent=20", "max_concurrent", 20),
        ("max-concurrent = 20", "max_concurrent", 20),
        ("MAX_CONCURRENT=20", "max_concurrent", 20),
        ("call_interval=0.5s", "call_interval_s", 0.5),
        ("max_calls_per_day=250", "max_calls_per_day", 250),
        ("calls_per_callee=1,4", "callee_calls_per_day", 1),
        ("calls_per_callee=2", "callee_calls_per_week", 2),
        ("max_retries=0", "max_retries", 0),
        ("retries=4", "max_retries", 4),
        ("retry_intervals=30m,2h", "retry_intervals_s", (1800, 7200)),
        ("retry-interval=1d", "retry_intervals_s", (86_400,)),
        ("retry_rule=busy=5m", "retry_rules", {Outcome.BUSY: (300,)}),
        ("spam_threshold=8.5", "spam_threshold", 8.5),
        ("strategy=least_used_today", "strategy", Strategy.LEAST_USED_TODAY),
        ("stay_on_number=no", "stay_on_number", False),
        ("ring_timeout=20s", "ring_timeout_s", 20),
        ("completion_timeout=1h", "completion_timeout_s", 3600),
        ("start_at=2026-01-05T15:00:00Z", "start_at", NOW),
    ],
)
def test_a_setting_of_the_campaign_is_changed(text: str, field: str, value: object) -> None:
    setup = changed(text)

    assert getattr(setup.campaign, field) == value
    assert setup.campaign.amd is AmdMode.TEXT  # and nothing else


def test_several_flags_make_one_setup() -> None:
    setup = changed("max_concurrent=20", "call_interval=5s", "calls_per_second=3")

    assert (setup.campaign.max_concurrent, setup.campaign.call_interval_s) == (20, 5)
    assert setup.calls_per_second == 3


def test_further_numbers_are_new_and_clean() -> None:
    setup = changed("numbers=+2", numbers=3)

    assert [number.id for number in setup.numbers] == [1, 2, 3, 4, 5]
    assert [number.phone for number in setup.numbers[3:]] == ["new 1", "new 2"]
    assert all(number.enabled and not number.calls_today for number in setup.numbers)
    assert setup.campaign.numbers == [(n, 1) for n in (1, 2, 3, 4, 5)]


def test_a_schedule_may_be_left_out_altogether() -> None:
    setup = changed("schedule=none", hours="mon-fri 09:00-17:00")

    assert (setup.schedule, setup.schedule_body) == (None, None)
    assert read_changes(["schedule=Weekend"]).schedule_names == ["Weekend"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("max_concurent=20", "did you mean 'max_concurrent'?"),
        ("interval=5s", "did you mean 'call_interval'"),
        ("colour=blue", "there are max_concurrent, "),
        ("max_concurrent", "write NAME=VALUE"),
        ("max_concurrent=", "write NAME=VALUE"),
        ("max_concurrent=many", "'many' is not a whole number"),
        ("max_concurrent=-1", "'-1' is not a whole number"),
        ("call_interval=soon", "not a duration"),
        ("strategy=roundrobin", "did you mean 'round_robin'?"),
        ("spam_threshold=high", "not a number"),
        ("stay_on_number=maybe", "neither yes nor no"),
        ("start_at=tomorrow", "not a time"),
        ("retry_rule=busy", "write OUTCOME=5m"),
        ("numbers=2", "write +2"),
        ("numbers=+0", "write +2"),
        ("numbers=-1", "write +2"),
        ("calls_per_second=-1", "not between 0 and 1000"),
        ("calls_per_second=nan", "not between 0 and 1000"),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_hint(text: str, words: str) -> None:
    with pytest.raises(UsageError) as refused:
        read_changes([text])

    assert words in refused.value.message


def test_a_setting_given_twice_is_refused() -> None:
    with pytest.raises(UsageError, match="retries is given twice"):
        read_changes(["max_retries=1", "retries=2"])


@pytest.mark.parametrize(
    "text",
    ["max_concurrent=0", "max_concurrent=10001", "call_interval=2d", "spam_threshold=nan",
     "ring_timeout=1", "max_retries=11", "retry_intervals=0s", "completion_timeout=31d"],
)  # fmt: skip
def test_values_have_the_bounds_of_a_campaign(text: str) -> None:
    changes = read_changes([text])

    with pytest.raises(UsageError):
        changes.applied_to(given_snapshot())


@given(st.text(max_size=30))
def test_no_text_is_worse_than_misuse(text: str) -> None:
    try:
        changes = read_changes([text])
    except UsageError:
        return
    assert isinstance(changes, Changes)


def test_every_name_is_in_the_help() -> None:
    from dialer.commands.forecast import forecast

    assert forecast.__doc__ is not None
    assert [name for name in NAMES if name not in forecast.__doc__] == []
