# ruff: noqa: RUF001  it is about letters that look alike
"""Words as recognisers agree on them: lower case, no punctuation, accents folded.

Twilio's, Google's and other recognisers differ in punctuation, capitals, accents and apostrophes;
hints are written once, and both sides pass through here.
"""

import re
import unicodedata
from typing import Final

#: Letters that no decomposition takes apart, as they are typed without their key.
_LETTERS: Final = str.maketrans(
    {
        "ß": "ss", "ø": "o", "æ": "ae", "œ": "oe", "ł": "l", "đ": "d", "ð": "d",
        "ı": "i",
        "þ": "th",
        "أ": "ا", "إ": "ا", "آ": "ا", "ٱ": "ا", "ى": "ي", "ة": "ه", "ـ": "",
        "’": "'", "ʼ": "'", "`": "'", "´": "'",
    }
)  # fmt: skip
#: Keys of a telephone, which are spoken.
_KEYS: Final = str.maketrans({"#": " hash ", "*": " star "})
#: Combining marks of Latin, Greek, Cyrillic, Hebrew and Arabic; those of Japanese and of Indian
#: scripts make other letters and stay.
_MARKS: Final = re.compile("[\u0300-\u036f\u0591-\u05bd\u05bf-\u05c7\u064b-\u065f\u0670]")
#: English contractions are one word; elsewhere an apostrophe stands between two.
_CONTRACTION: Final = re.compile(r"(?<=\w)'(?=(?:s|t|ve|ll|re|m|d)\b)")
#: Marks of Indian vowels belong to their word, though they are no letters.
_NOT_A_WORD: Final = re.compile("(?:[^\\w\u0900-\u0dff]|_)+")
#: Letters of scripts that put no spaces between words.
_UNSPACED: Final = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af]")


def folded(text: str) -> str:
    """*text* in lower case with its accents folded; everything else stays."""
    if text.isascii():
        return text.lower().translate(_LETTERS)
    # Decomposed on both sides: a letter may stand for a capital, or for others with an accent.
    parts = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    return unicodedata.normalize("NFC", _MARKS.sub("", parts)).translate(_LETTERS)


def normalised(text: str) -> str:
    """The words of *text*, one space between them."""
    plain = _CONTRACTION.sub("", folded(text)).translate(_KEYS)
    return _NOT_A_WORD.sub(" ", plain).strip()


class Growing:
    """The words of a text that grows at its end; only what is new in it costs anything."""

    __slots__ = ("_said", "_words")

    def __init__(self) -> None:
        self._said = ""  # ends where a word does
        self._words = ""

    def words(self, said: str) -> str:
        """The same as ``normalised(said)``."""
        if not said.startswith(self._said):
            self._said = self._words = ""
        cut = said.rfind(" ") + 1
        if cut > len(self._said):
            self._words = _joined(self._words, said[len(self._said) : cut])
            self._said = said[:cut]
        return _joined(self._words, said[len(self._said) :])


def _joined(words: str, said: str) -> str:
    return f"{words} {normalised(said)}".strip()


def word_count(words: str) -> int:
    """How many words normalised text has; without spaces between them, two letters are one."""
    letters = len(_UNSPACED.findall(words))
    return (
        len(_UNSPACED.sub(" ", words).split()) + (letters + 1) // 2
        if letters
        else len(words.split())
    )
