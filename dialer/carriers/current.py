"""A carrier that can be exchanged for another one while requests are under way."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol, Self

from dialer.model import CallSid
from dialer.ports import Carrier, CarrierCall, Order, OwnedNumber, Placement


class OpenCarrier(Carrier, Protocol):
    """A carrier with connections: open within its block."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *exc_info: object) -> None: ...


@dataclass(eq=False, slots=True)
class _Client:
    """One of the carriers, and how many of its requests are under way."""

    carrier: OpenCarrier
    requests: int = 0


class CurrentCarrier:
    """The :class:`~dialer.ports.Carrier` in force; an async context manager.

    A request stays with the carrier it began with, which closes after the last of them.
    """

    def __init__(self, carrier: OpenCarrier) -> None:
        self._client = _Client(carrier)
        self._open: set[_Client] = set()

    async def __aenter__(self) -> Self:
        await self._enter(self._client)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        for client in list(self._open):
            await self._close(client)

    async def exchange(self, carrier: OpenCarrier) -> None:
        """Let *carrier*, which is not open yet, have every request from now on."""
        successor = _Client(carrier)
        await self._enter(successor)
        former, self._client = self._client, successor
        if not former.requests:
            await self._close(former)

    async def place(self, order: Order) -> Placement:
        async with self._lent() as carrier:
            return await carrier.place(order)

    async def hang_up(self, sid: CallSid) -> None:
        async with self._lent() as carrier:
            await carrier.hang_up(sid)

    async def cancel(self, sid: CallSid) -> None:
        async with self._lent() as carrier:
            await carrier.cancel(sid)

    async def redirect(self, sid: CallSid, url: str) -> bool:
        async with self._lent() as carrier:
            return await carrier.redirect(sid, url)

    async def fetch(self, sid: CallSid) -> CarrierCall | None:
        async with self._lent() as carrier:
            return await carrier.fetch(sid)

    async def find(self, to: str, from_: str, since_at: int) -> Sequence[CarrierCall]:
        async with self._lent() as carrier:
            return await carrier.find(to, from_, since_at)

    async def owned_numbers(self) -> Sequence[OwnedNumber]:
        async with self._lent() as carrier:
            return await carrier.owned_numbers()

    async def check(self) -> None:
        async with self._lent() as carrier:
            await carrier.check()

    @asynccontextmanager
    async def _lent(self) -> AsyncIterator[Carrier]:
        client = self._client
        client.requests += 1
        try:
            yield client.carrier
        finally:
            client.requests -= 1
            if client is not self._client and not client.requests:
                await self._close(client)

    async def _enter(self, client: _Client) -> None:
        await client.carrier.__aenter__()
        self._open.add(client)

    async def _close(self, client: _Client) -> None:
        if client in self._open:
            self._open.remove(client)
            await client.carrier.__aexit__(None, None, None)
