"""Which columns an exported table has, and what its cells say, so that an import reads it back.

Theory of operation. An import knows columns by their names. So each field of a person stands under
its own name, what the engine made of the person under names that an import passes over, and each
custom variable under its name as long as an import would read it as that variable and nothing
else. Whether it would is asked of the import's own reading (:mod:`dialer.lists.columns`), and
likewise for tags.
"""

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from dialer.errors import UsageError
from dialer.exporting.records import Record
from dialer.lists.columns import FORMULA_SIGNS, Field, match, split_tags
from dialer.lists.csvio import DELIMITERS
from dialer.lists.export_columns import (
    METRIC_COLUMNS,
    METRICS,
    metric_column,
    variable_column,
    variable_of,
)
from dialer.suggestions import close_matches, did_you_mean

#: What a table's header must not hold: a reader might take it for another header.
_MISLEADING: Final = frozenset(f"{DELIMITERS}\"'\r\n")
_PERSON: Final = ("phone", "name", "email", "language", "timezone")
_OF_MEMBERS: Final = ("state", "reason", "attempts", "last_outcome", "next_at")
#: Every fact of an attempt, by its name in JSON.
CALL_COLUMNS: Final = (
    "id", "campaign", "contact_id", "name", "to", "from", "state", "outcome", "detail",
    "started_at", "sent_at", "ringing_at", "answered_at", "ended_at", "closed_at", "duration_s",
    "carrier_status", "answered_by", "verdict", "machine_kind", "message_left_at", "label",
    "sip_code", "error_code", "sid", "zones", "regions", "local_weekday",
    "local_hour", "rule_set_id",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name in a table, and where its value is in a record."""

    header: str
    key: str
    variable: bool = False  # the key is that of a custom variable

    def value(self, record: Record) -> Any:
        """What the record says in this column; None when nothing."""
        return record["variables"].get(self.key) if self.variable else record.get(self.key)


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns of an export, in their order; *whole* when none was left out."""

    columns: Sequence[Column]
    whole: bool = True

    @property
    def header(self) -> list[str]:
        """The names of a table's columns."""
        return [column.header for column in self.columns]

    def cells(self, record: Record) -> list[str | int]:
        """A table's row: numbers of what is counted, and texts."""
        return [cell(column.key, column.value(record)) for column in self.columns]

    def part(self, record: Record) -> Record:
        """The record as JSON says it, without what was left out."""
        if self.whole:
            return record
        part: Record = {}
        for column in self.columns:
            if not column.variable:
                part[column.key] = record.get(column.key)
                continue
            variables = part.setdefault("variables", {})
            if column.key in record["variables"]:
                variables[column.key] = record["variables"][column.key]
        return part | ({"calls": record["calls"]} if "calls" in record else {})


def contact_layout(variables: Iterable[str], *, members: bool) -> Layout:
    """Everything that is known of contacts, or of the *members* of a campaign."""
    priority = ["priority"] if members else []
    metrics = [name for name in METRICS if members or name not in _OF_MEMBERS]
    names = [metric_column(name) for name in metrics]
    return Layout(
        [
            *(Column(name, name) for name in (*_PERSON, *priority, "tags")),
            *(Column(_header(name), name, variable=True) for name in sorted(variables)),
            *(Column(header, name) for header, name in zip(names, metrics, strict=True)),
        ]
    )


def call_layout() -> Layout:
    """Everything that is known of attempts."""
    return Layout([Column(name, name) for name in CALL_COLUMNS])


def chosen(layout: Layout, names: Sequence[str]) -> Layout:
    """The *names* alone, in their order: a column's name in a table, in JSON or, of a custom
    variable, its own; an empty choice is all of them. Raises :exc:`UsageError` for others.
    """
    if not names:
        return layout
    columns = [_column(layout, name) for name in names]
    return Layout(list(dict.fromkeys(columns)), whole=False)


def cell(key: str, value: Any) -> str | int:
    """What a table says for a value of a record."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str | int):
        return value
    if key == "tags" and isinstance(value, list):
        return tags_cell(value)
    if isinstance(value, list):
        return " ".join(value)
    return json.dumps(value, ensure_ascii=False)


def tags_cell(tags: Sequence[str]) -> str:
    """Tags as ``vip, march``; as JSON where an import would divide that otherwise."""
    plain = ", ".join(tags)
    if split_tags(plain) == tuple(tags):
        return plain
    return json.dumps(tags, ensure_ascii=False)


@cache
def _header(variable: str) -> str:
    """The plainest name of a column that an import reads as this variable."""
    return variable if _reads_plainly(variable) else variable_column(variable)


def _reads_plainly(variable: str) -> bool:
    taken: Collection[str] = (*_PERSON, *METRIC_COLUMNS)
    if variable in taken or variable_of(variable) is not None or variable.startswith(FORMULA_SIGNS):
        return False
    if not variable.isprintable() or not _MISLEADING.isdisjoint(variable):
        return False
    columns = match([str(Field.PHONE), variable], {})
    fields = {at for places in columns.fields.values() for at in places}
    return columns.variables == {1: variable} and 1 not in fields


def _column(layout: Layout, name: str) -> Column:
    known = {column.key: column for column in layout.columns if column.variable}
    known |= {column.key: column for column in layout.columns if not column.variable}
    known |= {column.header: column for column in layout.columns}
    if name not in known:
        shown = list(dict.fromkeys(column.key for column in layout.columns))
        hint = did_you_mean(close_matches(name, list(known)))
        raise UsageError(f"there is no column {name!r}; there are {', '.join(shown)}{hint}")
    return known[name]
