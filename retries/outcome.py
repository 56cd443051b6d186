"""How one attempt to reach a callee ended, as far as calling again is concerned."""

from enum import StrEnum


class Outcome(StrEnum):
    """The end of an attempt."""

    HUMAN = "human"  # a person answered, or nobody can say that it was none
    MACHINE = "machine"  # voicemail, menu or screening answered, and no message was left
    FAX = "fax"  # a fax machine answered
    NO_ANSWER = "no_answer"  # it rang until the ring timeout
    BUSY = "busy"  # the line was engaged
    REJECTED = "rejected"  # the callee, or the phone on their behalf, turned the call away
    INVALID_NUMBER = "invalid_number"  # no such line
    CARRIER_FAILED = "carrier_failed"  # the carrier took the call and could not put it through
    CANCELED = "canceled"  # we took it back before anybody answered; it may have rung
    NOT_PLACED = "not_placed"  # the carrier never made a call; nothing rang, it is no attempt
