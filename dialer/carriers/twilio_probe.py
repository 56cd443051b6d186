"""Knocking at our own door as the carrier would, and as a stranger."""

import hmac
from base64 import b64encode
from typing import Final, NamedTuple

import aiohttp

from dialer.model import PROBE

#: About no call: nothing is kept of it, and it is refused for naming none.
PATH: Final = f"/twilio/status/{PROBE}"


class Answers(NamedTuple):
    """The statuses an unsigned and a signed request were answered with; None: not at all."""

    unsigned: int | None
    signed: int | None
    trouble: str = ""


async def knock(public_url: str, token: str, *, timeout_s: float) -> Answers:
    """Post an empty status callback to *public_url*, unsigned and then signed with *token*.

    Never raises for what the network does.
    """
    url = f"{public_url.rstrip('/')}{PATH}"
    signature = b64encode(hmac.digest(token.encode(), url.encode(), "sha1")).decode()
    timeout = aiohttp.ClientTimeout(total=timeout_s)
    unsigned = None
    try:
        async with aiohttp.ClientSession(timeout=timeout) as session:
            unsigned = await _status(session, url, {})
            return Answers(unsigned, await _status(session, url, {"X-Twilio-Signature": signature}))
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        return Answers(unsigned, None, str(getattr(error, "os_error", error)) or "it took too long")


async def _status(session: aiohttp.ClientSession, url: str, headers: dict[str, str]) -> int:
    async with session.post(url, headers=headers, allow_redirects=False) as response:
        return response.status
