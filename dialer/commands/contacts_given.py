"""Which contacts a command is for: named in the line, on standard input or in a file."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeVar

import typer

from dialer.errors import UsageError

if TYPE_CHECKING:
    from dialer.people.names import Named
    from dialer.ports import Tx

T = TypeVar("T")

#: Contacts that one transaction changes at the most: calls under way wait for it without harm.
PORTION: Final = 1000

Contacts = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[CONTACT]...",
        help="Phone numbers or ids; - reads them from standard input and @FILE from a file,"
        " one on each line.",
    ),
]
Campaign = Annotated[str, typer.Option("--campaign", "-c", help="Campaign name or id.")]
Partial = Annotated[
    bool, typer.Option("--partial", help="Leave out what names nobody; do it for the others.")
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", "-n", help="Change nothing; say what would happen.")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def words(given: Sequence[str] | None) -> list[str]:
    """Every name that was given, each once; raises UsageError for a file that cannot be read."""
    return list(dict.fromkeys(each for word in given or () for each in _expanded(word)))


def some_words(given: Sequence[str] | None) -> list[str]:
    """As :func:`words`; raises UsageError when there are none."""
    found = words(given)
    if not found:
        raise UsageError("say which contacts: phone numbers or ids, - or @FILE")
    return found


async def resolved(tx: "Tx", names: Sequence[str], region: str) -> "Named":
    """The contacts of *names*, looked up in portions."""
    from dialer.people.names import Named, named

    ids, unknown = dict[int, None](), list[str]()
    for portion in portions(names):
        found = await named(tx, portion, region)
        ids |= dict.fromkeys(found.ids)
        unknown += found.unknown
    return Named(list(ids), unknown)


def portions(what: Sequence[T]) -> Iterator[Sequence[T]]:
    """*what* in portions."""
    return (what[at : at + PORTION] for at in range(0, len(what), PORTION))


def _expanded(word: str) -> Iterator[str]:
    if word == "-":
        yield from _lines(sys.stdin.read())
    elif word.startswith("@"):
        yield from _lines(_text_of(Path(word[1:])))
    elif word.strip():
        yield word.strip()


def _lines(text: str) -> Iterator[str]:
    return (line.strip() for line in text.removeprefix("\ufeff").splitlines() if line.strip())


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from error
