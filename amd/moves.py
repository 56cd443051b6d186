"""Who answered, as a table: in a state something is heard, and a state follows.

Theory of operation. A row says where the fusion goes, what is told of it, and whether that takes
back a verdict. What has no row changes nothing; a row that reverses is followed once in a call, so
nobody is thrown to and fro. Nothing else decides a verdict. Four things can be read off the rows:

- Silence leads to UNKNOWN and nowhere else.
- Words that only a living person says end the listening: no hint, tone or model comes after them.
- A fax is final.
- From everywhere there is a way to CLOSED, and two clocks (UNTOLD, END) that force it.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple, TypeAlias

from amd.verdict import Verdict


class State(StrEnum):
    """What is believed of the other end."""

    WAITING = "waiting"  # answered; nobody has spoken
    SPEAKING = "speaking"  # somebody or something speaks, or did a moment ago
    PAUSED = "paused"  # and has stopped
    UNKNOWN = "unknown"  # time was up: treated as a person, and listened to
    HUMAN = "human"  # a person, unless something speaks against it yet
    GREETING = "greeting"  # a machine; its greeting goes on
    ANNOUNCEMENT = "announcement"  # a machine that records nothing unless it beeps
    SCREENING = "screening"  # an assistant; a person may pick up
    RECORDING = "recording"  # the greeting is over
    RESTARTED = "restarted"  # a second beep: what was said before is lost
    CLOSED = "closed"  # nothing more is heard or told


class Heard(StrEnum):
    """What the table knows of the signals."""

    SPEECH = "speech"  # somebody begins to speak
    PAUSE = "pause"  # and stops
    SHORT = "short"  # a short utterance is over, and nothing in it is a machine's
    LONG = "long"  # speech without a pause, longer than anybody picks up with
    SCORED = "scored"  # the model is sure of a machine, and has been for some time
    LIVE = "live"  # words that only a living person says
    HINT = "hint"  # words of a greeting that asks for a message
    REPEAT = "repeat"  # the words of an earlier call
    NOTICE = "notice"  # a menu, or the network: by its words or its tones
    SCREENER = "screener"  # the questions of a screening assistant, as often as they are put
    BEEP = "beep"  # after somebody or something has spoken
    FAX = "fax"  # its answering tone
    QUIET = "quiet"  # silence long enough to end a greeting
    SAID_HUMAN = "said_human"  # the carrier says so, here and in the three that follow
    SAID_MACHINE = "said_machine"  # a machine
    SAID_OVER = "said_over"  # a machine, and its greeting is over
    SAID_FAX = "said_fax"  # a fax
    UNTOLD = "untold"  # time for a verdict is up, or the carrier has none
    END = "end"  # time to listen is up


class Tell(StrEnum):
    """What is told of a move."""

    HUMAN = "human"
    MACHINE = "machine"
    FAX = "fax"
    UNKNOWN = "unknown"
    OVER = "over"  # the greeting is over


class Move(NamedTuple):
    """Where to, what is told, and whether a verdict is taken back."""

    to: State
    tells: tuple[Tell, ...] = ()
    reverses: bool = False


Rows: TypeAlias = Mapping[tuple[State, Heard], Move]

_S, _H, _T = State, Heard, Tell

#: Nothing has been told yet.
OPEN: Final = (_S.WAITING, _S.SPEAKING, _S.PAUSED)
#: No definite verdict has been told.
UNDECIDED: Final = (*OPEN, _S.UNKNOWN)
#: A machine whose message has not begun.
MACHINES: Final = (_S.GREETING, _S.ANNOUNCEMENT, _S.SCREENING)
#: The greeting is over; a message is being spoken.
RECORDERS: Final = (_S.RECORDING, _S.RESTARTED)

#: What has been told once a state is reached; CLOSED comes after any of them.
VERDICTS: Final[Mapping[State, Verdict | None]] = MappingProxyType(
    {
        **dict.fromkeys((*OPEN, _S.CLOSED), None),
        _S.UNKNOWN: Verdict.UNKNOWN,
        _S.HUMAN: Verdict.HUMAN,
        **dict.fromkeys((*MACHINES, *RECORDERS), Verdict.MACHINE),
    }
)


def _rows(
    states: Iterable[State], heard: Heard, to: State, *tells: Tell, reverses: bool = False
) -> Rows:
    """One row for each of *states*."""
    return {(state, heard): Move(to, tells, reverses) for state in states}


_TURNS: Final[Rows] = {
    (_S.WAITING, _H.SPEECH): Move(_S.SPEAKING),
    (_S.SPEAKING, _H.PAUSE): Move(_S.PAUSED),
    (_S.PAUSED, _H.SPEECH): Move(_S.SPEAKING),
}

_FIRST: Final[Rows] = {
    **_rows(UNDECIDED, _H.LIVE, _S.CLOSED, _T.HUMAN),
    **_rows(UNDECIDED, _H.SHORT, _S.HUMAN, _T.HUMAN),
    **_rows(UNDECIDED, _H.HINT, _S.GREETING, _T.MACHINE),
    **_rows(UNDECIDED, _H.REPEAT, _S.GREETING, _T.MACHINE),
    **_rows(UNDECIDED, _H.NOTICE, _S.ANNOUNCEMENT, _T.MACHINE),
    **_rows(UNDECIDED, _H.SCREENER, _S.SCREENING, _T.MACHINE),
    **_rows(UNDECIDED, _H.FAX, _S.CLOSED, _T.FAX),
    **_rows((_S.SPEAKING, _S.UNKNOWN), _H.LONG, _S.GREETING, _T.MACHINE),
    **_rows((_S.SPEAKING, _S.UNKNOWN), _H.SCORED, _S.GREETING, _T.MACHINE),
    **_rows((_S.SPEAKING, _S.PAUSED, _S.UNKNOWN), _H.BEEP, _S.RECORDING, _T.MACHINE, _T.OVER),
    **_rows(UNDECIDED, _H.SAID_HUMAN, _S.HUMAN, _T.HUMAN),
    **_rows(UNDECIDED, _H.SAID_MACHINE, _S.GREETING, _T.MACHINE),
    **_rows(UNDECIDED, _H.SAID_OVER, _S.RECORDING, _T.MACHINE, _T.OVER),
    **_rows(UNDECIDED, _H.SAID_FAX, _S.CLOSED, _T.FAX),
    **_rows(OPEN, _H.UNTOLD, _S.UNKNOWN, _T.UNKNOWN),
}

_REVERSALS: Final[Rows] = {
    **_rows((_S.HUMAN,), _H.HINT, _S.GREETING, _T.MACHINE, reverses=True),
    **_rows((_S.HUMAN,), _H.REPEAT, _S.GREETING, _T.MACHINE, reverses=True),
    **_rows((_S.HUMAN,), _H.NOTICE, _S.ANNOUNCEMENT, _T.MACHINE, reverses=True),
    **_rows((_S.HUMAN,), _H.SCREENER, _S.SCREENING, _T.MACHINE, reverses=True),
    **_rows((_S.HUMAN,), _H.LONG, _S.GREETING, _T.MACHINE, reverses=True),
    **_rows((_S.HUMAN,), _H.BEEP, _S.RECORDING, _T.MACHINE, _T.OVER, reverses=True),
    **_rows((*MACHINES, *RECORDERS), _H.LIVE, _S.CLOSED, _T.HUMAN, reverses=True),
    **_rows((_S.SCREENING,), _H.SHORT, _S.CLOSED, _T.HUMAN, reverses=True),
    **_rows((*MACHINES, *RECORDERS), _H.SAID_HUMAN, _S.CLOSED, _T.HUMAN, reverses=True),
    **_rows((_S.HUMAN, *MACHINES, *RECORDERS), _H.FAX, _S.CLOSED, _T.FAX, reverses=True),
}

_AFTERWARDS: Final[Rows] = {
    (_S.HUMAN, _H.LIVE): Move(_S.CLOSED),
    # A network that asks for a message after all records one: whoever leaves it wants to know.
    **_rows((_S.ANNOUNCEMENT,), _H.HINT, _S.GREETING, _T.MACHINE),
    # A screening assistant wants another answer than a machine, whenever it asks.
    **_rows(MACHINES, _H.SCREENER, _S.SCREENING, _T.MACHINE),
    **_rows(MACHINES, _H.BEEP, _S.RECORDING, _T.OVER),
    **_rows((_S.GREETING,), _H.QUIET, _S.RECORDING, _T.OVER),
    **_rows((_S.GREETING,), _H.SAID_OVER, _S.RECORDING, _T.OVER),
    **_rows((_S.RECORDING,), _H.BEEP, _S.RESTARTED, _T.OVER),
}

_ENDS: Final[Rows] = {
    **_rows((_S.UNKNOWN, _S.HUMAN, *RECORDERS), _H.END, _S.CLOSED),
    **_rows(MACHINES, _H.END, _S.CLOSED, _T.OVER),
}

MOVES: Final[Rows] = MappingProxyType({**_TURNS, **_FIRST, **_REVERSALS, **_AFTERWARDS, **_ENDS})
