"""What a request to place a call asks for, read from its form and checked as Twilio does. Pure.

Order of the first checks (seen live): To, then Url, then From. Parameters we do not simulate are
ignored, as are values Twilio only warns about.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias
from urllib.parse import urlsplit

from dialer.carrier_sim.api_errors import ApiError
from dialer.carrier_sim.hearing import AmdOrder
from dialer.carrier_sim.numbers import E164, Numbers
from dialer.carrier_sim.webhook import Hook

Form: TypeAlias = Mapping[str, Sequence[str]]

MAX_TWIML: Final = 4000
MAX_RING_S: Final = 600
RING_S: Final = 60
TIME_LIMIT_S: Final = 14_400  # four hours, Twilio's default
EVENTS: Final = ("initiated", "ringing", "answered", "completed")
DEFAULT_EVENTS: Final = frozenset({"completed"})

#: Destinations that are refused at once; Twilio documents them for its test credentials.
REFUSED_TO: Final[Mapping[str, int]] = {
    "+15005550001": 21217,
    "+15005550002": 21214,
    "+15005550003": 21215,
    "+15005550004": 21216,
}
REFUSED_FROM: Final = "+15005550001"


@dataclass(frozen=True, slots=True)
class CallOrder:
    """A call that may be placed."""

    to: str
    from_: str
    answer: Hook | None = None  # fetched when answered, unless *twiml* says what to do
    fallback: Hook | None = None
    twiml: str = ""
    status: Hook | None = None
    events: frozenset[str] = DEFAULT_EVENTS
    ring_timeout_s: int = RING_S
    time_limit_s: int = TIME_LIMIT_S
    amd: AmdOrder | None = None
    amd_callback: Hook | None = None

    @property
    def token(self) -> str:
        """The last path segment of the status callback's URL, by which callers name attempts."""
        path = urlsplit(self.status.url).path if self.status else ""
        return path.rstrip("/").rpartition("/")[2]


def parse_order(form: Form, numbers: Numbers) -> CallOrder:
    """Read a create request; raises ApiError with Twilio's code when it cannot be placed."""
    to, from_ = one(form, "To"), one(form, "From")
    if not to:
        raise ApiError(21201)
    answer, twiml = _what_to_do(form)
    if not from_:
        raise ApiError(21213)
    _check_numbers(to, from_, numbers)
    amd = _amd(form)
    return CallOrder(
        to=to,
        from_=from_,
        answer=answer,
        fallback=hook(form, "FallbackUrl", "FallbackMethod"),
        twiml="" if answer else twiml,
        status=hook(form, "StatusCallback", "StatusCallbackMethod"),
        events=frozenset(form.get("StatusCallbackEvent", ())) & set(EVENTS) or DEFAULT_EVENTS,
        ring_timeout_s=_seconds(form, "Timeout", RING_S, MAX_RING_S),
        time_limit_s=_seconds(form, "TimeLimit", TIME_LIMIT_S, TIME_LIMIT_S),
        amd=amd,
        amd_callback=hook(form, "AsyncAmdStatusCallback", "AsyncAmdStatusCallbackMethod"),
    )


def hook(form: Form, url_name: str, method_name: str) -> Hook | None:
    """The webhook named by two parameters; None when there is none."""
    url, method = one(form, url_name), one(form, method_name).upper() or "POST"
    if method not in {"GET", "POST"}:
        raise ApiError(21206, method)
    return Hook(url, method) if _absolute(url) else None


def time_limit_s(form: Form) -> int | None:
    """A TimeLimit, if the form has one."""
    return _seconds(form, "TimeLimit", TIME_LIMIT_S, TIME_LIMIT_S) if "TimeLimit" in form else None


def _what_to_do(form: Form) -> tuple[Hook | None, str]:
    """Where the answered call gets its document, or the document itself."""
    if application := one(form, "ApplicationSid"):
        raise ApiError(21218, application)  # there are no applications here
    answer, twiml = hook(form, "Url", "Method"), one(form, "Twiml")
    if answer is None and not twiml:
        raise ApiError(21205)
    if len(twiml) > MAX_TWIML:
        raise ApiError(32018, MAX_TWIML)
    return answer, twiml


def _check_numbers(to: str, from_: str, numbers: Numbers) -> None:
    if code := REFUSED_TO.get(to):
        raise ApiError(code, to)
    if to == from_ or not (E164.fullmatch(to) or to.startswith(("sip:", "client:"))):
        raise ApiError(21211, to)
    if from_ == REFUSED_FROM or not E164.fullmatch(from_):
        raise ApiError(21212, from_)
    if not numbers.owns(from_):
        raise ApiError(21210, from_)


def _amd(form: Form) -> AmdOrder | None:
    mode = one(form, "MachineDetection")
    if mode not in {"", "Enable", "DetectMessageEnd"}:
        raise ApiError(21234, mode)
    if not mode or "SendDigits" in form:
        return None
    return AmdOrder(
        detect_message_end=mode == "DetectMessageEnd",
        asynchronous=one(form, "AsyncAmd") == "true",
        timeout_s=_seconds(form, "MachineDetectionTimeout", 30, 59),
        silence_timeout_s=_seconds(form, "MachineDetectionSilenceTimeout", 5000, 10_000) / 1000,
    )


def one(form: Form, name: str) -> str:
    """A scalar parameter; empty when absent, the last one when repeated."""
    values = form.get(name, ())
    return values[-1].strip() if values else ""


def _seconds(form: Form, name: str, default: int, highest: int) -> int:
    text = one(form, name)
    return min(highest, max(1, int(text))) if text.isdigit() else default


def _absolute(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme in {"http", "https"} and bool(parts.hostname)
