"""The names of exported columns: what an import passes over, and how a variable is marked."""

from hypothesis import given
from hypothesis import strategies as st

from dialer.lists.csvio import DELIMITERS
from dialer.lists.export_columns import (
    METRIC_COLUMNS,
    METRICS,
    metric_column,
    variable_column,
    variable_of,
)

names = st.text(
    st.one_of(st.sampled_from("%:'\"=+-@,;|\t\r\n \u00a0\ufeff"), st.characters(codec="utf-8")),
    max_size=12,
)


@given(names)
def test_a_marked_variable_is_known_again(name: str) -> None:
    assert variable_of(variable_column(name)) == name


@given(names)
def test_a_mark_survives_a_header(name: str) -> None:
    column = variable_column(name)

    assert column == column.strip()
    assert column.isprintable()
    assert set(f'{DELIMITERS}"\r\n').isdisjoint(column)


def test_a_mark_stays_legible() -> None:
    assert variable_column("Straße & Nr.") == "variable:Straße & Nr."
    assert variable_column(" =a,b% ") == "variable:%20=a%2Cb%25%20"


def test_other_columns_are_no_marked_variables() -> None:
    assert variable_of("City") is None
    assert variable_of("") is None


def test_every_metric_has_a_column_of_its_own() -> None:
    assert {metric_column(metric) for metric in METRICS} == METRIC_COLUMNS
    assert len(METRIC_COLUMNS) == len(METRICS)
