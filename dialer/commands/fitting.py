"""Tables that fit a window: every row is one line of it, whatever has to give way. Pure.

Theory of operation. Columns in which nothing stands go first, then long texts are cut short, then
columns go that the table can spare, the most dispensable first; what is left is cut until it fits.
Of a table that tells facts nothing is lost: its long texts go on beneath themselves instead.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, zip_longest
from typing import Final, TypeAlias
from unicodedata import combining, east_asian_width

Texts: TypeAlias = Sequence[str]

GAP: Final = "  "
CUT: Final = "…"
#: A text is cut to no less than this while there are columns to spare: a time with its zone, the
#: longest of what is of no use in part, has as many characters.
READABLE: Final = 23
#: A text is cut to no less than this while others are longer.
LEAST: Final = 8
#: Columns of which a part is of no use to whoever wants to name a row in another command.
WHOLE: Final = frozenset({"id", "phone", "number", "from", "to", "call"})


@dataclass(frozen=True, slots=True)
class Fitted:
    """A table as it is shown."""

    lines: Sequence[str]
    left_out: Sequence[str]  # columns that gave way
    cut: bool  # some text is not shown to its end


def width_of(text: str) -> int:
    """How many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    return sum(0 if combining(each) else 1 + (east_asian_width(each) in "WF") for each in text)


def fitted(
    columns: Texts, rows: Sequence[Texts], width: int, *, spare: Texts = (), folds: bool = False
) -> Fitted:
    """A table in lines of at most *width*; *spare* are columns it can do without, the most
    dispensable first. If it *folds*, everything is shown to its end.
    """
    table = _Table(columns, rows)
    if table.width <= width:
        return Fitted(table.lines(), (), cut=False)
    table = table.without_empty()
    if folds:
        return Fitted(table.folded(width), (), cut=False)
    candidates = [
        table.without(spare[:count]).cut(width, READABLE) for count in range(len(spare) + 1)
    ]
    found = next((each for each in candidates if each.width <= width), candidates[-1])
    found = found.cut(width, LEAST)
    left_out = tuple(name for name in table.columns if name not in found.columns)
    lines = [_shortened(line, width) for line in found.lines()]
    return Fitted(lines, left_out, cut=found.is_cut or found.width > width)


class _Table:
    """Columns and rows, and how wide each column may be."""

    def __init__(
        self, columns: Texts, rows: Sequence[Texts], widths: Sequence[int] | None = None
    ) -> None:
        self.columns = columns
        self._rows = rows
        self._natural = [
            max(map(width_of, cells)) for cells in zip(columns, *rows, strict=True)
        ]  # of what stands in them
        self.widths = self._natural if widths is None else widths

    @property
    def width(self) -> int:
        return sum(self.widths) + len(GAP) * max(0, len(self.widths) - 1)

    @property
    def is_cut(self) -> bool:
        return list(self.widths) != self._natural

    def without(self, names: Texts) -> "_Table":
        kept = [place for place, name in enumerate(self.columns) if name not in names]
        rows = [[row[place] for place in kept] for row in self._rows]
        return _Table([self.columns[place] for place in kept], rows)

    def without_empty(self) -> "_Table":
        if not self._rows:
            return self
        return self.without(
            [name for name, *cells in zip(self.columns, *self._rows, strict=True) if not any(cells)]
        )

    def cut(self, width: int, least: int) -> "_Table":
        """As wide as may be, with the widest texts cut to no less than *least*."""
        widths = [*self.widths]
        for _ in range(max(0, self.width - width)):
            size, place = max(
                (size, -place) if self.columns[place] not in WHOLE else (0, -place)
                for place, size in enumerate(widths)
            )
            if size <= least:
                break
            widths[-place] -= 1
        return _Table(self.columns, self._rows, widths)

    def lines(self) -> list[str]:
        return [self.line(row) for row in ([each.upper() for each in self.columns], *self._rows)]

    def folded(self, width: int) -> list[str]:
        """Lines of at most *width* in which what is cut otherwise goes on beneath itself."""
        narrow = self.cut(width, LEAST)
        return [
            narrow.line(line)
            for row in ([each.upper() for each in self.columns], *self._rows)
            for line in zip_longest(*map(_folded, row, narrow.widths), fillvalue="")
        ]

    def line(self, row: Sequence[str]) -> str:
        cells = (
            _padded(_shortened(cell, size), size)
            for cell, size in zip(row, self.widths, strict=True)
        )
        return GAP.join(cells).rstrip()


def _padded(text: str, width: int) -> str:
    return text + " " * (width - width_of(text))


def _folded(text: str, width: int) -> list[str]:
    """*text* in lines of at most *width*, between its words where that is possible."""
    found = []
    while width_of(text) > width:
        end = _fitting(text, width)
        space = text.rfind(" ", 1, end + 1)
        end = space if space > 0 else end
        found.append(text[:end].rstrip())
        text = text[end:].lstrip()
    return [*found, text]


def _shortened(text: str, width: int) -> str:
    """*text*, cut where it would take more than *width*."""
    if width_of(text) <= width:
        return text
    return text[: _fitting(text, width - len(CUT))].rstrip() + CUT


def _fitting(text: str, width: int) -> int:
    """How many of the first letters of a *text* that is wider take no more than *width*."""
    taken = accumulate(map(width_of, text))
    return next(count for count, each in enumerate(taken) if each > width)
