"""One webhook request as Twilio makes it: its connection overrides, time limits and retries.

The overrides are the fragment of a webhook URL (``#rc=2&rp=ct,rt,5xx``); it is neither sent nor
signed. Ranges and defaults are those of Twilio's connection overrides page.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol
from urllib.parse import parse_qsl, urldefrag

from dialer.errors import UnreachableError

OK_BELOW: Final = 400


class Failure(StrEnum):
    """Why no answer came."""

    CONNECT = "ct"
    READ = "rt"


class WebhookFailedError(UnreachableError):
    """The other side did not answer; *kind* says how far the request came."""

    def __init__(self, message: str, kind: Failure) -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Hook:
    """Where a webhook goes; *url* may carry overrides."""

    url: str
    method: str = "POST"


@dataclass(frozen=True, slots=True)
class WebRequest:
    """What a poster has to send; *url* has no fragment. Limits are in seconds of the loop."""

    url: str
    method: str
    form: Mapping[str, str]
    idempotency_token: str
    connect_s: float
    read_s: float


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back."""

    status: int
    body: str = ""

    @property
    def ok(self) -> bool:
        """True for an answer that is no error."""
        return self.status < OK_BELOW


class Poster(Protocol):
    """Sends one request; raises WebhookFailedError when no answer comes."""

    async def post(self, request: WebRequest) -> Reply: ...


@dataclass(frozen=True, slots=True)
class Overrides:
    """Limits in seconds, how many retries, and after which failures."""

    connect_s: float = 5.0
    read_s: float = 15.0
    total_s: float = 15.0  # all tries together
    retries: int = 1
    retry_on: frozenset[str] = frozenset({"ct"})

    def wants_retry(self, outcome: Reply | WebhookFailedError) -> bool:
        """Whether *outcome* is one of those to try again after."""
        if isinstance(outcome, WebhookFailedError):
            reason = str(outcome.kind)
        else:
            reason = f"{outcome.status // 100}xx"
        failed = reason not in {"2xx", "3xx"}
        return failed and (reason in self.retry_on or "all" in self.retry_on)


DEFAULTS: Final = Overrides()


def overrides_of(fragment: str) -> Overrides:
    """Read a URL's fragment; unreadable and unknown entries are ignored, ranges are kept to."""
    given = dict(parse_qsl(fragment))
    return Overrides(
        connect_s=_clamped(given.get("ct"), 100, 10_000, 5_000) / 1000,
        read_s=_clamped(given.get("rt"), 100, 15_000, 15_000) / 1000,
        total_s=_clamped(given.get("tt"), 100, 15_000, 15_000) / 1000,
        retries=_clamped(given.get("rc"), 0, 5, 1),
        retry_on=frozenset(given["rp"].split(",")) if "rp" in given else DEFAULTS.retry_on,
    )


async def deliver(
    poster: Poster, hook: Hook, form: Mapping[str, str], token: str, patience: float
) -> Reply | WebhookFailedError:
    """Send one webhook with its retries, and return the last outcome.

    All tries carry the same idempotency *token*. Limits are multiplied by *patience*: the seconds
    of a fast clock do not make the machines that answer any faster.
    """
    url, fragment = urldefrag(hook.url)
    limits = overrides_of(fragment)
    connect_s, read_s = limits.connect_s * patience, limits.read_s * patience
    request = WebRequest(url, hook.method, form, token, connect_s, read_s)
    outcome: Reply | WebhookFailedError = WebhookFailedError("not tried", Failure.CONNECT)
    try:
        async with asyncio.timeout(limits.total_s * patience):
            for _ in range(1 + limits.retries):
                outcome = await _attempt(poster, request)
                if not limits.wants_retry(outcome):
                    break
    except TimeoutError:
        return WebhookFailedError(f"{url}: no answer in {limits.total_s:g} s", Failure.READ)
    return outcome


async def _attempt(poster: Poster, request: WebRequest) -> Reply | WebhookFailedError:
    try:
        return await poster.post(request)
    except WebhookFailedError as error:
        return error


def _clamped(text: str | None, low: int, high: int, default: int) -> int:
    if text is None or not text.isdigit():
        return default
    return min(high, max(low, int(text)))
