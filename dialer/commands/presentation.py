"""How this command line is to answer: the options that may stand anywhere in it.

They are read before a command runs and are the same for all of it, so there is one value for the
process, which :func:`begin` sets anew for every command line.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

#: In place of a zone: the machine's.
LOCAL: Final = "local"


class Output(StrEnum):
    """What stdout is written as."""

    TABLE = "table"  # aligned on a terminal, tab-separated when piped
    JSON = "json"
    JSONL = "jsonl"  # a row each line
    CSV = "csv"
    ID = "id"  # an id each line, for xargs


class Colour(StrEnum):
    """When words are coloured."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


@dataclass(slots=True)
class Presentation:
    """What the operator asked for."""

    output: Output | None = None
    columns: tuple[str, ...] = ()
    where: tuple[str, ...] = ()
    sort: tuple[str, ...] = ()
    limit: int | None = None
    cursor: str | None = None  # the rows after the one with this id
    quiet: bool = False
    verbose: bool = False
    no_input: bool = False
    dry_run: bool = False  # what is written is taken back
    colour: Colour = Colour.AUTO
    zone: str = ""  # of times for people; empty: the deployment's
    deployment_zone: str = "UTC"  # as set, once the settings are known
    database: str | None = None
    config: str | None = None

    @property
    def shapes_rows(self) -> bool:
        """Whether rows are chosen, ordered or cut, which is done by their fields' names."""
        return bool(self.columns or self.where or self.sort or self.cursor)

    @property
    def wants_data(self) -> bool:
        """Whether a command is to hand over data, rather than to lay out a table."""
        return self.shapes_rows or self.output not in (None, Output.TABLE)


_current = Presentation()


def begin() -> None:
    """A new command line: nothing has been asked for yet."""
    global _current
    _current = Presentation()


def current() -> Presentation:
    """What this command line asked for."""
    return _current
