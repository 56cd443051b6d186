"""A daemon that listens, and the carrier that talks to it, signing its requests as Twilio does."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode

import httpx2
from twilio.request_validator import RequestValidator

from dialer.app import app_from, carrier_config
from dialer.carriers.twilio_callbacks import TwilioCallbacks
from dialer.model import AmdMode, Claim
from tests.support.engine import (
    Daemon,
    ScriptedCarrier,
    daemon_on,
    rows,
    running,
    settings_for,
    sid,
)
from tests.support.given import given_campaign, write

ACCOUNT: Final = "AC" + "0" * 32
AUTH_TOKEN: Final = "0pen"
API_TOKEN: Final = "5esame"
PUBLIC_URL: Final = "https://dialer.example.com"
CREDENTIALS: Final = {
    "twilio_account_sid": ACCOUNT,
    "twilio_auth_token": AUTH_TOKEN,
    "api_token": API_TOKEN,
}

#: What a mailbox says, in the pieces a recogniser gives.
VOICEMAIL: Final = "hi you have reached ann please leave a message after the tone"
SCREENING: Final = "please state your name and the reason for your call and i will see if"
LIVE: Final = "hello who is calling please"


@dataclass
class Line:
    """One answered call, from the carrier's side."""

    daemon: Daemon
    claim: Claim
    http: httpx2.AsyncClient
    sid: str = field(default_factory=lambda: sid(1))
    words: int = 0

    async def post(self, topic: str, form: Mapping[str, str]) -> httpx2.Response:
        target = f"/twilio/{topic}/{self.claim.attempt_id}"
        whole = {"CallSid": self.sid, "AccountSid": ACCOUNT, **form}
        signature = RequestValidator(AUTH_TOKEN).compute_signature(PUBLIC_URL + target, whole)
        headers = {
            "X-Twilio-Signature": signature,
            "Content-Type": "application/x-www-form-urlencoded",
        }
        return await self.http.post(target, content=urlencode(whole).encode(), headers=headers)

    async def answer(self) -> str:
        """Somebody, or something, picks up; gives what the call is to do."""
        return (await self.post("answer", {"CallStatus": "in-progress"})).text

    async def say(self, text: str, *, final: bool = False, at_s: float | None = None) -> int:
        """The callee says *text*; gives the status of the reply."""
        if at_s is not None:
            self.daemon.clock.pass_s(at_s)
        self.words += 1
        form = {
            "TranscriptionEvent": "transcription-content",
            "TranscriptionSid": "GT1",
            "Track": "inbound_track",
            "SequenceId": str(self.words),
            "Final": str(final).lower(),
            "TranscriptionData": json.dumps({"transcript": text, "confidence": 0.9}),
        }
        return (await self.post("transcript", form)).status_code

    async def end(self, duration_s: int = 20) -> None:
        await self.post("status", {"CallStatus": "completed", "CallDuration": str(duration_s)})

    @property
    def carrier(self) -> ScriptedCarrier:
        return self.daemon.carrier

    @property
    def redirects(self) -> list[str]:
        """The topics of the documents the call was sent to."""
        return [url.split("/")[-2] for _, url in self.carrier.redirected]

    async def attempt(self, *columns: str) -> tuple[Any, ...]:
        (found,) = await rows(
            self.daemon.database,
            f"SELECT {', '.join(columns)} FROM attempts WHERE id = '{self.claim.attempt_id}'",
        )
        return found

    async def verdicts(self) -> list[tuple[Any, ...]]:
        """Mode, whether it acts, and who it thinks has answered."""
        return await rows(
            self.daemon.database,
            "SELECT mode, acting, coalesce(kind, verdict) FROM amd_verdicts"
            f" WHERE attempt_id = '{self.claim.attempt_id}' ORDER BY seq",
        )


@asynccontextmanager
async def line_to(
    store: str,
    database: Any,
    *,
    agent: Mapping[str, str] | None = None,
    settings: Mapping[str, Any] | None = None,
    **fields: Any,
) -> AsyncIterator[Line]:
    """A call the carrier has named, of a campaign with *fields*; all that acts is running."""
    changes = CREDENTIALS | dict(settings or {})
    async with daemon_on(store, database, **changes) as daemon:
        given: dict[str, Any] = {"amd": AmdMode.TEXT, "call_interval_s": 0} | fields
        campaign = await given_campaign(database, now=daemon.clock.now(), contacts=1, **given)
        if agent:
            async with database.write() as tx:
                await write(tx, "UPDATE agents SET options = ?1", [(json.dumps(dict(agent)),)])
        (claim,) = await daemon.take(campaign)
        daemon.engine.calls.accepted(claim.attempt_id, sid(1))
        await daemon.batcher.settled()
        async with (
            running(daemon.engine.listener.run, daemon.engine.errands.run),
            calling(store, daemon, claim, changes) as line,
        ):
            yield line


@asynccontextmanager
async def calling(
    store: str, daemon: Daemon, claim: Claim, changes: Mapping[str, Any]
) -> AsyncIterator[Line]:
    """The carrier's way to the application of a daemon."""
    settings = settings_for(store, **changes)
    door = TwilioCallbacks(carrier_config(settings))
    app = app_from(settings, daemon.engine, daemon.carrier, door)
    transport = httpx2.ASGITransport(app.web)
    async with httpx2.AsyncClient(transport=transport, base_url="http://10.0.0.1") as http:
        yield Line(daemon, claim, http)
