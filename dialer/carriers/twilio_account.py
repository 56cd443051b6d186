"""What an account says of itself: whether it is in order, its credit, its numbers.

Asked by whoever checks a deployment, never by what dials. The resources are read as JSON, one
request each and none repeated: an answer that needs patience is a finding.
"""

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

import aiohttp

from dialer.carriers.rfc2822 import parse_date
from dialer.carriers.twilio_config import TWILIO_API
from dialer.carriers.twilio_http import TwilioHttp, exchange
from dialer.errors import CredentialsError, UnreachableError
from dialer.ports import Clock

PAGE_SIZE: Final = 1000  # the most Twilio gives at once
MAX_PAGES: Final = 20


@dataclass(frozen=True, slots=True)
class Login:
    """The credentials of an account, and where it is; *api_key* is optional."""

    account_sid: str
    auth_token: str = field(repr=False)
    api_key: str = ""
    api_secret: str = field(default="", repr=False)
    base_url: str = TWILIO_API


@dataclass(frozen=True, slots=True)
class AccountNumber:
    """A number of the account; *voice_url* is asked what somebody hears who calls it."""

    phone: str
    voice: bool
    voice_url: str


@dataclass(frozen=True, slots=True)
class Account:
    """What an account says; None and empty for what its server does not tell."""

    status: str  # active, suspended or closed
    kind: str  # Full or Trial
    balance: float | None
    currency: str
    numbers: tuple[AccountNumber, ...]
    verified: tuple[str, ...]  # numbers of others that it may show
    skew_s: float | None  # how far this machine's clock is ahead of the server's


async def look(login: Login, clock: Clock, *, timeout_s: float) -> Account:
    """Ask with the token, which must sign callbacks, and with the API key, which places calls.

    Raises CredentialsError naming what is refused, and UnreachableError.
    """
    async with _Asked(login, (login.account_sid, login.auth_token), clock, timeout_s) as asked:
        account = await asked.get("", "DIALER_TWILIO_AUTH_TOKEN")
        balance = await asked.get("/Balance", "DIALER_TWILIO_AUTH_TOKEN")
    lister, names = (login.account_sid, login.auth_token), "DIALER_TWILIO_AUTH_TOKEN"
    if login.api_key:
        lister = (login.api_key, login.api_secret)
        names = "DIALER_TWILIO_API_KEY and DIALER_TWILIO_API_SECRET"
    async with _Asked(login, lister, clock, timeout_s) as listed:
        numbers = [
            _number(each) async for each in listed.each("incoming_phone_numbers", _NUMBERS, names)
        ]
        verified = [
            str(each.get("phone_number") or "")
            async for each in listed.each("outgoing_caller_ids", _CALLER_IDS, names)
        ]
    return Account(
        status=str(account.get("status") or ""),
        kind=str(account.get("type") or ""),
        balance=_amount(balance.get("balance")),
        currency=str(balance.get("currency") or ""),
        numbers=tuple(numbers),
        verified=tuple(verified),
        skew_s=asked.skew_s if asked.skew_s is not None else listed.skew_s,
    )


_NUMBERS: Final = f"/IncomingPhoneNumbers.json?PageSize={PAGE_SIZE}"
_CALLER_IDS: Final = f"/OutgoingCallerIds.json?PageSize={PAGE_SIZE}"


class _Asked:
    """One pair of credentials' way to the account."""

    def __init__(
        self, login: Login, credentials: tuple[str, str], clock: Clock, timeout_s: float
    ) -> None:
        self._path = f"/2010-04-01/Accounts/{login.account_sid}"
        self._where = login.base_url
        self._clock = clock
        self._http = TwilioHttp(login.base_url, credentials, timeout_s=timeout_s, max_requests=1)
        self.skew_s: float | None = None

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._http.__aexit__(*exc_info)

    async def get(self, resource: str, names: str) -> Mapping[str, Any]:
        """A resource of the account; nothing of one that its server does not have."""
        return await self._read(f"{self._path}{resource}.json", names) or {}

    async def each(self, key: str, first: str, names: str) -> AsyncIterator[Mapping[str, Any]]:
        """The members of a list, page by page."""
        path: str | None = f"{self._path}{first}"
        for _ in range(MAX_PAGES):
            page = await self._read(str(path), names)
            if page is None:
                return
            for each in page.get(key) or ():
                yield each
            path = page.get("next_page_uri")
            if not path:
                return

    async def _read(self, path: str, names: str) -> Mapping[str, Any] | None:
        """The body of an answer; None where the server says that there is no such thing."""
        began_at = self._clock.now()
        with exchange(self._clock) as noted:
            try:
                answer = await self._http.request("GET", f"{TWILIO_API}{path}")
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                why = str(getattr(error, "os_error", error)) or type(error).__name__
                raise UnreachableError(f"{self._where} cannot be reached: {why}") from error
        if self.skew_s is None:
            self.skew_s = _skew_s(noted.headers.get("Date"), began_at, self._clock.now())
        if answer.status_code in (401, 403):
            raise CredentialsError(f"{self._where} refuses {names}: {_message(answer.text)}")
        if answer.status_code == 404:
            return None
        if answer.status_code >= 300:
            raise UnreachableError(f"{self._where} answered {answer.status_code}")
        try:
            found = json.loads(answer.text)
        except ValueError as error:
            raise UnreachableError(f"{self._where} answers with something else") from error
        return found if isinstance(found, dict) else {}


def _number(record: Mapping[str, Any]) -> AccountNumber:
    """A server that lists no capabilities is taken at its word that this is a number."""
    capabilities = record.get("capabilities")
    voice = not isinstance(capabilities, dict) or bool(capabilities.get("voice", True))
    return AccountNumber(
        str(record.get("phone_number") or ""), voice, str(record.get("voice_url") or "")
    )


def _amount(text: object) -> float | None:
    try:
        return float(str(text))
    except ValueError:
        return None


def _message(body: str) -> str:
    """What a refusal says; nothing of it is ours, so it is cut."""
    try:
        return str(json.loads(body)["message"])[:200]
    except (ValueError, KeyError, TypeError):
        return "without a word"


def _skew_s(date: str | None, began_at: int, ended_at: int) -> float | None:
    """How far we are ahead, in seconds; what the whole seconds of a date leave open is none.

    The server wrote its date between the two moments (UTC ms), and cut off its milliseconds.
    """
    at = parse_date(date)
    if at is None:
        return None
    if began_at > at + 1000:
        return (began_at - at - 1000) / 1000
    return min(0.0, (ended_at - at) / 1000)
