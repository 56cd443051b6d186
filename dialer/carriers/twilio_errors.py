"""What Twilio's errors mean to a dialer: tables, and one judgement of a request's answer."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import aiohttp

from dialer.carriers.rfc2822 import parse_date
from dialer.carriers.twilio_http import Exchange, OrderVoidError
from dialer.clock import MS
from dialer.ports import Doubtful, NotSent, Placement, Refusal, Refused, Throttled

#: Twilio's error codes (its error dictionary) by what follows for the dialer. A code that is not
#: here fails the attempt and says nothing about the number or the account.
REFUSALS: Final[Mapping[int, Refusal]] = MappingProxyType(
    {
        # The callee's number can never be called.
        13223: Refusal.BAD_NUMBER,  # invalid phone number format
        13224: Refusal.BAD_NUMBER,  # invalid phone number
        13226: Refusal.BAD_NUMBER,  # invalid country code
        21202: Refusal.BAD_NUMBER,  # premium-rate number
        21211: Refusal.BAD_NUMBER,  # invalid To
        21214: Refusal.BAD_NUMBER,  # To cannot be reached
        21217: Refusal.BAD_NUMBER,  # does not look like a phone number
        # Not this country, prefix or callee with this account. Blocks by Twilio itself are
        # here too: they may come from a missing customer profile of ours, so they must not
        # mark a good number as bad.
        13225: Refusal.DESTINATION,  # number blocked by Twilio
        13227: Refusal.DESTINATION,  # no permission for this country
        21215: Refusal.DESTINATION,  # no permission for this country
        21216: Refusal.DESTINATION,  # number blocked by Twilio
        21219: Refusal.DESTINATION,  # trial account, number not verified
        32205: Refusal.DESTINATION,  # no permission for this country
        # Our account, credentials, caller id or request: every further call would fail alike.
        10001: Refusal.CONFIGURATION,  # account is not active
        10002: Refusal.CONFIGURATION,  # trial account does not have this feature
        20003: Refusal.CONFIGURATION,  # credentials refused
        20005: Refusal.CONFIGURATION,  # account is not active
        20006: Refusal.CONFIGURATION,  # access denied
        20008: Refusal.CONFIGURATION,  # not with test credentials
        20403: Refusal.CONFIGURATION,  # forbidden
        20404: Refusal.CONFIGURATION,  # no such account
        21205: Refusal.CONFIGURATION,  # invalid Url
        21206: Refusal.CONFIGURATION,  # invalid SendDigits
        21208: Refusal.CONFIGURATION,  # invalid StatusCallback
        21210: Refusal.CONFIGURATION,  # From is not verified
        21212: Refusal.CONFIGURATION,  # From is not valid or not allowed
        21213: Refusal.CONFIGURATION,  # From is missing
        21218: Refusal.CONFIGURATION,  # invalid ApplicationSid
        21221: Refusal.CONFIGURATION,  # invalid status callback method
        21223: Refusal.CONFIGURATION,  # invalid fallback method
        21234: Refusal.CONFIGURATION,  # invalid MachineDetection
        21263: Refusal.CONFIGURATION,  # invalid AMD callback
        573002: Refusal.CONFIGURATION,  # From is not the one assigned to this trial account
    }
)

#: Answers without one of those codes: statuses that speak of the account or the address.
_REFUSALS_BY_STATUS: Final[Mapping[int, Refusal]] = MappingProxyType(
    dict.fromkeys((401, 403, 404, 405, 407), Refusal.CONFIGURATION)
)

#: Codes that only say "not now", and how long to wait, in seconds.
WAITS_S: Final[Mapping[int, float]] = MappingProxyType(
    {
        10004: 10.0,  # as many calls as the account may have: one of them has to end
        22005: 900.0,  # a day's worth of calls is queued at the carrier: hours
    }
)
DEFAULT_WAIT_S: Final = 1.0
MAX_WAIT_S: Final = 3600.0

TOO_MANY_REQUESTS: Final = 429
NOT_FOUND: Final = 20404  # a call just made may still be reported as unknown
NOT_IN_PROGRESS: Final = 21220  # the call ended while it was to be changed

#: Written by gateways that gave up waiting, perhaps after they had passed the request on.
_INCONCLUSIVE: Final = frozenset({408, 499})

_PHONE: Final = re.compile(r"\+?\d{7,15}")
_FIRST_CODE: Final = (
    10_000  # smaller numbers are HTTP statuses the SDK puts where a code is missing
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back for a request that did not succeed; everything may be missing."""

    status: int | None
    code: int | None
    message: str
    retry_after_s: float | None = None

    @property
    def definite(self) -> bool:
        """Whether the carrier itself said no."""
        return self.status is not None and 400 <= self.status < 500 and not self._inconclusive

    @property
    def passing(self) -> bool:
        """Whether asking again may help."""
        return not self.definite or self.throttled

    @property
    def throttled(self) -> bool:
        """Whether the request was put off without being looked at."""
        return self.definite and (self.status == TOO_MANY_REQUESTS or self.code in WAITS_S)

    @property
    def wait_s(self) -> float:
        """How long to wait before asking again, in seconds."""
        wait_s = WAITS_S.get(self.code or 0, DEFAULT_WAIT_S)
        return max(wait_s, self.retry_after_s or 0.0)

    @property
    def _inconclusive(self) -> bool:
        return self.status in _INCONCLUSIVE


