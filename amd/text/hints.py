"""The hint files: what machines say, and what only living people say, language by language.

A file holds lists of hints. A hint is a regular expression over normalised words with a little
more to read it by:

``a .. b``     up to four words between a and b; ``a ... b`` up to ten
``word~``      the word with any ending
``<name>``     any of the words that the file's table ``words`` lists under that name

It matches whole words, except where ``spaced`` is false. Hints are found by their first letters, so
those that begin with letters, or with a choice of words, cost least.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Final

from amd.signals import TextCue
from amd.text.normal import folded

#: Hints are looked up by at most so many of their first letters.
KEY_LETTERS: Final = 5
#: Farther back nobody is talking about what the hint says.
TALK_REACH: Final = 60

_LIST: Final = re.compile(r"<([a-z_]+)>")
_LOOK_BEHIND: Final = re.compile(r"(?:\(\?<!\w[^()]*\))+")
#: Letters that stand for themselves: none that an operator behind them makes optional.
_PLAIN: Final = re.compile(r"(?:[^][().^$*+?{}\\|~<](?![?*{])){1,5}")
_MACHINES: Final = (TextCue.VOICEMAIL, TextCue.IVR, TextCue.UNAVAILABLE)


@dataclass(frozen=True, slots=True)
class Hint:
    """Words that give somebody or something away.

    A *sure* one decides alone; of the others it takes two. Those of a screening assistant that are
    not sure decide nothing: they are what it says after its question. *source* is how the file has
    it.
    """

    cue: TextCue
    language: str
    sure: bool
    source: str
    pattern: re.Pattern[str]

    @property
    def cause(self) -> str:
        """The hint by its words, never by those of the person who was heard."""
        return f"{self.language} {self.cue}: {self.source}"


@dataclass(frozen=True, slots=True)
class Bucket:
    """Hints that begin alike; *any* finds out at once whether one of them matches."""

    any: re.Pattern[str]
    hints: Sequence[Hint]


@dataclass(frozen=True, slots=True)
class Hints:
    """All hints of one language by their first letters.

    *guard* stands right before a hint that somebody asks or tells about, *talk* a few words
    before; *hesitation* is what no announcement says, so that only sure hints count.
    """

    language: str
    spaced: bool
    by_key: Mapping[str, Bucket]
    guard: re.Pattern[str]
    talk: re.Pattern[str]
    hesitation: re.Pattern[str]


@cache
def languages() -> frozenset[str]:
    """The languages there is a hint file for, as ISO 639 has them."""
    folder = resources.files(__package__).joinpath("hints")
    names = (each.name for each in folder.iterdir())
    return frozenset(name.removesuffix(".toml") for name in names if name.endswith(".toml"))


@cache
def hints_of(language: str) -> Hints:
    """The hints of one of :func:`languages`; read once."""
    file = resources.files(__package__).joinpath("hints", f"{language}.toml")
    return parsed(language, file.read_text(encoding="utf-8"))


def parsed(language: str, text: str) -> Hints:
    """The hints of a file's *text*; raises ValueError naming a hint that cannot be used."""
    data = tomllib.loads(text)
    reading = _Reading(language, bool(data.get("spaced", True)), data.get("words", {}))
    by_key = dict[str, list[Hint]]()
    for cue, sure, source in _sources(data):
        for head in _heads(reading.spelled_out(source)):
            hint = Hint(cue, language, sure, source, reading.compiled(head, source))
            by_key.setdefault(_key(head), []).append(hint)
    return Hints(
        language,
        reading.spaced,
        {key: Bucket(_any_of(hints), hints) for key, hints in by_key.items()},
        guard=reading.any_of(data.get("guard", ()), end="$"),
        talk=reading.any_of(data.get("talk", ())),
        hesitation=reading.any_of(data.get("hesitation", ())),
    )


