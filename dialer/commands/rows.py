"""Lists as programs want them: some rows, some columns, in some order and form. Pure.

A condition is ``FIELD OP VALUE``, several are joined by ``and``: ``state=retry and attempts>1``.
Fields are those of the JSON answer; ``a.b`` reaches into an object. ``~`` means *contains*.
"""

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final

from dialer.errors import UsageError
from dialer.suggestions import close_matches, did_you_mean

Row = Mapping[str, Any]
Condition = Callable[[Row], bool]

_CONDITION: Final = re.compile(
    r"""\s*(?P<field>[\w.]+)\s*(?P<op>!=|>=|<=|==|=|>|<|~)\s*
        (?:"(?P<double>[^"]*)"|'(?P<single>[^']*)'|(?P<bare>\S+))\s*""",
    re.VERBOSE,
)
_AND: Final = re.compile(r"and\b\s*", re.IGNORECASE)
_WORDS: Final = {"true": True, "false": False, "null": None, "none": None}
_ORDERS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    ">": lambda a, b: a > b,
    "<": lambda a, b: a < b,
    ">=": lambda a, b: a >= b,
    "<=": lambda a, b: a <= b,
}


def rows_of(data: Any) -> list[Row]:
    """The rows of an answer: the list it is, the one list of objects it holds, or itself."""
    if isinstance(data, list):
        return [each if isinstance(each, Mapping) else {"value": each} for each in data]
    lists = [value for value in data.values() if _is_rows(value)]
    return lists[0] if len(lists) == 1 else [data]


def shaped(
    rows: Sequence[Row],
    *,
    columns: Sequence[str] = (),
    where: Sequence[str] = (),
    sort: Sequence[str] = (),
    cursor: str | None = None,
    limit: int | None = None,
) -> list[Row]:
    """Some of *rows*; raises UsageError for a field none of them has and for what is no condition.

    *sort* are fields, ``-field`` for the largest first; *cursor* is the id of the last row seen.
    """
    known = list(dict.fromkeys(name for row in rows for name in row))
    for name in [*columns, *(each.removeprefix("-") for each in sort)]:
        _check_known(name, known)
    conditions = [each for text in where for each in _conditions(text, known)]
    found: Iterable[Row] = (row for row in rows if all(holds(row) for holds in conditions))
    for field in reversed(sort):
        name = field.removeprefix("-")
        found = sorted(found, key=lambda row: _rank(value(row, name)), reverse=field != name)
    if cursor is not None:
        found = _after(list(found), cursor)
    return [
        {name: value(row, name) for name in columns} if columns else row
        for row in islice(found, limit)
    ]


def value(row: Row, path: str) -> Any:
    """What *row* has at ``a.b``; None where there is nothing."""
    if path in row:
        return row[path]
    found: Any = row
    for part in path.split("."):
        if not isinstance(found, Mapping):
            return None
        found = found.get(part)
    return found


def as_csv(rows: Sequence[Row]) -> str:
    """The rows with a header; what is no plain value is written as JSON."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = [names, *([cell(row.get(name)) for name in names] for row in rows)]
    return "".join(map(_csv_line, lines))


def _csv_line(cells: Sequence[str]) -> str:
    text = io.StringIO()
    csv.writer(text).writerow(cells)  # with its own line end, else it would not quote a \r
    return text.getvalue().removesuffix("\r\n") + "\n"


def ids(rows: Sequence[Row]) -> Iterator[str]:
    """How each row is named in other commands: its id, else the first it has."""
    for row in rows:
        yield cell(row["id"] if "id" in row else next(iter(row.values()), ""))


def cell(found: Any) -> str:
    """A value as one cell."""
    if found is None:
        return ""
    if isinstance(found, str):
        return found
    return json.dumps(found, ensure_ascii=False, default=str)


# -- conditions -----------------------------------------------------------------------------------


def _conditions(text: str, known: Sequence[str]) -> Iterator[Condition]:
    at = 0
    while True:
        match = _CONDITION.match(text, at)
        if match is None:
            raise UsageError(
                f"--where {text!r} is no condition; write FIELD=VALUE, as in"
                " 'state=retry and attempts>1'"
            )
        _check_known(match["field"], known)
        yield _condition(match["field"], match["op"], match)
        at = match.end()
        if at == len(text):
            return
        joint = _AND.match(text, at)
        if joint is None:
            raise UsageError(f"--where {text!r}: join conditions with 'and'")
        at = joint.end()


def _condition(field: str, op: str, match: re.Match[str]) -> Condition:
    quoted = match["double"] if match["double"] is not None else match["single"]
    wanted: Any = _literal(match["bare"]) if quoted is None else quoted

    def holds(row: Row) -> bool:
        found = value(row, field)
        if op == "~":
            return cell(wanted).casefold() in cell(found).casefold()
        if op in ("=", "=="):
            return _same(found, wanted)
        if op == "!=":
            return not _same(found, wanted)
        if found is None or wanted is None:
            return False
        if isinstance(found, (int, float)) and isinstance(wanted, (int, float)):
            return _ORDERS[op](found, wanted)
        return _ORDERS[op](cell(found), cell(wanted))

    return holds


def _same(found: Any, wanted: Any) -> bool:
    if isinstance(found, list):
        return any(_same(each, wanted) for each in found)
    return bool(found == wanted) or cell(found).casefold() == cell(wanted).casefold()


def _literal(text: str) -> Any:
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    try:
        return json.loads(text) if re.fullmatch(r"-?\d+(\.\d+)?", text) else text
    except ValueError:  # as 007, which is no number
        return text


def _check_known(path: str, known: Sequence[str]) -> None:
    name = path.partition(".")[0]
    if known and path not in known and name not in known:
        hint = did_you_mean(close_matches(name, known)) or f"; there are {', '.join(known)}"
        raise UsageError(f"no such field: {path!r}{hint}")


def _rank(found: Any) -> tuple[int, float, str]:
    """Numbers before words, nothing last."""
    if found is None:
        return 2, 0, ""
    if isinstance(found, (int, float)):
        return 0, found, ""
    return 1, 0, cell(found).casefold()


def _after(rows: list[Row], cursor: str) -> list[Row]:
    for at, name in enumerate(ids(rows)):
        if name == cursor:
            return rows[at + 1 :]
    raise UsageError(f"--cursor {cursor!r}: no row has this id")


def _is_rows(found: Any) -> bool:
    return isinstance(found, list) and all(isinstance(each, Mapping) for each in found)
