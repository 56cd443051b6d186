"""How a file of text is written: its encoding, whether it is text at all, and its fingerprint.

Theory of operation. A file is looked through once before anything is taken from it: what cannot be
read to its end is refused as a whole. Offsets are counted in bytes by encoding each line again, so
a codec must be the exact inverse of its decoder; a file in one that is not (those of East Asia,
mostly) is rewritten as UTF-8 in a nameless file first.
"""

import codecs
import io
import re
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import IO, Final

from dialer.errors import UsageError

#: Western European, as spreadsheets on Windows write it: what is not UTF-8 is most likely this.
FALLBACK_ENCODING: Final = "cp1252"
#: Bytes that are no letters come out of Python's decoders as these.
ESCAPED: Final = re.compile("[\ud800-\udfff]")

#: A mark at the beginning, the encoding it tells of, and the codec of what follows it. Longest
#: first: the marks of UTF-32 begin with those of UTF-16.
_MARKS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32", "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32", "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8-sig", "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16", "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16", "utf-16-be"),
)
#: Without a mark, these are read in the order of bytes that nearly every machine has.
_UNMARKED: Final = {"utf-8-sig": "utf-8", "utf-16": "utf-16-le", "utf-32": "utf-32-le"}
_EXACT: Final = frozenset(["utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
_WIDE: Final = ("utf-16", "utf-32")
_ASCII: Final = re.compile(r"[\x00-\x7f]")
_CHUNK: Final = 1 << 18


@dataclass(frozen=True, slots=True)
class Text:
    """A file that has been looked through: its text is in *file*, from the byte *start* on."""

    file: IO[bytes]
    encoding: str  # as an operator names it
    codec: str  # of the bytes behind a mark
    errors: str  # what becomes of bytes that are no letters
    start: int
    digest: str  # SHA-256, in hexadecimal digits
    size: int  # of *file*
    damaged: bool  # some bytes are no letters

    @property
    def measure(self) -> Callable[[str], int]:
        """Counts the bytes of a piece of this text."""
        codec, errors = self.codec, self.errors
        if codec == "utf-8":
            return lambda text: len(text) if text.isascii() else len(text.encode(codec, errors))
        return lambda text: len(text.encode(codec, errors))


def look_through(file: IO[bytes], name: str, encoding: str | None, stack: ExitStack) -> Text:
    """How *file* is written, in *encoding* if one is given; the *stack* closes what this opens.

    Raises :exc:`UsageError` for what is empty, or no text in that encoding.
    """
    head = file.read(_CHUNK)
    marked = next((found for mark, found, _ in _MARKS if head.startswith(mark)), None)
    found = _known(encoding) if encoding else marked or "utf-8"
    letters, digest, size = _decoded(file, name, found)
    if letters.blank:
        raise UsageError(f"{name} is empty")
    # Beside true UTF-8 letters a few bad bytes are damage; without them it is another encoding.
    if not encoding and not marked and letters.escaped > letters.foreign:
        found = FALLBACK_ENCODING
        letters, digest, size = _decoded(file, name, found)
    start, codec = _behind_the_mark(head, found)
    damaged = letters.escaped > 0
    errors = "surrogateescape" if damaged else "strict"
    text = Text(file, found, codec, errors, start, digest, size, damaged)
    return text if _exact(codec) else _rewritten(text, stack)


def mended(text: str) -> str:
    """*text* with a mark for each byte that is no letter, so that it can be stored and shown."""
    return ESCAPED.sub("\N{REPLACEMENT CHARACTER}", text)


@dataclass(slots=True)
class _Letters:
    """Counts of what a decoder made of the bytes."""

    blank: bool = True
    foreign: int = 0  # beyond ASCII
    escaped: int = 0

    def count(self, text: str, name: str) -> None:
        if "\0" in text:
            raise UsageError(
                f"{name} is no text: it holds NUL characters",
                next_step="save it as CSV (UTF-8) and import that",
            )
        self.blank = self.blank and not text.strip()
        if not text.isascii():
            escaped = len(ESCAPED.findall(text))
            self.escaped += escaped
            self.foreign += len(_ASCII.sub("", text)) - escaped


def _decoded(file: IO[bytes], name: str, encoding: str) -> tuple[_Letters, str, int]:
    """What the file is in an encoding, its fingerprint and its size; raises when it is no text."""
    errors = "strict" if encoding.startswith(_WIDE) else "surrogateescape"
    decoder = codecs.getincrementaldecoder(encoding)(errors)
    letters, digest, size = _Letters(), sha256(), 0
    file.seek(0)
    try:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
            letters.count(decoder.decode(chunk), name)
        letters.count(decoder.decode(b"", final=True), name)
    except UnicodeError:
        raise UsageError(
            f"{name} cannot be read as {encoding}",
            next_step="save it as CSV (UTF-8), or say how it is written: --encoding NAME",
        ) from None
    return letters, digest.hexdigest(), size


def _rewritten(text: Text, stack: ExitStack) -> Text:
    """The same text in UTF-8; bytes that are no letters stay marked as such."""
    spooled = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115  the stack closes it
    text.file.seek(text.start)
    decoder = codecs.getincrementaldecoder(text.codec)(text.errors)
    while chunk := text.file.read(_CHUNK):
        spooled.write(decoder.decode(chunk).encode("utf-8", "surrogatepass"))
    spooled.write(decoder.decode(b"", final=True).encode("utf-8", "surrogatepass"))
    return replace(
        text, file=spooled, codec="utf-8", errors="surrogatepass", start=0, size=spooled.tell()
    )


def _behind_the_mark(head: bytes, encoding: str) -> tuple[int, str]:
    """Where the text begins, and its codec."""
    for mark, name, codec in _MARKS:
        if name == encoding and head.startswith(mark):
            return len(mark), codec
    return 0, _UNMARKED.get(encoding, encoding)


def _exact(codec: str) -> bool:
    return codec in _EXACT or _one_byte_each(codec)


def _one_byte_each(codec: str) -> bool:
    """Whether each byte is one character, and no other byte is the same."""
    every = bytes(range(256))
    try:
        text = every.decode(codec, "surrogateescape")
    except UnicodeError:
        return False
    return len(text) == len(set(text)) == len(every)


def _known(encoding: str) -> str:
    try:
        io.TextIOWrapper(io.BytesIO(), encoding)  # knows text encodings from others
    except (LookupError, ValueError):
        raise UsageError(
            f"no such encoding: {encoding!r} (as in utf-8, utf-16, cp1252, latin-1)"
        ) from None
    name = codecs.lookup(encoding).name
    return "utf-8-sig" if name == "utf-8" else name
