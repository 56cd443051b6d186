"""Calls through Twilio, or a server that speaks its REST API, by way of Twilio's own SDK.

Theory of operation. Twilio has no idempotency key for placing a call, so a *create* is sent at
most once and never repeated here: whatever happens after the first byte may have left is
*doubtful* unless the answer says no for certain. Everything else (looking, hanging up) may be
asked twice without harm, and is, when the trouble may pass.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, Self

from twilio.base import values
from twilio.rest import Client

from dialer.carriers.twilio_config import TwilioConfig
from dialer.carriers.twilio_errors import (
    NOT_FOUND,
    NOT_IN_PROGRESS,
    Answer,
    answer_of,
    placement_of,
)
from dialer.carriers.twilio_http import Exchange, TwilioHttp, exchange
from dialer.carriers.twilio_records import ListedCall, carrier_call, listed_call
from dialer.clock import MS
from dialer.errors import CredentialsError, DialerError, UnreachableError
from dialer.meters import NO_METERS, CarrierOp, Meters, RetryReason
from dialer.model import AmdMode, CallSid
from dialer.ports import (
    Accepted,
    CarrierCall,
    Clock,
    Doubtful,
    Order,
    OwnedNumber,
    Placement,
)

#: Pauses before asking again, in seconds; creates are never asked again.
BACKOFFS_S: Final = (0.25, 1.0)
#: A pause the carrier asks for is kept only this long, in seconds: somebody waits for the answer.
MAX_PAUSE_S: Final = 5.0

STATUS_EVENTS: Final = ("initiated", "ringing", "answered", "completed")
PAGE_SIZE: Final = 1000  # the most Twilio gives at once
MAX_PAGES: Final = 100
#: A list of days may be longer, but not without an end: this many pages are ten million calls.
MAX_PAGES_OF_DAYS: Final = 10_000

#: A call is dialed within a day of its creation, or never (Twilio cancels what is queued for
#: longer), and the day a list ends on may or may not be part of it.
LISTED_DAYS_AFTER: Final = 2
DAY_MS: Final = 86_400_000

#: The SDK reads another region or edge from the environment and would then ask another host.
_NO_ENVIRONMENT: Final = {"TWILIO_EDGE": "", "TWILIO_REGION": ""}

_NOT_A_DIGIT: Final = re.compile(r"\D")


class TwilioCarrier:
    """The :class:`~dialer.ports.Carrier` of a Twilio account; use it as an async context manager.

    Its connections belong to the loop that enters it.
    """

    def __init__(
        self,
        config: TwilioConfig,
        clock: Clock,
        *,
        backoffs_s: Sequence[float] = BACKOFFS_S,
        meters: Meters = NO_METERS,
    ) -> None:
        self._config = config
        self._meters = meters
        self._clock = clock
        self._backoffs_s = backoffs_s
        self._http = TwilioHttp(
            config.base_url,
            config.credentials,
            timeout_s=config.timeout_s,
            max_requests=config.max_requests,
        )
        self._client = Client(
            *config.credentials,
            config.account_sid,
            http_client=self._http,
            environment=_NO_ENVIRONMENT,
        )

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._http.__aexit__(*exc_info)

    async def place(self, order: Order) -> Placement:
        """Ask once. Never raises for what the carrier or the network does, never asks twice."""
        with self._exchange(CarrierOp.PLACE, order.void_at) as noted:
            try:
                call = await self._client.calls.create_async(**self._parameters(order))
            except Exception as error:
                return placement_of(error, noted, self._clock.now())
        if not (isinstance(call.sid, str) and call.sid):
            return Doubtful(f"HTTP {noted.status}: the answer names no call")
        return Accepted(CallSid(call.sid))

    async def hang_up(self, sid: CallSid) -> None:
        """End the call in whatever state it is; a call that is over already is fine."""
        await self._end(sid, "completed")

    async def cancel(self, sid: CallSid) -> None:
        """End the call if it is still queued or ringing; no effect on a conversation."""
        await self._end(sid, "canceled")

    async def redirect(self, sid: CallSid, url: str) -> bool:
        """Continue the call with the document at *url*; False when the call is over already.

        Repeated only when it was put off unseen: a second redirect would start the document anew.
        """
        changed = await self._ask(
            CarrierOp.REDIRECT,
            lambda: self._client.calls(sid).update_async(url=url),
            benign={NOT_IN_PROGRESS, NOT_FOUND},
            repeat=lambda answer: answer.throttled,
        )
        return changed is not None

    async def fetch(self, sid: CallSid) -> CarrierCall | None:
        """The call as the carrier knows it, None when it says that it knows none."""
        call = await self._fetch(sid)
        return None if call is None else carrier_call(call, created_at=0)

    async def find(self, to: str, from_: str, since_at: int) -> Sequence[CarrierCall]:
        """Calls between the two numbers created at or after *since_at*, oldest first.

        The carrier is not asked by time: its filter goes by the start, which a queued call does
        not have yet. Creation times are whole seconds, so *since_at* counts from its second on;
        a call whose creation time is unreadable counts as new.
        """
        listed = await self._pages(
            lambda: self._client.calls.page_async(to=to, from_=from_, page_size=PAGE_SIZE)
        )
        calls = [carrier_call(call, created_at=since_at) for call in reversed(listed)]
        recent = {  # by name: a record moves to the next page when a newer call pushes it there
            call.sid: call
            for call in calls
            if call.created_at // MS >= since_at // MS
            and _same_number(call.to, to)
            and _same_number(call.from_, from_)
        }
        return sorted(recent.values(), key=lambda call: call.created_at)

    async def placed_since(self, since_at: int) -> AsyncIterator[Sequence[CarrierCall]]:
        """Page by page, the calls created at or after *since_at* by requests, with their facts.

        Left out are calls that were never dialed and have ended. A call may come twice, and one
        without any readable time comes too.
        """
        async for page in self._each_placed(_day(since_at)):
            listed = ((listed_call(call, created_at=since_at), call) for call in page)
            yield [
                carrier_call(call, created_at=each.created_at)
                for each, call in listed
                if each.placed_by_request and each.created_at // MS >= since_at // MS
            ]

    async def each_call(self, since_at: int, until_at: int) -> AsyncIterator[Sequence[ListedCall]]:
        """Page by page, the calls created from *since_at* on and before *until_at* by requests.

        The carrier is asked by the day of dialing, a day and the longest queue further than
        needed, and for what is queued. Left out are calls that were never dialed and have ended:
        they rang nobody. A call may come twice, and one without any readable time comes too.
        """
        first, last = _day(since_at), _day(until_at + DAY_MS * LISTED_DAYS_AFTER)
        async for page in self._each_placed(first, last):
            calls = (listed_call(call, created_at=since_at) for call in page)
            yield [
                call
                for call in calls
                if call.placed_by_request and since_at <= call.created_at < until_at
            ]

    async def _each_placed(
        self, first: str, last: object = values.unset
    ) -> AsyncIterator[list[Any]]:
        """The SDK's records of calls that are queued, and of those dialed from a day to another."""
        dialed = partial(
            self._client.calls.page_async,
            start_time_after=first,
            start_time_before=last,
            page_size=PAGE_SIZE,
        )
        queued = partial(self._client.calls.page_async, status="queued", page_size=PAGE_SIZE)
        for ask in (queued, dialed):
            async for page in self._each_page(ask, MAX_PAGES_OF_DAYS):
                yield page

    async def listed(self, sid: str) -> ListedCall | None:
        """One call as the list would show it, None when the carrier says that it knows none."""
        call = await self._fetch(sid)
        return None if call is None else listed_call(call, created_at=0)

    async def owned_numbers(self) -> Sequence[OwnedNumber]:
        """Every number the account may call from: its own with a voice, and verified ones."""
        own = await self._pages(
            lambda: self._client.incoming_phone_numbers.page_async(page_size=PAGE_SIZE)
        )
        verified = await self._pages(
            lambda: self._client.outgoing_caller_ids.page_async(page_size=PAGE_SIZE)
        )
        usable = [number for number in own if _has_voice(number)] + verified
        named = {number.phone_number: number.friendly_name or "" for number in reversed(usable)}
        return [OwnedNumber(phone, name) for phone, name in reversed(named.items())]

    async def check(self) -> None:
        """Raise CredentialsError or UnreachableError when the account cannot be used."""
        await self._ask(
            CarrierOp.LIST, lambda: self._client.incoming_phone_numbers.page_async(page_size=1)
        )

    def _parameters(self, order: Order) -> dict[str, object]:
        """Only what is needed: trial accounts and compatible servers refuse the rest."""
        attempt_id = order.attempt_id
        by_carrier = order.amd is AmdMode.CARRIER
        detection = "DetectMessageEnd" if order.detect_message_end else "Enable"
        return {
            "to": order.to,
            "from_": order.from_,
            "url": self._config.answer_url(attempt_id),
            "status_callback": self._config.status_url(attempt_id),
            "status_callback_event": list(STATUS_EVENTS),
            "timeout": order.ring_timeout_s,
            "time_limit": self._config.time_limit_s,
            "machine_detection": detection if by_carrier else values.unset,
            "async_amd": "true" if by_carrier else values.unset,  # True would go out as "True"
            "async_amd_status_callback": (
                self._config.amd_url(attempt_id) if by_carrier else values.unset
            ),
        }

    async def _fetch(self, sid: str) -> Any:
        """The SDK's record of a call, None when the carrier says that it knows none."""
        return await self._ask(
            CarrierOp.FETCH, lambda: self._client.calls(sid).fetch_async(), benign={NOT_FOUND}
        )

    async def _end(self, sid: CallSid, status: str) -> None:
        await self._ask(
            CarrierOp.END,
            lambda: self._client.calls(sid).update_async(status=status),
            benign={NOT_IN_PROGRESS, NOT_FOUND},
        )

    async def _pages(self, first: Callable[[], Awaitable[Any]]) -> list[Any]:
        """All records of a list."""
        return [record async for page in self._each_page(first, MAX_PAGES) for record in page]

    async def _each_page(
        self, first: Callable[[], Awaitable[Any]], most: int
    ) -> AsyncIterator[list[Any]]:
        """The records of each page. A list without an end is an error: half of one would mislead.

        *most* pages are read.
        """
        ask = first
        for _ in range(most):
            page, found = await self._ask(CarrierOp.LIST, partial(_read_page, ask))
            yield found
            if page.next_page_url is None:
                return
            ask = page.next_page_async
        raise UnreachableError(f"{self._config.base_url} answers with a list that does not end")

    @contextmanager
    def _exchange(self, op: CarrierOp, void_at: int | None = None) -> Iterator[Exchange]:
        """Note what becomes of one request, and count it if it left."""
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        with exchange(self._clock, void_at) as noted:
            try:
                yield noted
            finally:
                if noted.left:
                    self._meters.carrier_answered(op, noted.status, loop.time() - began_s)

    async def _ask(
        self,
        op: CarrierOp,
        ask: Callable[[], Awaitable[Any]],
        *,
        benign: frozenset[int] | set[int] = frozenset(),
        repeat: Callable[[Answer], bool] = lambda answer: answer.passing,
    ) -> Any:
        """Ask, again after trouble that may pass; None when the carrier's no is *benign*."""
        backoffs_s = iter(self._backoffs_s)
        while True:
            with self._exchange(op) as noted:
                try:
                    return await ask()
                except Exception as error:
                    answer = answer_of(error, noted, self._clock.now())
                    if answer.definite and answer.code in benign:
                        return None
                    backoff_s = next(backoffs_s, None)
                    if backoff_s is None or not repeat(answer):
                        raise self._trouble(answer) from error
            throttled = RetryReason.THROTTLED if answer.throttled else RetryReason.TROUBLE
            self._meters.carrier_retried(throttled)
            await asyncio.sleep(max(backoff_s, min(answer.retry_after_s or 0.0, MAX_PAUSE_S)))

    def _trouble(self, answer: Answer) -> DialerError:
        if answer.status in {401, 403}:
            return CredentialsError(
                f"{self._config.base_url} refuses the credentials ({answer.message}): "
                f"check {self._config.credential_names}"
            )
        return UnreachableError(f"{self._config.base_url} cannot be used: {answer.message}")


async def _read_page(ask: Callable[[], Awaitable[Any]]) -> tuple[Any, list[Any]]:
    """A page and its records, which the SDK builds, and may fail to, only when they are read."""
    page = await ask()
    return page, list(page)


def _day(at: int) -> str:
    """A day as the carrier's filters take it: in UTC."""
    return datetime.fromtimestamp(at / MS, UTC).date().isoformat()


def _same_number(listed: str, asked: str) -> bool:
    """Whether a listed party may be the one asked for: only digits tell, and none rule out none.

    Compatible servers write numbers in their own way, and a call overlooked is a second call.
    """
    digits = _NOT_A_DIGIT.sub("", listed)
    return not digits or digits == _NOT_A_DIGIT.sub("", asked)


def _has_voice(number: Any) -> bool:
    """A server that lists no capabilities is taken at its word that this is a number."""
    capabilities = number.capabilities
    return not isinstance(capabilities, dict) or bool(capabilities.get("voice", True))
