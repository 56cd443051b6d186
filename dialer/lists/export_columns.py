"""The names of an exported table's columns, as far as an import has to know them. Pure.

A table that goes out may come back. Three kinds of columns are then told apart by their names:
those of a person's fields have the fields' own names; those that tell what the engine made of the
person (:data:`METRIC_COLUMNS`) say nothing that an import could take; every other one is a custom
variable, under its own name or, where that would be read as something else, marked as one.
"""

from typing import Final
from urllib.parse import quote, unquote

#: What is known of a contact, or of a member, beside what a list may tell of a person.
METRICS: Final = (
    "id", "state", "reason", "attempts", "last_outcome", "last_called_at", "next_at",
    "conversations", "talk_s", "last_number", "do_not_call", "zones", "regions", "import_id",
    "added_at",
)  # fmt: skip
#: The columns of an exported table that an import passes over.
METRIC_COLUMNS: Final = frozenset(f"dialer_{name}" for name in METRICS)

_VARIABLE: Final = "variable:"
#: Stay as they are in a marked name. What is left out would mislead whoever looks for a table's
#: separator, would be stripped from a cell, or is not to be seen.
_LEGIBLE: Final = " !#$&'()*+/:<=>?@[\\]^`{}"


def metric_column(metric: str) -> str:
    """The column of one of :data:`METRICS`."""
    return f"dialer_{metric}"


def variable_column(name: str) -> str:
    """The column that tells the custom variable *name* and nothing else, whatever it is called."""
    inner = name.strip()
    if not inner:
        return _VARIABLE + quote(name, safe="")
    before, after = name.split(inner, 1)
    return _VARIABLE + "".join([quote(before, safe=""), _legibly(inner), quote(after, safe="")])


def variable_of(column: str) -> str | None:
    """The custom variable that :func:`variable_column` has named *column* for, else None."""
    return unquote(column.removeprefix(_VARIABLE)) if column.startswith(_VARIABLE) else None


def _legibly(text: str) -> str:
    """*text* with its letters in clear; other marks than usual ones as in addresses of the web."""
    return "".join(
        each if each.isalnum() or each in _LEGIBLE else quote(each, safe="") for each in text
    )
