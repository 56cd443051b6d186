"""The REST side: Twilio's paths, credentials, headers and errors around an exchange."""

import asyncio
import binascii
import hmac
from base64 import b64decode
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeAlias
from urllib.parse import parse_qs, parse_qsl

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from dialer.carrier_sim import intake
from dialer.carrier_sim.api_errors import ApiError
from dialer.carrier_sim.exchange import Exchange
from dialer.carrier_sim.faults import Fault
from dialer.carrier_sim.intake import DroppedConnectionError, Intake, ThrottledError
from dialer.carrier_sim.listing import cut, page_body, wanted
from dialer.carrier_sim.payloads import API_VERSION
from dialer.carrier_sim.resources import (
    account_resource,
    api_headers,
    balance_resource,
    call_resource,
    caller_id_resource,
    incoming_number_resource,
)
from dialer.carrier_sim.truth import Event

Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]
Resource: TypeAlias = dict[str, Any]

SLOW_LIST_S: Final = (2.0, 15.0)
#: Key of the ASGI scope under which the HTTP server hands over the connection's transport.
CONNECTION: Final = "carrier_sim.connection"
TURNS_TO_NOTICE: Final = 3  # of the loop, until a connection that was closed is known to be


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who may call: the account with its token, or an API key with its secret."""

    account_sid: str
    auth_token: str
    api_key: str = ""
    api_secret: str = ""

    def accept(self, given: bytes) -> bool:
        """Whether *given*, ``user:password``, is one of the pairs; compares in constant time."""
        pairs = ((self.account_sid, self.auth_token), (self.api_key, self.api_secret))
        known = [f"{name}:{secret}".encode() for name, secret in pairs if name]
        return any(hmac.compare_digest(given, pair) for pair in known)


def create_app(exchange: Exchange, door: Intake, credentials: Credentials) -> Starlette:
    """An ASGI application that answers for *exchange*."""
    return Starlette(routes=_RestApi(exchange, door, credentials).routes())


class _Silence(Response):
    """Sends nothing at all."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del scope, receive, send