def _sources(data: Mapping[str, Any]) -> Iterator[tuple[TextCue, bool, str]]:
    for source in data.get("assistant", ()):
        yield TextCue.SCREENING, False, source
    for cue in (TextCue.SCREENING, TextCue.LIVE):
        for source in data.get(cue, ()):
            yield cue, True, source
    for cue in _MACHINES:
        lists = data.get(cue, {})
        for sure in (True, False):
            for source in lists.get("sure" if sure else "likely", ()):
                yield cue, sure, source


def _heads(source: str) -> Iterator[str]:
    """*source*, once for each way it may begin, so that it begins with letters."""
    look = _LOOK_BEHIND.match(source)
    if look is not None:
        yield from (look[0] + head for head in _heads(source[look.end() :]))
    elif source.startswith("("):
        end = _closing(source)
        rest = source[end + 1 :]
        for each in _alternatives(source[1:end].removeprefix("?:")):
            yield from _heads(each + rest.removeprefix("?"))
        if rest.startswith("?"):
            yield from _heads(rest[1:])
    else:
        yield source


def _any_of(hints: Sequence[Hint]) -> re.Pattern[str]:
    if len(hints) == 1:
        return hints[0].pattern
    return re.compile("|".join(hint.pattern.pattern for hint in hints))


def _key(head: str) -> str:
    """The letters all words begin with that *head* matches, so many as are looked up at once."""
    plain = _LOOK_BEHIND.sub("", head)
    key = _PLAIN.match(plain)
    return "" if key is None else key[0]


def _closing(source: str) -> int:
    """Where the group that *source* begins with ends."""
    depth = 0
    for at, letter in enumerate(source):
        depth += (letter == "(") - (letter == ")")
        if depth == 0:
            return at
    raise ValueError(f"{source!r} has a group that never ends")


def _alternatives(group: str) -> Sequence[str]:
    depth, parts = 0, [""]
    for letter in group:
        depth += (letter == "(") - (letter == ")")
        if letter == "|" and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


class _Reading:
    """How the hints of one file are written."""

    def __init__(self, language: str, spaced: bool, words: Mapping[str, str]) -> None:
        self._language = language
        self.spaced = spaced
        self._words = {name: folded(listed) for name, listed in words.items()}

    def any_of(self, sources: Sequence[str], end: str = "") -> re.Pattern[str]:
        """A pattern that finds any of *sources* anywhere, or at the *end*; none finds nothing."""
        if not sources:
            return re.compile(r"(?!)")
        begin = r"(?<!\S)" if self.spaced else ""
        listed = "|".join(self._expression(self.spelled_out(each)) for each in sources)
        return self._compile(f"{begin}(?:{listed}){self._boundary}\\s*{end}", str(sources))

    def compiled(self, head: str, source: str) -> re.Pattern[str]:
        """A hint, to be matched where a word begins."""
        return self._compile(f"(?:{self._expression(head)}){self._boundary}", source)

    @property
    def _boundary(self) -> str:
        return r"(?!\S)" if self.spaced else ""

    def _expression(self, source: str) -> str:
        if self.spaced:
            source = source.replace(" ... ", r"(?: \S+){0,10}? ").replace(
                " .. ", r"(?: \S+){0,4}? "
            )
        else:
            source = source.replace("...", ".{0,24}?").replace("..", ".{0,10}?")
        return source.replace("~", r"\S*")

    def spelled_out(self, source: str) -> str:
        """*source* as words are normalised, with its word lists in place of their names."""
        return _LIST.sub(self._listed, folded(source))

    def _listed(self, match: re.Match[str]) -> str:
        try:
            return f"({self._words[match[1]]})"
        except KeyError:
            raise ValueError(f"{self._language}: no words are listed as <{match[1]}>") from None

    def _compile(self, expression: str, source: str) -> re.Pattern[str]:
        try:
            return re.compile(expression)
        except re.error as error:
            raise ValueError(f"{self._language}: {source!r} is no expression: {error}") from error
