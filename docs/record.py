"""Record the operator's part of the tutorial as an asciicast, for a player of terminal sessions.

python -m docs.record              write docs/tutorial.cast

Simulator and daemon are real processes, and every command runs on a terminal of its own. They are
some times as fast as life, and no pause is longer than two seconds. What names this machine is told
by other names.
"""

import codecs
import fcntl
import json
import os
import pty
import re
import socket
import struct
import subprocess
import tempfile
import termios
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from tests.support.pages import environment
from tests.support.tutorial import Trial, operator, trial

TARGET: Final = Path(__file__).parent / "tutorial.cast"
TITLE: Final = "A first campaign with dialer, four times as fast as life"
SPEED: Final = 4.0
COLUMNS: Final = 100
LINES: Final = 30
PROMPT: Final = "\x1b[1;32m$\x1b[0m "
#: Seconds of the recording: the longest pause, a stroke of a key, a look at an answer.
MOST_S: Final = 2.0
STROKE_S: Final = 0.04
LOOK_S: Final = 1.6
#: A screen that is drawn again sooner than this is left out.
FRAME_S: Final = 0.7
_HOME: Final = "\x1b[H"


class Written(NamedTuple):
    """What a terminal showed, and how long after what was before it."""

    after_s: float
    text: str


def main() -> None:
    """Write the recording."""
    with (
        tempfile.TemporaryDirectory() as folder,
        trial(Path(folder), SPEED, DIALER_ACTOR="ann@desk", DIALER_DEFAULT_ZONE="UTC") as stage,
    ):
        session = list(_session(stage))
    header = {"version": 2, "width": COLUMNS, "height": LINES, "title": TITLE}
    lines = [json.dumps(header), *_timed(session)]
    TARGET.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _session(stage: Trial) -> Iterator[Written]:
    for shown in operator():
        yield from _typing(shown.line)
        yield from _thinned(_answer(shown.line, stage))
        yield Written(LOOK_S, "")
    yield Written(0.0, PROMPT)


def _typing(line: str) -> Iterator[Written]:
    """A command as somebody types it; the lines of a list come as they are pasted."""
    first, *rest = line.split("\n")
    yield Written(0.0, PROMPT)
    for stroke in re.findall(r"\S+\s*", first):
        yield Written(min(MOST_S, STROKE_S * len(stroke)), stroke)
    for each in rest:
        yield Written(STROKE_S, f"\r\n> {each}")
    yield Written(STROKE_S, "\r\n")


def _answer(line: str, stage: Trial) -> Iterator[Written]:
    """Run a command on a terminal and yield what it shows, as it shows it."""
    screen, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    with subprocess.Popen(  # noqa: S603  the tutorial's own commands
        ["/bin/sh", "-c", line],
        cwd=stage.folder,
        env=_variables(stage.variables),
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
    ):
        os.close(terminal)
        yield from _reading(screen, stage.folder)
    os.close(screen)


def _variables(settings: Mapping[str, str]) -> dict[str, str]:
    plain = {name: text for name, text in environment().items() if name != "NO_COLOR"}
    return plain | {"TERM": "xterm-256color", "LANG": "C.UTF-8"} | dict(settings)


def _reading(screen: int, folder: Path) -> Iterator[Written]:
    decoder = codecs.getincrementaldecoder("utf-8")()
    before_s = time.perf_counter()
    while chunk := _chunk(screen):
        now_s = time.perf_counter()
        yield Written(min(MOST_S, now_s - before_s), _neutral(decoder.decode(chunk), folder))
        before_s = now_s


def _chunk(screen: int) -> bytes:
    try:
        return os.read(screen, 65_536)
    except OSError:  # nobody has the other end any more
        return b""


def _neutral(text: str, folder: Path) -> str:
    text = text.replace(f"{folder}{os.sep}", "").replace(str(folder), "trial")
    return re.sub(rf"\b{re.escape(socket.gethostname())}\b", "desk", text)


def _thinned(session: Iterator[Written]) -> Iterator[Written]:
    """The same without screens that are drawn over at once; the last one stays."""
    held: Written | None = None
    for written in session:
        if held is not None and written.text.startswith(_HOME) and held.after_s < FRAME_S:
            held = Written(held.after_s + written.after_s, written.text)
            continue
        if held is not None:
            yield held
            held = None
        if written.text.startswith(_HOME):
            held = written
        else:
            yield written
    if held is not None:
        yield held


def _timed(session: list[Written]) -> Iterator[str]:
    at_s = 0.0
    for written in session:
        at_s += written.after_s
        if written.text:
            yield json.dumps([round(at_s, 3), "o", written.text], ensure_ascii=False)


if __name__ == "__main__":
    main()
