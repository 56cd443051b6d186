"""How the words are judged: labelled texts, fed as a recogniser does, one word more at a time.

A file has the columns label (``human`` or ``machine``), text and, if it likes, lang and sublabel.
Where a script puts no spaces between words, letters are fed one by one.
"""

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from amd.signals import Text, TextCue
from amd.text import TextDetector
from dialer.errors import NotFoundError, UsageError
from dialer.evaluation.intervals import Rate, percentile

LABELS: Final = ("human", "machine")
#: What a machine gives away.
MACHINE_CUES: Final = frozenset(
    {TextCue.VOICEMAIL, TextCue.IVR, TextCue.UNAVAILABLE, TextCue.SCREENING, TextCue.REPEAT}
)
#: People speak about so many words in a second; the recogniser's own delay comes on top.
MS_PER_WORD: Final = 400
#: No set of greetings is larger.
MOST_BYTES: Final = 50_000_000

_UNSPACED: Final = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]")


@dataclass(frozen=True, slots=True)
class Labelled:
    """A text, and who is known to have spoken it; *row* is that of the file, the header being 1."""

    row: int
    label: str
    sublabel: str
    language: str
    text: str


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of a text: what decided, after how many words; None: nothing did."""

    case: Labelled
    decided: Text | None
    words: int

    @property
    def is_machine(self) -> bool:
        return self.decided is not None and self.decided.cue in MACHINE_CUES

    @property
    def is_right(self) -> bool:
        return self.is_machine == (self.case.label == "machine")


#: Judges a text: what decided, and after how many words.
Judge = Callable[[Labelled], tuple[Text | None, int]]


def read(path: Path) -> Sequence[Labelled]:
    """The texts of a CSV file; raises UsageError naming the first row that cannot be used."""
    text = _text_of(path)
    if not text.strip():
        raise UsageError(f"{path} is empty; it needs the columns label, lang, text")
    if "\0" in text:
        raise UsageError(f"{path} is not a text file; save it as CSV with UTF-8")
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip().lower() for name in next(reader)]
        _check_header(path, header)
        found = [
            _labelled(path, row, dict(zip(header, cells, strict=False)))
            for row, cells in enumerate(reader, 2)
            if any(map(str.strip, cells))
        ]
    except csv.Error as error:
        raise UsageError(
            f"{path}: line {reader.line_num} is not CSV ({error}); put texts into quotes"
        ) from error
    if not found:
        raise UsageError(f"{path} has a header and no rows; add rows of label, lang, text")
    return found


def judged(cases: Iterable[Labelled], judge: Judge | None = None) -> Iterator[Judged]:
    """Each text with what our own detector, or another *judge*, makes of it."""
    for case in cases:
        decided, words = (judge or by_words)(case)
        yield Judged(case, decided, words)


def by_words(case: Labelled) -> tuple[Text | None, int]:
    """Our own judgement. The first machine's cue counts, for a call is ended by it; else the last
    one of a person.
    """
    detector = TextDetector(case.language or None)
    latest: tuple[Text | None, int] = (None, 0)
    parts = list(prefixes(case.text))
    for count, said in enumerate(parts, 1):
        heard = detector.hear(said, count * MS_PER_WORD, final=count == len(parts))
        if heard is not None:
            latest = (heard, count)
            if heard.cue in MACHINE_CUES:
                break
    return latest


def prefixes(text: str) -> Iterator[str]:
    """What has been said after each word of *text*."""
    if _UNSPACED.search(text):
        closed = "".join(text.split())
        yield from (closed[: at + 1] for at in range(len(closed)))
        return
    words = text.split()
    yield from (" ".join(words[: at + 1]) for at in range(len(words)))


def summary(found: Sequence[Judged]) -> dict[str, Any]:
    """All figures for programs: overall, per language, per label and sublabel."""
    return {
        "texts": len(found),
        **_figures(found),
        "per_language": _grouped(found, lambda each: each.case.language or "unknown"),
        "per_label": _grouped(found, _label_of),
    }


def errors(found: Iterable[Judged]) -> list[dict[str, Any]]:
    """The texts that were judged wrongly, people first."""
    wrong = sorted((each for each in found if not each.is_right), key=lambda each: each.case.label)
    return [
        {
            "row": each.case.row,
            "label": each.case.label,
            "sublabel": each.case.sublabel,
            "lang": each.case.language,
            "text": each.case.text,
            "cue": each.decided.cue.value if each.decided else None,
            "cause": each.decided.cause if each.decided else None,
            "words": each.words,
        }
        for each in wrong
    ]


def _label_of(each: Judged) -> str:
    return "/".join(filter(None, (each.case.label, each.case.sublabel)))


def _grouped(found: Sequence[Judged], key: Callable[[Judged], str]) -> Mapping[str, Any]:
    names = sorted({key(each) for each in found})
    return {
        name: {"texts": len(group), **_figures(group)}
        for name in names
        for group in [[each for each in found if key(each) == name]]
    }


def _figures(found: Sequence[Judged]) -> dict[str, Any]:
    people = [each for each in found if each.case.label == "human"]
    machines = [each for each in found if each.case.label == "machine"]
    told = [each.words for each in machines if each.is_machine]
    return {
        "human": len(people),
        "machine": len(machines),
        "false_machine": Rate(sum(each.is_machine for each in people), len(people)).as_json(),
        "recall": Rate(len(told), len(machines)).as_json(),
        "words_to_machine": {"p50": percentile(told, 0.5), "p90": percentile(told, 0.9)},
    }


def _text_of(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        raise NotFoundError(f"there is no file {str(path)!r}") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    if len(data) > MOST_BYTES:
        raise UsageError(f"{path} has more than {MOST_BYTES:,} bytes; split it")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = data.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{path}: line {row} is not UTF-8; save the file as UTF-8") from error


def _check_header(path: Path, header: Sequence[str]) -> None:
    for name in ("label", "text"):
        if name not in header:
            raise UsageError(
                f"{path}: row 1 has no column {name!r} but {', '.join(map(repr, header))};"
                " the columns are label, lang, text, separated by commas"
            )


def _labelled(path: Path, row: int, cells: Mapping[str, str]) -> Labelled:
    label = cells.get("label", "").strip().lower()
    if label not in LABELS:
        raise UsageError(f"{path}: row {row} has the label {label!r}; use human or machine")
    text = cells.get("text", "").strip()
    if not text:
        raise UsageError(f"{path}: row {row} has no text; fill it in or take the row out")
    return Labelled(
        row, label, cells.get("sublabel", "").strip(), cells.get("lang", "").strip(), text
    )
