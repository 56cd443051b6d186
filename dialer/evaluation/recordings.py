"""Recordings that somebody has labelled: a manifest in CSV, and the sound behind its rows.

The manifest has the columns ``file`` (relative to the manifest) and ``label`` (human or machine),
and may have ``kind``, ``speaker`` and ``licence``. A recording is a WAV file of one channel at
8,000 Hz, mu-law or 16-bit, that begins when the call was answered.
"""

import csv
import hashlib
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

import numpy as np

from amd.audio import mulaw
from dialer.errors import UsageError

_RIFF: Final = 12  # bytes before the first chunk
_CHUNK: Final = 8  # bytes of a chunk's head
_PCM, _MULAW = 1, 7  # format tags of the WAV registry (RFC 2361)
_MOST_BYTES: Final = 64 * 1024 * 1024  # over an hour of 16-bit sound; a call is not longer
_CONVERT: Final = "ffmpeg -i {file} -ac 1 -ar 8000 -c:a pcm_mulaw OUT.wav"


class Label(StrEnum):
    """Who a recording was labelled to be."""

    HUMAN = "human"
    MACHINE = "machine"


@dataclass(frozen=True, slots=True)
class Recording:
    """One row of a manifest; *row* is its line in the file."""

    row: int
    file: str
    path: Path
    label: Label
    kind: str
    speaker: str
    licence: str


def recordings(manifest: Path) -> list[Recording]:
    """The rows of a manifest; raises :exc:`UsageError` naming the first row that is wrong."""
    try:
        text = manifest.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise UsageError(f"there is no file {str(manifest)!r}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{str(manifest)!r} cannot be read as text in UTF-8; save it as CSV in UTF-8"
        ) from error
    rows = csv.DictReader(text.splitlines())
    _check_columns(manifest, rows.fieldnames or ())
    found = [_recording(manifest, row, rows.line_num) for row in rows]
    if not found:
        raise UsageError(f"{str(manifest)!r} holds no rows; each is a file and its label")
    return found


def _check_columns(manifest: Path, names: Sequence[str]) -> None:
    for wanted in ("file", "label"):
        if wanted not in names:
            raise UsageError(
                f"{str(manifest)!r} has no column {wanted!r}; its first line must name file,label"
            )


def _recording(manifest: Path, row: dict[str, str], line: int) -> Recording:
    file, label = (row["file"] or "").strip(), (row["label"] or "").strip().lower()
    if not file:
        raise UsageError(f"row {line}: no file is named; write its path in column 'file'")
    if label not in set(Label):
        raise UsageError(f"row {line}: {file} has the label {label!r}; it must be human or machine")
    return Recording(
        line,
        file,
        manifest.parent / file,
        Label(label),
        *((row.get(name) or "").strip() for name in ("kind", "speaker", "licence")),
    )


def sound(recording: Recording) -> bytes:
    """The sound of a row as mu-law bytes, one for each sample.

    Raises :exc:`UsageError` that names the row, what is wrong and how to mend it.
    """
    try:
        content = recording.path.read_bytes()[: _MOST_BYTES + 1]
    except FileNotFoundError as error:
        raise _wrong(recording, "does not exist; paths count from the manifest's folder") from error
    except OSError as error:
        raise _wrong(recording, f"cannot be read: {error.strerror}") from error
    if len(content) > _MOST_BYTES:
        raise _wrong(recording, "is longer than an hour; cut the call out of it")
    return _payload(recording, content)


def digest(recording: Recording) -> str:
    """SHA-256 of the file of a row."""
    return hashlib.sha256(recording.path.read_bytes()).hexdigest()


def _payload(recording: Recording, content: bytes) -> bytes:
    if not content:
        raise _wrong(recording, "is empty")
    if content[:4] != b"RIFF" or content[8:_RIFF] != b"WAVE":
        raise _wrong(recording, "is not a WAV file", convert=True)
    chunks = dict(_chunks(recording, content))
    if len(chunks.get(b"fmt ", b"")) < 16 or b"data" not in chunks:
        raise _wrong(recording, "is cut off: it has no sound; copy it again")
    data = _mulaw(recording, chunks[b"fmt "], chunks[b"data"])
    if not data:
        raise _wrong(recording, "holds no sound")
    return data


def _chunks(recording: Recording, content: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = _RIFF
    while at + _CHUNK <= len(content):
        name, size = struct.unpack_from("<4sI", content, at)
        at += _CHUNK
        if at + size > len(content):
            raise _wrong(recording, "is cut off before its end; copy it again")
        yield name, content[at : at + size]
        at += size + size % 2


def _mulaw(recording: Recording, form: bytes, data: bytes) -> bytes:
    tag, channels, rate_hz, _, _, bits = struct.unpack_from("<HHIIHH", form)
    if channels != 1:
        raise _wrong(recording, f"has {channels} channels; take the callee's alone", convert=True)
    if rate_hz != mulaw.RATE_HZ:
        raise _wrong(recording, f"has {rate_hz} samples a second, not 8000", convert=True)
    if (tag, bits) == (_MULAW, 8):
        return data
    if (tag, bits) == (_PCM, 16):
        return mulaw.encode(np.frombuffer(data[: len(data) // 2 * 2], dtype="<i2"))
    raise _wrong(recording, "is neither mu-law nor 16-bit", convert=True)


def _wrong(recording: Recording, what: str, *, convert: bool = False) -> UsageError:
    cure = _CONVERT.format(file=recording.file) if convert else None
    return UsageError(f"row {recording.row}: {recording.file} {what}", next_step=cure)