def answer_of(error: Exception, noted: Exchange, now: int) -> Answer:
    """Put together what the response says, else what the network did; *now* is UTC ms.

    The response is read here once more because the SDK has several exceptions for one thing and
    keeps neither headers nor, for lists, the code.
    """
    problem = _problem(noted.body)
    return Answer(
        status=noted.status,
        code=_code(problem.get("code")),
        message=_message(error, noted, problem),
        retry_after_s=_retry_after(noted.headers.get("Retry-After"), now),
    )


def placement_of(error: Exception, noted: Exchange, now: int) -> Placement:
    """What a failed attempt to place a call amounts to; raises *error* again if it is a defect."""
    answer = answer_of(error, noted, now)
    if not noted.left:
        if isinstance(error, OrderVoidError | OSError | aiohttp.ClientError | TimeoutError):
            return NotSent(answer.message)
        raise error
    if answer.throttled:
        return Throttled(answer.wait_s, answer.code, answer.message)
    if answer.definite:
        return Refused(refusal(answer), answer.code, answer.message)
    return Doubtful(answer.message)


def refusal(answer: Answer) -> Refusal:
    """The consequence of a definite no."""
    known = REFUSALS.get(answer.code or 0) or _REFUSALS_BY_STATUS.get(answer.status or 0)
    return known or Refusal.OTHER


def _problem(body: str) -> Mapping[str, Any]:
    """The error's description, empty when the body is none (a gateway's HTML page)."""
    try:
        parsed = json.loads(body)
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _code(value: object) -> int | None:
    """Twilio's code, which may be absent, null or, from other servers, text."""
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() else None


def _message(error: Exception, noted: Exchange, problem: Mapping[str, Any]) -> str:
    """The carrier's words without telephone numbers, or ours about the network."""
    if noted.status is None:
        return _network_trouble(error)
    words = problem.get("detail") or problem.get("message") or problem.get("title")
    request_id = noted.headers.get("Twilio-Request-Id")
    suffix = f" [{request_id}]" if request_id else ""
    return f"HTTP {noted.status}: {_PHONE.sub(_masked, str(words or type(error).__name__))}{suffix}"


def _network_trouble(error: Exception) -> str:
    """Never the exception's own text where that may hold an address with numbers in it."""
    if isinstance(error, OrderVoidError | aiohttp.ClientConnectorError):
        return str(error)
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return f"connection lost ({type(error).__name__})"


def _masked(phone: re.Match[str]) -> str:
    return f"***{phone[0][-2:]}"


def _retry_after(value: str | None, now: int) -> float | None:
    """Seconds from a Retry-After header: a number or a date (RFC 9110, section 10.2.3)."""
    if value is None:
        return None
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", value):
        return min(float(value), MAX_WAIT_S)
    at = parse_date(value)
    return None if at is None else min(max((at - now) / MS, 0.0), MAX_WAIT_S)