class _RestApi:
    def __init__(self, exchange: Exchange, door: Intake, credentials: Credentials) -> None:
        self._exchange = exchange
        self._door = door
        self._credentials = credentials
        self._account_sid = exchange.setup.account_sid
        self._requests = 0
        self._concurrent = 0

    def routes(self) -> list[Route]:
        account = f"/{API_VERSION}/Accounts/{{account_sid}}"
        calls, call = f"{account}/Calls.json", f"{account}/Calls/{{sid}}.json"
        return [
            Route(calls, self._api(self._create), methods=["POST"]),
            Route(calls, self._api(self._list), methods=["GET"]),
            Route(call, self._api(self._fetch), methods=["GET"]),
            Route(call, self._api(self._update), methods=["POST"]),
            Route(call, self._api(self._delete), methods=["DELETE"]),
            Route(f"{account}.json", self._api(self._account)),
            Route(f"{account}/Balance.json", self._api(self._balance)),
            Route(f"{account}/IncomingPhoneNumbers.json", self._api(self._incoming)),
            Route(f"{account}/OutgoingCallerIds.json", self._api(self._caller_ids)),
            Route("/_sim/state", self._state),
            Route("/healthz", self._health),
        ]

    def _api(self, endpoint: Endpoint) -> Endpoint:
        """*endpoint* behind the account's credentials, with Twilio's headers and errors."""

        async def answer(request: Request) -> Response:
            loop = asyncio.get_running_loop()
            began_s = loop.time()
            self._requests += 1
            self._concurrent += 1
            concurrent = self._concurrent
            try:
                response = await self._checked(endpoint, request)
            finally:
                self._concurrent -= 1
            request_id = f"RQ{self._requests:032x}"
            response.headers.update(api_headers(request_id, concurrent, loop.time() - began_s))
            return response

        return answer

    async def _checked(self, endpoint: Endpoint, request: Request) -> Response:
        try:
            self._authenticate(request)
            if request.path_params["account_sid"] != self._account_sid:
                raise ApiError(20404, request.url.path)
            return await endpoint(request)
        except ApiError as error:
            waits = isinstance(error, ThrottledError)
            headers = {"Retry-After": str(intake.RETRY_AFTER_S)} if waits else {}
            return JSONResponse(error.body(), error.status, headers)
        except DroppedConnectionError:
            return await _hang_up_on(request)

    def _authenticate(self, request: Request) -> None:
        scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
        try:
            given = b64decode(encoded, validate=True) if scheme.lower() == "basic" else b""
        except binascii.Error:
            given = b""
        if not self._credentials.accept(given):
            raise ApiError(20003)

    # -- calls ------------------------------------------------------------------------------------

    async def _create(self, request: Request) -> Response:
        arrived_at, arrived_s = self._exchange.now(), asyncio.get_running_loop().time()
        form = await _form(request)

        gone = partial(_gone, request)
        call = await self._door.place(intake.Request(form, arrived_at, arrived_s, gone))
        return JSONResponse(call_resource(self._account_sid, call), 201)

    async def _list(self, request: Request) -> Response:
        dice = self._exchange.dice
        if dice.strikes(Fault.SLOW_LIST):
            facts = {"kind": Fault.SLOW_LIST}
            self._exchange.truth.record(Event.FAULT, self._exchange.now(), facts)
            await asyncio.sleep(dice.between(Fault.SLOW_LIST, *SLOW_LIST_S))
        query = _query(request)
        known = self._exchange.newest_first(query.get("To", ""))
        page = cut((call for call in known if wanted(call, query)), lambda call: call.sid, query)
        resources = [call_resource(self._account_sid, call) for call in page.items]
        last = page.items[-1].sid if page.items else ""
        return JSONResponse(page_body(request.url.path, query, page, "calls", resources, last))

    async def _fetch(self, request: Request) -> Response:
        call = self._exchange.call(request.path_params["sid"])
        return JSONResponse(call_resource(self._account_sid, call))

    async def _update(self, request: Request) -> Response:
        call = self._exchange.update(request.path_params["sid"], await _form(request))
        return JSONResponse(call_resource(self._account_sid, call))

    async def _delete(self, request: Request) -> Response:
        self._exchange.delete(request.path_params["sid"])
        return Response(status_code=204)

    # -- the account ------------------------------------------------------------------------------

    async def _account(self, request: Request) -> Response:
        del request
        return JSONResponse(account_resource(self._account_sid, self._exchange.started_at))

    async def _balance(self, request: Request) -> Response:
        del request
        return JSONResponse(balance_resource(self._account_sid))

    # -- numbers ----------------------------------------------------------------------------------

    async def _incoming(self, request: Request) -> Response:
        phones = self._exchange.setup.numbers.bought(_query(request).get("PhoneNumber", ""))
        return self._numbers(request, "incoming_phone_numbers", incoming_number_resource, phones)

    async def _caller_ids(self, request: Request) -> Response:
        phones = self._exchange.setup.numbers.caller_ids(_query(request).get("PhoneNumber", ""))
        return self._numbers(request, "outgoing_caller_ids", caller_id_resource, phones)

    def _numbers(
        self,
        request: Request,
        key: str,
        render: Callable[[str, str, int], Resource],
        phones: Sequence[str],
    ) -> Response:
        query = _query(request)
        since = self._exchange.started_at
        resources = [render(self._account_sid, phone, since) for phone in phones]
        name = query.get("FriendlyName")
        named = [found for found in resources if name in {None, found["friendly_name"]}]
        page = cut(named, lambda found: str(found["sid"]), query)
        last = page.items[-1]["sid"] if page.items else ""
        return JSONResponse(page_body(request.url.path, query, page, key, page.items, last))

    # -- beside Twilio ----------------------------------------------------------------------------

    async def _state(self, request: Request) -> Response:
        del request
        return JSONResponse({**self._exchange.counts(), "requests": self._requests})

    async def _health(self, request: Request) -> Response:
        del request
        return JSONResponse({"status": "ok"})


async def _gone(request: Request) -> bool:
    """Whether the sender has closed the connection, as far as the HTTP server lets us know."""
    for _ in range(TURNS_TO_NOTICE):
        await asyncio.sleep(0)
    connection = request.scope.get(CONNECTION)
    return connection is not None and connection.is_closing()


async def _hang_up_on(request: Request) -> Response:
    """Cut the connection without an answer, where the HTTP server lets us."""
    if connection := request.scope.get(CONNECTION):
        connection.abort()
        await asyncio.sleep(0)  # the server takes note
        return _Silence()
    return JSONResponse(ApiError(20500).body(), 500)


async def _form(request: Request) -> Mapping[str, Sequence[str]]:
    body = await request.body()
    return parse_qs(body.decode(errors="replace"), keep_blank_values=True)


def _query(request: Request) -> dict[str, str]:
    return dict(parse_qsl(request.url.query))
