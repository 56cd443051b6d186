"""The carrier's requests to the daemons: signed, sent to one that listens, through its real door.

The daemons share one address, as behind a balancer. Whoever dies with a request in hand leaves
the carrier without an answer; what the carrier then does is its own affair.
"""

import asyncio
import hmac
from base64 import b64encode
from collections.abc import Sequence
from random import Random
from typing import Any, Final, Protocol
from urllib.parse import urlencode, urlsplit

from starlette.types import ASGIApp, Message

from dialer.carrier_sim.webhook import Failure, Reply, WebhookFailedError, WebRequest
from dialer.simulation.processes import Machine, Process
from dialer.simulation.trunk import ONE_WAY_S

_FORM: Final = (b"content-type", b"application/x-www-form-urlencoded")


class Site(Protocol):
    """Somewhere a web server may listen."""

    process: Process | None
    web: ASGIApp | None  # None: nobody listens


class Doors:
    """The :class:`~dialer.carrier_sim.webhook.Poster` of the simulated carrier."""

    def __init__(self, machine: Machine, sites: Sequence[Site], token: str, rng: Random) -> None:
        self._machine = machine
        self._sites = sites
        self._token = token.encode()
        self._rng = rng

    async def post(self, request: WebRequest) -> Reply:
        """Bring *request* to a daemon; raises WebhookFailedError when no answer comes."""
        await asyncio.sleep(self._rng.uniform(*ONE_WAY_S))
        listening = [site for site in self._sites if site.web is not None]
        if not listening:
            raise WebhookFailedError("nobody listens", Failure.CONNECT)
        site = self._rng.choice(listening)
        assert site.process is not None, "somebody listens"
        assert site.web is not None, "somebody listens"
        try:
            async with asyncio.timeout(request.read_s):
                reply = await self._machine.ask(site.process, ask(site.web, request, self._token))
        except ConnectionRefusedError as error:
            raise WebhookFailedError(str(error), Failure.CONNECT) from error
        except OSError as error:  # a time-out is one, too
            raise WebhookFailedError(str(error), Failure.READ) from error
        await asyncio.sleep(self._rng.uniform(*ONE_WAY_S))
        return reply


async def ask(app: ASGIApp, request: WebRequest, token: bytes) -> Reply:
    """Put *request*, signed with *token*, to an ASGI application."""
    body = urlencode(request.form).encode()
    waiting: list[Message] = [{"type": "http.request", "body": body}]
    answer: dict[str, Any] = {"status": 500, "body": b""}

    async def receive() -> Message:
        return waiting.pop() if waiting else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        answer["status"] = message.get("status", answer["status"])
        answer["body"] += message.get("body", b"")

    await app(_scope(request, token), receive, send)
    return Reply(answer["status"], answer["body"].decode())


def _scope(request: WebRequest, token: bytes) -> dict[str, Any]:
    parts = urlsplit(request.url)
    signed = request.url + "".join(name + value for name, value in sorted(request.form.items()))
    signature = b64encode(hmac.digest(token, signed.encode(), "sha1"))
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": parts.scheme,
        "path": parts.path,
        "raw_path": parts.path.encode(),
        "query_string": parts.query.encode(),
        "root_path": "",
        "headers": [_FORM, (b"x-twilio-signature", signature)],
        "client": ("192.0.2.1", 443),
        "server": (parts.hostname, 443),
    }
