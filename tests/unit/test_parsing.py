"""The small languages of flags."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.commands.parsing import duration_s, instant, past
from dialer.errors import UsageError

NOW = instant("2026-03-02T09:00:00Z")


@given(st.integers(0, 10_000), st.sampled_from("smhdw"))
def test_a_duration_with_its_unit_is_looked_back_from_now(amount: int, unit: str) -> None:
    text = f"{amount}{unit}"

    assert past(text, NOW) == max(0, NOW - duration_s("time", text) * 1000)


@given(st.datetimes(timezones=st.timezones()))
def test_any_other_time_is_the_one_it_names(time: object) -> None:
    text = str(time)

    assert past(text, NOW) == instant(text)


@pytest.mark.parametrize(
    "text", ["", "soon", "-1h", "2026", "20260302", "600", "1e3s", "2026-03-02"]
)
def test_what_may_mean_something_else_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="or 2h for two hours ago"):
        past(text, NOW)
