"""Lines of a screen: pieces of text in colour, laid out to its width. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from rich.cells import cell_len, set_cell_size

from dialer.commands import words
from dialer.commands.words import Clock, Glyph

#: Below this many columns a heading has a line of its own.
WIDE: Final = 70
#: So many columns stand before a section, where it is wide enough.
LABEL: Final = 15


class Span(NamedTuple):
    """A piece of text in one style: names of the terminal's 16 colours, and bold."""

    text: str
    style: str = ""


Line = tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Look:
    """How a screen is to be drawn."""

    width: int
    height: int
    clock: Clock
    plain: bool = False  # in ASCII
    keys: bool = True  # somebody can press them
    banner: str = ""  # what went wrong, beside the last frame that was seen
    note: str = ""  # what a key brought about
    help: bool = False

    def glyph(self, glyph: Glyph) -> Span:
        return Span(glyph.drawn(plain=self.plain), glyph.colour)

    def text(self, text: str) -> str:
        """*text* in the alphabet of the screen."""
        return text.translate(_PLAIN) if self.plain else text


_PLAIN: Final = str.maketrans({words.UNKNOWN: "-", "…": "~", "·": ".", "≈": "~", "█": "#"})


def text_of(line: Line) -> str:
    """A line without its colours."""
    return "".join(span.text for span in line).rstrip()


def apart(lefts: Sequence[Line], right: Line, look: Look) -> Iterator[Line]:
    """Both ends on one line, the left one in the first form that fits, else on two lines."""
    for left in lefts:
        gap = look.width - cells(left) - cells(right)
        if gap >= 2:
            yield *left, Span(" " * gap), *right
            return
    yield lefts[-1]
    yield right


def flow(
    pieces: Iterable[Line], look: Look, label: Line = (), *, indent: int = 0
) -> Iterator[Line]:
    """Pieces one after the other, on as many lines as it takes."""
    line: Line = label
    empty = True
    for piece in pieces:
        if not empty and cells(line) + 3 + cells(piece) > look.width:
            yield line
            line, empty = (Span(" " * indent),), True
        line = (*line, *((Span("   "),) if not empty else ()), *piece)
        empty = False
    yield line


def cut(lines: list[Line], most: int, look: Look) -> list[Line]:
    """The first lines, and how many more there are."""
    if len(lines) <= most:
        return lines
    if most <= 2:
        return lines[:most]
    more = f"{' ' * (LABEL if look.width >= WIDE else 2)}… and {len(lines) - most + 1} more"
    return [*lines[: most - 1], (Span(more, "bright_black"),)]


def cells(line: Line) -> int:
    return sum(cell_len(span.text) for span in line)


def fitted(lines: Sequence[Line], look: Look) -> list[Line]:
    """As many lines as the screen has, none wider than it."""
    return [_narrowed(line, look) for line in lines[: look.height]]


def _narrowed(line: Line, look: Look) -> Line:
    """*line* in the screen's alphabet, cut at its edge with a mark that it was."""
    spans = tuple(Span(look.text(span.text), span.style) for span in line if span.text)
    if cells(spans) <= look.width:
        return spans
    kept: list[Span] = []
    room = look.width - 1
    for span in spans:
        width = cell_len(span.text)
        kept.append(span if width <= room else Span(set_cell_size(span.text, room), span.style))
        room -= width
        if room <= 0:
            break
    return (*kept, Span(look.text("…"), "bright_black"))
