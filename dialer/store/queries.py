"""The named queries: one text for both databases, with the few differences overridden.

``sql/*.sql`` serves both; a query of the same name in ``sql/postgres/`` replaces it there. The
files are read by aiosql; every name is unique across files, and a test prepares every query on
both databases.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from operator import itemgetter
from pathlib import Path
from typing import Any, Final, Literal, cast

import aiosql
from aiosql.utils import VAR_REF

from dialer.ports import Params

Dialect = Literal["sqlite", "postgres"]

_FOLDER: Final = Path(__file__).parent / "sql"


@dataclass(frozen=True)
class Query:
    """One statement; *names* are its parameters in the order they first appear."""

    text: str
    names: tuple[str, ...]

    @cached_property
    def bound(self) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
        """Takes the values of parameters in the order the driver wants them."""
        if not self.names:
            return lambda _: ()
        if len(self.names) == 1:
            (name,) = self.names
            return lambda params: (params[name],)
        return itemgetter(*self.names)

    def tuples(self, params: Sequence[Params]) -> Sequence[tuple[Any, ...]]:
        """The values of every element in the order the driver wants them."""
        fields: tuple[str, ...] | None = getattr(params[0], "_fields", None)
        if fields is None:
            return [self.bound(each) for each in cast(Sequence[Mapping[str, Any]], params)]
        named = cast(Sequence[tuple[Any, ...]], params)
        if fields == self.names:
            return named
        order = itemgetter(*(fields.index(name) for name in self.names))
        return [order(each) for each in named]


@cache
def load(dialect: Dialect, folder: Path = _FOLDER) -> Mapping[str, Query]:
    """Every query of *dialect* by name, ready for its driver's way of naming parameters."""
    texts = _texts(folder)
    if dialect == "postgres":
        texts |= _texts(folder / "postgres")
    return {name: _prepare(text, dialect) for name, text in texts.items()}


def _texts(folder: Path) -> dict[str, str]:
    texts: dict[str, str] = {}
    for file in sorted(folder.glob("*.sql")):
        # The aiosqlite driver leaves the text alone, which makes it the neutral one to read with.
        queries = aiosql.from_path(str(file), "aiosqlite", mandatory_parameters=False)
        for name in queries.available_queries:
            if name.endswith("_cursor"):  # aiosql's own variant of each SELECT
                continue
            if name in texts:
                raise ValueError(f"query {name!r} is defined twice, again in {file.name}")
            texts[name] = getattr(queries, name).sql
    return texts


def _prepare(text: str, dialect: Dialect) -> Query:
    """Number the parameters: both drivers bind tuples several times faster than mappings."""
    mark = "?" if dialect == "sqlite" else "$"
    found = [m for m in VAR_REF.finditer(text) if m["var_name"]]
    names = tuple(dict.fromkeys(m["var_name"] for m in found))
    for m in reversed(found):
        position = f"{mark}{names.index(m['var_name']) + 1}"
        text = text[: m.start("var_name") - 1] + position + text[m.end("var_name") :]
    return Query(text, names)
