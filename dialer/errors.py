"""Everything that can go wrong, as one tree.

DialerError                 the message names the value and the cure; `next` is a command to try
├── UsageError              the caller's words or files cannot be used            exit 2
├── NotFoundError           no such campaign, number, contact, …                  exit 3
├── CredentialsError        the carrier's credentials are missing or refused      exit 4
├── WrongStateError         the thing exists, but not in a state that allows this exit 5
│   └── IllegalTransitionError   a move that no table row allows
├── UnreachableError        daemon, carrier or port cannot be reached             exit 6
└── StoreError              the database refused                                  exit 1
    ├── StoreBusyError      somebody else held the database for too long
    └── SchemaError         the database's schema is not the one this release needs exit 5
"""

from enum import IntEnum, StrEnum
from typing import Final


class ExitCode(IntEnum):
    """How a command has ended, as programs see it."""

    FAILED = 1  # also: the answer is no
    MISUSED = 2
    NOT_FOUND = 3
    NO_CREDENTIALS = 4
    WRONG_STATE = 5
    UNREACHABLE = 6
    PARTLY = 7  # part of what was asked for is done, and it was said what is missing
    TIMED_OUT = 124  # as of timeout(1)
    INTERRUPTED = 130  # as of a process that SIGINT has ended
    UNREAD = 141  # whoever read what was printed has gone: as of one that SIGPIPE has ended


class DialerError(Exception):
    """Base of every error an operator may see; *next_step* is the command that may cure it."""

    exit_code = ExitCode.FAILED
    code = "failed"

    def __init__(self, message: str, *, next_step: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step


class UsageError(DialerError):
    """What was given cannot be used as it is: a flag, a value, a file."""

    exit_code = ExitCode.MISUSED
    code = "misuse"


class NotFoundError(DialerError):
    """The named thing does not exist."""

    exit_code = ExitCode.NOT_FOUND
    code = "not_found"


class CredentialsError(DialerError):
    """The carrier's credentials are missing, incomplete or refused."""

    exit_code = ExitCode.NO_CREDENTIALS
    code = "credentials"


class WrongStateError(DialerError):
    """The thing exists, but its state does not allow what was asked."""

    exit_code = ExitCode.WRONG_STATE
    code = "wrong_state"


class IllegalTransitionError(WrongStateError):
    """No row of the transition table allows *event* in *state*."""

    code = "illegal_transition"

    def __init__(self, state: StrEnum, event: StrEnum) -> None:
        super().__init__(f"{type(state).__name__} {state.value!r} does not allow {event.value!r}")
        self.state = state
        self.event = event


class UnreachableError(DialerError):
    """A daemon, a carrier, a port or another machine did not answer as needed."""

    exit_code = ExitCode.UNREACHABLE
    code = "unreachable"


class StoreError(DialerError):
    """The database refused; nothing of the transaction was kept."""

    code = "store"


#: The cure of a full disk: what was begun by portions, as imports are, knows how far it came.
MAKE_ROOM: Final = "make room on its disk and run it again; an import goes on where it stopped"


class StoreBusyError(StoreError):
    """Somebody else held the database for longer than we wait."""

    code = "store_busy"


class SchemaError(StoreError):
    """The database's schema is missing, older or newer than this release needs."""

    exit_code = ExitCode.WRONG_STATE
    code = "schema"
