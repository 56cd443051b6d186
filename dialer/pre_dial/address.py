"""A check that is a web service: the question posted as JSON, the answer in the response."""

from typing import Final

import aiohttp

from dialer.errors import UnreachableError
from dialer.ports import Clock, PreDialAnswer, PreDialQuestion
from dialer.pre_dial.messages import MAX_BYTES, answer_from, question_bytes
from dialer.pre_dial.sources import Address

#: Tells the service that it is us who asks.
PROOF_HEADER: Final = "X-Dialer-Secret"

OK: Final = 200


class AddressCheck:
    """Posts each question once. *session* is the caller's to close."""

    def __init__(
        self, session: aiohttp.ClientSession, address: Address, secret: str, clock: Clock
    ) -> None:
        self._session = session
        self._address = address
        self._headers = {"Content-Type": "application/json"}
        if secret:
            self._headers[PROOF_HEADER] = secret
        self._clock = clock

    async def __call__(self, question: PreDialQuestion) -> PreDialAnswer:
        try:
            async with self._session.post(
                self._address.url,
                data=question_bytes(question),
                headers=self._headers,
                allow_redirects=False,
            ) as response:
                if response.status != OK:
                    raise UnreachableError(f"{self._address.host} answers HTTP {response.status}")
                body = await _read(response)
        except aiohttp.ClientError as error:
            # The error's own words may hold the address, which may hold a secret.
            kind = type(error).__name__
            raise UnreachableError(f"{self._address.host} cannot be used: {kind}") from error
        return answer_from(body, self._clock.now())


async def _read(response: aiohttp.ClientResponse) -> bytes:
    body = b""
    async for part in response.content.iter_chunked(MAX_BYTES):
        body += part
        if len(body) > MAX_BYTES:
            raise UnreachableError(f"not an answer: more than {MAX_BYTES} bytes")
    return body
